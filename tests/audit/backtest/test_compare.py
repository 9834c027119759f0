"""Recorded requests decided again: what differs is found, what cannot be told is said, the rest is the same."""

import json
from functools import cache

import pytest

from phigate.audit.backtest import compare as backtest
from phigate.audit.backtest.compare import Backtest
from phigate.audit.backtest.kept import Taken
from phigate.audit.backtest.remask import Eyes
from phigate.masking.secrets import parse_secrets
from phigate.serving import served
from phigate.sources import read_sources
from tests import policies
from tests.audit.backtest.recordings import CARE, LISTS, request, response, said
from tests.traffic import CANARY_TEXT, completion

REVEALING = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: reveal}"
YEARS = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: years}"
SENT = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean, prompt: years}"
ASK = "{name: ask, hold: [clinician], to: [chat], models: ['*'], mask: lean, approvers: [officer]}"
NOTES = "{name: notes, deny: ['*'], to: [chat], when: {prompt_matches: ['ward-round']}}"


class Original:
    """What stands in for sealed records that are opened."""

    opens = True

    def __init__(self, *texts):
        self.texts = list(texts)

    def take(self, record):
        text = self.texts.pop(0)
        return Taken(record.get("body"), text if isinstance(text, bytes) else json.dumps(said(text)).encode())


def tried(rules, *records, against=None, past=((CARE, LISTS),), **more):
    made = Backtest(
        policies.policy(*rules),
        policies.policy(*against) if against else None,
        [policies.policy(*each) for each in past],
        **more,
    )
    for record in records:
        made.add(record)
    return made.tally


def changed(tally):
    return [(*key.kinds, key.before, key.after) for key in tally.changes]


def masked(tally):
    return [(key.kind, key.side, key.entity, key.before, key.after, group.found) for key, group in tally.masks.items()]


def test_the_policy_that_decided_changes_nothing():
    asked = request(findings={"PERSON": 1})
    tally = tried([CARE, LISTS], asked, response(asked), request("list all", "deny", "no-lists", "denied"), past=())
    assert (tally.exchanges, tally.same, tally.kinds, tally.masks) == (2, 2, {}, {})


BY_GRANT = {"verb": "permit", "rule": "ask", "decision": {"rules": ["ask"], "ticket": "t-1", "grant": "g-1"}}
HOURS = '{days: [mon], from: "15:00", to: "16:00", zone: UTC}'
TOO_LATE = '{days: [mon], from: "14:00", to: "15:00", zone: UTC}'


TOO = ASK.replace("name: ask", "name: too")


def timed(rule, hours=TOO_LATE):
    return f"{rule.removesuffix('}')}, hours: {hours}}}"


def lasting(hours):
    return ASK.replace("mask:", f"grant: {{for: PT1H, hours: {hours}}}, mask:")


def granted(*rules, **more):
    """A request that ran by a grant, or did not because of its hours, under the policy of these rules."""
    return request(policy=policies.policy(*rules).sha256, **BY_GRANT | more)


LATE = {"verb": "deny", "reason": "outside-hours", "decision": {"rules": ["ask"], "ticket": None, "grant": None}}
GRANTED = [
    ("the rule as it was", [ASK], [ASK], {}, None),
    ("a rule that says the same in other words", [ASK], [ASK.replace("mask:", "message: Ask., mask:")], {}, None),
    ("an edited rule", [ASK], [ASK.replace("lean", "years")], {}, ("newly-held", "permit ask", "hold ask")),
    ("another hold beside it", [ASK], [ASK, TOO], {}, ("newly-held", "permit ask", "hold too")),
    ("a rule that permits now", [ASK], [CARE], {}, ("rule-only", "permit ask", "permit care")),
    ("a rule that is gone", [ASK], [LISTS], {}, ("newly-denied", "permit ask", "deny no-rule")),
    ("a grant at its hours", [lasting(HOURS)], [lasting(HOURS)], {}, None),
    ("a grant outside its hours", [lasting(TOO_LATE)], [lasting(TOO_LATE)], LATE, None),
]


@pytest.mark.parametrize(("sentence", "was", "rules", "more", "change"), GRANTED, ids=[case[0] for case in GRANTED])
def test_what_somebody_said_yes_to_is_at_hand_as_long_as_the_rule_is_what_it_was(sentence, was, rules, more, change):
    tally = tried(rules, granted(*was, **more), past=[was])
    assert changed(tally) == ([change] if change else [])
    assert tally.same == (change is None)


def test_where_nobody_knows_what_the_rule_was_its_name_counts():
    assert tried([ASK.replace("lean", "years")], granted(ASK), past=()).same == 1
    assert changed(tried([TOO], granted(ASK), past=())) == [("newly-held", "permit ask", "hold too")]


def test_two_policies_are_compared_with_what_was_granted():
    edited = ASK.replace("lean", "years")
    assert changed(tried([edited], granted(ASK), against=[ASK], past=[[ASK]])) == [
        ("newly-held", "permit ask", "hold ask")
    ]
    assert tried([ASK], granted(ASK), against=[ASK], past=[[ASK]]).same == 1


def test_a_request_is_decided_by_the_time_at_which_it_was_asked():
    rules = [timed(CARE, HOURS), timed(CARE.replace("care", "late"))]
    at_three, at_two = request(), request(ts="2026-11-23T14:04:05.000000Z", rule="late")
    assert tried(rules, at_three, at_two, at_three, past=[rules]).same == 3
    assert changed(tried([rules[0]], at_three, at_two)) == [("newly-denied", "permit late", "deny no-rule")]
    next_day = request(ts="2026-11-24T15:04:05.000000Z")
    assert changed(tried(rules, next_day)) == [("newly-denied", "permit care", "deny no-rule")]


def test_a_pattern_of_a_rule_that_was_off_then_is_not_asked_about():
    notes = timed(NOTES)
    masked_ = request("[PERSON]", findings={"PERSON": 1}, ts="2026-11-23T15:04:05.000000Z")
    assert tried([CARE, notes], masked_, past=()).same == 1
    in_its_hours = request("[PERSON]", findings={"PERSON": 1}, ts="2026-11-23T14:04:05.000000Z")
    assert tried([CARE, notes], in_its_hours, past=()).kinds == {"undecided": 1}


@pytest.mark.parametrize("ts", [None, 7, "", "noon", "9999-12-31T23:59:59Z"])
def test_a_record_of_no_time_is_unreadable(ts):
    found = tried([timed(CARE)], request(ts=ts))
    assert found.unreadable == {"request": 1}


HELD = request(verb="hold", rule="ask", reason="approval-required")
DECISIONS = [
    ([CARE, NOTES], request("after the ward-round"), ("newly-denied", "permit care", "deny notes")),
    ([CARE, ASK], request(), ("newly-held", "permit care", "hold ask")),
    ([CARE], request(verb="deny", rule=None, reason="no-rule"), ("newly-permitted", "deny no-rule", "permit care")),
    ([CARE], HELD, ("newly-permitted", "no-longer-held", "hold ask", "permit care")),
    ([ASK], request(verb="deny", rule=None, reason="no-rule"), ("newly-held", "deny no-rule", "hold ask")),
    ([CARE.replace("care", "cure")], request(), ("rule-only", "permit care", "permit cure")),
    ([CARE.replace("clinician", "officer")], request(), ("newly-denied", "permit care", "deny no-rule")),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "record", "words"), DECISIONS)
def test_a_decision_that_changes_has_its_words(rules, record, words):
    assert changed(tried(rules, record)) == [words]


SHOWN = [("PERSON", "surrogate", "keep", 2), ("MRN", "redact", "keep", 1)]
MASKS = [
    (REVEALING, {}, {}, [("newly-shown", "caller", *each) for each in SHOWN]),
    (YEARS, {}, {}, [("masked-otherwise", "caller", "PERSON", "surrogate", "redact", 2)]),
    (SENT, {"findings": {"PERSON": 1}}, {}, [("newly-hidden", "model", "PERSON", "keep", "redact", 1)]),
    (CARE, {"findings": {"PERSON": 1}}, {}, []),
    (YEARS, {}, {"findings": {"MRN": 1}}, []),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "prompt", "answer", "rows"), MASKS)
def test_what_is_seen_otherwise_is_told_by_what_was_found(rule, prompt, answer, rows):
    asked = request(**prompt)
    assert masked(tried([rule, LISTS], asked, response(asked, **answer))) == rows


BY_RECORD = [
    (REVEALING, {}, ["newly-shown", "newly-shown"]),
    (REVEALING, {"revealed": ["PERSON:0", "MRN:1"]}, []),
    (CARE, {"revealed": ["MRN:1"]}, ["newly-hidden"]),
    (CARE, {}, []),
    (CARE, {"mask": "other"}, ["masked-otherwise", "masked-otherwise"]),
]


@pytest.mark.parametrize(("rule", "answer", "kinds"), BY_RECORD)
def test_without_the_policy_of_the_time_the_record_tells_what_was_shown(rule, answer, kinds):
    asked = request()
    tally = tried([rule], asked, response(asked, **answer), past=())
    assert [key.kind for key in tally.masks] == kinds
    assert tally.kinds["undecided"] == 0


def test_what_may_have_been_given_back_by_its_mask_is_left_open():
    asked = request()
    shown = {"findings": {"DATE_TIME": 1}, "revealed": ["DATE_TIME:0"], "mask": "years"}
    tally = tried([YEARS], asked, response(asked, **shown), past=())
    assert [(key.why, key.model) for key in tally.open] == [("mask-unknown", "m")]


def test_a_record_that_does_not_say_what_was_shown_leaves_masks_open():
    asked = request()
    answer = response(asked)
    del answer["revealed"]
    tally = tried([REVEALING], asked, answer, past=())
    assert [(key.why, group.count) for key, group in tally.open.items()] == [("mask-unknown", 2)]
    assert tally.kinds == {"undecided": 1}


def test_a_condition_that_a_masked_prompt_might_meet_is_undecided():
    asked = request("[PERSON] after the ward-round", findings={"PERSON": 1})
    ((key, group),) = tried([CARE, NOTES], asked).open.items()
    assert (key.why, key.likely, group.examples) == ("prompt-masked", ("newly-denied",), [asked["exchange"]])
    ((key, _),) = tried([CARE, NOTES], request(body=None)).open.items()
    assert (key.why, key.likely) == ("prompt-not-kept", ())


def test_what_comes_out_the_same_in_every_case_is_decided():
    asked = request("[PERSON]", "deny", None, "no-rule", findings={"PERSON": 1}, groups=["lab"])
    assert tried([CARE, NOTES], asked).same == 1
    asked = request("[PERSON]", findings={"PERSON": 1})
    assert tried([CARE.replace("clinician", "officer"), NOTES], asked).kinds == {"newly-denied": 1}


def in_force(found, **more):
    return {"kind": "policy", "policy": found.sha256, "accepted": True, "body": found.text} | more


def test_the_journal_tells_the_policy_of_the_time():
    was, asked = policies.policy(CARE, LISTS), request("[PERSON]", findings={"PERSON": 1})
    new = [CARE.replace("care", "cure"), LISTS]
    assert tried(new, asked, past=()).kinds == {"undecided": 1}
    assert tried(new, in_force(was), asked, past=()).kinds == {"rule-only": 1}


@pytest.mark.parametrize(
    "more", [{"body": None}, {"body": "version: 9"}, {"body": policies.policy(CARE).text}, {"policy": 7}]
)
def test_a_policy_that_is_not_what_its_record_says_tells_nothing(more):
    record = in_force(policies.policy(CARE, LISTS), **more)
    asked = request("[PERSON]", findings={"PERSON": 1})
    assert tried([CARE.replace("care", "cure"), LISTS], record, asked, past=()).kinds == {"undecided": 1}


def test_an_original_tells_what_a_masked_prompt_does_not():
    asked = request("[PERSON]", findings={"PERSON": 1})
    tally = tried([CARE, NOTES], asked, kept=Original("after the ward-round"))
    assert tally.kinds == {"newly-denied": 1}


def test_more_conditions_than_can_be_tried_are_undecided():
    many = [NOTES.replace("notes", f"n{n}").replace("ward-round", f"word-{n}") for n in range(9)]
    tally = tried([CARE, *many], request("[PERSON]", findings={"PERSON": 1}))
    assert tally.kinds == {"undecided": 1}


@pytest.mark.parametrize("reason", ["malformed", "route-unknown", "scope-exceeded", "spent", "not-recorded"])
def test_what_no_rule_is_about_stays_as_it_was(reason):
    tally = tried([REVEALING], request(verb="deny", rule=None, reason=reason))
    assert (tally.apart, tally.kinds) == ({reason: 1}, {})


def test_a_name_that_no_model_had_is_not_on_record():
    record = request(verb="deny", rule=None, reason="model-unknown", model=None)
    assert [key.why for key in tried([REVEALING], record).open] == ["model-not-recorded"]
    assert tried([CARE, LISTS], record, past=()).apart == {"model-unknown": 1}
    assert [key.why for key in tried([CARE], request(model="[MRN]")).open] == ["model-masked"]


def test_two_policies_are_compared_on_the_same_traffic():
    asked = request("[PERSON]", "deny", None, "no-rule", findings={"PERSON": 1})
    tally = tried([CARE, NOTES], asked, response(asked), against=[CARE, NOTES])
    assert (tally.same, tally.kinds) == (1, {})
    tally = tried([REVEALING, NOTES], asked, response(asked), against=[CARE, NOTES], past=())
    assert tally.kinds == {"undecided": 1}
    asked = request()
    assert masked(tried([REVEALING, NOTES], asked, response(asked), against=[CARE, NOTES]))


def test_a_request_that_cannot_be_read_is_counted_as_such():
    assert tried([CARE], request(subject=None)).unreadable == {"request": 1}


def test_other_records_pass_unseen():
    tally = tried([CARE], {"kind": "closed"}, {"kind": "message", "from": "caller", "exchange": "ex-none"})
    assert tally.exchanges == 0


def test_what_is_under_way_is_remembered_within_bounds(monkeypatch):
    monkeypatch.setattr(backtest, "LIVE", 2)
    asked = [request() for _ in range(3)]
    tally = tried([REVEALING], *asked, *map(response, asked))
    assert tally.kinds == {"newly-shown": 2}


# -- originals ------------------------------------------------------------------------------------------------------

SECRETS = parse_secrets("1 " + "ab" * 32, "test")


@cache
def eyes(policy):
    return Eyes(policy, read_sources(policy), served(policy, policy.folder)[1], SECRETS)


def anew(rule, asked, answer, *texts, **more):
    return tried([rule, LISTS], asked, answer, kept=Original(*texts), eyes=eyes, **more)


def test_originals_are_masked_anew_under_both_policies():
    asked = request("[PERSON]", findings={"PERSON": 1, "MRN": 1, "US_SSN": 1})
    answer = response(asked, findings={"PERSON": 1, "MRN": 1, "US_SSN": 1}, streamed=False)
    tally = anew(REVEALING, asked, answer, CANARY_TEXT, completion())
    assert {row[:5] for row in masked(tally)} == {
        ("newly-shown", "caller", "PERSON", "surrogate", "keep"),
        ("newly-shown", "caller", "MRN", "redact", "keep"),
        ("newly-shown", "caller", "US_SSN", "redact", "keep"),
    }
    tally = anew(SENT, asked, answer, CANARY_TEXT, completion())
    assert {row[:4] for row in masked(tally)} == {
        ("newly-hidden", "model", entity, "keep") for entity in ("PERSON", "MRN", "US_SSN")
    }


def test_a_policy_that_keeps_a_place_shows_what_stands_there():
    """What `fields` say is seen only where the text itself is."""
    kept = {"tail": "fields: [{keep: ['$.choices[*].message.content'], in: answer}]\n"}
    asked = request("[PERSON]")
    made = Backtest(
        policies.policy(CARE, **kept), None, [policies.policy(CARE, LISTS)], Original("Hello", completion()), eyes
    )
    made.add(asked)
    made.add(response(asked, findings={"PERSON": 1}, streamed=False))
    assert {(key.kind, key.entity) for key in made.tally.masks} >= {("newly-shown", "US_SSN"), ("newly-shown", "MRN")}


def test_an_answer_that_cannot_be_read_is_compared_by_what_was_found():
    asked = request()
    tally = anew(REVEALING, asked, response(asked), "Hello", b"no answer")
    assert [row[:3] for row in masked(tally)] == [("newly-shown", "caller", "PERSON"), ("newly-shown", "caller", "MRN")]


def test_what_is_put_back_cannot_be_masked_anew():
    back = SENT.replace("prompt: years", "prompt: lean, restore: true")
    asked = request()
    tally = anew(back, asked, response(asked), "Hello", completion())
    assert not [key for key in tally.masks if key.side == "caller"]
