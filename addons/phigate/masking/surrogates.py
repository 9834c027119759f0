"""Stand-ins: the same kind and shape as the value, invented, and never the value itself.

Rules of this file:
- Every stand-in follows from the key, the scope and the value, so within a scope the same value always gets the same
  one; so does every word of a name, a place or a facility: `Ada Brandt`, `BRANDT, ADA` and `Ms. Brandt` agree.
- The letters of the alphabet are exchanged once for a scope, none for itself: an initial agrees with its name. That two
  names begin with the same letter shows.
- Where a range is reserved for examples or never issued, the stand-in comes from there, so that it is nobody's.
- Nothing that `real` holds (the roster's people and numbers) is ever a stand-in.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Protocol

from phigate.masking.detectors.numbers import is_card, is_npi
from phigate.masking.given import BY_GENDER, GENDER
from phigate.masking.identifiers import normal
from phigate.masking.people import PARTICLES, fold
from phigate.masking.states import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phigate.masking.secrets import Secrets

LETTERS = string.ascii_uppercase
NAMES_BEGIN = frozenset(LETTERS)
APOSTROPHES = frozenset("'\u2019")
FRONT = str.split(
    "Al Ar Ash Bar Bel Ber Bran Cal Car Cas Cor Dal Dar Del Dun El Ed Ec Fal Fen Fos Gal Gar Gil Hal Har Hol Ing "
    "Is Iv Jar Jes Jor Kel Ker Kil Lan Lor Lin Mal Mar Mer Nor Nel Nas Or Os Ol Pel Per Pres Quin Quar Qual Ral "
    "Ren Ros Sel San Stan Tal Tor Tur Ul Un Ur Val Ver Vin Wil Win War Xan Xer Xim Yar Yel Yor Zan Zel Zor"
)
BACK = str.split(
    "bin bridge burn bury by combe cott croft dale dan den der don dorf dric field fin ford gan gate gen grave "
    "ham holm hurst ing land ler ley lin low man mer mere min mond more nell ner nis rick ris ron sen set sey "
    "shaw side son sted stein stone ston tan ten ter tin tith ton tor vale van vin wald ward way well wick win "
    "with wood worth wyn"
)
"""Halves of invented surnames and places: several thousand words."""
NAME_WORD = re.compile(r"[^\W\d_]+")
TITLES = frozenset(
    str.split("mr mrs ms miss mx dr prof sir dame rev fr sr jr ii iii iv mme mlle herr frau senor senora and")
)
CREDENTIALS = frozenset(
    str.split("MD DO RN NP PA PHD DDS DPM LPN CNA MPH PT OT LCSW APRN CRNA FACP MBBS JD ESQ II III IV")
)
"""Kept where they stand in capitals behind a comma or a name."""
KEPT_IN_PLACES = frozenset(
    str.split(
        "street st avenue ave road rd drive dr lane ln boulevard blvd court ct circle cir way place pl terrace ter "
        "parkway pkwy highway hwy route rte square sq trail trl suite ste apartment apt unit floor fl room rm "
        "building bldg po box county city town township north south east west n s e w ne nw se sw of the and at in "
        "near"
    )
)
KEPT_IN_FACILITIES = frozenset(
    str.split(
        "hospital hospitals clinic clinics center centre medical health healthcare care memorial general regional "
        "community university children's children childrens s pharmacy laboratory laboratories lab labs nursing home "
        "rehabilitation rehab hospice school college academy elementary high institute foundation group practice "
        "associates partners system surgery surgical cancer heart orthopedics pediatrics family urgent emergency "
        "department veterans county city national state of the and for at in on de la st saint llc inc pc llp co "
        "corporation company"
    )
)
NETS = ("192.0.2", "198.51.100", "203.0.113")
"""RFC 5737, for documentation."""
ATTEMPTS = 64
"""More than enough: a stand-in equals its value by a chance of one in ten at most."""

type Draw = Iterator[int]


class Real(Protocol):
    """Who and what is real, and so never a stand-in: the roster."""

    def has_surname(self, word: str) -> bool: ...

    def holds(self, text: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Seed:
    """Where the stand-ins of one scope come from."""

    secrets: Secrets
    scope: str
    real: Real | None = field(default=None, compare=False)

    def draw(self, *parts: str) -> Draw:
        """Bytes without end that follow from the key, the scope and these parts."""
        for block in count():
            yield from self.secrets.digest("surrogate", self.scope, *parts, str(block))

    def other(self, entity: str, text: str, make: Callable[[str, Draw], str]) -> str:
        """The first thing made for a value that is neither the value nor real."""
        value = normal(entity, text)
        for attempt in range(ATTEMPTS):
            made = make(text, self.draw(entity, value, str(attempt)))
            if normal(entity, made) != value and not (self.real and self.real.holds(made)):
                return made
        return f"[{entity}]"

    def word(self, kind: str, word: str, make: Callable[[Draw], str]) -> str:
        """The first word made for a folded one that is neither the word nor anybody's surname."""
        for attempt in range(ATTEMPTS):
            made = make(self.draw(kind, word, str(attempt)))
            if fold(made) != word and not (self.real and self.real.has_surname(made)):
                break
        return made

    def letter(self, letter: str) -> str:
        """What stands for a letter at the beginning of names."""
        return _letters(self.secrets, self.scope)[letter]


@lru_cache(maxsize=1024)  # of a key and a scope alone: what is remembered must not hold a roster that was replaced
def _letters(secrets: Secrets, scope: str) -> dict[str, str]:
    """All letters exchanged in one circle, so that none stays (Sattolo's algorithm)."""
    draw, letters = Seed(secrets, scope).draw("letters"), list(LETTERS)
    for last in range(len(letters) - 1, 0, -1):
        at = _below(last, draw)
        letters[at], letters[last] = letters[last], letters[at]
    return dict(zip(LETTERS, letters, strict=True))


def stand_in(entity: str, text: str, seed: Seed) -> str:
    """A stand-in of an entity's value: by its form (see FORMS), else letters for letters and digits for digits."""
    if entity in WORDED:
        made = WORDED[entity](text, seed)
        if seed.real is None or not seed.real.holds(made):
            return made
        # Two words that are somebody only together: the words of this one value are made anew.
        apart = Seed(seed.secrets, f"{seed.scope}\0{normal(entity, text)}", seed.real)
        again = WORDED[entity](text, apart)
        return f"[{entity}]" if seed.real.holds(again) else again
    return seed.other(entity, text, FORMS.get(entity, _shaped))


# -- names ----------------------------------------------------------------------------------------------------------


def _person(text: str, seed: Seed) -> str:
    return NAME_WORD.sub(lambda found: _name_word(found, seed), text)


def _name_word(found: re.Match[str], seed: Seed) -> str:
    word, text = found[0], found.string
    before, after = text[: found.start()][-1:], text[found.end() :][:1]
    folded = fold(word)
    if folded in PARTICLES or folded in TITLES or (word in CREDENTIALS and text[: found.start()].strip()):
        return word
    if len(word) == 1 and (after in APOSTROPHES or (before in APOSTROPHES and word in "sS")):
        return word  # the O of O'Neil, the s of a possessive
    initial = folded[:1].upper()
    if initial not in NAMES_BEGIN:
        return _shaped(word, seed.draw("PERSON", word))
    letter = seed.letter(initial)
    if len(word) == 1:
        return _cased(letter, word)
    names = BY_GENDER[GENDER[folded]][letter] if folded in GENDER else ()
    made = seed.draw("given", folded) if names else None
    return _cased(names[_below(len(names), made)] if made else _surname(folded, letter, seed), word)


def _surname(folded: str, letter: str, seed: Seed) -> str:
    fronts = [each for each in FRONT if each[0] == letter]
    return seed.word("surname", folded, lambda draw: _joined(fronts, draw))


def _joined(fronts: list[str], draw: Draw) -> str:
    return fronts[_below(len(fronts), draw)] + BACK[_below(len(BACK), draw)]


def _invented(draw: Draw) -> str:
    return _joined(FRONT, draw)


# -- places and facilities ------------------------------------------------------------------------------------------


def _place(text: str, seed: Seed) -> str:
    return _renamed(text, seed, KEPT_IN_PLACES) or f"{seed.word('place', fold(text), _invented)}ville"


def _facility(text: str, seed: Seed) -> str:
    return _renamed(text, seed, KEPT_IN_FACILITIES) or f"{seed.word('place', fold(text), _invented)} {text}"


def _renamed(text: str, seed: Seed, kept: frozenset[str]) -> str:
    """Numbers and names in a text exchanged, word by word; empty where all words are of the kind that is kept."""
    changed = False

    def word(found: re.Match[str]) -> str:
        nonlocal changed
        old = found[0]
        if fold(old) in kept or old in STATES:
            return old
        changed = True
        if not old.isalpha():
            return _number(old, seed)
        if len(old) == 1:
            return _shaped(old, seed.draw("place", old))
        return _cased(seed.word("place", fold(old), _invented), old)

    made = re.sub(r"[^\W_]+", word, text)
    return made if changed else ""


def _number(old: str, seed: Seed) -> str:
    if len(old) == 5 and old.isdecimal():
        return _zip(old, seed.draw("ZIP", old))
    return next(
        made
        for attempt in count()
        if (made := _shaped(old, seed.draw("place", old, str(attempt)))) != old or attempt >= ATTEMPTS
    )


# -- everything else ------------------------------------------------------------------------------------------------


def _cased(new: str, old: str) -> str:
    return new.upper() if old.isupper() else new.lower() if old.islower() else new


def _below(size: int, draw: Draw) -> int:
    return (next(draw) << 16 | next(draw) << 8 | next(draw)) % size


def _shaped(text: str, draw: Draw) -> str:
    return "".join(_character(each, draw) for each in text)


def _character(old: str, draw: Draw) -> str:
    if old.isdecimal():
        return str(_below(10, draw)) if old == "0" else str(1 + _below(9, draw))
    if old.isalpha():
        return _cased(chr(ord("A") + _below(26, draw)), old)
    return old


def _digits_into(text: str, digits: str) -> str:
    """The digits in place of the text's own, everything else as it stands."""
    rest = iter(digits)
    return "".join(next(rest, "0") if each.isdecimal() or each in "X*" else each for each in text)


def _ssn(text: str, draw: Draw) -> str:
    # 9xx was never an area, and with groups up to 49 it is no ITIN either.
    return _digits_into(text, f"9{_below(100, draw):02}{1 + _below(49, draw):02}{_below(10000, draw):04}")


def _phone(text: str, draw: Draw) -> str:
    digits = [each for each in text if each.isdecimal()]
    line = f"55501{_below(100, draw):02}"
    if text.lstrip().startswith("+") and not (len(digits) == 11 and digits[0] == "1"):
        return _shaped(text, draw)
    if len(digits) < 7:
        return _shaped(text, draw)
    if len(digits) < 10:
        return _digits_into(text, line + "".join(str(_below(10, draw)) for _ in digits[7:]))
    lead = "1" if digits[0] == "1" and len(digits) > 10 else ""
    return _digits_into(text, f"{lead}{2 + _below(8, draw)}{_below(10, draw)}{1 + _below(9, draw)}{line}" + "0" * 9)


def _email(_: str, draw: Draw) -> str:
    return f"{_invented(draw).lower()}.{_invented(draw).lower()}{_below(90, draw) + 10}@example.org"


def _url(text: str, draw: Draw) -> str:
    scheme = text.partition("://")[0] + "://" if re.match(r"[A-Za-z]{2,8}://", text) else ""
    return f"{scheme}example.org/{_below(1 << 24, draw):06x}{_below(1 << 24, draw):06x}"


def _ip(text: str, draw: Draw) -> str:
    if ":" in text:
        return f"2001:db8::{_below(0xFFFF, draw) + 1:x}:{_below(0xFFFF, draw) + 1:x}"  # RFC 3849
    return f"{NETS[_below(3, draw)]}.{1 + _below(254, draw)}"


def _zip(text: str, draw: Draw) -> str:
    return _digits_into(text, f"000{1 + _below(99, draw):02}{_below(10000, draw):04}")  # no ZIP code starts 000


def _age(_: str, draw: Draw) -> str:
    return str(90 + _below(10, draw))


def _never(check: Callable[[str], bool]) -> Callable[[str, Draw], str]:
    """Shaped alike, with a check digit that is wrong: nobody's."""

    def make(text: str, draw: Draw) -> str:
        made = _shaped(text, draw)
        last = max((at for at, each in enumerate(made) if each.isdecimal()), default=None)
        if last is None or not check(made):
            return made
        return made[:last] + str((int(made[last]) + 1) % 10) + made[last + 1 :]

    return make


WORDED: dict[str, Callable[[str, Seed], str]] = {"PERSON": _person, "LOCATION": _place, "ORGANIZATION": _facility}
FORMS: dict[str, Callable[[str, Draw], str]] = {
    "US_SSN": _ssn,
    "PHONE_NUMBER": _phone,
    "FAX_NUMBER": _phone,
    "EMAIL_ADDRESS": _email,
    "URL": _url,
    "IP_ADDRESS": _ip,
    "ZIP": _zip,
    "AGE": _age,
    "CREDIT_CARD": _never(is_card),
    "NPI": _never(is_npi),
}
