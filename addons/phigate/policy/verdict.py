"""What comes of a request under a policy, and how that differs from what came of it under another. Pure.

One vocabulary for policies that are tried on recorded requests and for those that are asked beside the one in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from phigate.policy.decide import Permit
from phigate.policy.words import ENTITIES, OTHER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from phigate.policy.masks import Mask

CHANGES = (
    "newly-permitted",
    "newly-denied",
    "newly-held",
    "no-longer-held",
    "rule-only",  # the same verb, by another rule or for another reason
    "newly-shown",
    "newly-hidden",
    "masked-otherwise",  # hidden in both, in another way
)
"""What a change is called, in reports, records and metrics."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy makes of a request: `mask` is the caller's, `prompt` the model's (None shows it all).

    By break-glass it is a `permit` too, of another rule.
    `restore` puts back in the answer what `prompt` replaced.
    """

    verb: str
    rule: str | None
    reason: str | None = None
    mask: Mask | None = None
    prompt: Mask | None = None
    restore: bool = False


def withheld(decision: object, *, readable: bool, steers: bool) -> str | None:
    """Why a permit does not let a request's content through: that cannot be read, or decides what the model writes."""
    if not isinstance(decision, Permit):
        return None
    if not readable and not decision.opaque:
        return "content-unreadable"
    return "steering-refused" if steers and decision.mask.hides and not decision.steering else None


def verdict(decision: Any, *, readable: bool = True, steers: bool = False) -> Verdict:
    """What comes of a request of which `decision` was made."""
    if not isinstance(decision, Permit):
        return Verdict(decision.verb, decision.rule, decision.reason)
    if reason := withheld(decision, readable=readable, steers=steers):
        return Verdict("deny", None, reason)
    return Verdict("permit", decision.rule, None, decision.mask, decision.prompt, decision.restore)


def changes(old: Verdict, new: Verdict) -> tuple[str, ...]:
    """What of CHANGES a decision changed in, apart from what is shown; empty where it is the same."""
    if old.verb == new.verb:
        return () if (old.rule, old.reason) == (new.rule, new.reason) else ("rule-only",)
    became = {"permit": "newly-permitted", "hold": "newly-held"}.get(new.verb, "newly-denied")
    return (became, "no-longer-held") if old.verb == "hold" else (became,)


def shift(old: Mask | None, new: Mask | None, entity: str) -> str | None:
    """What of CHANGES one kind of identifier changed in between two masks; None (no mask) shows everything."""
    before, after = hides(old, entity), hides(new, entity)
    if before != after:
        return "newly-hidden" if after else "newly-shown"
    if not before or old is None or new is None:
        return None
    return None if old.of(entity) == new.of(entity) and _same_options(old, new) else "masked-otherwise"


def hides(mask: Mask | None, entity: str) -> bool:
    """Whether nobody on this side sees an identifier of this kind as it is."""
    return mask is not None and mask.of(entity).name != "keep"


def _same_options(old: Mask, new: Mask) -> bool:
    return (old.scope, old.bias, old.undecodable) == (new.scope, new.bias, new.undecodable)


_NONE: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@lru_cache(maxsize=1024)
def shifts(old: Mask | None, new: Mask | None) -> Mapping[str, tuple[str, ...]]:
    """Kinds of identifiers by what of CHANGES they change in, whether any is found or not; OTHER is every further kind.

    `("*",)` stands for all kinds.
    """
    if old == new:
        return _NONE
    named = {entity for mask in (old, new) if mask is not None for entity in mask.transforms}
    known = sorted(ENTITIES | named | {OTHER})
    found: dict[str, list[str]] = {}
    for entity in known:
        if kind := shift(old, new, entity):
            found.setdefault(kind, []).append(entity)
    return {kind: ("*",) if len(of) == len(known) else tuple(of) for kind, of in found.items()}


def shifted(listed: Iterable[str], entity: str) -> bool:
    """Whether a list that `shifts` made holds a kind of identifier."""
    listed = frozenset(listed)
    return bool(listed & {"*", entity}) or (entity not in ENTITIES and OTHER in listed)
