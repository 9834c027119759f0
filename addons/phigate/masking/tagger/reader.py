"""The tagger reading one text, whole or as it grows.

Rules of this file:
- A run of tokens that may be a name ends at a barrier, or where it is cut for its length. It is decided when the two
  tokens behind it are known; nothing that comes after can change it.
- Tokens are walked one by one, so the whole text is the stream with one feed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from phigate.masking.evidence import Hit, read_whole
from phigate.masking.tagger.model import LABELS, Model, shipped
from phigate.masking.tagger.tokens import cut, split
from phigate.masking.tagger.words import BARRIER, CORE, JOIN, LINK, MODE, START, STEP

if TYPE_CHECKING:
    from phigate.masking.tagger.words import Word

NAME = "tagger"
LONGEST_RUN = 24
WIDEST_RUN = 84
"""Tokens and characters; a run is cut there."""
LINKS = 3
"""Tokens that only link, in a row, that a run goes on over."""
LEAST = 0.3
"""From this probability on a token is part of what is found."""
BEFORE = 3
"""Tokens before a run that are looked at; behind it two."""


class Reader:
    """One text: feed it in any pieces, close it once; see the contract of a source's reader."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._state = START
        self._rest = ""
        self._words: list[Word] = [model.begin] * BEFORE
        self._modes = [0] * BEFORE
        self._begins = [0] * BEFORE
        self._at = 0
        self._first = -1
        """Where the run under way begins; -1 while there is none."""
        self._last = self._links = 0
        self._core = False
        self._waiting: tuple[int, int] | None = None
        """A run that has ended and waits for the tokens behind it."""
        self.settled = 0

    def feed(self, text: str) -> list[Hit]:
        """More text; what it decides."""
        tokens, self._rest = cut(self._rest + text)
        if not tokens:
            return []
        word = self._model.word
        hits = self.walk([word(raw) for raw in tokens])
        self._forget()
        return hits

    def close(self) -> list[Hit]:
        """The text has ended."""
        word = self._model.word
        hits = self.walk([word(raw) for raw in split(self._rest)])
        self._rest = ""
        end = len(self._words)
        self._words += [self._model.end] * 2
        self._ended(end, hits)
        if self._waiting:
            self._decide(hits)
        self.settled = self._at
        return hits

    def close_after(self, text: str) -> list[Hit]:
        """The text ends with this."""
        self._rest += text
        return self.close()

    def walk(self, words: list[Word]) -> list[Hit]:
        """The text goes on with these words; what they decide."""
        seen, modes, begins = self._words, self._modes, self._begins
        state, at, first, here = self._state, self._at, self._first, len(seen)
        hits: list[Hit] = []
        for word in words:
            state = STEP[state][word.event]
            mode = MODE[state]
            seen.append(word)
            modes.append(mode)
            begins.append(at)
            at += word.size
            kind = word.kinds[mode]
            if first < 0:
                if kind >= JOIN:
                    self._first = first = self._last = here
                    self._core, self._links = kind == CORE, 0
            elif kind == BARRIER:
                self._ended(here, hits)
                first = -1
            elif kind == LINK:
                self._links += 1
                if self._links > LINKS:
                    self._ended(here, hits)
                    first = -1
            else:
                self._last, self._links = here, 0
                self._core = self._core or kind == CORE
                if here - first == LONGEST_RUN - 1 or at - begins[first] > WIDEST_RUN:
                    self._ended(here + 1, hits)
                    first = -1
            here += 1
            if self._waiting and here >= self._waiting[1] + 2:
                self._decide(hits)
        self._state, self._at, self._first = state, at, first
        undecided = self._waiting[0] if self._waiting else first
        self.settled = at if undecided < 0 else begins[undecided] + seen[undecided].lead
        return hits

    def _ended(self, here: int, hits: list[Hit]) -> None:
        """The run under way, if there is one, ends before the token `here`."""
        if self._first >= 0 and self._core:
            if self._waiting:
                self._decide(hits)
            self._waiting = self._first, min(self._last + 1, here)
        self._first = -1

    def _decide(self, hits: list[Hit]) -> None:
        assert self._waiting
        first, end = self._waiting
        self._waiting = None
        self.decide(first, end, hits)

    def decide(self, first: int, end: int, hits: list[Hit]) -> None:
        """What is found in the run of the tokens [first, end)."""
        model = self._model
        found = model.marginals(model.sums(self._words, self._modes, first, end))
        begin, before = -1, len(hits)
        for at, three in enumerate(found, first):
            if sum(three) >= LEAST:
                if begin < 0:
                    begin = at
            elif begin >= 0:
                self._hits(begin, at, found, first, hits)
                begin = -1
        if begin >= 0:
            self._hits(begin, end, found, first, hits)
        for at in range(before + 1, len(hits)):
            hits[at - 1] = self._reaching(hits[at - 1], hits[at], first, end)

    def _reaching(self, hit: Hit, other: Hit, first: int, end: int) -> Hit:
        """A facility with the `in` before its town: `Mercy Hospital in Dallas` is one name, although of two kinds."""
        if hit.entity == "ORGANIZATION" and other.entity == "LOCATION" and other.begin - hit.end == len(" in "):
            for at in range(first, end):
                if self._begins[at] == hit.end and self._words[at].base == "in":
                    return hit._replace(end=hit.end + len(" in"))
        return hit

    def _hits(self, begin: int, end: int, found: list[tuple[float, float, float]], first: int, hits: list[Hit]) -> None:
        """[begin, end) without the links at its edges, one hit for each stretch of one label."""
        words, modes = self._words, self._modes
        while begin < end and words[begin].kinds[modes[begin]] == LINK:
            begin += 1
        while begin < end and words[end - 1].kinds[modes[end - 1]] == LINK:
            end -= 1
        while begin < end:
            three = found[begin - first]
            label = three.index(max(three))
            total, at = 0.0, begin
            while at < end and max(three := found[at - first]) == three[label]:
                total += sum(three)
                at += 1
            last = words[at - 1]
            start = self._begins[begin] + words[begin].lead
            stop = self._begins[at - 1] + last.size - (last.tail if label == 0 else 0)
            hits.append(Hit(start, stop, LABELS[label + 1], NAME, round(total / (at - begin), 3)))
            begin = at

    def _forget(self) -> None:
        """Tokens that nothing looks at any more."""
        undecided = self._waiting[0] if self._waiting else self._first if self._first >= 0 else len(self._words)
        gone = undecided - BEFORE
        if gone > 0:
            del self._words[:gone], self._modes[:gone], self._begins[:gone]
            if self._first >= 0:
                self._first -= gone
                self._last -= gone
            if self._waiting:
                self._waiting = self._waiting[0] - gone, self._waiting[1] - gone


class Tagger:
    """The source of names and places that a text's own words give away."""

    name = NAME

    def __init__(self, model: Model) -> None:
        self._model = model

    def reader(self) -> Reader:
        """For one text."""
        return Reader(self._model)

    def hits(self, text: str) -> list[Hit]:
        """What is found in a whole text."""
        return read_whole(self.reader(), text)


@cache
def tagger() -> Tagger:
    """The tagger with the model of this package, read once."""
    return Tagger(shipped())
