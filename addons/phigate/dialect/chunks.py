"""A stream that is text and nothing else: each piece of it is an event of its own, at any chunking."""

from __future__ import annotations

import codecs

import orjson

from phigate.dialect.sse import Event, EventError
from phigate.dialect.tensors import is_text

MEMBER = "text"
"""The member of an event that holds its piece."""


class ChunkReader:
    """Bytes in, pieces of text out; half a sign waits for its other half."""

    held = 0

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, data: bytes, *, final: bool = False) -> list[Event]:
        """The text that `data` completes; raises EventError when it is not UTF-8."""
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError:
            raise EventError("not UTF-8") from None
        if not is_text(text):
            raise EventError("no text")
        return [Event(orjson.dumps({MEMBER: text}).decode())] if text else []

    def close(self) -> list[Event]:
        """What the end of the stream completes."""
        return self.feed(b"", final=True)


def write(data: bytes, _event: str = "", _own: str = "") -> bytes:
    """The piece of an event, given as JSON; raises ValueError where it carries anything else."""
    tree = orjson.loads(data)
    if tree.keys() != {MEMBER}:
        raise EventError("no piece of a text")
    return str(tree[MEMBER]).encode()
