"""Finding identifiers in a text that may still be growing.

Rules of this file:
- Whether something matches at a place depends on the text from there to the match's end and on the character before
  and after, on nothing else. So a place is decided as soon as nothing starting there can still be in progress.
- Text is walked once, left to right: the leftmost match wins, at one place the longer; the walk goes on at the end of
  what was found. A match that its check refuses leaves its place to the next detector, then the walk moves on by one.
- The whole text is the stream with one feed: there is no second way to find, so both give the same at any chunking.
- Everything runs on UTF-8 bytes; characters are counted only for who asks.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

from phigate.exchange import Finding
from phigate.masking.detectors import DETECTORS
from phigate.masking.patterns import (
    PatternError,
    closure,
    first_bytes,
    joined,
    longest,
    matching,
    opened,
    parse,
    searching,
    single,
    table,
    widest,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.masking.detector import Detector
    from phigate.masking.patterns import Node
    from phigate.masking.roster import Roster

CONTEXT = 4
"""Bytes kept before what is undecided: the widest character, so that word boundaries are seen as in the whole."""
BIG, SMALL = 16, 2
"""Windows of a search, in widths of the widest match: while nothing was refused, and after a refusal."""
ENCODING = ("utf-8", "surrogatepass")
"""Half a surrogate pair may arrive (JSON escapes split over two chunks) and must leave as it came."""


class Hit(NamedTuple):
    """A match in a buffer, in bytes: it begins at `start` with its context; the identifier is [begin, end)."""

    start: int
    begin: int
    end: int
    entity: str
    detector: str
    score: float


class Source(Protocol):
    """Where evidence comes from: patterns, the roster."""

    reach: int
    """The most characters that can be undecided."""

    def next(self, text: bytes, at: int, until: int) -> Hit | None:
        """The first match starting in [at, until), as far as this text shows."""

    def undecided(self, text: bytes, at: int) -> int:
        """The first place at or after `at` where more text could make or change a match; at most the text's end."""


class Piece(NamedTuple):
    """A run of text in order: with `entity` None plain, else one identifier."""

    text: str
    entity: str | None = None
    detector: str = ""
    score: float = 0.0


class Patterns:
    """Detectors compiled together: one pass finds where any of them may match, a second, anchored there, which.

    The joined automata are looser than the patterns (patterns.source), so a place they name may be refused. What a
    hostile text can gain by that is bounded: a search never looks further than a match is wide, but for a big window
    while nothing was refused.
    """

    def __init__(self, detectors: tuple[Detector, ...]) -> None:
        trees = [_tree(each) for each in detectors]
        self.reach = max(map(longest, trees))
        self._width = max(map(widest, trees)) + CONTEXT
        self._search, self._close = searching(joined(trees)), searching(closure(trees))
        self._table = table(trees)
        self._rows = [
            (matching(single(opened(each.pattern))), each, widest(tree) + CONTEXT, bool(each.check or each.narrow))
            for each, tree in zip(detectors, trees, strict=True)
        ]

    def next(self, text: bytes, at: int, until: int) -> Hit | None:
        return next(self.walk(text, at, until), None)

    def walk(self, text: bytes, at: int, until: int) -> Iterator[Hit]:
        """Every match starting in [at, until), one after the other: `next` without beginning anew."""
        search, width, size = self._search, self._width, len(text)
        ahead = BIG
        while at < until:
            end = min(at + ahead * width, size)
            # What starts in the last width of a window may end outside of it: it belongs to the next window.
            clear = end if end == size else end - width
            start = search(text, at, end)[0][0]
            if start < 0 or start >= clear:
                at, ahead = clear, BIG
                if clear == size:
                    return
            elif start >= until:
                return
            elif hit := self._hit(text, start):
                yield hit
                at, ahead = hit.end, BIG
            else:
                at, ahead = start + 1, SMALL

    def _hit(self, text: bytes, start: int) -> Hit | None:
        rows = self._table(text[start : start + self._width])
        if len(rows) != 1:  # the table names one row at least, or its engine gave up and every row is tried
            rows = sorted(rows or range(len(self._rows)))
        for index in rows:
            match, detector, width, checked = self._rows[index]
            begin, end = match(text, start, min(start + width, len(text)))[1]
            if begin >= 0:
                if checked:
                    end = begin + _standing(detector, text[begin:end].decode(*ENCODING))
                if end > begin:
                    return Hit(start, begin, end, detector.entity, detector.name, detector.score)
        return None

    def undecided(self, text: bytes, at: int) -> int:
        start = self._close(text, at, len(text))[0][0]
        # Beyond the width of the widest match nothing is in progress, whatever the looser closure says.
        return max(start, len(text) - self._width) if start >= 0 else at


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


def _standing(detector: Detector, text: str) -> int:
    if detector.narrow:
        text = detector.narrow(text)
    return len(text.encode(*ENCODING)) if text and (detector.check is None or detector.check(text)) else 0


@lru_cache(maxsize=4)
def _compiled(detectors: tuple[Detector, ...]) -> Patterns:
    return Patterns(detectors)


class Detectors:
    """Every source of evidence, immutable, compiled once and shared by all exchanges."""

    def __init__(self, detectors: tuple[Detector, ...] = DETECTORS, roster: Roster | None = None) -> None:
        self._patterns = _compiled(detectors)
        self._sources: tuple[Source, ...] = (self._patterns, *((roster,) if roster else ()))
        self.reach = max(source.reach for source in self._sources)
        """The most characters a stream is ever held back."""

    def scanner(self) -> Scanner:
        """For one text, whole or growing."""
        return Scanner(self)

    def find(self, text: str) -> list[Finding]:
        """All identifiers of a whole text, sorted, not overlapping, in characters."""
        raw = text.encode(*ENCODING)
        plain = len(raw) == len(text)
        findings, seen, counted = [], 0, 0
        for hit in self.hits(raw, 0, len(raw)):
            begin, end = hit.begin, hit.end
            if not plain:
                begin = counted + _characters(raw, seen, hit.begin)
                end = begin + _characters(raw, hit.begin, hit.end)
                seen, counted = hit.end, end
            findings.append(Finding(begin, end, hit.entity, hit.score, hit.detector))
        return findings

    def pieces(self, text: str) -> list[Piece]:
        """A whole text in pieces, the very ones that a Scanner gives for it."""
        raw = text.encode(*ENCODING)
        pieces, at = [], 0
        for hit in self.hits(raw, 0, len(raw)):
            if hit.begin > at:
                pieces.append(Piece(raw[at : hit.begin].decode(*ENCODING)))
            pieces.append(Piece(raw[hit.begin : hit.end].decode(*ENCODING), hit.entity, hit.detector, hit.score))
            at = hit.end
        if at < len(raw):
            pieces.append(Piece(raw[at:].decode(*ENCODING)) if at else Piece(text))
        return pieces

    def hits(self, text: bytes, at: int, until: int) -> Iterator[Hit]:
        """Matches starting in [at, until), one after the other, as far as this text shows."""
        if len(self._sources) == 1:
            return self._patterns.walk(text, at, until)
        return self._merged(text, at, until)

    def _merged(self, text: bytes, at: int, until: int) -> Iterator[Hit]:
        upcoming = [source.next(text, at, until) for source in self._sources]
        while found := [hit for hit in upcoming if hit]:
            best = min(found, key=_leftmost_longest) if len(found) > 1 else found[0]
            yield best
            upcoming = [
                hit if hit is None or hit.start >= best.end else source.next(text, best.end, until)
                for hit, source in zip(upcoming, self._sources, strict=True)
            ]

    def undecided(self, text: bytes, at: int) -> int:
        """The first place at or after `at`, on a character's edge, where more text could change what is found."""
        place = min([source.undecided(text, at) for source in self._sources])
        while place > at and place < len(text) and text[place] & 0xC0 == 0x80:
            place -= 1
        return place


class Scanner:
    """One text as it grows: feed it in any chunks, close it once; the pieces joined are the text."""

    def __init__(self, detectors: Detectors) -> None:
        self._detectors = detectors
        self._text, self._at = b"", 0

    def feed(self, chunk: str) -> list[Piece]:
        """The pieces that are decided now; the rest is held back until more text or the end decides."""
        if not chunk:
            return []
        self._text += chunk.encode(*ENCODING)
        undecided = self._detectors.undecided(self._text, self._at)
        return self._advance(undecided) if undecided > self._at else []

    def close(self) -> list[Piece]:
        """The pieces that were held back."""
        pieces = self._advance(len(self._text))
        self._text, self._at = b"", 0
        return pieces

    @property
    def held(self) -> int:
        """Bytes held back."""
        return len(self._text) - self._at

    def _advance(self, undecided: int) -> list[Piece]:
        text, at = self._text, self._at
        pieces: list[Piece] = []
        while at < undecided:
            for hit in self._detectors.hits(text, at, undecided):
                if hit.begin > at:
                    pieces.append(Piece(text[at : hit.begin].decode(*ENCODING)))
                pieces.append(Piece(text[hit.begin : hit.end].decode(*ENCODING), hit.entity, hit.detector, hit.score))
                at = hit.end
            if at < undecided:
                pieces.append(Piece(text[at:undecided].decode(*ENCODING)))
                at = undecided
            elif at > undecided:
                undecided = self._detectors.undecided(text, at)
        keep = max(0, at - CONTEXT)
        self._text, self._at = text[keep:], at - keep
        return pieces


def _leftmost_longest(hit: Hit) -> tuple[int, int]:
    return hit.start, -hit.end


def _characters(raw: bytes, start: int, end: int) -> int:
    return len(raw[start:end].decode(*ENCODING))
