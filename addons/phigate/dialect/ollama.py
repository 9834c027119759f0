"""Ollama's own protocol: lines of JSON unless the request says otherwise (github.com/ollama/ollama, docs/api.md).

Its OpenAI-compatible routes are OpenAI's. What changes which models there are is `manage-models`; deleting, copying and
uploading files are no routes at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.steering import few, picks
from phigate.dialect.table import Dialect
from phigate.dialect.tree import DIGEST, TIME, Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "ollama"

PROSE = frozenset({"response", "content", "thinking", "prompt", "suffix", "system", "template", "input"})

ANSWER = Fields(
    constant=frozenset(
        {"model", "name", "role", "type", "id", "index", "done", "done_reason", "remote_model", "remote_host"}
        | {"total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count"}
        | {"eval_duration", "size", "size_vram", "completed", "total", "context_length", "version", "capabilities"}
        | {"format", "family", "families", "parent_model", "parameter_size", "quantization_level"}
    ),
    drop=frozenset({"context", "logprobs", "_debug_info", "image", "images"}),
    json=frozenset({"arguments"}),
    prose=PROSE,
    forms={"created_at": TIME, "modified_at": TIME, "expires_at": TIME, "digest": DIGEST},
)
"""Keys of an answer that are not plain text. `context` is the whole conversation in token ids, `_debug_info` the prompt
once more."""

REQUEST = Fields(
    constant=frozenset({"model", "role", "type", "id", "name", "tool_name", "keep_alive"}),
    drop=frozenset(),
    json=frozenset({"arguments"}),
    prose=PROSE,
)

MESSAGE_KEYS = frozenset({"role", "content", "thinking", "tool_calls", "tool_name", "tool_call_id", "name"})
OPAQUE = frozenset({"images", "context", "width", "height", "steps"})
"""Members of a request that hold or ask for content that is no text: images in and out, token ids."""


def error_body(_status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error in the shape that Ollama's clients show: `error` is the message."""
    return orjson.dumps({"error": message, "code": code, **(extra or {})})


def unreadable(request: Any) -> bool:
    """Whether a request holds or asks for content that no text detector can read."""
    if not isinstance(request, dict) or any(request.get(key) for key in OPAQUE):
        return True
    messages = request.get("messages") or []
    if not isinstance(messages, list) or any(map(_opaque_message, messages)):
        return True
    texts = request.get("input") or ""
    listed = texts if isinstance(texts, list) else [texts]
    return not all(isinstance(text, str) for text in (request.get("prompt") or "", *listed))


def _opaque_message(message: Any) -> bool:
    if not isinstance(message, dict):
        return True
    said = {key for key, value in message.items() if value}
    return not said <= MESSAGE_KEYS or not isinstance(message.get("content") or "", str)


def steers(request: Any) -> tuple[str, ...]:
    """Which members of a request decide what the model writes: how many tokens, or which answers there are."""
    if not isinstance(request, dict):
        return ()
    options, form = request.get("options"), request.get("format")
    found = ["format"] if form and form != "json" and picks(form) else []
    if isinstance(options, dict):
        found += ["num_predict"] if few(options.get("num_predict")) else []
        found += [key for key in ("logit_bias", "grammar") if options.get(key)]
    return tuple(found)


def failure(code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The line that ends a stream which the gateway breaks off."""
    return "", {"error": message, "code": code}


STREAM = Stream("application/x-ndjson", {"": Event(over=("done",), keep=frozenset({"role"}))}, failure)
PROGRESS = Stream("application/x-ndjson", {"": Event(whole=True)}, failure)
"""How a model is fetched or made, step by step: each line is told whole."""

ROUTES = (
    Route("ollama-chat", "POST", "/api/chat", "chat", NAME, stream=STREAM, asks="unless"),
    Route("ollama-generate", "POST", "/api/generate", "complete", NAME, stream=STREAM, asks="unless"),
    Route("ollama-embed", "POST", "/api/embed", "embed", NAME),
    Route("ollama-embeddings", "POST", "/api/embeddings", "embed", NAME),
    Route("ollama-tags", "GET", "/api/tags", "list-models", NAME, has_body=False, model_key=None),
    Route("ollama-running", "GET", "/api/ps", "list-models", NAME, has_body=False, model_key=None),
    Route("ollama-version", "GET", "/api/version", "list-models", NAME, has_body=False, model_key=None),
    Route("ollama-show", "POST", "/api/show", "list-models", NAME, when="model"),
    Route("ollama-show-name", "POST", "/api/show", "list-models", NAME, when="name", model_key="name"),
    *(
        Route(f"ollama-{verb}", "POST", f"/api/{verb}", "manage-models", NAME, stream=PROGRESS, asks="unless")
        for verb in ("pull", "push", "create")
    ),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=error_body,
    unreadable=unreadable,
    steers=steers,
    usage=(("prompt_eval_count",), ("eval_count",)),
    folds=True,
)
