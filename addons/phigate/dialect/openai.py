"""The OpenAI dialect: its routes, which fields are text, how its streams carry text, and its error shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.routes import Route
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "openai"

ROUTES = (
    Route("openai-chat", "POST", "/v1/chat/completions", "chat", NAME, streams="chat"),
    Route("openai-completions", "POST", "/v1/completions", "complete", NAME, streams="completions"),
    Route("openai-embeddings", "POST", "/v1/embeddings", "embed", NAME),
    Route("openai-models", "GET", "/v1/models", "list-models", NAME, has_body=False, model_key=None),
    Route("openai-model", "GET", "/v1/models/{model}", "list-models", NAME, has_body=False, model_key=None),
)

ANSWER = Fields(
    constant=frozenset(
        {"id", "object", "created", "model", "index", "finish_reason", "role", "type", "system_fingerprint"}
        | {"service_tier", "owned_by", "parent", "root", "tool_call_id", "encoding_format"}
    ),
    drop=frozenset(
        {"logprobs", "prompt_logprobs", "token_ids", "prompt_token_ids", "kv_transfer_params", "top_logprobs"}
        | {"bytes", "tokens", "obfuscation", "stop_reason"}
    ),
    json=frozenset({"arguments"}),
)
"""Keys of an answer that are not plain text. Per-token lists repeat the text in pieces too small to find
anything in; `stop_reason` may be a string that was generated (vLLM)."""

REQUEST = Fields(
    constant=frozenset({"model", "role", "type", "id", "tool_call_id", "encoding_format", "service_tier", "detail"}),
    drop=frozenset(),
    json=frozenset({"arguments"}),
)

SHOWN = Fields(constant=REQUEST.constant - {"model"}, drop=REQUEST.drop, json=REQUEST.json)
"""A request as bystanders see it: the model's name is the caller's own words too."""

READABLE_PARTS = frozenset({"text", "refusal", "input_text", "output_text"})
"""Kinds of content part whose whole content is text; any other kind hides text from us (image, audio, file)."""

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def error_body(status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error in the shape that OpenAI clients show: `message`, `type`, `param`, `code`."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "gateway_error")
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code, **(extra or {})}})


def unreadable(request: Any) -> bool:
    """Whether a request holds content that no text detector can read: parts other than text, token-id prompts."""
    if not isinstance(request, dict):
        return True
    messages = request.get("messages", [])
    contents = [message.get("content") for message in messages if isinstance(message, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    if any(not isinstance(part, dict) or part.get("type", "text") not in READABLE_PARTS for part in parts):
        return True
    return any(_token_ids(request.get(key)) for key in ("prompt", "input"))


def _token_ids(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    return any(isinstance(item, int) or (isinstance(item, list) and item) for item in value)


def usage(answer: Any) -> dict[str, int]:
    """Token counts of an answer or a chunk, `{"input": n, "output": n}`; empty where it carries none."""
    counts = answer.get("usage") if isinstance(answer, dict) else None
    if not isinstance(counts, dict):
        return {}
    pairs = {"input": counts.get("prompt_tokens"), "output": counts.get("completion_tokens")}
    return {name: count for name, count in pairs.items() if isinstance(count, int)}
