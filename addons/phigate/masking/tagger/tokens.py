"""Cutting a text into tokens, whole or as it grows.

Rules of this file:
- A token is a word, a number, a newline or one other character, together with the blanks before it. Tokens joined are
  the text. The dot of an initial or of an abbreviation in names and addresses belongs to its word.
- Where a token ends depends on nothing before it and on at most two characters behind it, so a growing text is cut as
  the whole one; what those characters have not decided yet is left for the next cut.
- No token is longer than three times `LONGEST` with its blanks.
"""

from __future__ import annotations

import re

LONGEST = 24
"""Characters of a word or a number; what is longer is cut."""

_LETTER = r"[^\W\d_]"
_DOTTED = (
    *("dr", "mr", "ms", "mrs", "prof", "rev", "hon", "jr", "sr", "st", "ste", "mt", "ft"),
    *("ave", "av", "rd", "ln", "ct", "pl", "blvd", "hwy", "pkwy", "apt", "bldg", "hosp", "univ", "med", "ctr"),
)
_TOKEN = re.compile(
    r"[ \t\u00a0]{0,8}"
    rf"(?:(?=[A-Za-z]{{1,4}}\.)(?:[A-Za-z]|(?i:{'|'.join(_DOTTED)}))\."
    rf"|{_LETTER}{{1,{LONGEST}}}(?:['\u2019]{_LETTER}{{1,{LONGEST}}}){{0,2}}|\d{{1,{LONGEST}}}|[^ \t\u00a0])"
    r"|[ \t\u00a0]{1,8}"
)

split = _TOKEN.findall
"""All tokens of a whole text."""


def cut(text: str) -> tuple[list[str], str]:
    """The tokens of a growing text that no further character can change, and the text that is left."""
    tokens = split(text)
    if not tokens:
        return tokens, text
    rest: str = tokens.pop()
    if rest in {"'", "\u2019"} and tokens:
        rest = tokens.pop() + rest
    return tokens, rest
