"""How much of large bodies is held at once, in all: whoever comes when there is no more room is told to come again."""

from __future__ import annotations

from typing import Final

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

    def take(self, exchange: str, size: int) -> bool:
        """Whether there is room for so many bytes more; they are held until the exchange leaves."""
        if size <= SMALL:
            return True
        if self.held + size > self.most:
            return False
        self.held += size
        self._sizes[exchange] = self._sizes.get(exchange, 0) + size
        return True

    def leave(self, exchange: str) -> None:
        """The exchange is over; a second time does nothing."""
        self.held -= self._sizes.pop(exchange, 0)
