"""Stand-ins: the same kind and shape as the value, invented, and never the value itself.

Every stand-in follows from the key, the scope and the value, so within a scope the same value always gets the same
one. Where a range is reserved for examples or never issued, it comes from there, so that it is nobody's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from phigate.masking.detectors.numbers import is_card, is_npi
from phigate.masking.identifiers import normal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phigate.masking.secrets import Secrets

FRONT = (
    *(
        "Al",
        "Ar",
        "Bel",
        "Ber",
        "Bran",
        "Cal",
        "Car",
        "Cor",
        "Dal",
        "Dar",
        "Del",
        "El",
        "Fal",
        "Fen",
        "Gal",
        "Gar",
        "Hal",
        "Har",
    ),
    *(
        "Hol",
        "Jar",
        "Kel",
        "Ker",
        "Lan",
        "Lor",
        "Mal",
        "Mar",
        "Mer",
        "Nor",
        "Or",
        "Pel",
        "Per",
        "Ral",
        "Ren",
        "Ros",
        "Sel",
        "Tal",
    ),
    *("Tor", "Val", "Ver", "Wil", "Win", "Yar"),
)
BACK = (
    *(
        "ba",
        "bin",
        "by",
        "da",
        "dan",
        "den",
        "dra",
        "dric",
        "fin",
        "gan",
        "gen",
        "la",
        "lan",
        "len",
        "lin",
        "lon",
        "ma",
        "man",
    ),
    *(
        "mer",
        "min",
        "mond",
        "na",
        "nan",
        "nell",
        "net",
        "nis",
        "no",
        "ra",
        "ran",
        "ren",
        "rick",
        "ris",
        "ron",
        "sa",
        "san",
        "sen",
    ),
    *("ser", "sey", "son", "ta", "tan", "ten", "tin", "ton", "tor", "va", "van", "vin", "well", "win", "wyn"),
)
"""Halves of invented names that serve as given and as family name, so that a word always becomes the same word."""
PARTICLES = frozenset("van von der den de del di da dos du la le bin ibn al el ter jr sr ii iii iv and".split())  # noqa: SIM905 - words
NAME_WORD = re.compile(r"[^\W\d_]+")
NETS = ("192.0.2", "198.51.100", "203.0.113")
"""RFC 5737, for documentation."""

ATTEMPTS = 64
"""More than enough: a stand-in equals its value by a chance of one in ten at most."""

type Draw = Iterator[int]


@dataclass(frozen=True, slots=True)
class Seed:
    """Where the stand-ins of one scope come from."""

    secrets: Secrets
    scope: str

    def draw(self, *parts: str) -> Draw:
        """Bytes without end that follow from the key, the scope and these parts."""
        for block in count():
            yield from self.secrets.digest("surrogate", self.scope, *parts, str(block))

    def other(self, entity: str, text: str, make: Callable[[str, Draw], str]) -> str:
        """The first thing made for a value that is not the value."""
        value = normal(entity, text)
        for attempt in range(ATTEMPTS):
            made = make(text, self.draw(entity, value, str(attempt)))
            if normal(entity, made) != value:
                return made
        return f"[{entity}]"


def stand_in(entity: str, text: str, seed: Seed) -> str:
    """A stand-in of an entity's value: by its form (see FORMS), else letters for letters and digits for digits."""
    if entity == "PERSON":
        return _name(text, seed)
    return seed.other(entity, text, FORMS.get(entity, _shaped))


def _name(text: str, seed: Seed) -> str:
    return NAME_WORD.sub(lambda word: _name_word(word[0], seed), text)


def _name_word(word: str, seed: Seed) -> str:
    if word.casefold() in PARTICLES:
        return word
    if len(word) == 1:
        return _cased(seed.other("PERSON", word, lambda _, draw: chr(ord("A") + _below(26, draw))), word)
    return _cased(seed.other("PERSON", word, lambda _, draw: _invented(draw)), word)


def _cased(new: str, old: str) -> str:
    return new.upper() if old.isupper() else new.lower() if old.islower() else new


def _below(size: int, draw: Draw) -> int:
    return (next(draw) << 16 | next(draw) << 8 | next(draw)) % size


def _invented(draw: Draw) -> str:
    return FRONT[_below(len(FRONT), draw)] + BACK[_below(len(BACK), draw)]


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
    scheme, mark, _ = text.rpartition("://") if "://" in text else ("", "", text)
    return f"{scheme.partition('://')[0]}{mark}example.org/{_below(1 << 24, draw):06x}{_below(1 << 24, draw):06x}"


def _ip(text: str, draw: Draw) -> str:
    if ":" in text:
        return f"2001:db8::{_below(0xFFFF, draw) + 1:x}:{_below(0xFFFF, draw) + 1:x}"  # RFC 3849
    return f"{NETS[_below(3, draw)]}.{1 + _below(254, draw)}"


def _zip(text: str, draw: Draw) -> str:
    return _digits_into(text, f"000{1 + _below(99, draw):02}{_below(10000, draw):04}")  # no ZIP code starts 000


def _age(_: str, draw: Draw) -> str:
    return str(90 + _below(10, draw))


def _place(_: str, draw: Draw) -> str:
    return f"{_invented(draw)}ville"


def _facility(_: str, draw: Draw) -> str:
    return f"{_invented(draw)} Clinic"


def _never(check: Callable[[str], bool]) -> Callable[[str, Draw], str]:
    """Shaped alike, with a check digit that is wrong: nobody's."""

    def make(text: str, draw: Draw) -> str:
        made = _shaped(text, draw)
        return made[:-1] + str((int(made[-1]) + 1) % 10) if check(made) else made

    return make


FORMS: dict[str, Callable[[str, Draw], str]] = {
    "US_SSN": _ssn,
    "PHONE_NUMBER": _phone,
    "FAX_NUMBER": _phone,
    "EMAIL_ADDRESS": _email,
    "URL": _url,
    "IP_ADDRESS": _ip,
    "ZIP": _zip,
    "AGE": _age,
    "LOCATION": _place,
    "ORGANIZATION": _facility,
    "CREDIT_CARD": _never(is_card),
    "NPI": _never(is_npi),
}
