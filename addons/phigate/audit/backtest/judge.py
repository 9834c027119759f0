"""One policy, asked about requests that were recorded: what it makes of each, as far as the record tells. Pure.

A record holds a prompt as bystanders saw it. What a rule's patterns find in a prompt is known where nothing was masked
in it, and where the policy that decided at the time is at hand: the record names the rules that matched. Else it is
unknown, and an answer counts as known only if it is the same whatever the prompt says (`worlds`).

A rule's hours are compared with the time of the record. What somebody said yes to is taken to be at hand under every
policy that has the same rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Protocol

from phigate.audit.backtest import recorded
from phigate.dialect import generic
from phigate.dialect.known import DIALECTS, ROUTES, spoken
from phigate.policy.decide import PromptFacts, conditions, judge, moment
from phigate.policy.grants import Grant
from phigate.policy.hashes import rule_hash
from phigate.policy.patterns import Prompt
from phigate.policy.targets import Target
from phigate.policy.verdict import Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from phigate.audit.backtest.recorded import Record, Request
    from phigate.dialect.routes import Route
    from phigate.policy.decide import Condition, Deny, Hold, Permit
    from phigate.policy.schema import Policy

type Key = tuple[str, ...]
"""A condition, the same in every policy: the patterns as they are written."""
type World = Mapping[Key, bool]
type Given = Mapping[str, str | None]
"""Rules that a grant was at hand for, and their hashes (None: nobody knows)."""

EMERGENCY: Final[Key] = ("phi-break-glass", "")
"""Whether the header of break-glass was sent, as a condition of its own."""
STATED: Final = "on record"
AT_HAND: Final = Grant(*("on record",) * 3, ("", ""), frozenset(), None, None, 0.0, 0.0)
NOTHING: Final[Given] = {}
MOST_OPEN: Final = 6
"""Unknown conditions up to which every case is tried."""
_MEMO: Final = 65_536


@dataclass(slots=True)
class Question:
    """What a policy is to answer about a kind of request; `settled` where no rule is asked, `open` where none can be.

    `conditions` are what the answer still depends on.
    """

    settled: Verdict | None = None
    open: str | None = None
    roles: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    model: str | None = None
    route: Route | None = None
    now: float = 0.0
    """One of the moments at which its answers are these."""
    conditions: tuple[Condition, ...] = ()
    keys: frozenset[Key] = frozenset()
    answers: dict[Any, Permit | Hold | Deny] = field(default_factory=dict)


class Judge:
    """A policy and what it answered already."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._routes = {route.name: route for route in (*ROUTES, *generic.routes_of(policy.routes))}
        self._timed = bool(moment(policy, 0.0))
        self._questions: dict[tuple[Request, tuple[bool, ...]], Question] = {}

    def question(self, request: Request, now: float) -> Question:
        """Find what is to be answered about a request at this time, in seconds since the epoch."""
        key = request, moment(self.policy, now) if self._timed else ()
        known = self._questions.get(key)
        if known is None:
            if len(self._questions) >= _MEMO:
                self._questions.clear()
            known = self._questions[key] = self._question(request, now)
        return known

    def _question(self, request: Request, now: float) -> Question:
        route = self._routes.get(request.route or "")
        if request.issuer not in self.policy.trusted:
            return Question(Verdict("deny", None, "issuer-unknown"), route=route)
        actions = request.actions
        if request.dialect == generic.NAME:
            if route is None:
                return Question(Verdict("deny", None, "route-unknown"))
            actions = frozenset({route.action}) | (actions & {"unmask"})
        if request.model is not None and "[" in request.model:
            return Question(open="model-masked", route=route)
        target = self._target(request, route)
        if target is not None and not isinstance(target, Target):
            return Question(Verdict("deny", None, target.reason), route=route)
        roles, model = self.policy.roles_of(request.groups), target.name if target else None
        found = conditions(self.policy, roles, actions, model, now)
        keys = frozenset(key_of(each) for each in found if each.patterns)
        emergency = {EMERGENCY} if any(each.emergency for each in found) else set()
        return Question(None, None, roles, actions, model, route, now, found, keys | emergency)

    def _target(self, request: Request, route: Route | None) -> Any:
        """The model by its recorded name: the policy's own at the time, or what the caller wrote."""
        if request.model is None:
            return None
        targets, dialect = self.policy.targets, DIALECTS.get(request.dialect or "")
        if route is not None and route.model is not None:
            return targets.called(route.model)
        protocol = dialect.protocol if dialect else None
        own = targets.called(request.model)
        if isinstance(own, Target) and (protocol is None or not own.speaks or protocol in own.speaks):
            return own
        return targets.resolve(request.model, protocol)

    def answer(self, question: Question, world: World, given: Given = NOTHING) -> Permit | Hold | Deny:
        """What the rules say where this holds; `question` is not settled and not open."""
        counts = frozenset(name for name, was in given.items() if was in {None, rule_hash(self.policy, name)})
        held = *(world[key] for key in sorted(question.keys)), counts
        known = question.answers.get(held)
        if known is None:
            emergency = STATED if world.get(EMERGENCY) else None
            facts = PromptFacts((), STATED if "unmask" in question.actions else None, emergency, STATED)
            known = question.answers[held] = judge(
                *(self.policy, question.roles, question.actions, question.model, facts),
                lambda patterns: world[tuple(each.pattern for each in patterns)],
                question.now,
                lambda rule: AT_HAND if rule in counts else None,
            )
        return known


def key_of(condition: Condition) -> Key:
    """A condition's patterns as they are written."""
    return tuple(each.pattern for each in condition.patterns)


class Content(Protocol):
    """What is known of a request's content."""

    @property
    def content(self) -> tuple[bool, bool]:
        """Whether all can be read, and whether it decides what the model writes."""

    @property
    def given(self) -> Given:
        """What somebody had said yes to."""


class Heard:
    """What is known of one request's prompt and headers; `original` is the body before it was masked, if there is one.

    `known` is the question that was answered at the time, where the policy of that time, `past`, is at hand.
    """

    def __init__(
        self,
        record: Record,
        route: Route | None,
        *,
        known: Question | None,
        past: Policy | None = None,
        original: Any = None,
    ) -> None:
        self._record, self._route = record, route
        self._original = original
        self._prompt: Prompt | None = None
        self._sure = False
        self._evidence = _evidence(record, known) if known is not None else {}
        self._content: tuple[bool, bool] | None = None
        self.given = _given(record, past)

    @property
    def why(self) -> str:
        """Why it is not known what the prompt says."""
        return "prompt-masked" if self._body() is not None else "prompt-not-kept"

    def world(self, asked: Mapping[Key, tuple[Any, ...]]) -> tuple[World, tuple[Key, ...]]:
        """What holds, as far as what is kept tells, and what of it is not sure; `asked` are patterns by key."""
        said = {key: self._says(key, patterns) for key, patterns in asked.items()}
        return {key: holds for key, (holds, _) in said.items()}, tuple(
            key for key, (_, sure) in said.items() if not sure
        )

    def _says(self, key: Key, patterns: tuple[Any, ...]) -> tuple[bool, bool]:
        if key == EMERGENCY:
            return self._emergency()
        if (known := self._known(key)) is not None:
            return known, True
        if self._prompt is None:
            self._read()
        return self._prompt is not None and self._prompt.matches(patterns), self._sure

    def _known(self, key: Key) -> bool | None:
        """Whether one of these patterns was found, by what the rules that matched at the time looked for."""
        if key in self._evidence:
            return self._evidence[key]
        each = [self._evidence.get((pattern,)) for pattern in key]
        return True if True in each else None if None in each else False

    def _emergency(self) -> tuple[bool, bool]:
        if isinstance(self._record.get("stated"), list):
            return "break-glass" in recorded.names(self._record, "stated"), True
        stated = recorded.why(self._record) == "break-glass-unavailable"
        return stated, stated

    def _read(self) -> None:
        """The texts as they are kept; sure where nothing in them was masked."""
        name = recorded.text(self._record, "route")
        if self._original is not None:
            texts = recorded.prompt_of(self._original, self._route, name)
            self._prompt, self._sure = Prompt(texts or ()), texts is not None
            return
        texts = recorded.prompt_of(self._body(), self._route, name)
        empty = self._record.get("bytes") == 0 or (self._route is not None and not self._route.has_body)
        whole = texts is not None and not recorded.found(self._record)
        self._prompt, self._sure = Prompt(texts or ()), whole or (texts is None and empty)

    def _body(self) -> Any:
        body = self._record.get("body")
        return body if isinstance(body, dict) else None

    @property
    def content(self) -> tuple[bool, bool]:
        """Whether all can be read, and whether it decides what the model writes; without a body, as it passed."""
        if self._content is None:
            self._content = self._looked()
        return self._content

    def _looked(self) -> tuple[bool, bool]:
        reason = recorded.why(self._record)
        body = self._original if isinstance(self._original, dict) else self._body()
        if body is None or self._route is None:
            return reason != "content-unreadable", reason == "steering-refused"
        dialect = spoken(self._route)
        readable = reason != "content-unreadable" and (reason == "steering-refused" or not dialect.unreadable(body))
        return readable, reason == "steering-refused" or bool(dialect.steers(body))


def _given(record: Record, past: Policy | None) -> Given:
    """What a grant was at hand for: of the rules that matched those that hold, as far as anybody knows which."""
    every = recorded.granted(record)
    if past is None:
        return dict.fromkeys(every)
    return {rule: was for rule in every if (was := rule_hash(past, rule)) is not None}


def _evidence(record: Record, known: Question) -> dict[Key, bool]:
    """Which conditions held, by the rules that matched at the time; of one that did not, none of its patterns did."""
    if recorded.decided(record) is None or known.settled is not None or known.open is not None:
        return {}
    matched = set(recorded.names(recorded.part(record, "decision"), "rules"))
    asked = {key_of(each): each.rule in matched for each in known.conditions if each.patterns and not each.emergency}
    return {(pattern,): False for key, held in asked.items() if not held for pattern in key} | asked


def patterns_of(*questions: Question) -> dict[Key, tuple[Any, ...]]:
    """What the answers to these questions depend on."""
    found = {key_of(each): each.patterns for one in questions for each in one.conditions if each.patterns}
    return found | ({EMERGENCY: ()} if any(EMERGENCY in one.keys for one in questions) else {})


def worlds(likely: World, unsure: tuple[Key, ...]) -> Iterator[World]:
    """Every case that is possible, the likely one first."""
    yield likely
    for held in product((True, False), repeat=len(unsure)):
        world = dict(likely) | dict(zip(unsure, held, strict=True))
        if world != likely:
            yield world


def made(judge: Judge, question: Question, world: World, heard: Content) -> Verdict:
    """What a policy makes of a request where this holds."""
    if question.settled is not None:
        return question.settled
    decision = judge.answer(question, world, heard.given)
    if decision.verb not in {"permit", "break_glass"}:
        return verdict(decision)
    readable, steers = heard.content
    return verdict(decision, readable=readable, steers=steers)
