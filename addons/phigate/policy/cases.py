"""What a policy must answer, as sentences that people read and machines run. Pure.

One case is one list item, a sentence and what is expected:

    - clinician chats with ward-assistant: permit clinicians-chat masked by minimum-necessary

    case     = who does [MODEL] {extra} [at TIME] : verdict
    who      = ROLE {and ROLE} | stranger               (a stranger was verified and holds no role)
    does     = one of DOES below: "chats with", "lists models", ...
    extra    = saying "TEXT" | in an emergency          (the latter sends `phi-break-glass`)
    TIME     = 2026-11-25T03:00+01:00                   (needed where a rule that may decide has hours)
    verdict  = permit|break_glass|hold|deny [RULE or REASON] [masked by MASK] [prompt masked by MASK]

A mapping says the same in detail, with the keys of CASE_KEYS. Words that lead nowhere are faults with their line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from phigate.exchange import Subject
from phigate.policy import tree
from phigate.policy.decide import Deny, Hold, Permit, PromptFacts, decide, timed
from phigate.policy.load import PolicyFaults, said
from phigate.policy.sentences import meant, quoted
from phigate.policy.targets import Target
from phigate.policy.words import ACTIONS, MODEL_FREE_ACTIONS, REASONS, VERBS

if TYPE_CHECKING:
    from phigate.policy.schema import Policy

# phrase -> (actions, whether a model follows)
DOES: dict[str, tuple[frozenset[str], bool]] = {
    "chats with": (frozenset({"chat"}), True),
    "completes with": (frozenset({"complete"}), True),
    "embeds with": (frozenset({"embed"}), True),
    "transcribes with": (frozenset({"transcribe"}), True),
    "ranks with": (frozenset({"rank"}), True),
    "predicts with": (frozenset({"predict"}), True),
    "unmasks": (frozenset({"chat", "unmask"}), True),
    "manages": (frozenset({"manage-models"}), True),
    "lists models": (frozenset({"list-models"}), False),
    "reviews": (frozenset({"review"}), False),
    "reads the journal": (frozenset({"read-journal"}), False),
    "unseals": (frozenset({"unseal"}), False),
    "revokes": (frozenset({"revoke"}), False),
}

CASE_KEYS = (
    *("name", "role", "groups", "action", "model", "prompt", "at"),
    *("unmask", "break_glass", "justification", "expect", "mask", "prompt_mask"),
)

_VERDICT = re.compile(
    r"(?P<verb>\S+)(?: (?!masked by |prompt masked by )(?P<why>\S+))?"
    r"(?: masked by (?P<mask>\S+))?(?: prompt masked by (?P<prompt_mask>\S+))?"
)
_SENTENCE = re.compile(
    r"(?P<who>\S+(?: and \S+)*?) (?P<does>" + "|".join(map(re.escape, DOES)) + r")(?: (?P<model>\S+?))??"
    r"(?: saying \"(?P<prompt>[^\"]*)\")?(?P<emergency> in an emergency)?(?: at (?P<at>\S+))?"
)
_CASE = "stated by a case"
_FAR = 1e11  # the year 5138: a zone's calendar goes on beyond it
_AT = "2026-11-25T03:00+01:00"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case asked: `where` is `file:line`; `expected` and `got` are in the words of a verdict."""

    where: str
    case: str
    ok: bool
    expected: str
    got: str

    def __str__(self) -> str:
        outcome = f"as expected, {self.got}" if self.ok else f"expected {self.expected}, got {self.got}"
        return f"{self.where}: {self.case}: {outcome}"


@dataclass(slots=True)
class _Case:
    case: str
    line: int
    roles: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    model: str | None = None
    facts: PromptFacts = field(default_factory=PromptFacts)
    now: float = 0.0
    expect: dict[str, str] = field(default_factory=dict)


def run_cases(policy: Policy, text: str | bytes, where: str) -> list[CaseResult]:
    """Ask the policy every case of a file; raises PolicyFaults for cases that say nothing answerable."""
    parsed = tree.read(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    reader = _Reader(policy, parsed)
    cases = reader.cases() if not parsed.faults else []
    faults = [*parsed.faults, *reader.faults]
    if faults:
        raise PolicyFaults(said(faults, parsed.value, where, whole="cases"))
    return [_asked(policy, case, where) for case in cases]


def _asked(policy: Policy, case: _Case, where: str) -> CaseResult:
    subject = Subject(policy.issuers[0].issuer, "case", (), case.roles, 0.0)
    decision = decide(policy, subject, case.actions, case.model, case.facts, (), case.now)
    ok = all(_fits(policy, decision, part, word) for part, word in case.expect.items())
    return CaseResult(f"{where}:{case.line}", case.case, ok, _spoken(case.expect), _spoken(_verdict(decision)))


def _fits(policy: Policy, decision: Permit | Hold | Deny, part: str, word: str) -> bool:
    """Any of the rules that decided may be named, and a reason in place of a rule."""
    if part == "why":
        deciding = {rule.name for rule in policy.rules if rule.verb == decision.verb} & set(decision.rules)
        return word in deciding | {decision.rule, getattr(decision, "reason", None)}
    return _verdict(decision).get(part) == word


def _verdict(decision: Permit | Hold | Deny) -> dict[str, str]:
    words = {"verb": decision.verb, "why": decision.rule or getattr(decision, "reason", "")}
    if isinstance(decision, Permit):
        words["mask"] = decision.mask.name
        if decision.prompt:
            words["prompt_mask"] = decision.prompt.name
    return words


def _seconds(at: str) -> float | None:
    """Since the epoch; None where it is no time from then on, or one of no place."""
    try:
        read = datetime.fromisoformat(at)
        now = read.timestamp() if read.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
    return now if now is not None and 0 <= now < _FAR else None


def _spoken(words: dict[str, str]) -> str:
    before = {"mask": "masked by ", "prompt_mask": "prompt masked by "}
    return " ".join(before.get(part, "") + word for part, word in words.items())


class _Reader:
    """From the file's plain values to cases; what cannot be asked becomes a fault at its line."""

    def __init__(self, policy: Policy, parsed: tree.Tree) -> None:
        self._policy = policy
        self._parsed = parsed
        self._roles = set(policy.roles)
        self.faults: list[tree.Fault] = []

    def cases(self) -> list[_Case]:
        items = self._parsed.value
        if not isinstance(items, list) or not items:
            self._say((), "must be a list of cases" if items else "is empty")
            return []
        return [self._case(place, item) for place, item in enumerate(items)]

    def _case(self, place: int, item: Any) -> _Case:
        path: tree.Path = (place,)
        if not isinstance(item, dict):
            self._say(path, "must be a case, as in `clinician chats with ward-assistant: permit clinicians-chat`")
        elif len(item) == 1 and next(iter(item)) not in CASE_KEYS:
            return self._sentence(path, *next(iter(item.items())))
        else:
            return self._detailed(path, item)
        return _Case("", 0)

    def _sentence(self, path: tree.Path, sentence: str, verdict: Any) -> _Case:
        words = _SENTENCE.fullmatch(sentence)
        expect = self._expected(path, verdict)
        if not words:
            self._say(path, f"{quoted(sentence)} is no sentence such as `clinician chats with ward-assistant`")
            return _Case(sentence, 0)
        actions, wants_model = DOES[words["does"]]
        if wants_model != bool(words["model"]):
            self._say(path, f"{quoted(words['does'])} {'needs a' if wants_model else 'takes no'} model")
        facts = PromptFacts(
            texts=(words["prompt"],) if words["prompt"] is not None else (),
            unmask=_CASE if "unmask" in actions else None,
            break_glass=_CASE if words["emergency"] else None,
        )
        model = self._model(path, words["model"]) if words["model"] else None
        roles = self._who(path, words["who"].split(" and "))
        now = self._now(path, words["at"], roles, actions, model)
        return _Case(sentence, self._parsed.line(path), roles, actions, model, facts, now, expect)

    def _detailed(self, path: tree.Path, item: dict[str, Any]) -> _Case:
        for key in item:
            if key not in CASE_KEYS:
                self._say((*path, key), f"unknown key {quoted(key)}{meant(key, CASE_KEYS)}")
        model = self._text(path, item, "model")
        headers = {key: self._text(path, item, key) for key in ("unmask", "break_glass", "justification")}
        expect = self._expected(path, item.get("expect", ""))
        expect |= {key: self._mask(path, item[key]) for key in ("mask", "prompt_mask") if key in item}
        roles, actions = self._roles_of(path, item), self._actions(path, item, model)
        model = self._model(path, model) if model else None
        return _Case(
            self._text(path, item, "name") or f"case {path[0]}",
            self._parsed.line(path),
            roles,
            actions,
            model,
            PromptFacts(texts=self._texts(path, item, "prompt"), **headers),
            self._now(path, self._text(path, item, "at"), roles, actions, model),
            expect,
        )

    def _now(
        self, path: tree.Path, at: str | None, roles: frozenset[str], actions: frozenset[str], model: str | None
    ) -> float:
        """The time of a case in seconds since the epoch; where nothing depends on it, it may be left out."""
        if at is None:
            for rule in timed(self._policy, roles, actions, model):
                self._say(path, f"needs a time, as in `at {_AT}`: {quoted(rule)} has hours")
                break
            return 0.0
        now = _seconds(at)
        if now is None:
            self._say(path, f"{quoted(at)} is no time with its offset, as in `{_AT}`")
        return now or 0.0

    def _roles_of(self, path: tree.Path, item: dict[str, Any]) -> frozenset[str]:
        if ("role" in item) == ("groups" in item):
            self._say(path, "needs either `role` or `groups`")
        if "groups" in item:
            return self._policy.roles_of(self._texts(path, item, "groups"))
        return self._who(path, self._texts(path, item, "role"))

    def _who(self, path: tree.Path, names: list[str] | tuple[str, ...]) -> frozenset[str]:
        if list(names) == ["stranger"] and "stranger" not in self._roles:
            return frozenset()
        for name in names:
            if name not in self._roles:
                self._say(path, f"unknown role {quoted(name)}{meant(name, self._roles)}")
        return frozenset(names)

    def _actions(self, path: tree.Path, item: dict[str, Any], model: str | None) -> frozenset[str]:
        actions = frozenset(self._texts(path, item, "action"))
        if not actions:
            self._say(path, "needs `action`")
        for action in sorted(actions - ACTIONS):
            self._say((*path, "action"), f"unknown action {quoted(action)}{meant(action, ACTIONS)}")
        if model is None and actions & ACTIONS - MODEL_FREE_ACTIONS:
            self._say(path, "needs `model`")
        return actions

    def _model(self, path: tree.Path, name: str) -> str:
        """A model by the policy's own name for it, or by one that callers use."""
        if name in (self._policy.models or {}):
            return name
        target = self._policy.resolve(name)
        if not isinstance(target, Target):
            self._say(path, f"unknown model {quoted(name)}{meant(name, self._policy.models or {})}")
            return name
        return target.name

    def _expected(self, path: tree.Path, verdict: Any) -> dict[str, str]:
        words = _VERDICT.fullmatch(verdict) if isinstance(verdict, str) else None
        if not words or words["verb"] not in VERBS:
            self._say(path, "needs what is expected, as in `permit clinicians-chat`, `hold` or `deny no-rule`")
            return {}
        expect = {part: word for part, word in words.groupdict().items() if word}
        known = {rule.name for rule in self._policy.rules} | REASONS
        if "why" in expect and expect["why"] not in known:
            self._say(path, f"unknown rule or reason {quoted(expect['why'])}{meant(expect['why'], known)}")
        return expect | {part: self._mask(path, expect[part]) for part in ("mask", "prompt_mask") if part in expect}

    def _mask(self, path: tree.Path, name: Any) -> str:
        """One mask, or several joined by `+` in the order of their names."""
        known = {*self._policy.masks, "reveal", "redact"}
        for part in str(name).split("+"):
            if part not in known:
                self._say(path, f"unknown mask {quoted(part)}{meant(part, known)}")
        return str(name)

    def _text(self, path: tree.Path, item: dict[str, Any], key: str) -> str | None:
        value = item.get(key)
        if value is not None and not isinstance(value, str):
            self._say((*path, key), "must be a text")
            return None
        return value

    def _texts(self, path: tree.Path, item: dict[str, Any], key: str) -> tuple[str, ...]:
        value = item.get(key, [])
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            self._say((*path, key), "must be a text or a list of texts")
            return ()
        return tuple(texts)

    def _say(self, path: tree.Path, text: str) -> None:
        self.faults.append(tree.Fault(self._parsed.line(path), path, text))
