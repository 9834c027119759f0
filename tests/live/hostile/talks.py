"""Conversations on a WebSocket (RFC 6455), changed: the handshake, frames and their order, the JSON of realtime events.

Of what the caller says any byte may change; of what the model says all but the text.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import random
import re
from dataclasses import dataclass
from typing import Any

from processes import HOST
from tests.live.hostile import mutants
from tests.live.hostile.exchanges import ASKED, CUTS, TEXT
from tests.live.hostile.mutants import Mutant
from tests.live.hostile.ws import CLOSE, TEXTS, Frame, changed, cut, frames_in, messages_in
from tests.live.realtime import ask, event, spoken
from tests.traffic import CANARY_TEXT

CHANCE = "mutants of talks 1"
MODEL = "ward-talk-"
"""What the models are named, up to the number of the mutant."""
NUMBER = re.compile(rb"ward-talk-(\d+)")

SENT = (
    *(b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"Sec-WebSocket-Protocol: realtime, x\r\n"),
    *(b"Sec-WebSocket-Key: AAAA\r\n", b"Sec-WebSocket-Version: 8\r\n", b"Origin: http://x\r\n", b"Upgrade: h2c\r\n"),
    *(b"Connection: close\r\n", b"Content-Length: 2\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: other\r\n"),
    *(b"Sec-WebSocket-Protocol: openai-insecure-api-key.x\r\n", b"Authorization: Bearer x\r\n", b" folded\r\n"),
)
TOLD = (
    *(b"Sec-WebSocket-Extensions: permessage-deflate\r\n", b"Sec-WebSocket-Protocol: mine\r\n"),
    *(b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n", b"Content-Length: 9\r\n", b"X-Note: %b\r\n" % TEXT),
    *(b"Transfer-Encoding: chunked\r\n", b"Upgrade: h2c\r\n", b"Set-Cookie: a=%b\r\n" % TEXT[:40], b"X: \x01\r\n"),
)
LINES = (
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 403 No\r\n", b"HTTP/1.0 101 x\r\n", b"HTTP/1.1 101\r\n"),
    *(b"HTTP/2 101 x\r\n", b"HTTP/1.1 103 x\r\n\r\nHTTP/1.1 101 x\r\n"),
)


# -- what the model says --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spoken:
    """How a model server answers the opening of a WebSocket, and all that it says then."""

    line: bytes
    fields: tuple[bytes, ...]
    frames: bytes
    changed: bool

    def opening(self, key: bytes) -> bytes:
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        return self.line + b"".join(self.fields).replace(b"@ACCEPT@", accept) + b"\r\n"


OPENS = (b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\n", b"Sec-WebSocket-Accept: @ACCEPT@\r\n")
EVENTS: tuple[dict[str, Any], ...] = (
    event("response.novel", delta="a"),
    event("response.output_text.delta", delta="late"),
    event("error", error={"message": CANARY_TEXT, "code": CANARY_TEXT}),
    event("session.updated", session={"instructions": CANARY_TEXT}),
    {"type": 7},
    {},
)


def says(number: int, *, honest: bool) -> Spoken:
    """What the model server says in the mutant of this number."""
    chance, step = random.Random(f"{CHANCE} {number} answer"), CUTS[number % len(CUTS)]
    pieces = [CANARY_TEXT[at : at + step] for at in range(0, len(CANARY_TEXT), step)]
    told, fields, line = [], list(OPENS), b"HTTP/1.1 101 Switching Protocols\r\n"
    events: list[Any] = [event("session.created", session={}), *spoken(step=step)]
    if not honest and chance.random() < 0.2:
        events.insert(chance.randrange(len(events)), chance.choice(EVENTS))
    at = chance.randrange(len(events)) if not honest and chance.random() < 0.6 else -1
    for place, each in enumerate(events):
        text = json.dumps(each)
        held = next((piece for piece in (CANARY_TEXT, *pieces) if json.dumps(piece)[1:-1] in text), "")
        data = mutants.written(mutants.replanted(each, chance, held), chance) if place == at else text.encode()
        told += (
            cut(Frame(TEXTS, data, kept=bool(held)), chance)
            if chance.random() < 0.1
            else [Frame(TEXTS, data, kept=bool(held))]
        )
    if not honest and chance.random() < 0.2:
        if chance.random() < 0.3:
            line = chance.choice(LINES)
        elif chance.random() < 0.3:
            del fields[chance.randrange(3)]
        else:
            fields.insert(chance.randrange(4), chance.choice(TOLD))
    if not honest and (chance.random() < 0.5 or at < 0):
        told = changed(told, chance)
    return Spoken(line, tuple(fields), b"".join(map(bytes, told)), changed=not honest)


# -- what the caller says -------------------------------------------------------------------------------------------


def _said(number: int, chance: random.Random, what: list[str], *, honest: bool) -> tuple[bytes, bool]:
    """The caller's frames, and whether the prompt is whole in them."""
    session = {"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}}
    tell = [session, ask(ASKED), {"type": "response.create", "response": {"metadata": {"n": str(number)}}}]
    frames, text = [], True
    at = chance.randrange(3) if not honest and chance.random() < 0.5 else -1
    for place, each in enumerate(tell):
        data = json.dumps(each).encode()
        if place == at:
            what.append("the caller's event")
            data = mutants.written(mutants.replanted(each, chance), chance)
            text = text and (place != 1 or TEXT in data)
        frame = Frame(TEXTS, data, masked=True)
        frames += cut(frame, chance) if chance.random() < 0.2 else [frame]
    if not honest and (chance.random() < 0.5 or not what):
        what.append("the caller's frames")
        frames, text = changed(frames, chance), False
    raw = b"".join(map(bytes, frames))
    if not honest and chance.random() < 0.15:
        what.append("the caller's bytes")
        raw, text = mutants.bytewise(raw, chance), False
    return raw, text


def _opening(number: int, bearer: bytes, chance: random.Random, what: list[str], *, honest: bool) -> bytes:
    fields = [b"Host: gateway\r\n", b"Authorization: Bearer " + bearer + b"\r\n", b"Connection: Upgrade\r\n"]
    fields += [b"Upgrade: websocket\r\n", b"Sec-WebSocket-Version: 13\r\n"]
    fields += [b"Sec-WebSocket-Key: " + base64.b64encode(b"k" * 16) + b"\r\n"]
    line = b"GET /v1/realtime?model=%b%d HTTP/1.1\r\n" % (MODEL.encode(), number)
    if not honest and chance.random() < 0.2:
        what.append("the handshake")
        at = chance.randrange(len(fields))
        match chance.randrange(4):
            case 0:
                del fields[at]
            case 1:
                fields[at] = mutants.bytewise(fields[at], chance)
            case 2:
                line = mutants.bytewise(line, chance)
            case _:
                fields.insert(at, chance.choice(SENT))
    return line + b"".join(fields) + b"\r\n"


def mutant(number: int, bearer: bytes) -> Mutant:
    """The mutant of this number; its `answer` says whether that is changed as well."""
    chance, what = random.Random(f"{CHANCE} {number}"), list[str]()
    kind = chance.choice(("request", "request", "answer", "answer", "both"))
    opening = _opening(number, bearer, chance, what, honest=kind == "answer")
    said, text = _said(number, chance, what, honest=kind == "answer")
    early = chance.random() < 0.3
    return Mutant(
        number,
        "realtime",
        opening + (said if early else b""),
        kind != "request",
        what,
        kind == "answer",
        text,
        b"" if early else said,
    )


@dataclass
class Heard:
    """What the caller got: the head of the answer, and what followed it."""

    head: bytes = b""
    rest: bytes = b""
    gone: bool = False

    def take(self, data: bytes) -> None:
        if b"\r\n\r\n" in self.head:
            self.rest += data
        else:
            head, mark, rest = (self.head + data).partition(b"\r\n\r\n")
            self.head, self.rest = head + mark, rest

    @property
    def opened(self) -> bool:
        return self.head.startswith(b"HTTP/1.1 101 ") and self.head.endswith(b"\r\n\r\n")

    @property
    def over(self) -> bool:
        if not self.opened:
            found = re.search(rb"(?i)content-length: (\d+)", self.head)
            return found is not None and len(self.rest) >= int(found[1])
        frames = frames_in(self.rest)
        return any(opcode == CLOSE for opcode, _, _ in frames) or '"response.done"' in "".join(messages_in(self.rest))

    @property
    def label(self) -> str:
        """The status of a refusal, or the code of the close."""
        if not self.opened:
            return self.head.partition(b" ")[2][:3].decode() or "ended"
        closes = [payload for opcode, _, payload in frames_in(self.rest) if opcode == CLOSE]
        return f"101, {int.from_bytes(closes[0][:2])}" if closes else "101"

    @property
    def refused(self) -> str | None:
        """The exchange that was refused before anybody else was asked."""
        found = re.match(rb"(?s)HTTP/1.1 4.*phi-exchange: (\S+).*phi-decision: deny", self.head)
        return found[1].decode() if found else None


async def exchange(port: int, each: Mutant, *, idle: float) -> Heard:
    reader, writer = await asyncio.open_connection(HOST, port)
    heard, then = Heard(), each.then
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(each.sent)
        while not heard.over:
            async with asyncio.timeout(None if each.intact else idle):
                data = await reader.read(65536)
            if not data:
                heard.gone = True
                break
            heard.take(data)
            if then and heard.opened:
                writer.write(then)
                then = b""
        writer.write(bytes(Frame(CLOSE, b"\3\xe8", masked=True)))
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return heard
