"""Connections to model servers: opened when a call needs one, shared by the calls to the same address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Final, NamedTuple

from phigate.rpc.link import LaneBroken, Link

if TYPE_CHECKING:
    from phigate.rpc.framing import Fields
    from phigate.rpc.link import Lane

CONNECT: Final = 10.0
"""Seconds until a model server must have answered."""
TRIES: Final = 4
"""Connections that are waited for where others take all streams of each."""


class Address(NamedTuple):
    """Where a model server takes gRPC."""

    scheme: str
    """`grpc` (cleartext) or `grpcs` (TLS)."""
    host: str
    port: int

    @property
    def authority(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class Unreachable(Exception):  # noqa: N818 -- what the model server is
    """No connection to the model server; nothing was sent."""


class Upstreams:
    """The connections that are open, by address; `trust` is a file of certificate authorities beside the system's."""

    def __init__(self, trust: str | None = None, connect: float | None = None) -> None:
        self._trust, self._patience = trust, connect or CONNECT
        self._tls: ssl.SSLContext | None = None
        self._links: dict[Address, list[Link]] = {}
        self._connecting: dict[Address, asyncio.Task[Link]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, address: Address, fields: Fields) -> Lane:
        """A stream to the model server with its headers sent; raises Unreachable.

        Whoever comes while a connection is being made waits for that one, and is told when there is none.
        """
        for _ in range(TRIES):
            lane = await self._on_open(address, fields)
            if lane is not None:
                return lane
            making = self._connecting.get(address)
            if making is None:
                making = self._connecting[address] = asyncio.create_task(self._connect(address))
                making.add_done_callback(lambda done: self._made(address, done))
            await asyncio.shield(making)
        raise Unreachable("the connection went away")

    def _made(self, address: Address, done: asyncio.Task[Link]) -> None:
        del self._connecting[address]
        if not done.cancelled():
            done.exception()  # where everybody has left

    async def _on_open(self, address: Address, fields: Fields) -> Lane | None:
        for link in list(self._links.get(address, ())):
            if link.free:
                with contextlib.suppress(LaneBroken):
                    return await self._begin(link, fields)
        return None

    @staticmethod
    async def _begin(link: Link, fields: Fields) -> Lane:
        lane = link.begin(fields)
        await link.flushed()
        return lane

    async def _connect(self, address: Address) -> Link:
        tls, link = self._context() if address.scheme == "grpcs" else None, None
        try:
            async with asyncio.timeout(self._patience):
                reader, writer = await asyncio.open_connection(address.host, address.port, ssl=tls)
                chosen = writer.get_extra_info("ssl_object")
                if chosen is not None and chosen.selected_alpn_protocol() != "h2":
                    writer.close()
                    raise Unreachable("no HTTP/2")
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                link = Link(reader, writer)
                task = asyncio.create_task(link.run())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                self._links.setdefault(address, []).append(link)
                await link.greeted.wait()
            if link.gone:
                raise Unreachable("no HTTP/2")
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError
            if link is not None:
                link.close()
            raise Unreachable("no connection") from None
        return link

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
            self._tls.set_alpn_protocols(["h2"])
            if self._trust:
                self._tls.load_verify_locations(self._trust)
        return self._tls

    def tick(self) -> None:
        """Look, once a second, after each connection, and forget those that are gone."""
        for address, links in list(self._links.items()):
            for link in links:
                link.tick()
            self._links[address] = [link for link in links if not link.gone]
            if not self._links[address]:
                del self._links[address]

    def close(self) -> None:
        for links in self._links.values():
            for link in links:
                link.close()
        self._links.clear()
