"""Who may say yes to what: the pure rules, and that no path through them gives more than was said."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.approval.tickets import (
    LASTS,
    PENDING,
    Asking,
    answered,
    digest_of,
    edited,
    may_answer,
    opened,
    revoked,
    signed,
    weighed,
)
from phigate.exchange import Subject
from phigate.ledger.tickets import Review, Said, Step
from phigate.policy.decide import Hold, PromptFacts, decide
from phigate.policy.hashes import rule_hash
from tests.ledger.tickets import ADA, EVE, KAI, NOW, ticket
from tests.policies import policy

RULE = "name: ask, hold: [clinician], to: [chat], models: ['*'], mask: lean, approvers: [officer]"
POLICY = policy(f"{{{RULE}, approvals: 1}}")
TWO = policy(f"{{{RULE}, approvals: 2}}")
OTHER_ROLES = "roles: {clinician: [ward], researcher: [lab], officer: [board]}\n"
LED = RULE.replace("approvers: [officer]", "approvers: [researcher]")
SOMETHING_ELSE = "{name: names, permit: ['*'], to: [list-models], models: ['*']}"


def person(who=EVE, *roles):
    return Subject(who[0], who[1], (), frozenset(roles or ("officer",)), NOW + 100)


def say(verdict="approve", by=EVE, now=NOW):
    return Said(by, verdict, "seen", now)


def answer(of, said=None, *, under=POLICY, roles=()):
    said = said or say()
    return answered(of, under, person(said.by, *roles), said, grant="g-1")


# -- answers --------------------------------------------------------------------------------------------------------


def test_the_last_yes_makes_the_grant_and_starts_its_clock():
    step = answer(ticket(opened=NOW - 600), say(now=NOW + 30))
    assert step.event == "enough"
    assert (step.grant.starts, step.grant.expires, step.grant.uses) == (NOW + 30, NOW + 630, 1)
    assert (step.grant.digest, step.grant.subject, step.grant.model) == ("aa", ADA, "llama3")
    free = policy(f"{{{RULE}, grant: {{for: PT1H, uses: 5}}}}")
    assert answer(ticket(bound=False), under=free).grant.digest is None


TERMS = [
    ("{for: PT1M, uses: 5, bind: request}", {"uses": 3, "bound": False}, (60, 3, "aa")),
    ("{for: PT1H}", {"uses": 3, "bound": False}, (600, 3, None)),
    ("{uses: 2}", {"uses": None, "bound": False}, (600, 2, None)),
    ("{for: PT1H}", {"uses": None, "bound": True}, (600, None, "aa")),
]


@pytest.mark.parametrize(("terms", "asked", "given"), TERMS, ids=str)
def test_a_yes_gives_no_more_than_the_rule_gave_when_it_was_asked_for_and_gives_now(terms, asked, given):
    grant = answer(ticket(**asked), under=policy(f"{{{RULE}, grant: {terms}}}")).grant
    assert (grant.expires - grant.starts, grant.uses, grant.digest) == given


REFUSED = [
    ("by the requester, whatever roles they hold", ticket(), say(by=ADA), ("officer", "lead"), "own-request"),
    ("by somebody without the role", ticket(), say(), ("clinician",), "not-an-approver"),
    ("by a role that the ticket names and the rule no more", ticket(), say(), ("lead",), "not-an-approver"),
    ("by a role that the rule names and the ticket not", ticket(approvers=("lead",)), None, (), "not-an-approver"),
    ("of a rule that is gone", ticket(rule="gone"), None, (), "not-an-approver"),
    ("twice", ticket(said=(say(),)), say("reject"), (), "already-said"),
    ("once it was approved", ticket(state="approved"), None, (), "ticket-over"),
    ("once it lapsed", ticket(until=NOW), None, (), "ticket-over"),
    ("once it was taken back", ticket(state="revoked"), None, (), "ticket-over"),
]


def test_a_ticket_and_what_it_gives_are_for_the_rule_as_it_was():
    was = rule_hash(POLICY, "ask")
    step = answer(ticket(rule_hash=was))
    assert (step.event, step.grant.rule_hash) == ("enough", was)
    for edited_ in (TWO, policy(f"{{{RULE.replace('mask: lean', 'mask: years')}}}"), policy(SOMETHING_ELSE)):
        assert answer(ticket(rule_hash=was), under=edited_) == "ticket-over"
        assert edited(ticket(rule_hash=was), edited_)
    assert not edited(ticket(rule_hash=was), policy(f"{{{RULE}, message: Ask.}}"))


def test_of_a_ticket_of_which_nobody_knows_the_rule_a_yes_covers_nothing():
    grant = answer(ticket()).grant
    assert not grant.covers("ask", rule_hash(POLICY, "ask"), ADA, grant.actions, grant.model, grant.digest, NOW)


@pytest.mark.parametrize(("sentence", "of", "said", "roles", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
def test_an_answer_counts_for_nothing(sentence, of, said, roles, reason):
    assert answer(of, said, roles=roles) == reason


LOST = [
    ("may still answer", ("privacy",), POLICY, True, True),
    ("has no group of the role any more", ("ward",), POLICY, True, False),
    ("had none when it was said", (), POLICY, True, False),
    ("was taken back, or may review no more", ("privacy",), POLICY, False, False),
    ("lost what the group gave", ("privacy",), policy(f"{{{RULE}}}", roles=OTHER_ROLES), True, False),
    ("may answer no more by the rule", ("privacy",), policy(f"{{{LED}}}"), True, False),
]


@pytest.mark.parametrize(("sentence", "groups", "under", "still", "counts"), LOST, ids=[case[0] for case in LOST])
def test_an_earlier_yes_counts_while_who_said_it(sentence, groups, under, still, counts):
    said = replace(say(by=KAI), groups=groups)
    of = weighed(ticket(approvals=2, said=(said,)), under, lambda _speaker: still)
    assert of.agreed == ({KAI} if counts else set())
    assert [each.counts for each in of.said] == [counts]


def test_with_a_yes_that_counts_no_more_another_is_needed():
    said = replace(say(by=KAI), groups=("ward",))
    of = weighed(ticket(approvals=2, said=(said,)), TWO, lambda _speaker: True)
    assert answer(of, under=TWO) == Step(say())


def test_who_said_yes_is_judged_by_what_they_were_then():
    seen = []
    of = ticket(said=(replace(say(by=KAI), groups=("privacy",)),))

    def still(speaker):
        seen.append(speaker)
        return True

    weighed(of, POLICY, still)
    (speaker,) = seen
    assert ((speaker.issuer, speaker.id), set(speaker.roles), speaker.issued) == (KAI, {"officer"}, NOW)


def test_one_no_is_enough():
    step = answer(ticket(approvals=2, said=(say(by=KAI),)), say("reject"))
    assert (step.event, step.grant) == ("reject", None)


def test_two_people_are_needed_where_the_ticket_or_the_rule_says_two():
    for of, under in ((ticket(approvals=2), POLICY), (ticket(), TWO)):
        assert answer(of, under=under) == Step(say())
        assert answer(replace(of, said=(say(),)), say(by=KAI), under=under).event == "enough"


def test_one_person_in_two_groups_is_one_and_by_two_issuers_two():
    of = ticket(approvals=2, said=(say(),))
    assert answer(of, say(), roles=("officer", "lead"), under=TWO) == "already-said"
    assert answer(of, say(by=("https://other.example", EVE[1])), under=TWO).event == "enough"


@given(
    st.lists(st.tuples(st.sampled_from([ADA, EVE, KAI]), st.sampled_from(["approve", "reject"]), st.booleans())),
    st.sampled_from([POLICY, TWO]),
)
def test_however_people_answer_a_grant_has_enough_of_them_behind_it(answers, under):
    of, grants = ticket(), []
    for by, verdict, holds in answers:
        step = answer(of, say(verdict, by), under=under, roles=("officer",) if holds else ("clinician",))
        if isinstance(step, Step):
            after = {"enough": "approved", "reject": "rejected", None: "pending"}[step.event]
            of = replace(of, said=(*of.said, step.said), state=after)
            grants += [step.grant] if step.grant else []
    assert len(grants) <= 1
    assert len({each.by for each in of.said}) == len(of.said)
    agreed = {each.by for each in of.said if each.verdict == "approve"}
    assert ADA not in agreed
    assert bool(grants) == (len(agreed) >= under.rules[0].approvals and of.state == "approved")


# -- taking back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "roles", "state", "made"),
    [
        (EVE, ("officer",), "pending", Step(None, "revoke")),
        (EVE, ("officer",), "approved", Step(None, "revoke")),
        (ADA, ("clinician",), "pending", Step(None, "revoke")),
        (KAI, ("clinician",), "pending", "not-an-approver"),
        (EVE, ("officer",), "used", Step(ends=True)),
        (ADA, ("clinician",), "used", Step(ends=True)),
        (KAI, ("clinician",), "used", "not-an-approver"),
        (EVE, ("officer",), "rejected", "ticket-over"),
        (EVE, ("officer",), "expired", "ticket-over"),
    ],
)
def test_it_is_taken_back_by_approvers_and_by_the_requester(who, roles, state, made):
    assert revoked(ticket(state=state), POLICY, person(who, *roles), NOW) == made


def test_what_runs_by_a_yes_whose_time_is_over_can_still_be_ended():
    said = (Said(KAI, "approve", "", NOW),)
    over = ticket(state="approved", until=NOW - 1, said=said)
    assert revoked(over, POLICY, person(EVE, "officer"), NOW) == Step(ends=True)


def test_who_may_answer():
    assert may_answer(ticket(), POLICY, {"officer", "clinician"})
    assert not may_answer(ticket(), POLICY, {"clinician"})


# -- reviews --------------------------------------------------------------------------------------------------------

REVIEW = Review("ex-1", "sos", ADA, ("officer",), NOW, {})


@pytest.mark.parametrize(
    ("review", "by", "roles", "reason"),
    [
        (REVIEW, EVE, {"officer"}, None),
        (REVIEW, EVE, {"clinician"}, "not-an-approver"),
        (REVIEW, ADA, {"officer"}, "own-request"),
        (replace(REVIEW, signed=say(by=KAI)), EVE, {"officer"}, "already-said"),
    ],
)
def test_who_signs_a_review(review, by, roles, reason):
    assert signed(review, frozenset(roles), say(by=by)) == reason


# -- what is asked for ----------------------------------------------------------------------------------------------


def test_a_ticket_says_what_the_rule_says():
    of = policy(f"{{{RULE}, approvals: 2, grant: {{for: PT30M, uses: 3}}}}")
    hold = decide(of, person(ADA, "clinician"), frozenset({"chat"}), "m", PromptFacts(), (), NOW)
    assert isinstance(hold, Hold)
    said = {"id_": "t", "actions": frozenset({"chat"}), "model": "m", "digest": "aa", "exchange": "e", "policy": "p"}
    one = opened(hold, person(ADA), **said, shown={"prompt": "p"}, now=NOW)
    assert (one.rule, one.approvers, one.approvals, one.subject) == ("ask", ("officer",), 2, ADA)
    assert one.rule_hash == rule_hash(of, "ask")
    assert (one.lasts, one.uses, one.bound, one.until, one.state) == (1800, 3, False, NOW + PENDING, "pending")
    plain = opened(replace(hold, terms=POLICY.rules[0].grant), person(ADA), **said, shown={}, now=NOW)
    assert (plain.lasts, plain.uses, plain.bound) == (LASTS, 1, True)


ASKING = Asking(
    ADA, "POST", "/v1/x?a=1", "http://model:80", frozenset({"chat", "unmask"}), "m", {"b": [1, "x"], "a": None}
)
KEY = b"k" * 32
CHANGES = [
    {"subject": EVE},
    {"subject": ("https://other.example", "ada")},
    {"method": "PUT"},
    {"path": "/v1/x?a=2"},
    {"path": "/v1/x"},
    {"upstream": "http://model:81"},
    {"actions": frozenset({"chat"})},
    {"model": "n"},
    {"model": None},
    {"body": {"b": [1, "x"]}},
    {"body": {"b": [1, "x"], "a": False}},
    {"body": {"b": ["1", "x"], "a": None}},
    {"body": {"b": [1.0, "x"], "a": None}},
    {"body": {"b": [1, b"x"], "a": None}},
    {"body": None},
    {"context": (("commit", "9f"),)},
    {"deployment": ("2.1.0", "9f")},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_another_request_has_another_digest(change):
    assert digest_of(replace(ASKING, **change), KEY) != digest_of(ASKING, KEY)


def test_the_same_request_has_the_same_digest_however_it_was_written():
    same = replace(ASKING, body=json.loads('{ "a" : null, "b":[1,"\\u0078"] }'))
    assert digest_of(same, KEY) == digest_of(ASKING, KEY)
    assert digest_of(ASKING, b"o" * 32) != digest_of(ASKING, KEY)
    assert len(digest_of(ASKING, KEY)) == 64
