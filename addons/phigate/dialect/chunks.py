"""Streams of chunks that each carry pieces of several texts: which piece belongs to which text, and how it goes out.

A chunk has `choices`, each with an `index`; every string below a choice that is not a constant is a piece of the
channel (index, path). Lists inside are told apart by their items' own `index` (parallel tool calls). A channel
gives out text when it is decided and the rest when its choice finishes or the stream ends: in a chunk of its own,
before the one that says so.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from phigate.dialect.tree import MAX_DEPTH, NAME, TELLING, constant, counts, embedded, number, plain, rewrite, values

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.dialect.tree import Fields

_MAX_CHANNELS = 4096
"""Texts that one stream may carry in all; each holds back some."""
_REMEMBERED = 200
"""Characters of a constant's pieces that are kept to be looked at together."""
_BESIDE = frozenset({"usage", "error"})
"""What a chunk may carry beside its choices and constants; anything else is left out."""

Path = tuple[str | int, ...]


class Channel(Protocol):
    """One text that arrives in pieces."""

    def feed(self, text: str) -> str: ...
    def close(self) -> str: ...


class ChunkError(ValueError):
    """A chunk is not what the dialect says; carries nothing of it."""


class JoinedJson:
    """A channel that holds JSON in pieces (arguments of a tool call): nothing of it goes out before it is whole,
    since escapes and numbers may be split anywhere.
    """

    def __init__(self, render: Callable[[str], str]) -> None:
        self._render = render
        self._pieces: list[str] = []

    def feed(self, text: str) -> str:
        self._pieces.append(text)
        return ""

    def close(self) -> str:
        text = "".join(self._pieces)
        return embedded(text, self._render) if text else ""


class Chunks:
    """Rewrites one stream's chunks; `channel` makes the channel of a text, `render` masks a text at once.

    `look` masks what is no text of the model's (constants, keys) and leaves no trace of it. `special` makes the channel
    of a text by its place, (index of the choice, path in it); None is: as any other.
    """

    def __init__(
        self,
        fields: Fields,
        channel: Callable[[], Channel],
        render: Callable[[str], str],
        look: Callable[[str], str],
        special: Callable[[int, Path], Channel | None] = lambda _index, _path: None,
    ) -> None:
        self._fields = fields
        self._new, self._special = channel, special
        self._render, self._look = render, look
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
        if self._failed:
            self._channels.clear()
        constants = self._fields.constant
        frame = {key: value for key, value in chunk.items() if key in constants or key in _BESIDE}
        frame = rewrite(frame, self._fields, self._render)
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
        return number(node, self._render)

    def _kept(self, key: str) -> bool:
        """A key that is no field's name would be text of its own, given out piece by piece."""
        return (
            key not in self._fields.drop
            and bool(NAME.match(key))
            and (not TELLING.search(key) or self._look(key) == key)
        )

    def _member(self, index: int, path: Path, key: str, value: Any) -> Any:
        if key in self._fields.constant and plain(value):
            return self._joined(index, (*path, key), value)
        if key in self._fields.json and not isinstance(value, str):
            return values(value, self._render, key)
        if isinstance(value, int | float):
            return number(value, self._render, key)
        return self._walk(index, (*path, key), value)

    def _joined(self, index: int, path: Path, value: Any) -> Any:
        """A constant of a stream: clients join strings, so one that changes must not join to an identifier."""
        if not isinstance(value, str) or not value:
            return value
        before = self._constants.get((index, path), "")
        if value != before:
            joined = (before + value)[-_REMEMBERED:]
            if before and constant(joined, self._look) != joined:
                raise ChunkError("a constant in pieces")
            self._constants[index, path] = joined
        return constant(value, self._look)

    def _channel(self, index: int, path: Path) -> Channel:
        if index in self._over:
            raise ChunkError("text after the finish")
        channels = self._channels.setdefault(index, {})
        if path not in channels:
            self._made += 1
            if self._made > _MAX_CHANNELS:
                raise ChunkError("too many channels")
            usual = partial(JoinedJson, self._render) if path[-1] in self._fields.json else self._new
            channels[path] = self._special(index, path) or usual()
        return channels[path]

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
    if not isinstance(value, int) or isinstance(value, bool):
        raise ChunkError("index")
    return value


def _place(item: Any, position: int) -> int:
    own = item.get("index") if isinstance(item, dict) else None
    return own if isinstance(own, int) else position


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
