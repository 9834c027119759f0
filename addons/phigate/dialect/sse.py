"""Server-sent events, read incrementally and written anew (WHATWG HTML, 9.2.6).

Lines end with LF, CR LF or CR, code points and events may be split anywhere, `data:` may repeat, comments are
dropped (they may carry text; the empty one we send keeps the connection alive just as well). An event that the
stream's end cuts off is not dispatched by browsers, but servers forget the last blank line: it is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BREAK = re.compile(rb"[\r\n]")
MAX_EVENT = 4 * 1024 * 1024
"""Bytes that one event may hold; more is not a token stream."""


class EventError(ValueError):
    """The stream is not readable as events; never carries any of its bytes."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: `data` joined with newlines, or a keep-alive comment (`data` None)."""

    data: str | None
    event: str = ""
    id: str = ""


class EventReader:
    """Bytes in, whole events out, at any chunking."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        """A line that has not ended, in the pieces in which it came."""
        self._data: list[str] = []
        self._event = self._id = ""
        self._waiting = self._size = 0

    @property
    def held(self) -> int:
        """Bytes of an event that is not whole."""
        return self._waiting + self._size

    def feed(self, data: bytes) -> list[Event]:
        """Events completed by `data`; raises EventError when it is not UTF-8 or an event grows past `MAX_EVENT`."""
        if not data:
            return []
        half = bool(self._rest) and self._rest[-1].endswith(b"\r")
        if not half and _BREAK.search(data) is None:  # what came before is not looked at again
            self._wait(data)
            return []
        buffer, self._rest, self._waiting = b"".join([*self._rest, data]), [], 0
        held = b""
        if buffer.endswith(b"\r"):  # perhaps the first half of CR LF
            buffer, held = buffer[:-1], b"\r"
        if b"\r" in buffer:
            buffer = buffer.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = buffer.split(b"\n")
        if rest or held:
            self._wait(rest + held)
        return [event for line in lines if (event := self._line(line)) is not None]

    def _wait(self, piece: bytes) -> None:
        self._rest.append(piece)
        self._waiting += len(piece)
        if self._waiting + self._size > MAX_EVENT:
            raise EventError("event too large")

    def close(self) -> list[Event]:
        """What the end of the stream completes."""
        found = self.feed(b"\n\n" if self._rest else b"\n")
        return [event for event in found if event.data is not None]

    def _line(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        if line.startswith(b":"):
            return Event(None)
        self._size += len(line)
        if self._size > MAX_EVENT:
            raise EventError("event too large")
        name, _, value = _decode(line).partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id":
            self._id = value
        return None

    def _dispatch(self) -> Event | None:
        data, event, own = self._data, self._event, self._id
        self._data, self._event, self._id, self._size = [], "", "", 0
        return Event("\n".join(data), event, own) if data else None


def _decode(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise EventError("not UTF-8") from None


KEEP_ALIVE = b":\n\n"


_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,128}\Z")


def write(data: bytes, event: str = "", own: str = "") -> bytes:
    """One event with `data` (JSON without line breaks), under its name and with its id where they are plain words."""
    name = b"event: " + event.encode() + b"\n" if _WORD.match(event) else b""
    number = b"id: " + own.encode() + b"\n" if _WORD.match(own) else b""
    return name + number + b"data: " + data + b"\n\n"
