"""Sources that listen to an operator: scores by context, thresholds, and phrases that are no findings.

Rules of this file: each wraps another source and keeps its promise, the same hits at every chunking. What stands before
a hit is known when the hit is; what an allowed phrase covers is known once the phrase's own search has settled there.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from phigate.masking.detector import Detector
from phigate.masking.evidence import read_through
from phigate.masking.search import Patterns
from phigate.policy.patterns import compile_pattern
from phigate.policy.words import OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from phigate.masking.evidence import Hit, Reader, Source

ALWAYS: Final = 1.0
"""The score of what a deny list names: no threshold is above it."""
DENY: Final = "deny-"
"""How the detectors of deny lists are named."""
_GAP = r"[ \t\n\x{A0}]{1,2}"


@dataclass(frozen=True, slots=True)
class Context:
    """Words that make what follows them within so many characters surer."""

    words: tuple[str, ...]
    within: int = 40
    score: float = 0.9
    _found: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        words = "|".join(r"\s+".join(map(_literal, word.split())) for word in self.words)
        object.__setattr__(self, "_found", compile_pattern(rf"(?i)[^\pL\pN](?:{words})[^\pL\pN]"))

    @property
    def reach(self) -> int:
        """Characters before an identifier that must be at hand: one more shows where the first word begins."""
        return self.within + 1

    def before(self, text: str, begin: int) -> bool:
        """Whether one of the words begins in the last `within` characters before a place, and ends before it."""
        window = text[max(0, begin - self.reach) : begin]
        return bool(self._found.search((f" {window}" if begin < self.reach else window).encode("utf-8", "replace")))


@dataclass(frozen=True, slots=True)
class Guarded:
    """A detector that is as sure as its context: `alone` is its score without, None where it then finds nothing."""

    detector: Detector
    context: Context
    alone: float | None = None

    def score(self, text: str, begin: int) -> float | None:
        return self.context.score if self.context.before(text, begin) else self.alone


class InContext:
    """A guarded detector at work. It is a source of its own: where it finds nothing after all, it hides no other."""

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self._patterns = Patterns((guarded.detector,))
        self.name = guarded.detector.name

    def reader(self) -> ContextReader:
        return ContextReader(self._patterns.reader(), self._guarded)

    def hits(self, text: str) -> list[Hit]:
        return read_through(self, text)

    def left_out(self, text: str) -> list[tuple[Hit, str]]:
        """What would have been a hit of a whole text, and why it is none."""
        found = self._patterns.hits(text)
        return [(hit, "without its context") for hit in found if self._guarded.score(text, hit.begin) is None]


class ContextReader:
    """Keeps as much of the text as context may need."""

    def __init__(self, inner: Reader, guarded: Guarded) -> None:
        self._inner, self._guarded = inner, guarded
        self._text, self._base = "", 0
        self.settled = 0

    def feed(self, text: str) -> list[Hit]:
        self._text += text
        hits = self._scored(self._inner.feed(text))
        spare = self.settled - self._guarded.context.reach - self._base
        if spare > len(self._text) // 2:
            self._text, self._base = self._text[spare:], self._base + spare
        return hits

    def close(self) -> list[Hit]:
        return self._scored(self._inner.close())

    def _scored(self, hits: list[Hit]) -> list[Hit]:
        self.settled = self._inner.settled
        scored = [(hit, self._guarded.score(self._text, hit.begin - self._base)) for hit in hits]
        return [hit._replace(score=score) for hit, score in scored if score is not None]


class Allowing:
    """Another source without what is not sure enough, and without what lies in an allowed phrase."""

    def __init__(self, inner: Source, thresholds: Mapping[str, float], allowed: Patterns | None = None) -> None:
        self._inner, self._thresholds, self._allowed = inner, thresholds, allowed
        self.name = inner.name

    def reader(self) -> Reader:
        inner: Reader = self._inner.reader()
        if self._thresholds:
            inner = ThresholdReader(inner, self._thresholds)
        return AllowReader(inner, self._allowed.reader()) if self._allowed else inner

    def hits(self, text: str) -> list[Hit]:
        return read_through(self, text)

    def left_out(self, text: str) -> list[tuple[Hit, str]]:
        """What would have been a hit of a whole text, and why it is none."""
        standing, more = set(self.hits(text)), getattr(self._inner, "left_out", None)
        rest = self._thresholds.get(OTHER, 0.0)
        return [
            *(more(text) if more else ()),
            *(
                (hit, "below its threshold" if hit.score < self._thresholds.get(hit.entity, rest) else "allowed")
                for hit in self._inner.hits(text)
                if hit not in standing
            ),
        ]


class ThresholdReader:
    """Leaves out hits whose score is lower than their entity's threshold."""

    def __init__(self, inner: Reader, thresholds: Mapping[str, float]) -> None:
        self._inner, self._thresholds = inner, thresholds
        self._rest = thresholds.get(OTHER, 0.0)
        self.settled = 0

    def feed(self, text: str) -> list[Hit]:
        return self._sure(self._inner.feed(text))

    def close(self) -> list[Hit]:
        return self._sure(self._inner.close())

    def _sure(self, hits: list[Hit]) -> list[Hit]:
        self.settled = self._inner.settled
        return [hit for hit in hits if hit.score >= self._thresholds.get(hit.entity, self._rest)]


class AllowReader:
    """Holds a hit until it is known whether an allowed phrase is all around it; a deny list is stronger."""

    def __init__(self, inner: Reader, allowed: Reader) -> None:
        self._inner, self._allowed = inner, allowed
        self._open: list[Hit] = []
        self._phrases: deque[Hit] = deque()
        self.settled = 0

    def feed(self, text: str) -> list[Hit]:
        self._open += self._inner.feed(text)
        self._phrases += self._allowed.feed(text)
        return self._settle(min(self._inner.settled, self._allowed.settled))

    def close(self) -> list[Hit]:
        self._open += self._inner.close()
        self._phrases += self._allowed.close()
        return self._settle(max(self._inner.settled, self._allowed.settled))

    def _settle(self, settled: int) -> list[Hit]:
        self.settled = settled
        known = [hit for hit in self._open if hit.begin < settled]
        self._open = self._open[len(known) :]
        standing = [hit for hit in known if hit.detector.startswith(DENY) or not self._allows(hit)]
        self._phrases = deque(each for each in self._phrases if each.end > settled)
        return standing

    def _allows(self, hit: Hit) -> bool:
        """Whether a phrase is all around it; hits and phrases come in order, and none lies over another of its kind."""
        while self._phrases and self._phrases[0].end <= hit.begin:
            self._phrases.popleft()
        return bool(self._phrases) and self._phrases[0].begin <= hit.begin and hit.end <= self._phrases[0].end


def phrases(name: str, entity: str, listed: Iterable[str], lead: str = "") -> Detector:
    """A list of phrases as a detector: in any case, with any blank between their words; `lead` may stand before."""
    found = "|".join(_spelled(phrase) for phrase in sorted(listed, key=len, reverse=True))
    return Detector(name, entity, f"(?P<id>(?i:{lead}(?:{found})))", ALWAYS)


def _spelled(phrase: str) -> str:
    words = _GAP.join(map(_literal, phrase.split()))
    lead, tail = (r"\b" * bool(re.match(r"\w", end, re.ASCII)) for end in (phrase[0], phrase[-1]))
    return f"{lead}{words}{tail}"


def _literal(word: str) -> str:
    return re.sub(r"([^\w])", r"\\\1", word)
