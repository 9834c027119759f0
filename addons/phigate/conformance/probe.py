"""What is said in each channel, and how it is looked for: no spelling that a client can undo may hold an identifier.

All of it is invented; the telephone number is one of those that are kept for fiction.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable

IDENTIFIERS: Final = {
    "e-mail": "jane.doe@example.com",
    "SSN": "536-22-8145",
    "telephone": "312-555-0147",
    "MRN": "77310042",
}
_FRAGMENTS: Final = {"jane.doe": "e-mail", "536-22": "SSN", "22-8145": "SSN", "773100": "MRN", "310042": "MRN"}
"""Pieces that say enough: of a number more than the last four digits, which some masks keep."""

BEFORE: Final = "Tr\u00e8s bien \U0001f600: furosemide 40 mg daily."
AFTER: Final = "Then the ward round."
TEXT: Final = (
    f"{BEFORE} Write to {IDENTIFIERS['e-mail']} or call {IDENTIFIERS['telephone']}. "
    f"SSN {IDENTIFIERS['SSN']}, MRN: {IDENTIFIERS['MRN']}. {AFTER}"
)
INNOCENT: Final = ("Tr\u00e8s bien \U0001f600", "furosemide 40 mg", "ward round")
"""What a gateway that masks leaves standing in TEXT."""
WITNESS: Final = "All is well here."
"""Said in a channel that holds nothing to hide, where the text is in another."""

_ESCAPE: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_NO_WORD: Final = re.compile(r"[^0-9a-z]+")
_SQUEEZED: Final = {_NO_WORD.sub("", value): name for name, value in IDENTIFIERS.items()}


def found(texts: Iterable[str]) -> set[str]:
    """Which identifiers stand in some texts: as they are, escaped, percent-encoded, in base64, or pulled apart."""
    return set().union(*map(_in_each, texts))


@lru_cache(maxsize=4096)
def _in_each(text: str) -> frozenset[str]:
    """Most texts of a stream are said in every event of it."""
    return frozenset().union(*map(_in, spellings(text)))


def spellings(text: str) -> list[str]:
    """A text, and what a client can make of it by undoing JSON escapes (twice), percent signs and base64."""
    out = [text]
    if "\\" in text:
        once = unescaped(text)
        out += [once, unescaped(once)]
    if "%" in text:
        out.append(unquote(text))
    out += [decoded for run in _BASE64.findall(text) for decoded in _decoded(run)]
    return out


def unescaped(text: str) -> str:
    """JSON's escapes undone wherever they stand (RFC 8259, 7); halves of a surrogate pair are joined."""
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _decoded(run: str) -> Iterable[str]:
    raw = run.rstrip("=").replace("-", "+").replace("_", "/")
    for start in range(4):  # a run may begin before the encoding does
        part = raw[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        try:
            yield base64.b64decode(part + "=" * (-len(part) % 4)).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            continue


def _in(text: str) -> set[str]:
    low = text.lower()
    names = {name for name, value in IDENTIFIERS.items() if value in low}
    names |= {name for fragment, name in _FRAGMENTS.items() if fragment in low}
    squeezed = _NO_WORD.sub("", low)
    return names | {name for value, name in _SQUEEZED.items() if value in squeezed}
