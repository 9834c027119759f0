"""vLLM's routes beside OpenAI's (docs.vllm.ai, online serving): counting tokens, pooling, classifying, ranking.

llama.cpp and SGLang rank in the same shape. What takes or gives token ids alone, what profiles a server and what calls
its workers by any name is no route at all. What changes the model (adapters, weights, sleep) is `manage-models`: an
adapter is a model by its own name, everything else means the one model that speaks this. New weights come over NCCL
only: handles of memory are pickled objects, which run as code when they are read.
"""

from __future__ import annotations

from typing import Any

from phigate.dialect import managing, openai
from phigate.dialect.routes import Route
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields

NAME = "vllm"

PROSE = frozenset({"text", "prompt", "input", "query", "content", "message"})

ANSWER = Fields(
    constant=frozenset(
        {"id", "object", "created", "model", "index", "num_classes", "type", "count", "max_model_len", "version"}
        | {"total_tokens", "prompt_tokens"}
    ),
    drop=frozenset({"tokens", "token_strs", "token_ids", "prompt_token_ids", "multi_modal_data"}),
    json=frozenset(),
    prose=PROSE,
)
"""Keys of an answer that are not plain text: of a text in tokens, their number is what goes out."""

REQUEST = Fields(
    constant=frozenset({"model", "role", "type", "id", "name", "tool_call_id", "encoding_format", "task"}),
    drop=frozenset(),
    json=frozenset({"arguments"}),
    prose=PROSE | openai.PROSE,
)

TEXTS = ("input", "prompt", "query", "documents", "queries", "items", "text_1", "text_2", "data_1", "data_2")
OPAQUE = frozenset({"data", "label_token_ids", "mm_processor_kwargs", "additional_data", "tokens"})
"""Members of a request that hold what is no text: data for plugins, token ids."""


def unreadable(request: Any) -> bool:
    """Whether a request holds what is no text, or asks for vectors in a form in which nobody can look at them."""
    if openai.unreadable(request) or any(request.get(key) for key in OPAQUE):
        return True
    return request.get("encoding_format", "float") != "float" or not all(_texts(request.get(key)) for key in TEXTS)


def _texts(value: Any) -> bool:
    """Whether a value is nothing, a text, or texts that stand by themselves or as a document's."""
    return value is None or all(map(_text, value if isinstance(value, list) else [value]))


def _text(value: Any) -> bool:
    if isinstance(value, dict):
        return openai.OPAQUE.isdisjoint(value) and all(isinstance(part, str) for part in value.values())
    return isinstance(value, str)


def _post(name: str, path: str, action: str, when: str | None = None) -> Route:
    return Route(f"vllm-{name}", "POST", path, action, NAME, when=when)


MANAGED = Dialect(
    NAME, (), request=REQUEST.without_constant("name"), answer=ANSWER, error=openai.error_body, lists=True, folds=True
)
"""Where an adapter's path is what is asked for."""
_SHAPES = managing.listed(managing.listed(managing.count))
_WEIGHTS = managing.member(
    names=managing.listed(managing.word),
    dtype_names=managing.listed(managing.word),
    shapes=_SHAPES,
    packed=managing.flag,
    packed_buffer_size_bytes=managing.count,
    packed_num_buffers=managing.count,
)


def _manage(name: str, path: str, members: managing.Members, key: str | None = None) -> Route:
    return Route(
        *(f"vllm-{name}", "POST", path, "manage-models", NAME),
        model_key=key,
        asks="never",
        reads=managing.READS,
        answers=managing.ANSWERS,
        table=MANAGED,
        members=members,
    )


ROUTES = (
    _post("tokenize", "/tokenize", "complete", "prompt"),
    _post("tokenize-chat", "/tokenize", "chat", "messages"),
    _post("pooling", "/pooling", "embed"),
    _post("classify", "/classify", "predict", "input"),
    _post("score", "/score", "rank"),
    _post("score-v1", "/v1/score", "rank"),
    _post("rerank", "/rerank", "rank"),
    _post("rerank-v1", "/v1/rerank", "rank"),
    Route("vllm-version", "GET", "/version", "list-models", NAME, has_body=False, model_key=None),
    _manage(
        *("load-adapter", "/v1/load_lora_adapter"),
        {"lora_name": managing.word, "lora_path": managing.word},
        "lora_name",
    ),
    _manage(
        *("unload-adapter", "/v1/unload_lora_adapter"),
        {"lora_name": managing.word},
        "lora_name",
    ),
    _manage("update-weights", "/update_weights", {"update_info": _WEIGHTS}),
    _manage("sleep", "/sleep", managing.NONE),
    *(_manage(f"sleep-{level}", f"/sleep?level={level}", managing.NONE) for level in (1, 2)),
    _manage("wake-up", "/wake_up", managing.NONE),
    *(_manage(f"wake-up-{tag}", f"/wake_up?tags={tag}", managing.NONE) for tag in ("weights", "kv_cache")),
    _manage("reset-cache", "/reset_prefix_cache", managing.NONE),
    Route("vllm-sleeping", "GET", "/is_sleeping", "manage-models", NAME, has_body=False, model_key=None),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=openai.error_body,
    unreadable=unreadable,
    usage=(("usage", "prompt_tokens"), ("usage", "completion_tokens")),
    lists=True,
    folds=True,
    adapters=openai.ADAPTERS,
)
