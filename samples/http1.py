"""As much of HTTP/1.1 (RFC 9112) as a sample server needs, on asyncio streams, and as little politeness as a test asks.

A request is kept byte for byte as it came. An answer may be scripted down to its raw bytes, pauses and where it breaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEAD_LIMIT: Final = 1 << 20
LONGEST_WAIT: Final = 60.0
JSON: Final = {"content-type": "application/json"}
EVENTS: Final = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}


class Cut:
    """The connection breaks off here, without a goodbye."""


CUT: Final = Cut()

type Part = bytes | float | threading.Event | Cut
"""Bytes to send, seconds to wait, an event to wait for, or the end."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; header names are lower-case, `raw` is everything as it stood on the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes

    def header(self, name: str) -> str | None:
        """Return the first field of that name."""
        return next((value for field, value in self.headers if field == name.lower()), None)

    def json(self) -> Any:
        """Return the body read as JSON; ValueError when it is none."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """A well-formed answer: bytes go out with their length, parts as one HTTP chunk each (a list serves many times)."""

    body: bytes | Iterable[Part] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)

    @classmethod
    def json(cls, tree: Any, status: int = 200) -> Self:
        return cls(json.dumps(tree, ensure_ascii=False).encode(), status)

    @classmethod
    def events(cls, parts: Iterable[Part]) -> Self:
        return cls(parts, headers=EVENTS)


@dataclass(frozen=True, slots=True)
class Raw:
    """Whatever bytes a test likes, from the status line on; the connection is closed after them."""

    parts: Iterable[Part]


class Closed(Exception):  # noqa: N818 - an end, not an error
    """The peer is gone, or sent what is no request."""


async def read_request(reader: asyncio.StreamReader, seen: bytearray) -> Request:
    """Read one request, adding every byte of it, whole or not, to `seen`; raises Closed where the connection ends."""
    start = len(seen)

    async def take(wait: Any) -> bytes:
        try:
            data: bytes = await wait
        except asyncio.IncompleteReadError as short:
            seen.extend(short.partial)
            raise Closed from short
        except (asyncio.LimitOverrunError, ConnectionError) as broken:
            raise Closed from broken
        seen.extend(data)
        return data

    head = (await take(reader.readuntil(b"\r\n\r\n"))).decode("latin-1")
    first, *lines = head.split("\r\n")[:-2]
    method, _, rest = first.partition(" ")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    fields = dict(headers)
    body = b""
    if "chunked" in fields.get("transfer-encoding", "").lower():
        while size := int((await take(reader.readuntil(b"\r\n"))).split(b";")[0], 16):
            body += (await take(reader.readexactly(size + 2)))[:-2]
        await take(reader.readuntil(b"\r\n"))
    elif length := int(fields.get("content-length", "0")):
        body = await take(reader.readexactly(length))
    return Request(method, rest.rpartition(" ")[0], headers, body, bytes(seen[start:]))


async def write_answer(writer: asyncio.StreamWriter, answer: Answer | Raw) -> bool:
    """Send the answer; tells whether the connection may carry another one."""
    if isinstance(answer, Raw):
        await write_parts(writer, answer.parts)
        return False
    body = answer.body
    framing = f"content-length: {len(body)}" if isinstance(body, bytes) else "transfer-encoding: chunked"
    lines = [status_line(answer.status), *(f"{name}: {value}" for name, value in answer.headers.items()), framing]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if isinstance(body, bytes):
        return await write_parts(writer, [head + body])
    return await write_parts(writer, [head]) and await write_parts(writer, body, chunked=True)


def status_line(status: int) -> str:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus else ""
    return f"HTTP/1.1 {status} {phrase}"


async def write_parts(writer: asyncio.StreamWriter, parts: Iterable[Part], *, chunked: bool = False) -> bool:
    for part in parts:
        match part:
            case Cut():
                writer.transport.abort()
                return False
            case threading.Event():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LONGEST_WAIT):
                        while not part.is_set():  # noqa: ASYNC110 - the event is set by another thread
                            await asyncio.sleep(0.005)
            case b"" if chunked:  # an empty chunk would be the last one
                pass
            case bytes():
                writer.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                await writer.drain()
            case _:
                await asyncio.sleep(part)
    if chunked:
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    return True
