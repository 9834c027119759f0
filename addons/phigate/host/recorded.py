"""What a gateway writes into a flow beside its masked content: who asked for what, and what was decided.

The member `phigate` of a flow's metadata holds the fields of the exchange's records, without their bodies. It is a
claim of whoever made the file: it is believed where a recorded flow is run again with nothing at stake, and read by
nothing in a live gateway. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from phigate.host.flowfile import NoFlow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEY = "phigate"
VERSION = 1
LATEST = 253_402_300_800.0
"""The end of the year 9999, in seconds since the epoch."""
type Made = Literal["live", "journal"]
LEFT_OUT = frozenset({"v", "prev", "kind", "body", "sealed", "identifiers", "revealed", "parts", "client"})
"""Of a record's fields: they stand in the flow itself, or whoever looks at one has no use for them."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a flow says of an exchange.

    `request` and `response` have the fields of the records so named; `time` is in seconds since the epoch, `body` the
    request's masked content, `told` what the caller said on a WebSocket, in order and masked.
    """

    time: float
    request: Mapping[str, Any]
    response: Mapping[str, Any] | None
    body: bytes
    told: tuple[bytes, ...] = ()


def metadata(
    request: Mapping[str, Any], response: Mapping[str, Any] | None, *, made: Made, time: float
) -> dict[str, Any]:
    """What is kept with a flow; `made` says of what."""
    kept = None if response is None else _kept(response)
    return {"v": VERSION, "made": made, "time": time, "request": _kept(request), "response": kept}


def _kept(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in LEFT_OUT}


def recorded(state: Mapping[str, Any]) -> Recorded:
    """What a gateway wrote into this flow; NoFlow `not-recorded` where none did, `metadata` where it is not that."""
    kept = _part(state, "metadata").get(KEY)
    if kept is None or state.get("type") != "http":
        raise NoFlow("not-recorded")
    if not isinstance(kept, dict) or kept.get("v") != VERSION or not _plain(kept):
        raise NoFlow("metadata")
    time, request, response = (kept.get(name) for name in ("time", "request", "response"))
    if not isinstance(request, dict) or not isinstance(response, dict | None) or not isinstance(time, int | float):
        raise NoFlow("metadata")
    if not 0 <= time < LATEST:
        raise NoFlow("metadata")
    body = _part(state, "request").get("content")
    return Recorded(float(time), request, response, body if isinstance(body, bytes) else b"", tuple(_told(state)))


def _told(state: Mapping[str, Any]) -> Iterator[bytes]:
    """The content of what the caller said: a message's state is (kind, from the client, content, ...)."""
    messages = _part(state, "websocket").get("messages")
    for message in messages if isinstance(messages, list) else ():
        match message:
            case [_, True, bytes(content), *_]:
                yield content


def _part(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = state.get(name)
    return part if isinstance(part, dict) else {}


def _plain(value: Any) -> bool:
    """Whether it could stand in a record."""
    if isinstance(value, dict):
        return all(_plain(each) for each in value.values())
    if isinstance(value, list):
        return all(_plain(each) for each in value)
    return value is None or isinstance(value, str | int | float)
