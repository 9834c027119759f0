"""Parts that the tables share: pattern text, and checks on what a pattern found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

QUOTE = r"""["'*_`\\]{0,3}"""
SPACE = r"[ \t\x{A0}\x{2009}\x{202F}]"
LINK = (
    rf"{QUOTE}{SPACE}{{0,2}}(?:(?:(?i:numbers?|num|nos?|nr|id|identifier|code|ending in|ending"
    rf"|on file)\b\.?|#){QUOTE}{SPACE}{{0,2}})?"
    rf"(?:[:#=]{{1,2}}{QUOTE}|(?i:is|was|are)\b{QUOTE}|-)?"
    r"[ \t\n\x{A0}\x{2009}\x{202F}]{0,3}[\"'*_`#(\[\\]{0,3}"
)
"""What may stand between a label and its value: `MRN: 1`, `MRN No. 1`, `**MRN:** 1`, `"mrn": "1"`, `MRN is #1`."""
CODE = (
    r"(?:\d{2,3}(?: \d{2,3}){2,3}|(?:[A-Za-z]{1,6}[-\x{2010}-\x{2013}]){0,2}[A-Za-z]{0,6}\d[A-Za-z0-9]{0,19}"
    r"(?:[-\x{2010}-\x{2013}][A-Za-z0-9]{1,12}){0,4})\b"
)
"""A record number of any make; its table row says how many digits it must have."""

UPPER = r"[A-Z\x{C0}-\x{D6}\x{D8}-\x{DE}\x{100}-\x{24F}\x{1E00}-\x{1EFF}]"
LOWER = r"[a-z\x{DF}-\x{F6}\x{F8}-\x{24F}\x{300}-\x{36F}\x{1E00}-\x{1EFF}]"
APOSTROPHE = r"['\x{2019}\x{2018}-]"
EDGE = r"(?:\b[A-Z]|[\x{C0}-\x{D6}\x{D8}-\x{DE}\x{100}-\x{24F}\x{1E00}-\x{1EFF}])"
"""The first letter of a capitalised word: RE2's `\\b` knows ASCII only."""


YEAR = re.compile(r"(?:19|20)\d\d")


def digits_of(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


def has_digits(least: int) -> Callable[[str], bool]:
    """A record number: at least so many digits, and no bare year."""
    return lambda text: len(digits_of(text)) >= least and not (len(text) == 4 and YEAR.fullmatch(text))


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
