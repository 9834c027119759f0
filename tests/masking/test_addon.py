"""What may they, the model, and everyone looking on see? Texts of a flow to their masked forms."""

import gc
import gzip
import json
import threading
import weakref
from types import SimpleNamespace

import pytest

from phigate import flows
from phigate.dialect import encodings
from phigate.exchange import Refusal
from phigate.masking import addon
from phigate.masking.addon import LARGE, MOST_HELD, Masking
from phigate.policy.decide import Deny
from tests.stage import answered, asking, entered, furnished, meet, permitted, policy_text, released
from tests.traffic import CANARY_NAME, CANARY_TEXT, chat, completion, events, leaks, said

ASKED = chat(CANARY_TEXT)


def content_of(tree):
    return tree["messages"][0]["content"]


# -- prompts --------------------------------------------------------------------------------------------------------


async def test_a_permitted_prompt_goes_on_as_it_is_and_is_shown_masked(house):
    flow = asking(ASKED)
    passage = permitted(flow, house)
    await meet(Masking(house), "request", flow)
    assert json.loads(passage.onward_body) == ASKED
    assert leaks(json.dumps(passage.prompt_shown)) == []
    assert "[US_SSN]" in content_of(passage.prompt_shown)
    assert passage.exchange.found_in["US_SSN"] == 1
    exchange = passage.exchange
    assert len(exchange.identifiers_in) == len(exchange.found_in)
    assert exchange.revealed_in == exchange.identifiers_in


async def test_a_rule_may_mask_the_prompt_before_the_model_sees_it(house):
    flow = asking(ASKED)
    passage = permitted(flow, house, "researcher")
    await meet(Masking(house), "request", flow)
    assert leaks(passage.onward_body) == []
    assert b"furosemide 40 mg" in passage.onward_body
    assert passage.exchange.request == ASKED
    assert passage.exchange.identifiers_in
    assert passage.exchange.revealed_in == set()


def refused(exchange):
    exchange.refusal = Refusal(403, "no-rule", "No.")


def denied(exchange):
    exchange.decision = Deny(None, (), "no-rule", "No.")


@pytest.mark.parametrize("change", [refused, denied])
async def test_bystanders_see_a_prompt_masked_that_nobody_permits(house, change):
    flow = asking(ASKED)
    passage = permitted(flow, house, "researcher")
    change(passage.exchange)
    await meet(Masking(house), "request", flow)
    assert leaks(json.dumps(passage.prompt_shown)) == []


async def test_a_models_name_may_be_an_identifier_to_bystanders(house):
    flow = asking(chat() | {"model": "536-22-8145"})
    passage = permitted(flow, house)
    passage.exchange.target = "536-22-8145"
    await meet(Masking(house), "request", flow)
    assert passage.model_shown == "[US_SSN]"
    assert leaks(json.dumps(passage.prompt_shown)) == []
    assert json.loads(passage.onward_body)["model"] == "536-22-8145"


async def test_nobodys_prompt_is_not_even_looked_at(house):
    flow = asking(ASKED)
    passage = entered(flow)
    passage.exchange.request = ASKED
    await meet(Masking(house), "request", flow)
    assert (passage.prompt_shown, passage.onward_body) == (None, b"")


async def test_a_request_without_a_body_has_nothing_to_mask(house):
    flow = asking(method="GET", path="/v1/models")
    passage = permitted(flow, house, route="openai-models")
    await meet(Masking(house), "request", flow)
    assert (passage.prompt_shown, passage.onward_body) == (None, b"")


# -- whole answers --------------------------------------------------------------------------------------------------


async def taken(house, body, *roles, plan="whole", status=200):
    """The flow as Refuse leaves it once the model's answer is moved away."""
    flow = asking()
    passage = released(flow, house, *roles)
    passage.plan, passage.raw, passage.upstream_status = plan, body, status
    flows.withhold(flow, passage)
    await meet(Masking(house), "response", flow)
    return passage


async def test_an_answer_is_masked_by_the_rule_and_for_bystanders(house):
    passage = await taken(house, completion())
    assert leaks(passage.answer) == []
    assert b"furosemide 40 mg" in passage.answer
    assert leaks(json.dumps(passage.answer_shown)) == []
    assert passage.exchange.found_out["MRN"] == 1
    assert passage.exchange.usage == {"input": 9, "output": 12}
    assert (passage.status, passage.outcome, passage.raw) == (200, "complete", b"")


async def test_findings_and_identifiers_of_prompt_and_answer_are_told_apart(house):
    flow = asking(ASKED)
    passage = permitted(flow, house)
    masking = Masking(house)
    await masking.request(flow)
    passage.plan, passage.raw = "whole", completion("Nothing to add.")
    await masking.response(flow)
    assert passage.exchange.found_in["US_SSN"] == 1
    assert passage.exchange.found_out["US_SSN"] == 0
    assert passage.exchange.identifiers_in
    assert passage.exchange.identifiers_out == set()


def lenient(folder):
    """A house whose rule hides numbers and leaves names."""
    (folder / "own").mkdir()
    return furnished(folder / "own", policy_text().replace("PERSON: surrogate", "PERSON: keep"))


def kinds(identifiers):
    return {each.partition(":")[0] for each in identifiers}


async def test_what_the_mask_leaves_of_an_answer_is_revealed_and_what_it_hides_is_not(tmp_path):
    exchange = (await taken(lenient(tmp_path), completion())).exchange
    assert kinds(exchange.identifiers_out) == {"PERSON", "MRN", "US_SSN"}
    assert kinds(exchange.revealed_out) == {"PERSON"}


async def test_of_an_answer_that_is_withheld_nothing_is_revealed(tmp_path):
    deep = b'"usage": ' + b"[" * 200 + b"]" * 200 + b', "was"'
    exchange = (await taken(lenient(tmp_path), completion().replace(b'"usage"', deep))).exchange
    assert (exchange.refusal, exchange.revealed_out) == (addon.UNMASKABLE, set())
    assert "PERSON" in kinds(exchange.identifiers_out)


async def test_of_a_stream_that_breaks_off_only_what_went_out_is_revealed(tmp_path):
    house = lenient(tmp_path)
    flow = asking(chat(stream=True))
    passage = released(flow, house)
    passage.plan = "stream"
    flow.response = answered(b"", content_type="text/event-stream")
    await meet(Masking(house), "responseheaders", flow)
    first, second = "Seen by Grace Hopper today. All is quiet. ", f"Then by {CANARY_NAME}. Nothing else of note since."
    told = said(b"".join(passage.stream(piece) or b"" for piece in events(first, done=False)[:-1]))
    passage.stream(b"".join(events(second, done=False)) + b"data: {\n\n")
    await meet(Masking(house), "response", flow)
    assert ("Hopper" in told, passage.outcome) == (True, "unmaskable")
    assert len(passage.exchange.identifiers_out) == 2
    assert len(passage.exchange.revealed_out) == 1


async def test_a_whole_answer_has_the_status_that_the_server_gave_it(house):
    assert (await taken(house, completion(), status=202)).status == 202


async def test_the_name_of_a_session_is_told_with_its_callers_seal(house):
    flow = asking()
    passage = released(flow, house, route="mcp-send")
    passage.exchange.decision = released(asking(), house).exchange.decision
    passage.plan, passage.raw, passage.upstream_status = "whole", b"{}", 200
    passage.answer_fields = {b"mcp-session-id": b"3f2b", b"mcp-protocol-version": b"2025-06-18", b"server": b"x"}
    flows.withhold(flow, passage)
    await meet(Masking(house), "response", flow)
    told = dict(passage.answer_head)
    assert told.keys() == {b"content-type", b"mcp-session-id", b"mcp-protocol-version"}
    assert house.seal_of(passage.exchange).read(told[b"mcp-session-id"].decode()) == "3f2b"


async def test_an_answer_that_cannot_be_read_is_refused_and_dropped(house):
    passage = await taken(house, b"{" + CANARY_TEXT.encode())
    assert (passage.exchange.refusal.status, passage.exchange.refusal.reason) == (502, "answer-unreadable")
    assert (passage.answer, passage.raw, passage.outcome) == (None, b"", "unmaskable")


async def test_a_model_servers_error_keeps_its_status(house):
    passage = await taken(house, json.dumps({"error": CANARY_TEXT}).encode(), plan="error", status=429)
    assert (passage.status, passage.outcome, passage.exchange.refusal) == (429, "refused-by-upstream", None)
    assert json.loads(passage.answer)["error"]["code"] == "upstream-refused"
    assert leaks(passage.answer) == []


UNPERMITTED = [
    ("that was refused", refused),
    ("that is not permitted", denied),
]


@pytest.mark.parametrize(("sentence", "change"), UNPERMITTED, ids=[case[0] for case in UNPERMITTED])
async def test_no_answer_is_made_for_an_exchange(house, sentence, change):
    flow = asking()
    passage = released(flow, house)
    passage.plan, passage.raw = "whole", completion()
    change(passage.exchange)
    await meet(Masking(house), "response", flow)
    assert passage.answer is None


# -- streams --------------------------------------------------------------------------------------------------------


async def opened(house, *roles, version=b"HTTP/1.1"):
    """A flow whose streamed answer has begun: (flow, its passage, the guard)."""
    flow = asking()
    flow.request.data.http_version = version
    passage = released(flow, house, *roles)
    passage.plan = "stream"
    flow.response = answered(b"", content_type="text/event-stream", x_patient="Quartermaine")
    await meet(Masking(house), "responseheaders", flow)
    return flow, passage, passage.stream


def given(guard, parts):
    """All that a guard lets out of these parts."""
    out = [guard(part) for part in parts]
    return b"".join(piece if isinstance(piece, bytes) else b"".join(piece) for piece in out)


async def test_nothing_of_a_stream_is_kept_when_its_flow_is_gone(house):
    flow, passage, guard = await opened(house)
    given(guard, [*events(), b""])
    kept = weakref.ref(guard._sight.found)
    del flow, passage, guard
    gc.collect()  # the flow
    gc.collect()  # and what was known of it
    assert kept() is None


@pytest.mark.parametrize(("version", "chunked"), [(b"HTTP/1.1", True), (b"HTTP/2.0", False)], ids=["HTTP/1", "HTTP/2"])
async def test_a_stream_gets_a_head_of_our_own_and_a_guard(house, version, chunked):
    flow, passage, guard = await opened(house, version=version)
    assert flow.response.stream is guard
    assert flow.response.headers["content-type"] == "text/event-stream"
    assert flow.response.headers["phi-exchange"] == passage.exchange.id
    assert ("transfer-encoding" in flow.response.headers) is chunked
    assert "x-patient" not in flow.response.headers
    assert flows.is_guarded(flow)


async def test_a_piece_that_is_much_more_than_it_looks_like_ends_the_stream(house):
    _, passage, guard = await opened(house)
    guard._decoder = encodings.decoder("gzip")
    raw = given(guard, [gzip.compress(b":\n\n" * 1_000_000), b""])
    assert b"stream-broken-off" in raw
    assert len(raw) < 1000
    assert passage.outcome == "unmaskable"


async def test_what_a_stream_keeps_is_bounded(house, monkeypatch):
    monkeypatch.setattr(addon, "MOST_SHOWN", 40)
    flow, passage, guard = await opened(house)
    raw = given(guard, [*events("The ward is quiet. " * 10), b""])
    await meet(Masking(house), "response", flow)
    assert said(raw) == "The ward is quiet. " * 10
    assert len(passage.answer_shown) < 80
    assert passage.answer_shown.endswith("see the parts]")


async def test_a_stream_is_masked_recorded_and_settled(house):
    flow, passage, guard = await opened(house)
    raw = given(guard, [*events(), b""])
    assert leaks(raw) == []
    assert "furosemide 40 mg" in said(raw)
    assert raw.endswith(b"data: [DONE]\n\n")
    assert passage.first_at > 0
    await meet(Masking(house), "response", flow)
    assert leaks(passage.answer_shown) == []
    assert "[US_SSN]" in passage.answer_shown
    assert passage.exchange.found_out["US_SSN"] == 1
    assert (passage.outcome, passage.exchange.refusal) == ("complete", None)
    house.journal.close("read now")
    parts = [record for record in records(house) if record["kind"] == "part"]
    assert [record["part"] for record in parts] == list(range(len(parts)))
    assert "".join(record["body"] for record in parts) == passage.answer_shown


def records(house):
    return [json.loads(line) for line in house.journal.path.read_bytes().splitlines()]


async def test_no_piece_is_empty_since_that_would_end_the_body(house):
    _, _, guard = await opened(house)
    assert all(guard(part) != b"" for part in [*events(step=1), b": ping\n\n", b"data: "])


BROKEN = [
    ("no chunk", b"data: [1]\n\n", "unmaskable"),
    ("no JSON", b"data: {\n\n", "unmaskable"),
]


@pytest.mark.parametrize(("sentence", "part", "outcome"), BROKEN, ids=[case[0] for case in BROKEN])
async def test_what_cannot_be_read_breaks_the_stream_off(house, sentence, part, outcome):
    flow, passage, guard = await opened(house)
    raw = given(guard, [events("All is well. ")[0], part])
    assert b"stream-broken-off" in raw
    assert given(guard, [*events(), b""]) == b""
    await meet(Masking(house), "response", flow)
    assert passage.outcome == outcome
    assert passage.exchange.refusal is addon.UNMASKABLE


async def test_a_journal_that_is_down_breaks_the_stream_off(house):
    _, passage, guard = await opened(house)
    house.journal.close("disk gone")
    raw = given(guard, events("The ward is quiet today and nobody waits."))
    assert b"stream-broken-off" in raw
    assert said(raw) == ""
    assert passage.outcome == "unrecorded"


async def test_parts_that_stay_unsynced_break_the_stream_off(house, monkeypatch):
    monkeypatch.setattr(addon, "UNSYNCED_SECONDS", -1.0)
    _, passage, guard = await opened(house)
    assert b"stream-broken-off" in given(guard, events())
    assert passage.outcome == "unrecorded"


async def test_a_fault_of_ours_breaks_the_stream_off_and_says_nothing_of_the_text(house, caplog, monkeypatch):
    def broken(*_arguments):
        raise RuntimeError(CANARY_TEXT)

    _, passage, guard = await opened(house)
    monkeypatch.setattr(house.journal, "append", broken)
    raw = given(guard, events("The ward is quiet today and nobody waits."))
    assert b"stream-broken-off" in raw
    assert passage.outcome == "gateway-broke"
    assert leaks(caplog.text) == []
    assert "RuntimeError at" in caplog.text


# -- pieces of a stream that take long ----------------------------------------------------------------------------

LONG = b"".join(events(CANARY_TEXT + " The ward is quiet. " * 20, step=2)[:-1])


async def threaded(house, flow, piece):
    """What goes out of a piece that is masked in a thread first, as with host/connections/aside.py."""
    assert flow.response.stream.takes_long(piece)
    await meet(Masking(house), "stream_piece", flow)
    return given(flow.response.stream, [piece])


async def test_a_long_piece_comes_out_of_a_thread_as_it_would_without_one(house):
    flow, first, guard = await opened(house)
    without = given(guard, [LONG, *events(done=False), b""])
    await meet(Masking(house), "response", flow)
    flow, passage, guard = await opened(house)
    raw = await threaded(house, flow, LONG)
    assert raw + given(guard, [*events(done=False), b""]) == without
    assert leaks(raw) == []
    await meet(Masking(house), "response", flow)
    assert passage.exchange.found_out == first.exchange.found_out
    assert passage.exchange.identifiers_out == first.exchange.identifiers_out
    assert passage.answer_shown == first.answer_shown
    assert "[US_SSN]" in passage.answer_shown


async def test_a_long_piece_is_masked_beside_the_loop_and_recorded_within_it(house, monkeypatch):
    flow, _, guard = await opened(house)
    seen = []

    def seeing(name, work):
        def seen_at_work(*given):
            seen.append((name, threading.current_thread().name))
            return work(*given)

        return seen_at_work

    for name in ("_mask", "_record"):
        monkeypatch.setattr(guard, name, seeing(name, getattr(guard, name)))
    guard.takes_long(LONG)
    await guard.ahead()
    assert seen == [("_mask", "work")]
    guard(LONG)
    assert seen[1:] == [("_record", threading.current_thread().name)]
    assert flow.response.stream is guard


async def test_small_pieces_take_no_thread(house):
    _, _, guard = await opened(house)
    assert not any(guard.takes_long(piece) or guard(piece) is None for piece in events("The ward is quiet. " * 400))


HELD = [
    ("an event that is not whole", [b'data: {"a": "' + b"a" * 3000] * 6),
    ("arguments of a tool's call that are not whole", [
        b'data: {"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"tool_calls": [{'
        b'"index": 0, "function": {"arguments": "' + b"1, " * 1000 + b'"}}]}, "finish_reason": null}]}\n\n'
    ] * 6),
    ("JSON in a text", events('{"resourceType": "Patient", "a": [' + "1, " * 6000, step=3000)[:-2]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "parts"), HELD, ids=[case[0] for case in HELD])
async def test_where_much_is_held_back_the_least_piece_is_masked_in_a_thread(house, what, parts):
    _, passage, guard = await opened(house)
    assert not guard.takes_long(b"\n")
    given(guard, parts)
    assert passage.outcome == "complete"
    assert guard.takes_long(b"\n")
    assert guard.takes_long(b"")


async def test_a_packed_piece_is_more_than_it_looks_like(house):
    flow, passage, _ = await opened(house)
    passage.answer_fields = {b"content-encoding": b"gzip"}
    flow.response = answered(b"", content_type="text/event-stream")
    await meet(Masking(house), "responseheaders", flow)
    raw = await threaded(house, flow, gzip.compress(b"".join(events())))
    assert leaks(raw) == []
    assert "furosemide 40 mg" in said(raw + await threaded(house, flow, b""))


async def test_the_end_is_masked_in_a_thread_where_much_is_held_back(house):
    flow, _, guard = await opened(house)
    assert b"arguments" not in given(guard, HELD[1][1])
    assert b"arguments" in await threaded(house, flow, b"")


async def test_what_cannot_be_read_in_a_thread_breaks_the_stream_off(house):
    flow, passage, guard = await opened(house)
    raw = await threaded(house, flow, LONG + b"data: {\n\n")
    assert (b"stream-broken-off" in raw, passage.outcome) == (True, "unmaskable")
    assert said(raw) == ""
    assert not guard.takes_long(LONG)
    assert given(guard, [LONG, b""]) == b""


async def test_what_breaks_in_a_thread_says_nothing_of_the_text(house, caplog, monkeypatch):
    def broken(_data):
        raise RuntimeError(CANARY_TEXT)

    flow, passage, guard = await opened(house)
    monkeypatch.setattr(guard, "_mask", broken)
    assert b"stream-broken-off" in await threaded(house, flow, LONG)
    assert (passage.outcome, leaks(caplog.text)) == ("gateway-broke", [])


async def test_what_no_thread_masked_does_not_go_out(house):
    _, passage, guard = await opened(house)
    assert guard.takes_long(LONG)
    raw = given(guard, [LONG])
    assert (b"stream-broken-off" in raw, said(raw), passage.outcome) == (True, "", "gateway-broke")


async def test_what_was_masked_for_another_piece_does_not_go_out(house):
    _, passage, guard = await opened(house)
    guard.takes_long(LONG)
    await guard.ahead()
    raw = given(guard, events())
    assert (b"stream-broken-off" in raw, said(raw), passage.outcome) == (True, "", "gateway-broke")


async def test_a_journal_that_is_down_lets_nothing_out_that_a_thread_masked(house):
    flow, passage, _ = await opened(house)
    house.journal.close("disk gone")
    raw = await threaded(house, flow, LONG)
    assert (b"stream-broken-off" in raw, said(raw), passage.outcome) == (True, "", "unrecorded")


@pytest.mark.parametrize("plan", ["whole", "error", None])
async def test_nothing_else_streams(house, plan):
    flow = asking()
    passage = released(flow, house)
    passage.plan = plan
    flow.response = upstream = answered(b"{}")
    await meet(Masking(house), "responseheaders", flow)
    assert flow.response is upstream
    assert passage.stream is None


@pytest.mark.parametrize("hook", ["request", "responseheaders", "stream_piece", "response"])
async def test_a_flow_that_never_entered_is_left_alone(house, hook):
    flow = asking()
    flow.response = upstream = answered(completion())
    waiting = getattr(Masking(house), hook)(flow)
    if waiting is not None:
        await waiting
    assert flow.response is upstream


# -- what the prompt's values were replaced with -----------------------------------------------------------------------

RESTORING = "{name: blind, permit: [researcher], to: [chat], models: ['*'], prompt: stand, mask: years, restore: true}"
WITH_STAND_INS = policy_text(RESTORING).replace("masks: {", "masks: {stand: {OTHER: surrogate, US_SSN: hash}, ")


async def test_the_caller_s_own_values_come_back_and_no_others(tmp_path):
    house = furnished(tmp_path, WITH_STAND_INS)
    flow = asking(ASKED)
    passage = permitted(flow, house, "researcher")
    masking = Masking(house)
    await meet(masking, "request", flow)
    assert leaks(passage.onward_body) == []
    read = content_of(json.loads(passage.onward_body))
    passage.plan, passage.raw = "whole", completion(f"{read} Nobody else, least of all SSN 219-09-9999.")
    await meet(masking, "response", flow)
    told = json.loads(passage.answer)["choices"][0]["message"]["content"]
    assert CANARY_TEXT in told
    assert "219-09-9999" not in told
    assert leaks(json.dumps(passage.answer_shown)) == []
    house.journal.close("over")


async def test_without_restore_nothing_comes_back(house):
    flow = asking(ASKED)
    passage = permitted(flow, house, "researcher")
    await meet(Masking(house), "request", flow)
    assert passage.exchange.stand_ins is None


@pytest.mark.parametrize(
    ("size", "held", "ours", "beside"),
    [(10, 0, False, False), (LARGE + 1, 0, False, True), (10, MOST_HELD, False, True), (10, MOST_HELD, True, False)],
)
async def test_a_message_is_read_beside_the_loop_where_it_or_what_it_releases_is_long(
    house, monkeypatch, size, held, ours, beside
):
    message = flows.Message(from_client=ours, is_text=True, raw=b"x" * size)
    passage = SimpleNamespace(
        message=message, talking=SimpleNamespace(held=held), exchange=SimpleNamespace(subject=None)
    )
    monkeypatch.setattr(flows, "passage_of", lambda _flow: passage)
    room, threads = Masking(house), set()
    for name in ("_said", "_heard"):
        monkeypatch.setattr(room, name, lambda *_: threads.add(threading.current_thread().name))
    await room.websocket_message(None)
    assert (threads != {threading.current_thread().name}) == beside
    assert len(threads) == 1
