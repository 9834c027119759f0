"""One name for one identifier however it was written, and its keyed form for the journal's index.

With it "who saw MRN 70418?" is answered without storing the number: who holds the keys can ask, nobody can read.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

from phigate.masking.calendar import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.masking.secrets import Secrets


def _code(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _record_number(text: str) -> str:
    return _code(text).removeprefix("mrn")


def _digits(text: str) -> str:
    return "".join(filter(str.isdecimal, text))


def _phone(text: str) -> str:
    digits = _digits(text)
    return digits[1:] if len(digits) == 11 and digits.startswith("1") else digits


def _words(text: str) -> str:
    return " ".join("".join(each if each.isalnum() else " " for each in text).split())


def _name(text: str) -> str:
    last, comma, first = text.partition(",")
    return _words(f"{first} {last}" if comma else text)


def _date(text: str) -> str:
    found = read(text)
    return found.day.isoformat() if found and found.complete else _words(text)


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _address(text: str) -> str:
    return text.strip().rstrip("/")


FORMS: dict[str, Callable[[str], str]] = {
    "PERSON": _name,
    "LOCATION": _name,
    "ORGANIZATION": _name,
    "DATE_TIME": _date,
    "AGE": _words,
    "PHONE_NUMBER": _phone,
    "FAX_NUMBER": _phone,
    "EMAIL_ADDRESS": _address,
    "URL": _address,
    "IP_ADDRESS": _ip,
    "US_SSN": _code,
    "MRN": _record_number,
    "ZIP": _digits,
}


def normal(entity: str, text: str) -> str:
    """One spelling for all spellings of a value.

    Case, width, separators, order of names, the script of digits and signs that nobody sees do not count.
    """
    one = unicodedata.normalize("NFKC", text).casefold()
    return FORMS.get(entity, _code)(one if one.isascii() else _seen(one))


def _seen(text: str) -> str:
    """With the digits 0 to 9 of whatever script; without soft hyphens, joiners and marks of direction.

    A space of no width (U+200B) parts words like any other.
    """
    return "".join(
        str(unicodedata.decimal(each)) if each.isdecimal() else each
        for each in text
        if each == "\u200b" or unicodedata.category(each) != "Cf"
    )


@lru_cache(maxsize=8192)  # one patient's identifiers come again and again; they are in memory with the text anyway
def identifier(entity: str, text: str, secrets: Secrets) -> str:
    """`ENTITY:` and 32 hexadecimal digits (128 bits) of the value's HMAC-SHA256."""
    return f"{entity}:{secrets.digest('identifier', entity, normal(entity, text)).hex()[:32]}"


def identifiers(entity: str, text: str, secrets: Secrets) -> tuple[str, ...]:
    """What a value may be called in the index: its identifier under each key that there ever was, newest first."""
    return tuple(identifier(entity, text, each) for each in secrets.every)
