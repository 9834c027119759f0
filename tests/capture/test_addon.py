"""What do we remember? A request before the model hears of it, an answer before it is let go."""

import json
import time
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from mitmproxy import flow as mitmproxy_flow

from phigate import flows, metrics
from phigate.capture import addon, keep
from phigate.capture.addon import Capture
from phigate.capture.seal import Place, opened, text_of
from phigate.exchange import Refusal
from phigate.masking.addon import Masking
from tests.stage import (
    answered,
    asking,
    conversing,
    entered,
    furnished,
    kept,
    meet,
    observed,
    permitted,
    policy_text,
    released,
    saying,
    until,
)
from tests.traffic import CANARY_TEXT, chat, completion, events, leaks, said

# -- requests -------------------------------------------------------------------------------------------------------


async def recorded(house, *roles, change=None):
    flow = asking(chat(CANARY_TEXT))
    passage = permitted(flow, house, *roles)
    await meet(Masking(house), "request", flow)
    if change:
        change(passage)
    await meet(Capture(house), "request", flow)
    return passage


async def test_a_permitted_request_is_on_the_disk_before_anything_goes_on(house):
    passage = await recorded(house)
    assert passage.exchange.recorded
    (record,) = kept(house, "request")
    assert (record["exchange"], record["subject"]["id"]) == (passage.exchange.id, "ada")
    assert (record["decision"]["verb"], record["decision"]["rule"]) == ("permit", "care")
    assert (record["policy"], record["purpose"]) == (house.policy.sha256, "treatment")
    assert record["findings"]["US_SSN"] == 1
    assert record["bytes"] == len(json.dumps(chat(CANARY_TEXT)))
    assert "[US_SSN]" in json.dumps(record["body"])
    assert leaks(json.dumps(record)) == []


async def test_a_refused_request_of_a_known_subject_is_recorded_too(house):
    denied = Refusal(403, "denied", "Ask us.", rule="no-bulk")
    passage = await recorded(house, change=lambda passage: setattr(passage.exchange, "refusal", denied))
    (record,) = kept(house, "request")
    assert (record["decision"]["verb"], record["decision"]["reason"]) == ("deny", "denied")
    assert passage.exchange.refusal is denied


async def test_the_record_names_the_model_as_bystanders_may_see_it(house):
    def named(passage):
        passage.exchange.target, passage.model_shown = "536-22-8145", "[US_SSN]"

    passage = await recorded(house, change=named)
    assert kept(house, "request")[0]["model"] == "[US_SSN]"
    assert passage.exchange.target == "536-22-8145"


async def test_the_clients_name_is_masked(house):
    passage = await recorded(house, change=lambda passage: setattr(passage.exchange, "agent", CANARY_TEXT))
    assert leaks(kept(house, "request")[0]["client"]["agent"]) == []
    assert leaks(passage.exchange.agent) == []


async def test_where_the_policy_keeps_no_bodies_none_is_kept(tmp_path, context):
    (tmp_path / "own").mkdir()
    made = furnished(
        tmp_path / "own", policy_text(tail="capture: {mask: {OTHER: redact}, bodies: none, retain: P6Y}\n")
    )
    passage = await recorded(observed(made, context))
    assert kept(made, "request")[0]["body"] is None
    assert passage.prompt_shown is not None
    made.journal.close("test over")


async def test_what_is_larger_than_a_record_is_kept_whole_in_parts(house):
    text = "The ward is quiet. " * (keep.MOST // 10)
    flow = asking(chat(text))
    passage = permitted(flow, house)
    await meet(Masking(house), "request", flow)
    await meet(Capture(house), "request", flow)
    (record,), parts = kept(house, "request"), kept(house, "part")
    assert (passage.exchange.refusal, record["body"], record["parts"], len(parts)) == (None, None, 2, 2)
    assert {part["side"] for part in parts} == {"caller"}
    assert json.loads("".join(part["body"] for part in parts)) == chat(text)


def sealing(folder, context, private):
    (folder / "own").mkdir()
    tail = f"capture: {{mask: {{OTHER: redact}}, bodies: sealed, seal_to: '{text_of(private.public_key())}'}}\n"
    return observed(furnished(folder / "own", policy_text(tail=tail)), context)


def unsealed(house, record, private):
    """What is sealed in a record, by the part of it that the caller or the model wrote."""
    side = record.get("side") or {"request": "caller", "response": "model"}[record["kind"]]
    name, seq = house.journal.path.name, record["seq"]
    place = Place(name, seq, record["exchange"], record["kind"], side, record.get("part"))
    return opened(record["sealed"], private, place) if "sealed" in record else b""


async def test_originals_are_sealed_beside_what_is_masked_and_nowhere_else(tmp_path, context):
    private = X25519PrivateKey.generate()
    made = sealing(tmp_path, context, private)
    flow = asking(chat(CANARY_TEXT))
    passage = released(flow, made)
    await meet(Masking(made), "request", flow)
    await meet(Capture(made), "request", flow)
    passage.plan, passage.raw, passage.upstream_status = "whole", completion(), 200
    flows.withhold(flow, passage)
    await meet(Masking(made), "response", flow)
    await meet(Capture(made), "response", flow)
    asked, answered_ = kept(made, "request", "response")
    assert unsealed(made, asked, private) == json.dumps(chat(CANARY_TEXT)).encode()
    assert unsealed(made, answered_, private) == completion()
    assert leaks(made.journal.path.read_text()) == []
    assert "sealed" not in repr(passage.records)
    assert passage.original == b""
    made.journal.close("test over")


async def test_all_that_a_stream_told_is_sealed_piece_by_piece(tmp_path, context):
    private = X25519PrivateKey.generate()
    made = sealing(tmp_path, context, private)
    flow = asking(chat(stream=True))
    passage = released(flow, made)
    passage.plan = "stream"
    flow.response = answered(b"", content_type="text/event-stream")
    await meet(Masking(made), "responseheaders", flow)
    for piece in [*events(), b""]:
        passage.stream(piece)
    await meet(Masking(made), "response", flow)
    await meet(Capture(made), "response", flow)
    records = kept(made, "part", "response")
    assert b"".join(unsealed(made, record, private) for record in records) == b"".join(events())
    assert leaks(made.journal.path.read_text()) == []
    made.journal.close("test over")


async def test_an_answer_that_could_not_be_masked_is_sealed_all_the_same(tmp_path, context):
    private = X25519PrivateKey.generate()
    made = sealing(tmp_path, context, private)
    flow, _ = await taken(made, b"{")
    await meet(Capture(made), "response", flow)
    (record,) = kept(made, "response")
    assert (record["outcome"], record["body"], unsealed(made, record, private)) == ("unmaskable", None, b"{")
    made.journal.close("test over")


async def test_of_a_stream_nothing_is_kept_where_the_policy_keeps_no_bodies(tmp_path, context):
    (tmp_path / "own").mkdir()
    made = observed(
        furnished(tmp_path / "own", policy_text(tail="capture: {mask: {OTHER: redact}, bodies: none}\n")), context
    )
    flow = asking(chat(stream=True))
    passage = released(flow, made)
    passage.plan = "stream"
    flow.response = answered(b"", content_type="text/event-stream")
    await meet(Masking(made), "responseheaders", flow)
    assert said(b"".join(passage.stream(piece) or b"" for piece in events("The ward is quiet today.")))
    await meet(Masking(made), "response", flow)
    await meet(Capture(made), "response", flow)
    (record,) = kept(made, "response", "part")
    assert (record["kind"], record["parts"], record["body"]) == ("response", 0, None)
    made.journal.close("test over")


async def test_what_cannot_be_recorded_is_refused(house):
    house.journal.close("disk gone")
    passage = await recorded(house)
    assert not passage.exchange.recorded
    assert passage.exchange.refusal is addon.UNRECORDED


async def test_what_is_no_line_is_refused_and_recorded_without_its_body(house):
    passage = await recorded(house, change=lambda passage: setattr(passage, "prompt_shown", object()))
    assert passage.exchange.refusal is addon.TOO_LARGE
    (record,) = kept(house, "request")
    assert record["decision"]["reason"] == "too-large"
    assert record["body"] is None


# -- bearers that are not believed ----------------------------------------------------------------------------------


def unbelieved(reason="expired"):
    flow = asking(said="forged")
    entered(flow).exchange.refusal = Refusal(401, "bearer-refused", "Not believed.", detail=reason)
    return flow


async def test_they_are_counted_by_address_and_precise_reason_and_not_one_by_one(house, monkeypatch):
    minutes = iter(datetime(2026, 11, 23, 15, minute, tzinfo=UTC) for minute in (4, 4, 4, 5))
    monkeypatch.setattr(addon, "utc_now", lambda: next(minutes))
    capture = Capture(house)
    for reason in ("expired", "expired", "aud-mismatch"):
        await meet(capture, "request", unbelieved(reason))
    assert kept(house, "refused") == []
    capture.tick()
    house.journal.close("read now")
    (record,) = kept(house, "refused")
    assert record["client"] == {"ip": "127.0.0.1"}
    assert record["reasons"] == {"expired": 2, "aud-mismatch": 1}


async def test_what_is_counted_is_written_down_at_the_end(house):
    capture = Capture(house)
    await meet(capture, "request", unbelieved())
    house.leaving = True
    capture.done()
    assert [record["count"] for record in kept(house, "refused")] == [1]
    assert kept(house, "closed")[0]["reason"] == "shutdown"


def test_being_removed_is_not_a_shutdown(house):
    Capture(house).done()
    assert kept(house, "closed")[0]["reason"] == "removed"


async def test_counting_goes_on_while_the_journal_is_down(house):
    house.journal.close("disk gone")
    capture = Capture(house)
    await meet(capture, "request", unbelieved())
    capture.done()


def test_it_asks_to_be_called_once_a_second(house):
    assert Capture(house).tick in house.ticks


# -- answers --------------------------------------------------------------------------------------------------------


async def taken(house, body=None, **more):
    flow = asking(chat(CANARY_TEXT))
    passage = released(flow, house, **more)
    passage.plan, passage.raw = "whole", completion() if body is None else body
    passage.upstream_status, passage.answered_at = 200, time.monotonic()
    flows.withhold(flow, passage)
    await meet(Masking(house), "response", flow)
    return flow, passage


async def test_an_answer_is_on_the_disk_before_it_is_let_go(house):
    flow, passage = await taken(house)
    await meet(Capture(house), "response", flow)
    assert passage.exchange.finished
    (record,) = kept(house, "response")
    assert (record["exchange"], record["status"], record["outcome"]) == (passage.exchange.id, 200, "complete")
    assert (record["mask"], record["streamed"]) == ("lean", False)
    assert record["usage"] == {"input": 9, "output": 12}
    assert record["findings"] == {"PERSON": 1, "MRN": 1, "US_SSN": 1}
    assert leaks(json.dumps(record)) == []


async def test_an_answer_that_could_not_be_masked_is_recorded_as_refused(house):
    flow, _ = await taken(house, b"{")
    await meet(Capture(house), "response", flow)
    (record,) = kept(house, "response")
    assert (record["status"], record["outcome"], record["body"]) == (502, "unmaskable", None)


async def test_an_answer_that_cannot_be_recorded_is_refused(house):
    flow, passage = await taken(house)
    house.journal.close("disk gone")
    await meet(Capture(house), "response", flow)
    assert not passage.exchange.finished
    assert (passage.outcome, passage.exchange.refusal) == ("unrecorded", addon.UNRECORDED)


async def test_an_answer_is_recorded_once(house):
    flow, _ = await taken(house)
    capture = Capture(house)
    await meet(capture, "response", flow)
    await meet(capture, "response", flow)
    await meet(capture, "error", flow)
    assert len(kept(house, "response")) == 1


async def test_our_own_refusal_is_no_answer_of_a_model(house):
    flow = asking()
    passage = permitted(flow, house)
    passage.exchange.recorded = True
    flows.refuse(flow, passage, Refusal(403, "no-rule", "No."))
    await meet(Capture(house), "response", flow)
    assert kept(house, "response") == []


async def test_every_exchange_is_counted(house):
    labels = {"action": "chat", "decision": "permit", "reason": ""}
    before = metrics.REGISTRY.get_sample_value("phigate_exchanges_total", labels) or 0
    flow, _ = await taken(house)
    await meet(Capture(house), "response", flow)
    assert metrics.REGISTRY.get_sample_value("phigate_exchanges_total", labels) == before + 1


LEFT = "Client disconnected."
ENDS = [
    ("the model server broke", "connection closed", True, "upstream-broke"),
    ("the client left first", LEFT, True, "client-left"),
    ("the client's connection is gone", "anything", False, "client-left"),
]


@pytest.mark.parametrize(("sentence", "message", "there", "outcome"), ENDS, ids=[case[0] for case in ENDS])
async def test_an_exchange_that_ends_in_an_error_says_whose(house, sentence, message, there, outcome):
    flow = asking()
    released(flow, house)
    flow.client_conn.timestamp_end = None if there else time.time()
    flow.error = mitmproxy_flow.Error(message)
    await meet(Capture(house), "error", flow)
    (record,) = kept(house, "response")
    assert (record["outcome"], record["status"]) == (outcome, 0)


async def test_a_stream_that_dies_is_recorded_with_what_was_shown(house):
    flow = asking()
    passage = released(flow, house)
    passage.plan = "stream"
    flow.response = answered(b"", content_type="text/event-stream")
    await meet(Masking(house), "responseheaders", flow)
    passage.stream(b'data: {"choices":[{"index":0,"delta":{"content":"The ward is quiet today and all"}}]}\n\n')
    flow.client_conn.timestamp_end = None
    flow.error = mitmproxy_flow.Error("connection closed")
    await meet(Capture(house), "error", flow)
    (record,) = kept(house, "response")
    assert (record["outcome"], record["streamed"]) == ("upstream-broke", True)
    parts = kept(house, "part")
    assert (record["body"], record["parts"]) == (None, len(parts))
    assert "".join(part["body"] for part in parts).startswith("The ward is")
    assert [(part["part"], part["side"]) for part in parts] == [(at, "model") for at in range(len(parts))]


async def test_an_error_before_the_model_was_asked_is_no_answer(house):
    flow = asking()
    permitted(flow, house).exchange.recorded = True
    flow.error = mitmproxy_flow.Error("x")
    await meet(Capture(house), "error", flow)
    assert kept(house, "response") == []


async def test_seconds_are_told_apart(house):
    flow, passage = await taken(house)
    passage.exchange.started = passage.contacted_at - 1.0
    passage.answered_at = passage.contacted_at + 2.0
    passage.first_at = passage.contacted_at + 0.5
    await meet(Capture(house), "response", flow)
    seconds = kept(house, "response")[0]["seconds"]
    assert seconds["upstream"] == pytest.approx(2.0, abs=0.01)
    assert seconds["first"] == pytest.approx(1.5, abs=0.01)
    assert seconds["gateway"] >= 0


@pytest.mark.parametrize("hook", ["request", "response", "error"])
async def test_a_flow_that_never_entered_is_left_alone(house, hook):
    await meet(Capture(house), hook, asking())
    assert kept(house, "request", "response") == []


# -- open connections -----------------------------------------------------------------------------------------------


def spoken(house, caller, **changes):
    flow, passage = conversing(house)
    message = saying(flow, b'{"type":"x"}', caller=caller)
    for name, value in changes.items():
        setattr(message, name, value)
    Capture(house).websocket_message(flow)
    return message, passage


async def test_a_message_is_queued_before_it_goes_on(house):
    message, passage = spoken(house, True, shown={"type": "x"})
    await until(lambda: kept(house, "message"))
    assert (message.recorded, message.refusal) == (True, None)
    (record,) = kept(house, "message")
    assert (record["exchange"], record["from"], record["body"]) == (passage.exchange.id, "caller", {"type": "x"})


def test_what_says_nothing_yet_needs_no_record(house):
    assert spoken(house, False, shown="")[0].recorded
    assert kept(house, "message") == []


async def test_a_refused_message_is_recorded_with_the_precise_reason(house):
    spoken(house, False, refusal=Refusal(401, "bearer-refused", "x", detail="revoked"))
    await until(lambda: kept(house, "message"))
    (record,) = kept(house, "message")
    assert (record["from"], record["refused"], record["body"]) == ("model", "revoked", None)


@pytest.mark.parametrize("broken", ["unsynced", "down"])
def test_a_message_that_cannot_be_recorded_does_not_go_on(house, monkeypatch, broken):
    if broken == "down":
        house.journal.close("test")
    else:
        monkeypatch.setattr(house.journal, "oldest_pending_seconds", lambda _now: 0.3)
    message, _ = spoken(house, True)
    assert (message.recorded, message.refusal.reason, message.outcome) == (False, "not-recorded", "unrecorded")


ENDED = [
    (1000, True, "complete"),
    (1001, False, "complete"),
    (1006, True, "client-left"),
    (1011, False, "upstream-broke"),
]


@pytest.mark.parametrize(("code", "by_client", "outcome"), ENDED)
async def test_a_connection_is_recorded_at_its_end_and_once(house, code, by_client, outcome):
    flow, passage = conversing(house)
    passage.talking = object()
    flow.response = flows.answer(101, [], None)
    await Capture(house).response(flow)
    assert kept(house, "response") == []
    flow.websocket.close_code, flow.websocket.closed_by_client = code, by_client
    house.contacted["ex-1"] = flow
    await Capture(house).websocket_end(flow)
    await Capture(house).client_disconnected(flow.client_conn)
    (record,) = kept(house, "response")
    assert (record["outcome"], record["status"], record["streamed"]) == (outcome, 101, True)


async def test_a_caller_that_left_while_it_was_opened_is_recorded(house):
    flow, passage = conversing(house)
    passage.opened = False
    house.contacted["ex-1"] = flow
    await Capture(house).client_disconnected(flow.client_conn)
    assert [record["outcome"] for record in kept(house, "response")] == ["client-left"]
