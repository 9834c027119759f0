"""TensorFlow Serving's REST API: predictions, classifications, regressions, and what there is to know of a model.

Bytes stand in `{"b64": ...}`: text among them is decoded, masked and encoded again, all else stays apart. The status of
a model (`GET /v1/models/NAME`) is asked as in the OpenAI dialect, which has the same path.
(tensorflow/serving, g3doc/api_rest.md)
"""

from __future__ import annotations

import base64
import binascii
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.codecs import BARE, JSON, Json
from phigate.dialect.kserve import steers
from phigate.dialect.routes import Route
from phigate.dialect.table import Dialect
from phigate.dialect.tensors import Unread, apart, spelled, text_of
from phigate.dialect.tree import Fields, too_deep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.dialect.codecs import Codec, Head

NAME = "tfserving"
_B64 = "b64"

REQUEST = Fields(constant=frozenset(), drop=frozenset(), json=frozenset(), document=True)
ANSWER = REQUEST
"""What stands in a tensor is the caller's or the model's, and a model's signature names the tensors."""
_KEYS = frozenset({"signature_name", "instances", "inputs", "examples", "context"})


class Encoded(Json):
    """JSON with bytes in base64 (RFC 4648, 4), which a tree holds as text, or as `Unread` where they are none."""

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:
        tree = super().read(content, head)
        if too_deep(tree):
            raise ValueError("nested too deep")
        return _each(tree, _decoded)

    def write(self, tree: Any) -> tuple[bytes, Head]:
        return super().write(_each(tree, _encoded))


def _each(node: Any, make: Callable[[Any], Any]) -> Any:
    """A tree in which each `{"b64": ...}` holds what is made of its content."""
    if isinstance(node, dict):
        if node.keys() == {_B64}:
            return {_B64: make(node[_B64])}
        return {key: _each(value, make) for key, value in node.items()}
    return [_each(item, make) for item in node] if isinstance(node, list) else node


def _decoded(value: Any) -> str | Unread:
    if not isinstance(value, str):
        raise ValueError("no base64")  # noqa: TRY004 -- a body that cannot be read is one kind of fault
    try:
        return text_of(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError("no base64") from None


def _encoded(value: Any) -> str:
    content = value.content if isinstance(value, Unread) else str(value).encode()
    return base64.b64encode(content).decode()


def error_body(_status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error in TensorFlow Serving's shape: `error` is the message itself."""
    return orjson.dumps({"error": message, "code": code, **(extra or {})})


def unreadable(request: Any) -> bool:
    """Whether a request holds what nobody can read: bytes that are no text, token ids, members nobody knows."""
    known = isinstance(request, dict) and request.keys() <= _KEYS
    return not known or apart(request) or spelled(request, floats=False)


def unclear(answer: Any) -> bool:
    """Whether an answer holds what nobody can read."""
    return apart(answer) or spelled(answer)


ABOUT = Dialect(
    NAME,
    (),
    request=REQUEST,
    answer=Fields(
        constant=frozenset(
            {"name", "version", "signature_name", "state", "error_code", "dtype", "size", "method_name"}
        ),
        drop=frozenset(),
        json=frozenset(),
    ),
    error=error_body,
)
"""What is told of a model is the server's own, and its lists of numbers are shapes."""

_READS: Mapping[str, Codec] = MappingProxyType({"application/json": Encoded(), "": Encoded()})
_ABOUT: Mapping[str, Codec] = MappingProxyType({"application/json": JSON, "": BARE})
_MODEL, _VERSION = "/v1/models/{model}", "/v1/models/{model}/versions/{version}"


def _ask(verb: str, path: str, suffix: str = "") -> Route:
    name = f"tfserving-{verb}{suffix}"
    shown = {"application/json": Encoded()}
    return Route(
        *(name, "POST", f"{path}:{verb}", "predict", NAME), model_key=None, asks="never", reads=_READS, answers=shown
    )


def _about(name: str, path: str) -> Route:
    return Route(name, "GET", path, "list-models", NAME, has_body=False, model_key=None, answers=_ABOUT, table=ABOUT)


ROUTES = (
    *(_ask(verb, _MODEL) for verb in ("predict", "classify", "regress")),
    *(_ask(verb, _VERSION, "-version") for verb in ("predict", "classify", "regress")),
    _about("tfserving-metadata", f"{_MODEL}/metadata"),
    _about("tfserving-metadata-version", f"{_VERSION}/metadata"),
    _about("tfserving-version", _VERSION),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=REQUEST,
    answer=ANSWER,
    error=error_body,
    unreadable=unreadable,
    unclear=unclear,
    steers=steers,
)
