"""What every source of evidence gives and is given: the contract between them and the span algebra.

Offsets are characters of the text that was fed, from its beginning. The hits of a text are the same at every chunking.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Hit(NamedTuple):
    """One identifier that a source sees: [begin, end), with its honest score (0 to 1)."""

    begin: int
    end: int
    entity: str
    detector: str
    score: float


class Reader(Protocol):
    """One source's view of one text that may still be growing."""

    settled: int
    """Every hit that begins before this offset has been given."""

    def feed(self, text: str) -> list[Hit]:
        """More text; the hits that are certain now, sorted by `begin`, not overlapping each other."""

    def close(self) -> list[Hit]:
        """The text has ended: the hits that were undecided."""


class Source(Protocol):
    """Immutable, shared by threads; `reader` is cheap and called once a text."""

    name: str

    def reader(self) -> Reader: ...
