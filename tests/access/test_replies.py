"""What a refused caller is told."""

import pytest

from phigate.access import replies
from phigate.gate import headers
from phigate.policy.decide import Deny
from phigate.policy.rates import TooMany


@pytest.mark.parametrize("reason", replies.MESSAGES)
def test_every_reason_is_a_word_with_a_sentence(reason):
    refusal = replies.fault(400, reason)
    assert reason == "-".join(filter(str.isalpha, reason.split("-"))).lower()
    assert refusal.message.endswith(".")
    assert (refusal.status, refusal.reason, refusal.decision, refusal.rule) == (400, reason, "deny", None)


HEADS = [
    ("an odd method", {"method": b"PATCH"}),
    ("an odd path", {"target": b"//"}),
    ("a control byte", {"fields": [(b"x", b"\x00")]}),
    ("too many fields", {"fields": [(b"x", b"y")] * 101}),
    ("an old version", {"version": b"HTTP/0.9"}),
]


@pytest.mark.parametrize(("sentence", "changed"), HEADS, ids=[case[0] for case in HEADS])
def test_every_fault_of_a_head_has_a_message(sentence, changed):
    honest = {"method": b"POST", "target": b"/v1/x", "version": b"HTTP/1.1", "authority": b"", "fields": []}
    found = headers.head_fault(**(honest | changed))
    assert found is not None
    assert replies.fault(*found).message


@pytest.mark.parametrize("kinds", [{}, {b"content-encoding": b"br"}], ids=["no type", "compressed"])
def test_every_fault_of_a_body_has_a_message(kinds):
    found = headers.body_fault(kinds, {"application/json"})
    assert found is not None
    assert replies.fault(*found).message


DENIALS = [
    ("the rule's own words", Deny("no-bulk", ("no-bulk",), "denied", "Ask the office."), "Ask the office."),
    ("ours where no rule speaks", Deny(None, (), "no-rule", ""), replies.MESSAGES["no-rule"]),
    ("a sentence even for a reason nobody knows", Deny("r", ("r",), "odd", ""), "A rule denies this."),
]


@pytest.mark.parametrize(("sentence", "decision", "message"), DENIALS, ids=[case[0] for case in DENIALS])
def test_a_denial_says(sentence, decision, message):
    refusal = replies.denied(decision)
    assert (refusal.status, refusal.decision, refusal.message) == (403, "deny", message)
    assert (refusal.reason, refusal.rule) == (decision.reason, decision.rule)


@pytest.mark.parametrize(("wait", "told"), [(0.001, 1), (1, 1), (1.2, 2), (59.99, 60)])
def test_whoever_asks_for_too_much_is_told_when_to_ask_again(wait, told):
    refusal = replies.too_many(TooMany(at_once=False, wait=wait))
    assert (refusal.status, refusal.reason, refusal.retry_after) == (429, "too-many-requests", told)
    assert replies.too_many(TooMany(at_once=True, wait=wait)).message != refusal.message
