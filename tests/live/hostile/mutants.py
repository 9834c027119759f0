"""What becomes of a valid exchange: changed byte by byte, or where it hurts.

A mutant is made from a seed and its number: the same one each time. Of a request any byte may change; of an answer all
but the text with the canaries, which a model writes as it likes, and nobody breaks up.
"""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass, field
from typing import Any

from tests.live.hostile.exchanges import EXCHANGES, TEXT, Exchange, asked, numbered, told, whole
from tests.traffic import CANARY_TEXT

CHANCE = "mutants 1"
"""The seed of all of them."""


@dataclass(frozen=True)
class Mutant:
    """What the caller sends, and what the model server sends back to it."""

    number: int
    name: str
    sent: bytes
    answer: Any
    """Bytes of HTTP/1, or `h2.Answer`; of gRPC and WebSockets whether the answer is changed."""
    what: list[str] = field(compare=False, default_factory=list)
    intact: bool = True
    """Whether the request is the exchange's own."""
    text: bool = True
    """Whether the prompt's text is as it was: what a caller breaks up is another text, in which a detector may miss."""
    then: bytes = b""
    """What follows once the gateway answered."""
    streams: frozenset[int] = frozenset({1})
    """Those of HTTP/2 that are waited for."""


# -- what changes ---------------------------------------------------------------------------------------------------

BYTES = (
    *(b"\0", b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b",", b'"', b"\\", b"{", b"}", b"[", b"]", b"\xff"),
    *(b"\xe2\x80\x8b", b"0", b";"),
)


def bytewise(raw: bytes, chance: random.Random) -> bytes:
    """One byte, or a few, changed, left out, put in or doubled."""
    at, size = chance.randrange(len(raw) + 1), chance.choice((0, 1, 1, 2, 5, 40))
    piece = raw[at : at + size]
    come = chance.choice((bytes([chance.randrange(256)]), chance.choice(BYTES), piece * 2, b"", piece[::-1]))
    return raw[:at] + come + raw[at + size :]


SENT = (
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n", b"Content-Length: 5, 5\r\n"),
    *(b"Expect: 100-continue\r\n",),
    *(b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",),
    *(b"Content-Encoding: gzip\r\n", b"X-Forwarded-For: 10.0.0.1\r\n", b"X-HTTP-Method-Override: PUT\r\n"),
    *(b"Range: bytes=0-9\r\n", b"If-None-Match: *\r\n", b"Accept-Encoding: gzip, br\r\n"),
    *(b"Content-Type: text/plain\r\n", b"Content-Type: application/json; charset=utf-16\r\n"),
    *(b"Authorization: Bearer x\r\n", b"x-api-key: x\r\n", b"Host: other\r\n", b" folded\r\n"),
    *(b"Connection: close\r\n", b"phi-unmask: her doctor asks\r\n", b"phi-session: s-1\r\n"),
    *(b"phi-ask: approval\r\n", b"TE: trailers\r\nTrailer: X\r\n", b"Content-Length : 4\r\n", b"X: \x01\r\n"),
    *(b"Cookie: a=b\r\n", b"Connection: authorization\r\n", b"Forwarded: for=a\r\n"),
)
TOLD = (
    *(b"Content-Encoding: gzip\r\n", b"Content-Encoding: br\r\n", b"Transfer-Encoding: gzip, chunked\r\n"),
    *(b"Content-Length: 3\r\n", b"Content-Type: text/plain\r\n", b"Content-Type: text/event-stream\r\n"),
    *(b"Content-Type: application/x-ndjson\r\n", b"Content-Type: text/html\r\n"),
    *(b"Content-Type: application/json; charset=utf-16\r\n", b"Content-Range: bytes 0-9/10\r\n"),
    *(b"Location: http://elsewhere/\r\n", b"Set-Cookie: note=%b\r\n" % TEXT[:40], b"ETag: %b\r\n" % TEXT[:40]),
    *(b"Trailer: X\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b"Alt-Svc: h3=a\r\n"),
    *(b"X-Note: %b\r\n" % TEXT, b" folded\r\n", b"X: \x01\r\n"),
)
LINES = (
    *(b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 206 Partial Content\r\n", b"HTTP/1.1 304 Not Modified\r\n"),
    *(b"HTTP/1.1 500 x\r\n", b"HTTP/1.1 101 Switching Protocols\r\n", b"HTTP/1.1 200 %b\r\n" % TEXT),
    *(b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n"),
    *(b"HTTP/1.1 302 Found\r\n", b"HTTP/1.1 999 x\r\n", b"HTTP/2 200\r\n"),
)
PATHS = ("/", "?a=b", "%20", "/..", "//", ";x", "#x", "/../v1/chat/completions", "?stream=true", "\\", "%2e%2e", "é")
MEMBERS: tuple[tuple[str, Any], ...] = (
    *(
        ("stream", True),
        ("stream", False),
        ("stream", None),
        ("stream", "true"),
        ("n", 2),
        ("logprobs", True),
        ("echo", True),
    ),
    *(
        ("tools", []),
        ("store", True),
        ("model", "other"),
        ("model", None),
        ("images", ["aGk="]),
        ("raw", True),
        ("format", "json"),
    ),
    *(
        ("stop", "x"),
        ("user", "Ada Quist"),
        ("audio", {"voice": "a"}),
        ("prompt", [1, 2]),
        ("previous_response_id", "r"),
    ),
    *(
        ("__proto__", {"x": 1}),
        ("deep", [[[[[[[[]]]]]]]]),
        ("big", 10**30),
        ("tiny", 1e-300),
        ("keep_alive", -1),
        ("x", "\0"),
    ),
)
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e300, 2**63, "", "x", [], {}, [None], {"a": "b"}),
    *("\u202e", "\0", "data: x\n\n"),
)


def _places(node: Any, keep: str) -> list[tuple[Any, Any]]:
    """Every member and item of a tree below which nothing is kept."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    found = []
    for key, value in list(items):
        found += _places(value, keep)
        if not keep or keep not in json.dumps(value):
            found.append((node, key))
    return found


def replanted(tree: Any, chance: random.Random, keep: str = "") -> Any:
    """A tree with one place changed: another value, gone, renamed, wrapped, or a member more."""
    tree = json.loads(json.dumps(tree))
    places = _places(tree, keep)
    kind = chance.choice(("value", "gone", "name", "wrap", "more", "more"))
    objects = [node for node, _ in places if isinstance(node, dict)] or [tree]
    if kind == "more" or not places:
        name, value = chance.choice(MEMBERS)
        node = chance.choice(objects)
        if isinstance(node, dict) and (name not in node or not keep or keep not in json.dumps(node[name])):
            node[name] = value
        return tree
    node, key = chance.choice(places)
    if kind == "value":
        node[key] = chance.choice(ODD)
    elif kind == "gone":
        del node[key]
    elif kind == "wrap":
        node[key] = chance.choice(([node[key]], {"text": node[key]}, json.dumps(node[key])))
    elif isinstance(node, dict):
        node[f"{key}{chance.choice(('_', 'X', ' ', '2'))}"] = node.pop(key)
    return tree


def written(tree: Any, chance: random.Random) -> bytes:
    """A tree as JSON, in one of the ways in which clients and servers write it, or in none."""
    kind = chance.randrange(12)
    text = json.dumps(tree, ensure_ascii=kind % 2 == 0, separators=(" ,\n\t", "\r: ") if kind == 0 else None)
    if kind == 1 and text.startswith("{") and len(text) > 2:
        text = text[:-1] + ", " + text[1:]  # every member twice
    elif kind == 2:
        text = text.replace("e", "\\u0065", 1)
    elif kind == 3:
        text += chance.choice((" ", "\n", "{}", "\0", ",", "//"))
    elif kind == 4:
        text = "\ufeff" + text
    return text.encode("utf-8", "surrogatepass")


def _head(line: bytes, fields: list[bytes], chance: random.Random) -> bytes:
    """Change a field, or the line that is given back."""
    kind = chance.randrange(6)
    at = chance.randrange(len(fields))
    if kind == 0:
        fields.insert(at, chance.choice(fields))
    elif kind == 1:
        del fields[at]
    elif kind in {2, 3}:
        fields.insert(at, chance.choice(SENT))
    elif kind == 4:
        line = line.replace(b" HTTP", chance.choice(PATHS).encode() + b" HTTP")
    else:
        line = line.replace(
            b"POST", chance.choice((b"GET", b"PUT", b"post", b"HEAD", b"OPTIONS", b"CONNECT", b"PATCH"))
        )
    return line


def body_of(exchange: Exchange, number: int, chance: random.Random, what: list[str]) -> bytes:
    """What is asked; half of the time changed."""
    tree = numbered(exchange, number)
    if chance.random() < 0.5:
        what.append("the request's tree")
        return written(replanted(tree, chance), chance)
    return json.dumps(tree).encode()


def request_of(exchange: Exchange, number: int, chance: random.Random, what: list[str]) -> bytes:
    """A request of this exchange, changed once or more."""
    line, fields, body = asked(exchange, body_of(exchange, number, chance, what))
    if chance.random() < 0.35:
        what.append("the request's head")
        line = _head(line, fields, chance)
    if chance.random() < 0.2:
        what.append("the request's chunks")
        fields[-1] = b"Transfer-Encoding: chunked\r\n"
        step = chance.choice((1000, 100, 17))
        parts = [body[at : at + step] for at in range(0, len(body), step)]
        end = chance.choice(
            (b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0;x\r\n\r\n", b"00\r\n\r\n", b"0\r\n", b"-1\r\n\r\n")
        )
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end
    raw = line + b"".join(fields) + b"\r\n" + body
    if chance.random() < 0.3 or not what:
        what.append("the request's bytes")
        raw = bytewise(raw, chance)
    if chance.random() < 0.05:
        what.append("a request behind it")
        raw += chance.choice((raw, b"GET /v1/models HTTP/1.1\r\nHost: g\r\n\r\n", b"\r\n", b"X"))
    return raw


def _events(parts: list[bytes], chance: random.Random, exchange: Exchange) -> list[bytes]:
    """Events put in, left out or told twice, or ended otherwise; those that hold a text stay as they are."""
    at = chance.randrange(len(parts))
    kind = chance.randrange(5)
    if kind == 0:
        parts.insert(
            at,
            chance.choice((b": a comment\n\n", b"\n", b"retry: 1\n\n", b"event: x\n\n", b"data:\n\n", b"id: 1\n\n")),
        )
    elif kind == 1 and not exchange.holds(parts[at]):
        del parts[at]
    elif kind == 2 and not exchange.holds(parts[at]):
        parts.insert(chance.randrange(len(parts)), parts[at])
    elif kind == 3:
        parts = [b"".join(parts)]
    else:
        parts = [part.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n"))) for part in parts]
    return parts


def parts_of(exchange: Exchange, chance: random.Random, what: list[str]) -> list[bytes]:
    """What is answered, part by part; most of the time changed."""
    parts = list(exchange.parts)
    if chance.random() < 0.5:
        what.append("the answer's tree")
        at = chance.randrange(len(parts))
        parts[at] = _event(parts[at], chance, exchange)
    if len(parts) > 1 and chance.random() < 0.3:
        what.append("the answer's events")
        parts = _events(parts, chance, exchange)
    return parts


def answer_of(exchange: Exchange, chance: random.Random, what: list[str]) -> bytes:
    """An answer of this exchange, changed once or more; never the text, or a piece of it."""
    line, fields, parts = told(exchange, parts_of(exchange, chance, what))
    chunked = chance.random() < 0.5
    if chance.random() < 0.35:
        what.append("the answer's head")
        kind = chance.randrange(5)
        if kind == 0:
            line = chance.choice(LINES)
        elif kind == 1:
            del fields[0]
        elif kind == 2:
            fields[0] = chance.choice(TOLD)
        elif kind == 3:
            fields.insert(chance.randrange(3), chance.choice(TOLD))
        else:
            parts, fields = [gzip.compress(b"".join(parts), mtime=0)], [*fields, b"Content-Encoding: gzip\r\n"]
    raw = whole((line, fields, parts), chunked=chunked)
    if chance.random() < 0.4 or not what:
        what.append("the answer's bytes")
        raw = _around(raw, chance, exchange)
    return raw


def _event(part: bytes, chance: random.Random, exchange: Exchange) -> bytes:
    before, brace, rest = part.partition(b"{")
    body, after = (brace + rest).rstrip(b"\n"), part[len(part.rstrip(b"\n")) :]
    if not brace:
        return part
    tree = json.loads(body)
    held = (CANARY_TEXT, *(piece.decode() for piece in exchange.pieces if b'"%b"' % piece in part))
    keep = (
        next((text for text in held if text in json.dumps(tree, ensure_ascii=False)), "")
        if exchange.holds(part)
        else ""
    )
    return before + written(replanted(tree, chance, keep), chance).replace(b"\n\t", b" ").replace(b"\r:", b" :") + after


def _around(raw: bytes, chance: random.Random, exchange: Exchange) -> bytes:
    """Changed bytes anywhere but in a text: before the first piece of it, or behind the last."""
    first, last = (
        raw.find(exchange.pieces[0]),
        max(raw.rfind(piece) + len(piece) for piece in (exchange.pieces[-1], TEXT)),
    )
    if first < 0 or last <= len(TEXT):  # compressed
        return bytewise(raw, chance)
    if chance.random() < 0.6:
        return bytewise(raw[:first], chance) + raw[first:]
    return raw[:last] + bytewise(raw[last:], chance)


def mutant(number: int, seed: str = CHANCE) -> Mutant:
    """The mutant of this number: of its request, its answer, or both."""
    chance = random.Random(f"{seed} {number}")
    exchange = EXCHANGES[number % len(EXCHANGES)]
    kind, what = chance.choice(("request", "request", "answer", "answer", "answer", "both")), list[str]()
    line, fields, body = asked(exchange, json.dumps(numbered(exchange, number)).encode())
    sent, answer = line + b"".join(fields) + b"\r\n" + body, whole(told(exchange, exchange.parts), chunked=True)
    if kind != "answer":
        sent = request_of(exchange, number, chance, what)
    if kind != "request":
        answer = answer_of(exchange, chance, what)
    return Mutant(number, exchange.name, sent, answer, what, intact=kind == "answer", text=TEXT in sent)
