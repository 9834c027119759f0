"""How long a connection may take for what, and how many there may be: rules over plain values; `now` never steps.

- Whoever showed no bearer that is believed is a stranger, and has less time and less room.
- A newcomer is always let in while a stranger can go for it: who holds on to connections loses the oldest of them.
- Each connection is looked at when its time may be over, never all of them at once.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

type Why = Literal["slow-head", "slow-body", "idle", "takes-nothing", "swollen", "crowd", "flood"]
"""Why a connection is ended; a label of metrics."""

HEAD: float = 10.0
"""Seconds until a head is whole, from its first byte on; of the first one, and of TLS, from the connection on."""
BODY: float = 20.0
"""Seconds that a body may take in any case; one more for each `PACE` bytes of it that came, up to `LONGEST_BODY`."""
PACE: Final = 1000
LONGEST_BODY: Final = 300.0
IDLE: float = 300.0
"""Seconds between an answer and the next request."""
IDLE_STRANGER: Final = 60.0
TAKES_NOTHING: float = 60.0
"""Seconds after which a caller that does not take what is sent is left."""
LOOK: float = 10.0
"""Seconds between two looks at a connection on which an answer is under way."""
MOST_BEFORE: Final = 1024 * 1024
"""Bytes that may come before a head is read, those of TLS among them."""
MOST_BODIES: Final = 256 * 1024 * 1024
"""Bytes of bodies that are not whole, of all connections together."""
TRIES: Final = 64
"""Strangers that are looked at to find one that can go."""


def _nothing() -> int:
    return 0


@dataclass(eq=False, slots=True)
class Peer:
    """One connection; `waiting` are the bytes that it has not taken, `taken` grows whenever it takes some."""

    name: str
    address: str
    begun: float
    """Since when its head is awaited, or nothing is."""
    waiting: Callable[[], int] = _nothing
    taken: Callable[[], int] = _nothing
    elsewhere: bool = False
    """Its times are kept by whoever has it: here it only has a place."""
    believed: bool = False
    """Somebody on it showed a bearer that is believed."""
    streams: bool = False
    """HTTP/2: requests go side by side, and a byte is no request's begin."""
    idle: bool = False
    """Its last answer is over, and nothing of a next request came."""
    came: int = 0
    before: int = 0
    """Of them, those that came before the head that is awaited."""
    held: int = 0
    """Bytes of bodies that are not whole."""
    bodies: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Exchanges whose body is coming: since when, and what had come by then."""
    under_way: set[str] = field(default_factory=set)
    seen: int = -1
    """`taken`, at the last look at which something was waiting."""
    seen_at: float = 0.0
    turn: int = 0
    """The second in which it is looked at."""
    gone: bool = False
    """It is closed, but for what it has not taken."""
    cut: Callable[[], object] = _nothing
    """Drops that, once it is gone."""


class Hall:
    """All connections; `end` is told whom to send away, and why: their places are free then."""

    def __init__(self, end: Callable[[Peer, Why], None], most: int, most_strangers: int) -> None:
        self._end, self.most, self.most_strangers = end, most, most_strangers
        self.peers: dict[str, Peer] = {}
        self.held = 0
        self._idle: OrderedDict[Peer, None] = OrderedDict()
        """Those of the believed that ask for nothing, the longest first."""
        self._strangers: dict[Peer, None] = {}
        self._by_address: dict[str, dict[Peer, None]] = {}
        self._bodies: dict[Peer, None] = {}
        self._turns: dict[int, list[Peer]] = {}

    @property
    def strangers(self) -> int:
        return len(self._strangers)

    # -- coming and going -------------------------------------------------------------------------------------------

    def arrive(self, name: str, address: str, now: float, *, elsewhere: bool = False) -> Peer | None:
        """A connection was opened; None where there is no room for it."""
        neighbours = self._by_address.get(address, {})
        if len(neighbours) >= self.most_strangers and not self._send_away(neighbours):
            return None
        full = len(self.peers) >= self.most
        if full and not (self._send_away(self._strangers) or self._send_idle_away()):
            return None
        peer = self.peers[name] = Peer(name, address, now, elsewhere=elsewhere)
        self._strangers[peer] = None
        self._by_address.setdefault(address, {})[peer] = None
        self._look_at(peer, now + HEAD)
        return peer

    def _send_away(self, strangers: dict[Peer, None]) -> bool:
        """End the one that came first of those for whom nobody is at work; the others go to the end of the line."""
        for peer in list(islice(strangers, TRIES)):
            if len(peer.bodies) == len(peer.under_way):
                self.end(peer, "crowd")
                return True
            strangers[peer] = strangers.pop(peer)
        return False

    def _send_idle_away(self) -> bool:
        if not self._idle:
            return False
        self.end(next(iter(self._idle)), "crowd")
        return True

    def end(self, peer: Peer, why: Why) -> None:
        self.leave(peer.name)
        self._end(peer, why)

    def leave(self, name: str) -> None:
        peer = self.peers.pop(name, None)
        if peer is None:
            return
        self._idle.pop(peer, None)
        self._no_stranger(peer)
        self._release(peer, peer.held)
        self._bodies.pop(peer, None)

    def part(self, name: str, now: float) -> None:
        """A connection was closed: it has its place until what it was sent is taken, and may not take its time."""
        peer = self.peers.get(name)
        if peer is None or not peer.waiting():
            self.leave(name)
            return
        peer.gone = True
        peer.bodies.clear()
        peer.under_way.clear()
        self._bodies.pop(peer, None)
        self._release(peer, peer.held)
        if peer.believed:
            self._idle[peer] = None
        self._look_at(peer, now + LOOK)

    def believe(self, name: str) -> None:
        peer = self.peers.get(name)
        if peer is not None and not peer.believed:
            peer.believed = True
            self._no_stranger(peer)

    def _no_stranger(self, peer: Peer) -> None:
        self._strangers.pop(peer, None)
        if neighbours := self._by_address.get(peer.address):
            neighbours.pop(peer, None)
            if not neighbours:
                del self._by_address[peer.address]

    # -- its requests -----------------------------------------------------------------------------------------------

    def heard(self, peer: Peer, size: int, now: float) -> None:
        """Bytes came, of whatever."""
        peer.came += size
        if peer.bodies:
            peer.held += size
            self.held += size
            if self.held > MOST_BODIES:
                self.end(max(self._bodies, key=lambda each: each.held), "swollen")
        elif peer.idle and not peer.streams:
            peer.idle, peer.begun, peer.before = False, now, peer.came - size
            self._idle.pop(peer, None)
            self._look_at(peer, now + HEAD)
        elif not peer.under_way and not peer.streams and peer.came - peer.before > MOST_BEFORE:
            self.end(peer, "swollen")

    def asked(self, name: str, exchange: str, now: float, *, streams: bool) -> None:
        """A head was read; of its body nothing is known yet."""
        if peer := self.peers.get(name):
            peer.idle, peer.streams = False, streams
            self._idle.pop(peer, None)
            peer.under_way.add(exchange)
            peer.bodies[exchange] = (now, peer.came)
            self._bodies[peer] = None
            self._look_at(peer, now + BODY)

    def whole(self, name: str, exchange: str, size: int) -> None:
        """All of a request is there, with so many bytes of a body."""
        if peer := self.peers.get(name):
            self._body_over(peer, exchange, size)

    def over(self, name: str, exchange: str, now: float) -> None:
        """Its answer is over, or it will have none."""
        peer = self.peers.get(name)
        if peer is None or exchange not in peer.under_way:
            return
        self._body_over(peer, exchange, 0)
        peer.under_way.discard(exchange)
        if not peer.under_way:
            peer.idle, peer.begun = True, now
            if peer.believed:
                self._idle[peer] = None

    def _body_over(self, peer: Peer, exchange: str, size: int) -> None:
        peer.bodies.pop(exchange, None)
        self._release(peer, size if peer.bodies else peer.held)
        if not peer.bodies:
            self._bodies.pop(peer, None)

    def _release(self, peer: Peer, size: int) -> None:
        size = min(size, peer.held)
        peer.held -= size
        self.held -= size

    # -- its time ---------------------------------------------------------------------------------------------------

    def tick(self, now: float, most: int) -> None:
        """Look at those whose time may be over, and send at most so many away."""
        for turn in sorted(turn for turn in self._turns if turn <= now):
            due = self._turns[turn]
            while due and most:
                peer = due.pop()
                if peer.turn == turn and peer.name in self.peers:
                    peer.turn = 0
                    try:
                        most -= self._look(peer, now)
                    except Exception:
                        self._look_at(peer, now + LOOK)  # whoever could not be looked at is not forgotten
                        raise
            if due:
                return
            del self._turns[turn]

    def _look(self, peer: Peer, now: float) -> bool:
        """End it where its time is over, else say when to look again."""
        stuck = self._stuck(peer, now)
        if peer.gone and stuck is None:
            self.leave(peer.name)
            return False
        why, until = _ends(peer, waits=stuck is not None)
        if stuck is not None and now - stuck >= TAKES_NOTHING:
            why, until = "takes-nothing", now
        if until <= now and why is not None:
            self.end(peer, why)
            return True
        self._look_at(peer, min(until, now + LOOK) if peer.under_way or stuck is not None else until)
        return False

    @staticmethod
    def _stuck(peer: Peer, now: float) -> float | None:
        """Since when it took nothing of what waits for it; None where nothing does."""
        if not peer.waiting():
            peer.seen = -1
            return None
        taken = peer.taken()
        if taken != peer.seen:
            peer.seen, peer.seen_at = taken, now
        return peer.seen_at

    def _look_at(self, peer: Peer, at: float) -> None:
        """Have it looked at then, unless that is done before."""
        turn = math.ceil(at)
        if peer.elsewhere:
            return
        if not peer.turn or turn < peer.turn:
            peer.turn = turn
            self._turns.setdefault(turn, []).append(peer)


def _ends(peer: Peer, *, waits: bool) -> tuple[Why | None, float]:
    """When a connection's time is over if nothing happens until then, and for what."""
    if peer.bodies:
        return "slow-body", min(
            begun + min(BODY + (peer.came - came) / PACE, LONGEST_BODY) for begun, came in peer.bodies.values()
        )
    if peer.under_way or waits:
        return None, math.inf
    if peer.idle:
        return "idle", peer.begun + (IDLE if peer.believed else IDLE_STRANGER)
    return "slow-head", peer.begun + HEAD
