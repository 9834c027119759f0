"""Valid exchanges over HTTP/2, changed: fields, their compression, frames and their order, the JSON in them.

Half of them go on to a model server that speaks HTTP/1, half to one that speaks HTTP/2 and is changed as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import random
import ssl
from typing import TYPE_CHECKING

from hpack import Encoder

from processes import HOST
from tests.live.hostile import h2, mutants
from tests.live.hostile.exchanges import EXCHANGES, TEXT, numbered, whole
from tests.live.hostile.exchanges import told as told_in_http1
from tests.live.hostile.frames import GOAWAY, frame
from tests.live.hostile.h2 import Answer
from tests.live.hostile.mutants import Mutant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.live.hostile.exchanges import Exchange
    from tests.live.hostile.h2 import Fields

CHANCE = "mutants over http2 1"
SECOND = "second-assistant"
"""The model whose server speaks HTTP/2."""

SENT: Fields = [
    *((b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"upgrade", b"h2c"), (b"te", b"gzip")),
    *((b"te", b"trailers"), (b"content-length", b"0"), (b"content-length", b"5"), (b"expect", b"100-continue")),
    *((b"content-encoding", b"gzip"), (b"x-forwarded-for", b"10.0.0.1"), (b"x-http-method-override", b"PUT")),
    *((b"host", b"other"), (b"host", b"gateway"), (b"authorization", b"Bearer x"), (b"x-api-key", b"x")),
    *((b"cookie", b"a=b"), (b"cookie", b"c=d"), (b"phi-unmask", b"her doctor asks"), (b"phi-ask", b"approval")),
    *(
        (b"X-Upper", b"a"),
        (b"x", b"a\r\nphi-unmask: yes"),
        (b"x", b"a\0b"),
        (b"x", b" a "),
        (b"", b"a"),
        (b"x y", b"z"),
    ),
    *((b":path", b"/v1/models"), (b":status", b"200"), (b":protocol", b"websocket"), (b":authority", b"other")),
    *((b"content-type", b"text/plain"), (b"range", b"bytes=0-9"), (b"forwarded", b"for=a"), (b"trailer", b"x")),
]
TOLD: Fields = [
    *((b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"content-length", b"3"), (b"trailer", b"x")),
    *((b"content-encoding", b"gzip"), (b"content-type", b"text/html"), (b"content-type", b"text/event-stream")),
    *((b"content-type", b"application/x-ndjson"), (b"set-cookie", b"note=" + TEXT[:40]), (b"etag", TEXT[:40])),
    *((b"x-note", TEXT), (b":status", b"200"), (b":path", b"/"), (b"X-Upper", TEXT), (b"x", TEXT + b"\r\na: b")),
    *((b"x", b"\x01"), (b"grpc-status", b"0"), (b"location", b"http://elsewhere/"), (b"alt-svc", b"h3=a"), (b"", b"a")),
]
STATUSES = (
    b"204",
    b"206",
    b"304",
    b"500",
    b"101",
    b"103",
    b"302",
    b"999",
    b"0",
    b"20",
    b"",
    b"2000",
    b"abc",
    b"200 OK",
)
METHODS = (b"GET", b"PUT", b"post", b"HEAD", b"OPTIONS", b"CONNECT", b"PATCH", b"PRI", b"")


def _fields(fields: Fields, more: Fields, chance: random.Random) -> Fields:
    """One of them left out, moved, said twice or otherwise, or another one put in."""
    fields, at = list(fields), chance.randrange(len(fields))
    name, value = fields[at]
    match chance.randrange(7):
        case 0:
            del fields[at]
        case 1:
            fields.insert(chance.randrange(len(fields)), fields.pop(at))
        case 2:
            fields.insert(at, fields[at])
        case 3:
            fields[at] = mutants.bytewise(name, chance), value
        case 4:
            fields[at] = name, mutants.bytewise(value, chance)
        case _:
            fields.insert(chance.randrange(len(fields) + 1), chance.choice(more))
    return fields


def _where(fields: Fields, chance: random.Random) -> Fields:
    """Another method, scheme, path or authority."""
    told = dict(fields[:4])
    match chance.randrange(4):
        case 0:
            told[b":method"] = chance.choice(METHODS)
        case 1:
            told[b":scheme"] = chance.choice((b"http", b"ftp", b"", b"https://x"))
        case 2:
            told[b":authority"] = chance.choice((b"a@gateway", b"gateway:x", b"", b"gateway/v1", b"[::1", b"\xff"))
        case _:
            told[b":path"] += chance.choice(mutants.PATHS).encode()
    return [*told.items(), *fields[4:]]


def asked(exchange: Exchange, bearer: bytes) -> Fields:
    extra = [tuple(each.strip().lower().split(b": ")) for each in exchange.fields]
    return [
        *(
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":path", exchange.path.encode()),
            (b":authority", b"gateway"),
        ),
        *((b"authorization", b"Bearer " + bearer), (b"content-type", b"application/json"), (b"accept", b"*/*")),
        *((name, value) for name, value in extra),
    ]


def _request(
    exchange: Exchange, bodies: list[bytes], bearer: bytes, chance: random.Random, what: list[str], *, honest: bool
) -> tuple[bytes, bool]:
    """What the caller sends, a stream for each body, and whether the text of the bodies is whole in it."""
    body, *others = bodies
    encoder, fields, broken, text = Encoder(), asked(exchange, bearer), False, True
    if not honest and chance.random() < 0.35:
        what.append("the request's fields")
        fields = (_where if chance.random() < 0.4 else lambda each, by: _fields(each, SENT, by))(fields, chance)
    if not honest and chance.random() < 0.15:
        what.append("the request's compression")
        broken = True
    if chance.random() < 0.3:
        fields.append((b"content-length", b"%d" % len(body)))
    frames = [
        *h2.head(encoder, fields, 1, chance, broken=broken),
        *h2.body([(body, False)], 1, chance, cut=chance.random() < 0.3),
    ]
    for at, other in enumerate(others):
        second = h2.head(encoder, asked(exchange, bearer), 3 + 2 * at, chance)
        frames = h2.woven(frames, [*second, *h2.body([(other, False)], 3 + 2 * at, chance, cut=True)], chance)
    if not honest and (chance.random() < 0.4 or not what):
        what.append("the request's frames")
        frames, text = h2.changed(frames, chance), False
    raw = h2.OPENING + h2.written(frames)
    if not honest and chance.random() < 0.1:
        what.append("the request's bytes")
        raw, text = mutants.bytewise(raw, chance), False
    return raw, text


def _answer(exchange: Exchange, number: int, what: list[str], *, honest: bool) -> Answer:
    """An answer of this exchange in HTTP/2; what is changed of it is the same each time."""

    def frames(encoder: Encoder, stream: int) -> bytes:
        chance, told = random.Random(f"{CHANCE} {number} answer"), list[str]()
        status = b"400" if exchange.name == "an error" else b"200"
        fields = [(b":status", status), (b"content-type", exchange.media), (b"server", b"m")]
        if honest:
            parts = [(part, True) for part in exchange.parts]
            return h2.written([*h2.head(encoder, fields, stream, chance), *h2.body(parts, stream, chance)])
        pieces = mutants.parts_of(exchange, chance, told)
        if chance.random() < 0.35:
            told.append("the answer's fields")
            kind = chance.randrange(4)
            if kind == 0:
                fields[0] = b":status", chance.choice(STATUSES)
            elif kind == 1:
                pieces, fields = [gzip.compress(b"".join(pieces), mtime=0)], [*fields, (b"content-encoding", b"gzip")]
            else:
                fields = _fields(fields, TOLD, chance)
        broken = chance.random() < 0.1
        made = h2.head(encoder, fields, stream, chance, broken=broken)
        made += h2.body([(each, exchange.holds(each)) for each in pieces], stream, chance, end=chance.random() < 0.9)
        if chance.random() < 0.1:
            told.append("the answer's trailers")
            made += h2.head(encoder, [chance.choice(TOLD)], stream, chance, end=True)
        if chance.random() < 0.4 or not told:
            told.append("the answer's frames")
            made = h2.changed(made, chance)
        what.extend(told)
        return h2.written(made)

    return Answer(frames, changed=not honest, leaving=number % 3 > 0)


def answer(number: int) -> Answer:
    """An answer that is as it should be."""
    return _answer(EXCHANGES[number % len(EXCHANGES)], number, [], honest=True)


def mutant(number: int, bearer: bytes) -> Mutant:
    """The mutant of this number: of its request, its answer, or both."""
    chance, what = random.Random(f"{CHANCE} {number}"), list[str]()
    exchange, second = EXCHANGES[number % len(EXCHANGES)], chance.random() < 0.5
    kind = chance.choice(("request", "request", "answer", "answer", "both"))
    if second:
        tree = exchange.tree | {"model": SECOND}
        exchange = type(exchange)(**{**vars(exchange), "tree": tree})
    body = json.dumps(numbered(exchange, number)).encode()
    if kind != "answer":
        body = mutants.body_of(exchange, number, chance, what)
    more = [json.dumps(numbered(exchange, number)).encode()] if chance.random() < 0.2 else []
    raw, text = _request(exchange, [body, *more], bearer, chance, what, honest=kind == "answer")
    text = text and TEXT in body
    told: Answer | bytes
    if second:
        told = _answer(exchange, number, what, honest=kind == "request")
    elif kind == "request":
        told = whole(told_in_http1(exchange, exchange.parts), chunked=True)
    else:
        told = mutants.answer_of(exchange, chance, what)
    streams = frozenset({1, 3} if more else {1})
    return Mutant(number, exchange.name, raw, told, what, intact=kind == "answer", text=text, streams=streams)


def greeting() -> ssl.SSLContext:
    """The TLS of a caller who believes anybody, and speaks HTTP/2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


async def exchange(port: int, each: Mutant, *, idle: float, secured: ssl.SSLContext | None) -> h2.Heard:
    """All that comes back, until its stream is over, or nothing more comes for something changed."""
    reader, writer = await asyncio.open_connection(HOST, port, ssl=secured)
    heard = h2.Heard()
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(each.sent)
        while not (each.streams <= heard.ended | heard.resets or heard.gone):
            async with asyncio.timeout(None if each.intact else idle):
                data = await reader.read(65536)
            if not data:
                heard.gone = True
                break
            heard.take(data)
        writer.write(frame(GOAWAY, b"\0" * 8))
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    return heard


def label(heard: h2.Heard, name: bytes) -> str:
    """The status that the caller was told on its first stream, or how that ended without one."""
    told = [value for fields in heard.heads.get(1, ()) for key, value in fields if key == name and value != b"100"]
    return told[0].decode() if told else "reset" if heard.resets else "ended" if heard.gone else "left"


def refused(heads: Sequence[Fields]) -> str | None:
    """The exchange that was refused before anybody else was asked."""
    told = dict(heads[-1])
    mine = told.get(b"phi-decision") == b"deny" and told.get(b":status", b"")[:1] == b"4"
    return told.get(b"phi-exchange", b"").decode() if mine else None
