"""Requests that decide what a model writes so narrowly that an identifier can be asked out of it in pieces.

Two tokens at a time, or one of a few answers that the caller lists, are too little to find anything in.
"""

from __future__ import annotations

from typing import Any

import orjson

from phigate.dialect.tree import MAX_DEPTH

_FEW = 3
"""From so many tokens on an answer is a text."""
_CHOICES = frozenset({"enum", "const", "pattern", "patternProperties"})
"""Words of a JSON Schema that list or spell what a value may be (Validation, 6.1, 6.3.3; Core, 10.3.2.2)."""
_NAMES = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
"""Words whose members are named by the author."""


def few(count: Any) -> bool:
    """Whether a bound of tokens lets an answer have one or two; servers read numbers in strings, too."""
    if isinstance(count, str):
        try:
            count = float(count)
        except ValueError:
            return False
    return isinstance(count, int | float) and 0 < count < _FEW


def picks(schema: Any) -> bool:
    """Whether a JSON Schema, or a string that holds one, says which answers there are; one that is unreadable does."""
    if isinstance(schema, str):
        try:
            schema = orjson.loads(schema)
        except ValueError:
            return True
    return _picks(schema, 0)


def _picks(node: Any, depth: int) -> bool:
    if depth > MAX_DEPTH:
        return True
    if isinstance(node, list):
        return any(_picks(item, depth + 1) for item in node)
    if not isinstance(node, dict):
        return False
    if not _CHOICES.isdisjoint(node) or few(node.get("maxLength")):
        return True
    return any(
        _picks(list(value.values()) if key in _NAMES and isinstance(value, dict) else value, depth + 1)
        for key, value in node.items()
    )
