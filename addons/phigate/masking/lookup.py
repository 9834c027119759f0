"""Reading a text for what a roster holds: one walk over its words, left to right, which may still be growing.

Rules of this file:
- What is decided at a word depends on this word and those behind it, as far as they are joined, up to REACH characters:
  so a text gives the same hits at every chunking. Where a decision needs a word that is not whole yet, it waits.
- A token is a run of letters and digits; a longer one than LONGEST is nothing. Tokens are joined by one or two signs.
- The longest at a place is taken, and the walk goes on behind it.
"""

from __future__ import annotations

import re
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from phigate.masking.calendar import read
from phigate.masking.evidence import Hit
from phigate.masking.people import LONGEST_WORD, PARTICLES, fold

if TYPE_CHECKING:
    from phigate.masking.people import Fit, People

TOKEN = re.compile(r"([^\W_]+(?:[\u0300-\u036f]+[^\W_]*)*)")
REST = re.compile(r"(?:[^\W_]|[\u0300-\u036f])+")
"""What goes on of a token that began before."""
PLAIN = re.compile(r"([0-9a-z]+)")
"""The same for ASCII in lower case."""
SIGNS = " \t\n\r.,/_'-@\u00a0\u2010\u2011\u2012\u2013\u2018\u2019"
JOINTS = {one + two for one in SIGNS for two in ("", *SIGNS)} - {"\n\n", "\r\r"} | {")", ") "}
HYPHENS = frozenset("-\u2010\u2011")
APOSTROPHES = frozenset("'\u2018\u2019")
WITHIN_CODES = frozenset(" .-\u2010\u2011\u2012\u2013\u00a0")
LONGEST = 40
REACH = 110
SLICE = 1 << 13
MOST_TOKENS = 8
BETWEEN = 3
"""Words that may stand between the two that are somebody."""
MISSPELT_WORDS = 2
"""Words that may be a misspelt one beside another: the next and the one behind it."""
REMEMBERED = 1 << 17

PHRASE, CODE, PREFIX, NAMEISH, ORDINARY, KNOWN, CLOSE = 1, 2, 4, 8, 16, 32, 64
"""What a token can be: the beginning of a phrase, a number, a surname; a word of a name; and what it is beside that
(CLOSE: one edit from a name's word)."""
UNSEEN = b"\xff"
"""In the place of the tokens that are not there yet: they may be anything."""


def _bytes(wanted: int, but: int = 0) -> bytes:
    kinds = (kind for kind in range(128) if kind & wanted == wanted and not kind & but)
    return b"".join(b"\\x%02x" % kind for kind in kinds)


_SOMEBODYS = _bytes(NAMEISH | KNOWN)
_MISSPELT = _bytes(NAMEISH | CLOSE)
_NOBODYS = _bytes(NAMEISH, PHRASE | CODE | PREFIX | KNOWN | CLOSE)
BEGINS = re.compile(
    b"[%b%b%b%b]" % (_bytes(PHRASE), _bytes(CODE), _bytes(PREFIX), _SOMEBODYS)
    + rb"|[%b](?=.{0,3}[%b%b\xff])" % (_MISSPELT, _SOMEBODYS, _MISSPELT)
    + rb"|[%b](?=.{0,3}[%b\xff])" % (_NOBODYS, _SOMEBODYS),
    re.DOTALL,
)
"""Of the kinds of a text's tokens those at which something may begin. Nobody is found by two words of which none is a
name's and not both are one edit from one (people.py); the second is BETWEEN others behind the first at most."""

EXACT, CAPITALISED, SHOUTED, PLAINLY = 0.99, 0.9, 0.45, 0.35
"""Scores of a name as it is; where both words are ordinary ones (Will Young): capitalised, ALL CAPS, in lower case."""
MISSPELT = (EXACT, 0.85, 0.65)
"""By edits."""
DOUBTFUL = 0.35
"""What it takes away that an ordinary word in lower case stands beside a misspelt one."""
LEAST_SCORE = 0.3
STRANGE = 0.1
"""What a word that belongs to nobody takes away, between two that are somebody."""


class More(Exception):  # noqa: N818 - it asks for more text, nothing is wrong
    """What is decided depends on text that is not there yet."""


class Entries(NamedTuple):
    """What is looked for beside people: `phrases` by their tokens joined by blanks, `codes` with nothing between."""

    people: People
    phrases: dict[str, str]
    begun: set[str]
    """The beginnings of phrases, whole tokens."""
    first: set[str]
    codes: dict[str, str]
    heads: set[str]
    """The letters that a code begins with, where it does."""
    longest_code: int
    kinds: dict[str, int]
    """What a token may be the beginning of, remembered."""

    def kind(self, word: str) -> int:
        """The flags of a token."""
        people = self.people
        kind = KNOWN if word in people else 0
        kind |= ORDINARY if people.ordinary(word) else 0
        kind |= PHRASE if word in self.first else 0
        kind |= CODE if word in self.heads or (self.codes and not word.isalpha()) else 0
        if word in PARTICLES or word in ("o", "d", "l"):
            kind |= PREFIX | (NAMEISH if kind & KNOWN else 0)
        elif 2 <= len(word) <= LONGEST_WORD and word.isalpha() and (kind & KNOWN or (len(word) > 2 and not kind)):
            kind |= NAMEISH
        if kind & NAMEISH and not kind & (KNOWN | ORDINARY) and people.near(word, 1):
            kind |= CLOSE
        if len(self.kinds) >= REMEMBERED:
            self.kinds.clear()
        self.kinds[word] = kind
        return kind


class Lookup:
    """One text, as a source reads it."""

    def __init__(self, entries: Entries) -> None:
        self.settled = 0
        self._entries = entries
        self._text = ""
        self._inside = False
        """Within a token that is too long to be anything."""

    def feed(self, text: str) -> list[Hit]:
        if text.isalnum() and len(self._text) + len(text) <= LONGEST and not self._inside:
            self._text += text  # no word has ended
            return []
        if len(text) <= SLICE:
            return self._read(text, ended=False)
        slices = (text[at : at + SLICE] for at in range(0, len(text), SLICE))
        return [hit for each in slices for hit in self._read(each, ended=False)]

    def close(self) -> list[Hit]:
        return self._read("", ended=True)

    def close_after(self, text: str) -> list[Hit]:
        last = max(0, len(text) - SLICE)
        return [*(self.feed(text[:last]) if last else ()), *self._read(text[last:], ended=True)]

    def _read(self, text: str, *, ended: bool) -> list[Hit]:
        self._text += text
        if self._inside:
            self._leave()
            if not self._text:
                return []
        view = View(self._entries, self._text, self.settled, ended=ended)
        hits, at = view.hits()
        self._inside = view.too_long
        self._text, self.settled = self._text[at:], self.settled + at
        return hits

    def _leave(self) -> None:
        found = REST.match(self._text)
        if found:
            self._text, self.settled = self._text[found.end() :], self.settled + found.end()


class View:
    """What of a text is at hand, in tokens; those in `[:whole]` cannot change any more."""

    def __init__(self, entries: Entries, text: str, base: int, *, ended: bool) -> None:
        self._entries, self._text, self._base, self._ended = entries, text, base, ended
        lower = text.lower()
        if text.isascii():
            parts = PLAIN.split(lower)
            words = parts[1::2]
        else:
            parts = TOKEN.split(lower if len(lower) == len(text) else text)
            words = [fold(each) for each in parts[1::2]]
        self.words = words
        self._gaps = parts[::2]
        self._edges = list(accumulate(map(len, parts)))
        growing = bool(words) and not self._gaps[-1] and not ended
        self.whole = len(words) - growing
        self.too_long = growing and self._length(self.whole) > LONGEST
        fixed, kinds = words[: self.whole] if growing else words, entries.kinds
        try:
            self._kinds = bytes(map(kinds.__getitem__, fixed))
        except KeyError:  # a word that was not met yet
            found = ((word, kinds.get(word)) for word in fixed)
            self._kinds = bytes([entries.kind(word) if kind is None else kind for word, kind in found])

    def hits(self) -> tuple[list[Hit], int]:
        """The hits that are certain, and up to where everything is."""
        found: list[Hit] = []
        free = 0
        for beginning in BEGINS.finditer(self._kinds if self._ended else self._kinds + UNSEEN):
            at = beginning.start()
            if at < free:
                continue
            try:
                best = self._at(at, self._kinds[at])
            except More:
                return found, self._begin(at)
            if best:
                hit, free = best
                found.append(hit)
        if self.whole < len(self.words) and not self.too_long:
            return found, self._begin(self.whole)
        return found, len(self._text)

    def _at(self, at: int, kind: int) -> tuple[Hit, int] | None:
        """The longest hit that begins at a token, and the token behind it; raises More."""
        if self._length(at) > LONGEST:
            return None
        found = [
            self._phrase(at) if kind & PHRASE else None,
            self._code(at) if kind & CODE else None,
            self._name(at) if kind & (PREFIX | NAMEISH) else None,
        ]
        best = max(filter(None, found), key=itemgetter(0), default=None)
        if best is None:
            return None
        last, entity, detector, score = best
        begin, end = self._base + self._begin(at), self._base + self._end(last)
        return Hit(begin, end, entity, detector, score), last + 1

    def _phrase(self, at: int) -> tuple[int, str, str, float] | None:
        entries, best, key = self._entries, None, self.words[at]
        last = at
        while True:
            if key in entries.phrases:
                best = last, entries.phrases[key], "roster", EXACT
            following = self._next(at, last) if key in entries.begun else None
            if following is None:
                return best
            last = following
            key += " " + self.words[last]

    def _code(self, at: int) -> tuple[int, str, str, float] | None:
        """A number whose separators are not those of the roster: one sign all along, two characters or more between."""
        entries, key = self._entries, self.words[at]
        best = (at, entries.codes[key], "roster", EXACT) if key in entries.codes else None
        after = at + 1
        if self._gaps[after] not in WITHIN_CODES or (after < self.whole and self.words[after].isalpha()):
            return best
        last, sign = at, ""
        while len(self.words[last]) > 1 and len(key) < entries.longest_code:
            following = self._next(at, last)
            if following is None or self.words[following].isalpha():
                return best
            gap = self._gaps[following]
            if gap not in WITHIN_CODES or (sign and gap != sign) or len(self.words[following]) < 2:
                return best
            last, sign = following, gap
            key += self.words[last]
            if len(key) >= 6 and key in entries.codes and not read(self._text[self._begin(at) : self._end(last)]):
                best = last, entries.codes[key], "roster", EXACT
        return best

    def _name(self, at: int) -> tuple[int, str, str, float] | None:
        first: int | None = at
        found = self._somebody(at, at) if self._kinds[at] & NAMEISH else None
        if found is None and self._kinds[at] & PREFIX:
            first = self._past_particles(at)
            if first is not None and self._kinds[first] & NAMEISH:
                found = self._somebody(at, first)
        if found is None or first is None:
            return None
        last, strangers, fit = found
        detector = "roster-typo" if fit.edits else "roster"
        score = round(self._score(first, last, fit) - STRANGE * strangers, 2)
        return (self._behind(at, last, fit), "PERSON", detector, score) if score >= LEAST_SCORE else None

    def _somebody(self, at: int, first: int) -> tuple[int, int, Fit] | None:
        """The word that makes somebody of the first one, how many strangers are between, and who; typos come last."""
        people, one, kinds = self._entries.people, self.words[first], self._kinds
        near: list[int] = []
        last, strangers = first, 0
        for _ in range(BETWEEN + 1):
            following = self._next(at, last)
            if following is None:
                break
            last = following
            if kinds[last] & NAMEISH:
                if kinds[first] & kinds[last] & KNOWN and (fit := people.exact(one, self.words[last])):
                    return last, strangers, fit
                if not strangers:
                    near.append(last)
            strangers += not self._may_stand_between(last)
            if strangers > 1 or (strangers and not self._stranger(last)):
                break
        fits = ((people.misspelt(one, self.words[each]), each) for each in near[:MISSPELT_WORDS])
        best = min(((fit, each) for fit, each in fits if fit), default=None)
        return (best[1], 0, best[0]) if best else None

    def _past_particles(self, at: int) -> int | None:
        """The first word of a surname with particles: `van der Berg`, `O'Neil`."""
        words = self.words
        here: int | None = at
        for _ in range(3):
            if here is None or not (words[here] in PARTICLES or len(words[here]) == 1):
                return here
            following = self._next(at, here)
            if following is not None and len(words[here]) == 1 and self._gaps[following] not in APOSTROPHES:
                return None
            here = following
        return here

    def _score(self, first: int, last: int, fit: Fit) -> float:
        one, two = self._kinds[first], self._kinds[last]
        if fit.edits:
            doubtful = (one | two) & ORDINARY and not (self._capital(first) and self._capital(last))
            return MISSPELT[fit.edits] - (DOUBTFUL if doubtful else 0)
        if not one & two & ORDINARY:
            return EXACT
        shown = [self._shown(first), self._shown(last)]
        if all(each.isupper() for each in shown):
            return SHOUTED
        return CAPITALISED if all(each[0].isupper() for each in shown) else PLAINLY

    def _may_stand_between(self, at: int) -> bool:
        word = self.words[at]
        if len(word) == 1:
            return word.isalpha()
        if word in PARTICLES or (word.isalpha() and {self._gaps[at], self._gaps[at + 1]} & HYPHENS):
            return True
        kind = self._kinds[at]
        return bool(kind & KNOWN) and (not kind & ORDINARY or self._capital(at))

    def _stranger(self, at: int) -> bool:
        """A word that nobody of the roster is called, between two that are somebody."""
        return self._may_stand_between(at) or (bool(self._kinds[at] & NAMEISH) and self._capital(at))

    def _behind(self, at: int, last: int, fit: Fit) -> int:
        """The last token of a name whose two words are found: a second surname, a middle name behind a comma."""
        others = self._entries.people.others(fit)
        turned = "," in self._gaps[last]
        for _ in range(3):
            following = self._next(at, last)
            if following is None:
                return last
            word, gap = self.words[following], self._gaps[following]
            if len(word) == 1:
                named = (turned and word != "i") or any(other.startswith(word) for other in others)
                if not (named and word.isalpha() and self._capital(following) and gap[0] in " ."):
                    return last
            elif word not in others and not (gap in HYPHENS and self._kinds[following] & NAMEISH):
                return last
            last = following
        return last

    def _next(self, start: int, at: int) -> int | None:
        """The token joined to this one, if it is within reach of `start`; raises More."""
        following = at + 1
        gap = self._gaps[following]
        if (
            gap not in JOINTS
            or self._edges[2 * following] - self._begin(start) > REACH
            or following - start >= MOST_TOKENS
        ):
            return None
        if following < self.whole:
            return following if self._length(following) <= LONGEST else None
        if following < len(self.words):
            if self.too_long:
                return None
            raise More
        if self._ended:
            return None
        raise More

    def _begin(self, at: int) -> int:
        return self._edges[2 * at]

    def _end(self, at: int) -> int:
        return self._edges[2 * at + 1]

    def _length(self, at: int) -> int:
        return self._edges[2 * at + 1] - self._edges[2 * at]

    def _shown(self, at: int) -> str:
        return self._text[self._begin(at) : self._end(at)]

    def _capital(self, at: int) -> bool:
        return self._text[self._begin(at)].isupper()
