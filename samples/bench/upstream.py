"""A model server that does nothing but answer, fast: canned bytes, picked by the first word of the prompt.

Its own process: `python -m bench.upstream` prints its port and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from bench.cases import CASES, Case

WANTED: Final = {re.compile(rb'"content"\s*:\s*"%b ' % case.name.encode()): case for case in CASES}
LENGTH: Final = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


class Upstream(asyncio.Protocol):
    """One connection; a request is whole when its content-length is there."""

    def __init__(self) -> None:
        self.buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = LENGTH.search(self.buffer, 0, end + 2)
        if len(self.buffer) < end + 4 + (int(length[1]) if length else 0):
            return
        body, self.buffer = self.buffer[end:], b""
        self.answer(next(case for wanted, case in WANTED.items() if wanted.search(body)))

    def answer(self, case: Case) -> None:
        if not case.pause:
            self.transport.write(case.head + b"".join(case.parts))
            return
        self.transport.write(case.head)
        self.drip(case, 0)

    def drip(self, case: Case, at: int) -> None:
        if at < len(case.parts) and not self.transport.is_closing():
            self.transport.write(case.parts[at])
            asyncio.get_running_loop().call_later(case.pause, self.drip, case, at + 1)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
