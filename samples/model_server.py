"""A sample model server that speaks the OpenAI API about invented patients, and misbehaves when a test tells it to.

    with ModelServer() as server:
        server.url                                    # http://127.0.0.1:PORT, a free port
        server.requests                               # what reached it, byte for byte
        server.script = Answer(b"{}", status=500)     # to every request from now on
        server.script = [Raw([b"garbage"]), None]     # one each, None being the usual answer; the usual ones after that
        server.script = lambda request: None          # or as the function says

It runs in a thread of its own. As a command: `python samples/model_server.py --port 8000 --delay 0.03`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final, Self

import speech
from http1 import CUT, EVENTS, HEAD_LIMIT, Answer, Closed, Part, Raw, Request, read_request, write_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

__all__ = ["CUT", "EVENTS", "MODELS", "Answer", "ModelServer", "Part", "Raw", "Request"]

MODELS: Final = ("ward-assistant", "ward-embedder")

type Scripted = Answer | Raw | None
type Script = Scripted | Sequence[Scripted] | Callable[[Request], Scripted]


class ModelServer:
    """The server; `connections`, `received` and `requests` tell what reached it, even what was no request."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        models: tuple[str, ...] = MODELS,
        delay: float = 0.0,
    ) -> None:
        """`delay` is seconds between two pieces of a stream; port 0 takes a free one."""
        self.host = host
        self.port = port
        self.model = speech.Model(models, delay)
        self.script: Script = None
        self.requests: list[Request] = []
        self.connections = 0
        self._streams: list[bytearray] = []
        self._ready = threading.Event()
        self._fault: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def received(self) -> bytes:
        """Every byte of every connection, in the order in which the connections were made."""
        return b"".join(bytes(stream) for stream in self._streams)

    def forget(self) -> None:
        """Start counting anew, and answer as usual again."""
        self.script = None
        self.requests.clear()
        self.connections = 0
        self._streams.clear()

    def wait_for(self, count: int, seconds: float = 10.0) -> None:
        """Return once so many requests have come; raises TimeoutError."""
        end = time.monotonic() + seconds
        while len(self.requests) < count:
            if time.monotonic() > end:
                raise TimeoutError(f"{len(self.requests)} of {count} requests came")
            time.sleep(0.005)

    def start(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._fault is not None:
            self._thread.join()
            raise self._fault
        return self

    def stop(self) -> None:
        """Close the port and every connection; safe to call twice."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        talks: set[asyncio.Task[None]] = set()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                talks.add(task)
                task.add_done_callback(talks.discard)
            with contextlib.suppress(Closed, ConnectionError, ValueError, asyncio.CancelledError):
                await self._talk(reader, writer)
            writer.close()

        try:
            server = await asyncio.start_server(talk, self.host, self.port, limit=HEAD_LIMIT)
        except OSError as fault:
            self._fault = fault
            self._ready.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(talks):
            task.cancel()
        if talks:
            await asyncio.wait(talks)
        await asyncio.sleep(0)  # the transports close in the loop's next turn

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen = bytearray()
        self.connections += 1
        self._streams.append(seen)
        again = True
        while again:
            request = await read_request(reader, seen)
            self.requests.append(request)
            again = await write_answer(writer, self._answer(request))

    def _answer(self, request: Request) -> Answer | Raw:
        return self._scripted(request) or speech.respond(request, self.model)

    def _scripted(self, request: Request) -> Scripted:
        script = self.script
        if script is None or isinstance(script, Answer | Raw):
            return script
        if callable(script):
            return script(request)
        self.script = script[1:]
        return script[0] if script else None


def main() -> None:
    options = argparse.ArgumentParser(description="A sample model server about invented patients.")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8000)
    options.add_argument("--delay", type=float, default=0.03, help="seconds between two pieces of a stream")
    options.add_argument("--model", action="append", help="a name to serve; may be repeated")
    chosen = options.parse_args()
    models = tuple(chosen.model) if chosen.model else MODELS
    with ModelServer(host=chosen.host, port=chosen.port, models=models, delay=chosen.delay) as server:
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
