"""The scripted model server: on each path it answers what was armed for it, in exactly the pieces it was told.

It is written by hand so that nothing between the script and the socket joins or cuts pieces: each piece is one HTTP
chunk (RFC 9112, 7.1) and one write, with Nagle's delay off.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

HOST: Final = "127.0.0.1"
_HEAD: Final = 1 << 18
NOTHING: Final = b'{"error":{"message":"nothing is served here","type":"not_found_error","code":404}}'


@dataclass(slots=True)
class Armed:
    """An answer that waits for its request; `asked` counts who came for it."""

    status: int
    headers: Mapping[str, str]
    pieces: Sequence[bytes]
    chunked: bool = True
    pause: float = 0.0
    asked: int = field(default=0)

    def head(self) -> bytes:
        phrase = HTTPStatus(self.status).phrase
        framing = "transfer-encoding: chunked" if self.chunked else f"content-length: {sum(map(len, self.pieces))}"
        lines = [f"HTTP/1.1 {self.status} {phrase}", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join([*lines, framing, "", ""]).encode("latin-1")


class Upstream:
    """A server on the loopback; use as an asynchronous context."""

    def __init__(self, port: int = 0) -> None:
        """Port 0 takes a free one."""
        self.port = port
        self._armed: dict[str, Armed] = {}
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    def arm(self, path: str, answer: Armed) -> None:
        """Answer the next requests on this path so."""
        self._armed[path] = answer

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._enter, HOST, self.port, limit=_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        broken = (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError)
        with contextlib.suppress(*broken):
            while True:
                await self._send(writer, self._armed.get(await _request(reader)))
        writer.close()

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, armed: Armed | None) -> None:
        answer = armed or Armed(404, {"content-type": "application/json"}, (NOTHING,), chunked=False)
        answer.asked += 1
        writer.write(answer.head())
        for at, piece in enumerate(answer.pieces):
            if at:
                await asyncio.sleep(answer.pause)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked else piece)
            await writer.drain()
        if answer.chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()


async def _request(reader: asyncio.StreamReader) -> str:
    """The path of the next request, its body read and thrown away."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "chunked" in fields.get("transfer-encoding", "").lower():
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    await reader.readexactly(int(fields.get("content-length", "0")))
    target = first.split(" ")[1]
    return "/" + target.partition("://")[2].partition("/")[2] if "://" in target else target
