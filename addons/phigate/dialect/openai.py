"""The OpenAI dialect: chat and completions, which fields are text, how streams carry text, and the error shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.steering import few, picks
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields, one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME = "openai"

PROSE = frozenset(
    {"content", "text", "reasoning", "reasoning_content", "refusal", "thinking", "message", "prompt", "input"}
    | {"summary", "transcript", "prompt_text"}
)

ANSWER = Fields(
    constant=frozenset(
        {"id", "object", "created", "model", "index", "finish_reason", "role", "type", "system_fingerprint"}
        | {"name", "service_tier", "tool_call_id", "expires_at"}
    ),
    drop=frozenset(
        {"logprobs", "prompt_logprobs", "token_ids", "prompt_token_ids", "kv_transfer_params", "top_logprobs"}
        | {"bytes", "tokens", "obfuscation", "stop_reason", "signature", "hidden_states"}
        | {"matched_stop", "routed_experts"}
        | {"images", "image", "image_url", "b64_json", "video", "video_url"}
    ),
    json=frozenset({"arguments"}),
    prose=PROSE,
    blank={"data": ""},
)
"""Keys of an answer that are not plain text. Per-token lists repeat the text in pieces too small to find
anything in; `stop_reason` (vLLM) and `matched_stop` (SGLang) may be a string that was generated; images cannot be
masked, nor can `data`: the sound beside a transcript, or reasoning that is encrypted."""

REQUEST = Fields(
    constant=frozenset({"model", "role", "type", "id", "tool_call_id", "encoding_format", "service_tier", "detail"}),
    drop=frozenset(),
    json=frozenset({"arguments"}),
    prose=PROSE | {"name"},
)
"""Keys of a request that are not plain text. A `name` may be a tool's or a person's."""

PARTS = frozenset({"text", "refusal", "input_text", "output_text"})
"""Kinds of content part whose whole content is text."""
PART_KEYS = frozenset({"type", "text", "refusal", "annotations", "cache_control"})
MESSAGE_KEYS = frozenset(
    {"role", "content", "name", "tool_calls", "function_call", "tool_call_id", "refusal", "annotations", "parsed"}
    | {"reasoning", "reasoning_content", "reasoning_details", "thinking", "prefix", "partial", "cache_control"}
)
OPAQUE = frozenset(
    {"prompt_embeds", "images", "image", "image_url", "image_data", "input_image", "input_audio", "audio", "audio_url"}
    | {"video", "video_url", "file", "files", "file_data", "input_file", "multi_modal_data"}
    | {"web_search_options", "mcp_servers", "integrations", "input_ids", "input_embeds", "custom_logit_processor"}
)
"""Members of a request that hold, name or ask for content that is no text (token ids that are read in place of the
messages, code), or let the server talk to others."""
TOOLS = frozenset({"function", "custom"})
"""Kinds of tool that the caller runs. Of others the server asks somebody, perhaps whom the caller names, and what it
says to them nobody here sees."""
STORED = frozenset({"file_id", "file_ids", "vector_store_ids", "container", "container_id"})
"""Members, at any depth, that name what the server keeps: texts when they are not the names of a tool's parameters."""
KEPT = frozenset({"session_params", "session_id", "bootstrap_host", "bootstrap_room", "kv_router_hint", "encoder_urls"})
"""Members by which a request goes on with what the server keeps of others (SGLang)."""
ADAPTERS = frozenset({"lora_path", "lora"})
"""Members that ask for other weights than the named model's (SGLang, llama.cpp)."""
LIMITS = frozenset(
    {"max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "n_predict", "num_predict"}
)
CHOOSING = frozenset(
    {"logit_bias", "logits_processors", "allowed_token_ids", "bad_words", "structured_outputs", "guided_json"}
    | {"guided_regex", "guided_choice", "guided_grammar", "guided_decoding", "grammar", "json_schema", "ebnf", "regex"}
    | {"stop_regex", "custom_params", "structural_tag"}
)
"""Members by which a request chooses what the model may write (vLLM, SGLang, llama.cpp)."""
FORMS = frozenset({"text", "json_object", "json_schema"})
"""Forms of an answer that do not choose its words, as long as a schema does not."""
PER_TOKEN = frozenset(
    {"logprobs", "top_logprobs", "prompt_logprobs", "return_token_ids", "return_tokens_as_token_ids"}
    | {"return_hidden_states", "kv_transfer_params", "n_probs", "return_tokens"}
    | {"return_prompt_token_ids", "return_meta_info", "return_routed_experts"}
)
"""Members that ask for the text again token by token."""

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def error_body(status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error in the shape that OpenAI clients show: `message`, `type`, `param`, `code`."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "gateway_error")
    return orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code, **(extra or {})}})


def unreadable(request: Any) -> bool:
    """Whether a request holds content that no text detector can read: parts other than text, token-id prompts."""
    if not isinstance(request, dict) or not OPAQUE.isdisjoint(request):
        return True
    messages, predicted = request.get("messages"), request.get("prediction")
    if messages is not None and (not isinstance(messages, list) or any(map(_opaque_message, messages))):
        return True
    if isinstance(predicted, dict) and _opaque_content(predicted.get("content")):
        return True
    if request.get("modalities") not in (None, ["text"]) or asks_others(request.get("tools"), TOOLS):
        return True
    return any(token_ids(request.get(key)) for key in ("prompt", "input"))


def _opaque_message(message: Any) -> bool:
    return (
        not isinstance(message, dict) or not message.keys() <= MESSAGE_KEYS or _opaque_content(message.get("content"))
    )


def _opaque_content(content: Any) -> bool:
    if isinstance(content, list):
        return any(map(_opaque_part, content))
    return not (content is None or isinstance(content, str))


def _opaque_part(part: Any) -> bool:
    if not isinstance(part, dict) or not part.keys() <= PART_KEYS:
        return True
    return not one_of(part.get("type", "text"), PARTS)


def asks_others(tools: Any, known: frozenset[str]) -> bool:
    """Whether a request has tools of a kind that is not known to be the caller's."""
    if not isinstance(tools, list):
        return tools is not None
    return any(
        not isinstance(tool, dict)
        or not one_of(tool.get("type", "function"), known)
        or ("tools" in tool and asks_others(tool["tools"], known))
        for tool in tools
    )


def token_ids(value: Any) -> bool:
    """Whether a prompt is told as numbers of tokens, or some of several prompts are."""
    if not isinstance(value, list):
        return False
    return any(isinstance(item, int) or (isinstance(item, list) and item) for item in value)


def stored(request: Any) -> bool:
    """Whether a request names what the server keeps of other exchanges: files, sound, containers."""
    if not isinstance(request, dict):
        return False
    if keeps(request):
        return True
    messages = request.get("messages")
    said = isinstance(messages, list) and any(
        isinstance(message, dict) and isinstance(message.get("audio"), dict) for message in messages
    )
    return said or names_stored({key: value for key, value in request.items() if key != "metadata"})


def keeps(request: dict[str, Any]) -> bool:
    """Whether a request goes on with what the server keeps of others."""
    return any(request.get(key) is not None for key in KEPT)


def names_stored(node: Any) -> bool:
    """Whether something in a tree is named by where the server keeps it."""
    if isinstance(node, list):
        return any(map(names_stored, node))
    if not isinstance(node, dict):
        return False
    named = any(isinstance(node[key], str | list) and node[key] for key in STORED & node.keys())
    return named or any(map(names_stored, node.values()))


def steers(request: Any) -> tuple[str, ...]:
    """The members of a request that cut what the model writes into pieces, or leave it certain words only."""
    if not isinstance(request, dict):
        return ()
    found = [key for key in sorted(LIMITS) if few(request.get(key))]
    found += [key for key in sorted(CHOOSING) if request.get(key)]
    found += ["response_format"] if chooses(request.get("response_format")) else []
    return (*found, *tools_that_choose(request))


def chooses(form: Any) -> bool:
    """Whether the form asked of an answer (`response_format`, `text.format`) chooses its words."""
    return isinstance(form, dict) and (not one_of(form.get("type", "text"), FORMS) or picks(form))


def tools_that_choose(request: dict[str, Any]) -> Iterable[str]:
    """`tools` and `functions`, where the model must write what a schema or a grammar of theirs chooses."""
    choice = request.get("tool_choice") or request.get("function_call")
    forced = choice == "required" or isinstance(choice, dict)
    for key in ("tools", "functions"):
        listed = request.get(key)
        if isinstance(listed, list) and any(_tool_chooses(tool, forced=forced) for tool in listed):
            yield key


def _tool_chooses(tool: Any, *, forced: bool) -> bool:
    """A grammar always counts, a schema where the model is bound to it."""
    if not isinstance(tool, dict):
        return False
    inside = tool.get("tools")
    if isinstance(inside, list) and any(_tool_chooses(each, forced=forced) for each in inside):
        return True
    told = next((inner for key in ("function", "custom") if isinstance(inner := tool.get(key), dict)), tool)
    form = told.get("format")
    if isinstance(form, dict) and form.get("type") == "grammar":
        return True
    return (forced or bool(told.get("strict"))) and picks(told.get("parameters"))


def failure(code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The event that ends a stream which the gateway breaks off."""
    return "", {"error": {"message": message, "type": "gateway_error", "param": None, "code": code}}


CHOICES = Event(each="choices", over=("finish_reason",))
STREAM = Stream("text/event-stream", {"": CHOICES}, failure, done="[DONE]")

_OMITTED = PER_TOKEN | {"store"}
"""What would be kept is not asked for either: there is no route on which it could be had again."""

ROUTES = (
    Route("openai-chat", "POST", "/v1/chat/completions", "chat", NAME, stream=STREAM, omits=_OMITTED),
    Route("openai-completions", "POST", "/v1/completions", "complete", NAME, stream=STREAM, omits=_OMITTED),
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
    usage=(("usage", "prompt_tokens"), ("usage", "completion_tokens")),
    folds=True,
    adapters=ADAPTERS,
)
