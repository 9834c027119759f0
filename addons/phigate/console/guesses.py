"""How often a code may be tried: a few times a ticket, and some dozen times in all, within a while. Pure.

Whoever tries counts before it is known whether they are right, so that many at once get no more tries than one by
one; who was right is counted no longer.
"""

from __future__ import annotations

from collections import deque
from typing import Final

WHILE: Final = 300.0
"""Seconds: as long as a code is good for."""
EACH: Final = 5
ALL: Final = 30


class Guesses:
    """The tries of the last while; at most ALL of them are remembered."""

    def __init__(self) -> None:
        self._tried: deque[tuple[float, str]] = deque()

    def take(self, ticket: str, now: float) -> bool:
        """Count a try; False where there were too many, which is none."""
        while self._tried and not now - WHILE < self._tried[0][0] <= now:  # a clock that was set back counts nothing
            self._tried.popleft()
        if len(self._tried) >= ALL or sum(each == ticket for _, each in self._tried) >= EACH:
            return False
        self._tried.append((now, ticket))
        return True

    def give_back(self, ticket: str) -> None:
        """One who tried was right."""
        for each in reversed(self._tried):
            if each[1] == ticket:
                self._tried.remove(each)
                return
