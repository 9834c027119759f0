"""What a policy on trial would have made of a request: asked after the one in force, and only ever recorded.

Whatever breaks in here is a value like all others: nobody waits for it, and nothing is permitted or refused by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phigate.policy.decide import judge
from phigate.policy.patterns import Prompt
from phigate.policy.targets import Target
from phigate.policy.verdict import Verdict, changes, shifts, verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.exchange import Subject
    from phigate.policy.decide import PromptFacts
    from phigate.policy.schema import Policy
    from phigate.policy.targets import Ambiguous, Unknown

    type Meant = Callable[[Policy], Target | Unknown | Ambiguous | None]

UNMET = Verdict("deny", None, "issuer-unknown")
"""Whose bearers this policy does not believe."""


def guarded(ask: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """What `ask` tells, or {"error": NAME} where it broke: a policy on trial breaks nothing else."""
    try:
        return ask()
    except Exception as error:  # noqa: BLE001 -- whatever it is
        return {"error": type(error).__name__}


def tried(
    policy: Policy,
    real: Verdict,
    *,
    subject: Subject,
    actions: frozenset[str],
    meant: Meant,
    facts: PromptFacts,
    readable: bool,
    steers: bool,
    now: float,
) -> dict[str, Any]:
    """`shadow` of a request's record; `meant` tells which model of a policy is asked for (None: it needs none).

    `differs` holds words of policy.verdict.CHANGES; `answer` and `prompt` hold, by such a word, the kinds of
    identifiers that would be masked in another way if any of them is found.
    """
    return fields(policy.sha256, real, _made(policy, subject, actions, meant, facts, readable, steers, now))


def _made(  # noqa: PLR0917 -- in the order in which they are looked at
    policy: Policy,
    subject: Subject,
    actions: frozenset[str],
    meant: Meant,
    facts: PromptFacts,
    readable: bool,
    steers: bool,
    now: float,
) -> Verdict:
    if subject.issuer not in policy.trusted:
        return UNMET
    target = meant(policy)
    if target is not None and not isinstance(target, Target):
        return Verdict("deny", None, target.reason)
    roles, says = policy.roles_of(subject.groups), Prompt(facts.texts).matches
    decision = judge(policy, roles, actions, target.name if target else None, facts, says, now)
    return verdict(decision, readable=readable, steers=steers)


def fields(sha256: str, real: Verdict, made: Verdict) -> dict[str, Any]:
    """What is recorded of a verdict beside the real one."""
    masks = {"answer": (real.mask, made.mask), "prompt": (real.prompt, made.prompt)} if _both_permit(real, made) else {}
    found = {side: {kind: list(of) for kind, of in shifts(*pair).items()} for side, pair in masks.items()}
    shown = {kind: None for kinds in found.values() for kind in kinds}
    return {
        "policy": sha256,
        "verb": made.verb,
        "rule": made.rule,
        "reason": made.reason,
        "differs": [*changes(real, made), *shown],
        **{side: kinds for side, kinds in found.items() if kinds},
    }


def _both_permit(real: Verdict, made: Verdict) -> bool:
    return real.verb == made.verb == "permit"
