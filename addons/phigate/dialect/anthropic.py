"""The Anthropic dialect (Messages API, 2023-06-01): blocks of content, whole or told in pieces block by block."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.steering import few, picks
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "anthropic"

PROSE = frozenset({"text", "thinking", "content", "system", "message", "cited_text", "stdout", "stderr", "explanation"})
_COUNTS = frozenset(
    {"input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "thinking_tokens"}
    | {"ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"}
)

ANSWER = Fields(
    constant=frozenset(
        {"type", "id", "role", "model", "index", "stop_reason", "name", "tool_name", "tool_use_id", "service_tier"}
        | {"error_code", "media_type", "file_type", "category"}
    )
    | _COUNTS,
    drop=frozenset({"logprobs", "token_ids"}),
    json=frozenset({"input", "partial_json"}),
    prose=PROSE,
    blank={
        **dict.fromkeys(("signature", "data", "encrypted_content", "encrypted_index", "encrypted_stdout"), ""),
        "stop_sequence": None,
    },
)
"""Keys of an answer that are not plain text.

A signature is about the unmasked text and would not fit the masked one; clients insist on the member, so it is empty.
`data` is encrypted or binary. `stop_sequence` is a piece of what the model wrote, of a length that the caller chose:
digit by digit, it would spell an identifier out; `stop_reason` still tells that there was one.
"""

REQUEST = Fields(
    constant=frozenset(
        {"type", "id", "role", "model", "name", "tool_name", "tool_use_id", "service_tier", "media_type", "ttl"}
    ),
    drop=frozenset(),
    json=frozenset({"input"}),
    prose=PROSE,
)

BLOCKS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text", "citations"}),
    "thinking": frozenset({"thinking", "signature"}),
    "tool_use": frozenset({"id", "name", "input", "caller"}),
    "server_tool_use": frozenset({"id", "name", "input", "caller"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error"}),
    "tool_reference": frozenset({"tool_name"}),
    "search_result": frozenset({"source", "title", "content", "citations"}),
    "document": frozenset({"source", "title", "context", "citations"}),
}
"""Kinds of block whose whole content is text, and the members that they may have beside `type` and `cache_control`."""
SOURCES = frozenset({"text", "content"})
"""Kinds of a document's source that are text; others are bytes, addresses or files that the server keeps."""
MESSAGE_KEYS = frozenset({"role", "content"})
_ALWAYS = frozenset({"type", "cache_control"})
OPAQUE = frozenset({"mcp_servers", "images", "prompt_embeds"})
TOOLS = re.compile(r"custom|(?:bash|computer|memory|text_editor)_[0-9]{8}")
"""Kinds of tool that the caller runs. Of others (searches, code, other servers) the server asks somebody, and what it
says to them nobody here sees."""
STORED = frozenset({"container", "diagnostics", "previous_message_id"})

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def error_body(status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error in the shape that Anthropic's clients show: `type`, `message`; the code stands beside them."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message, "code": code, **(extra or {})}})


def failure(code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The event that ends a stream which the gateway breaks off."""
    return "error", {"type": "error", "error": {"type": "api_error", "message": message, "code": code}}


def unreadable(request: Any) -> bool:
    """Whether a request holds blocks that are no text (images, files, encrypted content, kinds that nobody knows), or
    tools that the server runs.
    """
    if not isinstance(request, dict) or not OPAQUE.isdisjoint(request) or _asks_others(request.get("tools")):
        return True
    messages = request.get("messages")
    if not isinstance(messages, list):
        return messages is not None
    return _opaque_content(request.get("system")) or any(map(_opaque_message, messages))


def _asks_others(tools: Any) -> bool:
    """Whether a request has tools of a kind that is not known to be the caller's."""
    if not isinstance(tools, list):
        return tools is not None
    kinds = (tool.get("type") or "custom" if isinstance(tool, dict) else None for tool in tools)
    return any(not isinstance(kind, str) or not TOOLS.fullmatch(kind) for kind in kinds)


def _opaque_message(message: Any) -> bool:
    return (
        not isinstance(message, dict) or not message.keys() <= MESSAGE_KEYS or _opaque_content(message.get("content"))
    )


def _opaque_content(content: Any) -> bool:
    if isinstance(content, list):
        return any(map(_opaque_block, content))
    return not (content is None or isinstance(content, str))


def _opaque_block(block: Any) -> bool:
    if not isinstance(block, dict):
        return True
    kind = block.get("type")
    if not isinstance(kind, str) or kind not in BLOCKS or not block.keys() <= BLOCKS[kind] | _ALWAYS:
        return True
    if kind == "document":
        source = block.get("source")
        if not isinstance(source, dict) or not one_of(source.get("type"), SOURCES):
            return True
        return not isinstance(source.get("data", ""), str) or _opaque_content(source.get("content"))
    return kind in {"tool_result", "search_result"} and _opaque_content(block.get("content"))


def stored(request: Any) -> bool:
    """Whether a request speaks of a container, an earlier message or a file that the server keeps."""
    return isinstance(request, dict) and (not STORED.isdisjoint(request) or _names_file(request.get("messages")))


def _names_file(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_names_file, node))
    if not isinstance(node, dict):
        return False
    return "file_id" in node or any(_names_file(value) for key, value in node.items() if key != "input")


def steers(request: Any) -> tuple[str, ...]:
    """The members of a request that cut what the model writes into pieces, or leave it certain texts only."""
    if not isinstance(request, dict):
        return ()
    found = ["max_tokens"] if few(request.get("max_tokens")) else []
    found += [key for key in ("output_config", "output_format") if picks(request.get(key))]
    choice, tools = request.get("tool_choice"), request.get("tools")
    forced = isinstance(choice, dict) and one_of(choice.get("type"), {"any", "tool"})
    bound = (
        [tool for tool in tools if isinstance(tool, dict) and (forced or tool.get("strict"))]
        if isinstance(tools, list)
        else []
    )
    found += ["tools"] if any(picks(tool.get("input_schema")) for tool in bound) else []
    return tuple(found)


_PIECES = frozenset({"text", "thinking", "partial_json"})


def _rest(kind: str, key: str) -> tuple[str, Mapping[str, Any], tuple[str, str]]:
    return "content_block_delta", {"delta": {"type": kind}}, ("delta", key)


STREAM = Stream(
    "text/event-stream",
    {
        "message_start": Event(whole=True, bare=("message", "content")),
        "content_block_start": Event(
            whose=("index",),
            under="content_block",
            told=frozenset({"content", "source", "citations"}),
            at=("content", "index"),
            texts=_PIECES,
            begins={("text",): _rest("text_delta", "text"), ("thinking",): _rest("thinking_delta", "thinking")},
        ),
        "content_block_delta": Event(
            whose=("index",),
            under="delta",
            told=frozenset({"citation"}),
            texts=_PIECES,
            at=("content", "index"),
            ways={("partial_json",): ("input",), ("citation",): ("citations", 0)},
        ),
        "content_block_stop": Event(whose=("index",), whole=True, ends="own"),
        "message_delta": Event(whole=True, ends="all"),
        "message_stop": Event(whole=True, ends="all"),
        "ping": Event(),
        "error": Event(fails=True),
    },
    failure,
    kind="type",
    named=True,
)

ROUTES = tuple(
    Route(name + mark, "POST", path + query, "chat", NAME, stream=stream)
    for mark, query in (("", ""), ("-beta", "?beta=true"))
    for name, path, stream in (
        ("anthropic-messages", "/v1/messages", STREAM),
        ("anthropic-count-tokens", "/v1/messages/count_tokens", None),
    )
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
    usage=(("usage", "input_tokens"), ("usage", "output_tokens")),
    folds=True,
    frames=("message",),
    credential=b"x-api-key",
    head=((b"anthropic-version", b"2023-06-01"),),
)
