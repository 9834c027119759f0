"""Who the organisation's people are: an index of names that answers "could these two words be one of them?".

Rules of this file:
- A person is a given word and a surname word; only the two together are somebody. Everything else of a name (middle
  names, further surnames) may be missing.
- A typo is one edit (a letter wrong, missing, too many, or two swapped) in names of 5 letters or more together, two in
  names of 9 or more. Both words fit each on its own. An ordinary word is never taken for a misspelt name.
- Words are folded: case and diacritics do not count.

Near words come from an index of deletions (each word under what its first letters are without none, one or two of them;
what is two edits apart meets under one of these; Bocek, Hunt and Stiller 2007) and are confirmed by rapidfuzz.
"""

from __future__ import annotations

import unicodedata
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PARTICLES = frozenset(str.split("van von der den de del di da dos das du la le bin ibn bint abu al el ter ten st san"))
"""Small words inside surnames: they come and go."""
SUFFIXES = frozenset(str.split("jr sr ii iii iv md do phd rn np pa dr mr mrs ms miss prof"))
"""No part of a name, though rosters have them."""
FUNCTION = frozenset(
    str.split(
        "a about above after again all also am an and any are art as at back be because been before being below "
        "between bill black both brown but by came can come could daily did discharge do does down due each every "
        "faith few for from further get given go good got grace gray green grey had hand has have he head her here "
        "him his home hope how if in into is it its joy just last left less like long made make man many mark may me "
        "mild more most much must my name need new next no none normal not note now of off old on once one only or "
        "other our out over own page pain past patient per plan please price pt right rose said same saw see seen she "
        "should show shows since so some such take than that the their them then there these they this those through "
        "to today told too two under until up use very was way we week well were what when where which while white "
        "who will with woman work would year years you young your"
    )
)
"""Never a misspelt name, whatever the lexicon says."""
LONGEST_WORD = 24
WORDS = 1 << 20
"""More different words than any roster's names have."""
PREFIX = 7
"""Letters of a word that the index of deletions looks at."""
REMEMBERED = 1 << 16
REMEMBERED_NEAR = (0, 1 << 14, 1 << 11)
"""Words whose near ones are remembered, by edits."""
LEAST = (0, 3, 5)
"""Letters that a word must have to be misspelt, by edits."""
FEW = 150
DRAWERS = 1 << 8
SPECIAL = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})


def fold(word: str) -> str:
    """A word without case and diacritics: `Ångström` is `angstrom`."""
    if word.isascii():
        return word.lower()
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(each for each in plain if not unicodedata.combining(each)).translate(SPECIAL)


def words_of(text: str) -> list[str]:
    """The folded words of a name without suffixes and initials; particles only where there is nothing else."""
    if text.isascii() and text.isalpha():
        text = text.lower()
        return [text] if len(text) > 1 and text not in SUFFIXES else []
    spaced = "".join(each if each.isalpha() or unicodedata.combining(each) else " " for each in text)
    words = (fold(each) for each in spaced.split())
    found = [each for each in words if len(each) > 1 and each not in SUFFIXES]
    return [each for each in found if each not in PARTICLES] or found


class Name(NamedTuple):
    """One person's words; `others` may stand between or behind the two that must be there."""

    given: str
    surnames: tuple[str, ...]
    others: tuple[str, ...] = ()


class Fit(NamedTuple):
    """Two words that are somebody: how many edits away, and the pair."""

    edits: int
    pair: int


class People:
    """The index; immutable once built, but for what it remembers of its own answers."""

    def __init__(self, names: Iterable[Name], ordinary: Callable[[str], bool]) -> None:
        self._ordinary = ordinary
        self._ids: dict[str, int] = {}
        self._words: list[str] = []
        self._partners: list[set[str]] = []
        self._pairs: set[int] = set()
        self._others: dict[int, tuple[str, ...]] = {}
        self._surnames = bytearray()
        for name in names:
            self._add(name)
        self._near = _drawers(self._words)
        self._fits: dict[tuple[str, str], Fit | None] = {}
        self._near_of: tuple[dict[str, frozenset[str]], ...] = ({}, {}, {})

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    def has_name(self, given: str, surname: str) -> bool:
        """Whether somebody is called so, in this order or the other."""
        return self._pair(fold(given), fold(surname)) is not None

    def has_surname(self, word: str) -> bool:
        known = self._ids.get(fold(word))
        return known is not None and bool(self._surnames[known])

    def ordinary(self, word: str) -> bool:
        return word in FUNCTION or word in PARTICLES or self._ordinary(word)

    def others(self, fit: Fit) -> tuple[str, ...]:
        """What else somebody of this name is called."""
        return self._others.get(fit.pair, ())

    def fit(self, one: str, two: str) -> Fit | None:
        """The nearest person that these folded words are, in either order."""
        return self.exact(one, two) or self.misspelt(one, two)

    def exact(self, one: str, two: str) -> Fit | None:
        """The person that these folded words are, in either order."""
        pair = self._pair(one, two)
        return None if pair is None else Fit(0, pair)

    def misspelt(self, one: str, two: str) -> Fit | None:
        """The nearest person that these folded words are not, but may be."""
        key = one, two
        if key in self._fits:
            return self._fits[key]
        found = self._nearest(one, two)
        if len(self._fits) >= REMEMBERED:
            self._fits.clear()
        self._fits[key] = found
        return found

    def _nearest(self, one: str, two: str) -> Fit | None:
        plain = self.ordinary(one), self.ordinary(two)
        if all(plain) or (any(plain) and one not in self._ids and two not in self._ids):
            return None
        found = [
            *(() if plain[1] else self._by_partner(one, two)),
            *(() if plain[0] else self._by_partner(two, one)),
        ]
        # One edit in each: looked for where nothing else is, and where not both words are names as they are.
        names = one in self._ids and two in self._ids
        if not found and not names and not any(plain) and len(one) + len(two) >= 7:
            found = [*self._by_both(one, two)]
        return min(found, default=None)

    def _by_partner(self, exact: str, other: str) -> Iterator[Fit]:
        known = self._ids.get(exact)
        if known is None:
            return
        for partner, edits in self._near_partners(self._partners[known], other):
            pair = self._pair(exact, partner)
            if pair is not None and edits <= _allowed(exact, partner):
                yield Fit(edits, pair)

    def _near_partners(self, partners: set[str], word: str) -> Iterator[tuple[str, int]]:
        """Those of the partners that a word may be, and how many edits away; few are compared one by one."""
        if len(partners) > FEW:
            for edits in (1, 2):
                yield from ((partner, edits) for partner in partners & self.near(word, edits))
            return
        for partner, distance, _ in process.extract(word, partners, scorer=OSA.distance, score_cutoff=2, limit=None):
            if distance > 0 and len(partner) >= LEAST[int(distance)]:
                yield partner, int(distance)

    def _by_both(self, one: str, two: str) -> Iterator[Fit]:
        others = self.near(two, 1)
        if others:
            for each in self.near(one, 1):
                for other in self._partners[self._ids[each]] & others:
                    pair = self._pair(each, other)
                    if pair is not None and _allowed(each, other) == 2:
                        yield Fit(2, pair)

    def near(self, word: str, edits: int) -> frozenset[str]:
        """Words of names that are so many edits away, one or two; 3 letters long at least, or 5."""
        remembered = self._near_of[edits]
        known = remembered.get(word)
        if known is None:
            ids = {each for key in _without(word[:PREFIX], edits) for each in self._under(key)}
            words = [found for each in ids if len(found := self._words[each]) >= LEAST[edits]]
            near = process.extract(word, words, scorer=OSA.distance, score_cutoff=edits, limit=None)
            known = frozenset(found for found, distance, _ in near if distance == edits)
            if len(remembered) >= REMEMBERED_NEAR[edits]:
                remembered.clear()
            remembered[word] = known
        return known

    def _under(self, key: str) -> Iterator[int]:
        low = _slot(key)
        drawer = self._near[low // WORDS % DRAWERS]
        at = bisect_left(drawer, low)
        while at < len(drawer) and drawer[at] < low + WORDS:
            yield drawer[at] % WORDS
            at += 1

    def _pair(self, one: str, two: str) -> int | None:
        first, second = self._ids.get(one), self._ids.get(two)
        if first is None or second is None:
            return None
        for pair in (first * WORDS + second, second * WORDS + first):
            if pair in self._pairs:
                return pair
        return None

    def _add(self, name: Name) -> None:
        given = self._id(name.given)
        for surname in name.surnames:
            known = self._id(surname)
            self._surnames[known] = 1
            pair = given * WORDS + known
            if pair not in self._pairs:
                self._pairs.add(pair)
                self._partners[given].add(surname)
                self._partners[known].add(name.given)
            others = tuple(each for each in (*name.others, *name.surnames) if each != surname)
            if others:
                self._others[pair] = tuple(dict.fromkeys((*self._others.get(pair, ()), *others)))[:16]
        for other in name.others:
            self._id(other)

    def _id(self, word: str) -> int:
        known = self._ids.get(word)
        if known is None:
            known = self._ids[word] = len(self._words)
            self._words.append(word)
            self._partners.append(set())
            self._surnames.append(0)
        return known


def _allowed(one: str, two: str) -> int:
    letters = len(one) + len(two)
    return 0 if letters < 5 else 1 if letters < 9 else 2


def _without(word: str, edits: int) -> set[str]:
    """A word, and what it is without one of its letters, or without two."""
    found = {word}
    for _ in range(edits):
        found |= {each[:at] + each[at + 1 :] for each in found for at in range(len(each))}
    return found


def _drawers(words: list[str]) -> list[array[int]]:
    """For each word and each that its beginning is without letters of it: the hash of that, above the word's number.

    In many drawers, so that sorting one keeps no other thread waiting.
    """
    drawers = [array("Q") for _ in range(DRAWERS)]
    for at, word in enumerate(words):
        for key in _without(word[:PREFIX], 2):
            slot = _slot(key)
            drawers[slot // WORDS % DRAWERS].append(slot + at)
    return [array("Q", sorted(drawer)) for drawer in drawers]


def _slot(key: str) -> int:
    """44 bits of the hash, above the place for a word's number; equal hashes are sorted out by the distance."""
    return (hash(key) & (1 << 44) - 1) * WORDS
