"""What must show up nowhere: one invented value of each kind of identifier, in a text, and how it is looked for.

A value counts as found as it stands, with JSON's escapes, percent-encoded, in base64 at any offset, in hexadecimal,
and put together again from the strings of a stream's pieces.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from phigate.conformance import probe

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "A": ("Zebulon Quartermaine", "Quartermaine"),
    "B": ("4711 Larkspur Lane", "62704-9911"),
    "C": ("03/14/1951", "97-year-old"),
    "D": ("312-555-0147",),
    "E": ("312-555-0199",),
    "F": ("zeb.quarter@example.com",),
    "G": ("536-22-8145",),
    "H": ("77310042",),
    "I": ("XQH448120771", "1EG4-TE5-MK73"),
    "J": ("880073315521", "4012888888881881"),
    "K": ("D4471920",),
    "L": ("1HGCM82633A004352",),
    "M": ("SN7741QX9",),
    "N": ("portal.example.org/zq9917",),
    "O": ("203.0.113.77",),
    "P": ("FP99182774",),
    "R": ("551922037",),
}
"""By the letter of 45 CFR 164.514(b)(2)(i); full-face photographs (Q) are no text, PHOTO stands for them."""
PHOTO = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01" + b"a face nobody has, drawn as bytes: canary of a photograph" + b"\xff\xd9"

_WHO, _END = "Patient: Zebulon Quartermaine", " Stable on furosemide 40 mg."
_FIRST = f"{_WHO}, a 97-year-old man, DOB 03/14/1951, lives at 4711 Larkspur Lane, ZIP 62704-9911. SSN 536-22-8145."
_SECOND = (
    f"{_WHO}. Phone: 312-555-0147. Fax: 312-555-0199. Email zeb.quarter@example.com. MRN 77310042. "
    "Member ID: XQH448120771. MBI 1EG4-TE5-MK73. Account number 880073315521. SSN 536-22-8145."
)
_THIRD = (
    f"{_WHO}. Card 4012888888881881. Driver's license number D4471920. VIN 1HGCM82633A004352. "
    "Serial number SN7741QX9. See https://portal.example.org/zq9917 from 203.0.113.77. Fingerprint ID: FP99182774. "
    "Encounter number 551922037. SSN 536-22-8145."
)
PARTS = (_FIRST + _END, _SECOND + _END, _THIRD + _END)
TEXT = "\n".join(PARTS)
"""All of them; the parts take turns where there are many requests."""
VALUES = tuple(value for values in KINDS.values() for value in values) + tuple(probe.IDENTIFIERS.values())
"""With those that the tables of protocols speak of themselves, in arguments of tools and the like."""


def _forms(value: str) -> set[str]:
    """How some bytes or text may stand somewhere, in lower case."""
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in value)
    forms = {value, json.dumps(value)[1:-1], escaped, quote(value, safe=""), quote_plus(value)}
    forms |= {value.replace("/", "\\/"), value.replace("@", "\\u0040"), "".join(f"%{ord(each):02x}" for each in value)}
    return {form.lower() for form in forms} | {value.encode().hex()}


def _in_base64(raw: bytes) -> set[bytes]:
    """What of an encoding does not depend on what stands before and behind, at each offset, in both alphabets."""
    found = set()
    for lead in range(3):
        text = base64.b64encode(b"\0" * lead + raw)
        inner = text[(lead * 8 + 5) // 6 : (lead + len(raw)) * 8 // 6]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return {each for each in found if len(each) >= 6}


FORMS = [(form.encode(), value) for value in VALUES for form in _forms(value)]
ENCODED = [(form, value) for value in VALUES for form in _in_base64(value.encode())]
ENCODED += [(form, "a photograph") for form in _in_base64(PHOTO[20:60])]


def found(raw: bytes) -> list[str]:
    """Which canaries stand in some bytes, by value."""
    low = raw.lower()
    seen = {value for form, value in FORMS if form in low} | {value for form, value in ENCODED if form in raw}
    return sorted(seen | ({"a photograph"} if PHOTO[20:60] in raw else set()))


def told(tree: Any) -> str:
    """All strings of a tree, in order."""
    if isinstance(tree, str):
        return tree
    if isinstance(tree, dict):
        return "".join(map(told, tree.values()))
    return "".join(map(told, tree)) if isinstance(tree, list) else ""


def in_pieces(records: list[dict[str, Any]]) -> list[str]:
    """Which canaries stand in the records of an exchange once the strings of its pieces are put together."""
    pieces = defaultdict(str)
    for record in records:
        if record["kind"] in {"part", "message"}:
            pieces[record["exchange"]] += told(record.get("body"))
    return found("\n".join(pieces.values()).encode())


def files(*folders: Path) -> dict[str, bytes]:
    """Every file below some folders, by its path."""
    every = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): path.read_bytes() for path in every}
