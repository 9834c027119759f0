"""The OpenAI dialect's lists: models, vectors and moderations, none of which a model writes."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from phigate.dialect import openai
from phigate.dialect.codecs import Json
from phigate.dialect.routes import Route
from phigate.dialect.table import Dialect
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "openai-lists"

ANSWER = Fields(
    constant=frozenset({"id", "object", "created", "model", "index", "owned_by", "parent", "root"}),
    drop=openai.ANSWER.drop,
    json=frozenset(),
    prose=openai.PROSE,
)


class Vectors(Json):
    """JSON whose vectors are what they say: numbers with fractions, as whole ones could be tokens of a text."""

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:
        tree = super().read(content, head)
        data = tree.get("data") if isinstance(tree, dict) else None
        if not isinstance(data, list) or not all(map(_is_vector, data)):
            raise ValueError("no vectors")
        return tree


def _is_vector(item: Any) -> bool:
    """Normed vectors are of fractions; one of nothing but zeros says nothing."""
    vector = item.get("embedding") if isinstance(item, dict) else None
    if not isinstance(vector, list) or not all(isinstance(number, float | int) for number in vector):
        return False
    return not any(vector) or any(not float(number).is_integer() for number in vector)


def unreadable(request: Any) -> bool:
    """Whether a request holds parts other than text, or a text as numbers of tokens."""
    if openai.unreadable(request):
        return True
    given = request.get("input")
    parts = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    return isinstance(given, dict) or any(part.keys() != {"type", "text"} for part in parts)


_VECTORS = MappingProxyType({"application/json": Vectors()})

ROUTES = (
    Route(
        "openai-embeddings",
        "POST",
        "/v1/embeddings",
        "embed",
        NAME,
        answers=_VECTORS,
        sets={"encoding_format": "float"},
    ),
    Route("openai-moderations", "POST", "/v1/moderations", "predict", NAME),
    Route("openai-models", "GET", "/v1/models", "list-models", NAME, has_body=False, model_key=None),
    Route("openai-model", "GET", "/v1/models/{model}", "list-models", NAME, has_body=False, model_key=None),
)
"""Vectors are asked for as numbers: in base64 they could not be told from a text, and clients take either."""

DIALECT = Dialect(
    NAME,
    ROUTES,
    request=openai.REQUEST,
    answer=ANSWER,
    error=openai.error_body,
    unreadable=unreadable,
    stored=openai.stored,
    usage=(("usage", "prompt_tokens"), ("usage", "completion_tokens")),
    part_of=openai.NAME,
    folds=True,
    adapters=openai.ADAPTERS,
)
