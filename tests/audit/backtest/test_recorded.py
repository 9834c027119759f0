"""What a request's record tells a policy; whatever has another shape counts as missing."""

import pytest

from phigate.audit.backtest import recorded
from phigate.dialect.known import ROUTES
from phigate.policy.verdict import Verdict
from tests.audit.backtest.recordings import NOW, request, said

CHAT = next(route for route in ROUTES if route.name == "openai-chat")


def test_who_asked_what_is_read():
    assert recorded.request_of(request()) == recorded.Request(
        "https://idp.example", ("ward",), frozenset({"chat"}), "m", "openai", "openai-chat"
    )


@pytest.mark.parametrize("odd", [{"subject": None}, {"subject": {"issuer": 5}}, {"model": 5}, {"route": []}])
def test_a_record_that_does_not_say_who_asked_what_is_none(odd):
    assert recorded.request_of(request(**odd)) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, Verdict("permit", "care")),
        ({"verb": "deny", "rule": None, "reason": "no-rule"}, Verdict("deny", None, "no-rule")),
        ({"verb": "hold", "rule": "see", "reason": "approval-required"}, Verdict("hold", "see", "approval-required")),
        ({"verb": "deny", "rule": None, "reason": "malformed"}, None),
        ({"verb": "deny", "rule": None, "reason": "reason-missing"}, None),
        ({"verb": "deny", "rule": None, "reason": "content-unreadable"}, None),
        (
            {"verb": "deny", "rule": None, "reason": "content-unreadable", "decision": {"rules": ["care"]}},
            Verdict("deny", None, "content-unreadable"),
        ),
        ({"verb": "maybe"}, None),
        ({"verb": None}, None),
    ],
)
def test_what_was_decided_is_what_rules_are_about(changes, said):
    assert recorded.decided(request(**changes)) == said


def test_lists_and_counts_of_strangers_are_read_with_care():
    record = request(
        findings={"MRN": 2, "PERSON": "many", "AGE": 0}, revealed=["MRN:00", 5, "PERSON:11"], subject={"roles": "x"}
    )
    assert recorded.found(record) == {"MRN": 2}
    assert recorded.kinds(record, "revealed") == {"MRN", "PERSON"}
    assert recorded.roles(record) == "-"
    assert recorded.why({}) == "not-decided"


def test_a_prompts_texts_are_those_that_a_policy_was_shown():
    assert recorded.prompt_of(said("How is she?"), CHAT, CHAT.name) == ("How is she?",)
    called = {
        "inputs": [{"name": "t", "datatype": "BYTES", "data": ["a", {"opaque": 3}, "b"]}, {"numbers": 4}],
        "parameters": [{"note": "first"}, "odd"],
    }
    assert recorded.prompt_of(called, None, "kserve-grpc-infer") == ("first", "a", "b")


@pytest.mark.parametrize("body", [None, {"a": {"b": 1}}])
def test_without_a_route_or_a_body_there_are_no_texts(body):
    assert recorded.prompt_of(body, None, "somewhere") is None
    assert recorded.prompt_of(None, CHAT, CHAT.name) is None


def test_a_body_that_is_too_deep_has_none():
    deep = []
    for _ in range(200):
        deep = [deep]
    assert recorded.prompt_of({"messages": deep}, CHAT, CHAT.name) is None


def test_when_it_was_written():
    assert recorded.at(request()) == NOW
    assert [recorded.at({"ts": ts}) for ts in (None, 3, "", "soon", "9999-12-31T23:59:59Z")] == [None] * 5


@pytest.mark.parametrize(
    ("decision", "rules"),
    [
        ({"grant": "g-1", "rules": ["ask", "see"]}, ("ask", "see")),
        ({"grant": None, "rules": ["ask"]}, ()),
        ({"reason": "outside-hours", "rules": ["ask"]}, ("ask",)),
        ({"grant": 7, "rules": ["ask"]}, ()),
        ({"grant": "g-1", "rules": "ask"}, ()),
        (None, ()),
    ],
)
def test_what_somebody_may_have_said_yes_to(decision, rules):
    assert recorded.granted({"decision": decision}) == rules
