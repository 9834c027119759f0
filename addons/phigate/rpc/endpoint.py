"""The port where gRPC is listened for: connections in bounded numbers, each stream on them handed on to be answered."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import ssl
from typing import TYPE_CHECKING, Final

from h2.errors import ErrorCodes

from phigate import metrics
from phigate.host import logs
from phigate.rpc.link import Link

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from phigate.host.connections.doors import Doors, Guest
    from phigate.rpc.link import Lane

    type Answer = Callable[[Lane, str], Awaitable[None]]

logger = logging.getLogger(__name__)

CONNECTIONS: Final = 512
HANDSHAKE: float = 10.0
"""Seconds that a TLS handshake may take."""
AGAIN: Final = 1.0
NONE_LEFT: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Why no connection can be taken for a while."""


def tls(certificate: str, key: str) -> ssl.SSLContext:
    """What the port shows of itself; raises OSError (or ssl.SSLError) where the files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    context.load_cert_chain(certificate, key or None, password="")  # else it would ask for one
    return context


class Endpoint:
    """Listens on a bound socket; `answer` answers one stream of a peer with this address, and never raises.

    A connection is known from its first moment on, before its TLS: whoever never greets has a place as well, and loses
    it to others. Each has one here and one at the `doors`, where those of all ports are counted.
    """

    def __init__(self, answer: Answer, doors: Doors) -> None:
        self._answer, self._doors = answer, doors
        self._taking: asyncio.Task[None] | None = None
        self._visits: dict[asyncio.Task[None], None] = {}
        """All of them, in the order in which they came."""
        self._links: dict[Link, asyncio.Task[None]] = {}
        """Those with which something can be said."""
        self._left = False

    async def start(self, bound: socket.socket, context: ssl.SSLContext | None) -> None:
        bound.setblocking(False)
        self._taking = asyncio.get_running_loop().create_task(self._take(bound, context))

    async def _take(self, bound: socket.socket, context: ssl.SSLContext | None) -> None:
        """Take connections, one after the other."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    taken, peer = await loop.sock_accept(bound)
                except OSError as error:
                    await asyncio.sleep(AGAIN if error.errno in NONE_LEFT else 0)
                    continue
                try:
                    self._taken(taken, str(peer[0]) if peer else "", context)
                except Exception as error:  # noqa: BLE001 -- one fault must not keep out all who come later
                    logger.error("a connection was not taken (%s)", logs.place(error, error.__traceback__))
                    taken.close()
                await asyncio.sleep(0)  # where many wait, sock_accept does not
        finally:
            bound.close()

    def _taken(self, taken: socket.socket, host: str, context: ssl.SSLContext | None) -> None:
        """Let one in, or close it."""
        visit: asyncio.Task[None] | None = None

        def end() -> None:
            if visit is not None:
                self._end(visit)

        guest = self._doors.guest(host, end)
        if guest is None:
            taken.close()
            return
        if len(self._visits) >= CONNECTIONS and not self._make_room():
            guest.leave()
            taken.close()
            return
        visit = asyncio.get_running_loop().create_task(self._visited(taken, host, context, guest))
        self._visits[visit] = None

        def over(task: asyncio.Task[None]) -> None:
            self._visits.pop(task, None)
            guest.leave()

        visit.add_done_callback(over)

    async def _visited(self, taken: socket.socket, host: str, context: ssl.SSLContext | None, guest: Guest) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        patience = HANDSHAKE if context else None
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, taken, ssl=context, ssl_handshake_timeout=patience
            )
        except (OSError, asyncio.CancelledError) as error:
            taken.close()
            if isinstance(error, ConnectionAbortedError):  # the handshake's time is over
                metrics.CONNECTIONS_ENDED.labels("slow-head").inc()
            return
        await self._connected(reader, asyncio.StreamWriter(transport, protocol, reader, loop), host, guest)

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, guest: Guest
    ) -> None:
        chosen, visit = writer.get_extra_info("ssl_object"), asyncio.current_task()
        if visit is None or (chosen is not None and chosen.selected_alpn_protocol() != "h2"):
            writer.transport.abort()
            return
        link = Link(reader, writer, lambda lane: self._begin(lane, host, guest))
        link.tell_believed = guest.believe
        self._links[link] = visit
        try:
            await link.run()
        finally:
            self._links.pop(link, None)
            if link.why is not None:
                metrics.CONNECTIONS_ENDED.labels(link.why).inc()

    def _make_room(self) -> bool:
        """End the oldest connection on which nobody was believed yet, else the one that was idle the longest."""
        believed = {visit for link, visit in self._links.items() if link.believed}
        stranger = next((visit for visit in self._visits if visit not in believed), None)
        idle = [link for link in self._links if link.idle_since is not None]
        if stranger is not None:
            self._end(stranger)
        elif idle:
            self._end(self._links[min(idle, key=lambda link: link.idle_since or 0.0)])
        else:
            return False
        metrics.CONNECTIONS_ENDED.labels("crowd").inc()
        return True

    def _end(self, visit: asyncio.Task[None]) -> None:
        self._visits.pop(visit, None)
        link = next((link for link, of in self._links.items() if of is visit), None)
        if link is None:
            asyncio.get_running_loop().call_soon(visit.cancel)  # once it has begun, so that it closes what it has
        else:
            link.leave()
            link.close()
            self._links.pop(link)

    def _begin(self, lane: Lane, host: str, guest: Guest) -> None:
        call = str(lane.number)
        guest.asks(call)
        lane.task = asyncio.get_running_loop().create_task(self._serve(lane, host))
        lane.task.add_done_callback(lambda _: guest.over(call))

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
        if self._taking is not None and not self._left:
            self._left = True
            self._taking.cancel()
            for link in list(self._links):
                link.leave()

    def close(self) -> None:
        """End everything at once."""
        self.leave()
        for link in list(self._links):
            with contextlib.suppress(OSError):
                link.close()
        for visit in self._visits.keys() - set(self._links.values()):
            self._end(visit)
