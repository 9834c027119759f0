"""May this subject do this, to this model, with this prompt? The one place where rules are combined. Pure.

- deny > break_glass (only with its header) > hold > permit; the order of the rules in the file changes nothing.
- An exchange has a set of actions: a deny on any of them denies, and each must be permitted or held by itself.
- `unmask` permits nothing: it changes the mask of an exchange whose other actions are permitted for the same model.
- Among matching permits the strictest transform wins for each entity; `opaque` needs every one of them to say so.
- A rule matches only in its hours; what began in them may go on.
- A hold for which a grant is at hand counts as a permit; every hold that matches needs one of its own.
- Whoever has a grant that does not count at this hour need not ask for another one: that is denied.
- A permit by break-glass, and the mask of a granted rule for `unmask`, stand in place of what other rules say; but one
  for `unmask` alone leaves held what else is held.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from phigate.policy.hashes import rule_hash
from phigate.policy.hours import times
from phigate.policy.masks import Mask, strictest
from phigate.policy.patterns import Prompt, compile_pattern
from phigate.policy.targets import folded, untagged
from phigate.policy.words import ACTIONS, MODEL_FREE_ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import timedelta

    from phigate.exchange import Subject
    from phigate.policy.grants import Grant
    from phigate.policy.hours import Times
    from phigate.policy.schema import GrantTerms, Policy, Rule

_MEMO = 1024

_MESSAGES = {
    "no-rule": "No rule of the policy permits this.",
    "denied": "A rule of the policy denies this.",
    "reason-missing": "Unmasking needs a reason: phi-unmask: REASON.",
    "justification-missing": "Asking for this needs a reason: phi-justification: TEXT.",
    "approval-required": "Somebody has to approve this first.",
    "outside-hours": "What was approved does not count at this hour.",
}


@dataclass(frozen=True, slots=True)
class PromptFacts:
    """What the rules may look at besides who, what and which model: the prompt's texts and the caller's headers."""

    texts: tuple[str, ...] = ()
    unmask: str | None = None
    break_glass: str | None = None
    justification: str | None = None
    digest: str | None = None
    """Of the whole request, where a grant may be bound to it."""

    @property
    def stated(self) -> tuple[str, ...]:
        """Which of the caller's headers give a reason, by their names in records."""
        headers = {"break-glass": self.break_glass, "justification": self.justification, "unmask": self.unmask}
        return tuple(name for name, reason in headers.items() if reason is not None)


@dataclass(frozen=True, slots=True)
class Permit:
    """Go ahead; `rules` are all that matched, `purpose` joins different ones with `+`.

    `verb` is `break_glass` where only an emergency permits it; `grants` are what stands in for each hold that matched.
    """

    rule: str
    rules: tuple[str, ...]
    mask: Mask
    prompt: Mask | None = None
    purpose: str | None = None
    restore: bool = False
    opaque: bool = False
    steering: bool = False
    verb: str = "permit"
    grants: tuple[Grant, ...] = ()

    @property
    def grant(self) -> str | None:
        """Their ids, as records say them."""
        return "+".join(each.id for each in self.grants) or None

    @property
    def ticket(self) -> str | None:
        return "+".join(each.ticket for each in self.grants) or None


@dataclass(frozen=True, slots=True)
class Hold:
    verb: ClassVar[str] = "hold"
    rule: str
    rules: tuple[str, ...]
    message: str
    reason: str = "approval-required"
    approvers: tuple[str, ...] = ()
    approvals: int = 1
    wait: timedelta | None = None
    terms: GrantTerms | None = None
    """What a yes gives."""
    lacking: tuple[str, ...] = ()
    """All rules for which there is no grant, `rule` the first of them."""
    bound: bool = True
    """Whether a yes to any of them is for the very request only."""
    rule_hash: str | None = None
    """Of `rule`, as `policy.hashes` has it."""


@dataclass(frozen=True, slots=True)
class Deny:
    verb: ClassVar[str] = "deny"
    rule: str | None
    rules: tuple[str, ...]
    reason: str
    message: str


def decide(  # noqa: PLR0917  # the order of the words of the question, the same in every caller
    policy: Policy,
    subject: Subject,
    actions: frozenset[str],
    model: str | None,
    facts: PromptFacts,
    grants: Collection[Grant],
    now: float,
) -> Permit | Hold | Deny:
    """Combine every rule that matches; `model` is the name Policy.resolve gave, None where the action has none.

    `grants` are the subject's, in the order in which they are to be used; `now` is seconds since the epoch.
    """

    def granted(rule: str) -> Grant | None:
        who = (subject.issuer, subject.id)
        asked = (rule, rule_hash(policy, rule), who, actions, model, facts.digest, now)
        return next((each for each in grants if each.covers(*asked)), None)

    return judge(policy, subject.roles, actions, model, facts, Prompt(facts.texts).matches, now, granted)


def judge(  # noqa: PLR0917  # as above
    policy: Policy,
    roles: frozenset[str],
    actions: frozenset[str],
    model: str | None,
    facts: PromptFacts,
    says: Callable[[tuple[Any, ...]], bool],
    now: float,
    granted: Callable[[str], Grant | None] = lambda _rule: None,
) -> Permit | Hold | Deny:
    """The same, where `says` tells whether one of these patterns is found in the prompt; its texts are not looked at.

    For those who know that of a prompt without having it. `granted` finds the grant that stands in for a hold.
    """
    index = _index(policy)
    matched = [
        found for found in index.candidates(roles, actions) if found.matches(model, says, facts.break_glass, now)
    ]
    refused = _refused(matched, actions, model, facts)
    if refused is not None:
        return refused
    emergency = [found for found in matched if found.verb == "break_glass"]
    grants = [(found, granted(found.rule.name)) for found in _holding(matched, emergency, model)]
    late = next((found.rule for found, grant in grants if grant is not None and not _within(found.granting, now)), None)
    if late is not None:
        return Deny(late.name, _names(matched), "outside-hours", _MESSAGES["outside-hours"])
    lacking = [found.rule for found, grant in grants if grant is None]
    if lacking:
        unsaid = lacking[0].justification == "required" and not _stated(facts.justification)
        return _deny(matched, "justification-missing") if unsaid else _held(policy, lacking, matched)
    permit = index.permit(emergency or matched)
    if emergency:
        permit = replace(permit, rules=_names(matched), verb="break_glass")
    return replace(permit, grants=tuple(grant for _, grant in grants if grant)) if grants else permit


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule that may match by what the prompt says; `emergency`: only with the header of break-glass."""

    rule: str
    patterns: tuple[Any, ...]
    emergency: bool


def conditions(
    policy: Policy, roles: frozenset[str], actions: frozenset[str], model: str | None, now: float
) -> tuple[Condition, ...]:
    """What of a prompt, and of its headers, the answer of `judge` to this question may depend on."""
    candidates = _index(policy).candidates(roles, actions)
    found = (each for each in candidates if each.about(model) and _within(each.hours, now))
    return tuple(
        Condition(each.rule.name, each.patterns, each.verb == "break_glass")
        for each in found
        if each.patterns or each.verb == "break_glass"
    )


def moment(policy: Policy, now: float) -> tuple[bool, ...]:
    """All that answers depend on of the time, apart from that of grants: equal for times at which they are the same."""
    return tuple(now in each for each in _index(policy).hours)


def timed(policy: Policy, roles: frozenset[str], actions: frozenset[str], model: str | None) -> tuple[str, ...]:
    """The rules by which the answer to this question depends on the time."""
    candidates = _index(policy).candidates(roles, actions)
    return tuple(each.rule.name for each in candidates if each.hours is not None and each.about(model))


@dataclass(frozen=True, slots=True)
class _Found:
    """A rule that fits the subject's roles, and those of the exchange's actions it is about."""

    rule: Rule
    verb: str
    actions: frozenset[str]
    models: frozenset[str]
    patterns: tuple[Any, ...]
    hours: Times | None
    granting: Times | None
    """When a grant of it counts."""

    def matches(
        self, model: str | None, says: Callable[[tuple[Any, ...]], bool], break_glass: str | None, now: float
    ) -> bool:
        return (
            bool(self.about(model))
            and (self.hours is None or now in self.hours)
            and (self.verb != "break_glass" or _stated(break_glass))
            and (not self.patterns or says(self.patterns))
        )

    def about(self, model: str | None) -> frozenset[str]:
        """The actions the rule speaks of for this model.

        A model nobody named might be any: what restricts then applies, what permits does not, unless the action is
        one that has no model. What restricts applies to every spelling of a name that some server may take for it.
        """
        restricts = self.verb in {"deny", "hold"}
        if not self.models or (model is None and restricts):
            return self.actions
        if model is not None and (
            untagged(model) in self.models or (restricts and folded(model) in map(folded, self.models))
        ):
            return self.actions
        return self.actions & MODEL_FREE_ACTIONS if model is None else frozenset()


def _within(hours: Times | None, now: float) -> bool:
    return hours is None or now in hours


def _refused(matched: list[_Found], actions: frozenset[str], model: str | None, facts: PromptFacts) -> Deny | None:
    for found in matched:
        if found.verb == "deny":
            return _deny(matched, "denied", found.rule)
    permitted = frozenset[str]().union(*(found.about(model) for found in matched))
    if not actions or not actions <= permitted or actions == {"unmask"}:
        return _deny(matched, "no-rule")
    if "unmask" in actions and not _stated(facts.unmask):
        return _deny(matched, "reason-missing")
    return None


def _deny(matched: list[_Found], reason: str, rule: Rule | None = None) -> Deny:
    message = (rule.message if rule else None) or _MESSAGES[reason]
    return Deny(rule.name if rule else None, _names(matched), reason, message)


def _holding(matched: list[_Found], emergency: list[_Found], model: str | None) -> list[_Found]:
    """The holds that need a grant: an emergency stands in for those of what it is about itself.

    Of its mask it says itself, so that a hold of `unmask` has nothing to add; but one that is for `unmask` only opens
    nothing of what else is asked for.
    """
    holds = [found for found in matched if found.verb == "hold"]
    if not emergency:
        return holds
    opened = frozenset({"unmask"}).union(*(found.about(model) for found in emergency))
    return [found for found in holds if not found.about(model) <= opened]


def _held(policy: Policy, lacking: list[Rule], matched: list[_Found]) -> Hold:
    rule = lacking[0]
    message = rule.message or _MESSAGES["approval-required"]
    return Hold(
        rule.name,
        _names(matched),
        message,
        approvers=rule.approvers,
        approvals=rule.approvals,
        wait=rule.wait,
        terms=rule.grant,
        lacking=tuple(each.name for each in lacking),
        bound=all(each.grant.bind == "request" for each in lacking),
        rule_hash=rule_hash(policy, rule.name),
    )


def _names(matched: list[_Found]) -> tuple[str, ...]:
    return tuple(found.rule.name for found in matched)


def _purpose(rule: Rule) -> str | None:
    return rule.purpose or ("emergency" if rule.verb == "break_glass" else None)


def _stated(header: str | None) -> bool:
    return bool(header and header.strip())


@dataclass(slots=True)
class _Index:
    """One policy, prepared: rules by name (so that the answer never depends on their order), patterns compiled.

    The memos hold what depends on roles and rules alone; they are emptied, not trusted to stay small.
    """

    policy: Policy
    rules: list[_Found] = field(init=False)
    hours: tuple[Times, ...] = field(init=False)
    _candidates: dict[Any, tuple[_Found, ...]] = field(default_factory=dict)
    _permits: dict[Any, Permit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rules = [_prepared(rule) for rule in sorted(self.policy.rules, key=lambda rule: rule.name)]
        every = (hours for found in self.rules for hours in (found.hours, found.granting) if hours is not None)
        self.hours = tuple(dict.fromkeys(every))

    def candidates(self, roles: frozenset[str], actions: frozenset[str]) -> tuple[_Found, ...]:
        return _remembered(self._candidates, (roles, actions), lambda: self._find(roles, actions))

    def _find(self, roles: frozenset[str], actions: frozenset[str]) -> tuple[_Found, ...]:
        return tuple(
            replace(found, actions=found.actions & actions)
            for found in self.rules
            if found.actions & actions and _holds(found, roles)
        )

    def permit(self, matched: list[_Found]) -> Permit:
        key = tuple((found.rule.name, found.actions) for found in matched)
        return _remembered(self._permits, key, lambda: self._permit(matched))

    def _permit(self, matched: list[_Found]) -> Permit:
        rules = [found.rule for found in matched]
        prompts = [self.policy.mask(rule.prompt) for rule in rules if rule.prompt]
        return Permit(
            rule=rules[0].name,
            rules=_names(matched),
            mask=self._mask(matched),
            prompt=strictest(prompts) if prompts else None,
            purpose="+".join(sorted({purpose for rule in rules if (purpose := _purpose(rule))})) or None,
            restore=bool(prompts) and all(rule.restore for rule in rules),
            opaque=all(rule.opaque == "permit" for rule in rules),
            steering=all(rule.steering == "permit" for rule in rules),
        )

    def _mask(self, matched: list[_Found]) -> Mask:
        """The masks of the rules for `unmask`, when it is asked for, stand in place of the others'."""
        unmasking = [found.rule for found in matched if "unmask" in found.actions]
        rules = unmasking or [found.rule for found in matched]
        return strictest(self.policy.mask(rule.mask) for rule in rules if rule.mask)


def _holds(found: _Found, roles: frozenset[str]) -> bool:
    """`*` in a deny is everybody; elsewhere it is whoever holds any role: a subject without one gets nothing."""
    if "*" in found.rule.roles:
        return found.verb == "deny" or bool(roles)
    return not roles.isdisjoint(found.rule.roles)


def _prepared(rule: Rule) -> _Found:
    actions = ACTIONS if "*" in rule.to else frozenset(rule.to)
    models = frozenset[str]() if "*" in rule.models else frozenset(map(untagged, rule.models))
    patterns = tuple(compile_pattern(pattern) for pattern in rule.when.prompt_matches) if rule.when else ()
    return _Found(rule, rule.verb, actions, models, patterns, times(rule.hours), times(rule.grant.hours))


def _remembered[K, V](memo: dict[K, V], key: K, make: Callable[[], V]) -> V:
    known = memo.get(key)
    if known is None:
        if len(memo) >= _MEMO:
            memo.clear()
        known = memo[key] = make()
    return known


@lru_cache(maxsize=4)
def _index(policy: Policy) -> _Index:
    return _Index(policy)
