"""Any other JSON: a member whose name says what it is is hidden, everything else is text read with its name."""

from __future__ import annotations

import json
import re
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect import beside, tree
from phigate.masking.structure.keys import SURE, about_a_person, entity_of, words
from phigate.masking.structure.treatment import DATE, SCAN

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.masking.structure.treatment import Masker

_KEY = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.:$@-]{0,63}(?: [A-Za-z0-9_.:-]{1,30}){0,3}", re.ASCII)
_NESTED = 40
"""Levels below which a text that holds JSON is text."""
_LONGEST = 100
"""Characters of a value that is hidden by what another member calls it; what is longer is text."""
_IN_WORDS = frozenset(("PERSON", "LOCATION", "ORGANIZATION"))
_IN_ONE_WORD = frozenset(("EMAIL_ADDRESS", "URL", "UNIQUE_ID", "IP_ADDRESS", "PHOTO", "BIOMETRIC_ID"))
"""What may be told without a digit."""
_DAY = frozenset(("month", "day"))
_YEAR = re.compile(r"(?:18|19|20)[0-9]{2}")
_NOBODY = re.compile(
    r"(?i:n/?a|none|unknown|null|nil|yes|no|true|false|not (?:known|given|applicable|recorded))?", re.ASCII
)


def rewrite(
    node: Any,
    masker: Masker,
    key: str = "",
    depth: int = 0,
    *,
    said: tuple[str, ...] = (),
    likely: bool = False,
    special: Callable[[Any, Masker], Any] | None = None,
) -> Any:
    """The same tree with all that identifies hidden; raises TreeError when it is nested too deep.

    `said`: what others beside it call it (`beside`), before its own name. `likely`: the object is about a person (a
    sure name stands beside): `name` and `address` are believed too. `special` reads the objects that are of a kind of
    their own, and gives None for all others.
    """
    if depth > tree.MAX_DEPTH:
        raise tree.TreeError("nested too deep")
    if isinstance(node, dict):
        if special and (made := special(node, masker)) is not None:
            return made
        return _members(node, masker, said[0] if said else key, depth, likely=likely, special=special)
    if isinstance(node, list):
        return _items(node, masker, key, depth, said=said, likely=likely, special=special)
    if isinstance(node, str):
        return _text(node, masker, key, depth, said=said, likely=likely, special=special)
    if node is None or isinstance(node, bool):
        return node
    called = next((name for name in said if _entity(name, likely=likely)), key)
    shown = masker.number(_entity(called, likely=likely) or SCAN, node, key)
    for name in said:
        shown = masker.number(SCAN, shown, name) if shown is node else shown
    return shown


def _members(
    node: dict[str, Any],
    masker: Masker,
    key: str,
    depth: int,
    *,
    likely: bool,
    special: Callable[[Any, Masker], Any] | None,
) -> dict[str, Any]:
    """An object: its values by their names, by what others call them, or as rows below the columns beside them."""
    named, columns = beside.members(node, key), beside.columns(node)
    own = about_a_person(node)
    if named or columns:
        likely = own or likely or about_a_person(chain(columns, *named.values()))
    day = _is_day(node, key)
    made: dict[str, Any] = {}
    shown: Any
    for name, value in node.items():
        if columns and beside.of_columns(name, value, columns):
            shown = _rows(value, columns, masker, name, depth + 1, likely=likely, special=special)
        elif day and words(name) in _DAY and isinstance(value, str | int | float) and value != "":
            hidden = masker.hide(DATE, str(value))
            shown = value if hidden == str(value) else hidden
        elif named and beside.is_naming(name) and isinstance(value, str) and words(value) in SURE:
            shown = masker.render(value)
        else:
            said = () if _is_choice(value, named.get(name, ())) else named.get(name, ())
            of_person = likely if said else own
            shown = rewrite(value, masker, name, depth + 1, said=said, likely=of_person, special=special)
        made[_key(name, masker)] = shown
    return made


def _is_day(node: dict[str, Any], key: str) -> bool:
    """Whether an object is one day in its parts; of years, months and days that passed it is none."""
    if "month" not in node and "day" not in node:
        return False
    year = node.get("year")
    whole = {"month", "day"} <= node.keys() and bool(_YEAR.fullmatch(str(year)))
    return whole or _entity(key, likely=False) == DATE


def _rows(
    rows: list[Any],
    columns: tuple[str, ...],
    masker: Masker,
    key: str,
    depth: int,
    *,
    likely: bool,
    special: Callable[[Any, Masker], Any] | None,
) -> list[Any]:
    """Rows by their columns, or one row by them."""
    one = not isinstance(rows[0], list)
    named = beside.cells([rows] if one else rows, columns) or []
    made = [
        [
            rewrite(cell, masker, key, depth + 1, said=_unless_name(cell, said), likely=likely, special=special)
            for cell, said in zip(row, names, strict=True)
        ]
        for row, names in zip([rows] if one else rows, named, strict=True)
    ]
    return made[0] if one else made


def _items(
    node: list[Any],
    masker: Masker,
    key: str,
    depth: int,
    *,
    said: tuple[str, ...],
    likely: bool,
    special: Callable[[Any, Masker], Any] | None,
) -> list[Any]:
    """A list: of pairs, of rows below a row of names, of objects that together are one, or of anything."""
    if (named := beside.cells(node)) is not None:
        likely = likely or about_a_person(name for row in named for cell in row for name in cell)
        return [
            [
                rewrite(
                    *(cell, masker, key, depth + 2),
                    said=(*_unless_name(cell, names), *said),
                    likely=likely,
                    special=special,
                )
                for cell, names in zip(row, cells, strict=True)
            ]
            for row, cells in zip(node, named, strict=True)
        ]
    objects = [beside.members(item) for item in node if isinstance(item, dict)]
    likely = likely or about_a_person(name for each in objects for names in each.values() for name in names)
    before = beside.listed(node) or repeat(())
    return [
        rewrite(item, masker, key, depth + 1, said=(*names, *said), likely=likely, special=special)
        for item, names in zip(node, before, strict=False)
    ]


def _is_choice(value: Any, said: tuple[str, ...]) -> bool:
    """Whether a value is what it is called: a choice of a form (`{"label": "City", "value": "city"}`)."""
    own = SURE.get(words(value)) if said and isinstance(value, str) else None
    return own is not None and any(entity_of(name) == own for name in said)


def _unless_name(cell: Any, said: tuple[str, ...]) -> tuple[str, ...]:
    """What calls a cell something, but for a cell that is a name itself: of a row of names, or the first of a pair."""
    return () if isinstance(cell, str) and words(cell) in SURE else said


def _text(
    text: str,
    masker: Masker,
    key: str,
    depth: int,
    *,
    said: tuple[str, ...],
    likely: bool,
    special: Callable[[Any, Masker], Any] | None,
) -> str:
    if text[:1] in ("{", "["):
        try:
            inner = orjson.loads(text)
        except ValueError:
            inner = None
        if isinstance(inner, dict | list) and not tree.too_deep(inner) and depth < _NESTED:
            shown = rewrite(inner, masker, key, depth + 1, said=said, special=special)
            return text if shown == inner and not says_twice(text) else orjson.dumps(shown).decode()
    if _NOBODY.fullmatch(text):
        return masker.scan(text, key)
    for name in said:
        if (entity := _entity(name, likely=likely)) and _is_value(entity, text):
            return masker.hidden(entity, text)
    if entity := _entity(key, likely=likely):
        return masker.hidden(entity, text)
    for name in said:
        if (shown := masker.scan(text, name)) != text:
            return shown
    return masker.scan(text, key)


def _is_value(entity: str, text: str) -> bool:
    """Whether a text is a value of what another member calls it, and no sentence about it."""
    if len(text) > _LONGEST:
        return False
    return any(map(str.isdecimal, text)) or entity in _IN_WORDS or (entity in _IN_ONE_WORD and " " not in text)


def _entity(key: str, *, likely: bool) -> str | None:
    return entity_of(key, likely=likely) if key else None


def _key(name: str, masker: Masker) -> str:
    """A member's name, which is text where a model may have filled it in."""
    return (
        name if _KEY.fullmatch(name) and not tree.TELLING.search(name) and words(name) in SURE else masker.render(name)
    )


def says_twice(text: str) -> bool:
    """Whether an object names a member twice: a parser sees only the last, a reader both."""

    def distinct(pairs: list[tuple[str, Any]]) -> int:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("a member twice")
        return 0

    try:
        json.loads(text.strip(" \t\r\n\ufeff"), object_pairs_hook=distinct)
    except (ValueError, RecursionError):
        return True
    return False
