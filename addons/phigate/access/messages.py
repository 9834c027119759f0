"""What a caller says on a WebSocket: bytes of a message in, values out, or why it may not be said. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from phigate.access.replies import fault
from phigate.dialect.codecs import repeats
from phigate.dialect.tree import shouts, texts, too_deep

if TYPE_CHECKING:
    from phigate.dialect.table import Dialect
    from phigate.dialect.talk import Talk
    from phigate.exchange import Refusal

MOST_TOLD = 64 * 1024
"""Characters of what was said before that a rule about prompts still looks at."""
MOST_TEXTS = 1024
"""The same in texts."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message: `tree` is all of it, `read` what of it can be read."""

    tree: dict[str, Any]
    read: dict[str, Any]
    readable: bool
    steers: bool
    names: tuple[tuple[str | None, Any], ...]


def read(content: bytes, dialect: Dialect, talk: Talk) -> Said | Refusal:
    """A message of the caller's; one that nobody knows is refused."""
    try:
        tree = orjson.loads(content)
    except ValueError:
        return fault(400, "malformed")
    if not isinstance(tree, dict) or too_deep(tree) or repeats(content, tree):
        return fault(400, "malformed")
    if talk.kind_of(tree) is None:
        return fault(400, "message-unknown")
    if dialect.folds and shouts(tree):
        return fault(400, "malformed")
    if dialect.stored(tree):
        return fault(400, "stored-state")
    return Said(
        tree,
        talk.without_raw(tree),
        readable=not dialect.unreadable(tree),
        steers=bool(dialect.steers(tree)),
        names=tuple(talk.names(tree)),
    )


class Told:
    """What was said on one connection so far, so that a rule about prompts finds what is said in several messages.

    Patterns look at each text, so their number is bounded as well as their length.
    """

    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self._size = 0

    @property
    def size(self) -> int:
        """Characters."""
        return self._size

    def and_(self, said: Said, dialect: Dialect) -> tuple[str, ...]:
        """The texts of a message and of those before it, the oldest forgotten; empty where the message has none."""
        new = tuple(filter(None, texts(said.read, dialect.request)))
        self._texts.extend(new)
        self._size += sum(map(len, new))
        while (self._size > MOST_TOLD or len(self._texts) > MOST_TEXTS) and len(self._texts) > max(len(new), 1):
            self._size -= len(self._texts.popleft())
        return tuple(self._texts) if new else ()
