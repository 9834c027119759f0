"""The times of a question: what is written after `--since` and `--until`, as seconds since the epoch.

A time is RFC 3339 (`2026-11-23T15:04:05Z`; without an offset it is UTC, as in the journal), a date, or a length of
time back from now (`7d`, `PT2H`). A date counts whole: `--since` begins with it, `--until` ends with it. A span begins
with its first moment and ends before its last.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

_SHORT: Final = re.compile(r"(\d{1,6})([smhdw])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONG: Final = re.compile(
    r"P(?=.)(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,6})S)?)?",
    re.ASCII,
)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)
EXPECTED: Final = "expected a time (2026-11-23T15:04:05Z), a date (2026-11-23), or how long ago (7d, PT2H)"


class NoTime(ValueError):  # noqa: N818 -- a fault of what somebody typed, told in their words
    """What was typed is no time; the message says what is expected."""


def since(text: str, now: datetime) -> float:
    """The first moment that counts."""
    return _moment(text, now, after=timedelta())


def until(text: str, now: datetime) -> float:
    """The first moment that does not count any more."""
    return _moment(text, now, after=timedelta(days=1))


def _moment(text: str, now: datetime, *, after: timedelta) -> float:
    """Seconds since the epoch; `after` is where in a day that is named as such the moment lies."""
    text = text.strip()
    try:
        if ago := _length(text):
            return (now - ago).timestamp()
        if _DAY.fullmatch(text):
            return (datetime.combine(date.fromisoformat(text), time(), UTC) + after).timestamp()
        if _MOMENT.fullmatch(text):
            found = datetime.fromisoformat(text.upper())
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):  # the 30th of February, or before the year 1
        pass
    raise NoTime(EXPECTED)


def _length(text: str) -> timedelta | None:
    if short := _SHORT.fullmatch(text):
        return timedelta(**{_UNITS[short[2]]: int(short[1])})
    if long := _LONG.fullmatch(text):
        return timedelta(**{unit: int(count) for unit, count in long.groupdict().items() if count})
    return None


def seconds_of(ts: object) -> float | None:
    """Seconds since the epoch of a record's time, or None when it is none."""
    try:
        return datetime.fromisoformat(str(ts)).timestamp()
    except (ValueError, OverflowError):
        return None


def written(at: float) -> str:
    """A time for people: UTC, to the second."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"
