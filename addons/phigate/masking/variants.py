"""The same text, written otherwise: what recall must not depend on.

Rules of this file: each writing puts a text of its own in the place of a character, so that every place in what was
written leads back to one character; deterministic; pure.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from phigate.exchange import Finding

type Writing = Callable[[str], Iterable[str]]
"""What stands for each character of a text, in order."""

_NOTHING: Final = "\u200b\u200c\u200d\u2060\ufeff"
"""Zero-width characters, one after the other."""
_COLUMNS: Final = 40
_HOMOGLYPHS: Final = dict(
    zip("aceijopsxyABCEHIJKMOPSTXY", "асеіјорѕхуАВСЕНІЈКМОРЅТХҮ", strict=True)  # noqa: RUF001 -- that is the point
)
_CURLY: Final = {"'": "\u2019", '"': "\u201d", "-": "\u2013"}
_ENTITIES: Final = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
    " ": "&nbsp;",
    "-": "&#45;",
    "@": "&#x40;",
    "/": "&#x2F;",
}


@dataclass(frozen=True, slots=True)
class Written:
    """A text as written; `starts` says where each character of the original begins in it."""

    text: str
    starts: Sequence[int]

    def back(self, findings: Iterable[Finding]) -> list[Finding]:
        """Findings in this text, in places of the original: a character is covered where its beginning is."""
        return [
            replace(each, start=bisect_left(self.starts, each.start), end=bisect_left(self.starts, each.end))
            for each in findings
        ]


def write(text: str, *names: str) -> Written:
    """A text in the writings of these names, one after the other; raises KeyError for one that is not in WRITINGS."""
    starts: Sequence[int] = range(len(text))
    for name in names:
        parts = list(WRITINGS[name](text))
        text, places = "".join(parts), [0, *accumulate(map(len, parts))]
        starts = [places[start] for start in starts]
    return Written(text, starts)


def _lower(text: str) -> Iterable[str]:
    return (each.lower() if len(each.lower()) == 1 else each for each in text)


def _upper(text: str) -> Iterable[str]:
    return (each.upper() if len(each.upper()) == 1 else each for each in text)


def _between(text: str, every: int, fillers: str) -> Iterable[str]:
    """One of `fillers` after every so many letters or digits that have another after them."""
    run = turn = 0
    for place, each in enumerate(text):
        run = run + 1 if each.isalnum() else 0
        if run and run % every == 0 and text[place + 1 : place + 2].isalnum():
            yield each + fillers[turn % len(fillers)]
            turn += 1
        else:
            yield each


def _zero_width(text: str) -> Iterable[str]:
    return _between(text, 2, _NOTHING)


def _soft_hyphen(text: str) -> Iterable[str]:
    return _between(text, 3, "\u00ad")


def _no_break(text: str) -> Iterable[str]:
    spaces = "\u00a0\u202f"
    return (spaces[place % 2] if each == " " else each for place, each in enumerate(text))


def _wide(text: str) -> Iterable[str]:
    return (chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in text)


def _wide_digits(text: str) -> Iterable[str]:
    return (chr(ord(each) + 0xFEE0) if "0" <= each <= "9" else each for each in text)


def _homoglyphs(text: str) -> Iterable[str]:
    return (_HOMOGLYPHS.get(each, each) if place % 2 else each for place, each in enumerate(text))


def _html(text: str) -> Iterable[str]:
    return (_ENTITIES.get(each, each) if each != " " or place % 2 else each for place, each in enumerate(text))


def _wrapped(text: str) -> Iterable[str]:
    """A line break in the place of the first space after every so many columns."""
    column = 0
    for each in text:
        column = 0 if each == "\n" else column + 1
        if each == " " and column >= _COLUMNS:
            column = 0
            yield "\n"
        else:
            yield each


WRITINGS: Final[dict[str, Writing]] = {
    "lower": _lower,
    "upper": _upper,
    "zero-width": _zero_width,
    "soft-hyphen": _soft_hyphen,
    "nbsp": _no_break,
    "hyphen": lambda text: ("\u2011" if each == "-" else each for each in text),
    "curly": lambda text: (_CURLY.get(each, each) for each in text),
    "fullwidth": _wide,
    "fullwidth-digits": _wide_digits,
    "homoglyph": _homoglyphs,
    "html": _html,
    "wrapped": _wrapped,
    "decomposed": lambda text: (normalize("NFD", each) for each in text),
}
CASES: Final = ("lower", "upper")
VARIANTS: Final = tuple(name for name in WRITINGS if name not in CASES)
