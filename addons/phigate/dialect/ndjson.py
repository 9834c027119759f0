"""Lines of JSON, read incrementally and written anew: one value a line, at any chunking."""

from __future__ import annotations

from phigate.dialect.sse import MAX_EVENT, Event, EventError


class LineReader:
    """Bytes in, whole lines out; a last line without its end is read, too."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        """A line that has not ended, in the pieces in which it came."""
        self._waiting = 0

    @property
    def held(self) -> int:
        """Bytes of a line that has not ended."""
        return self._waiting

    def feed(self, data: bytes) -> list[Event]:
        """Lines completed by `data`; raises EventError when one is not UTF-8 or grows past `MAX_EVENT`."""
        head, end, tail = data.rpartition(b"\n")
        lines: list[bytes] = []
        if end:  # until a line ends, what came of it is not looked at again
            lines = b"".join([*self._rest, head]).split(b"\n")
            self._rest, self._waiting = [], 0
        self._rest.append(tail)
        self._waiting += len(tail)
        if self._waiting > MAX_EVENT or any(len(line) > MAX_EVENT for line in lines):
            raise EventError("line too large")
        return [Event(_decode(line)) for line in lines if line.strip()]

    def close(self) -> list[Event]:
        """What the end of the stream completes."""
        return self.feed(b"\n") if self._waiting else []


def _decode(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise EventError("not UTF-8") from None


def write(data: bytes, _event: str = "", _own: str = "") -> bytes:
    """One line with `data` (JSON without line breaks)."""
    return data + b"\n"
