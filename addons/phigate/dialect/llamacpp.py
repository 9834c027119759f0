"""llama.cpp's own protocol (github.com/ggml-org/llama.cpp, tools/server/README.md); its `/v1/` routes are OpenAI's.

What shows what the server keeps of other exchanges (slots, metrics) is no route at all, and neither is what answers
with token ids alone. What loads or changes a model, or moves what a slot keeps into a file and back, is
`manage-models`. A server with several models goes by `model`, which a request to one with a single model may leave out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phigate.dialect import managing, openai
from phigate.dialect.codecs import JSON, NOTHING
from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.steering import few, picks
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from phigate.dialect.codecs import Codec

NAME = "llamacpp"

PROSE = frozenset({"content", "reasoning_content", "prompt", "text", "input", "input_prefix", "input_suffix", "query"})

ANSWER = Fields(
    constant=frozenset(
        {"model", "index", "id_slot", "stop", "stop_type", "truncated", "has_new_line", "status", "object"}
        | {"tokens_predicted", "tokens_evaluated", "tokens_cached", "seed", "n_ctx", "n_predict", "max_tokens"}
    ),
    drop=frozenset(
        {"tokens", "completion_probabilities", "probs", "logprobs", "top_logprobs", "top_probs", "token", "bytes"}
    ),
    json=frozenset(),
    prose=PROSE,
    blank={"stopping_word": ""},
)
"""Keys of an answer that are not plain text. The last event has the prompt and the settings of the request again.
`stopping_word` is a piece of what the model wrote, of a length that the caller chose."""

REQUEST = Fields(
    constant=frozenset({"model", "role", "type", "id", "name", "tool_call_id"}),
    drop=frozenset(),
    json=frozenset({"arguments"}),
    prose=PROSE | openai.PROSE,
)

TEXTS = ("prompt", "content", "input", "input_prefix", "input_suffix", "query")
OPAQUE = frozenset({"image_data", "multimodal_data", "tokens", "audio_data"})
"""Members of a request that hold content that is no text."""


def unreadable(request: Any) -> bool:
    """Whether a request holds token ids, images or audio: llama.cpp takes them mixed into any prompt."""
    if openai.unreadable(request) or any(request.get(key) for key in OPAQUE):
        return True
    return not all(texts(request.get(key)) for key in TEXTS) or not _extra(request.get("input_extra"))


def texts(value: Any) -> bool:
    """Whether a value is nothing, a text or a list of texts."""
    return (
        value is None or isinstance(value, str) or (isinstance(value, list) and all(isinstance(x, str) for x in value))
    )


def _extra(files: Any) -> bool:
    return files is None or (
        isinstance(files, list)
        and all(isinstance(file, dict) and all(isinstance(part, str) for part in file.values()) for file in files)
    )


def steers(request: Any) -> tuple[str, ...]:
    """Which members of a request decide what the model writes."""
    if not isinstance(request, dict):
        return ()
    found = [key for key in ("n_predict", "max_tokens", "max_completion_tokens") if few(request.get(key))]
    found += [key for key in ("grammar", "logit_bias") if request.get(key)]
    return (*found, *(key for key in ("json_schema",) if request.get(key) and picks(request[key])))


STREAM = Stream("text/event-stream", {"": Event(whose=("index",), over=("stop",))}, openai.failure, done="[DONE]")


def _post(name: str, path: str, action: str, stream: Stream | None = None) -> Route:
    return Route(f"llamacpp-{name}", "POST", path, action, NAME, nameless=True, stream=stream)


def _health(name: str, path: str) -> Route:
    answers: dict[str, Codec] = {"application/json": JSON, "": NOTHING}
    return Route(name, "GET", path, "list-models", NAME, has_body=False, model_key=None, answers=answers)


MANAGED = Dialect(NAME, (), request=REQUEST, answer=ANSWER, error=openai.error_body, lists=True, folds=True)
"""What is asked for where nothing is said to a model."""
_NAMED: dict[str, managing.Form] = {"model": managing.word}
_FILED = {**_NAMED, "filename": managing.file}
_SCALES = {managing.ITEMS: managing.listed(managing.member(id=managing.count, scale=managing.number))}


def _manage(name: str, path: str, members: managing.Members, *, nameless: bool = True) -> Route:
    return Route(
        *(f"llamacpp-{name}", "POST", path, "manage-models", NAME),
        nameless=nameless,
        asks="never",
        reads=managing.READS,
        answers=managing.ANSWERS,
        table=MANAGED,
        members=members,
    )


ROUTES = (
    _post("completion", "/completion", "complete", STREAM),
    _post("completions", "/completions", "complete", STREAM),
    _post("infill", "/infill", "complete", STREAM),
    _post("template", "/apply-template", "chat"),
    _post("embedding", "/embedding", "embed"),
    _post("embeddings", "/embeddings", "embed"),
    Route("llamacpp-props", "GET", "/props", "manage-models", NAME, has_body=False, model_key=None),
    _manage("set-props", "/props", _NAMED),
    _manage("load", "/models/load", _NAMED, nameless=False),
    _manage("unload", "/models/unload", _NAMED, nameless=False),
    *(
        _manage(f"slot-{verb}", f"/slots/{{version}}?action={verb}", _NAMED if verb == "erase" else _FILED)
        for verb in ("save", "restore", "erase")
    ),
    Route("llamacpp-adapters", "GET", "/lora-adapters", "manage-models", NAME, has_body=False, model_key=None),
    replace(
        _manage("set-adapters", "/lora-adapters", _SCALES),
        model_key=None,
        nameless=False,
        reads={"application/json": managing.Listed()},
    ),
    _health("health", "/health"),
    _health("health-v1", "/v1/health"),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=openai.error_body,
    unreadable=unreadable,
    steers=steers,
    usage=(("tokens_evaluated",), ("tokens_predicted",)),
    lists=True,
    folds=True,
    adapters=frozenset({"lora"}),
)
