"""Who asked for how much: the policy's `limits`. Pure: `now` is any clock that never steps.

- Of all limits that concern somebody each one must hold; a request that one of them refuses takes nothing of any.
- A rate holds for any stretch of time as long as its period, not only for those that begin at a full minute.
- Limits are counted at this gateway; those that are `exact` by all gateways together, and last, as asking costs.
- Of whoever asked for nothing for a period nothing is kept; of all others some sixty numbers a limit at most.
- What waits for somebody's yes keeps nobody busy: it does not count as under way, and goes on whatever came meanwhile.
"""

from __future__ import annotations

import contextlib
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

from phigate.ledger.counting import Share
from phigate.policy.rates import AT_ONCE_AGAIN, TooMany, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from phigate.exchange import Subject
    from phigate.ledger.sharing import Sharing
    from phigate.policy.limits import Limit

type Person = tuple[str, str]
"""Issuer and id."""


class _State:
    """What is counted of one limit, by whom it is counted for (None: all together)."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._roles = None if "*" in limit.roles else frozenset(limit.roles)
        self._together = limit.counted == "together"
        self._per = limit.requests.per.total_seconds() if limit.requests else 0.0
        self._most = limit.requests.most if limit.requests else 0
        self.windows: OrderedDict[Person | None, Window] = OrderedDict()
        """Whoever asked last stands last."""
        self.inside: Counter[Person | None] = Counter()

    def concerns(self, roles: frozenset[str]) -> bool:
        return self._roles is None or not self._roles.isdisjoint(roles)

    def key(self, who: Person) -> Person | None:
        return None if self._together else who

    def share(self, who: Person, digest: Callable[..., bytes]) -> Share:
        """The same, where all gateways count it: the same for all in which the limit is written alike."""
        name = digest("limit", self.limit.model_dump_json(), *(self.key(who) or ()))
        return Share(name, self._per, self._most, self.limit.at_once or 0)

    def rate(self, who: Person, now: float) -> float:
        window = self.windows.get(self.key(who)) if self._most else None
        return window.wait(now, self._per, self._most) if window else 0.0

    def full(self, who: Person) -> bool:
        return self.limit.at_once is not None and self.inside[self.key(who)] >= self.limit.at_once

    def take(self, who: Person, now: float) -> None:
        if not self._most:
            return
        key = self.key(who)
        window = self.windows.pop(key, None) or Window()
        self.windows[key] = window
        window.take(now, self._per, self._most)
        self._forget(now)

    def give_back(self, who: Person, at: float) -> None:
        if window := self.windows.get(self.key(who)):
            window.give_back(at)

    def _forget(self, now: float) -> None:
        """Drop whoever asked for nothing for a period: two for each one that asks, so that they become fewer."""
        for _ in range(2):
            key, window = next(iter(self.windows.items()))
            if not window.over(now, self._per):
                return
            del self.windows[key]

    def count(self, who: Person, by: int) -> None:
        key = self.key(who)
        self.inside[key] += by
        if self.inside[key] <= 0:
            del self.inside[key]


class Meter:
    """Everything that is counted for the limits of the policy in force.

    `sharing` asks what all gateways count; `digest`, the same at each of them, names a limit and a person there.
    """

    def __init__(self, sharing: Sharing, digest: Callable[..., bytes]) -> None:
        self.sharing, self._digest = sharing, digest
        self._limits: Sequence[Limit] = ()
        self._states: list[_State] = []
        self._exact: list[_State] = []
        self._inside: dict[str, tuple[Person, frozenset[str]]] = {}
        """Exchanges under way, those that wait among them."""
        self._aside: set[str] = set()

    def __len__(self) -> int:
        return len(self._inside)

    async def enter(self, exchange: str, subject: Subject, limits: Sequence[Limit], now: float) -> TooMany | None:
        """Count a request, which is under way until it leaves; one that is begun anew was counted before.

        Raises LedgerDown where a limit is exact and cannot be asked for.
        """
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
        if not (shares := self._shares(subject)):
            return None
        let_in = False
        try:
            found = await self.sharing.enter(exchange, shares)
            let_in = found is None
        finally:
            if not let_in:
                self.leave(exchange)
                self._give_back(subject, now)
        return found

    async def say(self, subject: Subject, limits: Sequence[Limit], now: float) -> TooMany | None:
        """Count a message of a conversation that is under way already; raises LedgerDown as `enter` does."""
        who = (subject.issuer, subject.id)
        concerned = self._concerned(subject, limits)
        if found := _exceeded(concerned, who, now, at_once=False):
            return found
        for state in concerned:
            state.take(who, now)
        if not (shares := self._shares(subject)):
            return None
        let_in = False
        try:
            found = await self.sharing.say(shares)
            let_in = found is None
        finally:
            if not let_in:
                self._give_back(subject, now)
        return found

    def leave(self, exchange: str) -> None:
        """It is over; one that never entered is none."""
        if exchange in self._inside and exchange not in self._aside:
            self._count(exchange, -1)
        self._aside.discard(exchange)
        self._inside.pop(exchange, None)
        self.sharing.leave(exchange)

    @contextlib.contextmanager
    def aside(self, exchange: str) -> Iterator[None]:
        """It waits for somebody's yes: meanwhile it is not under way."""
        if exchange not in self._inside:
            yield
            return
        self._step(exchange, aside=True)
        try:
            yield
        finally:
            if exchange in self._aside:
                self._step(exchange, aside=False)

    def _step(self, exchange: str, *, aside: bool) -> None:
        self._count(exchange, -1 if aside else 1)
        (self._aside.add if aside else self._aside.discard)(exchange)
        self.sharing.aside(exchange, waits=aside)

    def _count(self, exchange: str, by: int) -> None:
        who, roles = self._inside[exchange]
        for state in self._states:
            if state.concerns(roles):
                state.count(who, by)

    def _give_back(self, subject: Subject, at: float) -> None:
        for state in self._states:
            if state.concerns(subject.roles):
                state.give_back((subject.issuer, subject.id), at)

    def _concerned(self, subject: Subject, limits: Sequence[Limit]) -> list[_State]:
        if limits is not self._limits:
            self._replace(limits)
        return [state for state in self._states if state.concerns(subject.roles)]

    def _shares(self, subject: Subject) -> tuple[Share, ...]:
        """What all gateways count of a request, each once."""
        who = (subject.issuer, subject.id)
        found = (state.share(who, self._digest) for state in self._exact if state.concerns(subject.roles))
        return tuple(dict.fromkeys(found))

    def _replace(self, limits: Sequence[Limit]) -> None:
        """Another policy is in force: what it limits as the last one did goes on, all else begins anew."""
        known = list(self._states)
        self._limits = limits
        self._states = [_State(limit) for limit in limits if not limit.exact]
        self._exact = [_State(limit) for limit in limits if limit.exact]
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
