"""Model server and clients of the streams' benchmark: tokens at a steady pace, and how late each of them arrives.

Its own process: `python -m bench.streaming` prints the server's port, reads one order a line (JSON) and writes one
result a line. Every event carries the moment at which it was sent, on the clock of this machine; what the proxy passes
on carries the moment of the event that let it go, so that text which waits for more text is not counted as late (but
for the rest that a stream's end lets go: it carries the moment of the text before).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Final

from bench.cases import PADDING, text_of
from bench.load import percentile

WORDS: Final = re.findall(r"\s?\w{1,5}|\s?[^\w\s]|\s", PADDING + text_of(4000))
CREATED: Final = re.compile(rb'"created":\s*([0-9.e+]+)')
STARTED: Final = re.compile(rb'"id":\s*"c-([0-9.]+)"')
TEXT: Final = re.compile(rb'"content":\s*"[^"]')
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH: Final = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StreamOrder:
    """How many streams at once through which port, each of so many tokens, `pause` seconds apart."""

    port: int
    bearer: str
    streams: int
    tokens: int
    pause: float


@dataclass(frozen=True, slots=True)
class StreamResult:
    """Seconds: from the first event sent to the first text received, and how late each event came."""

    events: int
    faults: int
    first_p50: float
    first_p99: float
    late_p50: float
    late_p95: float
    late_p99: float


@dataclass(slots=True)
class Seen:
    """What the clients saw."""

    firsts: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    faults: int = 0


class Server(asyncio.Protocol):
    """Answers each request with a stream; the prompt says how long it is and how fast."""

    def __init__(self) -> None:
        self.buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        length = LENGTH.search(self.buffer, 0, max(end, 0) + 2)
        if end < 0 or length is None or len(self.buffer) < end + 4 + int(length[1]):
            return
        said = json.loads(self.buffer[end + 4 :])["messages"][0]["content"].split()
        self.buffer = b""
        self.transport.write(HEAD)
        self.drip(0, int(said[1]), float(said[2]), asyncio.get_running_loop().time())

    def drip(self, at: int, tokens: int, pause: float, start: float) -> None:
        if self.transport.is_closing():
            return
        if at > tokens:
            self.transport.write(_chunk(b"[DONE]") + b"0\r\n\r\n")
            return
        delta = {"content": WORDS[at % len(WORDS)]} if at < tokens else {}
        choice = {"index": 0, "delta": delta, "finish_reason": None if at < tokens else "stop"}
        event = {
            "id": f"c-{start:.6f}",
            "object": "chat.completion.chunk",
            "created": time.monotonic(),
            "choices": [choice],
        }
        self.transport.write(_chunk(json.dumps(event).encode()))
        loop = asyncio.get_running_loop()
        loop.call_at(start + (at + 1) * pause, self.drip, at + 1, tokens, pause, start)


def _chunk(data: bytes) -> bytes:
    event = b"data: " + data + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


class Reader(asyncio.Protocol):
    """One stream: when each event came, beside when it was sent."""

    def __init__(self, order: StreamOrder, seen: Seen) -> None:
        self.order, self.seen = order, seen
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.buffer, self.told, self.ended = b"", False, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        words = f"tokens {self.order.tokens} {self.order.pause}"
        body = json.dumps(
            {"model": "ward-assistant", "messages": [{"role": "user", "content": words}], "stream": True}
        ).encode()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.order.bearer}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        transport.write(head.encode() + body)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self.buffer += data
        *lines, self.buffer = self.buffer.split(b"\n")
        for line in lines:
            if line.startswith(b"HTTP/1.1 ") and b" 200 " not in line:
                self.seen.faults += 1
            created = CREATED.search(line)
            if created is None:
                self.ended = self.ended or b"[DONE]" in line
                continue
            self.seen.late.append(now - float(created[1]))
            started = STARTED.search(line)
            if not self.told and started and TEXT.search(line):
                self.told = True
                self.seen.firsts.append(now - float(started[1]))
        if self.ended:
            self.transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.ended:
            self.seen.faults += 1
        self.over.set_result(None)


async def take(order: StreamOrder) -> StreamResult:
    """Let all streams run once, begun evenly over one pause."""
    loop, seen = asyncio.get_running_loop(), Seen()
    readers = []
    for _ in range(order.streams):
        _, reader = await loop.create_connection(lambda: Reader(order, seen), "127.0.0.1", order.port)
        readers.append(reader)
        await asyncio.sleep(order.pause / order.streams)
    await asyncio.wait([reader.over for reader in readers], timeout=3 * order.tokens * order.pause + 30)
    for reader in readers:
        reader.transport.abort()
    firsts, late = seen.firsts, seen.late
    return StreamResult(
        *(len(late), seen.faults, percentile(firsts, 50), percentile(firsts, 99)),
        *(percentile(late, 50), percentile(late, 95), percentile(late, 99)),
    )


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(asdict(await take(StreamOrder(**json.loads(line))))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
