"""What a policy says that can never come about, or not at every hour: no fault, but hardly what was meant. Pure.

How many people are in a group only the identity provider knows: a policy tells no more than which roles may answer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from phigate.policy.hours import times
from phigate.policy.reach import Week, both, either, ever, one_clock, week, without
from phigate.policy.sentences import quoted
from phigate.policy.targets import untagged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.policy.hours import Times
    from phigate.policy.schema import Policy, Rule

WAITS: Final = timedelta(days=1)
"""How long a ticket waits for its answer."""
LASTS: Final = timedelta(weeks=1)
"""How long a yes is good for where its rule names no time."""


def advice(policy: Policy) -> Iterator[str]:
    """Sentences about rules that nobody can ever answer for, and about what is off outside of hours."""
    yield from _unanswered(policy)
    yield from _never_in_time(policy)
    yield from _off(policy)
    yield from _unbound(policy)


def _unanswered(policy: Policy) -> Iterator[str]:
    """Rules whose approvers or reviewers no rule lets `review`."""
    reviewing = _about_reviews(policy)
    for rule in policy.rules:
        key, roles = ("approvers", rule.approvers) if rule.hold else ("review_by", rule.review_by)
        lacking = [role for role in roles if not _may(role, reviewing)]
        if not lacking:
            continue
        place, named = f"rules[{rule.name}].{key}", ", ".join(map(quoted, lacking))
        yield f"{place}: no rule permits {named} to `review`, so they never answer"
        if len(lacking) == len(roles):
            yield f"{place}: nobody can ever answer"


def _never_in_time(policy: Policy) -> Iterator[str]:
    """Holds whose hours, those of their grants and those of the people who answer never come together."""
    reviewing = _about_reviews(policy)
    for rule in policy.rules:
        holds, counts = times(rule.hours), times(rule.grant.hours)
        answering = [role for role in rule.approvers if _may(role, reviewing)]
        if not rule.hold or not answering or (holds is None and counts is None):
            continue
        if one_clock((holds, counts)) and 1 not in both(week(holds), week(counts)):
            yield f"rules[{rule.name}].grant.hours: none of them is one of the rule's: a yes never counts"
            continue
        if not one_clock((holds, counts, *(times(each.hours) for each in reviewing))):
            continue
        used = both(week(holds), week(counts))
        answered = either(_reviews(role, reviewing) for role in answering)
        if not ever(week(holds), answered, used, WAITS, rule.grant.for_ or LASTS):
            yield f"rules[{rule.name}].hours: nobody may `review` in time: every yes is too late, or over too soon"


def _off(policy: Policy) -> Iterator[str]:
    """What restricts, and does not at every hour."""
    for rule in policy.rules:
        hours = times(rule.hours)
        if hours is None:
            continue
        place = f"rules[{rule.name}].hours: outside of {hours}"
        if rule.deny:
            yield f"{place} it denies nothing"
        elif rule.hold:
            free = [quoted(each.name) for each in policy.rules if each.permit and _opens(each, rule, hours)]
            if free:
                yield f"{place} nobody is asked: what {', '.join(free)} permits then passes without a yes"


def _unbound(policy: Policy) -> Iterator[str]:
    """Deployments of which a yes to one run is one to whatever another run of that pipeline does."""
    if not any(issuer.context_from for issuer in policy.issuers):
        return
    for rule in policy.rules:
        if rule.hold and "manage-models" in rule.to and rule.grant.bind != "request":
            yield (
                f"rules[{rule.name}].grant: a yes to one run of a pipeline lets by what its other runs do to it; "
                "`bind: request` would not"
            )


def _opens(permit: Rule, hold: Rule, hours: Times) -> bool:
    """Whether a permit lets through, at some hour at which the hold is off, what it holds at others."""
    shared = (
        _overlap(permit.permit, hold.hold),
        {*permit.to} & {*hold.to},
        _overlap(map(untagged, permit.models), map(untagged, hold.models)),
    )
    own = times(permit.hours)
    met = not one_clock((own, hours)) or 1 in without(week(own), week(hours))
    return all(shared) and met


def _overlap(one: Iterable[str], other: Iterable[str]) -> bool:
    ours, theirs = {*one}, {*other}
    return "*" in ours | theirs or bool(ours & theirs)


def _about_reviews(policy: Policy) -> list[Rule]:
    """A rule that looks at a prompt finds nothing in a review, which has none."""
    return [rule for rule in policy.rules if {"review", "*"} & {*rule.to} and rule.when is None]


def _may(role: str, rules: list[Rule]) -> bool:
    """Whether somebody who holds this role, and no other, may review, at whatever hour."""
    lets = [rule for rule in rules if _names(rule.permit, role)]
    stops = [rule for rule in rules if _names((*rule.deny, *rule.hold), role)]
    if not lets or any(not rule.hours for rule in stops):
        return False
    hours = [times(rule.hours) for rule in (*lets, *stops)]
    return not one_clock(hours) or 1 in _reviews(role, rules)


def _reviews(role: str, rules: list[Rule]) -> Week:
    """When somebody who holds this role, and no other, may review; all hours are by one clock."""
    lets = either(week(times(rule.hours)) for rule in rules if _names(rule.permit, role))
    stops = either(week(times(rule.hours)) for rule in rules if _names((*rule.deny, *rule.hold), role))
    return without(lets, stops)


def _names(roles: tuple[str, ...], role: str) -> bool:
    return role in roles or "*" in roles
