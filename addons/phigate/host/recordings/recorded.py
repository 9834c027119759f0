"""What a gateway writes into a flow beside its masked content: who asked for what, and what was decided.

The member `phigate` of a flow's metadata holds the fields of the exchange's records, without their bodies. It is a
claim of whoever made the file: it is believed where a recorded flow is run again with nothing at stake, and read by
nothing in a live gateway. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from phigate.host.recordings.flowfile import NoFlow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

KEY = "phigate"
VERSION = 1
LATEST = 253_402_300_800.0
"""The end of the year 9999, in seconds since the epoch."""
type Made = Literal["live", "journal", "unsealed"]
"""A shadow, the masked bodies of a journal, or the originals that were sealed in it."""
LEFT_OUT = frozenset({"v", "prev", "kind", "file", "body", "sealed", "identifiers", "parts", "client"})
"""Of a record's fields: they stand in the flow itself, or whoever looks at one has no use for them."""

OF_MESSAGES = ("from", "refused", "findings", "revealed")
"""What is kept of a message's record."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a flow says of an exchange.

    `request` and `response` have the fields of the records so named; `time` is in seconds since the epoch, `body` the
    request's masked content.
    """

    time: float
    request: Mapping[str, Any]
    response: Mapping[str, Any] | None
    body: bytes
    masked: bool = True
    messages: tuple[tuple[Mapping[str, Any], bytes], ...] = ()
    """Of a WebSocket, in order: a message's record, and its masked content."""


def metadata(
    request: Mapping[str, Any] | None,
    response: Mapping[str, Any] | None,
    messages: Iterable[Mapping[str, Any]] = (),
    *,
    made: Made,
    time: float,
) -> dict[str, Any]:
    """What is kept with a flow; `made` says of what. No `request`: whoever asked was not believed.

    `messages` are the records of what is said on a WebSocket, one for each message that the flow has.
    """
    said = [_kept({name: each.get(name) for name in OF_MESSAGES}) for each in messages]
    kept = {"request": _kept(request), "response": _kept(response), "messages": said}
    return {"v": VERSION, "made": made, "time": time, **kept}


def _kept(record: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A record's fields; of the identifiers that were shown as they were, the kinds."""
    if record is None:
        return None
    kept = {name: value for name, value in record.items() if name not in LEFT_OUT}
    if isinstance(shown := record.get("revealed"), list):
        kept["revealed"] = sorted({str(each).partition(":")[0] for each in shown})
    return kept


def recorded(state: Mapping[str, Any]) -> Recorded:
    """What a gateway wrote into this flow.

    Raises NoFlow: `not-recorded` where none did, `nobody` where nobody was believed, `metadata` where it is neither.
    """
    kept = _part(state, "metadata").get(KEY)
    if kept is None or state.get("type") != "http":
        raise NoFlow("not-recorded")
    if not isinstance(kept, dict) or kept.get("v") != VERSION or not _plain(kept):
        raise NoFlow("metadata")
    time, request, response = (kept.get(name) for name in ("time", "request", "response"))
    said = kept.get("messages", [])
    if request is None and response is None:
        raise NoFlow("nobody")
    if not isinstance(request, dict) or not isinstance(response, dict | None) or not isinstance(time, int | float):
        raise NoFlow("metadata")
    if not 0 <= time < LATEST or not isinstance(said, list) or not all(isinstance(each, dict) for each in said):
        raise NoFlow("metadata")
    body = _part(state, "request").get("content")
    return Recorded(
        float(time),
        request,
        response,
        body if isinstance(body, bytes) else b"",
        kept.get("made") != "unsealed",
        tuple(_said(state, said)),
    )


def _said(state: Mapping[str, Any], kept: list[dict[str, Any]]) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    """The messages that have a record; a message's state is (kind, from the client, content, ...)."""
    messages = _part(state, "websocket").get("messages")
    for record, message in zip(kept, messages if isinstance(messages, list) else (), strict=False):
        match message:
            case [_, bool(), bytes(content), *_]:
                yield record, content


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
