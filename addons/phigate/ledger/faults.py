"""[I/O] Why a database did not do what was asked, in a word of a closed set; how often, and whether a moment ago."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

type Why = Literal["timed-out", "unreachable", "held", "full", "read-only", "damaged", "refused", "gone", "failed"]
"""A label of metrics."""

LATELY: Final = 60.0
"""Seconds that readiness tells of a fault."""
_MOST: Final = 1000

_CODES: Final[dict[str, Why]] = {
    "28000": "refused",
    "28P01": "refused",
    "42501": "refused",
    "53300": "refused",
    "3D000": "gone",
    "42P01": "gone",
    "SQLITE_CANTOPEN": "gone",
    "53100": "full",
    "SQLITE_FULL": "full",
    "25006": "read-only",
    "SQLITE_READONLY": "read-only",
    "57014": "timed-out",
    "55P03": "held",
    "SQLITE_BUSY": "held",
    "SQLITE_NOTADB": "damaged",
    "SQLITE_CORRUPT": "damaged",
}
"""By PostgreSQL's SQLSTATE (appendix A of its manual), or by SQLite's name of the error."""


class Faults:
    """Those of one database; `clock` are seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lately: deque[tuple[float, Why]] = deque(maxlen=_MOST)
        self.total: Counter[Why] = Counter()

    def count(self, error: BaseException) -> None:
        """Count one, whatever was raised."""
        why = why_of(error)
        self.total[why] += 1
        self._lately.append((self._clock(), why))

    def remarks(self) -> dict[str, str]:
        """What readiness says of them."""
        since = self._clock() - LATELY
        found = Counter(why for when, why in list(self._lately) if when > since)
        if not found:
            return {}
        told = ", ".join(f"{why} {times}" for why, times in sorted(found.items()))
        return {"ledger": f"it did not do what was asked, in the last minute: {told}"}


def why_of(error: BaseException) -> Why:
    """The word for what a driver raised, or what it stumbled over."""
    for code in codes(error):
        if code in _CODES:
            return _CODES[code]
    for each in chain(error)[::-1]:
        if isinstance(each, TimeoutError):
            return "timed-out"
        if isinstance(each, OSError):
            return "unreachable"
    return "failed"


def codes(error: BaseException) -> list[str]:
    """The databases' own codes of an error and of what it wraps."""
    found = [getattr(each, "sqlstate", None) or getattr(each, "sqlite_errorname", None) for each in chain(error)]
    return ["_".join(code.split("_")[:2]) for code in found if isinstance(code, str)]


def chain(error: BaseException) -> list[BaseException]:
    """An error, what it wraps, and so on."""
    found = [error]
    while (inner := getattr(found[-1], "orig", None) or found[-1].__cause__) is not None and inner not in found:
        found.append(inner)
    return found
