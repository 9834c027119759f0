"""Who asked for how much: the policy's `limits`, counted at this gateway. Pure: `now` is any clock that never steps.

- Of all limits that concern somebody each one must hold; a request that one of them refuses takes nothing of any.
- A rate holds for any stretch of time as long as its period, not only for those that begin at a full minute.
- Of whoever asked for nothing for a period nothing is kept; of all others some sixty numbers a limit at most.
- What waits for somebody's yes keeps nobody busy: it does not count as under way, and goes on whatever came meanwhile.
"""

from __future__ import annotations

import contextlib
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phigate.exchange import Subject
    from phigate.policy.limits import Limit

type Person = tuple[str, str]
"""Issuer and id."""

PARTS: Final = 60
"""Into how many parts a period is divided, in each of which requests are one number."""
AT_ONCE_AGAIN: Final = 1.0
"""Seconds after which one that is too many at once may be asked again: nobody knows when others are over."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """A limit that does not hold any more, and the seconds until it may."""

    at_once: bool
    wait: float


class _Window:
    """The requests of one period, as [first, last, number] of each part of it in which there were any."""

    __slots__ = ("number", "parts")

    def __init__(self) -> None:
        self.parts: deque[list[float]] = deque()
        self.number = 0.0

    def wait(self, now: float, per: float, most: int) -> float:
        """Seconds until there is room for one more."""
        while self.parts and self.parts[0][1] + per <= now:
            self.number -= self.parts.popleft()[2]
        over = self.number - most
        for _, last, number in self.parts:
            if over < 0:
                break
            over -= number
            if over < 0:
                return last + per - now
        return 0.0

    def take(self, now: float, per: float) -> None:
        self.number += 1
        if self.parts and now - self.parts[-1][0] < per / PARTS:
            self.parts[-1][1:] = [now, self.parts[-1][2] + 1]
        else:
            self.parts.append([now, now, 1])


class _State:
    """What is counted of one limit, by whom it is counted for (None: all together)."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._roles = None if "*" in limit.roles else frozenset(limit.roles)
        self._together = limit.counted == "together"
        self._per = limit.requests.per.total_seconds() if limit.requests else 0.0
        self._most = limit.requests.most if limit.requests else 0
        self.windows: OrderedDict[Person | None, _Window] = OrderedDict()
        """Whoever asked last stands last."""
        self.inside: Counter[Person | None] = Counter()

    def concerns(self, roles: frozenset[str]) -> bool:
        return self._roles is None or not self._roles.isdisjoint(roles)

    def key(self, who: Person) -> Person | None:
        return None if self._together else who

    def rate(self, who: Person, now: float) -> float:
        window = self.windows.get(self.key(who)) if self._most else None
        return window.wait(now, self._per, self._most) if window else 0.0

    def full(self, who: Person) -> bool:
        return self.limit.at_once is not None and self.inside[self.key(who)] >= self.limit.at_once

    def take(self, who: Person, now: float) -> None:
        if not self._most:
            return
        key = self.key(who)
        window = self.windows.pop(key, None) or _Window()
        self.windows[key] = window
        window.take(now, self._per)
        self._forget(now)

    def _forget(self, now: float) -> None:
        """Drop whoever asked for nothing for a period: two for each one that asks, so that they become fewer."""
        for _ in range(2):
            key, window = next(iter(self.windows.items()))
            if window.parts and window.parts[-1][1] + self._per > now:  # none are left of who was refused since
                return
            del self.windows[key]

    def count(self, who: Person, by: int) -> None:
        key = self.key(who)
        self.inside[key] += by
        if self.inside[key] <= 0:
            del self.inside[key]


class Meter:
    """Everything that is counted for the limits of the policy in force."""

    def __init__(self) -> None:
        self._limits: Sequence[Limit] = ()
        self._states: list[_State] = []
        self._inside: dict[str, tuple[Person, frozenset[str]]] = {}
        """Exchanges under way, those that wait among them."""
        self._aside: set[str] = set()

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, exchange: str, subject: Subject, limits: Sequence[Limit], now: float) -> TooMany | None:
        """Count a request, which is under way until it leaves; one that is begun anew was counted before."""
        if exchange in self._inside:
            return None
        who = (subject.issuer, subject.id)
        concerned = self._concerned(subject, limits)
        if found := _exceeded(concerned, who, now, at_once=True):
            return found
        self._inside[exchange] = (who, subject.roles)
        for state in concerned:
            state.take(who, now)
            state.count(who, 1)
        return None

    def say(self, subject: Subject, limits: Sequence[Limit], now: float) -> TooMany | None:
        """Count a message of a conversation that is under way already."""
        who = (subject.issuer, subject.id)
        concerned = self._concerned(subject, limits)
        if found := _exceeded(concerned, who, now, at_once=False):
            return found
        for state in concerned:
            state.take(who, now)
        return None

    def leave(self, exchange: str) -> None:
        """It is over; one that never entered is none."""
        if exchange in self._inside and exchange not in self._aside:
            self._count(exchange, -1)
        self._aside.discard(exchange)
        self._inside.pop(exchange, None)

    @contextlib.contextmanager
    def aside(self, exchange: str) -> Iterator[None]:
        """It waits for somebody's yes: meanwhile it is not under way."""
        if exchange not in self._inside:
            yield
            return
        self._count(exchange, -1)
        self._aside.add(exchange)
        try:
            yield
        finally:
            if exchange in self._aside:
                self._aside.discard(exchange)
                self._count(exchange, 1)

    def _count(self, exchange: str, by: int) -> None:
        who, roles = self._inside[exchange]
        for state in self._states:
            if state.concerns(roles):
                state.count(who, by)

    def _concerned(self, subject: Subject, limits: Sequence[Limit]) -> list[_State]:
        if limits is not self._limits:
            self._replace(limits)
        return [state for state in self._states if state.concerns(subject.roles)]

    def _replace(self, limits: Sequence[Limit]) -> None:
        """Another policy is in force: what it limits as the last one did goes on, all else begins anew."""
        known = list(self._states)
        self._limits, self._states = limits, [_State(limit) for limit in limits]
        for state in self._states:
            same = next((old for old in known if old.limit == state.limit), None)
            if same is not None:
                known.remove(same)  # of two that are the same each goes on with its own
                state.windows = same.windows
        for exchange in self._inside.keys() - self._aside:
            self._count(exchange, 1)


def _exceeded(states: Sequence[_State], who: Person, now: float, *, at_once: bool) -> TooMany | None:
    """The limit that holds longest of those that do not let another one by."""
    rate = max((state.rate(who, now) for state in states), default=0.0)
    if rate > 0:
        return TooMany(at_once=False, wait=rate)
    if at_once and any(state.full(who) for state in states):
        return TooMany(at_once=True, wait=AT_ONCE_AGAIN)
    return None
