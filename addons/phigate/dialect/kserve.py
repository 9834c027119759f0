"""KServe's inference protocol v2 over REST, as Triton, MLServer and KServe serve it, and their streams.

Tensors of BYTES are text whatever they are called, and a tensor's name says what its text is (`mrn`). Numbers pass
where they cannot be text (see tensors.py). What lies in memory that server and client share passes no gateway, so
nothing that speaks of it does; its routes and `/metrics` are unknown. Of logging and tracing nothing can be set that
writes a file of the caller's choice, or tensors into one: there they would lie unmasked.
(kserve/open-inference-protocol; triton-inference-server/server, docs/protocol)
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect import managing
from phigate.dialect.codecs import BARE, JSON, TEXT
from phigate.dialect.events import Event, Stream
from phigate.dialect.routes import Route
from phigate.dialect.steering import few, picks
from phigate.dialect.table import Dialect
from phigate.dialect.tensors import TENSORS, Unread, apart, spelled, unread
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from phigate.dialect.codecs import Codec

NAME = "kserve"

_PLAIN = frozenset(
    {"text", "text_input", "text_output", "input", "inputs", "output", "outputs", "prompt", "generated_text"}
    | {"completion", "content", "response", "answer", "result", "message", "prediction", "predictions", "data"}
    | {"input0", "input_0", "input__0", "output0", "output_0", "output__0", "query", "question", "error", "reason"}
)
PROSE = _PLAIN | {name.upper() for name in _PLAIN}
"""Names of tensors and members that only say that they are text."""

ANSWER = Fields(
    constant=frozenset(
        {"id", "name", "model_name", "model_version", "datatype", "version", "versions", "platform", "backend", "state"}
    ),
    drop=frozenset(
        {"token_id", "token_ids", "output_ids", "output_token_ids", "generated_ids", "input_ids", "prompt_token_ids"}
        | {"tokens", "logprobs", "log_probs", "output_log_probs", "context_logits", "generation_logits"}
    ),
    json=frozenset(),
    prose=PROSE,
    named=MappingProxyType({"data": "name"}),
)
"""Keys of an answer that are not plain text. Triton's generate tells its model's other outputs as members, and token
ids and per-token numbers repeat the text among them."""

GENERATED = ANSWER.without_constant("version", "versions", "platform", "backend", "state")
"""The same for generate, where a member that is no tensor's is an output of the model's, whatever it is called."""

REQUEST = Fields(
    constant=frozenset({"id", "name", "datatype"}),
    drop=frozenset(),
    json=frozenset(),
    prose=PROSE,
    named=ANSWER.named,
)

_REQUEST_KEYS = frozenset({"id", "parameters", "inputs", "outputs"})
_TENSOR_KEYS = frozenset({"name", "shape", "datatype", "parameters", "data"})
_OPAQUE = re.compile(r"image|audio|video|multi_modal|embed|^file:", re.IGNORECASE)
"""Members of a generate or load request that hold or name content that is no text."""
_PART = re.compile(r"config|file:[A-Za-z0-9][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_-]+)*")
"""Parts of a model that a load request brings: its configuration, files under its folder."""
_SHARED = "shared_memory"
_TEXT = "text_output"
_SEQUENCE = "sequence_id"
"""Names what a model remembers of earlier requests (extension_sequence); 0 is none."""
_COUNTED = frozenset({"data", "shape"})
"""Members of a tensor that were looked at already."""

_LIMITS = frozenset(
    {"max_tokens", "max_new_tokens", "max_output_tokens", "max_completion_tokens", "request_output_len", "max_length"}
)
_CHOOSES = re.compile(
    r"guided|grammar|regex|choice|structured|constrain|bias|bad_words|allowed_token|logits_processor", re.IGNORECASE
)
"""Members that say which words a model may write."""
_SCHEMAS = frozenset({"response_format", "json_schema", "schema"})


def error_body(_status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error as its clients show it: `error` is the message itself."""
    return orjson.dumps({"error": message, "code": code, **(extra or {})})


def failure(_code: str, message: str) -> tuple[str, dict[str, Any]]:
    """The event that ends a stream which the gateway breaks off."""
    return "", {"error": message}


def unreadable(request: Any) -> bool:
    """Whether a request holds what nobody can read: tensors that are no text, token ids, pictures."""
    if not isinstance(request, dict):
        return True
    if "inputs" in request and isinstance(request["inputs"], list):
        if not request.keys() <= _REQUEST_KEYS:
            return True
        if any(each.keys() - _TENSOR_KEYS for each in request["inputs"]):
            return True
        return _unread(request, answer=False)
    return _unread(request, answer=False) or any(_OPAQUE.search(key) and value for key, value in _members(request))


def unclear(answer: Any) -> bool:
    """Whether an answer, or an event, holds what nobody can read."""
    if not isinstance(answer, dict):
        return False
    if isinstance(answer.get(_TEXT), int | float):  # some clients join whatever comes in pieces
        return True
    return _unread({key: value for key, value in answer.items() if key not in ANSWER.drop}, answer=True)


def _unread(message: dict[str, Any], *, answer: bool) -> bool:
    """Whether a message's tensors, or lists of numbers anywhere else in it, hold what nobody can read."""
    rest = dict(message)
    for key in ("inputs", "outputs"):
        tensors = message.get(key)
        if isinstance(tensors, list) and all(isinstance(each, dict) for each in tensors):
            if any(unread(each, answer=answer) for each in tensors if "data" in each):
                return True
            rest[key] = [{name: value for name, value in each.items() if name not in _COUNTED} for each in tensors]
    return apart(rest) or spelled(rest, floats=answer)


def stored(request: Any) -> bool:
    """Whether a request speaks of shared memory, where what lies is another's or goes out past every mask, or of a
    sequence, which the server goes on with whoever asks it to.
    """
    return any(key.startswith(_SHARED) or (key == _SEQUENCE and value) for key, value in _members(request))


def steers(request: Any) -> tuple[str, ...]:
    """Members that decide what the model writes: of the request, its parameters, or tensors of that name."""
    return tuple(sorted({key for key, value in _members(request) if _decides(key, value)}))


def _decides(key: str, value: Any) -> bool:
    if value is None or value is False or value in ("", [], {}):
        return False
    if key in _LIMITS:
        return any(map(few, _numbers(value)))
    if key in _SCHEMAS:
        return picks(value) and not (key == "response_format" and isinstance(value, str))
    return bool(_CHOOSES.search(key))


def _numbers(value: Any) -> list[Any]:
    if isinstance(value, Unread):
        return list(value.numbers())
    return [number for each in value for number in _numbers(each)] if isinstance(value, list) else [value]


def _members(tree: Any) -> Iterator[tuple[str, Any]]:
    """(key, value) of every member at any depth, also of texts that hold JSON; a tensor's data under its name."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield from ((str(key), value) for key, value in node.items())
            if isinstance(node.get("name"), str) and "data" in node:
                yield node["name"], node["data"]
            stack += node.values()
        elif isinstance(node, list):
            stack += node
        elif isinstance(node, str) and node.lstrip()[:1] == "{":
            stack.append(_loaded(node))


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


ABOUT = Dialect(NAME, (), request=REQUEST, answer=ANSWER, error=error_body, stored=stored, lists=True)
"""What is told of models: lists of numbers are shapes there."""

_TABLE = Dialect(
    NAME,
    (),
    request=REQUEST,
    answer=ANSWER,
    error=error_body,
    unreadable=unreadable,
    unclear=unclear,
    stored=stored,
    steers=steers,
    adapters=frozenset({"lora_name"}),
    lists=True,
)

STREAM = Stream("text/event-stream", {"": Event(either=True, alike=True)}, failure)
"""One event a token, or all of the text anew: backends differ. Triton's are objects of texts, MLServer's of tensors."""

_AS_TENSORS: Mapping[str, Codec] = MappingProxyType({"application/json": TENSORS, "application/octet-stream": TENSORS})
_FROM_CLIENTS: Mapping[str, Codec] = MappingProxyType({**_AS_TENSORS, "": TENSORS})
"""Triton's own clients send no media type."""
_DESCRIBED: Mapping[str, Codec] = MappingProxyType({"application/json": JSON, "": BARE, "text/plain": TEXT})


def _infer(name: str, path: str, stream: Stream | None = None) -> Route:
    """A route for tensors."""
    return Route(
        *(name, "POST", path, "predict", NAME),
        model_key=None,
        stream=stream,
        asks="always" if stream else "never",
        reads=_FROM_CLIENTS,
        answers=_AS_TENSORS,
    )


def _generate(name: str, path: str, stream: Stream | None = None) -> Route:
    """A route for text."""
    asks = "always" if stream else "never"
    return Route(
        *(name, "POST", path, "complete", NAME),
        model_key=None,
        stream=stream,
        asks=asks,
        reads=_FROM_CLIENTS,
        answers={"application/json": TENSORS},
        table=replace(_TABLE, answer=GENERATED),
    )


def _about(name: str, path: str) -> Route:
    """A route that tells which models there are, and how they are."""
    return Route(
        name, "GET", path, "list-models", NAME, has_body=False, model_key=None, answers=_DESCRIBED, table=ABOUT
    )


def _manage(name: str, path: str, members: managing.Members) -> Route:
    """A route that loads or unloads models, or tells which could be, or sets what the server writes down."""
    return Route(
        *(name, "POST", path, "manage-models", NAME),
        model_key=None,
        asks="never",
        reads=managing.READS,
        answers=managing.ANSWERS,
        table=SETTINGS,
        members=members,
    )


def _settings(name: str, path: str) -> Route:
    """A route that tells what the server writes down."""
    return replace(_about(name, path), action="manage-models", table=SETTINGS)


SETTINGS = replace(ABOUT, unreadable=unreadable)
_LOADED = {"parameters": managing.mapped(managing.formed(_PART), lambda value: isinstance(value, str))}
_UNLOADED = {"parameters": managing.member(unload_dependents=managing.flag)}
_LOGGED: dict[str, managing.Form] = {
    **dict.fromkeys(("log_info", "log_warnings", "log_errors"), managing.flag),
    "log_verbose_level": managing.count,
    "log_format": managing.one_of("default", "ISO8601"),
}
_LEVELS = managing.one_of("OFF", "TIMESTAMPS")
_DIGITS = managing.formed(re.compile(r"-?[0-9]{1,9}"))
_TRACED: dict[str, managing.Form] = {
    "trace_level": managing.either(_LEVELS, managing.listed(_LEVELS)),
    **dict.fromkeys(("trace_rate", "trace_count", "log_frequency"), _DIGITS),
}


_MODEL, _VERSION = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
ROUTES = (
    _infer("kserve-infer", f"{_MODEL}/infer"),
    _infer("kserve-infer-version", f"{_VERSION}/infer"),
    _infer("kserve-infer-stream", f"{_MODEL}/infer_stream", STREAM),
    _infer("kserve-infer-stream-version", f"{_VERSION}/infer_stream", STREAM),
    _generate("kserve-generate", f"{_MODEL}/generate"),
    _generate("kserve-generate-version", f"{_VERSION}/generate"),
    _generate("kserve-generate-stream", f"{_MODEL}/generate_stream", STREAM),
    _generate("kserve-generate-stream-version", f"{_VERSION}/generate_stream", STREAM),
    _about("kserve-server", "/v2"),
    _about("kserve-live", "/v2/health/live"),
    _about("kserve-ready", "/v2/health/ready"),
    _about("kserve-statistics", "/v2/models/stats"),
    _about("kserve-model", _MODEL),
    _about("kserve-model-version", _VERSION),
    _about("kserve-model-ready", f"{_MODEL}/ready"),
    _about("kserve-model-ready-version", f"{_VERSION}/ready"),
    _about("kserve-model-config", f"{_MODEL}/config"),
    _about("kserve-model-config-version", f"{_VERSION}/config"),
    _about("kserve-model-statistics", f"{_MODEL}/stats"),
    _about("kserve-model-statistics-version", f"{_VERSION}/stats"),
    _manage("kserve-repository", "/v2/repository/index", {"ready": managing.flag}),
    _manage("kserve-load", "/v2/repository/models/{model}/load", _LOADED),
    _manage("kserve-unload", "/v2/repository/models/{model}/unload", _UNLOADED),
    _settings("kserve-logging", "/v2/logging"),
    _settings("kserve-trace", "/v2/trace/setting"),
    _settings("kserve-model-trace", f"{_MODEL}/trace/setting"),
    _manage("kserve-set-logging", "/v2/logging", _LOGGED),
    _manage("kserve-set-trace", "/v2/trace/setting", _TRACED),
    _manage("kserve-set-model-trace", f"{_MODEL}/trace/setting", _TRACED),
)

DIALECT = replace(_TABLE, routes=ROUTES)
