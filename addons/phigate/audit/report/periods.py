"""A stretch of time in somebody's time zone, and how SQL says what day and hour a moment had there.

An hour of the day means something to people only in their own zone. SQLite knows none, so that a column of seconds
since the epoch is moved by the zone's offset, piece by piece where clocks were changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1)  # a Thursday
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_MOST: Final = 75
"""Bars a chart of time has at most."""
_WIDTHS: Final = (1, 7, 28)


@dataclass(frozen=True, slots=True)
class Period:
    """`since` counts, `until` does not any more: seconds since the epoch."""

    since: float
    until: float
    zone: tzinfo = UTC

    def local(self, column: str, before: float = 0) -> str:
        """SQL: `column` in local seconds; right from so many seconds `before` the period to its end."""
        pieces = _offsets(self.since - before, self.until, self.zone)
        if len(pieces) == 1:
            return f"({column} + {pieces[0][1]})"
        whens = " ".join(f"WHEN {column} < {end} THEN {offset}" for end, offset in pieces[:-1])
        return f"({column} + CASE {whens} ELSE {pieces[-1][1]} END)"

    def day(self, column: str, before: float = 0) -> str:
        """SQL: the local day as a number; `date_of` reads it."""
        return f"CAST({self.local(column, before)} / {DAY} AS INT)"

    def hour(self, column: str, before: float = 0) -> str:
        """SQL: the local hour, 0 to 23."""
        return f"(CAST({self.local(column, before)} / 3600 AS INT) % 24)"

    def weekday(self, column: str) -> str:
        """SQL: 0 for Monday."""
        return f"(({self.day(column)} + 3) % 7)"

    @property
    def first(self) -> date:
        return self.date_at(self.since)

    @property
    def last(self) -> date:
        """The last day that has a moment in it."""
        return max(self.first, self.date_at(self.until - 1e-3))

    def time_at(self, at: float) -> datetime:
        """A moment in the zone; one that no calendar has (a record may say anything) is its first or last."""
        try:
            return datetime.fromtimestamp(at, self.zone)
        except (OverflowError, ValueError, OSError):
            return _EARLIEST.replace(tzinfo=self.zone) if at < 0 else _LATEST.replace(tzinfo=self.zone)

    def date_at(self, at: float) -> date:
        return self.time_at(at).date()

    @property
    def width(self) -> int:
        """Days that one bar of a chart stands for."""
        days = (self.last - self.first).days + 1
        return next((width for width in _WIDTHS if days <= _MOST * width), -(-days // _MOST))

    def bar(self, column: str) -> str:
        """SQL: the number of the bar a moment falls into, from 0."""
        return f"(({self.day(column)} - {number_of(self.first)}) / {self.width})"

    @property
    def bars(self) -> list[date]:
        """The first day of each bar."""
        days = (self.last - self.first).days + 1
        return [self.first + timedelta(days=at) for at in range(0, days, self.width)]


def number_of(day: date) -> int:
    return (day - _EPOCH).days


def date_of(number: int) -> date:
    return _EPOCH + timedelta(days=number)


def _offsets(since: float, until: float, zone: tzinfo) -> list[tuple[int, int]]:
    """(until when, the offset in seconds), in order; the last one's end means nothing."""
    start, end = int(since), int(until) + 1
    pieces = []
    offset = _offset(start, zone)
    for at in [*range(start + DAY, end, DAY), end]:
        if (later := _offset(at, zone)) != offset:
            pieces.append((_change(max(start, at - DAY), at, zone), offset))
            offset = later
    return [*pieces, (end, offset)]


def _change(low: int, high: int, zone: tzinfo) -> int:
    """The second at which the offset that holds at `high` begins."""
    then = _offset(high, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle, zone) == then:
            high = middle
        else:
            low = middle
    return high


def _offset(at: int, zone: tzinfo) -> int:
    moved = datetime.fromtimestamp(at, zone).utcoffset()
    return int(moved.total_seconds()) if moved else 0
