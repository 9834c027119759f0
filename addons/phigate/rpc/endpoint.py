"""The port where gRPC is listened for: connections in bounded numbers, each stream on them handed on to be answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import TYPE_CHECKING, Final

from h2.errors import ErrorCodes

from phigate.host import logs
from phigate.rpc.link import Link

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from phigate.rpc.link import Lane

    type Answer = Callable[[Lane, str], Awaitable[None]]

logger = logging.getLogger(__name__)

CONNECTIONS: Final = 512
HANDSHAKE: Final = 10.0
"""Seconds that a TLS handshake may take."""


def tls(certificate: str, key: str) -> ssl.SSLContext:
    """What the port shows of itself; raises OSError (or ssl.SSLError) where the files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(certificate, key or None, password="")  # else it would ask for one
    return context


class Endpoint:
    """Listens on a bound socket; `answer` answers one stream of a peer with this address, and never raises."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._links: dict[Link, None] = {}
        """In the order in which they came."""
        self._left = False

    async def start(self, bound: socket.socket, context: ssl.SSLContext | None) -> None:
        patience = HANDSHAKE if context else None
        self._server = await asyncio.start_server(
            self._connected, sock=bound, ssl=context, ssl_handshake_timeout=patience
        )

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chosen = writer.get_extra_info("ssl_object")
        wrong = chosen is not None and chosen.selected_alpn_protocol() != "h2"
        if wrong or (len(self._links) >= CONNECTIONS and not self._make_room()):
            writer.transport.abort()
            return
        peer = writer.get_extra_info("peername")
        host = str(peer[0]) if peer else ""
        link = Link(reader, writer, lambda lane: self._begin(lane, host))
        self._links[link] = None
        try:
            await link.run()
        finally:
            self._links.pop(link, None)

    def _make_room(self) -> bool:
        """End the oldest connection on which nobody was believed yet, else the one that was idle the longest."""
        strangers = (link for link in self._links if not link.believed)
        idle = (link for link in self._links if link.idle_since is not None)
        found = next(strangers, None) or min(idle, key=lambda link: link.idle_since or 0.0, default=None)
        if found is None:
            return False
        found.leave()
        found.close()
        self._links.pop(found)
        return True

    def _begin(self, lane: Lane, host: str) -> None:
        lane.task = asyncio.get_running_loop().create_task(self._serve(lane, host))

    async def _serve(self, lane: Lane, host: str) -> None:
        try:
            await self._answer(lane, host)
        except asyncio.CancelledError:
            pass  # the peer took it back, or went
        except Exception as error:  # noqa: BLE001 -- one call ends, the others go on
            logger.error("a call was broken off (%s)", logs.place(error, error.__traceback__))
        finally:
            if lane.broken is None and not (lane.over and lane.ended):
                lane.reset(ErrorCodes.NO_ERROR if lane.over else ErrorCodes.CANCEL)
            lane.link.answered(lane)

    def tick(self) -> None:
        for link in list(self._links):
            link.tick()

    def leave(self) -> None:
        """Take no new connection and no new call; what is under way goes on."""
        if self._server is not None and not self._left:
            self._left = True
            self._server.close()
            for link in list(self._links):
                link.leave()

    def close(self) -> None:
        """End everything at once."""
        self.leave()
        for link in list(self._links):
            with contextlib.suppress(OSError):
                link.close()
