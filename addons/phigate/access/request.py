"""What a request asks for: its tree, its model, whether it wants a stream; bytes in, values out.

The upstream is sent this tree and never the caller's bytes. Two members of one name are no request all the same:
whoever looked at the bytes on their way here may have read the other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phigate.access.replies import fault
from phigate.dialect.codecs import Json, crowded, media_of
from phigate.dialect.managing import fault_of
from phigate.dialect.tree import shouts, too_deep
from phigate.exchange import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.dialect.codecs import Codec
    from phigate.dialect.routes import Match, Route
    from phigate.dialect.table import Dialect

_MAX_NAME = 256


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for; `tree` is None where it has no body."""

    route: Route
    tree: Any
    model: str | None
    streaming: bool
    readable: bool
    """Whether all content of the request is text."""
    beside: tuple[str, ...] = ()
    """Other models that it makes use of."""


def read(
    match: Match, content: bytes, head: Mapping[bytes, bytes], dialect_of: Callable[[str], Dialect]
) -> Asked | Refusal:
    """The request of a known path, or why it cannot be one; `head` has lower-case names."""
    route = match.route
    if not route.has_body:
        return Asked(route, None, route.model or match.model, streaming=route.asks == "always", readable=True)
    codec = route.reads.get(media_of(head)[0])
    if codec is None:
        return fault(415, "content-unreadable")
    tree = _tree(codec, content, head)
    if isinstance(tree, Refusal):
        return tree
    fitting = [each for each in match.routes if each.when is None or each.when in tree]
    if len({each.dialect for each in fitting}) != 1:  # of two, nobody knows which one the server reads
        return fault(400, "malformed")
    route = fitting[0]
    dialect = route.table or dialect_of(route.dialect)
    if dialect.folds and shouts(tree):
        return fault(400, "malformed")
    model = route.model or (tree.get(route.model_key) if route.model_key else match.model)
    if (route.names_model or model is not None) and not _names(model):
        return fault(400, "model-missing")
    if route.members is not None and (wrong := fault_of(tree, route.members)):
        return fault(400, wrong)
    if dialect.adapts(tree):
        return fault(404, "model-unknown")
    streaming = _streaming(route.asks, tree.get("stream"))
    if streaming is None:
        return fault(400, "malformed")
    if dialect.stored(tree):
        return fault(400, "stored-state")
    tree = {key: value for key, value in tree.items() if key not in route.omits} | dict(route.sets)
    beside = tuple(tree[key] for key in route.beside if key in tree)
    if not all(map(_names, beside)):
        return fault(400, "model-missing")
    return Asked(route, tree, model, streaming=streaming, readable=not dialect.unreadable(tree), beside=beside)


def _tree(codec: Codec, content: bytes, head: Mapping[bytes, bytes]) -> dict[str, Any] | Refusal:
    """What a body holds: an object, whatever its form."""
    if isinstance(codec, Json) and crowded(content):
        return fault(413, "too-large")
    try:
        tree = codec.read(content, head)
    except ValueError:
        return fault(400, "malformed")
    if not isinstance(tree, dict) or too_deep(tree) or (isinstance(codec, Json) and codec.doubles(content, tree)):
        return fault(400, "malformed")
    return tree


def _names(model: Any) -> bool:
    return isinstance(model, str) and 0 < len(model) <= _MAX_NAME and model.isprintable()


def _streaming(asks: str, stream: Any) -> bool | None:
    """Whether a stream is wanted; None where the request does not say it as the protocol does."""
    if asks == "always":
        return True
    if asks == "never":
        return False
    if stream is None:
        return asks == "unless"
    return stream if isinstance(stream, bool) else None
