"""How rules combine: tables of one case each, and what holds for every policy."""

from __future__ import annotations

import itertools
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.policy.decide import Deny, Hold, Permit, PromptFacts, conditions, decide, judge, moment, timed
from phigate.policy.grants import Grant
from phigate.policy.hashes import rule_hash
from phigate.policy.patterns import Prompt
from phigate.policy.schema import GrantTerms
from tests.policies import policy, subject
from tests.policy.clocks import MOVES, a_window, shown_in

if TYPE_CHECKING:
    from phigate.policy.hours import Window
    from phigate.policy.schema import Policy

CARE = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean, purpose: treatment}"
WARD = "{name: ward, permit: [clinician], to: [chat, list-models], models: [ward-model], mask: lean}"
STUDY = (
    "{name: study, permit: [researcher], to: [chat], models: ['*'], mask: years, prompt: lean, purpose: research,"
    " opaque: permit}"
)
RAW = "{name: raw, permit: [officer], to: [chat], models: ['*'], mask: reveal, opaque: permit}"
ALL = "{name: all, permit: ['*'], to: [chat], models: ['*'], mask: lean}"
NEVER = "{name: never, deny: [researcher], to: [chat], message: Not you.}"
NOBODY = "{name: nobody, deny: ['*'], to: ['*']}"
NOT_WARD = "{name: not-ward, deny: ['*'], to: [chat], models: [ward-model]}"
LISTS = "{name: lists, deny: ['*'], to: [chat], when: {prompt_matches: ['(?i)list all', 'every patient']}}"
ONLY_NOTES = "{name: notes, permit: [clinician], to: [chat], models: ['*'], mask: lean, when: {prompt_matches: [note]}}"
ASK = "{name: ask, hold: [clinician], to: [chat], models: ['*'], mask: lean, approvers: [officer], message: Ask.}"
SEE = "{name: see, hold: [clinician], to: [unmask], models: ['*'], approvers: [officer], mask: reveal}"
SEE_NOW = "{name: see-now, permit: [clinician], to: [unmask], models: ['*'], mask: reveal}"
SEE_YEARS = "{name: see-years, permit: [clinician], to: [unmask], models: ['*'], mask: years}"
NO_SEE = "{name: no-see, deny: [clinician], to: [unmask]}"
SOS = "{name: sos, break_glass: [clinician], to: [chat], models: ['*'], mask: reveal, review_by: [officer]}"
NAMES = "{name: names, permit: [clinician], to: [list-models], models: ['*']}"

DAYS, NIGHTS = '{from: "07:00", to: "19:00", zone: UTC}', '{from: "19:00", to: "07:00", zone: UTC}'
NOON, NIGHT = 43_200.0, 82_800.0
WHY: dict[str, Any] = {"unmask": "ward round"}
HELP: dict[str, Any] = {"break_glass": "cardiac arrest"}
CHAT, UNMASK, LIST = frozenset({"chat"}), frozenset({"chat", "unmask"}), frozenset({"list-models"})


def ask(
    of: Policy, *roles: str, to: frozenset[str] = CHAT, model: str | None = "m", now: float = 0.0, **facts: Any
) -> Any:
    return decide(of, subject(*roles), to, model, PromptFacts(**facts), (), now)


def short(decision: Any) -> str:
    return f"{decision.verb} {decision.rule or decision.reason}"


# what the case shows, rules, roles, arguments of `ask`, verdict
TABLE: list[tuple[str, list[str], str, dict[str, Any], str]] = [
    ("a permit permits", [CARE], "clinician", {}, "permit care"),
    ("a tag that says nothing is no other model", [WARD], "clinician", {"model": "ward-model:latest"}, "permit ward"),
    ("a permit is about one spelling", [WARD], "clinician", {"model": "Ward-Model"}, "deny no-rule"),
    ("a deny is about every spelling", [CARE, NOT_WARD], "clinician", {"model": "Ward-Model"}, "deny not-ward"),
    (
        "and every home of a name",
        [CARE, NOT_WARD],
        "clinician",
        {"model": "library/ward-model:latest"},
        "deny not-ward",
    ),
    ("a deny is about no other name", [CARE, NOT_WARD], "clinician", {"model": "ward-model:8b"}, "permit care"),
    ("another role finds no rule", [CARE], "researcher", {}, "deny no-rule"),
    ("another action finds no rule", [CARE], "clinician", {"to": LIST}, "deny no-rule"),
    ("no action is nothing to permit", [CARE], "clinician", {"to": frozenset()}, "deny no-rule"),
    ("an action nobody knows is not permitted", [ALL], "clinician", {"to": frozenset({"dance"})}, "deny no-rule"),
    ("every action needs its own permit", [CARE], "clinician", {"to": CHAT | LIST}, "deny no-rule"),
    ("two rules may share the actions", [CARE, NAMES], "clinician", {"to": CHAT | LIST}, "permit care"),
    ("a deny beats a permit", [STUDY, NEVER], "researcher", {}, "deny never"),
    ("a deny for one role leaves another", [CARE, NEVER], "clinician", {}, "permit care"),
    ("a deny for one of two roles denies", [CARE, NEVER], "clinician researcher", {}, "deny never"),
    ("a deny on any action denies all", [CARE, SEE_NOW, NO_SEE], "clinician", {"to": UNMASK} | WHY, "deny no-see"),
    ("a deny beats a hold", [ASK, NOBODY], "clinician", {}, "deny nobody"),
    ("a deny beats break-glass", [SOS, NOBODY], "clinician", HELP, "deny nobody"),
    ("a hold beats a permit", [CARE, ASK], "clinician", {}, "hold ask"),
    ("* permits whoever holds a role", [ALL], "officer", {}, "permit all"),
    ("* permits nobody without one", [ALL], "", {}, "deny no-rule"),
    ("* denies everybody, with a role or without", [ALL, NOBODY], "", {}, "deny nobody"),
    ("a model of the rule", [WARD], "clinician", {"model": "ward-model"}, "permit ward"),
    ("a model that no rule names", [WARD], "clinician", {}, "deny no-rule"),
    ("a deny about one model", [CARE, NOT_WARD], "clinician", {"model": "ward-model"}, "deny not-ward"),
    ("and not about another", [CARE, NOT_WARD], "clinician", {}, "permit care"),
    ("names of models, asked without one", [WARD], "clinician", {"to": LIST, "model": None}, "permit ward"),
    ("a chat without a model is no model of the rule", [WARD], "clinician", {"model": None}, "deny no-rule"),
    ("and might be the model that is denied", [CARE, NOT_WARD], "clinician", {"model": None}, "deny not-ward"),
    ("a prompt that matches", [CARE, LISTS], "clinician", {"texts": ("please LIST ALL",)}, "deny lists"),
    ("the second pattern", [CARE, LISTS], "clinician", {"texts": ("see", "every patient")}, "deny lists"),
    ("a prompt that does not match", [CARE, LISTS], "clinician", {"texts": ("all lists",)}, "permit care"),
    ("no prompt at all", [CARE, LISTS], "clinician", {}, "permit care"),
    ("spread over two texts", [CARE, LISTS], "clinician", {"texts": ("list", "all")}, "deny lists"),
    ("a word cut in two", [CARE, LISTS], "clinician", {"texts": ("li", "st all")}, "deny lists"),
    ("in fullwidth letters", [CARE, LISTS], "clinician", {"texts": ("ｌｉｓｔ all",)}, "deny lists"),
    ("with an invisible letter between", [CARE, LISTS], "clinician", {"texts": ("li\u200bst all",)}, "deny lists"),
    ("with half a character", [CARE, LISTS], "clinician", {"texts": ("\ud800 list all",)}, "deny lists"),
    ("a permit on condition", [ONLY_NOTES], "clinician", {"texts": ("my notes",)}, "permit notes"),
    ("a permit whose condition fails", [ONLY_NOTES], "clinician", {"texts": ("my text",)}, "deny no-rule"),
    ("unmask by a hold", [CARE, SEE], "clinician", {"to": UNMASK} | WHY, "hold see"),
    ("unmask by a permit", [CARE, SEE_NOW], "clinician", {"to": UNMASK} | WHY, "permit care"),
    ("unmask without a rule for it", [CARE], "clinician", {"to": UNMASK} | WHY, "deny no-rule"),
    ("unmask permits no chat", [SEE_NOW], "clinician", {"to": UNMASK} | WHY, "deny no-rule"),
    ("a hold to unmask permits no chat", [SEE], "clinician", {"to": UNMASK} | WHY, "deny no-rule"),
    ("unmask alone is nothing", [SEE_NOW], "clinician", {"to": frozenset({"unmask"})} | WHY, "deny no-rule"),
    ("unmask without a reason", [CARE, SEE_NOW], "clinician", {"to": UNMASK}, "deny reason-missing"),
    ("unmask with a blank reason", [CARE, SEE_NOW], "clinician", {"to": UNMASK, "unmask": " "}, "deny reason-missing"),
    ("unmask for the model of another rule", [WARD, SEE_NOW], "clinician", {"to": UNMASK} | WHY, "deny no-rule"),
    ("break-glass with its header", [CARE, SOS], "clinician", HELP, "break_glass sos"),
    ("break-glass without its header", [CARE, SOS], "clinician", {}, "permit care"),
    ("break-glass with a blank header", [CARE, SOS], "clinician", {"break_glass": " "}, "permit care"),
    ("break-glass alone, without its header", [SOS], "clinician", {}, "deny no-rule"),
    ("break-glass that is not for this role", [STUDY, SOS], "researcher", HELP, "permit study"),
    ("break-glass beats a hold", [ASK, SOS], "clinician", HELP, "break_glass sos"),
]


@pytest.mark.parametrize(("what", "rules", "roles", "given", "verdict"), TABLE, ids=[case[0] for case in TABLE])
def test_rules_combine(what: str, rules: list[str], roles: str, given: dict[str, Any], verdict: str) -> None:
    for order in itertools.permutations(rules):
        assert short(ask(policy(*order), *roles.split(), **given)) == verdict


def test_a_deny_says_the_rules_message_and_its_reason() -> None:
    denied = ask(policy(STUDY, NEVER), "researcher")
    assert denied == Deny("never", ("never", "study"), "denied", "Not you.")


def test_break_glass_stands_in_place_of_what_other_rules_say() -> None:
    given = ask(policy(CARE, ASK, SOS, LISTS), "clinician", **HELP)
    assert (given.verb, given.rule, given.rules) == ("break_glass", "sos", ("ask", "care", "sos"))
    assert (given.mask.name, given.purpose, given.grants) == ("reveal", "emergency", ())


def test_a_hold_carries_who_may_say_yes() -> None:
    held = ask(policy(CARE, ASK), "clinician")
    assert held == Hold(
        *("ask", ("ask", "care"), "Ask."),
        approvers=("officer",),
        terms=GrantTerms(uses=1, bind="request"),
        lacking=("ask",),
        rule_hash=rule_hash(policy(ASK), "ask"),
    )
    assert held.reason == "approval-required"


def test_a_hold_carries_all_that_nobody_said_yes_to_yet() -> None:
    hourly = ASK.replace("name: ask", "name: hourly, grant: {for: PT1H}")
    held = with_grants(policy(ASK, hourly, SEE), to=UNMASK, unmask="round")
    assert (held.rule, held.lacking, held.bound) == ("ask", ("ask", "hourly", "see"), False)
    assert with_grants(policy(ASK, hourly), replace(GRANT, rule="hourly")).lacking == ("ask",)
    assert with_grants(policy(ASK, hourly), replace(GRANT, rule="hourly")).bound


def test_an_emergency_for_unmask_opens_nothing_of_what_else_is_held() -> None:
    sees = SOS.replace("to: [chat]", "to: [unmask]")
    asked: dict[str, Any] = {"to": UNMASK} | WHY | HELP
    assert short(ask(policy(ASK, sees), "clinician", **asked)) == "hold ask"
    assert short(ask(policy(CARE, SEE, sees), "clinician", **asked)) == "break_glass sos"
    assert short(ask(policy(ASK, SEE, SOS), "clinician", **asked)) == "break_glass sos"
    grant = replace(GRANT, actions=UNMASK)
    given = with_grants(policy(ASK, sees), grant, **asked)
    assert (given.verb, given.rule, given.grant, given.mask.name) == ("break_glass", "sos", "g", "reveal")


GRANT = Grant("g", "t", "ask", ("https://idp.example", "someone"), CHAT, "m", None, 10.0, 20.0)
OTHERS = [
    ("of another rule", {"rule": "see"}),
    ("of another subject", {"subject": ("https://idp.example", "somebody")}),
    ("of another issuer's subject", {"subject": ("https://other.example", "someone")}),
    ("for other actions", {"actions": UNMASK}),
    ("for another model", {"model": "n"}),
    ("for another request", {"digest": "other"}),
    ("whose time is to come", {"starts": 15.5}),
    ("whose time is over", {"expires": 15.0}),
    ("that is used up", {"uses": 0}),
    ("of the rule as it was before", {"rule_hash": "another"}),
]


def with_grants(of: Policy, *grants: Grant, now: float = 15.0, to: frozenset[str] = CHAT, **facts: Any) -> Any:
    """By grants that were given under this very policy, where they do not say otherwise."""
    grants = tuple(replace(each, rule_hash=each.rule_hash or rule_hash(of, each.rule)) for each in grants)
    return decide(of, subject("clinician"), to, "m", PromptFacts(**{"digest": "this"} | facts), grants, now)


@pytest.mark.parametrize(("sentence", "change"), OTHERS, ids=[case[0] for case in OTHERS])
def test_a_grant_does_not_count(sentence: str, change: dict[str, Any]) -> None:
    assert isinstance(with_grants(policy(ASK), replace(GRANT, **change)), Hold)
    assert isinstance(with_grants(policy(ASK), replace(GRANT, **change), GRANT), Permit)


def test_a_hold_with_a_grant_counts_as_a_permit() -> None:
    bound = replace(GRANT, digest="this", uses=1)
    given = with_grants(policy(ASK, STUDY), bound)
    assert (given.verb, given.rules, given.mask.name) == ("permit", ("ask",), "lean")
    assert (given.grant, given.ticket) == ("g", "t")
    assert given.grants == (replace(bound, rule_hash=rule_hash(policy(ASK), "ask")),)


def timed_rule(rule: str, hours: str) -> str:
    return rule.removesuffix("}") + f", hours: {hours}}}"


RAW_NIGHT = CARE.replace("name: care", "name: night")
HOURS = [
    ("a permit", [timed_rule(CARE, DAYS)], {}, "permit care", "deny no-rule"),
    ("a hold over a permit", [CARE, timed_rule(ASK, NIGHTS)], {}, "permit care", "hold ask"),
    ("a deny", [CARE, timed_rule(NOBODY, NIGHTS)], {}, "permit care", "deny nobody"),
    ("an emergency", [CARE, timed_rule(SOS, NIGHTS)], HELP, "permit care", "break_glass sos"),
    ("of two permits", [timed_rule(CARE, DAYS), timed_rule(RAW_NIGHT, NIGHTS)], {}, "permit care", "permit night"),
]


@pytest.mark.parametrize(("what", "rules", "given", "noon", "night"), HOURS, ids=[case[0] for case in HOURS])
def test_a_rule_applies_in_its_hours_only(
    what: str, rules: list[str], given: dict[str, Any], noon: str, night: str
) -> None:
    of = policy(*rules)
    assert [short(ask(of, "clinician", now=now, **given)) for now in (NOON, NIGHT)] == [noon, night]


def test_what_an_answer_depends_on_of_the_time_is_told() -> None:
    of = policy(timed_rule(CARE, DAYS), STUDY, timed_rule(ASK.replace("name: ask", "name: late"), DAYS))
    assert (moment(of, NOON), moment(of, NIGHT), moment(policy(CARE), NOON)) == ((True,), (False,), ())
    assert timed(of, frozenset({"clinician"}), CHAT, "m") == ("care", "late")
    assert timed(of, frozenset({"researcher"}), CHAT, "m") == ()


def test_a_grant_with_hours_counts_in_them_only_and_nobody_is_asked_for_another_one() -> None:
    of = policy(ASK.removesuffix("}") + f", grant: {{for: P2D, hours: {NIGHTS}}}}}")
    lasting = replace(GRANT, starts=0.0, expires=NIGHT + 1)
    assert isinstance(with_grants(of, lasting, now=NIGHT), Permit)
    assert with_grants(of, lasting, now=NOON) == Deny(
        "ask", ("ask",), "outside-hours", "What was approved does not count at this hour."
    )
    assert with_grants(of, now=NOON).reason == "approval-required"
    assert with_grants(of, lasting, now=NIGHT + 1).reason == "approval-required"
    assert moment(of, NOON) == (False,)


def test_each_hold_needs_a_grant_of_its_own() -> None:
    other = ASK.replace("name: ask", "name: ask-too")
    assert with_grants(policy(ASK, other), GRANT).rule == "ask-too"
    both = with_grants(policy(ASK, other), GRANT, replace(GRANT, id="h", ticket="u", rule="ask-too"))
    assert (both.grant, both.ticket) == ("g+h", "t+u")


def test_the_mask_of_a_granted_unmask_stands_in_place_of_the_others() -> None:
    see = replace(GRANT, rule="see", actions=UNMASK)
    assert with_grants(policy(CARE, SEE), see, to=UNMASK, unmask="round").mask.name == "reveal"
    assert with_grants(policy(SEE), see, to=UNMASK, unmask="round").reason == "no-rule"


def test_a_grant_outweighs_no_deny() -> None:
    assert with_grants(policy(ASK, NOBODY), GRANT).rule == "nobody"


def test_who_asks_may_have_to_say_why_but_not_once_it_was_granted() -> None:
    of = policy(ASK.replace("message:", "justification: required, message:"))
    assert with_grants(of).reason == "justification-missing"
    assert with_grants(of, justification=" ").reason == "justification-missing"
    assert with_grants(of, justification="a new version").reason == "approval-required"
    assert isinstance(with_grants(of, GRANT), Permit)


def test_all_matching_rules_are_listed_and_the_strictest_transform_wins_for_each_entity() -> None:
    both = ask(policy(CARE, STUDY), "clinician", "researcher")
    assert both.rules == ("care", "study")
    assert both.mask.name == "lean+years"
    assert {entity: both.mask.of(entity).name for entity in ("PERSON", "DATE_TIME", "MRN")} == {
        "PERSON": "redact",
        "DATE_TIME": "redact",
        "MRN": "redact",
    }
    assert both.purpose == "research+treatment"


def test_a_prompt_mask_of_one_rule_holds_for_all() -> None:
    assert ask(policy(CARE, STUDY), "clinician", "researcher").prompt.name == "lean"
    assert ask(policy(CARE), "clinician").prompt is None


def test_reveal_and_opaque_need_every_matching_permit() -> None:
    alone = ask(policy(RAW, CARE), "officer")
    both = ask(policy(RAW, CARE), "officer", "clinician")
    assert alone.mask.reveals
    assert alone.opaque
    assert both.mask.of("PERSON").name == "surrogate"
    assert not both.opaque


def test_what_no_rule_masks_is_redacted() -> None:
    assert ask(policy(NAMES), "clinician", to=LIST, model=None).mask.of("PERSON").name == "redact"


def test_the_mask_of_unmask_stands_in_place_of_the_others() -> None:
    assert ask(policy(CARE, SEE_NOW), "clinician", to=UNMASK, **WHY).mask.reveals
    assert not ask(policy(CARE, SEE_NOW), "clinician").mask.reveals


def test_of_two_rules_for_unmask_the_stricter_holds() -> None:
    seen = ask(policy(CARE, SEE_NOW, SEE_YEARS), "clinician", to=UNMASK, **WHY).mask
    assert (seen.of("DATE_TIME").name, seen.of("PERSON").name) == ("year", "redact")


ROLES = ("clinician", "researcher", "officer")


@st.composite
def rules(draw: st.DrawFn, verbs: tuple[str, ...] = ("permit", "hold", "deny", "break_glass")) -> list[str]:
    made = []
    for number in range(draw(st.integers(1, 6))):
        verb = draw(st.sampled_from(verbs))
        who = draw(st.sampled_from([*ROLES, "'*'"]))
        to = ", ".join(draw(st.sets(st.sampled_from(["chat", "list-models", "unmask"]), min_size=1)))
        model = draw(st.sampled_from(["m", "n", "'*'"]))
        extra = {
            "permit": f", mask: {draw(st.sampled_from(['lean', 'years', 'reveal']))}",
            "hold": ", mask: lean, approvers: [officer]",
            "deny": "",
            "break_glass": ", mask: reveal, review_by: [officer]",
        }[verb]
        when = draw(st.sampled_from(["", ", when: {prompt_matches: [secret]}"]))
        hours = draw(st.sampled_from(["", f", hours: {DAYS}", f", hours: {NIGHTS}"]))
        made.append(f"{{name: r{number}, {verb}: [{who}], to: [{to}], models: [{model}]{extra}{when}{hours}}}")
    return made


QUESTIONS = st.fixed_dictionaries(
    {
        "roles": st.sets(st.sampled_from(ROLES)),
        "to": st.frozensets(st.sampled_from(["chat", "list-models", "unmask"])),
        "model": st.sampled_from(["m", "n", "other", None]),
        "texts": st.sampled_from([(), ("a secret",), ("hello",)]),
        "unmask": st.sampled_from([None, "why"]),
        "break_glass": st.sampled_from([None, "help"]),
        "now": st.sampled_from([NOON, NIGHT]),
    }
)


def put(of: Policy, question: dict[str, Any]) -> Any:
    rest = {key: value for key, value in question.items() if key != "roles"}
    return ask(of, *question["roles"], **rest)


@settings(max_examples=120, deadline=None)
@given(rules(), QUESTIONS, st.randoms(use_true_random=False))
def test_the_order_of_rules_never_matters(of: list[str], question: dict[str, Any], random: Any) -> None:
    other = random.sample(of, len(of))
    assert put(policy(*of), question) == put(policy(*other), question)


@settings(max_examples=120, deadline=None)
@given(rules(), QUESTIONS, rules(verbs=("deny", "hold")))
def test_adding_what_restricts_never_permits(of: list[str], question: dict[str, Any], more: list[str]) -> None:
    named = [rule.replace("{name: r", "{name: s") for rule in more]
    if isinstance(put(policy(*of, *named), question), Permit):
        assert isinstance(put(policy(*of), question), Permit)


@settings(max_examples=120, deadline=None)
@given(rules(), QUESTIONS)
def test_taking_a_permit_away_never_permits_more(of: list[str], question: dict[str, Any]) -> None:
    fewer = [rule for rule in of[1:] if "permit" in rule] + [rule for rule in of if "permit" not in rule]
    if fewer and isinstance(put(policy(*fewer), question), Permit):
        assert isinstance(put(policy(*of), question), Permit)


@settings(max_examples=120, deadline=None)
@given(rules(verbs=("permit",)), rules(verbs=("deny", "hold")), QUESTIONS, st.sampled_from(ROLES))
def test_a_subject_with_fewer_roles_is_never_permitted_more(
    permits: list[str], limits: list[str], question: dict[str, Any], role: str
) -> None:
    """Where what restricts is about everybody; a deny of one role is of course lost with that role."""
    for_all = [
        rule.replace("{name: r", "{name: s").replace(f"[{who}]", "['*']", 1)
        for rule in limits
        for who in [rule.split(": [")[1].split("]")[0]]
    ]
    of = policy(*permits, *for_all)
    fewer = question | {"roles": question["roles"] - {role}}
    if isinstance(put(of, fewer), Permit):
        assert isinstance(put(of, question | {"roles": question["roles"] | {role}}), Permit)


@settings(max_examples=120, deadline=None)
@given(rules(verbs=("permit",)), QUESTIONS)
def test_more_matching_permits_never_show_more(of: list[str], question: dict[str, Any]) -> None:
    asked = question | {"to": question["to"] - {"unmask"}}
    one, all_of_them = put(policy(of[0]), asked), put(policy(*of), asked)
    if isinstance(one, Permit):
        for entity in ("PERSON", "DATE_TIME", "MRN"):
            assert all_of_them.mask.of(entity).strictness <= one.mask.of(entity).strictness


def test_restore_needs_every_matching_permit_and_a_masked_prompt() -> None:
    back = "{name: back, permit: [researcher], to: [chat], models: ['*'], mask: lean, prompt: lean, restore: true}"
    plain = "{name: plain, permit: [clinician], to: [chat], models: ['*'], mask: lean}"
    alone = ask(policy(back, plain), "researcher")
    assert isinstance(alone, Permit)
    assert alone.restore
    both = ask(policy(back, plain), "researcher", "clinician")
    assert isinstance(both, Permit)
    assert not both.restore


@settings(max_examples=120, deadline=None)
@given(rules(), QUESTIONS)
def test_who_knows_what_a_prompt_says_needs_no_prompt(of: list[str], question: dict[str, Any]) -> None:
    """An answer depends on nothing of a prompt and its emergency header but what `conditions` lists."""
    made, roles = policy(*of), frozenset(question["roles"])
    asked = (made, roles, question["to"], question["model"])
    found = conditions(*asked, question["now"])
    known = {each.patterns: Prompt(question["texts"]).matches(each.patterns) for each in found if each.patterns}
    emergency = question["break_glass"] if any(each.emergency for each in found) else None
    told = judge(*asked, PromptFacts((), question["unmask"], emergency), known.__getitem__, question["now"])
    assert told == put(made, question)


WINDOWS = st.lists(a_window(), min_size=1, max_size=2)


@settings(max_examples=500 if os.environ.get("PHIGATE_THOROUGH") else 30, deadline=None)
@given(
    rules(),
    QUESTIONS,
    st.lists(st.one_of(st.none(), WINDOWS), min_size=6, max_size=6),
    st.sampled_from(MOVES),
    st.integers(0, 60 * 60 - 1),
)
def test_at_every_minute_it_is_as_if_rules_outside_of_their_hours_were_not_there(
    of: list[str], question: dict[str, Any], hours: list[list[Window] | None], day: str, minute: int
) -> None:
    """Around changes of clocks, by windows that are counted out on a calendar."""
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=minute)
    days = moment.date() - timedelta(days=3), moment.date() + timedelta(days=3)
    plain = [re.sub(r", hours: \{.*?\}", "", rule) for rule in of]
    windowed, there = [], []
    for rule, windows in zip(plain, hours, strict=False):
        if windows is None:
            windowed.append(rule)
            there.append(rule)
            continue
        written = ", ".join(written_down(window) for window in windows)
        windowed.append(f"{rule.removesuffix('}')}, hours: [{written}]}}")
        shown = [(moment.astimezone(ZoneInfo(window.zone)).replace(tzinfo=None), window) for window in windows]
        there += [rule] if any(clock in shown_in(window, *days) for clock, window in shown) else []
    asked = question | {"now": moment.timestamp()}
    nothing = "{name: zzz, permit: [researcher], to: [revoke], models: ['*']}"
    found, expected = put(policy(*windowed, nothing), asked), put(policy(*there, nothing), asked)
    assert (found.verb, found.rule, found.rules) == (expected.verb, expected.rule, expected.rules)
    assert getattr(found, "mask", None) == getattr(expected, "mask", None)


def written_down(window: Window) -> str:
    days = ", ".join(window.days)
    return f'{{days: [{days}], from: "{window.from_}", to: "{window.to}", zone: {window.zone}}}'


def test_which_headers_were_sent_is_told_by_name() -> None:
    assert PromptFacts(unmask="why", break_glass="help", justification="so").stated == (
        *("break-glass", "justification", "unmask"),
    )
    assert PromptFacts().stated == ()
