"""Parts that the tables share: pattern text, and checks on what a pattern found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdnum import verhoeff

if TYPE_CHECKING:
    from collections.abc import Callable

QUOTE = r"""["'*_`~\\]{0,3}"""
SPACE = r"[ \t\x{A0}\x{2009}\x{202F}]"
LINK = (
    rf"{QUOTE}{SPACE}{{0,2}}(?:(?:(?i:numbers?|num|nos?|nr|id|identifier|code|ending in|ending"
    rf"|on file)\b\.?|#|[nN]?[\x{{B0}}\x{{BA}}]){QUOTE}{SPACE}{{0,2}})?"
    rf"(?:[:;#=|>\x{{2502}}\x{{2551}}\x{{2192}}\x{{21D2}}\x{{279C}}]{{1,2}}{QUOTE}|(?i:is|was|are)\b{QUOTE}|[-\x{{2013}}\x{{2014}}])?"
    r"[ \t\r\n\x0b\x0c\x{A0}\x{2009}\x{202F}]{0,3}(?:> ?)?[\"'*_`#(<$~\[\\]{0,3}"
)
"""What may stand between a label and its value: `MRN: 1`, `MRN No. 1`, `**MRN:** 1`, `"mrn": "1"`, `MRN is #1`,
`| MRN | 1 |`, `<mrn>1`, `MRN:` and `> 1` on the next line."""
HYPHEN = r"[-\x{2010}-\x{2014}]"


def code(digits: int) -> str:
    """A record number of any make, with as many letters and digits at least: its row's check counts the digits."""
    return (
        rf"(?:\d{{2,3}}(?: \d{{2,3}}){{2,3}}|(?:[A-Za-z]{{1,6}}{HYPHEN}){{0,2}}[A-Za-z]{{0,6}}\d"
        rf"(?:{HYPHEN}?[A-Za-z0-9]){{{digits - 1},39}})\b"
    )


APART = r"(?:[^0-9A-Za-z-]|$)"
"""What stands after a number that is no part of a longer one (an NDC such as `00002-8215-01`)."""
ALONE = r"(?:[^0-9A-Za-z -]|$| [^0-9]| $)"
"""The same, in groups: no group of digits follows."""

UPPER = r"[A-Z\x{C0}-\x{D6}\x{D8}-\x{DE}\x{100}-\x{24F}\x{1E00}-\x{1EFF}]"
LOWER = r"[a-z\x{DF}-\x{F6}\x{F8}-\x{24F}\x{300}-\x{36F}\x{1E00}-\x{1EFF}]"
APOSTROPHE = r"['\x{2019}\x{2018}-]"
EDGE = r"(?:\b[A-Z]|[\x{C0}-\x{D6}\x{D8}-\x{DE}\x{100}-\x{24F}\x{1E00}-\x{1EFF}])"
"""The first letter of a capitalised word: RE2's `\\b` knows ASCII only."""


NO_DIGITS = re.compile(r"\D+")
YEAR = re.compile(r"(?:19|20)\d\d")
MEASURE = re.compile(
    r"\d+(?:-\d+)?-?(?:[mk]?g|mcg|ug|ng|[md]?l|cc|units?|i?u|meq|m?mol|[mck]?m|k?cal|[mk]?hz|hours?|hrs?|h|days?|d"
    r"|weeks?"
    r"|wks?|months?|mos?|years?|yrs?|y|min|sec|[ap]m|st|nd|rd|th|fr|french|gauge|x)",
    re.IGNORECASE,
)
RANGE = re.compile(r"(\d{1,7})[-\u2010-\u2014](\d{1,7})")


def digits_of(text: str) -> str:
    return NO_DIGITS.sub("", text)


def has_digits(least: int) -> Callable[[str], bool]:
    """A record number: at least so many digits, no bare year and no quantity with its unit."""
    enough = re.compile(rf"(?:\D*\d){{{least}}}").match

    def check(text: str) -> bool:
        return bool(
            enough(text)
            and not (len(text) == 4 and YEAR.fullmatch(text))
            and not (text[-1].isalpha() and MEASURE.fullmatch(text))
        )

    return check


def weak(least: int) -> Callable[[str], bool]:
    """As `has_digits` after a label that is an ordinary word too: no range either, and few digits need letters."""
    enough = has_digits(least)

    def check(text: str) -> bool:
        return enough(text) and not is_range(text) and (len(digits_of(text)) > 4 or not text.isdecimal())

    return check


def is_range(text: str) -> bool:
    """`4500-11000`, but not `2024-31077`."""
    found = RANGE.fullmatch(text)
    return bool(
        found and not YEAR.fullmatch(found[1]) and int(found[1]) < int(found[2]) and len(found[2]) - len(found[1]) <= 1
    )


DOUBLED = str.maketrans("0123456789", "0246813579")
"""Twice a digit, its cross sum."""


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    return (sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2].translate(DOUBLED)))) % 10 == 0


def is_snomed(digits: str) -> bool:
    """A SNOMED CT identifier: 6 to 18 digits, a partition that exists, Verhoeff's check digit (release file format)."""
    return 6 <= len(digits) <= 18 and digits[-3:-1] in PARTITIONS and verhoeff.is_valid(digits)


PARTITIONS = frozenset({"00", "01", "02", "10", "11", "12"})
