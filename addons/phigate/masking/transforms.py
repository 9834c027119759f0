"""How a found value is hidden: a table of transforms, and the Transformer that applies a mask with it.

Rules of this file:
- Each transform says whether its output meets Safe Harbor (45 CFR 164.514(b)(2)).
- A transform that does not fit a value (a year of a phone number, a shift of no date) redacts it: nothing passes for
  want of a way to hide it.
- What is shown has no quote, backslash or control character, but for `keep`: JSON stays JSON.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from phigate.masking.calendar import moved, read
from phigate.masking.encoded import UNDECODABLE
from phigate.masking.identifiers import normal
from phigate.masking.restore import ONE_TO_ONE
from phigate.masking.reversible import encrypt as token_of
from phigate.masking.secrets import Secrets
from phigate.masking.states import state_of
from phigate.masking.surrogates import Real, Seed, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.masking.detect import Piece
    from phigate.policy.schema import Mask

__all__ = ["TABLE", "Secrets", "Transformer", "codes", "scope_of"]

FEW_PEOPLE = frozenset(str.split("036 059 063 102 203 205 369 556 692 790 821 823 830 831 878 879 884 890 893"))
"""ZIP3 areas of 20,000 people or fewer: the 17 of HHS' de-identification guidance (Census 2000 ZCTAs) and the two that
Census 2010 adds."""
CACHED = 4096
YEAR = re.compile(r"(?:19|20)\d\d")
AGE = re.compile(r"\b\d{1,3}\b")
FACILITIES = (
    ("nursing home", "a nursing home"),
    ("hospice", "a hospice"),
    ("rehab", "a rehabilitation center"),
    ("pharmac", "a pharmacy"),
    ("laborator", "a laboratory"),
    ("clinic", "a clinic"),
    ("hospital", "a hospital"),
    ("infirmary", "a hospital"),
    ("medical", "a medical center"),
    ("health", "a medical center"),
    ("universit", "a university"),
    ("college", "a college"),
    ("school", "a school"),
    ("church", "a church"),
)
"""What a facility's name says it is; the first that is in it."""


class Use(NamedTuple):
    """What a transform is given beside the value."""

    entity: str
    text: str
    keep: int
    secrets: Secrets
    scope: str
    real: Real | None = None


def redact(use: Use) -> str:
    """The entity's name in brackets. Meets Safe Harbor (164.514(b)(2)(i)): nothing of the value remains."""
    return f"[{use.entity}]"


def mask(use: Use) -> str:
    """An asterisk for each letter and digit. Meets Safe Harbor (164.514(b)(2)(i)); length and punctuation show."""
    return "".join("*" if each.isalnum() else each for each in _unmarked(use.text))


def keep_last(use: Use) -> str:
    """Masked but for the last letters and digits.

    Does not meet Safe Harbor: parts of the number remain (164.514(b)(2)(i)). Never more than half of a value is kept.
    """
    text = _unmarked(use.text)
    kept = min(use.keep, sum(map(str.isalnum, text)) // 2)
    at = len(text)
    while kept:
        at -= 1
        kept -= text[at].isalnum()
    return mask(use._replace(text=text[:at])) + text[at:]


def digest(use: Use) -> str:
    """Twelve hexadecimal digits of the value's HMAC-SHA256, the same in the whole organisation and epoch.

    Does not meet Safe Harbor by itself: a code derived from the value (164.514(c)(1)), though nobody without the key
    can undo or recompute it.
    """
    return _code(use.entity, use.text, use.secrets)


def encrypt(use: Use) -> str:
    """A token that the key turns back (reversible.py), the same for the same writing of a value.

    Does not meet Safe Harbor by itself: a code derived from the value (164.514(c)(1)), and its length shows.
    """
    return token_of(use.entity, use.text, use.secrets)


def surrogate(use: Use) -> str:
    """A realistic stand-in, the same within the scope.

    Meets Safe Harbor (164.514(b)(2)(i)) except for dates, which are shifted, and states, which may stand. A value that
    nothing stands for (a name without a letter) is redacted.
    """
    if use.entity == "DATE_TIME":
        return shift(use)
    made = stand_in(use.entity, _unmarked(use.text), Seed(use.secrets, use.scope, use.real))
    return redact(use) if normal(use.entity, made) == normal(use.entity, use.text) else made


def shift(use: Use) -> str:
    """The date moved back by the scope's own number of days (1 to 364), written as it was; intervals are kept.

    A month or a range of dates moves as well; a month without a day may stay where it is. Does not meet Safe Harbor:
    a day remains, if not the day (164.514(b)(2)(i)(C)); Expert Determination (164.514(b)(1)) often accepts it.
    """
    days = 1 + int.from_bytes(use.secrets.digest("shift", use.scope)[:8], "big") % 364
    return (moved(use.text, days) if use.entity == "DATE_TIME" else None) or redact(use)


def year(use: Use) -> str:
    """A date's year.

    Meets Safe Harbor (164.514(b)(2)(i)(C)), unless it is the year of birth of someone over 89, which this cannot know.
    """
    if use.entity != "DATE_TIME":
        return redact(use)
    found = read(use.text)
    if found and found.complete:
        return str(found.day.year)
    years = set(YEAR.findall(use.text))
    return years.pop() if len(years) == 1 else redact(use)


def zip3(use: Use) -> str:
    """A ZIP code's first three digits, 000 where few people live. Meets Safe Harbor (164.514(b)(2)(i)(B))."""
    digits = "".join(each for each in use.text if each in "0123456789")
    if use.entity != "ZIP" or len(digits) < 5:
        return redact(use)
    return "000" if digits[:3] in FEW_PEOPLE else digits[:3]


def cap_90(use: Use) -> str:
    """An age over 89 as `90+`; a lower one as it is. Meets Safe Harbor (164.514(b)(2)(i)(C))."""
    if use.entity != "AGE":
        return redact(use)
    years = _years(use.text)
    return str(years) if years is not None and years < 90 else "90+"


def generalise(use: Use) -> str:
    """Less exact and still true: a state, a year, three digits of a ZIP code, a decade of life, a kind of facility.

    Meets Safe Harbor (164.514(b)(2)(i)(B) and (C)); an address without a state, and every other entity, is redacted.
    """
    return GENERAL.get(use.entity, redact)(use)


def keep(use: Use) -> str:
    """The value as it is. Does not meet Safe Harbor."""
    return use.text


def _state(use: Use) -> str:
    return state_of(use.text) or redact(use)


def _facility(use: Use) -> str:
    name = use.text.casefold()
    return next((kind for word, kind in FACILITIES if word in name), "an organization")


def _decade(use: Use) -> str:
    years = _years(use.text)
    if years is None or years >= 90:
        return "90+"
    return f"{years // 10 * 10}-{years // 10 * 10 + 9}"


def _years(text: str) -> int | None:
    found = AGE.search(text)
    return int(found[0]) if found else None


def _unmarked(text: str) -> str:
    """A text without marks of their own (combining accents, vowel signs): they are letters' parts, and tell of them."""
    if text.isascii():
        return text
    composed = unicodedata.normalize("NFC", text)
    return "".join(each for each in composed if unicodedata.category(each)[0] != "M")


def _plain(text: str) -> str:
    """A text without quotes, backslashes and control characters: blanks in their place."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(" " if each in '"\\' or not each.isprintable() else each for each in text)


GENERAL: dict[str, Callable[[Use], str]] = {
    "LOCATION": _state,
    "ORGANIZATION": _facility,
    "AGE": _decade,
    "DATE_TIME": year,
    "ZIP": zip3,
}

TABLE: dict[str, Callable[[Use], str]] = {
    "redact": redact,
    "mask": mask,
    "year": year,
    "zip3": zip3,
    "cap-90": cap_90,
    "generalise": generalise,
    "hash": digest,
    "encrypt": encrypt,
    "surrogate": surrogate,
    "shift": shift,
    "keep-last": keep_last,
    "keep": keep,
}


def codes(entity: str, text: str, secrets: Secrets) -> tuple[str, ...]:
    """What `hash` has ever shown for a value: its code under each key, newest first."""
    return tuple(_code(entity, text, each) for each in secrets.every)


def _code(entity: str, text: str, secrets: Secrets) -> str:
    return f"{entity}_{secrets.digest('hash', secrets.epoch, entity, normal(entity, text)).hex()[:12]}"


def scope_of(mask: Mask, *, exchange: str, session: str | None, subject: str | None) -> str:
    """The name of what a mask's stand-ins are the same within; what is not known falls to the exchange."""
    known = {"session": session, "subject": subject, "organisation": ""}.get(mask.scope)
    return f"exchange:{exchange}" if known is None else f"{mask.scope}:{known}"


class Transformer:
    """One mask at work in one scope; raises ValueError at construction for a transform that is not in the table."""

    def __init__(self, mask: Mask, secrets: Secrets, scope: str, real: Real | None = None) -> None:
        """`real` is the roster, whose people and numbers are never a stand-in."""
        unknown = sorted({each.name for each in mask.transforms.values()} - TABLE.keys())
        if unknown:
            raise ValueError(f"mask `{mask.name}`: no transform `{unknown[0]}`")
        self._mask, self._secrets, self._scope, self._real = mask, secrets, scope, real
        self._threshold = mask.threshold
        self._rendered: dict[tuple[str, str], str] = {}

    def finds(self, piece: Piece) -> bool:
        """Whether the piece is an identifier for this mask: its score reaches the threshold."""
        if piece.entity is None or piece.score < self._threshold:
            return False
        return piece.detector != UNDECODABLE or self._mask.undecodable != "permit"

    def hides(self, piece: Piece) -> bool:
        """Whether the piece is an identifier for this mask, and not one that it keeps."""
        return piece.entity is not None and self.finds(piece) and self._mask.of(piece.entity).name != "keep"

    def tells_apart(self, piece: Piece) -> bool:
        """Whether what stands for the piece tells which value it stands for."""
        return self.hides(piece) and self._mask.of(str(piece.entity)).name in ONE_TO_ONE

    def render(self, piece: Piece) -> str:
        """A piece's text as this mask shows it."""
        if piece.entity is None or not self.finds(piece):
            return piece.text
        known = self._rendered.get((piece.entity, piece.text))
        return known if known is not None else self._render(piece.entity, piece.text)

    def _render(self, entity: str, text: str) -> str:
        transform = self._mask.of(entity)
        made = TABLE[transform.name](Use(entity, text, transform.keep, self._secrets, self._scope, self._real))
        if transform.name != "keep":
            made = _plain(made)
        if len(self._rendered) < CACHED:
            self._rendered[entity, text] = made
        return made
