"""Names that a text has shown, to be found again in it without any cue.

Rules of this file: whole words only; an ordinary word that is also a name ("Rose", "White") is the name again only
where it is written the same way and no sentence begins with it; what is remembered is kept in memory only.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from phigate.masking.evidence import Hit
from phigate.masking.tagger import lexicon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WORD = re.compile(r"[^\W\d_]+")
LONG_WORD = re.compile(r"[^\W\d_]{3,}")
REST = re.compile(r"[^\W\d_]*")
"""What goes on of a word."""
LEAST = 3
"""Letters that a word must have."""
LOOK_BACK = 8
"""Characters before a word that show whether a sentence begins with it."""
ENDS = frozenset(".!?:;\n\r\t*#|>\"'([{-\u2022")
KNOWN_SCORE = 0.5
"""How sure a finding must be to be remembered."""
LEAST_READ, MOST_READ = 256, 16 * 1024
"""Characters that are looked through at once: few where names stand close, so that none of it is read again and again.
"""
MOST = 4096
"""Words that are remembered of one text."""
NOT_NAMES = frozenset(
    """
    van von der den del los las bin ibn and the mrs miss prof doctor nurse jun jnr snr iii phd pharm bsn msn dnp
    fnp aprn lcsw facc facs facp mbbs sir madam patient
    """.split()  # noqa: SIM905 - words
)
"""Parts of names that are nobody's alone."""


VOCABULARY = (
    *(lexicon.PLAIN, lexicon.FUNCTION, lexicon.MEDICAL, lexicon.DRUG, lexicon.EPONYM, lexicon.MONTH, lexicon.LABEL),
    *(lexicon.FACILITY, lexicon.STREET, lexicon.TITLE, lexicon.CREDENTIAL, lexicon.RELATION, lexicon.PLACE_PART),
)
WORDS = reduce(or_, VOCABULARY)
NAMES = lexicon.FIRST_COMMON | lexicon.LAST_COMMON
BOTH = frozenset(
    """
    amber april art august autumn baker banks bell berry best bill bird bishop black bond brown buck burns bush carter
    case chance chase cherry chip chuck church cliff cook cross crystal daisy dale dawn day dean dot drew faith field
    fish flowers ford forest fox frank gates gay gene glen gold good grace grant gray green guy hall heath hill hope
    house hunter iris ivy jack jade jay jean joy june king knight lamb lane lily little long love major mark marsh mason
    max may melody merry miles mills moody nick noble norm olive page park parks pat peg penny pope powers price rainy
    ray reed rice rich river rivers rob robin rose ruby rusty sandy sharp short silver skip small sparks sterling stone
    street strong sue summer summers sunny tanner van violet wall walls ward waters wells white will winters wise wolf
    wood woods young
    """.split()  # noqa: SIM905 - words
)
"""Words that are as common as words as they are as names."""


def ordinary(word: str) -> bool:
    """Whether a word, in lower case, is also a word of the language."""
    known = lexicon.bits(word)
    return word in BOTH or bool(known & WORDS and not known & NAMES)


class Memory:
    """What was found so far; `ordinary` tells of a word in lower case whether it is also none of the names."""

    def __init__(self, ordinary: Callable[[str], bool] = ordinary) -> None:
        self._ordinary = ordinary
        self._words: dict[str, tuple[str, float]] = {}
        """Folded word (an ordinary one as it was written) -> entity and score."""

    def __bool__(self) -> bool:
        return bool(self._words)

    def copy(self) -> Memory:
        """The same, to be added to apart."""
        other = Memory(self._ordinary)
        other._words = dict(self._words)
        return other

    def join(self, other: Memory) -> None:
        """Remember what another remembers, too."""
        for word, known in other._words.items():
            if len(self._words) < MOST:
                self._words.setdefault(word, known)

    def learn(self, hits: Iterable[Hit], text: str, base: int = 0) -> None:
        """Remember the names among hits of a text that begins at the offset `base`."""
        for hit in hits:
            if hit.entity == "PERSON" and hit.score >= KNOWN_SCORE:
                for word in WORD.findall(text[hit.begin - base : hit.end - base]):
                    self._add(word, hit.entity, hit.score)

    def _add(self, word: str, entity: str, score: float) -> None:
        folded = word.casefold()
        if len(word) < LEAST or folded in NOT_NAMES or len(self._words) >= MOST:
            return
        if self._ordinary(folded):
            if not word[0].isupper() or word.isupper():
                return
            folded = word
        self._words.setdefault(folded, (entity, min(score, 0.9)))

    def next(self, text: str, at: int, until: int) -> Hit | None:
        """The first known word that begins in [at, until) of a text, in its own offsets."""
        words, size = self._words, LEAST_READ
        while at < until:
            end = min(until, at + size)
            edge = _word_end(text, end)
            listed = LONG_WORD.findall(text, at, edge)
            shown = not words.keys().isdisjoint(listed) or not words.keys().isdisjoint(map(str.casefold, listed))
            if shown and (found := self._first(text, at, end)):
                return found
            at, size = edge, min(2 * size, MOST_READ)  # as nearly always there is none: seen at once
        return None

    def _first(self, text: str, at: int, until: int) -> Hit | None:
        words = self._words
        for found in LONG_WORD.finditer(text, at):
            begin = found.start()
            if begin >= until:
                return None
            word = found[0]
            known = words.get(word.casefold()) or words.get(word)
            if known is None or _joined(text, begin, found.end()):
                continue
            if word in words and self._ordinary(word.casefold()) and _begins_sentence(text, begin):
                continue
            return Hit(begin, found.end(), known[0], "memory", known[1])
        return None


def _word_end(text: str, at: int) -> int:
    """The end of the word that a place is in; the place itself where it is in none."""
    found = REST.match(text, at) if text[at - 1 : at].isalnum() else None
    return found.end() if found else at


def _joined(text: str, begin: int, end: int) -> bool:
    """Whether a word is part of a longer one: `ada_b`, `ada7`."""
    before, after = text[begin - 1 : begin], text[end : end + 1]
    return before == "_" or before.isalnum() or after == "_" or after.isdecimal()


def _begins_sentence(text: str, at: int) -> bool:
    before = text[max(0, at - LOOK_BACK) : at].rstrip(" \xa0")
    return not before or before[-1] in ENDS
