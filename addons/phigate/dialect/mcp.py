"""The Model Context Protocol over streamable HTTP (2025-03-26 to 2026-07-28): JSON-RPC messages, each of them whole.

A request's answer comes as JSON or as a stream, as the server likes; what the server says of its own accord, requests
to the client among it, comes on a stream that a GET opens and that has no end. The older transport with an event that
names an address (2024-11-05) is not spoken: its address is a credential, and stands in every log.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.codecs import NOTHING
from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.table import Dialect
from phigate.dialect.tree import TIME, Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "mcp"
PATH = "/mcp"

VERSION = re.compile(r"2024-11-05|2025-03-26|2025-06-18|2025-11-25|2026-07-28")
"""The protocol's versions: dates, which the two sides compare letter by letter."""
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:[_-][0-9a-z]{1,16}){0,2}")
"""A UUID (RFC 9562), perhaps with a counter: what clients and servers call their messages."""
_META = "io.modelcontextprotocol/"

FIELDS = Fields(
    constant=frozenset(
        {"jsonrpc", "id", "method", "type", "role", "name", "mimeType", "code", "format", "mode", "action", "status"}
        | {"progressToken", "requestId", "taskId", "toolUseId", "cursor", "nextCursor", "resultType", "level", "theme"}
        | {"capabilities", "clientInfo", "serverInfo", "inputSchema", "annotations", "properties"}
        | {"requestedSchema", "requestState", "inputRequests", "inputResponses", "uriTemplate", "resourceTemplates"}
        | {_META + key for key in ("clientInfo", "serverInfo", "clientCapabilities", "subscriptionId", "logLevel")}
    ),
    drop=frozenset({"outputSchema"}),
    json=frozenset({"arguments", "structuredContent", "data"}),
    prose=frozenset({"text", "content", "description", "instructions", "message", "systemPrompt"}),
    forms={
        **dict.fromkeys(("protocolVersion", "supportedVersions", "supported", _META + "protocolVersion"), VERSION),
        **dict.fromkeys(("lastModified", "createdAt", "lastUpdatedAt"), TIME),
        **dict.fromkeys(("id", "progressToken", "requestId", "taskId"), ID),
        "$schema": re.compile(r"https?://json-schema\.org/[a-z0-9/-]{1,40}/schema#?"),
    },
)
"""Keys of a message that are not plain text, the same both ways. Any JSON may stand in arguments, structured content
and the data of logs and errors. What a tool's results look like (`outputSchema`) is true of the unmasked ones: a client
would refuse the others, in which a number may have become a word."""

BYTES = frozenset({"image", "audio"})
"""Kinds of content whose `data` is no text."""

_FAILED = -32000
"""JSON-RPC 2.0, 5.1: an error of the server's own."""
_SAFE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def _error(code: str, message: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": _FAILED, "message": message, "data": {"reason": code, **(extra or {})}},
    }


def error_body(_status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error in the shape that MCP clients raise: JSON-RPC's, without the id of a request that was not read."""
    return orjson.dumps(_error(code, message, extra))


def failure(code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The message that ends a stream which the gateway breaks off: clients take it for the answer they wait for."""
    return "", _error(code, message)


def opaque(message: Any) -> bool:
    """Whether a message holds content that is no text, at any depth: images, sound, resources in bytes."""
    if isinstance(message, list):
        return any(map(opaque, message))
    if not isinstance(message, dict):
        return False
    kind = message.get("type")
    data = isinstance(kind, str) and kind in BYTES and "data" in message
    return data or isinstance(message.get("blob"), str) or any(map(opaque, message.values()))


def stored(request: Any) -> bool:
    """Whether a request asks for all tasks that the server knows: those of other callers are among them.

    One task is named by an id that nobody guesses, which its caller alone was told.
    """
    return isinstance(request, dict) and request.get("method") == "tasks/list"


def heads(request: Any) -> list[tuple[bytes, bytes]]:
    """The fields that say a request's method and name again (2026-07-28, Standard Headers): servers compare them."""
    method = request.get("method")
    if not isinstance(method, str) or not _SAFE.fullmatch(method):
        return []
    params = request.get("params")
    name = params.get(_NAMES.get(method, "")) if isinstance(params, dict) else None
    return [(b"mcp-method", method.encode()), *([(b"mcp-name", _field(name))] if isinstance(name, str) else [])]


def _field(value: str) -> bytes:
    """A text as a field's value, in the protocol's own writing where it is none as it stands."""
    if _SAFE.fullmatch(value) and not value.startswith("=?base64?"):
        return value.encode()
    return b"=?base64?" + b64encode(value.encode()) + b"?="


STREAM = Stream("text/event-stream", {"": Event(whole=True)}, failure, goes_on=True, ids=ID)

ROUTES = (
    Route(
        "mcp-send", "POST", PATH, "predict", NAME, model_key=None, stream=STREAM, asks="either", done=frozenset({202})
    ),
    Route("mcp-listen", "GET", PATH, "predict", NAME, has_body=False, model_key=None, stream=STREAM, asks="always"),
    Route(
        "mcp-end",
        "DELETE",
        PATH,
        "predict",
        NAME,
        has_body=False,
        model_key=None,
        answers=dict.fromkeys(("application/json", "text/plain", ""), NOTHING),
        done=frozenset({202, 204}),
    ),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=FIELDS,
    answer=FIELDS,
    error=error_body,
    unreadable=opaque,
    unclear=opaque,
    stored=stored,
    heads=heads,
    passes={
        **dict.fromkeys((b"mcp-session-id", b"last-event-id"), re.compile(rb".+")),
        b"mcp-protocol-version": re.compile(VERSION.pattern.encode()),
    },
    owned=frozenset({b"mcp-session-id", b"last-event-id"}),
)
