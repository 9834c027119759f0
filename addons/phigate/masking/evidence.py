"""What a source of evidence is: it reads one text, whole or growing, and says where an identifier stands.

Rules of this file: offsets are characters of the text as it is read (writing.py), counted from its first; a reader
gives the same hits however the text was cut into pieces; what it has not settled stays bounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

ENCODING = ("utf-8", "surrogatepass")
"""Half a surrogate pair may arrive (JSON escapes split over two chunks) and must leave as it came."""


class Hit(NamedTuple):
    """One identifier as one source sees it, [begin, end); `score` is how sure the source is, 0 to 1."""

    begin: int
    end: int
    entity: str
    detector: str
    score: float


class Reader(Protocol):
    """One source's view of one text that may still be growing."""

    settled: int
    """Every hit that begins before this place has been given."""

    def feed(self, text: str) -> list[Hit]:
        """More of the text: the hits that are certain now, in order of their begin, none over another."""

    def close(self) -> list[Hit]:
        """The text has ended: the hits that were still open."""


class Source(Protocol):
    """Where evidence comes from: patterns, the roster, the tagger. Immutable, and shared by all exchanges."""

    name: str

    def reader(self) -> Reader:
        """A new view, for one text."""

    def hits(self, text: str) -> list[Hit]:
        """What a reader gives in all for a whole text."""


BLOCK = 16 * 1024
"""Characters that are read in one step, so that whoever waits for this thread's turn does not wait long."""


def blocks(text: str) -> Iterator[str]:
    """A text in steps."""
    return (text[at : at + BLOCK] for at in range(0, len(text), BLOCK)) if len(text) > BLOCK else iter((text,))


class Closing(Reader, Protocol):
    """A reader that need not look at how a text may go on where it is known to end."""

    def close_after(self, text: str) -> list[Hit]:
        """What `feed` and `close` give together."""


def read_whole(reader: Closing, text: str) -> list[Hit]:
    """A source's `hits`, by its reader."""
    *before, last = blocks(text)
    return [*(hit for block in before for hit in reader.feed(block)), *reader.close_after(last)]


def read_through(source: Source, text: str) -> list[Hit]:
    """The same by any reader."""
    reader = source.reader()
    return [*(hit for block in blocks(text) for hit in reader.feed(block)), *reader.close()]
