"""Who may use the console, and when: between addresses, whatever one of them sends. Pure; who asks brings the time.

- An address has EACH connections at most, all together ALL; where all are taken, whoever has the most makes room.
- Of those of one address the slowest goes: behind a balancer somebody who sends nothing would else keep all others out.
- Addresses take turns, one request or piece of one at a time; after each the console rests REST times as long as it
  took, so that of the event loop, which the traffic needs, it never has more than its part.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

ALL: Final = 128
EACH: Final = 32
"""A balancer in front of the console is one address."""
REST: Final = 4.0
LONGEST: Final = 0.25
"""Seconds of rest at most: a probe has to be answered within its one second, also after something that took long."""


def group_of(address: str) -> str:
    """Those that count as one: an IPv4 address, or the /64 of an IPv6 address, all of which one host may use."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.IPv6Address(int(found) >> 64 << 64))
    return str(found)


class Places[T]:
    """The connections there are, by address; `late` says how long one has kept the console waiting, if it has."""

    def __init__(self, late: Callable[[T], float | None] = lambda _who: None) -> None:
        self._late = late
        self._of: dict[str, list[T]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def enter(self, address: str, who: T) -> T | None:
        """Take a place; gives back who has to go for it, which may be `who`."""
        leaves = None
        if len(self._of.get(address, ())) >= EACH or len(self) >= ALL:
            from_, leaves = self._room(address)
            if leaves is None:
                return who
            self.leave(from_, leaves)
        self._of.setdefault(address, []).append(who)
        return leaves

    def _room(self, address: str) -> tuple[str, T | None]:
        """Whose place somebody of this address may take."""
        mine = self._of.get(address, [])
        most = max(self._of, key=lambda each: len(self._of[each]))
        theirs = self._of[most]
        if len(mine) >= EACH or len(theirs) <= len(mine) + 1:
            return address, self._slowest(mine)
        slowest = self._slowest(theirs)
        return most, theirs[-1] if slowest is None else slowest

    def _slowest(self, among: list[T]) -> T | None:
        late = [(seconds, at) for at, each in enumerate(among) if (seconds := self._late(each)) is not None]
        return among[max(late)[1]] if late else None

    def leave(self, address: str, who: T) -> None:
        """Give a place back; whoever has none is no matter."""
        here = self._of.get(address, [])
        if who in here:
            here.remove(who)
        if not here:
            self._of.pop(address, None)


class Turns:
    """What waits, by address, and when the next of it may go; `clock` is seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._free = float("-inf")
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def ask(self, address: str, go: Callable[[], None]) -> None:
        self._waiting.setdefault(address, deque()).append(go)

    def charge(self, seconds: float) -> None:
        """Rest for what was used."""
        now = self._clock()
        self._free = min(max(self._free, now) + REST * seconds, now + LONGEST)

    def rest(self) -> float:
        """Seconds until the next may go."""
        return max(self._free - self._clock(), 0.0)

    def next(self) -> Callable[[], None] | None:
        """Whose turn it is; None while the console rests, or nobody waits. Their address is then the last in line."""
        if not self._waiting or self.rest():
            return None
        address = next(iter(self._waiting))
        line = self._waiting.pop(address)
        go = line.popleft()
        if line:
            self._waiting[address] = line
        return go
