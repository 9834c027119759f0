"""Streams of chunks that each carry pieces of several texts: which piece belongs to which text, and how it goes out.

A chunk has `choices`, each with an `index`; every string below a choice that is not a constant is a piece of the
channel (index, path). Lists inside are told apart by their items' own `index` (parallel tool calls). A channel
gives out text when it is decided and the rest when its choice finishes or the stream ends: in a chunk of its own,
before the one that says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from phigate.dialect.tree import (
    MAX_DEPTH,
    NAME,
    TELLING,
    constant,
    counts,
    embedded,
    labelled,
    number,
    plain,
    rewrite,
    values,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.dialect.tree import Fields

_MAX_CHANNELS = 4096
"""Texts that one stream may carry in all; each holds back some."""
MOST_HELD = 1024 * 1024
"""Characters of a text of which nothing goes out before it is whole."""
_REMEMBERED = 200
"""Characters of a constant's pieces that are kept to be looked at together."""
_BESIDE = frozenset({"usage", "error"})
"""What a chunk may carry beside its choices and constants; anything else is left out."""

Path = tuple[str | int, ...]
type Render = Callable[[str], str]
type Twice = Callable[[Callable[[Render], Any]], Any]


class Channel(Protocol):
    """One text that arrives in pieces."""

    def feed(self, text: str) -> str: ...
    def close(self) -> str: ...


class ChunkError(ValueError):
    """A chunk is not what the dialect says; carries nothing of it."""


class Held(ABC):
    """A channel of which nothing goes out before it is whole; raises ChunkError when it is longer than anyone waits."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0

    def feed(self, text: str) -> str:
        self._size += len(text)
        if self._size > MOST_HELD:
            raise ChunkError("too long to be held")
        self._pieces.append(text)
        return ""

    def close(self) -> str:
        text = "".join(self._pieces)
        return self._whole(text) if text else ""

    @abstractmethod
    def _whole(self, text: str) -> str: ...


class JoinedJson(Held):
    """JSON in pieces (arguments of a tool call): escapes and numbers may be split anywhere."""

    def __init__(self, twice: Twice) -> None:
        super().__init__()
        self._twice = twice

    def _whole(self, text: str) -> str:
        return str(self._twice(lambda render: embedded(text, render)))


class Labelled(Held):
    """A text under a key that may say what it is, so that the two are read together."""

    def __init__(self, twice: Twice, key: str) -> None:
        super().__init__()
        self._twice, self._key = twice, key

    def _whole(self, text: str) -> str:
        return str(self._twice(lambda render: labelled(self._key, text, render)))


class Chunks:
    """Rewrites one stream's chunks; `channel` makes the channel of a text.

    `twice` masks at once what is no piece of a text, for the caller and for everyone else: it is told how a rendering
    is used. `look` masks what is no text of the model's (constants, keys) and leaves no trace of it.
    Two look at places, (index of the choice, path in it): `special` makes the channel of a text that is not as any
    other, `said` gives what is made of a value that is no piece of a text (None: it is as any other).
    """

    def __init__(  # noqa: PLR0917 -- what is made of each kind of content, the common ones first
        self,
        fields: Fields,
        channel: Callable[[], Channel],
        twice: Twice,
        look: Callable[[str], str],
        special: Callable[[int, Path], Channel | None] = lambda _index, _path: None,
        said: Callable[[int, Path, Any], tuple[Any] | None] = lambda _index, _path, _value: None,
    ) -> None:
        self._fields = fields
        self._new, self._special, self._said = channel, special, said
        self._twice, self._look = twice, look
        self._channels: dict[int, dict[Path, Channel]] = {}
        self._frame: dict[str, Any] = {}
        self._made = 0
        self._over: set[int] = set()
        self._constants: dict[tuple[int, Path], str] = {}
        self._failed = False

    def feed(self, chunk: Any) -> list[dict[str, Any]]:
        """The chunks to send for this one, in order; raises ChunkError on what is no chunk."""
        if not isinstance(chunk, dict):
            raise ChunkError("not an object")
        choices = chunk.get("choices", [])
        if not isinstance(choices, list) or any(not isinstance(choice, dict) for choice in choices):
            raise ChunkError("choices")
        if self._failed:
            return []
        self._failed = "error" in chunk
        if self._failed:  # what was held back is gone, and with it what its rest would be read with
            self._channels.clear()
            choices = []
        constants = self._fields.constant
        frame = {key: value for key, value in chunk.items() if key in constants or key in _BESIDE}
        frame = self._twice(partial(rewrite, frame, self._fields))
        self._frame = {key: value for key, value in frame.items() if key in constants}
        out = self._choices(choices)
        beside = {
            key: counts(value) if key == "usage" else value for key, value in frame.items() if key not in constants
        }
        if not out and (beside or not choices):
            out = [self._frame | ({"choices": []} if "choices" in chunk else {})]
        if out:
            out[-1] |= beside
        return out

    def _choices(self, choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """What they say, then what was held back of those that finish, then that they finish."""
        said, rest, ends = [], [], []
        for choice in choices:
            index = _index(choice.get("index") or 0)
            reason = choice.get("finish_reason")
            walked = self._walk(index, (), choice | {"finish_reason": None})
            if _says_something(walked):
                said.append(walked)
            if reason:
                if not isinstance(reason, str) or not plain(reason):
                    raise ChunkError("finish_reason")
                rest += self._flush(index)
                self._over.add(index)
                reason = constant(reason, self._look)
                ends.append({"index": index, **_empty(choice), "finish_reason": reason})
        out = [self._frame | {"choices": said}] if said else []
        return [*out, *rest, *([self._frame | {"choices": ends}] if ends else [])]

    def close(self) -> list[dict[str, Any]]:
        """What is still held back when the stream ends."""
        return [chunk for index in list(self._channels) for chunk in self._flush(index)]

    def _walk(self, index: int, path: Path, node: Any) -> Any:
        if len(path) > MAX_DEPTH:
            raise ChunkError("nested too deep")
        if isinstance(node, str):
            return self._channel(index, path).feed(node) if node else node
        if isinstance(node, dict):
            return {key: self._member(index, path, key, value) for key, value in node.items() if self._kept(key)}
        if isinstance(node, list):
            return [self._walk(index, (*path, _place(item, at)), item) for at, item in enumerate(node)]
        said = self._said(index, path, node)
        return said[0] if said else self._twice(lambda render: number(node, render))

    def _kept(self, key: str) -> bool:
        """A key that is no field's name would be text of its own, given out piece by piece."""
        return (
            key not in self._fields.drop
            and bool(NAME.match(key))
            and (not TELLING.search(key) or self._look(key) == key)
        )

    def _member(self, index: int, path: Path, key: str, value: Any) -> Any:
        whole = key in self._fields.json and not isinstance(value, str)
        fixed = key in self._fields.constant and plain(value)
        if whole or fixed or isinstance(value, int | float):
            if said := self._said(index, (*path, key), value):
                return said[0]
            if fixed:
                return self._joined(index, (*path, key), value)
            return self._twice(lambda render: (values if whole else number)(value, render, key))
        return self._walk(index, (*path, key), value)

    def _joined(self, index: int, path: Path, value: Any) -> Any:
        """A constant of a stream: clients join strings, so one that changes must not join to an identifier."""
        if not isinstance(value, str) or not value:
            return value
        before = self._constants.get((index, path), "")
        if value != before:
            joined = (before + value)[-_REMEMBERED:]
            if before and constant(joined, self._look, path[-1]) != joined:
                raise ChunkError("a constant in pieces")
            self._constants[index, path] = joined
        return constant(value, self._look, path[-1])

    def _channel(self, index: int, path: Path) -> Channel:
        if index in self._over:
            raise ChunkError("text after the finish")
        channels = self._channels.setdefault(index, {})
        if path not in channels:
            self._made += 1
            if self._made > _MAX_CHANNELS:
                raise ChunkError("too many channels")
            channels[path] = self._special(index, path) or self._usual(path[-1])
        return channels[path]

    def _usual(self, key: str | int) -> Channel:
        if key in self._fields.json:
            return JoinedJson(self._twice)
        return Labelled(self._twice, key) if isinstance(key, str) and key not in self._fields.prose else self._new()

    def _flush(self, index: int) -> list[dict[str, Any]]:
        found = []
        for path, channel in self._channels.pop(index, {}).items():
            if rest := channel.close():
                found.append(self._frame | {"choices": [{"index": index, **_nest(path, rest), "finish_reason": None}]})
        return found


def _empty(choice: dict[str, Any]) -> dict[str, Any]:
    """The part of a choice that would carry text, without any: a delta (chat) or a text (completions)."""
    return {"delta": {}} if "delta" in choice else {"text": ""}


def _index(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MAX_CHANNELS:
        raise ChunkError("index")
    return value


def _place(item: Any, position: int) -> int:
    own = item.get("index") if isinstance(item, dict) else None
    return position if own is None else _index(own)


def _nest(path: Path, text: str) -> dict[str, Any]:
    """The smallest choice that carries `text` at `path`."""
    node: Any = text
    for step in reversed(path):
        indexed = isinstance(step, int) and isinstance(node, dict)
        inner = {"index": step, **node} if indexed else node
        node = [inner] if isinstance(step, int) else {step: inner}
    return dict(node)


def _says_something(node: Any) -> bool:
    """Whether a rewritten choice still tells the client anything (an index alone does not)."""
    if isinstance(node, dict):
        return any(_says_something(value) for key, value in node.items() if key != "index")
    if isinstance(node, list):
        return any(map(_says_something, node))
    return node not in ("", None)
