"""Text in JSON trees: which strings of a dialect's message are text, and how a tree is rewritten.

A `Fields` table names the keys that are *not* plain text; every other string, at any depth and under any key, is
text and is rendered. So a field that a server invents tomorrow is masked, not passed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import repeat
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect import beside

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

Render = "Callable[[str], str]"
NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}\Z")
"""A key that is a field's name; any other key (of a map that a model filled) is text."""
_WORD = re.compile(r"[A-Za-z0-9_.:/@+-]{0,200}\Z")
TELLING = re.compile(r"[0-9]{2}|@")
"""What a constant must hold before it can be an identifier at all."""
_KIND = re.compile(r"[A-Za-z]+[-_]")
_NUMBERS = re.compile(r"[0-9]+(?:[-_.:/][0-9]+)+")
"""A number that is written for people, not an id."""
_LABEL = re.compile(r"[_\W]+|(?<=[a-z])(?=[A-Z])")
_APART = re.compile(r"[_\W\d]+|(?<=[a-z])(?=[A-Z])")
_NAMED = frozenset({"name", "tool_name"})
"""Keys of constants that are names of things, which are written by whoever names them."""
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})")
"""When a server did something (RFC 3339, 5.6), to the second."""
DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
"""The SHA-256 of a file."""
_DOCUMENT = re.compile(r"\s{0,100}(?:[{\[]|MSH)")
"""How a text begins that says itself what is in it."""
MAX_DEPTH = 100
"""Levels of nesting that are read; the serialiser knows a bound as well, and breaks at it."""
_LONG_NUMBER = 10_000
"""From here on a number may be an identifier (a ZIP code is the shortest)."""


_NONE: Mapping[str, Any] = MappingProxyType({})


class TreeError(ValueError):
    """A tree that is not walked: nested too deep. Carries nothing of it."""


@dataclass(frozen=True, slots=True)
class Fields:
    """How the keys of one dialect's messages are read.

    `constant`: set by protocol or server, never written by a model: kept, unless an identifier stands there all the
    same. `drop`: the same text again in a form that cannot be masked (token ids, per-token lists, audio): left out.
    `json`: any JSON value, or a string that holds one. `prose`: text that is read as it stands; every other text is
    read together with its key, which may say what it is (`"mrn": "77310"`). `blank`: members that clients need and
    whose content cannot be masked, and what stands there instead. `forms`: set by the server in one form that its
    clients parse (a time, a digest): kept as it stands where it has that form, text where it has not. `named`: members
    that are read together with what a member beside them says of them (`{"name": "mrn", "data": [...]}`), by their
    keys. `document`: a whole message is somebody's JSON, in which nothing is the protocol's.
    """

    constant: frozenset[str]
    drop: frozenset[str]
    json: frozenset[str]
    prose: frozenset[str] = frozenset()
    blank: Mapping[str, Any] = field(default=_NONE)
    forms: Mapping[str, re.Pattern[str]] = field(default=_NONE)
    named: Mapping[str, str] = field(default=_NONE)
    document: bool = False
    known: frozenset[str] = field(init=False)
    """All keys of the table: names that need no look."""

    def __post_init__(self) -> None:
        listed = self.constant | self.drop | self.json | self.prose
        others = self.blank.keys() | self.forms.keys() | self.named.keys()
        object.__setattr__(self, "known", listed | others)

    def formed(self, key: str | int, value: Any) -> bool:
        """Whether a value has the form that the server's own has under this key."""
        form = self.forms.get(key) if self.forms and isinstance(key, str) else None
        told = value if isinstance(value, list) else [value]
        return form is not None and all(isinstance(each, str) and form.fullmatch(each) for each in told)

    def without_constant(self, *names: str) -> Fields:
        """The same table, in which these are text."""
        return replace(self, constant=self.constant.difference(names))


def rewrite(node: Any, fields: Fields, render: Callable[[str], str], depth: int = 0, key: str = "") -> Any:
    """The same tree with every text rendered; constants kept, unmaskable repeats left out; TreeError when too deep.

    `key` is that of the member in whose list the node stands.
    """
    if isinstance(node, str):
        return labelled(key, node, render) if key else render(node)
    if fields.document and not depth:
        return document(node, render)
    if depth > MAX_DEPTH:
        raise TreeError("nested too deep")
    if isinstance(node, dict):
        known, drop, depth = fields.known, fields.drop, depth + 1
        return {
            (key if key in known or _is_name(key) else render(key)): (
                value
                if _says_nothing(value) and key not in fields.blank
                else _member(key, value, fields, render, depth)
                if key not in fields.named
                else values(value, render, said_of(node.get(fields.named[key]), fields), depth)
            )
            for key, value in node.items()
            if key not in drop
        }
    if isinstance(node, list):
        if node and all(map(_small, node)):
            return node  # a vector
        return [rewrite(item, fields, render, depth + 1, key) for item in node]
    return number(node, render, key)


def said_of(name: Any, fields: Fields) -> str:
    """What a name says of what it names; nothing where it only says that it is text."""
    return name if isinstance(name, str) and name.lower() not in fields.prose else ""


def _is_name(key: str) -> bool:
    return bool(NAME.match(key)) and not TELLING.search(key)


def _says_nothing(value: Any) -> bool:
    """Null, yes, no or a small whole number: the same under every key."""
    return value is None or (isinstance(value, int) and -_LONG_NUMBER < value < _LONG_NUMBER)


def _small(value: Any) -> bool:
    return isinstance(value, float | int) and abs(value) < _LONG_NUMBER


def _member(key: str, value: Any, fields: Fields, render: Callable[[str], str], depth: int) -> Any:
    if key in fields.blank:
        return fields.blank[key]
    if fields.formed(key, value):
        return value
    if key in fields.constant and plain(value):
        return constant(value, render, key)
    if key in fields.json:
        return embedded(value, render, depth) if isinstance(value, str) else document(value, render, key, depth)
    if isinstance(value, str) and key not in fields.prose:
        return labelled(key, value, render)
    if _long(value):
        return number(value, render, key)
    return rewrite(value, fields, render, depth, "" if key in fields.prose else key)


def plain(value: Any) -> bool:
    """Constants are short scalars without spaces; anything longer or deeper under such a key is treated as text."""
    return value is None or isinstance(value, int | float) or (isinstance(value, str) and bool(_WORD.match(value)))


def constant(value: Any, render: Callable[[str], str], key: str | int = "") -> Any:
    """A protocol's own value; one that is an identifier is nobody's protocol.

    What begins with its kind (`call_5362281450`) is left alone: two of them must not become one; but not an address or
    numbers with marks between them behind it (a model's name may have a date). A name (of a tool) is the model's word:
    its words are nobody's, either.
    """
    if not isinstance(value, str):
        return value
    if key in _NAMED:
        return _name(value, render)
    if not TELLING.search(value):
        return value
    kind = _KIND.match(value)
    if kind is None:
        return render(value)
    rest = value[kind.end() :]
    spelt = "@" in rest or (key != "model" and _NUMBERS.fullmatch(rest))
    return kind[0] + render(rest) if spelt else value


def _name(value: str, render: Callable[[str], str]) -> str:
    """A name as it is, or rendered where it, or what its words say, is an identifier (`JaneDoe`, `doe_jane`)."""
    rendered = render(value) if TELLING.search(value) else value
    if rendered != value:
        return rendered
    words = " ".join(filter(None, _APART.split(value)))
    said = render(words)
    return value if said == words else said.replace(" ", "_")


def counts(node: Any) -> Any:
    """The numbers of a tree of counts, without anything else that stands in it."""
    if isinstance(node, dict):
        return {
            key: counts(value) for key, value in node.items() if value is None or isinstance(value, dict | int | float)
        }
    return node


def labelled(key: str, text: str, render: Callable[[str], str]) -> str:
    """A text read together with its key, as `patient name: ...`; alone where that says nothing more.

    One that may say itself what is in it is read alone first.
    """
    if _DOCUMENT.match(text) and (alone := render(text)) != text:
        return alone
    label = " ".join(_LABEL.split(key)) + ": "
    rendered = render(label + text)
    if rendered == label + text or not rendered.startswith(label):
        return render(text)
    return rendered[len(label) :]


def embedded(text: str, render: Callable[[str], str], depth: int = 0, key: str = "") -> str:
    """A string that holds JSON, with the text inside rendered and escaped anew; plain text where it holds none.

    An object is rendered as a whole first, for who knows its kind (a FHIR resource); then what that left as it was.
    `key` is that of the member that the string is.
    """
    try:
        inner = orjson.loads(text)
    except ValueError:
        return labelled(key, text, render) if key else render(text)
    seen = _loaded(render(text)) if isinstance(inner, dict | list) else inner
    return orjson.dumps(_left(inner, seen, render, key, depth)).decode()


def document(value: Any, render: Callable[[str], str], key: str = "", depth: int = 0) -> Any:
    """A JSON value that stands by itself in a tree, rendered as if a string held it."""
    if not isinstance(value, dict | list) or not value:
        return values(value, render, key, depth)
    try:
        text = orjson.dumps(_told(value)).decode()
    except orjson.JSONEncodeError:
        raise TreeError("nested too deep") from None
    return _left(value, _loaded(render(text)), render, "", depth)


def _told(node: Any, depth: int = 0) -> Any:
    """A JSON value without vectors and without what is no JSON: nothing is found in them, and much is looked at."""
    if depth > MAX_DEPTH:
        raise TreeError("nested too deep")
    if isinstance(node, dict):
        return {key: _told(value, depth + 1) for key, value in node.items()}
    if isinstance(node, list):
        return None if node and all(map(_small, node)) else [_told(item, depth + 1) for item in node]
    return node if node is None or isinstance(node, str | int | float) else None


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def _left(before: Any, after: Any, render: Callable[[str], str], key: str, depth: int) -> Any:
    """`after`, with its values rendered where they are what they were before."""
    if after is None or after == before:
        return values(before, render, key, depth)
    if isinstance(before, dict) and isinstance(after, dict) and len(before) == len(after):
        pairs = zip(before.items(), after.items(), strict=True)
        return {
            (render(name) if name == new else new): _left(old, made, render, name, depth + 1)
            for (name, old), (new, made) in pairs
        }
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [_left(old, made, render, key, depth + 1) for old, made in zip(before, after, strict=True)]
    return after


def values(node: Any, render: Callable[[str], str], key: str = "", depth: int = 0, said: tuple[str, ...] = ()) -> Any:
    """Any JSON value with keys, strings and long numbers rendered: nothing of it is a protocol's own.

    A string in it may hold JSON again. `said` is what others beside it call it (`beside`), before its own key.
    """
    if depth > MAX_DEPTH:
        raise TreeError("nested too deep")
    if isinstance(node, str) and node[:1] in ("{", "["):
        return embedded(node, render, depth + 1, said[0] if said else key)
    if isinstance(node, dict):
        named, columns = beside.members(node, said[0] if said else key), beside.columns(node)
        return {
            render(name): (
                _rows(value, render, name, depth + 1, columns)
                if columns and beside.of_columns(name, value, columns)
                else values(value, render, name, depth + 1, named.get(name, ()))
            )
            for name, value in node.items()
        }
    if isinstance(node, list):
        if beside.cells(node) is not None:
            return _rows(node, render, key, depth, (), said)
        before = beside.listed(node) or repeat(())
        items = zip(node, before, strict=False)
        return [values(item, render, key, depth + 1, (*names, *said)) for item, names in items]
    for name in (*said, key):
        if isinstance(node, str):
            shown = labelled(name, node, render) if name else render(node)
        else:
            shown = number(node, render, name)
        if shown != node:
            return shown
    return node


def _rows(  # noqa: PLR0917 -- as `values`
    rows: list[Any],
    render: Callable[[str], str],
    key: str,
    depth: int,
    columns: tuple[str, ...],
    said: tuple[str, ...] = (),
) -> list[Any]:
    """Rows by the names of their columns, or one row; pairs by their first."""
    one = not isinstance(rows[0], list)
    table = [rows] if one else rows
    named = beside.cells(table, columns) or []
    made = [
        [values(cell, render, key, depth + 2, (*names, *said)) for cell, names in zip(row, cells, strict=True)]
        for row, cells in zip(table, named, strict=True)
    ]
    return made[0] if one else made


def _long(node: Any) -> bool:
    """A number with enough digits to be an identifier."""
    if isinstance(node, bool) or not isinstance(node, int | float):
        return False
    return abs(node) >= _LONG_NUMBER


def number(node: Any, render: Callable[[str], str], key: str = "") -> Any:
    """A number as it is, or rendered where it is an identifier written as one."""
    if not _long(node):
        return node
    text = orjson.dumps(node).decode()
    rendered = labelled(key, text, render) if key else render(text)
    return node if rendered == text else rendered


_FREE = frozenset(
    {"arguments", "parameters", "properties", "input", "input_schema", "schema", "json_schema", "format", "metadata"}
    | {"guided_json", "structured_outputs", "chat_template_kwargs", "variables", "headers", "documents", "logit_bias"}
    | {"files", "adapters"}
)
"""Members whose own members are named by the caller, and by nobody's protocol."""


def one_of(value: Any, words: Container[str]) -> bool:
    """Whether a value is one of these words: a list or an object is none, and asking a set for one would raise."""
    return isinstance(value, str) and value in words


def shouts(tree: Any) -> bool:
    """Whether a member of a protocol's own is named other than in lower case.

    Go reads `Model` as `model`, the Kelvin sign as `k`, and of several the last (encoding/json, Unmarshal).
    """
    level = [tree]
    while level:
        maps = [node for node in level if isinstance(node, dict)]
        if any(key != key.casefold() for node in maps for key in node):
            return True
        inner = [value for node in maps for key, value in node.items() if key not in _FREE]
        inner += [item for node in level if isinstance(node, list) for item in node]
        level = [node for node in inner if isinstance(node, dict | list)]
    return False


def too_deep(tree: Any) -> bool:
    """Whether a tree has more levels than are walked; itself without recursion."""
    level, depth = [tree], 0
    while level and depth <= MAX_DEPTH:
        inner = (node.values() if isinstance(node, dict) else node for node in level if isinstance(node, dict | list))
        level, depth = [item for items in inner for item in items if isinstance(item, dict | list)], depth + 1
    return bool(level)


def texts(node: Any, fields: Fields) -> Iterator[str]:
    """Every text of a tree, in order, as `rewrite` would see it."""
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return text

    rewrite(node, fields, keep)
    yield from found
