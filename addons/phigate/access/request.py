"""What a request asks for: its tree, its model, whether it wants a stream; bytes in, values out.

JSON is read strictly by orjson (UTF-8, no NaN, bounded depth); of duplicate names the last one counts here and is
the only one that goes on, since the upstream is sent this tree and never the caller's bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from phigate.access.replies import fault
from phigate.dialect import openai
from phigate.dialect.tree import too_deep

if TYPE_CHECKING:
    from phigate.dialect.routes import Route
    from phigate.exchange import Refusal

_MAX_NAME = 256


@dataclass(frozen=True, slots=True)
class Asked:
    tree: dict[str, Any] | None
    model: str | None
    streaming: bool
    readable: bool
    """Whether all content of the request is text."""


def read(route: Route, content: bytes) -> Asked | Refusal:
    """The request of a known route, or why it cannot be one."""
    if not route.has_body:
        return Asked(None, None, streaming=False, readable=True)
    try:
        tree = orjson.loads(content)
    except ValueError:
        return fault(400, "malformed")
    if not isinstance(tree, dict) or too_deep(tree):
        return fault(400, "malformed")
    model = tree.get(route.model_key) if route.model_key else None
    if route.model_key and (not isinstance(model, str) or not 0 < len(model) <= _MAX_NAME or not model.isprintable()):
        return fault(400, "model-missing")
    streaming = tree.get("stream") or False
    if not isinstance(streaming, bool):
        return fault(400, "malformed")
    return Asked(tree, model, streaming=streaming, readable=not openai.unreadable(tree))
