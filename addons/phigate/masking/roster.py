"""The organisation's own people and their numbers, found exactly and with typos. [I/O: RosterFile, load_roster]

Rules of this file:
- People are found by a given word and a surname word of theirs together (people.py); numbers and everything else by
  their tokens (runs of letters and digits, any case), numbers also with other separators than the roster's.
- An entry with fewer than LEAST letters and digits, and a number that reads as a year, are left out: they would hide
  ordinary text.
- It is kept in memory only, and no message carries an entry.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import orjson

from phigate.masking.evidence import Hit, read_whole
from phigate.masking.lookup import LONGEST, MOST_TOKENS, TOKEN, Entries, Lookup
from phigate.masking.people import Name, People, fold, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

LEAST = 4
"""Letters and digits an entry must have."""
LARGEST = 100
"""Characters they may have together."""

PERSON = "PERSON"
TEXTUAL = frozenset({"LOCATION", "ORGANIZATION", "EMAIL_ADDRESS"})
"""Entities whose separators say something."""
COLUMNS = {
    **dict.fromkeys(("name", "full_name", "patient", "patient_name", "first_last", "alias"), PERSON),
    **dict.fromkeys(("mrn", "medical_record_number", "record", "record_number", "chart", "id", "patient_id"), "MRN"),
    **dict.fromkeys(("ssn", "social_security_number"), "US_SSN"),
    **dict.fromkeys(("phone", "telephone", "mobile"), "PHONE_NUMBER"),
    **dict.fromkeys(("email", "e_mail", "email_address"), "EMAIL_ADDRESS"),
    **dict.fromkeys(("member_id", "health_plan_id", "policy_number", "insurance_id"), "HEALTH_PLAN_ID"),
    **dict.fromkeys(("account", "account_number"), "ACCOUNT_NUMBER"),
    **dict.fromkeys(("address", "street", "city"), "LOCATION"),
}
"""Columns and keys that are read, in lower case with `_`."""
FIRST, LAST = ("first_name", "given_name", "first", "given"), ("last_name", "family_name", "surname", "last", "family")
MIDDLE, FORMER = ("middle_name", "middle"), ("maiden_name", "former_name", "birth_name")
NICK = ("nickname", "preferred_name", "nick")
NAME_COLUMNS = {*FIRST, *LAST, *MIDDLE, *FORMER, *NICK}


class RosterFault(ValueError):  # noqa: N818 - a fault of the file, as in PolicyFaults
    """A roster that cannot be read; the message names file, line and fault, never an entry."""


def no_word(_: str) -> bool:
    """Nothing is an ordinary word, where no lexicon is at hand."""
    return False


class Roster:
    """A source of evidence: people and numbers; immutable once built, shared by all texts."""

    name = "roster"

    def __init__(
        self,
        names: Iterable[Name] = (),
        values: Iterable[tuple[str, str]] = (),
        ordinary: Callable[[str], bool] = no_word,
    ) -> None:
        """From people and (entity, value) pairs, read in this order; `ordinary` says it of a folded word."""
        self._people = People(names, ordinary)
        self._entries = Entries(self._people, {}, set(), set(), {}, set(), 0, {})
        for entity, value in values:
            self._add(entity, tokens_of(value))
        longest = max(map(len, self._entries.codes), default=0)
        self._entries = self._entries._replace(longest_code=longest)

    def __len__(self) -> int:
        """People (by given word and surname word) and values."""
        return len(self._people) + len(self._entries.phrases)

    def reader(self) -> Lookup:
        return Lookup(self._entries)

    def hits(self, text: str) -> list[Hit]:
        return read_whole(self.reader(), text)

    def holds(self, text: str) -> bool:
        """Whether somebody's name or value stands in a text as it is in the roster, without typos."""
        return any(hit.detector == self.name for hit in self.hits(text))

    def has_name(self, first: str, last: str) -> bool:
        """Whether somebody is called so; one word each."""
        return self._people.has_name(first, last)

    def has_surname(self, word: str) -> bool:
        """Whether this word is in somebody's surname."""
        return self._people.has_surname(word)

    def _add(self, entity: str, tokens: list[str]) -> None:
        whole = "".join(tokens)
        if not LEAST <= len(whole) <= LARGEST or len(tokens) > MOST_TOKENS or max(map(len, tokens)) > LONGEST:
            return
        if len(whole) == 4 and whole[:2] in ("19", "20") and whole.isdecimal():
            return
        entries = self._entries
        entries.phrases.setdefault(" ".join(tokens), entity)
        entries.first.add(tokens[0])
        entries.begun.update(" ".join(tokens[:size]) for size in range(1, len(tokens)))
        if entity not in TEXTUAL and any(map(str.isdecimal, whole)):
            entries.codes.setdefault(whole, entity)
            head = whole.rstrip("0123456789") if whole[0].isalpha() else ""
            if head.isalpha():
                entries.heads.add(head)


def tokens_of(value: str) -> list[str]:
    """A value's tokens, folded."""
    return [fold(each) for each in TOKEN.findall(value)]


# -- files ----------------------------------------------------------------------------------------------------------


class RosterFile:
    """A roster's file as it changes. `changed` costs a stat; `load` reads and builds, and belongs in a thread."""

    def __init__(self, path: Path, ordinary: Callable[[str], bool] = no_word) -> None:
        self._path, self._ordinary = path, ordinary
        self._seen: tuple[int, int] | None = None

    def changed(self) -> bool:
        """Whether the file is another than at the last `load`, good or bad."""
        return self._stamp() != self._seen

    def load(self) -> Roster:
        """The roster that the file is now; raises RosterFault."""
        self._seen = self._stamp()
        return load_roster(self._path, self._ordinary)

    def _stamp(self) -> tuple[int, int]:
        try:
            stat = self._path.stat()
        except OSError:
            return 0, -1
        return stat.st_mtime_ns, stat.st_size


def load_roster(path: Path, ordinary: Callable[[str], bool] = no_word) -> Roster:
    """Read a roster: `.csv` with a header, `.jsonl` or `.ndjson` objects, else one value a line; raises RosterFault."""
    try:
        raw = path.read_bytes()
    except OSError as fault:
        raise RosterFault(f"{path.name}: cannot be read ({type(fault).__name__})") from None
    return parse_roster(raw, path.name, ordinary)


def parse_roster(raw: bytes | str, where: str, ordinary: Callable[[str], bool] = no_word) -> Roster:
    """The roster that a file's content is, by the ending of its name; raises RosterFault."""
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + 1 if isinstance(raw, bytes) else 1
        raise RosterFault(f"{where}:{line}: not UTF-8") from None
    values: list[tuple[str, str]] = []
    roster = Roster(_people(_rows(text, where), values), values, ordinary)
    if not roster:
        raise RosterFault(f"{where}: no entry that can be found")
    return roster


def _people(rows: Iterable[Mapping[str, object]], values: list[tuple[str, str]]) -> Iterator[Name]:
    """The people of a file's rows, one by one; the values beside them are put aside."""
    for row in rows:
        for entity, value in _entries(row):
            if isinstance(value, str):
                values.append((entity, value))
            else:
                yield value


def _rows(text: str, where: str) -> Iterator[Mapping[str, object]]:
    ending = where.rpartition(".")[2].lower()
    if ending == "csv":
        return _csv_rows(text, where)
    if ending in ("jsonl", "ndjson"):
        return _json_rows(text, where)
    return ({_guess(line): line.strip()} for line in io.StringIO(text) if line.strip())


def _csv_rows(text: str, where: str) -> Iterator[Mapping[str, object]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    keys = {name: _key(name) for name in reader.fieldnames or ()}
    if not {*keys.values()} & {*COLUMNS, *NAME_COLUMNS}:
        raise RosterFault(f"{where}:1: no column that is known")
    try:
        for row in reader:
            yield {keys[name]: value for name, value in row.items() if isinstance(name, str)}
    except csv.Error:
        raise RosterFault(f"{where}:{reader.line_num + 1}: not CSV") from None


def _json_rows(text: str, where: str) -> Iterator[Mapping[str, object]]:
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise RosterFault(f"{where}:{number}: not JSON") from None
        if not isinstance(row, dict):
            raise RosterFault(f"{where}:{number}: not an object")
        yield {_key(name): value for name, value in row.items()}


def _entries(row: Mapping[str, object]) -> Iterator[tuple[str, str | Name]]:
    values = {key: str(value).strip() for key, value in row.items() if isinstance(value, str | int)}
    for key, value in values.items():
        entity = COLUMNS.get(key)
        if entity == PERSON:
            yield from ((PERSON, name) for name in _whole_name(value))
        elif entity:
            yield entity, value

    def said(columns: tuple[str, ...]) -> list[str]:
        return next((words_of(values[key]) for key in columns if values.get(key)), [])

    given, surnames = said(FIRST), [*said(LAST), *said(FORMER)]
    if surnames:
        others = (*given[1:], *said(MIDDLE))
        for each in (*given[:1], *said(NICK)[:1]):
            yield PERSON, Name(each, tuple(surnames), others)


def _whole_name(text: str) -> Iterator[Name]:
    """`Last, First Middle` says which is which; without a comma the last word is the surname."""
    last, comma, first = text.partition(",")
    given, surnames = words_of(first), words_of(last)
    if comma and given and surnames:
        yield Name(given[0], tuple(surnames), tuple(given[1:]))
    elif len(words := words_of(text)) > 1:
        yield Name(words[0], (words[-1],), tuple(words[1:-1]))


def _guess(line: str) -> str:
    return "mrn" if any(map(str.isdecimal, line)) else "name"


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")
