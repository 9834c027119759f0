"""An audit repository on loopback: a real HTTP server that takes ITI-20 and keeps what is a valid AuditEvent."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson
from fhir.resources.R4B.bundle import Bundle

from tests.audit.export import fhir_rules

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


class Kept:
    """What it was sent; `answers` come first, one a request: a status, or None to hang up without an answer."""

    def __init__(self) -> None:
        self.url = ""
        self.events: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.sizes: list[int] = []
        self.answers: list[int | None] = []
        self.lost: list[None] = []
        """As many answers as these are kept back after the events were stored."""
        self.entry_answers: dict[str, list[int]] = {}
        """By id of an event: what its entry is answered first."""
        self.location = ""
        self.seen: Counter[str] = Counter()
        self.raw: bytes | None = None
        """What a batch is answered, instead."""

    def take(self, resource: dict[str, Any], condition: str) -> int:
        fhir_rules.check(resource)
        tag = resource["meta"]["tag"][0]
        assert unquote(condition) == f"_tag={tag['system']}|{tag['code']}"
        self.seen[resource["id"]] += 1
        if waiting := self.entry_answers.get(resource["id"]):
            return waiting.pop(0)
        if tag["code"] in self.events:
            return 200
        self.events[tag["code"]] = resource
        return 201


@contextmanager
def repository(context: ssl.SSLContext | None = None) -> Iterator[Kept]:
    kept = Kept()

    class Endpoint(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            kept.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            if kept.answers:
                status = kept.answers.pop(0)
                if status is None:
                    self.close_connection = True
                    return
                self._answer(status, b"{}")
                return
            if self.path == "/fhir/AuditEvent":
                kept.sizes.append(1)
                self._answer(kept.take(orjson.loads(body), self.headers["if-none-exist"]), b"")
            else:
                assert self.path == "/fhir"
                self._batch(orjson.loads(body))

        def _batch(self, sent: dict[str, Any]) -> None:
            Bundle.model_validate(sent)
            assert sent["type"] == "batch"
            kept.sizes.append(len(sent["entry"]))
            statuses = []
            for entry in sent["entry"]:
                asked = entry["request"]
                assert (asked["method"], asked["url"]) == ("POST", "AuditEvent")
                statuses.append(kept.take(entry["resource"], asked["ifNoneExist"]))
            if kept.lost:
                kept.lost.pop()
                self.close_connection = True
                return
            entries = [{"response": {"status": f"{status} said"}} for status in statuses]
            answer = {"resourceType": "Bundle", "type": "batch-response", "entry": entries}
            self._answer(200, orjson.dumps(answer) if kept.raw is None else kept.raw)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if kept.location:
                self.send_header("location", kept.location)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    kept.url = f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_port}/fhir"
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
