"""Texts that arrive in pieces, of which nothing goes out before they are whole, or which grow from event to event."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from phigate.dialect.tree import embedded, labelled

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_HELD = 1024 * 1024
"""Characters of a text of which nothing goes out before it is whole."""

type Render = Callable[[str], str]
type Twice = Callable[[Callable[[Render], Any]], Any]


class ChunkError(ValueError):
    """An event is not what the dialect says; carries nothing of it."""


class Channel(Protocol):
    """One text that arrives in pieces."""

    def feed(self, text: str) -> str: ...
    def close(self) -> str: ...


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


class Growing:
    """A text that is told anew and longer in each event; what was given out of it never changes.

    Servers of one protocol differ in this: pieces that do not start with what was said before are taken as pieces.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._said = self._given = ""
        self._events = 0

    def feed(self, text: str) -> str:
        self._events += 1
        if not text.startswith(self._said):
            raise ChunkError("a text that changes")
        self._given += self._channel.feed(text[len(self._said) :])
        self._said = text
        return self._given

    def close(self) -> str:
        self._given += self._channel.close()
        return self._given
