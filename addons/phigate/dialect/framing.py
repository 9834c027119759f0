"""The forms in which streams of events travel, by media type: how they are cut into events and written anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from phigate.dialect import ndjson, sse

if TYPE_CHECKING:
    from collections.abc import Callable


class Reader(Protocol):
    """Bytes in, whole events out, at any chunking; raises EventError."""

    def feed(self, data: bytes) -> list[sse.Event]: ...
    def close(self) -> list[sse.Event]: ...


@dataclass(frozen=True, slots=True)
class Framing:
    """`write` makes the bytes of an event from its JSON, its name and its id; `keep_alive` is sent for a comment."""

    reader: Callable[[], Reader]
    write: Callable[[bytes, str, str], bytes]
    keep_alive: bytes


FRAMINGS = {
    "text/event-stream": Framing(sse.EventReader, sse.write, sse.KEEP_ALIVE),
    "application/x-ndjson": Framing(ndjson.LineReader, ndjson.write, b""),
}
