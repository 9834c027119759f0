"""Somebody who is told things by webhooks: keeps what came, and answers as a test likes."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


@dataclass(frozen=True)
class Got:
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def said(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """On a loopback port of its own, which stays the same while it is stopped and started."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.silent = threading.Event()
        """While it is set, what comes is kept and not answered."""
        self.at_once = self.most = 0
        """How many requests it has at the moment, and has had at most."""
        self.port = 0
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        outer = self

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with outer._lock:
                    outer.at_once += 1
                    outer.most = max(outer.most, outer.at_once)
                    named = {name.lower(): value for name, value in self.headers.items()}
                    outer.got.append(Got(self.path, named, body, time.time()))
                while outer.silent.is_set():
                    time.sleep(0.01)
                with outer._lock:
                    outer.at_once -= 1
                try:
                    self.send_response(outer.status)
                    for name, value in outer.headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")
                except OSError:
                    pass  # whoever told it is gone

            def log_message(self, *_said: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads, block_on_close = True, False

        self._server = Server(("127.0.0.1", self.port), Take)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Listen no more; safe to call twice."""
        self.silent.clear()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def wait(self, condition: Callable[[list[Got]], object], seconds: float = 10.0) -> list[Got]:
        """What came, once that is so; AssertionError where it is not in time."""
        end = time.monotonic() + seconds
        while not condition(self.got):
            assert time.monotonic() < end, f"waited in vain; {len(self.got)} came"
            time.sleep(0.01)
        return list(self.got)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
