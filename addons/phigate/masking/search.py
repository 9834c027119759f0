"""Pattern rows at work: searched together in linear time, on a text that may still be growing.

Rules of this file:
- Whether something matches at a place depends on the text from there to the match's end and on the character before
  and after, on nothing else. So a place is decided as soon as nothing starting there can still be in progress.
- Text is walked once, left to right: the leftmost match wins, at one place the first row; the walk goes on at the end
  of what was found. A match that its check refuses leaves its place to the next row, then the walk moves on by one.
- Everything runs on UTF-8 bytes; characters are counted for what is found.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from phigate.masking.evidence import ENCODING, Hit
from phigate.masking.patterns import (
    SEEN,
    PatternError,
    first_bytes,
    joined,
    longest,
    opened,
    parse,
    pending,
    searching,
    spotting,
    table,
    widest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phigate.masking.detector import Detector
    from phigate.masking.patterns import Node

CONTEXT = 4
"""Bytes kept before what is undecided: the widest character, so that word boundaries are seen as in the whole."""
BIG, SMALL = 16, 2
"""Windows of a search, in widths of the widest match: while nothing was refused, and after a refusal."""
CONTINUED = bytes(range(0x80, 0xC0))
"""Bytes that begin no character."""


type Match = tuple[int, int, Detector]
"""A match in a buffer: its identifier is [begin, end), in bytes."""


class Patterns:
    """Detectors compiled together: one pass finds where any of them may match, a second, anchored there, which.

    The joined automata are looser than the patterns (patterns.source), so a place they name may be refused. What a
    hostile text can gain by that is bounded: a search never looks further than a match is wide, but for a big window
    while nothing was refused.
    """

    name = "patterns"

    def __init__(self, detectors: tuple[Detector, ...]) -> None:
        trees = [_tree(each) for each in detectors]
        self.reach = max(map(longest, trees))
        widths = [widest(tree) + CONTEXT for tree in trees]
        self._width = max(widths)
        self._search, self._pending = searching(joined(trees)), pending(trees)
        self._table = table(trees)
        self._rows = [
            (spotting(each.pattern, tree), each, width, _standing(each))
            for each, tree, width in zip(detectors, trees, widths, strict=True)
        ]

    def reader(self) -> PatternReader:
        return PatternReader(self)

    def hits(self, text: str) -> list[Hit]:
        reader = PatternReader(self)
        return reader.close_after(text)

    def walk(self, text: bytes, at: int, until: int) -> Iterator[Match]:
        """Every match starting in [at, until), one after the other, as far as this text shows."""
        search, table, rows, width, size = self._search, self._table, self._rows, self._width, len(text)
        ahead = BIG * width
        while at < until:
            end = at + ahead
            # What starts in the last width of a window may end outside of it: it belongs to the next window.
            clear = end - width if end < size else size
            start = search(text, at, min(end, size))[0][0]
            if start < 0 or start >= clear:
                at, ahead = clear, BIG * width
                if clear == size:
                    return
                continue
            if start >= until:
                return
            named = table(text[start : start + SEEN])
            if len(named) != 1:  # the table names one row at least, or its engine gave up and every row is tried
                named = sorted(named or range(len(rows)))
            for index in named:
                spot, detector, reach, standing = rows[index]
                begin, stop = spot(text, start, min(start + reach, size))
                if begin >= 0:
                    if standing:
                        stop = begin + standing(text[begin:stop])
                    if stop > begin:
                        yield begin, stop, detector
                        at, ahead = stop, BIG * width
                        break
            else:
                at, ahead = start + 1, SMALL * width

    def undecided(self, text: bytes, at: int) -> int:
        """The first place at or after `at`, on a character's edge, where more text could make or change a match."""
        # Beyond the width of the widest match nothing is in progress, whatever the looser closure says.
        place = self._pending(text, max(at, len(text) - self._width))
        while at < place < len(text) and text[place] & 0xC0 == 0x80:
            place -= 1
        return place


def _tree(detector: Detector) -> Node:
    try:
        tree = parse(opened(detector.pattern))
    except PatternError as fault:
        raise PatternError(f"{detector.name}: {fault}") from None
    if first_bytes(tree)[1]:
        raise PatternError(f"{detector.name}: matches the empty text")
    if detector.pattern.count("(?P<id>") != 1:
        raise PatternError(f"{detector.name}: needs exactly one `(?P<id>...)`")
    return tree


def _standing(detector: Detector) -> Callable[[bytes], int] | None:
    """How many bytes of a match stand, as the row's `check` and `narrow` say; None where all of it always does."""
    check, narrow = detector.check, detector.narrow
    if not narrow:
        return (lambda raw: len(raw) if check(raw.decode(*ENCODING)) else 0) if check else None

    def standing(raw: bytes) -> int:
        text = narrow(raw.decode(*ENCODING))
        return len(text.encode(*ENCODING)) if text and (check is None or check(text)) else 0

    return standing


@lru_cache(maxsize=4)
def compiled(detectors: tuple[Detector, ...]) -> Patterns:
    """The rows' automata, made once for a table: it takes a second or two."""
    return Patterns(detectors)


class Bounded(Protocol):
    """What a PatternReader reads with: matches of bounded length, anywhere in a buffer."""

    def walk(self, text: bytes, at: int, until: int) -> Iterator[Match]: ...

    def undecided(self, text: bytes, at: int) -> int: ...


class PatternReader:
    """One text as the patterns see it: what is undecided is kept as bytes, with a character before it."""

    def __init__(self, patterns: Bounded) -> None:
        self._patterns = patterns
        self._text, self._at = b"", 0
        self._base = 0
        """Characters before the kept bytes."""
        self.settled = 0

    def feed(self, text: str) -> list[Hit]:
        self._text += text.encode(*ENCODING)
        undecided = self._patterns.undecided(self._text, self._at)
        return self._advance(undecided) if undecided > self._at else []

    def close(self) -> list[Hit]:
        return self._advance(len(self._text))

    def close_after(self, text: str) -> list[Hit]:
        """`feed` and `close` without a look at what is undecided between them."""
        self._text += text.encode(*ENCODING)
        return self.close()

    def _advance(self, undecided: int) -> list[Hit]:
        text, at, hits = self._text, self._at, []
        plain = text.isascii()
        seen, counted = 0, self._base
        while at < undecided:
            for start, stop, row in self._patterns.walk(text, at, undecided):
                if plain:
                    begin, end = start + self._base, stop + self._base
                else:
                    begin = counted + characters(text[seen:start])
                    end = begin + characters(text[start:stop])
                    seen, counted = stop, end
                at = stop
                hits.append(Hit(begin, end, row.entity, row.name, row.score))
            if at < undecided:
                at = undecided
            elif at > undecided:
                undecided = self._patterns.undecided(text, at)
        self.settled = self._base + at if plain else counted + characters(text[seen:at])
        keep = max(0, at - CONTEXT)
        self._base += characters(text[:keep])
        self._text, self._at = text[keep:], at - keep
        return hits


def characters(raw: bytes) -> int:
    """How many characters begin in these bytes."""
    return len(raw) if raw.isascii() else len(raw.translate(None, CONTINUED))
