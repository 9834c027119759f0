"""The forms in which streams of events travel, by media type: how they are cut into events and written anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from phigate.dialect import chunks, ndjson, sse

if TYPE_CHECKING:
    from collections.abc import Callable


class Reader(Protocol):
    """Bytes in, whole events out, at any chunking; raises EventError."""

    @property
    def held(self) -> int:
        """Bytes, about, of an event that is not whole."""

    def feed(self, data: bytes) -> list[sse.Event]: ...
    def close(self) -> list[sse.Event]: ...


@dataclass(frozen=True, slots=True)
class Framing:
    """`write` makes the bytes of an event from its JSON, its name and its id; `keep_alive` is sent for a comment."""

    reader: Callable[[], Reader]
    write: Callable[[bytes, str, str], bytes]
    keep_alive: bytes


def content_type(media: str) -> str:
    """What is said of a body of a stream: text says its charset, all else has none but UTF-8."""
    return f"{media}; charset=utf-8" if media == "text/plain" else media


class MessageReader:
    """Messages that come one by one (WebSocket): each is an event."""

    held = 0

    def feed(self, data: bytes) -> list[sse.Event]:
        try:
            return [sse.Event(data.decode().rstrip("\n"))]
        except UnicodeDecodeError:
            raise sse.EventError("not UTF-8") from None

    def close(self) -> list[sse.Event]:
        return []


FRAMINGS = {
    "text/event-stream": Framing(sse.EventReader, sse.write, sse.KEEP_ALIVE),
    "application/x-ndjson": Framing(ndjson.LineReader, ndjson.write, b""),
    "text/plain": Framing(chunks.ChunkReader, chunks.write, b""),
    "websocket": Framing(MessageReader, ndjson.write, b""),
}
