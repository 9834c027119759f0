"""How a found value is hidden: a table of transforms, and the Transformer that applies a mask with it.

Each transform says whether its output meets Safe Harbor (45 CFR 164.514(b)(2)). A transform that does not fit a value
(a year of a phone number, a shift of no date) redacts it: nothing passes for want of a way to hide it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from phigate.masking.calendar import read
from phigate.masking.identifiers import normal
from phigate.masking.secrets import Secrets
from phigate.masking.surrogates import Seed, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.masking.detect import Piece
    from phigate.policy.schema import Mask

__all__ = ["TABLE", "Secrets", "Transformer"]

FEW_PEOPLE = frozenset(
    "036 059 063 102 203 205 369 556 692 790 821 823 830 831 878 879 884 890 893".split()  # noqa: SIM905 - a list as published
)
"""ZIP3 areas of 20,000 people or fewer: the 17 of HHS' de-identification guidance (Census 2000 ZCTAs) and the two that
Census 2010 adds."""
CACHED = 4096
YEAR = re.compile(r"(?:19|20)\d\d")


class Use(NamedTuple):
    """What a transform is given beside the value."""

    entity: str
    text: str
    keep: int
    secrets: Secrets
    scope: str


def redact(use: Use) -> str:
    """The entity's name in brackets. Meets Safe Harbor."""
    return f"[{use.entity}]"


def mask(use: Use) -> str:
    """An asterisk for each letter and digit. Meets Safe Harbor; length and punctuation show."""
    return "".join("*" if each.isalnum() else each for each in use.text)


def keep_last(use: Use) -> str:
    """Masked but for the last letters and digits. Does not meet Safe Harbor (parts of the number remain).

    Never more than half of a value is kept.
    """
    kept = min(use.keep, sum(map(str.isalnum, use.text)) // 2)
    at = len(use.text)
    while kept:
        at -= 1
        kept -= use.text[at].isalnum()
    return mask(use._replace(text=use.text[:at])) + use.text[at:]


def digest(use: Use) -> str:
    """Twelve hexadecimal digits of the value's HMAC-SHA256, the same in the whole organisation.

    Does not meet Safe Harbor by itself: a code derived from the value (164.514(c)), though nobody without the key
    can undo or recompute it.
    """
    value = normal(use.entity, use.text)
    return f"{use.entity}_{use.secrets.digest('hash', use.secrets.epoch, use.entity, value).hex()[:12]}"


def surrogate(use: Use) -> str:
    """A realistic stand-in, the same within the scope. Meets Safe Harbor except for dates, which are shifted."""
    if use.entity == "DATE_TIME":
        return shift(use)
    return stand_in(use.entity, use.text, Seed(use.secrets, use.scope))


def shift(use: Use) -> str:
    """The date moved back by the scope's own number of days (1 to 364), written as it was; intervals are kept.

    Does not meet Safe Harbor (a day remains, if not the day); Expert Determination often accepts it.
    """
    found = read(use.text) if use.entity == "DATE_TIME" else None
    if found is None:
        return redact(use)
    days = 1 + int.from_bytes(use.secrets.digest("shift", use.scope)[:8], "big") % 364
    try:
        return found.write(found.day - timedelta(days=days))
    except OverflowError:
        return redact(use)


def year(use: Use) -> str:
    """A date's year. Meets Safe Harbor, unless it is the year of birth of someone over 89, which this cannot know."""
    if use.entity != "DATE_TIME":
        return redact(use)
    found = read(use.text)
    if found and found.complete:
        return str(found.day.year)
    years = set(YEAR.findall(use.text))
    return years.pop() if len(years) == 1 else redact(use)


def zip3(use: Use) -> str:
    """A ZIP code's first three digits, 000 where few people live. Meets Safe Harbor (164.514(b)(2)(i)(B))."""
    digits = "".join(filter(str.isdecimal, use.text))
    if use.entity != "ZIP" or len(digits) < 5:
        return redact(use)
    return "000" if digits[:3] in FEW_PEOPLE else digits[:3]


def cap_90(use: Use) -> str:
    """An age over 89 as `90+`. Meets Safe Harbor (164.514(b)(2)(i)(C)). Only such ages are found at all."""
    return "90+" if use.entity == "AGE" else redact(use)


def keep(use: Use) -> str:
    """The value as it is. Does not meet Safe Harbor."""
    return use.text


TABLE: dict[str, Callable[[Use], str]] = {
    "redact": redact,
    "mask": mask,
    "year": year,
    "zip3": zip3,
    "cap-90": cap_90,
    "hash": digest,
    "surrogate": surrogate,
    "shift": shift,
    "keep-last": keep_last,
    "keep": keep,
}


class Transformer:
    """One mask at work in one scope; raises ValueError at construction for a transform that is not in the table."""

    def __init__(self, mask: Mask, secrets: Secrets, scope: str) -> None:
        unknown = sorted({each.name for each in mask.transforms.values()} - TABLE.keys())
        if unknown:
            raise ValueError(f"mask `{mask.name}`: no transform `{unknown[0]}`")
        self._mask, self._secrets, self._scope = mask, secrets, scope
        self._rendered: dict[tuple[str, str], str] = {}

    def render(self, piece: Piece) -> str:
        """A piece's text as this mask shows it."""
        if piece.entity is None:
            return piece.text
        known = self._rendered.get((piece.entity, piece.text))
        return known if known is not None else self._render(piece.entity, piece.text)

    def _render(self, entity: str, text: str) -> str:
        transform = self._mask.of(entity)
        made = TABLE[transform.name](Use(entity, text, transform.keep, self._secrets, self._scope))
        if len(self._rendered) < CACHED:
            self._rendered[entity, text] = made
        return made
