"""Texts that arrive in pieces, of which nothing goes out before they are whole, or which grow from event to event."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from phigate.dialect.tree import embedded, labelled

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_HELD = 256 * 1024
"""Characters of a text of which nothing goes out before it is whole."""
HALF = "\ufffd"
"""What a decoder puts for half a sign."""
GROWN = 3
"""Events of one text, each longer than that before and beginning with all of it, that are no chance."""

type Render = Callable[[str], str]
type Twice = Callable[[Callable[[Render], Any]], Any]


class ChunkError(ValueError):
    """An event is not what the dialect says; carries nothing of it."""


class Channel(Protocol):
    """One text that arrives in pieces."""

    @property
    def held(self) -> int:
        """Characters, about, that are held back and read once more has come."""

    def feed(self, text: str) -> str: ...
    def close(self) -> str: ...


class Held(ABC):
    """A channel of which nothing goes out before it is whole; raises ChunkError when it is longer than anyone waits."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0

    @property
    def held(self) -> int:
        return self._size

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

    Raises ChunkError when what was said changes.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._said = self._given = ""

    @property
    def held(self) -> int:
        return self._channel.held

    def feed(self, text: str) -> str:
        if not text.startswith(self._said):
            raise ChunkError("a text that changes")
        self._given += self._channel.feed(text[len(self._said) :])
        self._said = text
        return self._given

    def close(self) -> str:
        self._given += self._channel.close()
        return self._given


class Either:
    """A text that arrives in pieces or grows from event to event: servers of one protocol do the one or the other.

    What does not begin with all that was said before is a piece, and so is all that follows. What begins so three
    times, longer each time, grows, and breaks the stream off when it no longer does. In between nothing goes out, so
    that the first pieces are read together whatever they turn out to be; a text that ends undecided is taken to grow.
    A server's decoder marks half a sign with U+FFFD at the end and mends it with the next event: it is not compared.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._pieces = False
        self._grown: Growing | None = None
        self._said: list[str] = []
        """What came, while both are possible; afterwards the last of a text that grows."""
        self._steps = self._size = 0

    @property
    def held(self) -> int:
        return self._channel.held + (0 if self._pieces or self._grown else self._size)

    @property
    def grows(self) -> bool:
        return self._grown is not None

    def feed(self, text: str) -> str:
        if self._pieces:
            return self._channel.feed(text)
        if self._grown:
            self._said = [text]
            return self._grown.feed(text.rstrip(HALF))
        before = self._said[-1].rstrip(HALF) if self._said else ""
        self._said.append(text)
        if not text.startswith(before):
            self._pieces, said, self._said = True, self._said, []
            return "".join(map(self._channel.feed, said))
        return self._wait(text, len(before))

    def _wait(self, text: str, before: int) -> str:
        self._size += len(text)
        if self._size > MOST_HELD:
            raise ChunkError("too long to be held")
        self._steps += len(text.rstrip(HALF)) > before
        if self._steps < GROWN:
            return ""
        self._grown, self._said = Growing(self._channel), [text]
        return self._grown.feed(text.rstrip(HALF))

    def close(self) -> str:
        last = self._said[-1:]
        if self._grown:
            self._grown.feed(*last)
            return self._grown.close()
        return "".join(map(self._channel.feed, last)) + self._channel.close()
