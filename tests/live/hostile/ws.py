"""WebSockets as frames that can be changed (RFC 6455, 5.2): what may become of them, and what is read in them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.live.hostile.exchanges import TEXT
from tests.live.hostile.mutants import bytewise

if TYPE_CHECKING:
    import random

TEXTS, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
KEY = b"\1\2\3\4"
CODES = (0, 999, 1000, 1001, 1004, 1005, 1006, 1011, 1015, 2999, 3000, 4999, 5000, 65535)


@dataclass(frozen=True)
class Frame:
    """`kept` says that a text, or a piece of one, stands in it."""

    opcode: int
    payload: bytes
    fin: bool = True
    masked: bool = False
    rsv: int = 0
    kept: bool = False
    size: int | None = None
    """What it says of its length, where that is not so."""
    wide: int = 0
    """At least so many bytes for the length: 0, 2 or 8."""

    def __bytes__(self) -> bytes:
        size = len(self.payload) if self.size is None else self.size
        mask = 0x80 if self.masked else 0
        first = bytes([(0x80 if self.fin else 0) | self.rsv | self.opcode])
        if size < 126 and not self.wide:
            length = bytes([mask | size])
        elif size < 65536 and self.wide < 8:
            length = bytes([mask | 126]) + size.to_bytes(2)
        else:
            length = bytes([mask | 127]) + size.to_bytes(8)
        if not self.masked:
            return first + length + self.payload
        return first + length + KEY + xored(self.payload)


def xored(payload: bytes) -> bytes:
    return bytes(byte ^ KEY[at % 4] for at, byte in enumerate(payload))


def frames_in(raw: bytes, masked: bool | None = None) -> list[tuple[int, bool, bytes]]:
    """(opcode, fin, payload) of each whole frame."""
    found = []
    while len(raw) >= 2:
        size, at = raw[1] & 0x7F, 2
        if size >= 126:
            at = 4 if size == 126 else 10
            size = int.from_bytes(raw[2:at])
        key = raw[at : at + 4] if raw[1] & 0x80 else b""
        at += len(key)
        if len(raw) < at + size:
            break
        payload = raw[at : at + size]
        found.append(
            (raw[0] & 15, bool(raw[0] & 0x80), bytes(b ^ key[i % 4] for i, b in enumerate(payload)) if key else payload)
        )
        raw = raw[at + size :]
    return found


def messages_in(raw: bytes) -> list[str]:
    """The texts of whole messages."""
    found, held = [], b""
    for opcode, fin, payload in frames_in(raw):
        if opcode < CLOSE:
            held += payload
            if fin:
                found.append(held.decode(errors="replace"))
                held = b""
    return found


def cut(frame: Frame, chance: random.Random) -> list[Frame]:
    """One message in several frames, perhaps with a ping among them."""
    step = chance.choice((1000, 50, 9))
    pieces = [frame.payload[at : at + step] for at in range(0, len(frame.payload), step)] or [b""]
    last = len(pieces) - 1
    made = [
        replace(frame, opcode=0 if at else frame.opcode, payload=piece, fin=at == last)
        for at, piece in enumerate(pieces)
    ]
    if chance.random() < 0.3:
        made.insert(chance.randrange(len(made) + 1), Frame(PING, b"a", masked=frame.masked))
    return made


def stray(masked: bool, chance: random.Random) -> Frame:
    code = chance.choice(CODES).to_bytes(2)
    return chance.choice(
        (
            Frame(PING, chance.choice((b"", b"x" * 125, b"" if masked else TEXT)), masked=masked),  # it comes back
            Frame(PONG, b"stray", masked=masked),
            Frame(CLOSE, code + chance.choice((b"", TEXT[:100], b"\xff")), masked=masked),
            Frame(CLOSE, chance.choice((b"", b"\3")), masked=masked),
            Frame(PING, b"y" * 126, masked=masked),
            Frame(0, b"more", masked=masked),
            Frame(TEXTS, b"", masked=masked),
            Frame(TEXTS, b"{}", fin=False, masked=masked),
            Frame(TEXTS, b"\xff\xfe", masked=masked),
            Frame(BINARY, TEXT, masked=masked),
            Frame(chance.choice((3, 7, 11, 15)), b"what", masked=masked),
        )
    )


def changed(frames: list[Frame], chance: random.Random) -> list[Frame]:
    """One change or more: frames left out, moved, doubled, put in, or saying otherwise what they are."""
    frames, masked = list(frames), frames[0].masked
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(len(frames))
        each, free, size = frames[at], not frames[at].kept, len(frames[at].payload)
        match chance.randrange(11):
            case 0 | 1:
                frames.insert(at + chance.randrange(2), stray(masked, chance))
            case 2 if free and len(frames) > 1:
                del frames[at]
            case 3 if free:
                frames.insert(chance.randrange(len(frames)), frames.pop(at))
            case 4 if free:
                frames.insert(at, each)
            case 5:
                frames[at] = replace(each, masked=not each.masked)
            case 6:
                frames[at] = replace(each, fin=not each.fin)
            case 7:
                frames[at] = replace(each, rsv=chance.choice((0x40, 0x20, 0x10)))
            case 8:
                frames[at] = replace(each, size=chance.choice((0, max(size - 1, 0), size + 1, 126, 65536, 2**63)))
            case 9:
                frames[at] = replace(each, wide=chance.choice((2, 8)))
            case 10 if free:
                frames[at] = replace(each, opcode=chance.randrange(16))
            case _:
                frames[at] = each if each.kept else replace(each, payload=bytewise(each.payload, chance))
    return frames
