"""What a caller may say on a WebSocket: which kinds of messages, what is in them, which models they name. A table."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def _none(_message: Any) -> Iterable[tuple[str | None, Any]]:
    return ()


@dataclass(frozen=True, slots=True)
class Talk:
    """The caller's side of a protocol on a WebSocket (RFC 6455), whose messages are JSON objects.

    `kind` is the member that names a message's kind; a kind that is not in `says` is refused. `raw` are, by kind, the
    members that cannot be read (audio): a message with one is refused unless the rule permits what is opaque, and its
    member is neither looked at nor kept. `names` tells which models a message names, each with the action that it is
    named for (None: the connection's own). `protocols` are the subprotocols that may be asked for.
    """

    says: frozenset[str]
    kind: str = "type"
    raw: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    names: Callable[[Any], Iterable[tuple[str | None, Any]]] = _none
    protocols: tuple[str, ...] = ()

    def kind_of(self, message: dict[str, Any]) -> str | None:
        """The kind of a message that may be said; None of any other."""
        kind = message.get(self.kind)
        return kind if isinstance(kind, str) and kind in self.says else None

    def without_raw(self, message: dict[str, Any]) -> dict[str, Any]:
        """What of a message is read."""
        raw = self.raw.get(message[self.kind], frozenset())
        return {key: value for key, value in message.items() if key not in raw} if raw else message
