"""Ollama's own protocol: lines of JSON unless the request says otherwise (github.com/ollama/ollama, docs/api.md).

Its OpenAI-compatible routes are OpenAI's. What changes which models there are is `manage-models`. Uploading files
(`/api/blobs`) is no route at all: weights are bytes that nobody reads, of a size that nobody holds in memory, and they
name no model that a rule could speak of. A model comes from a registry, or from files that are there already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect import managing
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

_TOLD = {"stream": managing.flag}
_FETCHED: dict[str, managing.Form] = {
    "model": managing.word,
    "name": managing.nothing,
    "insecure": managing.flag,
    **_TOLD,
    **dict.fromkeys(("username", "password"), managing.nothing),
}
_FILES = managing.mapped(managing.file, managing.formed(DIGEST))
_CREATED: dict[str, managing.Form] = {
    "model": managing.word,
    "name": managing.nothing,
    "from": managing.word,
    **_TOLD,
    "files": _FILES,
    "adapters": _FILES,
    "quantize": managing.word,
    "quantization": managing.word,
    **dict.fromkeys(("template", "system"), managing.text),
    **dict.fromkeys(("renderer", "parser", "requires"), managing.word),
    "license": managing.either(managing.text, managing.listed(managing.text)),
    "parameters": managing.mapped(managing.word, managing.either(managing.scalar, managing.listed(managing.text))),
    "messages": managing.listed(managing.member(role=managing.word, content=managing.text)),
}
"""Not `remote_host`, by which a model's prompts would go to another server, and no `modelfile` or `path`, which lead to
files of the server's."""
_DELETED: dict[str, managing.Form] = {"model": managing.word, "name": managing.nothing}
_CHANGES: dict[str, tuple[str, dict[str, managing.Form]]] = {
    "pull": ("POST", _FETCHED),
    "push": ("POST", _FETCHED),
    "create": ("POST", _CREATED),
    "delete": ("DELETE", _DELETED),
}


def _named(members: dict[str, managing.Form]) -> dict[str, managing.Form]:
    """The same for clients that call the model's name `name` and nothing else."""
    return {key: form for key, form in members.items() if key != "model"} | {"name": managing.word}


def _change(verb: str, key: str) -> Route:
    method, members = _CHANGES[verb]
    streamed = "stream" in members
    return Route(
        *(f"ollama-{verb}" + ("" if key == "model" else f"-{key}"), method, f"/api/{verb}", "manage-models", NAME),
        model_key=key,
        stream=PROGRESS if streamed else None,
        asks="unless" if streamed else "never",
        when=key,
        answers=managing.ANSWERS,
        members=members if key == "model" else _named(members),
        beside=("from",) if "from" in members else (),
    )


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
    *(_change(verb, key) for verb in _CHANGES for key in ("model", "name")),
    Route(
        *("ollama-copy", "POST", "/api/copy", "manage-models", NAME),
        model_key="destination",
        asks="never",
        answers=managing.ANSWERS,
        members={"source": managing.word, "destination": managing.word},
        beside=("source",),
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
