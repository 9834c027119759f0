"""TorchServe's management port: which models there are, with how many workers, in which version.

It is another port than the one for predictions, so a policy's model of its own speaks it. What is to be registered is
told in a JSON body, which names the model: a model that only its archive names, no rule could speak of. A change is
answered once it is done: what the server would do later, nobody could put on record.
(pytorch/serve, docs/management_api.md)
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from phigate.dialect import managing
from phigate.dialect.routes import Route
from phigate.dialect.table import Dialect
from phigate.dialect.torchserve import error_body
from phigate.dialect.tree import TIME, Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "torchserve-management"

ANSWER = Fields(
    constant=frozenset({"modelName", "modelVersion", "engine", "runtime", "id", "type", "nextPageToken"}),
    drop=frozenset(),
    json=frozenset(),
    prose=frozenset({"message", "status"}),
    forms={"startTime": TIME},
)
REQUEST = Fields(constant=frozenset({"model_name"}), drop=frozenset(), json=frozenset())

_REGISTERED: dict[str, managing.Form] = {
    **dict.fromkeys(("model_name", "url", "handler"), managing.word),
    "runtime": managing.one_of("PYTHON", "PYTHON3", "LSP"),
    **dict.fromkeys(
        ("batch_size", "max_batch_delay", "initial_workers", "response_timeout", "startup_timeout"), managing.count
    ),
    **dict.fromkeys(("synchronous", "s3_sse_kms"), managing.flag),
}
_MODEL = "/models/{model}"
_WORKERS = ("?min_worker={version}", "?min_worker={version}&max_worker={version}")
_DONE: Mapping[str, bool] = MappingProxyType({"synchronous": True})


def _change(name: str, method: str, path: str) -> Route:
    return Route(
        *(f"torchserve-{name}", method, path, "manage-models", NAME),
        model_key=None,
        asks="never",
        reads=managing.READS,
        answers=managing.ANSWERS,
        members=managing.NONE,
    )


def _about(name: str, path: str) -> Route:
    return Route(f"torchserve-{name}", "GET", path, "list-models", NAME, has_body=False, model_key=None)


ROUTES = (
    _about("models", "/models"),
    _about("model", _MODEL),
    _about("model-version", f"{_MODEL}/{{id}}"),
    Route(
        *("torchserve-register", "POST", "/models", "manage-models", NAME),
        model_key="model_name",
        asks="never",
        answers=managing.ANSWERS,
        members=_REGISTERED,
        sets=_DONE,
    ),
    *(
        _change(
            f"scale{'-version' * len(version)}-{at}", "PUT", f"{_MODEL}{''.join(version)}{workers}&synchronous=true"
        )
        for version in ((), ("/{id}",))
        for at, workers in enumerate(_WORKERS, 1)
    ),
    _change("default", "PUT", f"{_MODEL}/{{id}}/set-default"),
    _change("unregister", "DELETE", _MODEL),
    _change("unregister-version", "DELETE", f"{_MODEL}/{{id}}"),
)

DIALECT = Dialect(NAME, ROUTES, request=REQUEST, answer=ANSWER, error=error_body, lists=True)
