"""What a value of JSON is called by what stands beside it: `{"key": "mrn", "value": 1}`, pairs, columns and their rows.

Rules of this file:
- What is called by another is read as if that were its own name: `{"key": K, "value": V}` as `{K: V}`.
- Only places are told, never what a name means. A name is short, begins with a letter and holds no number.
- Looking costs one look at each name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

NAMES = frozenset(
    {"key", "name", "field", "fieldname", "label", "code", "attribute", "attr", "property", "prop", "column", "param"}
    | {"parameter", "variable", "var", "element", "item", "question", "header", "k", "id", "tag", "title", "display"}
)
"""Members that call what stands beside them by its name."""
KINDS = frozenset({"type", "kind", "system", "category"})
"""Members that may, and more often tell what form it has."""
VALUES = frozenset(
    {"value", "values", "val", "v", "content", "text", "data", "answer", "response", "valuestring", "stringvalue"}
    | {
        "valuetext",
        "number",
        "valueinteger",
        "intvalue",
        "numbervalue",
        "numericvalue",
        "rawvalue",
        "raw",
        "newvalue",
        "oldvalue",
    }
)
"""Members whose names say that they are what another one names, and no more."""
COLUMNS = frozenset({"columns", "columnnames", "cols", "headers", "header", "fields", "fieldnames", "names", "keys"})
"""Members that name the columns of the rows beside them."""
ROWS = frozenset({"row", "value", "values", "data", "record", "cells"})
"""Members that may be one row below the columns beside them; what is a list of lists is rows whatever it is called."""
MOST_COLUMNS = 1000
_NAME_OF, _VALUE, _KIND_OF = "name", "value", "kind"
_NAME = re.compile(r"(?:-{1,2}|[$@#])?[^\W\d_](?:[\w .,'/#()&:%-]{0,58}[\w)#.:])?")
_NUMBER = re.compile(r"[0-9]{2}")


def is_name(value: Any) -> bool:
    """Whether a value may be the name of another."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None and not _NUMBER.search(value)


def members(node: dict[str, Any], key: str = "") -> dict[str, tuple[str, ...]]:
    """The names of members that others name, the most telling first: `{"value": ("mrn",)}`.

    `key` is that of the object itself, which names its `value` where nothing beside it does, and what is only numbered.
    """
    numbered: dict[str, tuple[str, ...]] = {name: (key,) for name in node if name.isdecimal()} if key else {}
    kinds = {name: kind for name in node if (kind := _kind(name))}
    if _VALUE not in kinds.values():
        return numbered
    said = [node[name] for name, kind in kinds.items() if kind == _NAME_OF and is_name(node[name])]
    if not said:
        said = [key] if key else []
        said += [node[name] for name, kind in kinds.items() if kind == _KIND_OF and is_name(node[name])]
    if not said:
        return numbered
    return numbered | {name: tuple(said) for name, kind in kinds.items() if kind == _VALUE}


def is_naming(name: str) -> bool:
    """Whether a member names what stands beside it."""
    return _plain(name) in NAMES or _plain(name) in KINDS


def columns(node: dict[str, Any]) -> tuple[str, ...]:
    """The names of the columns that an object tells beside its rows; none where it tells none."""
    for name, value in node.items():
        if isinstance(value, list) and 0 < len(value) <= MOST_COLUMNS and _plain(name) in COLUMNS:
            told = tuple(map(_told, value))
            if any(told):
                return told
    return ()


def of_columns(name: str, value: Any, named: tuple[str, ...]) -> bool:
    """Whether a member beside the names of columns is their rows, or one row."""
    if not named or not isinstance(value, list) or not value:
        return False
    return all(isinstance(row, list) for row in value) or (len(value) == len(named) and _plain(name) in ROWS)


def cells(rows: list[Any], named: tuple[str, ...] = ()) -> list[list[tuple[str, ...]]] | None:
    """The names of each cell of a list of lists, by its column or by the first of its pair; None where it is no such.

    `named` are the columns, where they stand elsewhere; else the first row may name them.
    """
    if not rows or not all(isinstance(row, list) for row in rows):
        return None
    first = rows[0]
    if not named and (not first or not is_name(first[0])):
        return None
    even = all(len(row) == len(first) for row in rows)
    head = named
    if not named and even and len(rows) > 1 and len(set(map(str, first))) == len(first) and all(map(is_name, first)):
        head = tuple(first)
    pairs = not named and even and len(first) == 2 and all(is_name(row[0]) for row in rows)
    if not head and not pairs:
        return None
    return [
        [
            (((head[at],) if at < len(head) and (named or number) else ()) + ((row[0],) if pairs and at else ()))
            for at in range(len(row))
        ]
        for number, row in enumerate(rows)
    ]


def listed(items: list[Any]) -> list[tuple[str, ...]] | None:
    """The names of the items of a flat list: a number is named by what stands before it (`["mrn", "77310042"]`)."""
    if len(items) < 2 or not any(map(is_name, items)):
        return None
    return [
        (before,) if is_name(before) and isinstance(item, str | int) and _NUMBER.search(str(item)) else ()
        for before, item in zip(["", *items], items, strict=False)
    ]


def _told(column: Any) -> str:
    """A column's name: itself, or the name that its description tells (`{"name": "mrn", "type": "int"}`)."""
    if isinstance(column, dict):
        column = next((value for name, value in column.items() if _plain(name) in NAMES and is_name(value)), "")
    return column if is_name(column) else ""


@lru_cache(maxsize=4096)
def _kind(name: str) -> str:
    """What a member's name makes of it."""
    plain = _plain(name)
    return _NAME_OF if plain in NAMES else _VALUE if plain in VALUES else _KIND_OF if plain in KINDS else ""


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")
