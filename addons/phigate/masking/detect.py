"""Finding identifiers in a text, whole or growing, from every source of evidence.

Rules of this file:
- Each source reads the text on its own and says how far it is settled. What overlaps becomes one finding a character
  (spans.py) as soon as no source can add to it; text passes as far as all are settled.
- A growing text is read causally: a name found is looked for in what comes after it. The pieces are the same at any
  chunking, and the whole text fed at once is one chunking. Where the whole is at hand (`find`, `pieces`) a name is
  looked for before it as well.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from phigate.exchange import Finding
from phigate.masking.detectors import DETECTORS
from phigate.masking.evidence import blocks
from phigate.masking.guards import Allowing, InContext
from phigate.masking.memory import LOOK_BACK, Memory
from phigate.masking.search import compiled
from phigate.masking.spans import components, first_component, settle
from phigate.masking.writing import Writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from phigate.masking.detector import Detector
    from phigate.masking.evidence import Hit, Source


LONGEST_WORD = 64
"""Letters of a word that is waited for."""


EXAMPLE = (
    "Patient: Ada Quist, MRN: 70418, born 03/05/1949, was seen by Dr. Brandt on March 5, 2024 for hypertension.\n"
    "Reach her at (503) 555-0123 or ada.quist@mail.example; SSN 219-09-9999, 12 Quarry Street, Springfield, OR 97401."
)
"""A text with something of everything (see `warm`)."""


class Piece(NamedTuple):
    """A run of text in order: with `entity` None plain, else one identifier."""

    text: str
    entity: str | None = None
    detector: str = ""
    score: float = 0.0


class Evidence(NamedTuple):
    """What one source said of a text, and what became of it; offsets of the text as written."""

    start: int
    end: int
    entity: str
    detector: str
    score: float
    verdict: str


class Detectors:
    """Every source of evidence, immutable, compiled once and shared by all exchanges."""

    def __init__(self, rows: tuple[Detector, ...] = DETECTORS, sources: Sequence[Source] = ()) -> None:
        self.sources: tuple[Source, ...] = (*((compiled(rows),) if rows else ()), *sources)

    def beside(self, source: Source) -> Detectors:
        """The same, and one source more."""
        other = Detectors(())
        other.sources = (*self.sources, source)
        return other

    def scanner(self, names: Memory | None = None) -> Scanner:
        """For one text that may be growing; `names` are known before it begins, and those that it shows are added."""
        return Scanner(self.sources, names)

    def whole(self, text: str) -> Whole:
        """For one text that is at hand."""
        return Whole(self.sources, text)

    def pieces(self, text: str, names: Memory | None = None) -> list[Piece]:
        """A whole text in pieces: names are found before the place that shows them as well."""
        whole, memory = Whole(self.sources, text), names.copy() if names else Memory()
        whole.learn(memory)
        return whole.pieces(memory)

    def find(self, text: str, names: Memory | None = None) -> list[Finding]:
        """All identifiers of a whole text, sorted, not overlapping, in characters."""
        findings, at = [], 0
        for piece in self.pieces(text, names):
            end = at + len(piece.text)
            if piece.entity is not None:
                findings.append(Finding(at, end, piece.entity, piece.score, piece.detector))
            at = end
        return findings

    def warm(self) -> None:
        """Make what is made at first use, so that nobody's first text waits for it: a tenth of a second."""
        self.find(EXAMPLE)

    def explain(self, text: str) -> list[Evidence]:
        """What every source said of a whole text, in order, and what became of it."""
        return Whole(self.sources, text).explain()


class Whole:
    """One text that is at hand: read once, then cut into pieces with the names that it and others show."""

    def __init__(self, sources: Iterable[Source], text: str) -> None:
        self._raw = text
        self._sources = tuple(sources)
        self._writing = Writing()
        self._text = "".join(map(self._writing.feed, blocks(text))) + self._writing.close()
        self._hits = sorted(hit for source in self._sources for hit in source.hits(self._text))

    def learn(self, memory: Memory) -> None:
        """Remember the names that this text shows."""
        for group in components(self._hits):
            if any(hit.entity == "PERSON" for hit in group):  # where none is, none becomes one
                memory.learn(settle(group, self._text), self._text)

    def pieces(self, memory: Memory) -> list[Piece]:
        """The text in pieces; the memory is read only."""
        hits, _ = decide(Decision(self._text, memory), list(self._hits), len(self._text))
        return Cut(self._writing, self._raw).pieces(hits, len(self._text))

    def in_order(self, memory: Memory) -> list[Piece]:
        """The text in the pieces that a Scanner gives for it; the names that it shows are added to the memory."""
        decision = Decision(self._text, memory, learning=True)
        hits, _ = decide(decision, self._hits, len(self._text))
        return Cut(self._writing, self._raw).pieces(hits, len(self._text))

    def explain(self) -> list[Evidence]:
        """Each hit of each source, and whether it stands, was cut, gave way, or was left out by an operator's word."""
        memory = Memory()
        self.learn(memory)
        standing, _ = decide(Decision(self._text, memory), list(self._hits), len(self._text))
        found = [self._evidence(hit, _verdict(hit, standing)) for hit in self._hits]
        found += [self._evidence(hit, "kept") for hit in standing if hit.detector == "memory"]
        guards = [source for source in self._sources if isinstance(source, Allowing | InContext)]
        found += [self._evidence(hit, why) for guard in guards for hit, why in guard.left_out(self._text)]
        return sorted(found)

    def _evidence(self, hit: Hit, verdict: str) -> Evidence:
        start, end = self._writing.place(hit.begin), self._writing.after(hit.end)
        return Evidence(start, end, hit.entity, hit.detector, hit.score, verdict)


def _verdict(hit: Hit, standing: list[Hit]) -> str:
    over = [each for each in standing if each.begin < hit.end and hit.begin < each.end]
    own = [each for each in over if each.detector == hit.detector and each.entity == hit.entity]
    if not own:
        return "gave way to " + ", ".join(sorted({each.detector for each in over}))
    if any((each.begin, each.end) == (hit.begin, hit.end) for each in own):
        return "kept"
    return "kept in part" if all(_inside(each, hit) for each in own) else "widened"


def _inside(inner: Hit, outer: Hit) -> bool:
    return outer.begin <= inner.begin and inner.end <= outer.end


class Scanner:
    """One text as it grows: feed it in any chunks, close it once; the pieces joined are the text."""

    def __init__(self, sources: Iterable[Source], names: Memory | None = None) -> None:
        self._readers = [source.reader() for source in sources]
        self._writing = Writing()
        self._decision = Decision("", Memory() if names is None else names, learning=True, last=False)
        self._cut = Cut(self._writing, "")
        self._open: list[Hit] = []
        """Hits that are not decided, in order."""

    def feed(self, chunk: str) -> list[Piece]:
        """The pieces that are decided now; the rest is held back until more text or the end decides."""
        self._cut.raw += chunk
        read = self._writing.feed(chunk)
        if not read:
            return []
        self._decision.text += read
        fresh = [hit for reader in self._readers for hit in reader.feed(read)]
        if fresh:
            self._open = sorted([*self._open, *fresh])
        settled = min([reader.settled for reader in self._readers])
        return self._advance(settled) if settled > self._decision.at else []

    def close(self) -> list[Piece]:
        """The pieces that were held back."""
        decision = self._decision
        read = self._writing.close()
        decision.text += read
        decision.last = True
        for reader in self._readers:
            self._open += reader.feed(read) if read else ()
            self._open += reader.close()
        self._open.sort()
        return self._advance(decision.base + len(decision.text))

    @property
    def held(self) -> int:
        """Characters held back."""
        return len(self._cut.raw)

    def _advance(self, settled: int) -> list[Piece]:
        decision = self._decision
        hits, self._open = decide(decision, self._open, settled)
        pieces = self._cut.pieces(hits, decision.at)
        if (passed := decision.at - decision.base - LOOK_BACK) > 0:
            decision.text, decision.base = decision.text[passed:], decision.base + passed
            self._writing.forget(decision.at)
        return pieces


@dataclass(slots=True)
class Decision:
    """How far a text is decided: it is known from the offset `base` on, and decided up to `at`."""

    text: str
    memory: Memory
    learning: bool = False
    """Whether what is decided is remembered for what follows."""
    last: bool = True
    """Whether no more text comes."""
    base: int = 0
    at: int = 0


def decide(decision: Decision, hits: list[Hit], settled: int) -> tuple[list[Hit], list[Hit]]:
    """What stands, in order, up to where nothing can be added, and the hits that are still open.

    Every hit that begins before `settled` is among `hits`, which are in order.
    """
    memory, text, base = decision.memory, decision.text, decision.base
    standing: list[Hit] = []
    next_hit = 0
    while True:
        group = first_component(hits, next_hit)
        limit = min(settled, group[0].begin) if group else settled
        known = _remembered(decision, limit) if memory and decision.at < limit else None
        if known:
            insort(hits, known, next_hit)
            continue
        end = max([hit.end for hit in group], default=settled + 1)
        if end > settled:
            decision.at = max(decision.at, _word_edge(decision, limit) if memory else limit)
            return standing, hits[next_hit:]
        found = settle(group, text, base)
        standing += found
        if decision.learning:
            memory.learn(found, text, base)
        decision.at = end
        next_hit += len(group)


def _remembered(decision: Decision, limit: int) -> Hit | None:
    """The first name in [at, limit) that is remembered; a word that may go on is none yet."""
    base = decision.base
    found = decision.memory.next(decision.text, decision.at - base, _word_edge(decision, limit) - base)
    return found and found._replace(begin=found.begin + base, end=found.end + base)


def _word_edge(decision: Decision, limit: int) -> int:
    """`limit`, or the begin of the text's last word where more text may be part of it."""
    if decision.last:
        return limit
    text, edge = decision.text, len(decision.text)
    least = max(0, edge - LONGEST_WORD)
    while edge > least and text[edge - 1].isalpha():
        edge -= 1
    return min(limit, max(edge, 0) + decision.base)


class Cut:
    """A text as written, cut where findings in the text as read begin and end."""

    def __init__(self, writing: Writing, raw: str) -> None:
        self._writing = writing
        self.raw = raw
        """What is not cut yet."""
        self._passed = 0
        """Characters cut."""

    def pieces(self, hits: list[Hit], until: int) -> list[Piece]:
        """Everything up to `until`, in pieces."""
        pieces, raw, passed, at = [], self.raw, self._passed, 0
        for hit in hits:
            begin, end = self._writing.place(hit.begin) - passed, self._writing.after(hit.end) - passed
            if begin > at:
                pieces.append(Piece(raw[at:begin]))
            pieces.append(Piece(raw[begin:end], hit.entity, hit.detector, hit.score))
            at = end
        end = self._writing.place(until) - passed
        if end > at:
            pieces.append(Piece(raw[at:end]))
            at = end
        self.raw, self._passed = raw[at:], passed + at
        return pieces
