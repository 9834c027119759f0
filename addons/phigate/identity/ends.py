"""When bearers are over, by a clock that only grows: one that was believed once is never believed for longer.

A bearer's end is a time on the wall (RFC 7519, 4.1.4). Where that clock is put back, what was over would be good again;
of those that were believed before, this says how long they had left then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phigate.identity.cache import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

ENTRIES: Final = 32_768


class Ends:
    """Ends by bearer; the oldest entry leaves when there are too many. `clock` are seconds that only grow."""

    def __init__(self, clock: Callable[[], float], entries: int = ENTRIES) -> None:
        self._clock, self._entries = clock, entries
        self._ends: dict[bytes, float] = {}

    def over(self, bearer: str, left: float) -> bool:
        """Tell whether a bearer, which by the clock on the wall has `left` seconds to go, is over all the same."""
        digest, now = digest_of(bearer), self._clock()
        end = self._ends.get(digest)
        if end is not None:
            return now >= end
        while len(self._ends) >= self._entries:
            del self._ends[next(iter(self._ends))]
        self._ends[digest] = now + left
        return False
