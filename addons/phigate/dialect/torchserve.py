"""TorchServe's inference port: predictions of whatever form a model's own code answers in.

A body that is no JSON travels as the only member, `body`, of an object, as TorchServe's own workers are given it.
Answers in pieces (text in chunks) are read whole. The management port is another
(torchserve_models.py), and so is that of metrics, which is unknown.
(pytorch/serve, docs/inference_api.md)
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.codecs import JSON, LOOSE, TEXT
from phigate.dialect.kserve import steers
from phigate.dialect.routes import Route
from phigate.dialect.table import Dialect
from phigate.dialect.tensors import Unread, apart, spelled, text_of
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.dialect.codecs import Codec, Head

NAME = "torchserve"
BODY = "body"

FIELDS = Fields(constant=frozenset(), drop=frozenset(), json=frozenset(), document=True)
"""All that a model's own code says is text: nothing in it is the protocol's."""


class Carried:
    """A body of one media type that is no JSON: an object whose only member is its text, or `Unread` for all else."""

    def __init__(self, media: str) -> None:
        self.media = media

    def read(self, content: bytes, _head: Mapping[bytes, bytes]) -> Any:
        return {BODY: text_of(content)}

    def write(self, tree: Any) -> tuple[bytes, Head]:
        body = tree.get(BODY)
        if not isinstance(body, str | Unread):
            raise ValueError("no body")  # noqa: TRY004 -- a body that cannot be written is one kind of fault
        content = body.content if isinstance(body, Unread) else body.encode()
        return content, [(b"content-type", self.media.encode())]


def error_body(status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error in TorchServe's shape: `code` is the status, `type` says what it is."""
    return orjson.dumps({"code": status, "type": code, "message": message, **(extra or {})})


def unreadable(request: Any) -> bool:
    """Whether a request holds what nobody can read: a picture, token ids."""
    return apart(request) or spelled(request, floats=False)


def unclear(answer: Any) -> bool:
    """Whether an answer holds what nobody can read."""
    return apart(answer) or spelled(answer)


_OTHERS = (
    *("application/octet-stream", "image/jpeg", "image/png", "image/tiff", "application/dicom"),
    *("audio/wav", "audio/mpeg", "application/pdf"),
)
_CARRIED = {media: Carried(media) for media in _OTHERS}
READS: Mapping[str, Codec] = MappingProxyType(
    {"application/json": JSON, "text/plain": Carried("text/plain"), "": Carried("application/octet-stream"), **_CARRIED}
)
ANSWERS: Mapping[str, Codec] = MappingProxyType({"application/json": JSON, "text/plain": TEXT, "": LOOSE, **_CARRIED})


def _predict(name: str, path: str) -> Route:
    return Route(name, "POST", path, "predict", NAME, model_key=None, asks="never", reads=READS, answers=ANSWERS)


ROUTES = (
    _predict("torchserve-predict", "/predictions/{model}"),
    _predict("torchserve-predict-version", "/predictions/{model}/{id}"),
    _predict("torchserve-explain", "/explanations/{model}"),
    _predict("torchserve-explain-version", "/explanations/{model}/{id}"),
    Route("torchserve-ping", "GET", "/ping", "list-models", NAME, has_body=False, model_key=None, answers=ANSWERS),
)

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=FIELDS,
    answer=FIELDS,
    error=error_body,
    unreadable=unreadable,
    unclear=unclear,
    steers=steers,
    lists=True,
)
