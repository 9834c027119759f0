"""Text in JSON trees: which strings of a dialect's message are text, and how a tree is rewritten.

A `Fields` table names the keys that are *not* plain text; every other string, at any depth and under any key, is
text and is rendered. So a field that a server invents tomorrow is masked, not passed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Render = "Callable[[str], str]"
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}\Z")
"""A key that is a field's name; any other key (of a map that a model filled) is text."""
_WORD = re.compile(r"[A-Za-z0-9_.:/@+-]{0,200}\Z")
_LONG_NUMBER = 5
"""Digits from which a number among a tool's arguments may be an identifier (a ZIP code is the shortest)."""


@dataclass(frozen=True, slots=True)
class Fields:
    """How the keys of one dialect's messages are read.

    `constant`: set by protocol or server, never generated: kept. `drop`: the same text again in a form that cannot
    be masked (token ids, per-token lists, vectors of audio): left out. `json`: a string that holds JSON.
    """

    constant: frozenset[str]
    drop: frozenset[str]
    json: frozenset[str]


def rewrite(node: Any, fields: Fields, render: Callable[[str], str]) -> Any:
    """The same tree with every text rendered; constants kept, unmaskable repeats left out."""
    if isinstance(node, str):
        return render(node)
    if isinstance(node, dict):
        return {
            (key if _NAME.match(key) else render(key)): value
            if key in fields.constant and plain(value)
            else _member(key, value, fields, render)
            for key, value in node.items()
            if key not in fields.drop
        }
    if isinstance(node, list):
        if node and isinstance(node[0], float | int):  # a vector; numbers are no text here
            return [item if isinstance(item, float | int) else rewrite(item, fields, render) for item in node]
        return [rewrite(item, fields, render) for item in node]
    return node


def _member(key: str, value: Any, fields: Fields, render: Callable[[str], str]) -> Any:
    if key in fields.json and isinstance(value, str):
        return embedded(value, render)
    return rewrite(value, fields, render)


def plain(value: Any) -> bool:
    """Constants are short scalars without spaces; anything longer or deeper under such a key is treated as text."""
    return value is None or isinstance(value, int | float) or (isinstance(value, str) and bool(_WORD.match(value)))


def embedded(text: str, render: Callable[[str], str]) -> str:
    """A string that holds JSON, with the text inside rendered and escaped anew; plain text where it holds none."""
    try:
        inner = orjson.loads(text)
    except ValueError:
        return render(text)
    return orjson.dumps(values(inner, render)).decode()


def values(node: Any, render: Callable[[str], str]) -> Any:
    """Any JSON value with keys, strings and long numbers rendered: nothing of it is a protocol's own."""
    if isinstance(node, str):
        return render(node)
    if isinstance(node, dict):
        return {render(key): values(value, render) for key, value in node.items()}
    if isinstance(node, list):
        return [values(item, render) for item in node]
    return _number(node, render)


def _number(node: Any, render: Callable[[str], str]) -> Any:
    if isinstance(node, bool) or not isinstance(node, int | float):
        return node
    text = orjson.dumps(node).decode()
    if sum(map(str.isdigit, text)) < _LONG_NUMBER:
        return node
    rendered = render(text)
    return node if rendered == text else rendered


def texts(node: Any, fields: Fields) -> Iterator[str]:
    """Every text of a tree, in order, as `rewrite` would see it."""
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return text

    rewrite(node, fields, keep)
    yield from found
