"""Models that a request makes use of beside the one that it changes: a copy's source, what a model is made from. Pure.

A person who may change one model may not reach another one through it: the other one is asked for by itself, is on the
same server, and is held where it is held, by all rules that hold it. What a yes opened for the one opens nothing of the
other, so both questions are asked without any. Nor does an emergency: what needs one is on record as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.access import replies
from phigate.policy.decide import Deny, Hold, Permit
from phigate.policy.schema import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from phigate.exchange import Refusal
    from phigate.policy.schema import Unknown
    from phigate.policy.targets import Ambiguous


def beside_fault(
    target: Target,
    others: Iterable[Target | Unknown | Ambiguous],
    decided: Callable[[str], Permit | Hold | Deny],
) -> Refusal | None:
    """Why `target` may not be changed by means of the others; `decided` answers for a model's name in the policy."""
    own = decided(target.name)
    for other in others:
        if not isinstance(other, Target) or other.url != target.url:
            return replies.fault(404, "model-unknown")
        theirs = decided(other.name)
        if isinstance(theirs, Deny):
            return replies.denied(theirs)
        if not _opened_alike(own, theirs):
            return replies.fault(403, "models-differ")
    return None


def _opened_alike(own: Permit | Hold | Deny, theirs: Permit | Hold) -> bool:
    """Whether whatever lets the one through, a yes or an emergency, was told of the other and speaks for it.

    A yes to this very request was; one that is for a time or a number of requests says nothing of what they name.
    """
    if isinstance(theirs, Hold):
        return isinstance(own, Hold) and own.bound and {*theirs.lacking} <= {*own.lacking}
    emergency = "break_glass"
    return theirs.verb != emergency or (isinstance(own, Permit) and (own.verb, own.rule) == (emergency, theirs.rule))
