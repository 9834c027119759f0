"""The organisation's own names and record numbers, found exactly. [I/O: load_roster reads the file]

Rules of this file:
- An entry is a sequence of tokens (runs of letters and digits, any case); in a text they may be joined by a space or
  simple punctuation. Whole tokens only, the longest entry at a place.
- It answers what every source answers: the next match, and where one may still be in progress.
- It is kept in memory only, and no message carries an entry.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import orjson

from phigate.masking.detector import Detector
from phigate.masking.evidence import ENCODING, Hit, read_through
from phigate.masking.search import Match, PatternReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

CHARACTER = rb"(?:[0-9A-Za-z]|[\xc3-\xdf][\x80-\xbf]|[\xe0\xe1\xe3-\xed][\x80-\xbf]{2})"
"""A letter or digit in UTF-8, near enough: no punctuation block (U+2000), no Latin-1 signs (U+0080)."""
TOKEN = re.compile(
    rb"(?<![0-9A-Za-z])(?<![\xc3-\xdf][\x80-\xbf])(?<![\xe0\xe1\xe3-\xed][\x80-\xbf]{2})" + CHARACTER + rb"++"
)
PLAIN = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Za-z]++")
"""The same where all is ASCII."""
JOINT = re.compile(rb"(?:[ \t.,/_'-]|\xe2\x80[\x90-\x99]|\xc2\xa0){1,2}+")
WIDEST = 4
"""Bytes of a character at most."""
LEAST = 4
"""Letters and digits an entry must have: shorter ones would hide ordinary words."""
LARGEST = 100
"""Bytes they may have together."""
MOST = 8
"""Tokens an entry may have."""
SCORE = 0.99

COLUMNS = {
    **dict.fromkeys(("name", "full_name", "patient", "patient_name", "first_last"), "PERSON"),
    **dict.fromkeys(("mrn", "medical_record_number", "record", "record_number", "chart", "id", "patient_id"), "MRN"),
    **dict.fromkeys(("ssn", "social_security_number"), "US_SSN"),
    **dict.fromkeys(("phone", "telephone", "mobile"), "PHONE_NUMBER"),
    **dict.fromkeys(("email", "e_mail", "email_address"), "EMAIL_ADDRESS"),
    **dict.fromkeys(("member_id", "health_plan_id", "policy_number", "insurance_id"), "HEALTH_PLAN_ID"),
    **dict.fromkeys(("account", "account_number"), "ACCOUNT_NUMBER"),
    **dict.fromkeys(("address", "street", "city"), "LOCATION"),
}
"""Columns and keys that are read, in lower case with `_`; `first_name` and `last_name` are read together."""
FIRST, LAST = ("first_name", "given_name", "first", "given"), ("last_name", "family_name", "surname", "last", "family")


class RosterFault(ValueError):  # noqa: N818 - a fault of the file, as in PolicyFaults
    """A roster that cannot be read; the message names file, line and fault, never an entry."""


class Roster:
    """Entries by their tokens; immutable once built."""

    def __init__(self, entries: Iterable[tuple[str, str]]) -> None:
        """From (entity, value) pairs; values too short or too long to be found are left out."""
        self._whole: dict[bytes, str] = {}
        self._begun: set[bytes] = set()
        self._first: set[bytes] = set()
        longest = 0
        for entity, value in entries:
            tokens = tokens_of(value)
            size = sum(map(len, tokens))
            if LEAST <= size <= LARGEST and len(tokens) <= MOST:
                self._add(entity, tokens)
                longest = max(longest, size + 2 * len(tokens))
        self.reach = longest

    def __len__(self) -> int:
        return len(self._whole)

    def _add(self, entity: str, tokens: list[bytes]) -> None:
        self._first.add(tokens[0])
        for size in range(1, len(tokens)):
            self._begun.add(b" ".join(tokens[:size]))
        self._whole.setdefault(b" ".join(tokens), entity)

    name = "roster"

    def reader(self) -> PatternReader:
        return PatternReader(self)

    def hits(self, text: str) -> list[Hit]:
        return read_through(self, text)

    def walk(self, text: bytes, at: int, until: int) -> Iterator[Match]:
        for start, token in _tokens(text, at):
            if start >= until:
                return
            if start >= at and token in self._first:
                hit = self._longest(text, start)
                if hit:
                    yield hit
                    at = hit.end

    def _longest(self, text: bytes, start: int) -> Match | None:
        best, following, key = None, TOKEN.match(text, start), b""
        while following:
            key += b" " * bool(key) + _folded(following[0])
            end = following.end()
            if key in self._whole:
                best = Match(start, start, end, Detector("roster", self._whole[key], "", SCORE))
            joint = JOINT.match(text, end) if key in self._begun else None
            following = TOKEN.match(text, joint.end()) if joint else None
        return best

    def undecided(self, text: bytes, at: int) -> int:
        for found in TOKEN.finditer(text, max(at, len(text) - WIDEST * self.reach)):
            if self._open(text, found.end(), _folded(found[0])):
                return found.start()
        return len(text)

    def _open(self, text: bytes, end: int, key: bytes) -> bool:
        """Whether what begins with this token reaches the text's end and may go on."""
        while end < len(text):
            joint = JOINT.match(text, end) if key in self._begun else None
            if not joint:
                return False
            if joint.end() == len(text):
                return True
            following = TOKEN.match(text, joint.end())
            if not following:
                return False
            key += b" " + _folded(following[0])
            end = following.end()
        return True


def _tokens(text: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Where tokens start from `at` on, and they themselves, folded; ASCII has a faster way of its own."""
    if text.isascii():
        return ((found.start(), found[0].lower()) for found in PLAIN.finditer(text, at))
    return ((found.start(), _folded(found[0])) for found in TOKEN.finditer(text, at))


def _folded(token: bytes) -> bytes:
    return token.lower() if token.isascii() else token.decode(*ENCODING).casefold().encode(*ENCODING)


def tokens_of(value: str) -> list[bytes]:
    """A value's tokens, folded."""
    return [_folded(each) for each in TOKEN.findall(value.encode(*ENCODING))]


def load_roster(path: Path) -> Roster:
    """Read a roster: `.csv` with a header, `.jsonl` or `.ndjson` objects, else one value a line; raises RosterFault."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise RosterFault(f"{path.name}: cannot be read ({type(fault).__name__})") from None
    return parse_roster(text, path.name)


def parse_roster(text: str, where: str) -> Roster:
    """The roster that a file's text is, by the ending of its name; raises RosterFault."""
    ending = where.rpartition(".")[2].lower()
    if ending == "csv":
        rows: Iterator[Mapping[str, object]] = _csv_rows(text, where)
    elif ending in ("jsonl", "ndjson"):
        rows = _json_rows(text, where)
    else:
        rows = ({_guess(line): line} for line in text.splitlines() if line.strip())
    roster = Roster(entry for row in rows for entry in _entries(row))
    if not roster:
        raise RosterFault(f"{where}: no entry that can be found")
    return roster


def _csv_rows(text: str, where: str) -> Iterator[Mapping[str, object]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    known = {_key(name) for name in reader.fieldnames or ()} & {*COLUMNS, *FIRST, *LAST}
    if not known:
        raise RosterFault(f"{where}:1: no column that is known")
    try:
        for row in reader:
            yield {name: value for name, value in row.items() if isinstance(name, str)}
    except csv.Error:
        raise RosterFault(f"{where}:{reader.line_num + 1}: not CSV") from None


def _json_rows(text: str, where: str) -> Iterator[Mapping[str, object]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise RosterFault(f"{where}:{number}: not JSON") from None
        if not isinstance(row, dict):
            raise RosterFault(f"{where}:{number}: not an object")
        yield row


def _entries(row: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    values = {_key(name): str(value).strip() for name, value in row.items() if isinstance(value, str | int)}
    for name, value in values.items():
        if name in COLUMNS:
            yield from _turned(value) if COLUMNS[name] == "PERSON" else ((COLUMNS[name], value),)
    first = next((values[name] for name in FIRST if values.get(name)), "")
    last = next((values[name] for name in LAST if values.get(name)), "")
    if first and last:
        yield from _turned(f"{last}, {first}")


def _turned(name: str) -> Iterator[tuple[str, str]]:
    """A name as written and the other way round: `Last, First` and `First Last`."""
    yield "PERSON", name
    last, comma, first = name.partition(",")
    if not comma:
        first, _, last = name.rpartition(" ")
    if first.strip() and last.strip():
        yield "PERSON", f"{first} {last}" if comma else f"{last} {first}"


def _guess(line: str) -> str:
    return "mrn" if any(map(str.isdecimal, line)) else "name"


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")
