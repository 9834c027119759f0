"""Whether hours ever meet: those in which something is asked for, answered, and used. Pure.

Only what is certain is said: hours by the clocks of different places are taken to meet, and an hour is added to every
length of time, since a clock may be moved meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phigate.policy.hours import WEEK

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from phigate.policy.hours import Times

type Week = bytes
"""A byte for each minute of a week: 1 where it is one of them."""

ALWAYS: Final[Week] = bytes([1]) * WEEK
NEVER: Final[Week] = bytes(WEEK)
_MOVED: Final = 60
"""Minutes by which a clock may be moved."""


def one_clock(hours: Iterable[Times | None]) -> bool:
    """Whether all of these are by the clocks of one place; None is always, by any clock."""
    return len({zone.key for each in hours if each is not None for zone, _ in each.weeks}) < 2


def week(hours: Times | None) -> Week:
    """The minutes of hours that are by one clock."""
    return ALWAYS if hours is None else hours.weeks[0][1]


def both(one: Week, other: Week) -> Week:
    return bytes(a & b for a, b in zip(one, other, strict=True))


def either(weeks: Iterable[Week]) -> Week:
    found = NEVER
    for each in weeks:
        found = bytes(a | b for a, b in zip(found, each, strict=True))
    return found


def without(one: Week, other: Week) -> Week:
    return bytes(a & ~b & 1 for a, b in zip(one, other, strict=True))


def ever(asked: Week, answered: Week, used: Week, waits: timedelta, lasts: timedelta) -> bool:
    """Whether somebody can ask, be answered while that waits, and use the answer while it lasts."""
    in_time = _within(asked, waits)
    of_use = _within(used[::-1], lasts)[::-1]
    return 1 in both(answered, both(in_time, of_use))


def _within(minutes: Week, length: timedelta) -> Week:
    """The minutes that are not longer than this after one of these."""
    reach = int(length.total_seconds() // 60) + _MOVED
    last, found = -WEEK - reach, bytearray(WEEK)
    for minute in range(-WEEK, WEEK):  # the week before leads into this one
        if minutes[minute % WEEK]:
            last = minute
        if minute >= 0 and minute - last <= reach:
            found[minute] = 1
    return bytes(found)
