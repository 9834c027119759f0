"""The records of an exchange become one flow, in which nothing is that the journal does not hold."""

from typing import Any

import pytest

from phigate.audit.flows.draw import MADE, UNKNOWN, caption, drawing
from phigate.host.recordings.drawn import Answer, Message

T0, T1 = "2026-03-01T10:00:00.000000Z", "2026-03-01T10:00:02.000000Z"
AT = 1772359200.0
ASKED: dict[str, Any] = {
    "kind": "request",
    "ts": T0,
    "instance": "gw-1",
    "exchange": "ex-1",
    "session": "s-1",
    "subject": {"issuer": "https://idp.example", "id": "ada", "roles": ["clinician"], "groups": ["ward"]},
    "client": {"ip": "192.0.2.7", "agent": "curl/8"},
    "action": ["chat"],
    "model": "ward",
    "method": "POST",
    "route": "openai-chat",
    "decision": {"verb": "permit", "rule": "care", "rules": ["care"], "reason": None},
    "policy": "ab" * 32,
    "findings": {"MRN": 1},
    "identifiers": ["MRN:00"],
    "body": {"messages": [{"role": "user", "content": "[MRN]"}]},
}
ANSWERED: dict[str, Any] = {
    "kind": "response",
    "ts": T1,
    "exchange": "ex-1",
    "status": 200,
    "outcome": "complete",
    "findings": {"MRN": 1, "PERSON": 2},
    "mask": "lean",
    "streamed": False,
    "seconds": {"total": 2.0, "first": 0.5},
    "body": {"choices": []},
}


def part(text, **more):
    return {"kind": "part", "ts": T0, "exchange": "ex-1", "body": text} | more


def test_an_exchange_is_drawn_as_it_is_on_record():
    drawn = drawing([ASKED, ANSWERED])
    assert (drawn.exchange, drawn.method, drawn.path, drawn.host) == ("ex-1", "POST", "/v1/chat/completions", "gw-1")
    assert (drawn.time, drawn.client, drawn.agent) == (AT, "192.0.2.7", "curl/8")
    assert drawn.body == ASKED["body"]
    assert drawn.answer == Answer(200, {"choices": []}, AT + 0.5, AT + 2)
    assert (drawn.refused, drawn.messages) == (None, ())
    assert drawn.comment == f"ada (clinician) | permit care | MRN 2, PERSON 2\n{MADE}"
    assert drawn.metadata["made"] == "journal"
    assert drawn.metadata["request"]["subject"] == ASKED["subject"]
    assert "body" not in drawn.metadata["request"]
    assert "identifiers" not in drawn.metadata["request"]
    assert drawn.metadata["response"]["findings"] == {"MRN": 1, "PERSON": 2}


def test_nobody_asked_is_no_flow():
    assert drawing([]) is None
    assert drawing([ANSWERED]) is None


def test_what_is_held_is_a_flow_without_an_answer():
    held = ASKED | {"kind": "hold", "decision": {"verb": "hold", "rule": "see", "reason": "approval-required"}}
    drawn = drawing([held])
    assert (drawn.answer, drawn.refused) == (None, "hold approval-required")


def test_what_was_denied_has_no_answer_that_nobody_recorded():
    drawn = drawing([ASKED | {"decision": {"verb": "deny", "rule": None, "reason": "no-rule"}}])
    assert (drawn.answer, drawn.refused) == (None, "deny no-rule")
    assert drawn.comment.startswith("ada (clinician) | deny no-rule | MRN 1\n")


def test_an_exchange_without_an_end_says_how_it_ended():
    recovered = {"kind": "recovered", "ts": T1, "exchange": "ex-1", "outcome": "interrupted"}
    drawn = drawing([ASKED, recovered])
    assert (drawn.answer, drawn.refused) == (None, "interrupted")
    assert "| interrupted |" in drawn.comment


def test_a_stream_is_its_text():
    pieces: list[dict[str, Any]] = [part("[PERSON] slept", side="model"), part(" well.", side="model")]
    drawn = drawing([ASKED, *pieces, ANSWERED | {"streamed": True, "body": None, "parts": 2}])
    assert drawn.answer.body == "[PERSON] slept well."


def test_a_body_in_pieces_is_put_together():
    asked = [part('{"messages":', side="caller"), part("[1]}", side="caller"), ASKED | {"body": None, "parts": 2}]
    said = [part('{"cho', side="model"), part('ices":2}', side="model"), ANSWERED | {"body": None, "parts": 2}]
    drawn = drawing([*asked, *said])
    assert (drawn.body, drawn.answer.body) == ({"messages": [1]}, {"choices": 2})


def test_pieces_that_are_no_json_are_a_text():
    drawn = drawing([part('{"messages":', side="caller"), ASKED | {"body": None, "parts": 1}])
    assert drawn.body == '{"messages":'


def test_a_message_in_pieces_is_put_together():
    said = [part('{"type":', side="caller"), part('"x"}', side="caller"), MESSAGE | {"body": None, "parts": 2}, MESSAGE]
    drawn = drawing([ASKED | {"body": None}, *said])
    assert [each.body for each in drawn.messages] == [{"type": "x"}, {"type": "a"}]
    assert drawn.body is None


def test_a_stream_that_was_broken_off_shows_what_had_gone_out():
    recovered = {"kind": "recovered", "ts": T1, "exchange": "ex-1", "outcome": "interrupted"}
    drawn = drawing([ASKED, part("[PERSON] sl", side="model"), part("ept", side="model", ts=T1), recovered])
    assert (drawn.answer, drawn.refused) == (Answer(200, "[PERSON] slept", AT, AT + 2), "interrupted")


def test_a_held_request_that_ran_later_is_the_one_that_ran():
    held = ASKED | {"kind": "hold", "decision": {"verb": "hold", "rule": "see", "reason": "approval-required"}}
    assert drawing([held, ASKED, ANSWERED]).refused is None
    assert drawing([ASKED, held, ANSWERED]).refused is None


MESSAGE = {"kind": "message", "ts": T0, "exchange": "ex-1", "from": "caller", "body": {"type": "a"}}


def test_messages_stand_in_order():
    said: list[dict[str, Any]] = [
        {"kind": "message", "ts": T0, "exchange": "ex-1", "from": "caller", "body": {"type": "a"}},
        {"kind": "message", "ts": T1, "exchange": "ex-1", "from": "model", "body": "[PERSON]"},
    ]
    drawn = drawing([ASKED, *said, ANSWERED | {"status": 101}])
    assert [each["from"] for each in drawn.metadata["messages"]] == ["caller", "model"]
    assert drawn.messages == (Message(True, {"type": "a"}, AT), Message(False, "[PERSON]", AT + 2))


@pytest.mark.parametrize("route", ["no-such-route", None, ["openai-chat"]])
def test_a_route_that_nobody_knows_has_no_path(route):
    assert drawing([ASKED | {"route": route}]).path == UNKNOWN


def test_a_call_of_grpc_has_its_path():
    assert drawing([ASKED | {"route": "kserve-grpc-infer"}]).path.endswith("/ModelInfer")


@pytest.mark.parametrize("name", [name for name in ASKED if name != "kind"])
@pytest.mark.parametrize("value", [None, 7, "x", [], {"a": 1}])
def test_fields_of_another_shape_count_as_missing(name, value):
    drawn = drawing([ASKED | {name: value}, {**ANSWERED, **({name: value} if name in ANSWERED else {})}])
    assert isinstance(drawn.comment, str)


@pytest.mark.parametrize("name", list(ANSWERED)[2:])
def test_an_answers_fields_of_another_shape_count_as_missing(name):
    assert drawing([ASKED, ANSWERED | {name: object}]).comment


def test_a_caption_tells_of_nobody():
    assert caption({}, None) == "nobody (no role) |  | nothing found"
