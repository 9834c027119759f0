"""What the page says of tickets and reviews."""

import pytest

from phigate.answering import Caller
from phigate.console.page.words import STATES, asked, gives, lasting, reviewed
from phigate.exchange import Subject
from phigate.ledger.tickets import Review, Said
from tests import policies
from tests.ledger.tickets import ADA, EVE, KAI, NOW, ticket

HELD = (
    "{{name: ask, hold: [clinician], to: [chat, unmask], models: ['*'], approvers: [officer], mask: lean, {}}}".format
)
POLICY = policies.policy(HELD("grant: {uses: 1, bind: request}"))


def caller(who=EVE, *roles):
    subject = Subject(who[0], who[1], (), frozenset(roles or ("officer",)), 0.0)
    return Caller(subject, "", "page")


def seen(policy=POLICY, by=None, *, reviews=True, now=NOW + 60, **changes):
    return asked(ticket(**changes), policy, by or caller(), reviews=reviews, now=now)


def test_a_ticket_says_who_asks_for_what_why_and_how_long_it_waits():
    call = {"route": "chat", "method": "POST", "target": "/v1/chat"}
    shown = {"model": "llama3", "call": call, "unmask": "ward round", "prompt": {"messages": [{"content": "hi"}]}}
    one = seen(shown=shown | {"context": {"commit": "abc", "run": None}, "deployment": {"version": "2"}})
    assert (one.seen.who, one.seen.issuer) == ("ada", "https://idp.example")
    assert one.seen.wants == "chat and see identifiers as they are"
    assert (one.seen.model, one.seen.call) == ("llama3", "POST /v1/chat")
    assert one.seen.why == (("Why unmasked", "ward round"),)
    assert one.seen.beside == (("version", "2"), ("commit", "abc"))
    assert one.seen.turns == (("text", "hi"),)
    assert (one.waits, one.until, one.still) == ("59 minutes", "2023-11-14 23:13 UTC", 1)
    assert (one.may_answer, one.may_revoke, one.pending) == (True, False, True)


@pytest.mark.parametrize(
    ("grant", "changes", "text"),
    [
        ("grant: {uses: 1, bind: request}", {}, "this very request, once, within 10 minutes of the last yes"),
        ("grant: {for: PT30M}", {"bound": False, "uses": None}, "requests of this kind, as often as wanted, within 10"),
        ("grant: {for: PT5M}", {"bound": False, "uses": None}, "as often as wanted, within 5 minutes"),
        ("grant: {uses: 3}", {"bound": False, "uses": 5, "lasts": 3 * 86400.0}, "3 times, within 3 days of"),
        (
            "grant: {for: PT1H, hours: {days: [mon, tue, wed], from: '07:00', to: '19:00', zone: UTC}}",
            {"bound": False, "uses": None},
            "of the last yes, at these hours: mon-wed 07:00-19:00 UTC",
        ),
    ],
)
def test_a_yes_gives_what_ticket_and_rule_both_give(grant, changes, text):
    assert text in gives(ticket(**changes), policies.policy(HELD(grant)))


def test_as_many_are_needed_as_the_stricter_says():
    strict = policies.policy(HELD("approvals: 3"))
    one = seen(strict, said=(Said(KAI, "approve", "seen", NOW + 5),))
    assert (one.needed, one.given, one.still) == (3, 1, 2)
    assert [(each.who, each.yes, each.comment) for each in one.heard] == [("kai", True, "seen")]


@pytest.mark.parametrize(
    ("how", "may"),
    [
        ({}, (True, False)),
        ({"by": caller(ADA)}, (False, True)),
        ({"by": caller(KAI, "researcher")}, (False, False)),
        ({"reviews": False}, (False, False)),
        ({"said": (Said(EVE, "approve", "", NOW),), "approvals": 2}, (False, False)),
        ({"state": "approved"}, (False, True)),
        ({"state": "approved", "by": caller(ADA)}, (False, True)),
        ({"state": "approved", "reviews": False}, (False, False)),
        ({"state": "rejected"}, (False, False)),
        ({"now": NOW + 3600}, (False, False)),
        ({"rule": "gone"}, (False, False)),
    ],
)
def test_what_somebody_may_do_with_it(how, may):
    one = seen(**how)
    assert (one.may_answer, one.may_revoke) == may


def test_every_state_has_its_words():
    for state, said in STATES.items():
        one = seen(state=state)
        assert one.state == said
        assert (one.waits is None) is (state != "pending")


def test_a_ticket_of_a_rule_that_is_gone_is_still_shown():
    assert seen(rule="gone").gives == "this very request, once, within 10 minutes of the last yes"


@pytest.mark.parametrize("shown", [{}, {"call": "x", "prompt": None, "context": []}, {"prompt": b"x", "call": {}}])
def test_whatever_a_ticket_holds_can_be_shown(shown):
    one = seen(shown=shown)
    assert (one.seen.model, one.seen.why, one.seen.beside) == (None, (), ())


def test_a_prompt_that_was_left_out_is_said_to_be():
    assert seen(shown={"prompt": None, "prompt_left_out": True}).seen.left_out


def test_a_use_of_break_glass():
    shown = {"model": "llama3", "reason": "cardiac arrest", "prompt": "hi"}
    one = reviewed(Review("ex-1", "emergency", ADA, ("officer",), NOW, shown, due=NOW + 86400))
    assert one.due == "2023-11-15 22:13 UTC"
    assert (one.id, one.who, one.why, one.turns) == (
        "ex-1",
        "ada",
        (("Emergency", "cardiac arrest"),),
        (("body", "hi"),),
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "1 second"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (90, "1 minute 30 seconds"),
        (3600, "1 hour"),
        (3605, "1 hour"),
        (86400 + 7200, "1 day 2 hours"),
        (7 * 86400, "7 days"),
    ],
)
def test_lengths_of_time(seconds, text):
    assert lasting(seconds) == text
