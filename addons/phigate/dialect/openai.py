"""The OpenAI dialect: its routes, which fields are text, how its streams carry text, and its error shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "openai"

PROSE = frozenset(
    {"content", "text", "reasoning", "reasoning_content", "refusal", "thinking", "message", "prompt", "input"}
)

ANSWER = Fields(
    constant=frozenset(
        {"id", "object", "created", "model", "index", "finish_reason", "role", "type", "system_fingerprint"}
        | {"name", "service_tier", "owned_by", "parent", "root", "tool_call_id", "encoding_format"}
    ),
    drop=frozenset(
        {"logprobs", "prompt_logprobs", "token_ids", "prompt_token_ids", "kv_transfer_params", "top_logprobs"}
        | {"bytes", "tokens", "obfuscation", "stop_reason", "audio"}
        | {"images", "image", "image_url", "b64_json", "video", "video_url"}
    ),
    json=frozenset({"arguments"}),
    prose=PROSE,
)
"""Keys of an answer that are not plain text. Per-token lists repeat the text in pieces too small to find
anything in; `stop_reason` may be a string that was generated (vLLM); audio and
images cannot be masked."""

REQUEST = Fields(
    constant=frozenset(
        {"model", "role", "type", "id", "name", "tool_call_id", "encoding_format", "service_tier", "detail"}
    ),
    drop=frozenset(),
    json=frozenset({"arguments"}),
    prose=PROSE,
)

PARTS = frozenset({"text", "refusal", "input_text", "output_text"})
"""Kinds of content part whose whole content is text."""
PART_KEYS = frozenset({"type", "text", "refusal", "annotations", "cache_control"})
MESSAGE_KEYS = frozenset(
    {"role", "content", "name", "tool_calls", "function_call", "tool_call_id", "refusal", "annotations", "parsed"}
    | {"reasoning", "reasoning_content", "reasoning_details", "thinking", "prefix", "partial", "cache_control"}
)
OPAQUE = frozenset(
    {"prompt_embeds", "images", "image", "image_url", "image_data", "input_image", "input_audio", "audio", "audio_url"}
    | {"video", "video_url", "file", "files", "file_data", "file_ids", "input_file", "multi_modal_data", "modalities"}
)
"""Members of a request that hold, name or ask for content that is no text."""

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def error_body(status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error in the shape that OpenAI clients show: `message`, `type`, `param`, `code`."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "gateway_error")
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code, **(extra or {})}})


def unreadable(request: Any) -> bool:
    """Whether a request holds content that no text detector can read: parts other than text, token-id prompts."""
    if not isinstance(request, dict) or not OPAQUE.isdisjoint(request):
        return True
    messages = request.get("messages")
    if messages is not None and (not isinstance(messages, list) or any(map(_opaque_message, messages))):
        return True
    return any(_token_ids(request.get(key)) for key in ("prompt", "input"))


def _opaque_message(message: Any) -> bool:
    if not isinstance(message, dict) or not message.keys() <= MESSAGE_KEYS:
        return True
    content = message.get("content")
    if isinstance(content, list):
        return any(map(_opaque_part, content))
    return not (content is None or isinstance(content, str))


def _opaque_part(part: Any) -> bool:
    if not isinstance(part, dict) or not part.keys() <= PART_KEYS:
        return True
    kind = part.get("type", "text")
    return not isinstance(kind, str) or kind not in PARTS


def _token_ids(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    return any(isinstance(item, int) or (isinstance(item, list) and item) for item in value)


def failure(code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The event that ends a stream which the gateway breaks off."""
    return "", {"error": {"message": message, "type": "gateway_error", "param": None, "code": code}}


STREAM = Stream(
    "text/event-stream",
    {"": Event(each="choices", over=("finish_reason",))},
    failure,
    done="[DONE]",
)

ROUTES = (
    Route("openai-chat", "POST", "/v1/chat/completions", "chat", NAME, stream=STREAM),
    Route("openai-completions", "POST", "/v1/completions", "complete", NAME, stream=STREAM),
    Route("openai-embeddings", "POST", "/v1/embeddings", "embed", NAME),
    Route("openai-models", "GET", "/v1/models", "list-models", NAME, has_body=False, model_key=None),
    Route("openai-model", "GET", "/v1/models/{model}", "list-models", NAME, has_body=False, model_key=None),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=error_body,
    unreadable=unreadable,
    usage=(("usage", "prompt_tokens"), ("usage", "completion_tokens")),
)
