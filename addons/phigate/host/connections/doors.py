"""Whom the gateway's port keeps open for how long: mitmproxy's connections, by the rules of `patience.py`.

mitmproxy holds each connection for ten minutes after its last byte, half a head in it or nothing at all, in any number.
Here each is known from its first moment: bytes are counted where the loop hands them over, requests and answers where
the gate meets them. Whoever is sent away finds its connection closed; a body that came too slowly is answered first.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import resource
import time
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from phigate import metrics
from phigate.host import logs, pages
from phigate.host.connections import alive, talk, windows
from phigate.host.connections.patience import Hall, Peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.connection import Client
    from mitmproxy.master import Master
    from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO

    from phigate.host.connections.patience import Why

logger = logging.getLogger(__name__)

TICK: Final = 0.25
MOST_A_TICK: Final = 64
"""Connections that are ended at once: others have their turn between."""
DESCRIPTORS: Final = 65_536
"""Open files that the gateway wants, where the system sets it no limit."""
LEAST: Final = 64
"""Connections, however few files may be open."""


class DoorFault(ValueError):  # noqa: N818 -- the operator's fault, told in the operator's words
    """An option is no number of connections; the message is the operator's."""


def number(option: str, text: str) -> int:
    """A number of connections; raises DoorFault."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000):
        raise DoorFault(f"option `{option}`: must be a number of connections, from 1 to 1000000")
    return int(text)


def descriptors() -> int:
    """How many files may be open: as many as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, DESCRIPTORS) if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def affordable(files: int) -> int:
    """Connections of callers for which there are files: each may need one to a model server, the rest is ours."""
    return max(files * 3 // 4 - 128, LEAST)


def network(address: str) -> str:
    """Whose address it is: of IPv6 one subscriber has 64 bits of them (RFC 6177)."""
    with contextlib.suppress(ValueError):
        parsed = ipaddress.ip_address(address)
        if isinstance(parsed, ipaddress.IPv6Address):
            return str(parsed.ipv4_mapped or ipaddress.IPv6Address(int(parsed) >> 64 << 64))
    return address


class Doors:
    """All connections of the gateway's ports; knows none until it is opened."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._master: Master | None = None
        self.hall = Hall(self._end, 0, 0)
        self.came = 0
        """Bytes from all callers so far."""
        self._deaf: dict[str, Callable[[], None]] = {}
        """What takes back that a connection is listened to: each would else hold itself, for the collector to find."""
        self._guests: dict[str, Callable[[], None]] = {}
        """What ends those at other ports."""
        self._numbers = count(1)

    def open(self, master: Master, most: int, most_strangers: int) -> None:
        """From now on let in so many, and of each address so many strangers."""
        self._master = master
        self.hall = Hall(self._end, min(most, affordable(descriptors())), most_strangers)
        talk.flooded[:] = [lambda: metrics.CONNECTIONS_ENDED.labels("flood").inc()]

    async def watch(self) -> None:
        """Look, again and again, whose time is over; until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            try:
                self.hall.tick(self.clock(), MOST_A_TICK)
            except Exception as error:  # noqa: BLE001 -- one fault must not end all later looks
                logger.error("a look at connections failed (%s)", logs.place(error, error.__traceback__))
            strangers = self.hall.strangers
            metrics.CONNECTIONS.labels("strangers").set(strangers)
            metrics.CONNECTIONS.labels("believed").set(len(self.hall.peers) - strangers)

    # -- coming and going -------------------------------------------------------------------------------------------

    def arrived(self, client: Client) -> None:
        """Let a caller in, or have mitmproxy close its connection, also where nobody could watch over it."""
        if self._master is None:
            return
        handler, address = self._handler(client.id), network(client.peername[0] if client.peername else "")
        peer = self.hall.arrive(client.id, address, self.clock()) if handler else None
        if handler is None or peer is None:
            client.error = "no room"
            metrics.CONNECTIONS_ENDED.labels("crowd").inc()
        else:
            self._listen(peer, handler, handler.transports[client])

    def guest(self, address: str, end: Callable[[], None]) -> Guest | None:
        """Let somebody in at another port; None where there is no room. `end` is called when it has to go."""
        name = f"guest-{next(self._numbers)}"
        if self.hall.arrive(name, network(address), self.clock(), elsewhere=True) is None:
            metrics.CONNECTIONS_ENDED.labels("crowd").inc()
            return None
        self._guests[name] = end
        return Guest(name, self)

    def gone(self, name: str) -> None:
        """The same as `left`, of somebody at another port."""
        self.hall.leave(name)
        self._guests.pop(name, None)

    def _listen(self, peer: Peer, handler: ConnectionHandler, io: ConnectionIO) -> None:
        """Count what comes and goes, where the loop hands it over."""
        reader: Any = io.reader
        writer: Any = io.writer
        feed, write, sent = reader.feed_data, writer.write, 0

        def heard(data: bytes) -> None:
            self.came += len(data)
            self.hall.heard(peer, len(data), self.clock())
            feed(data)

        def written(data: bytes) -> None:
            nonlocal sent
            sent += len(data)
            write(data)

        def waiting() -> int:
            link = talk.link_of(handler)
            return int(writer.transport.get_write_buffer_size()) + (windows.waiting(link) if link else 0)

        def taken() -> int:
            link = talk.link_of(handler)
            if link is not None and windows.waiting(link):
                return talk.talk_of(link).moved
            return sent - int(writer.transport.get_write_buffer_size())

        def deaf() -> None:
            del reader.feed_data, writer.write
            unsent = writer.transport.get_write_buffer_size
            peer.waiting, peer.taken, peer.cut = unsent, lambda: sent - int(unsent()), writer.transport.abort

        alive.ask(writer)
        reader.feed_data, writer.write = heard, written
        peer.waiting, peer.taken = waiting, taken
        self._deaf[peer.name] = deaf

    def left(self, client: Client) -> None:
        """A caller is gone, or was sent away: what it was sent and does not take is not kept for it without end."""
        if (deaf := self._deaf.pop(client.id, None)) is not None:
            deaf()
        self.hall.part(client.id, self.clock())

    def believe(self, client: Client) -> None:
        """Somebody on it showed a bearer that is believed."""
        self.hall.believe(client.id)

    def _handler(self, name: str) -> ConnectionHandler | None:
        proxyserver = self._master.addons.get("proxyserver") if self._master else None
        return proxyserver.connections.get(name) if proxyserver else None

    def _end(self, peer: Peer, why: Why) -> None:
        """Close a connection, with nothing more sent to whoever takes nothing."""
        metrics.CONNECTIONS_ENDED.labels(why).inc()
        if (end := self._guests.pop(peer.name, None)) is not None:
            end()
            return
        if peer.gone:
            peer.cut()
            return
        handler = self._handler(peer.name)
        io = handler.transports.get(handler.client) if handler else None
        if handler is None or io is None or io.writer is None:
            return
        writer: Any = io.writer
        if why == "slow-body" and not peer.streams and not handler.client.tls:
            writer.write(pages.make_error_response(408))
        if io.handler is not None:
            io.handler.cancel("its time is over")
        if writer.transport.get_write_buffer_size():  # closed, it would wait for all of that to be taken
            writer.transport.abort()
        else:
            writer.close()

    # -- its requests -----------------------------------------------------------------------------------------------

    def asked(self, client: Client, exchange: str, *, streams: bool) -> None:
        """A request's head was read."""
        self.hall.asked(client.id, exchange, self.clock(), streams=streams)

    def whole(self, client: Client, exchange: str, size: int) -> None:
        """All of it is there."""
        self.hall.whole(client.id, exchange, size)

    def over(self, client: Client, exchange: str) -> None:
        """Its answer is over."""
        self.hall.over(client.id, exchange, self.clock())


class Guest:
    """A connection at another port of the gateway, which keeps its times itself and has its place here."""

    def __init__(self, name: str, doors: Doors) -> None:
        self._name, self._doors = name, doors

    def believe(self) -> None:
        """Somebody on it showed a bearer that is believed."""
        self._doors.hall.believe(self._name)

    def asks(self, call: str) -> None:
        self._doors.hall.asked(self._name, call, self._doors.clock(), streams=True)

    def over(self, call: str) -> None:
        """A call of it is answered, or taken back."""
        self._doors.hall.over(self._name, call, self._doors.clock())

    def leave(self) -> None:
        self._doors.gone(self._name)
