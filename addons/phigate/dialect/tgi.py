"""The protocol of Hugging Face's text-generation-inference (its docs/openapi.json); its `/v1/` routes are OpenAI's.

A stream tells the text token by token, and the last event tells all of it again. `/tokenize` answers with pieces alone
and is no route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect import openai
from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.steering import few, picks
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "tgi"

ANSWER = Fields(
    constant=frozenset(
        {"index", "special", "finish_reason", "generated_tokens", "input_length", "seed", "error_type"}
        | {"model_id", "model_dtype", "model_device_type", "model_pipeline_tag", "version", "router"}
    ),
    drop=frozenset({"top_tokens"}),
    json=frozenset(),
    prose=frozenset({"text", "generated_text", "templated_text"}),
    blank={"id": 0, "prefill": [], "tokens": [], "tokenize_response": []},
)
"""Keys of an answer that are not plain text. Clients need the lists of tokens and a token's id, not what is in them."""

REQUEST = Fields(
    constant=frozenset({"model", "role", "type", "id", "name", "tool_call_id"}),
    drop=frozenset(),
    json=frozenset({"arguments"}),
    prose=frozenset({"inputs"}) | openai.PROSE,
)

MEMBERS = frozenset({"inputs", "parameters", "stream", "model"})
"""What a request for text may have; anything else may be another server's way to hold what is no text."""
_IMAGE = "![]("
"""How an image, or where to fetch one, stands in the middle of a prompt."""
_KINDS = {422: "validation", 424: "generation", 429: "overloaded"}


def error_body(status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error in TGI's shape; with its kind where clients know one, else they show the status."""
    kind = {"error_type": _KINDS[status]} if status in _KINDS else {}
    return orjson.dumps({"error": message, **kind, "code": code, **(extra or {})})


def failure(code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The event that ends a stream which the gateway breaks off."""
    return "", {"error": message, "error_type": "generation", "code": code}


def unreadable(request: Any) -> bool:
    """Whether a request holds what is no text: images within the prompt, members that nobody knows."""
    if not isinstance(request, dict):
        return True
    if "messages" in request:
        return openai.unreadable(request) or "inputs" in request
    inputs = request.get("inputs")
    return not request.keys() <= MEMBERS or not isinstance(inputs, str) or _IMAGE in inputs


def steers(request: Any) -> tuple[str, ...]:
    """Which parameters of a request decide what the model writes."""
    given = request.get("parameters") if isinstance(request, dict) else None
    if not isinstance(given, dict):
        return ()
    grammar = given.get("grammar")
    schema = grammar.get("value") if isinstance(grammar, dict) and grammar.get("type") == "json" else "a grammar"
    found = ["max_new_tokens"] if few(given.get("max_new_tokens")) else []
    return (*found, "grammar") if grammar and picks(schema) else tuple(found)


STREAM = Stream(
    "text/event-stream",
    {
        "": Event(
            over=("generated_text",),
            told=frozenset({"generated_text"}),
            keep=frozenset({"id", "logprob", "special"}),
            silent="special",
        )
    },
    failure,
    done="[DONE]",
)


def _of_inputs(name: str, path: str, asks: str, stream: Stream | None) -> Route:
    return Route(name, "POST", path, "complete", NAME, model_key=None, when="inputs", stream=stream, asks=asks)


ROUTES = (
    _of_inputs("tgi-root", "/", "stream", STREAM),
    _of_inputs("tgi-generate", "/generate", "never", None),
    _of_inputs("tgi-stream", "/generate_stream", "always", STREAM),
    Route("tgi-chat-tokenize", "POST", "/chat_tokenize", "chat", NAME, model_key=None, when="messages"),
    Route("tgi-info", "GET", "/info", "list-models", NAME, has_body=False, model_key=None),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=error_body,
    unreadable=unreadable,
    steers=steers,
    usage=(("details", "input_length"), ("details", "generated_tokens")),
    lists=True,
    adapters=frozenset({"adapter_id"}),
)
