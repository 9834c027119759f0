"""Which activity stands out: one subject's days go in, what is unusual about them comes out.

Everybody is measured against their own past, never against a profile of what people do: who works nights has nights
in their past. A day is compared with the subject's active days in the WINDOW before it, by medians, so that one wild
day does not hide the next; and only once there are LIMITS.past of them. Each kind needs a floor in absolute numbers
as well, so that three exchanges after a week of one raise nothing.

This supports the review of 45 CFR 164.308(a)(1)(ii)(D) and is no verdict: a busy day can be a mass casualty, and who
always did what they should not stands out nowhere.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

type Kind = Literal["new-subject", "odd-hours", "volume", "many-patients", "repeated-denials"]

WINDOW: Final = 90
"""Days of the past that count."""
_CONSISTENT: Final = 1.4826
"""Makes the median absolute deviation of normal figures their standard deviation."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds; the report prints them."""

    past: int = 10
    """Active days before a subject's own past says anything."""
    young: int = 14
    """Days the journal must reach back before a first appearance is one."""
    ratio: float = 3.0
    score: float = 6.0
    """A day's figure is unusual at so many times the median and so many robust deviations above it."""
    exchanges: int = 20
    patients: int = 20
    patients_alone: int = 50
    """For who has no past yet."""
    denials: int = 10
    odd: int = 3
    odd_share: float = 0.01
    """Exchanges of a day at hours that, with the hour before and after, hold less than this share of the past."""


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Day:
    """What one subject did on one day: `patients` is distinct identifiers revealed, `hours` exchanges by local hour."""

    day: date
    exchanges: int
    denied: int = 0
    patients: int = 0
    hours: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unusual:
    """One kind of thing about one subject: the `days` it was so, the worst of them, and what is usual (a median)."""

    kind: Kind
    days: int
    worst: date
    count: int
    usual: float | None
    past: int
    """Active days that `usual` comes from."""

    @property
    def weight(self) -> float:
        """For an order: how far from usual."""
        return self.count / max(1.0, self.usual or 1.0)


class _Past:
    """A subject's active days within the WINDOW, kept in order of size for their medians."""

    def __init__(self) -> None:
        self._days: deque[Day] = deque()
        self._sorted: dict[str, list[int]] = {"exchanges": [], "patients": [], "denied": []}
        self._hours = [0] * 24

    def __len__(self) -> int:
        return len(self._days)

    def until(self, today: date) -> None:
        """Forget what is too long ago."""
        while self._days and (today - self._days[0].day).days > WINDOW:
            self._count(self._days.popleft(), -1)

    def add(self, day: Day) -> None:
        self._days.append(day)
        self._count(day, 1)

    def median(self, name: str) -> float:
        return _middle(self._sorted[name])

    def deviation(self, name: str) -> float:
        """Robust; never less than the chance of counting (the root of the median), nor than one."""
        median = self.median(name)
        spread = _middle(sorted(abs(value - median) for value in self._sorted[name]))
        return max(spread * _CONSISTENT, sqrt(median), 1.0)

    def share(self, hour: int) -> float:
        """The part of the past's exchanges that fell within an hour of this one."""
        near = sum(self._hours[(hour + by) % 24] for by in (-1, 0, 1))
        return near / max(1, sum(self._hours))

    def _count(self, day: Day, sign: int) -> None:
        for name, values in self._sorted.items():
            value = getattr(day, name)
            if sign > 0:
                insort(values, value)
            else:
                del values[bisect_left(values, value)]
        for hour, count in day.hours.items():
            self._hours[hour] += sign * count


def of_subject(
    days: Iterable[Day], since: date, *, first: date, journal: date, limits: Limits = LIMITS
) -> list[Unusual]:
    """What stands out in `days` (active ones, in order, from a WINDOW before `since` on) from `since` on.

    `first` is the day of the subject's first record ever, `journal` that of anybody's.
    """
    past, found = _Past(), dict[str, Unusual]()
    for day in days:
        past.until(day.day)
        if day.day >= since:
            if day.day == first and (day.day - journal).days >= limits.young:
                _note(found, Unusual("new-subject", 1, day.day, day.exchanges, None, 0))
            for each in _judge(day, past, limits):
                _note(found, each)
        past.add(day)
    return list(found.values())


def _judge(day: Day, past: _Past, limits: Limits) -> Iterable[Unusual]:
    known = len(past) >= limits.past
    if known and _far(day.exchanges, "exchanges", limits.exchanges, past, limits):
        yield Unusual("volume", 1, day.day, day.exchanges, past.median("exchanges"), len(past))
    if known and _far(day.patients, "patients", limits.patients, past, limits):
        yield Unusual("many-patients", 1, day.day, day.patients, past.median("patients"), len(past))
    elif not known and day.patients >= limits.patients_alone:
        yield Unusual("many-patients", 1, day.day, day.patients, None, len(past))
    if day.denied >= limits.denials and day.denied >= limits.ratio * past.median("denied"):
        yield Unusual("repeated-denials", 1, day.day, day.denied, past.median("denied"), len(past))
    if known:
        odd = sum(count for hour, count in day.hours.items() if past.share(hour) < limits.odd_share)
        if odd >= limits.odd:
            yield Unusual("odd-hours", 1, day.day, odd, 0.0, len(past))


def _far(value: int, name: str, floor: int, past: _Past, limits: Limits) -> bool:
    median = past.median(name)
    if value < floor or value < limits.ratio * median:
        return False
    return (value - median) / past.deviation(name) >= limits.score


def _note(found: dict[str, Unusual], new: Unusual) -> None:
    """One entry a kind: the worst day, and how many there were."""
    old = found.get(new.kind)
    if old is None:
        found[new.kind] = new
        return
    worst = max(old, new, key=lambda each: each.weight)
    found[new.kind] = Unusual(worst.kind, old.days + 1, worst.worst, worst.count, worst.usual, worst.past)


def _middle(values: list[int] | list[float]) -> float:
    if not values:
        return 0.0
    half = len(values) // 2
    return float(values[half]) if len(values) % 2 else (values[half - 1] + values[half]) / 2
