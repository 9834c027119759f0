"""Bearers not believed, counted per address and minute, so that nobody can fill the disk by being refused.

A minute's records come out once it is over. Beyond ADDRESSES in one minute the rest count together, as OTHERS.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from phigate.capture.record import Fields, refused_record

if TYPE_CHECKING:
    from datetime import datetime

ADDRESSES = 1024
OTHERS = "others"


class Tally:
    """The running minute's refusals."""

    def __init__(self) -> None:
        self._minute = ""
        self._counts: dict[str, Counter[str]] = {}

    def add(self, address: str, reason: str, now: datetime) -> list[Fields]:
        """Count one refusal (`now` in UTC); what comes back are the `refused` records of a minute that is over."""
        over = self.due(now)
        known = address in self._counts or len(self._counts) < ADDRESSES
        self._counts.setdefault(address if known else OTHERS, Counter())[reason] += 1
        return over

    def due(self, now: datetime) -> list[Fields]:
        """The `refused` records of a minute that is over by `now`; to be asked now and then."""
        minute = f"{now:%Y-%m-%dT%H:%MZ}"
        over = [] if minute == self._minute else self.rest()
        self._minute = minute
        return over

    def rest(self) -> list[Fields]:
        """All that is counted so far, as `refused` records; for the end."""
        counts, self._counts = self._counts, {}
        return [refused_record(address, self._minute, reasons) for address, reasons in counts.items()]
