"""Where an answer is cut: its text between two events, its bytes between two pieces on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from phigate.conformance import probe, wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phigate.conformance.cases import Case

SOME: Final = 5
"""Places of each kind that are tried when not all are."""


@dataclass(frozen=True, slots=True)
class Cut:
    """`text`: characters at which the text is cut; `raw`: bytes at which the body is, None for one piece an event."""

    text: tuple[int, ...]
    raw: tuple[int, ...] | None
    name: str


def cuts(case: Case, limit: int | None = SOME) -> Iterator[Cut]:
    """A case's runs: each place alone, and all at once; `limit` characters, one byte less, the same ones each time."""
    middle = middles(case.spoken)
    letters = range(1, len(case.spoken))
    if case.each:
        yield Cut(tuple(letters), None, "text at every character")
    if case.letters:  # an event a character: too many bytes to be cut at each
        return
    if case.each:
        for place in _spread(letters, middle, limit):
            yield Cut((place,), None, f"text at character {place}")
    base = (middle[0],) if case.each else ()
    size = len(wire.answer(case, at=base).body)
    yield Cut(base, tuple(range(1, size)), "bytes at every byte")
    for place in _spread(range(1, size), (), limit and limit - 1):
        yield Cut(base, (place,), f"bytes at byte {place}")


def middles(spoken: str) -> list[int]:
    """A place in the middle of each identifier that is spoken as it stands, or of it all."""
    starts = [(spoken.find(value), len(value)) for value in probe.IDENTIFIERS.values()]
    return [start + size // 2 for start, size in starts if start >= 0] or [max(1, len(spoken) // 2)]


def _spread(places: Sequence[int], first: Sequence[int], limit: int | None) -> list[int]:
    """All places; or so many of them, those that matter most first, the rest evenly spread."""
    if limit is None or len(places) <= limit:
        return list(places)
    chosen = list(dict.fromkeys(first))[:limit]
    rest = limit - len(chosen)
    chosen += [places[(2 * at + 1) * len(places) // (2 * rest)] for at in range(rest)]
    return list(dict.fromkeys(chosen))
