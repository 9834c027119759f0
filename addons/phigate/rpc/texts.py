"""The texts of a message's tensors, masked together: they go out as one tree and come back to where they stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phigate.dialect import kserve_grpc as kserve
from phigate.dialect.protobuf import WireError

if TYPE_CHECKING:
    from phigate.dialect.kserve_grpc import Infer
    from phigate.masking import Sight


class Misplaced(WireError):  # noqa: N818 -- what the texts are
    """What a policy's `fields` make of a message has no place for its texts any more."""


def mask(message: Infer, member: str, sight: Sight) -> list[dict[str, Any]]:
    """Mask every text of the tensors in its place; what bystanders see of them is given back.

    `member` is what the protocol's REST form calls them, in which a policy's `fields` name places: `inputs`, `outputs`.
    Elements that are no text stay.
    """
    held = [[kserve.decoded(element) for element in tensor.texts or ()] for tensor in message.tensors]
    flat = [text for texts in held for text in texts if text is not None]
    if sight.paths is None:
        named = zip(message.tensors, held, strict=True)
        rows = [{kserve.key(tensor.name): text} for tensor, texts in named for text in texts if text is not None]
        caller, shown = ([next(iter(row.values())) for row in side] for side in sight.both(rows, kserve.TEXTS))
    else:
        caller, shown = _placed(message, member, held, sight)
    if not len(caller) == len(shown) == len(flat):
        raise Misplaced("not as many texts as there were")
    out = _put_back(message, held, caller, shown)
    return [tensor | {"name": sight.for_bystanders(tensor["name"])} for tensor in out]


def _placed(message: Infer, member: str, held: list[list[str | None]], sight: Sight) -> tuple[list[Any], list[Any]]:
    rows = zip(message.tensors, held, strict=True)
    tree = {member: [{"name": tensor.name, "datatype": tensor.datatype, "data": texts} for tensor, texts in rows]}
    found = []
    for side in sight.both(tree, kserve.PLACED):
        try:
            found.append([text for row in side[member] for text in row["data"] if text is not None])
        except (KeyError, TypeError):
            raise Misplaced("hidden as a whole") from None
    return found[0], found[1]


def _put_back(
    message: Infer, held: list[list[str | None]], caller: list[Any], shown: list[Any]
) -> list[dict[str, Any]]:
    callers, showns = iter(caller), iter(shown)
    out = []
    for tensor, texts in zip(message.tensors, held, strict=True):
        if tensor.texts is None:
            out.append(tensor.shown(None))
            continue
        elements, told = [], []
        for element, text in zip(tensor.texts, texts, strict=True):
            elements.append(element if text is None else str(next(callers)).encode())
            told.append({"opaque": len(element)} if text is None else next(showns))
        tensor.texts = elements
        out.append(tensor.shown(told))
    return out


def study(message: Infer, sight: Sight) -> None:
    """Read every text of a prompt, so that a name shown in one is found in all."""
    sight.study([{kserve.key(name): text} for name, text in kserve.plain_texts(message)], kserve.TEXTS)


def parameter(name: str, text: str, sight: Sight) -> tuple[str, str]:
    """(for the other side, for bystanders) of a parameter's text."""
    if sight.paths is not None:
        return sight.text(text)
    caller, shown = sight.both([{kserve.key(name): text}], kserve.TEXTS)
    return str(next(iter(caller[0].values()))), str(next(iter(shown[0].values())))
