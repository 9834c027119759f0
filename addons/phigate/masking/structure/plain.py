"""Any other JSON: a member whose name says what it is is hidden, everything else is text read with its name."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect import tree
from phigate.masking.structure.keys import SURE, about_a_person, entity_of, words
from phigate.masking.structure.treatment import SCAN

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.masking.structure.treatment import Masker

_KEY = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.:$@-]{0,63}(?: [A-Za-z0-9_.:-]{1,30}){0,3}", re.ASCII)
_NESTED = 40
"""Levels below which a text that holds JSON is text."""
_NOBODY = re.compile(
    r"(?i:n/?a|none|unknown|null|nil|yes|no|true|false|not (?:known|given|applicable|recorded))?", re.ASCII
)


def rewrite(
    node: Any,
    masker: Masker,
    key: str = "",
    depth: int = 0,
    *,
    likely: bool = False,
    special: Callable[[Any, Masker], Any] | None = None,
) -> Any:
    """The same tree with all that identifies hidden; raises TreeError when it is nested too deep.

    `likely`: the object is about a person (a sure name stands beside): `name` and `address` are believed too.
    `special` reads the objects that are of a kind of their own, and gives None for all others.
    """
    if depth > tree.MAX_DEPTH:
        raise tree.TreeError("nested too deep")
    if isinstance(node, dict):
        if special and (made := special(node, masker)) is not None:
            return made
        likely = about_a_person(node)
        return {
            _key(name, masker): rewrite(value, masker, name, depth + 1, likely=likely, special=special)
            for name, value in node.items()
        }
    if isinstance(node, list):
        return [rewrite(item, masker, key, depth + 1, likely=likely, special=special) for item in node]
    if isinstance(node, str):
        return _text(node, masker, key, depth, likely=likely, special=special)
    if node is None or isinstance(node, bool):
        return node
    return masker.number(_entity(key, likely=likely) or SCAN, node, key)


def _text(
    text: str,
    masker: Masker,
    key: str,
    depth: int,
    *,
    likely: bool,
    special: Callable[[Any, Masker], Any] | None,
) -> str:
    if text[:1] in ("{", "["):
        try:
            inner = orjson.loads(text)
        except ValueError:
            inner = None
        if isinstance(inner, dict | list) and not tree.too_deep(inner) and depth < _NESTED:
            shown = rewrite(inner, masker, key, depth + 1, special=special)
            return text if shown == inner and not says_twice(text) else orjson.dumps(shown).decode()
    entity = _entity(key, likely=likely)
    if entity and not _NOBODY.fullmatch(text):
        return masker.hidden(entity, text)
    return masker.scan(text, key)


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
