"""One walk over a period's exchanges: counts by who and what, by time, and how long they took.

Memory grows with the people, rules and outcomes that there are, and not with the exchanges: durations are kept as
counts in steps of one per cent.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from phigate.audit.report.sql import IN_PERIOD, PERSON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.audit.report.sql import Asking

VERBS: Final = ("permit", "hold", "deny", "break_glass")
RAN: Final = ("permit", "break_glass")
"""Verbs of what went on to a model."""
_STEP: Final = math.log(1.01)


class Group(NamedTuple):
    """Exchanges that have all of this in common; `first` and `last` in seconds since the epoch."""

    issuer: str
    subject: str
    roles: str
    verb: str
    rule: str
    reason: str
    outcome: str | None
    mask: str
    policy: str | None
    exchanges: int
    first: float
    last: float

    @property
    def person(self) -> tuple[str, str]:
        return self.issuer, self.subject

    @property
    def ran(self) -> bool:
        return self.verb in RAN


class Durations:
    """How often something took how long, in steps of one per cent."""

    def __init__(self) -> None:
        self._counts = Counter[int]()

    def add(self, seconds: float) -> None:
        self._counts[math.floor(math.log(max(seconds, 1e-6)) / _STEP)] += 1

    def percentile(self, percent: int) -> float | None:
        """By nearest rank, within half a per cent; None of nothing."""
        rank, seen = -(-self._counts.total() * percent // 100), 0
        for step in sorted(self._counts):
            seen += self._counts[step]
            if seen >= rank:
                return math.exp((step + 0.5) * _STEP)
        return None


@dataclass(slots=True)
class Walk:
    """What one walk found; lists have a value for each bar of the period."""

    bars: int
    groups: list[Group] = field(default_factory=list)
    verbs: dict[str, list[int]] = field(init=False)
    week: list[list[int]] = field(default_factory=lambda: [[0] * 24 for _ in range(7)])
    total: list[Durations] = field(init=False)
    gateway: list[Durations] = field(init=False)

    def __post_init__(self) -> None:
        self.verbs = {verb: [0] * self.bars for verb in VERBS}
        self.total, self.gateway = ([Durations() for _ in range(self.bars)] for _ in range(2))


def walk(asking: Asking) -> Walk:
    """Every exchange of the period whose request is on record."""
    period = asking.period
    found, groups = Walk(len(period.bars)), dict[tuple[Any, ...], list[Any]]()
    rows = asking.rows(
        f"SELECT {PERSON}, roles, verb, coalesce(rule, '-'), coalesce(reason, '-'), outcome, coalesce(mask, '-'),"  # noqa: S608 -- our own words
        f" policy, at, {period.bar('at')}, {period.weekday('at')}, {period.hour('at')}, total, gateway"
        f" FROM exchange WHERE {IN_PERIOD} AND verb IS NOT NULL"
    )
    for each in rows:
        key, (at, bar, weekday, hour, total, gateway) = each[:9], each[9:]
        group = groups.get(key)
        if group is None:
            groups[key] = [1, at, at]
        else:
            group[0] += 1
            group[1], group[2] = min(group[1], at), max(group[2], at)
        if key[3] in found.verbs:
            found.verbs[key[3]][bar] += 1
        found.week[weekday][hour] += 1
        if total is not None:
            found.total[bar].add(total)
        if gateway is not None:
            found.gateway[bar].add(gateway)
    found.groups = [Group(*key, *counted) for key, counted in groups.items()]
    return found


def ranked(groups: Iterator[tuple[tuple[str, ...], Group]]) -> list[tuple[Any, ...]]:
    """Per key its exchanges and its different people, most exchanges first."""
    counts, people = Counter[tuple[str, ...]](), dict[tuple[str, ...], set[tuple[str, str]]]()
    for key, group in groups:
        counts[key] += group.exchanges
        people.setdefault(key, set()).add(group.person)
    return [(*key, count, len(people[key])) for key, count in sorted(counts.items(), key=lambda at: (-at[1], at[0]))]
