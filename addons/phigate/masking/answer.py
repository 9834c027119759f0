"""A model's answer, masked for the caller and for bystanders: whole, in a stream, or an error.

Pure: bytes and trees in, bytes and trees out; what they look like is the dialect's.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.events import Events
from phigate.dialect.framing import FRAMINGS
from phigate.dialect.tree import NAME, plain
from phigate.masking.sight import HeldChannel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phigate.dialect.codecs import Codec, Head
    from phigate.dialect.events import Path, Stream
    from phigate.dialect.table import Dialect
    from phigate.dialect.tree import Fields
    from phigate.masking.sight import Sight

REFUSED = "The model server refused the request."
_LONGEST = 4000
"""Characters of an error message that are passed on; a longer one is an echo of the prompt."""


def whole(
    body: bytes, sight: Sight, dialect: Dialect, codec: Codec, head: dict[bytes, bytes], *, opaque: bool = False
) -> tuple[bytes, Head, Any, dict[str, int]]:
    """A whole answer: (bytes for the caller, fields of their head, tree for bystanders, usage).

    Raises ValueError when it is unreadable. `opaque` lets pass what the dialect says cannot be read.
    """
    tree = codec.read(body, head)
    if not isinstance(tree, dict | str) and not (dialect.lists and isinstance(tree, list | int | float)):
        raise ValueError("not an object")
    if not opaque and dialect.unclear(tree):
        raise ValueError("content that cannot be read")
    caller, shown = sight.both(tree, dialect.answer)
    return *codec.write(caller), shown, dialect.used(tree)


class MaskedStream:
    """Bytes of a stream of events in, masked bytes out, at any chunking; raises ValueError when it cannot be read.

    `shown` collects the text for bystanders since it was last taken. `opaque` lets pass what the dialect says cannot be
    read, `tells` gives the id of an event as the client is told it.
    """

    def __init__(
        self, sight: Sight, dialect: Dialect, stream: Stream, *, opaque: bool = False, tells: Callable[[str], str] = str
    ) -> None:
        self._sight, self._dialect, self._stream = sight, dialect, stream
        self._shown: list[str] = []
        self._framing, self._unread = FRAMINGS[stream.media], opaque
        self._reader = self._framing.reader()
        channel = partial(sight.channel, self._shown)
        self._events = Events(
            *(stream, dialect.answer, channel, self._twice, sight.for_caller, self._named, self._said), opaque=opaque
        )
        self._id, self._tells = "", tells
        self.usage: dict[str, int] = {}
        self.ended = False

    @property
    def held(self) -> int:
        """Bytes, about, of what came and has not been read."""
        return self._reader.held + self._events.held

    def feed(self, data: bytes) -> bytes:
        return b"".join(self._event(event.data, event.id) for event in self._reader.feed(data))

    def finish(self) -> bytes:
        """What the end of the upstream's body releases."""
        out = b"".join(self._event(event.data, event.id) for event in self._reader.close())
        return out + self._send(self._events.close())

    def take_shown(self) -> str:
        text = "".join(self._shown)
        self._shown.clear()
        return text

    def _named(self, way: Path) -> HeldChannel | None:
        """The channel of a text that the policy's `fields` are about: they speak of whole answers."""
        paths = self._sight.paths
        if not paths or not paths.speaks_of(*way):
            return None
        return HeldChannel(self._sight, self._shown, way, self._dialect.answer)

    def _said(self, way: Path, value: Any) -> tuple[Any] | None:
        """What the policy's `fields` make of a value that is no piece of a text."""
        paths = self._sight.paths
        if value is None or not paths or not (paths.speaks_of if _holds(value) else paths.treats)(*way):
            return None
        caller, shown = self._sight.standing(way, value, self._dialect.answer)
        self._show(shown)
        return (caller,)

    def _twice(self, make: Callable[[Callable[[str], str]], Any]) -> Any:
        """What is made for the caller; what is made for bystanders is put aside."""
        caller, shown = make(self._sight.for_caller), make(self._sight.for_bystanders)
        self._show(shown)
        return caller

    def _show(self, shown: Any) -> None:
        if isinstance(shown, str):
            self._shown.append(shown)
            self._sight.told.add(shown)
        elif isinstance(shown, dict | list):
            new = [text for text in _strings(shown, self._dialect.answer) if text not in self._sight.told]
            self._shown += new
            self._sight.told.update(new)

    def _event(self, data: str | None, own: str) -> bytes:
        if data is None:
            return b"" if self.ended else self._framing.keep_alive
        if self.ended:
            return b""
        if not data:  # an event that only tells its id, from which a client may go on later
            return self._framing.write(b"", "", self._place(own)) if own else self._framing.keep_alive
        if self._stream.done and data.strip() == self._stream.done:
            self.ended = True
            return self._send(self._events.close()) + self._framing.write(self._stream.done.encode(), "", "")
        self._id = self._place(own) if own else self._id
        event = orjson.loads(data)
        if not self._unread and self._dialect.unclear(event):
            raise ValueError("content that cannot be read")
        out = self._send(self._events.feed(event))
        self.usage |= self._dialect.used(event)
        return out

    def _place(self, own: str) -> str:
        """An event's id as a client is told it."""
        form = self._stream.ids
        return self._tells(own if form and form.fullmatch(own) else self._sight.for_caller(own))

    def _send(self, events: list[tuple[str, dict[str, Any]]]) -> bytes:
        out = [
            self._framing.write(
                orjson.dumps(event), kind if self._stream.named else "", self._id if at == len(events) else ""
            )
            for at, (kind, event) in enumerate(events, 1)
        ]
        if events:
            self._id = ""
        return b"".join(out)


def _strings(node: Any, fields: Fields) -> Iterator[str]:
    """The texts of a tree that is masked already, and the names in it that are no protocol's."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _strings(item, fields)
    elif isinstance(node, dict):
        for key, value in node.items():
            if not NAME.match(key):
                yield key
            if not (key in fields.constant and plain(value)):
                yield from _strings(value, fields)


def _holds(value: Any) -> bool:
    """Whether something may stand in a value, of which the policy's `fields` speak."""
    return isinstance(value, dict | list) or (isinstance(value, str) and value.lstrip()[:1] in {"{", "["})


def broken_off(stream: Stream, code: str, message: str) -> bytes:
    """What ends a stream that the gateway breaks off, in the dialect's form."""
    kind, event = stream.failure(code, message)
    return FRAMINGS[stream.media].write(orjson.dumps(event), kind, "")


def failure(body: bytes, status: int, sight: Sight, dialect: Dialect) -> tuple[bytes, Any]:
    """An upstream's error (they echo prompts) in the dialect's shape: its message masked, everything else ours."""
    try:
        tree = orjson.loads(body)
    except ValueError:
        tree = None
    found = tree.get("error", tree) if isinstance(tree, dict) else None
    message = found if isinstance(found, str) else found.get("message") if isinstance(found, dict) else None
    text = message if isinstance(message, str) and len(message) <= _LONGEST else REFUSED  # cut, it could hide an edge
    caller, shown = sight.text(text)
    return dialect.error(status, "upstream-refused", caller, None), {"error": {"message": shown}}
