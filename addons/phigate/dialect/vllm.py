"""vLLM's routes beside OpenAI's (docs.vllm.ai, online serving): counting tokens, pooling, classifying, ranking.

llama.cpp and SGLang rank in the same shape. What takes or gives token ids alone, and what loads, wakes, profiles or
resets a server, is no route at all.
"""

from __future__ import annotations

from typing import Any

from phigate.dialect import openai
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
