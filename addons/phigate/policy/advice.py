"""What a policy says that can never come about: no fault, since it permits nothing, but hardly what was meant. Pure.

How many people are in a group only the identity provider knows: a policy tells no more than which roles may answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.policy.sentences import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.policy.schema import Policy, Rule


def advice(policy: Policy) -> Iterator[str]:
    """Sentences about rules whose approvers or reviewers no rule lets `review`."""
    reviewing = _who_may_review(policy)
    for rule in policy.rules:
        key, roles = ("approvers", rule.approvers) if rule.hold else ("review_by", rule.review_by)
        lacking = [role for role in roles if not _may(role, reviewing)]
        if not lacking:
            continue
        place, named = f"rules[{rule.name}].{key}", ", ".join(map(quoted, lacking))
        yield f"{place}: no rule permits {named} to `review`, so they never answer"
        if len(lacking) == len(roles):
            yield f"{place}: nobody can ever answer"


def _who_may_review(policy: Policy) -> list[Rule]:
    return [rule for rule in policy.rules if "review" in rule.to or "*" in rule.to]


def _may(role: str, rules: list[Rule]) -> bool:
    """Whether somebody who holds this role, and no other, may review."""

    def about(named: tuple[str, ...]) -> bool:
        return role in named or "*" in named

    return any(about(rule.permit) for rule in rules) and not any(about(rule.deny) for rule in rules)
