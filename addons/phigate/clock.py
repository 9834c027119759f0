"""What time it is, and how far that is to be believed: what steps the wall clock is seen by one that only grows.

- What decides about an exchange (ends of bearers, hours of rules, ends of grants) goes by the wall clock, as it is.
- What is dropped, forgotten or told as over for good goes by `surely`: a clock that was put forward makes nothing old.
- Another clock (the ledger's, where it has one of its own) tells which of two was put wrong: the one that stood still
  since they last agreed was not.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from phigate.ledger.ledger import SKEW

if TYPE_CHECKING:
    from collections.abc import Callable

STEP: Final = 2.0
"""Seconds between two looks that are a step: a clock that is only made faster or slower gains half a millisecond a
second (adjtimex(2))."""
SETTLED: Final = 86_400.0
"""Seconds after which a clock that was put forward is believed: nobody's bearer lives longer."""
TOLD: Final = 3600.0
"""Seconds that readiness tells of a step."""
_APART: Final = 0.05
"""Seconds between the readings of two clocks within which they count as one."""


@dataclass(frozen=True, slots=True)
class Step:
    """The wall clock was put forward by so many seconds (negative: back), from what it would have said."""

    seconds: float
    was: float

    @property
    def direction(self) -> Literal["forward", "back"]:
        return "forward" if self.seconds > 0 else "back"

    def record(self) -> dict[str, object]:
        """The fields of its `clock` record."""
        return {"step": round(self.seconds, 3), "was": _utc(self.was)}


class Clock:
    """One process' two clocks; `steady` are seconds that only grow."""

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._ahead = self._sure = wall() - steady()
        """By how much the wall clock is ahead of the steady one, and by how much it surely is."""
        self._forward = self._stepped = float("-inf")
        self._last: Step | None = None
        self._agreed: float | None = None
        self.apart: float | None = None
        """Seconds by which the wall clock was ahead of the ledger's when they were compared; None: never."""
        self.astray = False
        """Whether nobody can be let in by this clock."""

    def look(self) -> Step | None:
        """Notice a step since the last look; to be asked each second."""
        found = self._read()
        if found is None:
            return None
        now, ahead = found
        seconds, self._ahead = ahead - self._ahead, ahead
        if abs(seconds) <= STEP:
            self._sure += seconds
        elif seconds > 0:
            self._forward = now
        if now - self._forward > SETTLED:
            self._sure = ahead
        self._sure = min(self._sure, ahead)
        if abs(seconds) <= STEP:
            return None
        self._stepped, self._last = now, Step(seconds, now + ahead - seconds)
        return self._last

    def surely(self) -> float:
        """Seconds since the epoch that it is at least, whatever the wall clock was put to."""
        return min(self._steady() + self._sure, self._wall())

    def compare(self, there: float | None) -> None:
        """Hold the wall clock against another (seconds since the epoch; None: there is none)."""
        if there is None:
            self.apart, self.astray = None, False
            return
        here, steady = self._wall(), self._steady()
        self.apart, ahead = here - there, here - steady
        if abs(self.apart) <= SKEW:
            self._agreed, self._sure, self.astray = ahead, ahead, False
        else:
            self.astray = self._agreed is None or abs(ahead - self._agreed) > SKEW

    def remarks(self) -> dict[str, str]:
        """What readiness says of it."""
        if self.apart is not None and abs(self.apart) > SKEW:
            whose = "nobody is let in by it" if self.astray else "this one was not put wrong"
            return {"clock": f"it and the ledger's are {abs(self.apart):.0f} s apart: {whose}"}
        if self._last is not None and self._steady() - self._stepped < TOLD:
            return {"clock": f"it was put {self._last.direction} by {abs(self._last.seconds):.0f} s"}
        return {}

    def _read(self) -> tuple[float, float] | None:
        """The steady clock, and what the wall clock is ahead of it; None where the process stood still in between."""
        before, wall, after = self._steady(), self._wall(), self._steady()
        return (after, wall - after) if after - before < _APART else None


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:23] + "Z"
