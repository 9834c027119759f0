"""The Cohere dialect (API version 2): chat whole and streamed, embeddings, ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.steering import few, picks
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.dialect.events import Path

NAME = "cohere"

PROSE = frozenset({"text", "texts", "thinking", "tool_plan", "content", "prompt", "query", "message", "error"})
_COUNTS = frozenset({"input_tokens", "output_tokens", "cached_tokens", "total_tokens", "search_units"})

ANSWER = Fields(
    constant=frozenset(
        {"id", "type", "role", "model", "index", "finish_reason", "name", "response_type", "version"}
        | {"start", "end", "content_index", "object"}
    )
    | _COUNTS,
    drop=frozenset({"logprobs", "token_ids", "images", "image", "image_url"}),
    json=frozenset({"arguments"}),
    prose=PROSE,
)
"""Keys of an answer that are not plain text. `logprobs` repeat the text token by token. The places that citations name
(`start`, `end`) are those of the unmasked text."""

REQUEST = Fields(
    constant=frozenset(
        {"id", "type", "role", "model", "name", "tool_call_id", "input_type", "safety_mode", "tool_choice", "truncate"}
        | {"mode"}
    ),
    drop=frozenset(),
    json=frozenset({"arguments"}),
    prose=PROSE,
)

PARTS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text"}),
    "thinking": frozenset({"type", "thinking"}),
    "document": frozenset({"type", "document"}),
}
"""Kinds of content part whose whole content is text, and their members."""
MESSAGE_KEYS = frozenset({"role", "content", "tool_calls", "tool_plan", "tool_call_id", "citations"})
OPAQUE = frozenset({"images", "image", "image_url"})
STORED = frozenset({"conversation_id", "connectors", "dataset_id"})


def error_body(_status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error in the shape that Cohere's clients show: a message; the code stands beside it."""
    return orjson.dumps({"message": message, "code": code, **(extra or {})})


def failure(code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The event that ends a stream which the gateway breaks off: a message that ends with an error."""
    return "message-end", {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": message, "code": code}}


def unreadable(request: Any) -> bool:
    """Whether a request holds content that is no text: images, parts that nobody knows."""
    if not isinstance(request, dict) or not OPAQUE.isdisjoint(request):
        return True
    messages, inputs = request.get("messages"), request.get("inputs")
    if any(each is not None and not isinstance(each, list) for each in (messages, inputs)):
        return True
    return any(_opaque(each, MESSAGE_KEYS) for each in messages or ()) or any(
        _opaque(each, frozenset({"content"})) for each in inputs or ()
    )


def _opaque(holder: Any, members: frozenset[str]) -> bool:
    """Whether what holds content, a message or an input, has any that is no text."""
    if not isinstance(holder, dict) or not holder.keys() <= members:
        return True
    content = holder.get("content")
    if isinstance(content, list):
        return any(map(_opaque_part, content))
    return not (content is None or isinstance(content, str))


def _opaque_part(part: Any) -> bool:
    kind = part.get("type") if isinstance(part, dict) else None
    return not isinstance(kind, str) or kind not in PARTS or not part.keys() <= PARTS[kind]


def stored(request: Any) -> bool:
    """Whether a request speaks of a conversation or data that the server keeps."""
    return isinstance(request, dict) and not STORED.isdisjoint(request)


def steers(request: Any) -> tuple[str, ...]:
    """The members of a request that cut what the model writes into pieces, or leave it certain texts only."""
    if not isinstance(request, dict):
        return ()
    found = ["max_tokens"] if few(request.get("max_tokens")) else []
    found += ["response_format"] if picks(request.get("response_format")) else []
    forced = request.get("strict_tools") or request.get("tool_choice") == "REQUIRED"
    return (*found, "tools") if forced and picks(request.get("tools")) else tuple(found)


_CONTENT = ("message", "content")
_CALL = ("message", "tool_calls", "function", "arguments")
_WHERE: Mapping[Path, Path] = {
    (*_CONTENT, "text"): (*_CONTENT, "index", "text"),
    (*_CONTENT, "thinking"): (*_CONTENT, "index", "thinking"),
    _CALL: ("message", "tool_calls", "index", "function", "arguments"),
}
"""Where a whole answer has the texts that events have by their own `index`."""


_PIECES = frozenset({"text", "thinking", "arguments", "tool_plan"})


def _rest(kind: str, place: Path) -> tuple[str, Mapping[str, Any], Path]:
    return kind, {}, ("delta", *place)


def _event(channel: str, **more: Any) -> Event:
    return Event(whose=("index",), channel=channel, under="delta", ways=_WHERE, texts=_PIECES, **more)


STREAM = Stream(
    "text/event-stream",
    {
        "message-start": Event(whole=True, bare=("delta", "message", "content")),
        "content-start": _event(
            "content",
            begins={(*_CONTENT, key): _rest("content-delta", (*_CONTENT, key)) for key in ("text", "thinking")},
        ),
        "content-delta": _event("content"),
        "content-end": _event("content", whole=True, ends="own"),
        "tool-plan-delta": Event(channel="plan", under="delta", texts=_PIECES),
        "tool-call-start": _event("call", begins={_CALL: _rest("tool-call-delta", _CALL)}),
        "tool-call-delta": _event("call"),
        "tool-call-end": _event("call", whole=True, ends="own"),
        "citation-start": Event(whole=True),
        "citation-end": Event(whole=True),
        "message-end": Event(whole=True, ends="all"),
        "debug": Event(whole=True),
    },
    failure,
    kind="type",
    named=True,
    done="[DONE]",
)

ROUTES = (
    Route("cohere-chat", "POST", "/v2/chat", "chat", NAME, stream=STREAM),
    Route("cohere-embed", "POST", "/v2/embed", "embed", NAME),
    Route("cohere-rerank", "POST", "/v2/rerank", "rank", NAME),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=error_body,
    unreadable=unreadable,
    stored=stored,
    steers=steers,
    usage=(("usage", "tokens", "input_tokens"), ("usage", "tokens", "output_tokens")),
    frames=("delta",),
    folds=True,
)
