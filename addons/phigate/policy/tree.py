"""A YAML file as plain values, with the line of everything in it, and all its faults at once.

Rules of the reading: every plain word is text exactly as written (`yes`, `0777`, `2026-01-01`, `PT30M`, `null`), so
nothing depends on YAML's guesses; keys that take a number read its digits. One document, UTF-8, at most 1 MiB and 32
levels; no anchors, aliases or tags; no key twice. The parser's events are read in one loop: no recursion to exhaust.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from phigate.policy.sentences import UNREADABLE, quoted

MAX_BYTES = 1 << 20
MAX_DEPTH = 32

type Path = tuple[str | int, ...]

_NOWHERE = "\x00"
"""The key whose value is read and dropped: no readable key holds this character."""


class Fault(NamedTuple):
    line: int
    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Tree:
    """`value` is None when the file could not be read to its end; `lines` and `unreadable` are by path."""

    value: Any
    lines: dict[Path, int]
    faults: tuple[Fault, ...]
    unreadable: frozenset[Path] = frozenset()
    """Places with a fault of the file itself: what stands there is not judged again."""

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest place above it that the file has."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(data: bytes) -> Tree:
    """Read one YAML document; never raises for what the file holds."""
    if len(data) > MAX_BYTES:
        return _hopeless(1, "is larger than 1 MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _hopeless(data.count(b"\n", 0, error.start) + 1, "is not UTF-8")
    return _compose(text)


def _hopeless(line: int, text: str, *before: Fault) -> Tree:
    return Tree(None, {}, (*before, Fault(line, (), text)))


def _compose(text: str) -> Tree:
    try:
        loader = yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:
        return _hopeless(text.count("\n", 0, error.position) + 1, "holds a character that YAML does not allow")
    builder = _Builder()
    try:
        while builder.documents < 2 and loader.check_event():
            builder.take(loader.get_event())  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it out
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else loader.line + 1
        return _hopeless(line, f"cannot be read as YAML: {error.problem or error.context}", *builder.faults)
    except _TooDeepError as error:
        return _hopeless(error.line, f"is nested deeper than {MAX_DEPTH} levels", *builder.faults)
    except (ValueError, OverflowError):  # PyYAML itself stumbles over "\UFFFFFFFF" and the like
        return _hopeless(loader.line + 1, "cannot be read as YAML: a character number that does not exist")
    finally:
        loader.dispose()
    return Tree(builder.root, builder.lines, tuple(builder.faults), frozenset(builder.unreadable))


class _TooDeepError(Exception):
    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line


@dataclass(slots=True)
class _Level:
    """One open list or mapping; `key` is None while a mapping waits for its next key."""

    path: Path
    into: list[Any] | dict[str, Any]
    is_key: bool = False
    key: str | None = None
    key_line: int = 0
    seen: dict[str, int] = field(default_factory=dict)


class _Builder:
    def __init__(self) -> None:
        self.root: Any = ""
        self.lines: dict[Path, int] = {}
        self.faults: list[Fault] = []
        self.unreadable: set[Path] = set()
        self.documents = 0
        self._stack: list[_Level] = []

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._document(event)
            case yaml.AliasEvent():
                self._unusable(event, "aliases are not allowed: write the value out")
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent():
                self._open(event, {})
            case yaml.SequenceStartEvent():
                self._open(event, [])
            case yaml.CollectionEndEvent():
                if not self._stack.pop().is_key:
                    self._value_done()
            case _:
                pass

    def _document(self, event: yaml.Event) -> None:
        self.documents += 1
        if self.documents > 1:
            self._say(event, (), "holds more than one YAML document")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        if UNREADABLE.search(event.value):
            self._unusable(event, "holds a control or invisible character")
        elif self._wants_key():
            self._decorations(event, self._stack[-1].path)
            self._key(event)
        else:
            self._decorations(event, self._place(event, event.value))
            self._value_done()

    def _unusable(self, event: yaml.Event, text: str) -> None:
        """Said once, and its place left out of every later check."""
        if self._wants_key():
            self._discard_key(event, text)
            return
        path = self._place(event, "")
        self._say(event, path, text)
        self.unreadable.add(path)
        self._value_done()

    def _open(self, event: yaml.CollectionStartEvent, into: list[Any] | dict[str, Any]) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise _TooDeepError(_line(event))
        is_key = self._wants_key()
        if is_key:
            self._discard_key(event, "a key must be plain text")
        path = (*self._stack[-1].path, _NOWHERE) if is_key else self._place(event, into)
        self._decorations(event, path)
        self._stack.append(_Level(path, into, is_key=is_key))

    def _key(self, event: yaml.ScalarEvent) -> None:
        level = self._stack[-1]
        if event.value in level.seen:
            self._say(event, (*level.path, event.value), f"stands twice, first on line {level.seen[event.value]}")
            level.key = _NOWHERE
            return
        level.key, level.key_line = event.value, _line(event)
        level.seen[event.value] = level.key_line

    def _discard_key(self, event: yaml.Event, text: str) -> None:
        self._say(event, self._stack[-1].path, text)
        self._stack[-1].key = _NOWHERE

    def _place(self, event: yaml.Event, value: Any) -> Path:
        """Put a value where it belongs; the path it has there."""
        if not self._stack:
            self.root, self.lines[()] = value, _line(event)
            return ()
        level = self._stack[-1]
        if isinstance(level.into, list):
            path: Path = (*level.path, len(level.into))
            level.into.append(value)
            self.lines[path] = _line(event)
            return path
        key = level.key or ""
        path = (*level.path, key)
        if key is not _NOWHERE:
            level.into[key] = value
            self.lines[path] = level.key_line
        return path

    def _wants_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].into, dict) and self._stack[-1].key is None

    def _value_done(self) -> None:
        if self._stack:
            self._stack[-1].key = None

    def _decorations(self, event: yaml.NodeEvent, path: Path) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._say(event, path, f"tag {quoted(tag.replace('tag:yaml.org,2002:', '!!'))} is not allowed")
        if event.anchor is not None:
            self._say(event, path, f"anchor {quoted(event.anchor)} is not allowed")

    def _say(self, event: yaml.Event, path: Path, text: str) -> None:
        self.faults.append(Fault(_line(event), path, text))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
