"""Why nothing comes of an answer, or of a wish to see: one word, the same in whichever way it came."""

from __future__ import annotations


class No(Exception):  # noqa: N818 -- an answer, not an error
    """A kebab-case reason; what it says to whoever asked is up to where they asked."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
