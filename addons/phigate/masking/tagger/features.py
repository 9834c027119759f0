"""What the tagger looks at: features of a token itself, of its neighbours, and of pairs of classes.

Training and run time use these very functions, so they cannot drift apart. At run time those of one token are summed
once and kept with its `Word`; only those of pairs are looked up at each place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.masking.tagger import lexicon as known
from phigate.masking.tagger.words import CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phigate.masking.tagger.words import Word

PLACES = (-3, -2, -1, 1, 2)
"""Which neighbours are looked at."""

_SPECIFIC = (
    known.PLAIN
    | known.FUNCTION
    | known.FACILITY
    | known.FACILITY_NAME
    | known.STREET
    | known.TITLE
    | known.CREDENTIAL
    | known.RELATION
    | known.LABEL
    | known.MONTH
    | known.MEDICAL
    | known.DRUG
    | known.EPONYM
    | known.STATE
    | known.PLACE_PART
    | known.PARTICLE
)
"""Words that are learned one by one; names are learned only by what they have in common."""
_NAMES = known.FIRST | known.FIRST_COMMON | known.LAST | known.LAST_COMMON | known.PLACE | known.PLACE_COMMON
_KNOWN = known.FIRST_COMMON | known.LAST_COMMON | known.PLAIN | known.FUNCTION | known.PLACE_COMMON
"""Words whose beginning and ending say nothing more."""


def may_be_learned(word: Word) -> bool:
    return not word.base[:1].isalpha() or bool(word.bits & _SPECIFIC) or word.bits == 0


def local(word: Word, mode: int) -> Iterator[str]:
    """Of the token itself, in a way of writing."""
    bits, case = word.bits, word.case
    yield f"0 {case} {mode}"
    yield f"0b{bits:x} {case} {mode}"
    yield f"0m{bits & _NAMES:x} {case} {mode}"
    yield f"0o{bits & ~_NAMES:x} {case} {mode}"
    yield f"0g{word.cls} {mode}"
    for index in range(bits.bit_length()):
        if bits >> index & 1:
            yield f"0i{index} {mode}"
    if word.cid and bits & _SPECIFIC:
        yield f"0w{word.base}"
        yield f"0w{word.base} {case}"
    if word.tail:
        yield "0possessive"
    if word.lead == 0 or word.lead > 2:
        yield f"0lead{word.lead > 2:d}"
    base = word.base
    if base[:1].isalpha() and len(base) > 2 and not bits & _KNOWN:
        yield f"0n{min(len(base), 12)}"
        for size in (2, 3, 4):
            yield f"0s{base[-size:]}"
        for size in (2, 3):
            yield f"0p{base[:size]}"
        if not bits:
            yield f"0us{base[-3:]} {mode}"
        if not base.isascii():
            yield "0foreign"


def near(word: Word, place: int) -> Iterator[str]:
    """Of a neighbour."""
    yield f"{place}g{word.cls}"
    yield f"{place}b{word.bits:x}"
    yield f"{place} {word.case}"
    if word.cid:
        yield f"{place}w{word.base}"
    if word.lead == 0 or word.lead > 2:
        yield f"{place}lead{word.lead > 2:d}"
    if abs(place) == 1 and word.base[:1].isalpha():
        yield f"{place}s{word.base[-3:]}"


def pairs(words: Sequence[Word], at: int) -> tuple[tuple[str, int], ...]:
    """Of neighbours taken together: a table and the place in it."""
    c3, c2, c1, c0, n1, n2 = (words[at + place].cls for place in (-3, -2, -1, 0, 1, 2))
    w2, w1, w0, x1 = (words[at + place].cid for place in (-2, -1, 0, 1))
    del c3, w0
    return (
        ("A", c1 * CLASSES + c0),
        ("B", c0 * CLASSES + n1),
        ("C", (c1 * CLASSES + c0) * CLASSES + n1),
        ("D", w2 * 65536 + w1),
        ("E", w1 * CLASSES + c0),
        ("F", x1 * CLASSES + c0),
        ("G", (c2 * CLASSES + c1) * CLASSES + c0),
        ("H", (c0 * CLASSES + n1) * CLASSES + n2),
    )
