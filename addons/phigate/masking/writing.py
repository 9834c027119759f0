"""A text as it is read: what is written oddly becomes plain, with a way back to what was written.

Rules of this file: what is read does not depend on how the text was cut; `place` and `after` give back offsets of
the text as written.
"""

from __future__ import annotations


class Writing:
    """One text, whole or growing, read as it stands."""

    def __init__(self) -> None:
        self._size = 0

    def feed(self, text: str) -> str:
        """More of the text: what is read of it now."""
        self._size += len(text)
        return text

    def close(self) -> str:
        """The text has ended: what was still open."""
        return ""

    def place(self, at: int) -> int:
        """Where the character read at `at` begins in the text as written; at the end, where what was read ends."""
        return at

    def after(self, at: int) -> int:
        """Where the character read before `at` ends in the text as written."""
        return at

    def forget(self, at: int) -> None:
        """Nobody will ask for a place before `at` again."""
