"""Model servers that say what a test tells them, in HTTP/2 (with TLS, or for gRPC without) and on WebSockets.

Whoever answered something changed takes no other stream on that connection and closes it a little later: so that
nobody waits for the rest of an answer that has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from hpack import Encoder

from processes import HOST
from tests.live.hostile import h2, over_grpc, talks
from tests.live.hostile.frames import ACK, PING, PREFACE, SETTINGS, WINDOW, frame
from tests.live.hostile.h2 import Answer, Asked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEAVES = 0.4
"""Seconds until a connection on which something changed was said is closed."""
WINDOWS = frame(WINDOW, b"\x3f\xff\xff\xff")


@dataclass
class Peers:
    """`second`, `calls` and `talks` answer a request each; what came is kept in `asked`."""

    tls: tuple[Path, Path]
    second: Callable[[Asked], Answer] = field(init=False)
    calls: Callable[[Asked], Answer] = field(init=False)
    talks: Callable[[Asked], talks.Spoken] = field(init=False)
    asked: list[tuple[str, Asked]] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.tls)
        context.set_alpn_protocols(["h2"])
        tasks: set[asyncio.Task[Any]] = set()

        def apart(talk: Any) -> Any:
            async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = asyncio.current_task()
                assert task is not None
                tasks.add(task)
                with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.CancelledError):
                    await talk(reader, writer)
                tasks.discard(task)
                writer.close()

            return served

        calls = apart(lambda *ends: self._http2("calls", *ends))
        kinds = {
            "second": (apart(lambda *ends: self._http2("second", *ends)), context),
            "talks": (apart(self._websocket), None),
            **{f"calls{at}": (calls, None) for at in range(over_grpc.LINES)},
        }
        servers = []
        for kind, (talk, secured) in kinds.items():
            servers.append(await asyncio.start_server(talk, HOST, 0, ssl=secured))
            self.ports[kind] = servers[-1].sockets[0].getsockname()[1]
        ready.set()
        await self._over.wait()
        for server in servers:
            server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _http2(self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(SETTINGS) + WINDOWS)
        if await reader.readexactly(len(PREFACE)) != PREFACE:
            return
        heard, encoder, known = h2.Heard(), Encoder(), dict[int, Asked]()
        while data := await reader.read(65536):
            ended = heard.take(data)
            for stream in heard.heads.keys() - known:
                known[stream] = Asked(dict(heard.heads[stream][0]), bytearray())
                self.asked.append((kind, known[stream]))
            for stream, asked in known.items():
                asked.body[:] = heard.bodies.get(stream, b"")
            for about, flags, payload in heard.fresh:
                if about in {SETTINGS, PING} and not flags & ACK:
                    writer.write(frame(about, b"" if about == SETTINGS else payload, flags=ACK))
            heard.fresh.clear()
            for stream in ended:
                answer = (self.second if kind == "second" else self.calls)(known[stream])
                writer.write(answer.frames(encoder, stream))
                if answer.changed:
                    if answer.leaving:
                        writer.write(h2.GOODBYE)
                    self._loop.call_later(LEAVES, writer.close)

    async def _websocket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")[:-2]
        pairs = (line.partition(b":") for line in lines)
        fields = {name.lower(): value.strip() for name, _, value in pairs} | {b":path": first.split(b" ")[1]}
        asked = Asked(fields, bytearray())
        self.asked.append(("talks", asked))
        spoken = self.talks(asked)
        writer.write(spoken.opening(fields[b"sec-websocket-key"]) + spoken.frames)
        if spoken.changed:
            self._loop.call_later(LEAVES, writer.close)
        while data := await reader.read(65536):
            asked.body.extend(data)
