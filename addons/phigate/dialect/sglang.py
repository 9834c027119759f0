"""SGLang's own protocol (docs.sglang.io, native API): each event of a stream tells the text anew and longer.

Its `/v1/` routes are OpenAI's. What tells the server's settings and its sessions, and weights that come as serialised
tensors (which run as code when they are read), is no route at all. What changes the model is `manage-models`: an
adapter is a model by its own name, everything else means the one model that speaks this.
"""

from __future__ import annotations

from typing import Any

from phigate.dialect import managing, openai
from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.steering import few, picks
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields

NAME = "sglang"

ANSWER = Fields(
    constant=frozenset(
        {
            "id",
            "index",
            "type",
            "prompt_tokens",
            "completion_tokens",
            "cached_tokens",
            "weight_version",
            "is_generation",
        }
        | {"model_path", "tokenizer_path", "e2e_latency"}
    ),
    drop=frozenset(
        {
            "matched",
            "output_ids",
            "input_ids",
            "prompt_token_ids",
            "token_ids",
            "hidden_states",
            "routed_experts",
            "output_token_entropy",
        }
        | {f"{side}_{what}" for side in ("input", "output") for what in ("token_logprobs", "top_logprobs")}
        | {f"{side}_token_ids_logprobs" for side in ("input", "output")}
    ),
    json=frozenset(),
    prose=frozenset({"text"}),
)
"""Keys of an answer that are not plain text: what is told token by token repeats the text, and what `matched` a stop is
a piece of it, of a length that the caller chose."""

REQUEST = Fields(
    constant=frozenset({"model", "rid"}),
    drop=frozenset(),
    json=frozenset(),
    prose=frozenset({"text"}),
)

OPAQUE = frozenset(
    {"input_ids", "input_embeds", "image_data", "video_data", "audio_data", "positional_embed_overrides"}
    | {"custom_logit_processor", "modalities", "mm_hashes"}
)
"""Members of a request that hold what is no text: token ids, vectors, images, code."""
ASKED = frozenset({"return_logprob", "return_text_in_logprobs", "return_hidden_states"})
"""What may be asked for beside the text, since it is known where an answer has it."""
_LIMITS = ("max_new_tokens", "max_tokens")
_SPELLED = ("regex", "ebnf", "structural_tag", "logit_bias", "stop_regex", "custom_params")


def unreadable(request: Any) -> bool:
    """Whether a request holds or asks for what no text detector can read."""
    if not isinstance(request, dict) or any(request.get(key) for key in OPAQUE):
        return True
    if any(value and key.startswith("return_") and key not in ASKED for key, value in request.items()):
        return True
    text = request.get("text")
    return not all(isinstance(each, str) for each in (text if isinstance(text, list) else [text or ""]))


def stored(request: Any) -> bool:
    """Whether a request goes on with what the server keeps of other exchanges."""
    return isinstance(request, dict) and openai.keeps(request)


def steers(request: Any) -> tuple[str, ...]:
    """Which sampling parameters decide what the model writes, of whichever text of a batch."""
    given = request.get("sampling_params") if isinstance(request, dict) else None
    found: dict[str, None] = {}
    for each in given if isinstance(given, list) else [given]:
        if isinstance(each, dict):
            found |= dict.fromkeys(key for key in _LIMITS if few(each.get(key)))
            found |= dict.fromkeys(key for key in _SPELLED if each.get(key))
            found |= dict.fromkeys(key for key in ("json_schema",) if each.get(key) and picks(each[key]))
    return tuple(found)


STREAM = Stream(
    "text/event-stream",
    {"": Event(whose=("index",), over=("meta_info.finish_reason",), grows=frozenset({"text"}))},
    openai.failure,
    done="[DONE]",
)


def _of_text(name: str, path: str, action: str, when: str, stream: Stream | None = None) -> Route:
    return Route(f"sglang-{name}", "POST", path, action, NAME, model_key=None, when=when, stream=stream)


MANAGED = Dialect(NAME, (), request=REQUEST, answer=ANSWER, error=openai.error_body)
"""Where an adapter's path is what is asked for."""
_FROM_DISK: dict[str, managing.Form] = {
    **dict.fromkeys(("model_path", "load_format", "weight_version"), managing.word),
    **dict.fromkeys(
        ("abort_all_requests", "is_async", "torch_empty_cache", "keep_pause", "recapture_cuda_graph", "flush_cache"),
        managing.flag,
    ),
    "token_step": managing.count,
}
_MEMORY = {"tags": managing.listed(managing.one_of("weights", "kv_cache", "cuda_graph"))}
_ADAPTER = {"lora_name": managing.word}


def _manage(path: str, members: managing.Members, key: str | None = None) -> Route:
    return Route(
        *(f"sglang-{path.replace('_', '-')}", "POST", f"/{path}", "manage-models", NAME),
        model_key=key,
        asks="never",
        reads=managing.READS,
        answers=managing.ANSWERS,
        table=MANAGED,
        members=members,
    )


ROUTES = (
    _of_text("generate", "/generate", "complete", "text", STREAM),
    _of_text("generate-ids", "/generate", "complete", "input_ids", STREAM),
    _of_text("encode", "/encode", "embed", "text"),
    _of_text("classify", "/classify", "predict", "text"),
    *(
        Route(f"sglang-{name}", "GET", f"/{name}", "list-models", NAME, has_body=False, model_key=None)
        for name in ("get_model_info", "model_info")
    ),
    _manage("update_weights_from_disk", _FROM_DISK),
    _manage(
        *("load_lora_adapter", {**_ADAPTER, "lora_path": managing.word, "pinned": managing.flag}),
        "lora_name",
    ),
    _manage("unload_lora_adapter", _ADAPTER, "lora_name"),
    _manage("flush_cache", managing.NONE),
    _manage("release_memory_occupation", _MEMORY),
    _manage("resume_memory_occupation", _MEMORY),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=openai.error_body,
    unreadable=unreadable,
    stored=stored,
    steers=steers,
    usage=(("meta_info", "prompt_tokens"), ("meta_info", "completion_tokens")),
    lists=True,
    adapters=openai.ADAPTERS,
)
