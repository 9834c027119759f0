"""What a policy says that can never come about."""

from pathlib import Path

import pytest

from phigate.approval.tickets import LASTS, PENDING
from phigate.policy import advice as advice_
from phigate.policy.advice import advice
from phigate.policy.load import parse_policy
from tests.policies import policy, text

ASK = "{name: ask, hold: [clinician], to: [chat], models: ['*'], mask: lean, approvers: [officer, researcher]}"
SOS = "{name: sos, break_glass: [clinician], to: [chat], models: ['*'], mask: reveal, review_by: [officer]}"
OFFICERS = "{name: officers, permit: [officer], to: [review], models: ['*']}"
ALL = "{name: all, permit: ['*'], to: [review], models: ['*']}"
NOT_OFFICERS = "{name: not-officers, deny: [officer], to: ['*']}"

NOT_LISTS = NOT_OFFICERS.replace("to: ['*']", "to: ['*'], when: {prompt_matches: [list]}")
ASKS_TOO = "{name: too, hold: [officer], to: [review], models: ['*'], approvers: [researcher]}"
ASK_ONE = ASK.replace("officer, researcher", "officer")
DAY, NIGHT, NOON_TO_EIGHT = (
    f'{{from: "{first}:00", to: "{last}:00", zone: UTC}}' for first, last in (("08", "18"), ("22", "06"), (12, 20))
)
MONDAY, TUESDAY, FRIDAY = (f'{{days: [{day}], from: "08:00", to: "18:00", zone: UTC}}' for day in ("mon", "tue", "fri"))
BERLIN = DAY.replace("UTC", "Europe/Berlin")


def at(rule, hours):
    return f"{rule.removesuffix('}')}, hours: {hours}}}"


def hold(hours, grant):
    rule = f"{ASK_ONE.removesuffix('}')}, grant: {{{grant}}}}}"
    return at(rule, hours) if hours else rule


CASES = [
    ("everybody may review", (ASK, SOS, ALL), []),
    ("one of two roles may", (ASK, OFFICERS), ["no rule permits `researcher` to `review`, so they never answer"]),
    (
        "no role may",
        (ASK,),
        ["no rule permits `officer`, `researcher` to `review`, so they never answer", "nobody can ever answer"],
    ),
    ("reviewers", (SOS,), ["no rule permits `officer` to `review`, so they never answer", "nobody can ever answer"]),
    ("a deny", (SOS, ALL, NOT_OFFICERS), ["no rule permits `officer` to `review`, so they never answer", "nobody can"]),
    ("a deny that looks at prompts, of which a review has none", (SOS, ALL, NOT_LISTS), []),
    ("a review that needs a yes itself", (SOS, ALL, ASKS_TOO), ["no rule permits `officer` to", "nobody can"]),
    (
        "a permit at hours at which a deny is on",
        (SOS, at(OFFICERS, DAY), at(NOT_OFFICERS, DAY)),
        ["no rule", "nobody", "outside of 08"],
    ),
    ("a permit at hours at which a deny is off", (SOS, at(OFFICERS, DAY), at(NOT_OFFICERS, NIGHT)), ["outside of 22"]),
]

# the hold, who answers, what is said
HOURS = [
    ("everybody at all hours", ASK_ONE, OFFICERS, None),
    ("answered while it waits", at(ASK_ONE, NIGHT), OFFICERS, None),
    ("answered in the morning, used in the night", hold(NIGHT, "for: PT12H"), at(OFFICERS, DAY), None),
    ("over before the night", hold(NIGHT, "for: PT1H"), at(OFFICERS, DAY), "rules[ask].hours: nobody may `review` in"),
    ("an hour for the clock", hold(NIGHT, "for: PT2H"), at(OFFICERS, NOON_TO_EIGHT), None),
    ("asked on Monday, answered on Friday", at(ASK_ONE, MONDAY), at(OFFICERS, FRIDAY), "rules[ask].hours: nobody may"),
    ("asked on Monday, answered by Tuesday", at(ASK_ONE, MONDAY), at(OFFICERS, TUESDAY), None),
    ("by clocks of two places", hold(NIGHT, "for: PT1H"), at(OFFICERS, BERLIN), None),
    (
        "a grant in none of the rule's hours",
        hold(NIGHT, f"for: PT1H, hours: {DAY}"),
        OFFICERS,
        "ask].grant.hours: none",
    ),
    ("a grant in the night", hold(None, f"for: PT1H, hours: {NIGHT}"), at(OFFICERS, DAY), "rules[ask].hours: nobody"),
    ("a grant in the night that lasts", hold(None, f"uses: 1, hours: {NIGHT}"), at(OFFICERS, DAY), None),
]


@pytest.mark.parametrize(("sentence", "rule", "reviews", "said"), HOURS, ids=[case[0] for case in HOURS])
def test_hours_that_never_meet_are_told(sentence, rule, reviews, said):
    found = list(advice(policy(rule, reviews)))
    assert len(found) == (said is not None)
    assert not said or said in found[0]


def test_what_is_off_outside_of_its_hours_is_told():
    care = "{name: care, permit: [clinician], to: [chat], models: [m], mask: lean}"
    named = [OFFICERS, at("{name: nobody, deny: ['*'], to: ['*']}", NIGHT), at(ASK_ONE, DAY)]
    off = "rules[nobody].hours: outside of 22:00-06:00 UTC it denies nothing"
    asks = "rules[ask].hours: outside of 08:00-18:00 UTC nobody is asked: what `care` permits then passes without a yes"
    assert set(advice(policy(*named))) == {off}
    assert set(advice(policy(*named, care))) == {off, asks}
    assert set(advice(policy(*named, at(care, NIGHT)))) == {off, asks}
    for other in (at(care, DAY), care.replace("clinician", "researcher"), care.replace("chat", "embed")):
        assert set(advice(policy(*named, other))) == {off}


@pytest.mark.parametrize(("sentence", "rules", "said"), CASES, ids=[case[0] for case in CASES])
def test_it_is_said_of(sentence, rules, said):
    found = list(advice(policy(*rules)))
    assert len(found) == len(said)
    assert all(part in each for part, each in zip(said, found, strict=True))


def test_it_reckons_with_the_times_that_tickets_and_grants_have():
    assert (advice_.WAITS.total_seconds(), advice_.LASTS.total_seconds()) == (PENDING, LASTS)


def test_it_names_the_place():
    assert next(advice(policy(SOS))).startswith("rules[sos].review_by: ")


RUNS = "    groups_from: groups\n    context_from: {commit: sha}\n"
SHIP = "{name: ship, hold: [clinician], to: [manage-models], models: ['*'], approvers: [officer]%s}"


@pytest.mark.parametrize(
    ("runs", "grant", "said"),
    [
        (RUNS, "", False),
        (RUNS, ", grant: {uses: 1, bind: request}", False),
        (RUNS, ", grant: {uses: 1}", True),
        (RUNS, ", grant: {for: PT1H}", True),
        ("", ", grant: {for: PT1H}", False),
    ],
)
def test_a_yes_to_one_run_of_a_pipeline_is_one_to_no_other(runs, grant, said):
    of = text(SHIP % grant, OFFICERS)
    if runs:
        of = of.replace("    groups_from: groups\n", runs)
        assert runs in of
    made = list(advice(parse_policy(of.encode(), "policy.yaml", Path())))
    assert [each.startswith("rules[ship].grant: a yes to one run") for each in made] == [True] * said
