"""How much of large bodies is held at once, in all: whoever comes when there is no more room is told to come again.

One person gets half of it, so that nobody keeps everybody else out.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

MOST: Final = 512 * 1024 * 1024
"""Bytes of large bodies whose exchanges are not over."""
SMALL: Final = 64 * 1024
"""Bytes of a body for which there is always room."""


class Room:
    """Bodies by exchange."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.held = 0
        self._sizes: dict[str, int] = {}
        self._owners: dict[str, Hashable] = {}
        self._shares: Counter[Hashable] = Counter()

    def take(self, exchange: str, size: int) -> bool:
        """Whether there is room for so many bytes more; they are held until the exchange leaves."""
        if size <= SMALL:
            return True
        owner = self._owners.get(exchange)
        if self.held + size > self.most or (owner is not None and self._beyond(owner, size)):
            return False
        self.held += size
        self._sizes[exchange] = self._sizes.get(exchange, 0) + size
        if owner is not None:
            self._shares[owner] += size
        return True

    def belongs(self, exchange: str, owner: Hashable) -> bool:
        """Say whose an exchange is; whether what it holds, and may come to hold, is within this person's share."""
        if exchange in self._owners:
            return True
        size = self._sizes.get(exchange, 0)
        if size and self._beyond(owner, size):
            return False
        self._owners[exchange] = owner
        self._shares[owner] += size
        return True

    def leave(self, exchange: str) -> None:
        """The exchange is over; a second time does nothing."""
        size = self._sizes.pop(exchange, 0)
        self.held -= size
        owner = self._owners.pop(exchange, None)
        if owner is not None:
            self._shares[owner] -= size
            if not self._shares[owner]:
                del self._shares[owner]

    def _beyond(self, owner: Hashable, size: int) -> bool:
        return self._shares[owner] + size > self.most // 2
