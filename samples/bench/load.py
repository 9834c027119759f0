"""The client of a benchmark: keep-alive connections that each send a request as soon as its last answer is whole.

Its own process: `python -m bench.load` reads one order a line (JSON) and writes one result a line, times in seconds.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

LENGTH: Final = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
FIRST_TEXT: Final = re.compile(rb'"content"\s*:\s*"[^"]')
LAST_CHUNK: Final = b"\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Order:
    """What to send where, over how many connections, for how many seconds; only the time after `warm` counts."""

    port: int
    request: bytes
    connections: int
    seconds: float
    warm: float
    streamed: bool


@dataclass(slots=True)
class Tally:
    """What came back between the two moments that count."""

    start: float
    end: float
    wholes: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    faults: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """Times are seconds from the request's last byte out; `first` is to the first text of a stream."""

    done: int
    faults: int
    seconds: float
    p50: float
    p99: float
    first_p50: float
    first_p99: float


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, order: Order, tally: Tally) -> None:
        self.order, self.tally = order, tally
        self.transport: asyncio.Transport
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.buffer, self.body, self.length, self.first = b"", -1, -1, 0.0
        self.sent = time.perf_counter()
        self.transport.write(self.order.request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self.buffer += data
        if self.body < 0:
            self.read_head()
        if self.body < 0:
            return
        if self.order.streamed and not self.first and FIRST_TEXT.search(self.buffer, self.body):
            self.first = now
        if self.whole():
            self.note(now)
            if now < self.tally.end:
                self.send()
            else:
                self.transport.close()

    def read_head(self) -> None:
        end = self.buffer.find(b"\r\n\r\n")
        if end >= 0:
            self.body = end + 4
            length = LENGTH.search(self.buffer, 0, end + 2)
            self.length = int(length[1]) if length else -1

    def whole(self) -> bool:
        if self.length >= 0:
            return len(self.buffer) - self.body >= self.length
        return self.buffer.endswith(LAST_CHUNK)

    def note(self, now: float) -> None:
        if not self.buffer.startswith(b"HTTP/1.1 200 "):
            self.tally.faults += 1
        elif self.sent >= self.tally.start and now <= self.tally.end:
            self.tally.wholes.append(now - self.sent)
            if self.first:
                self.tally.firsts.append(self.first - self.sent)

    def connection_lost(self, _exc: Exception | None) -> None:
        if time.perf_counter() < self.tally.end:
            self.tally.faults += 1
        self.closed.set_result(None)


def percentile(values: list[float], which: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[which - 1]


async def run(order: Order) -> Result:
    start = time.perf_counter() + order.warm
    tally = Tally(start, start + order.seconds)
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Client(order, tally), "127.0.0.1", order.port))[1]
        for _ in range(order.connections)
    ]
    await asyncio.wait([client.closed for client in clients], timeout=order.warm + order.seconds + 10)
    for client in clients:
        client.transport.abort()
    return Result(
        done=len(tally.wholes),
        faults=tally.faults,
        seconds=order.seconds,
        p50=percentile(tally.wholes, 50),
        p99=percentile(tally.wholes, 99),
        first_p50=percentile(tally.firsts, 50),
        first_p99=percentile(tally.firsts, 99),
    )


def written(order: Order) -> str:
    """Return the order as the line that this process reads."""
    return json.dumps({**asdict(order), "request": base64.b64encode(order.request).decode()})


def read(line: str) -> Order:
    tree: dict[str, Any] = json.loads(line)
    return Order(**{**tree, "request": base64.b64decode(tree["request"])})


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(asdict(asyncio.run(run(read(line))))), flush=True)


if __name__ == "__main__":
    main()
