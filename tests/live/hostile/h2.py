"""HTTP/2 as frames that can be changed: how a whole exchange is written in them, and what may become of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hpack import Decoder, HPACKError

from tests.live.hostile.frames import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    MORE,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH,
    RESET,
    SETTINGS,
    WINDOW,
    frame,
    frames_in,
)
from tests.live.hostile.mutants import bytewise

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from hpack import Encoder

    type Fields = list[tuple[bytes, bytes]]

GOODBYE = frame(GOAWAY, b"\x7f\xff\xff\xff\0\0\0\0")
"""No other stream is taken; what is under way goes on."""


@dataclass(frozen=True)
class Frame:
    """`kept` says that a text stands in it, which is not left out, moved, said twice or changed."""

    kind: int
    flags: int
    stream: int
    payload: bytes
    kept: bool = False
    size: int | None = None
    """What it says of its length, where that is not so."""

    def __bytes__(self) -> bytes:
        return bytes(frame(self.kind, self.payload, stream=self.stream, flags=self.flags, size=self.size))


def head(
    encoder: Encoder, fields: Fields, stream: int, chance: random.Random, *, end: bool = False, broken: bool = False
) -> list[Frame]:
    """Fields as a client or server may write them: in one frame or more, with or without Huffman's code."""
    block = encoder.encode(fields, huffman=chance.random() < 0.5)
    if broken:
        block = bytewise(block, chance)
    step = chance.choice((16000, 16000, 16000, 100, 13))
    pieces = [block[at : at + step] for at in range(0, len(block), step)] or [b""]
    last = len(pieces) - 1
    return [
        Frame(
            MORE if at else HEADERS,
            (END_HEADERS if at == last else 0) | (END_STREAM if end and not at else 0),
            stream,
            piece,
        )
        for at, piece in enumerate(pieces)
    ]


def body(
    parts: Sequence[tuple[bytes, bool]], stream: int, chance: random.Random, *, end: bool = True, cut: bool = False
) -> list[Frame]:
    """Parts, each with whether it is kept, as frames: one each, or in pieces, some of them padded."""
    frames = []
    for part, kept in parts:
        step = chance.choice((max(len(part), 1), 1000, 100, 17)) if cut else 16000
        frames += [Frame(DATA, 0, stream, part[at : at + step], kept) for at in range(0, len(part), step)]
    if cut:
        frames = [_padded(each, chance) if chance.random() < 0.2 else each for each in frames]
    if end:
        if frames and chance.random() < 0.7:
            frames[-1] = replace(frames[-1], flags=frames[-1].flags | END_STREAM)
        else:
            frames.append(Frame(DATA, END_STREAM, stream, b""))
    return frames


def _padded(each: Frame, chance: random.Random) -> Frame:
    size = chance.choice((0, 1, 9, 255))
    return replace(each, flags=each.flags | PADDED, payload=bytes([size]) + each.payload + b"\0" * size)


def woven(one: list[Frame], other: list[Frame], chance: random.Random) -> list[Frame]:
    """Two streams on one connection: their fields in this order, since they are compressed together, then by turns."""
    heads = [each for frames in (one, other) for each in frames if each.kind in {HEADERS, MORE}]
    rests = [[each for each in frames if each.kind == DATA] for frames in (one, other)]
    mixed = []
    while any(rests):
        mixed.append(chance.choice([rest for rest in rests if rest]).pop(0))
    return heads + mixed


STREAMS = (0, 1, 2, 3, 5, 7, 0x7FFFFFFF, 0x80000001)
SIZES = (0, 1, 4, 5, 8, 16385, 0xFFFFFF)
NUMBERS = (0, 1, 255, 16384, 65535, 0x7FFFFFFF, 0xFFFFFFFF)


def stray(stream: int, chance: random.Random) -> Frame:
    """A frame that nobody waits for; some of them are right, and say little."""
    number = chance.choice(NUMBERS).to_bytes(4)
    setting = bytes([0, chance.choice((1, 2, 3, 4, 5, 6, 8, 9, 255))]) + number
    return chance.choice(
        (
            Frame(PING, chance.choice((0, ACK)), 0, b"12345678"),
            Frame(SETTINGS, 0, 0, setting),
            Frame(SETTINGS, ACK, 0, b""),
            Frame(WINDOW, 0, chance.choice((0, stream)), number),
            Frame(PRIORITY, 0, stream, chance.choice(STREAMS).to_bytes(4) + b"\x10"),
            Frame(RESET, 0, stream, chance.randrange(14).to_bytes(4)),
            Frame(GOAWAY, 0, 0, number + chance.randrange(14).to_bytes(4) + b"why"),
            Frame(PUSH, END_HEADERS, stream, b"\0\0\0\2\x88"),
            Frame(MORE, END_HEADERS, stream, b"\x82"),
            Frame(HEADERS, END_HEADERS | END_STREAM, stream, b"\0\1x\1y"),
            Frame(HEADERS, END_HEADERS, stream, b"\x88"),
            Frame(DATA, 0, stream, b""),
            Frame(DATA, END_STREAM, stream, b""),
            Frame(DATA, 0, stream, b"\0\0\0\0\0"),
            Frame(chance.choice((10, 12, 16, 250)), chance.randrange(256), chance.choice((0, stream)), b"stray"),
        )
    )


def changed(frames: list[Frame], chance: random.Random) -> list[Frame]:
    """One change or more: frames left out, moved, doubled, put in, or saying otherwise what they are."""
    frames, stream = list(frames), frames[0].stream
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.randrange(len(frames))
        each, free = frames[at], not frames[at].kept
        match chance.randrange(9):
            case 0 | 1:
                frames.insert(at + chance.randrange(2), stray(stream, chance))
            case 2 if free and len(frames) > 1:
                del frames[at]
            case 3 if free:
                frames.insert(chance.randrange(len(frames) + 1), frames.pop(at))
            case 4 if free:
                frames.insert(at, each)
            case 5:
                frames[at] = replace(each, flags=each.flags ^ 1 << chance.randrange(8))
            case 6 if free:
                frames[at] = replace(each, stream=chance.choice(STREAMS))
            case 7:
                frames[at] = replace(
                    each, size=chance.choice((*SIZES, len(each.payload) + 1, max(len(each.payload) - 1, 0)))
                )
            case 8 if free:
                frames[at] = replace(each, kind=chance.choice((*range(10), 16, 250)))
            case _:
                frames[at] = each if each.kept else replace(each, payload=bytewise(each.payload, chance))
    return frames


def written(frames: Sequence[Frame]) -> bytes:
    return b"".join(map(bytes, frames))


@dataclass(frozen=True)
class Asked:
    """A request as it came: fields by name, and the body, or the frames of a WebSocket so far."""

    fields: dict[bytes, bytes]
    body: bytearray

    @property
    def exchange(self) -> str:
        return self.fields.get(b"x-request-id", b"").decode()


@dataclass(frozen=True)
class Answer:
    """`frames` writes an answer into a stream, by the encoder of its connection."""

    frames: Callable[[Encoder, int], bytes]
    changed: bool = False
    leaving: bool = True
    """Whether the server says at once that it takes no other stream, where something changed was said."""


OPENING = PREFACE + frame(SETTINGS)


class Heard:
    """What came on a connection, stream by stream, by a reading of our own."""

    def __init__(self) -> None:
        self.heads: dict[int, list[Fields]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.resets: set[int] = set()
        self.gone = False
        self.fresh: list[tuple[int, int, bytes]] = []
        """(kind, flags, payload) of frames about the connection."""
        self._decoder, self._rest, self._block = Decoder(), b"", b""

    def take(self, data: bytes) -> list[int]:
        """The streams that ended with these bytes; raises ValueError where they are no HTTP/2."""
        self._rest += data
        before = set(self.ended)
        for kind, flags, stream, payload in frames_in(self._rest):
            self._rest = self._rest[9 + len(payload) :]
            try:
                self._one(kind, flags, stream, payload)
            except (HPACKError, IndexError) as error:
                raise ValueError("no fields") from error
        return sorted(self.ended - before)

    def _one(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if flags & PADDED and kind in {DATA, HEADERS}:
            payload = payload[1 : len(payload) - payload[0]]
        if kind == DATA:
            self.bodies[stream] = self.bodies.get(stream, b"") + payload
        elif kind in {HEADERS, MORE}:
            self._block += payload[5:] if kind == HEADERS and flags & 0x20 else payload
            if flags & END_HEADERS:
                fields = [(bytes(name), bytes(value)) for name, value in self._decoder.decode(self._block, raw=True)]
                self.heads.setdefault(stream, []).append(fields)
                self._block = b""
        elif kind == RESET:
            self.resets.add(stream)
        elif kind == GOAWAY:
            self.gone = True
        else:
            self.fresh.append((kind, flags, payload))
        if kind in {DATA, HEADERS} and flags & END_STREAM:
            self.ended.add(stream)

    def said(self) -> bytes:
        """All of it that can be read, to be searched."""
        fields = [b"%b: %b" % field for heads in self.heads.values() for fields in heads for field in fields]
        return b"\n".join([*fields, *self.bodies.values(), *(payload for _, _, payload in self.fresh)])
