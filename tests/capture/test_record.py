from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from phigate.capture import record
from phigate.exchange import Refusal
from phigate.journal import chain
from phigate.policy.decide import Deny, Hold, Permit
from phigate.policy.schema import Mask, Transform
from tests.journal.samples import ASKED, NOW, POLICY, an_exchange, subject

MASK = Mask("minimum-necessary", {"OTHER": Transform("redact")})
PERMIT = Permit(rule="clinicians-chat", rules=("clinicians-chat", "all-staff"), mask=MASK, purpose="treatment")
SECONDS = record.Seconds(total=1.23456789, first=0.5, upstream=1.2, gateway=0.034)


def test_a_request_record_says_who_what_and_why() -> None:
    exchange = an_exchange(
        decision=PERMIT,
        stated=("unmask",),
        found_in=Counter(PERSON=2),
        identifiers_in={"h2", "h1"},
        revealed_in={"h1"},
    )
    assert record.request_record(exchange, POLICY, ASKED, 512) == {
        "exchange": "ex-1",
        "session": "session-1",
        "subject": {"issuer": "https://idp.test", "id": "ada", "roles": ["clinician"], "groups": ["ward-staff"]},
        "client": {"ip": "192.0.2.7", "agent": "openai/1"},
        "action": ["chat", "unmask"],
        "model": "ward-assistant",
        "dialect": "openai",
        "method": "POST",
        "route": "chat-completions",
        "purpose": "treatment",
        "stated": ["unmask"],
        "decision": {
            "verb": "permit",
            "rule": "clinicians-chat",
            "rules": ["clinicians-chat", "all-staff"],
            "reason": None,
            "ticket": None,
            "grant": None,
        },
        "policy": POLICY,
        "findings": {"PERSON": 2},
        "identifiers": ["h1", "h2"],
        "revealed": ["h1"],
        "bytes": 512,
        "parts": 0,
        "body": ASKED,
    }


def test_what_a_bearer_says_of_its_occasion_stands_beside_whom_it_proves() -> None:
    pipeline = replace(subject("repo:triage"), context=(("commit", "9f"), ("pipeline", "7")))
    made = record.request_record(an_exchange(subject=pipeline, decision=PERMIT), POLICY, ASKED, 512)
    assert made["subject"]["context"] == {"commit": "9f", "pipeline": "7"}


def test_which_version_is_deployed_is_on_record() -> None:
    made = record.request_record(an_exchange(decision=PERMIT, deployment=("2.1", "9f")), POLICY, ASKED, 512)
    assert made["deployment"] == {"version": "2.1", "digest": "9f"}


def test_what_a_policy_on_trial_says_is_on_record() -> None:
    shadow = {"verb": "deny", "rule": None, "reason": "no-rule", "differs": ["newly-denied"]}
    made = record.request_record(an_exchange(decision=PERMIT, shadow=shadow), POLICY, ASKED, 512)
    assert made["shadow"] == shadow
    assert "shadow" not in record.request_record(an_exchange(decision=PERMIT), POLICY, ASKED, 512)


@pytest.mark.parametrize(
    ("changes", "verb", "rule", "reason"),
    [
        pytest.param({"decision": PERMIT}, "permit", "clinicians-chat", None, id="permitted"),
        pytest.param(
            {"decision": Deny("no-lists", ("no-lists",), "denied", "No.")}, "deny", "no-lists", "denied", id="denied"
        ),
        pytest.param(
            {"decision": Hold("deploy", ("deploy",), "Ask.")}, "hold", "deploy", "approval-required", id="held"
        ),
        pytest.param(
            {"decision": PERMIT, "refusal": Refusal(503, "unmaskable", "m", rule=None)},
            "deny", None, "unmaskable", id="permitted, then refused by a later room",
        ),
        pytest.param(
            {"refusal": Refusal(404, "route-unknown", "m")}, "deny", None, "route-unknown",
            id="refused before any decision",
        ),
        pytest.param(
            {"refusal": Refusal(401, "bearer-refused", "m", detail="expired")}, "deny", None, "expired",
            id="the precise reason goes to the journal",
        ),
    ],
)  # fmt: skip
def test_the_decision_is_what_the_caller_got(changes: dict[str, Any], verb: str, rule: str | None, reason: str) -> None:
    decision = record.request_record(an_exchange(**changes), POLICY, None, 0)["decision"]
    assert (decision["verb"], decision["rule"], decision["reason"]) == (verb, rule, reason)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"decision": Deny(None, (), "no-rule", "No.")}, id="denied"),
        pytest.param({"decision": Hold("deploy", ("deploy",), "Ask.")}, id="held"),
        pytest.param({"decision": PERMIT, "refusal": Refusal(503, "unmaskable", "m")}, id="refused by a later room"),
    ],
)
def test_what_goes_no_further_reveals_nothing(changes: dict[str, Any]) -> None:
    exchange = an_exchange(identifiers_in={"h"}, revealed_in={"h"}, **changes)
    fields = record.request_record(exchange, POLICY, None, 0)
    assert (fields["identifiers"], fields["revealed"]) == (["h"], [])


def test_a_refused_message_reveals_nothing() -> None:
    said = {"from_caller": True, "findings": {}, "bytes_": 1, "body": None, "identifiers": {"h"}, "revealed": {"h"}}
    assert record.message_record("ex-1", refused=None, **said)["revealed"] == ["h"]
    refused = record.message_record("ex-1", refused="denied", **said)
    assert (refused["identifiers"], refused["revealed"]) == (["h"], [])


def test_an_unsettled_exchange_has_no_record() -> None:
    with pytest.raises(ValueError, match="not settled"):
        record.request_record(an_exchange(), POLICY, None, 0)


def test_the_callers_own_name_of_a_model_and_path_stay_out() -> None:
    exchange = an_exchange(decision=PERMIT, model="for Ada Byron", target=None, path="/v1/Ada-Byron")
    assert "Byron" not in str(record.request_record(exchange, POLICY, None, 0))


def test_a_clients_endless_name_is_cut() -> None:
    exchange = an_exchange(decision=PERMIT, agent="a" * 10_000)
    assert len(record.request_record(exchange, POLICY, None, 0)["client"]["agent"]) == record.AGENT_LENGTH


def test_a_request_without_a_subject_says_so() -> None:
    exchange = an_exchange(subject=None, refusal=Refusal(404, "route-unknown", "m"))
    assert record.request_record(exchange, POLICY, None, 0)["subject"] is None


def test_a_hold_names_its_ticket() -> None:
    exchange = an_exchange(decision=Hold("deploy", ("deploy",), "Ask."))
    assert record.hold_record(exchange, POLICY, ASKED, 9, ticket="t-1")["decision"]["ticket"] == "t-1"


def test_a_response_record_says_what_was_answered() -> None:
    exchange = an_exchange(
        found_out=Counter(MRN=1), usage={"input": 3, "output": 5, "cached": 1}, identifiers_out={"h"}
    )
    fields = record.response_record(
        exchange, status=200, outcome="complete", seconds=SECONDS, mask="minimum-necessary", body="[MRN]", streamed=True
    )
    assert fields == {
        "exchange": "ex-1",
        "status": 200,
        "outcome": "complete",
        "findings": {"MRN": 1},
        "identifiers": ["h"],
        "revealed": [],
        "mask": "minimum-necessary",
        "streamed": True,
        "usage": {"input": 3, "output": 5},
        "seconds": {"total": 1.234568, "first": 0.5, "upstream": 1.2, "gateway": 0.034},
        "parts": 0,
        "body": "[MRN]",
    }


def test_an_outcome_is_one_of_the_closed_set() -> None:
    with pytest.raises(ValueError, match="outcome"):
        record.response_record(
            an_exchange(), status=200, outcome="fine", seconds=SECONDS, mask=None  # type: ignore[arg-type]  # the case
        )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("refused", record.refused_record("192.0.2.1", "2026-11-23T15:04Z", {"expired": 2})),
        ("policy", record.policy_record(POLICY, was=None, accepted=False, faults=["a fault"])),
        ("request", record.request_record(an_exchange(decision=PERMIT), POLICY, ASKED, 1)),
    ],
)
def test_each_kind_makes_a_line(kind: chain.Kind, fields: record.Fields) -> None:
    line = chain.line_of(seq=0, prev=chain.ZEROS, now=NOW, instance="gw", kind=kind, fields=fields)
    assert chain.parse(line) is not None


def test_a_message_record_says_who_said_what_and_why_it_went_no_further() -> None:
    made = record.message_record(
        "ex-1", from_caller=True, refused="denied", findings=Counter(PERSON=1), bytes_=7, body={"type": "x"}
    )
    assert made == {
        "exchange": "ex-1",
        "from": "caller",
        "refused": "denied",
        "findings": {"PERSON": 1},
        "identifiers": [],
        "revealed": [],
        "bytes": 7,
        "parts": 0,
        "body": {"type": "x"},
    }
