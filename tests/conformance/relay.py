"""Gateways of a few lines, on real sockets: one that passes everything on, others that hide, refuse, hang or cache."""

import asyncio
import contextlib
import gzip

from phigate.conformance import probe

HOST = "127.0.0.1"


class Relay:
    """In front of a model server: reads its whole answer, and sends what `make(head, body)` returns.

    `saw` is given each request.
    """

    def __init__(self, upstream_port, make=lambda head, body: head + body, saw=lambda request: None):
        self._upstream_port, self._make, self._saw = upstream_port, make, saw

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._talk, HOST, 0)
        self.url = f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self._server.close_clients()
        await self._server.wait_closed()

    async def _talk(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            upstream, onward = await asyncio.open_connection(HOST, self._upstream_port)
            request = head + await reader.readexactly(length_of(head))
            self._saw(request)
            onward.write(request)
            answer = await upstream.readuntil(b"\r\n\r\n")
            chunks = b"".join([chunk async for chunk in chunked(upstream)]) if b"chunked" in answer else None
            body = await upstream.readexactly(length_of(answer)) if chunks is None else chunks
            onward.close()
            if made := self._make(whole(answer, len(body)), body):
                writer.write(made)
                await writer.drain()
            else:
                await asyncio.sleep(30)
        writer.close()


def length_of(head):
    fields = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    return next((int(value) for name, _, value in fields if name == b"content-length"), 0)


async def chunked(reader):
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)


def whole(head, size):
    """A head that closes its connection after so many bytes."""
    kept = [line for line in head.split(b"\r\n") if not line.lower().startswith((b"content-length", b"transfer-"))]
    return b"\r\n".join([*filter(None, kept), b"connection: close", b"content-length: %d" % size, b"", b""])


def hiding(head, body):
    """Hides what it finds in the bytes as they stand: right for whole texts, blind to pieces."""
    plain = gzip.decompress(body) if b"gzip" in head else body
    for value in probe.IDENTIFIERS.values():
        plain = plain.replace(value.encode(), b"*" * len(value))
    return (
        head.replace(b"content-encoding: gzip\r\n", b"").replace(b"%d\r\n" % len(body), b"%d\r\n" % len(plain)) + plain
    )


def refusing(_head, _body):
    return b"HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"


def cutting(head, body):
    return head + body[:-5]
