"""What is withheld, what is released, and that nothing changed or repeated afterwards can borrow a mark."""

import gc
import weakref

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from phigate import flows
from phigate.exchange import Refusal
from tests.stage import answered, asking, entered, said_in

DENIED = Refusal(403, "no-rule", "No rule permits this.", rule="care")


def test_entering_starts_an_exchange_of_its_own():
    one, two = flows.enter(asking()).exchange, flows.enter(asking()).exchange
    assert one.id.startswith("ex-")
    assert one.id != two.id
    assert (one.method, one.path, one.client_ip, one.agent) == ("POST", "/v1/chat/completions", "127.0.0.1", "curl/8")
    assert (one.refusal, one.decision, one.recorded) == (None, None, False)


def test_what_begins_anew_is_withheld_and_remembers_who_asked_and_nothing_that_was_made_of_it():
    flow = asking()
    was = entered(flow, "clinician")
    was.exchange.ticket, was.exchange.decision, was.prompt_shown = "t-1", "permit", "shown"
    was.exchange.found_in["PERSON"] = 1
    was.exchange.revealed_in.add("x")
    flows.release_request(flow, was)
    again = flows.enter_again(flow, was)
    assert flows.passage_of(flow) is again is not was
    exchange = again.exchange
    kept = (exchange.id, exchange.started, exchange.subject, exchange.session, exchange.ticket)
    assert kept == (was.exchange.id, was.exchange.started, was.exchange.subject, "se-1", "t-1")
    assert (exchange.decision, exchange.found_in, exchange.revealed_in, again.prompt_shown) == (None, {}, set(), None)
    assert flow.response is flows.NOT_YET
    assert not flows.may_go(flow)


def test_fields_are_told_by_lower_case_name_and_of_two_the_last():
    flow = asking()
    flow.request.headers.add("X-Twice", "a")
    flow.request.headers.add("x-twice", "b")
    assert flows.enter(flow).fields[b"x-twice"] == b"b"


def test_an_agents_name_is_cut_and_any_bytes_of_it_are_read():
    exchange = flows.enter(asking(user_agent="a" * 5000)).exchange
    assert exchange.agent == "a" * 200
    flow = asking()
    flow.request.data.headers = http.Headers([(b"user-agent", b"\xff\xfe")])
    assert flows.enter(flow).exchange.agent == "\ufffd\ufffd"


@pytest.mark.parametrize(("stated", "closing"), [("close", True), ("Close, TE", True), ("keep-alive", False)])
def test_a_caller_may_ask_to_close(stated, closing):
    assert flows.enter(asking(connection=stated)).closing is closing


def test_a_copy_of_a_flow_has_no_passage():
    flow = asking()
    passage = entered(flow)
    assert flows.passage_of(flow) is passage
    assert flows.passage_of(flow.copy()) is None
    assert flows.passage_of(asking()) is None


def test_a_passage_goes_with_its_flow():
    flow = asking()
    passage = weakref.ref(flows.enter(flow).exchange.found_in)
    gone = weakref.ref(flow)
    del flow
    gc.collect()
    assert gone() is None
    assert passage() is None


def test_withheld_is_503_without_a_mark():
    flow = asking()
    entered(flow)
    assert flow.response.status_code == 503
    assert said_in(flow)["code"] == "not-decided"
    assert not flows.may_answer(flow)
    assert not flows.may_go(flow)


def test_a_refusal_is_built_from_nothing_and_may_go_out_once():
    flow = asking()
    passage = entered(flow)
    flows.refuse(flow, passage, DENIED)
    error = said_in(flow)
    assert (flow.response.status_code, error["code"], error["message"]) == (403, "no-rule", "No rule permits this.")
    assert flow.response.headers["phi-rule"] == "care"
    assert flows.is_our_answer(flow, passage)
    assert flows.is_marked(flow)
    assert flows.may_answer(flow)
    assert not flows.may_answer(flow)


def test_a_refusal_of_grpc_says_so_in_its_headers_alone():
    flow = asking(content_type="application/grpc")
    flows.refuse(flow, flows.enter(flow), DENIED)
    assert (flow.response.status_code, flow.response.raw_content) == (200, None)
    assert flow.response.headers["grpc-status"] == "7"
    assert flow.response.headers["grpc-message"] == "no-rule: No rule permits this."
    assert "content-length" not in flow.response.headers
    assert flows.may_answer(flow)


def test_a_refusal_of_head_has_no_body():
    flow = asking()
    flow.request.method = "HEAD"
    flows.refuse(flow, flows.enter(flow), DENIED)
    assert (flow.response.status_code, flow.response.content) == (403, b"")


def test_the_first_refusal_stays():
    flow = asking()
    passage = entered(flow)
    flows.refuse(flow, passage, DENIED)
    flows.refuse(flow, passage, Refusal(503, "not-recorded", "Later."))
    assert passage.exchange.refusal is DENIED
    assert flow.response.status_code == 403


def test_a_refusal_takes_a_requests_mark_back():
    flow = asking()
    passage = entered(flow)
    flows.release_request(flow, passage)
    flows.refuse(flow, passage, DENIED)
    assert not flows.may_go(flow)


def test_a_released_request_may_go_once():
    flow = asking()
    flows.release_request(flow, entered(flow))
    assert flow.response is None
    assert flows.may_go(flow)
    assert not flows.may_go(flow)


CHANGES = [
    ("another method", lambda request: setattr(request, "method", "GET")),
    ("another path", lambda request: setattr(request, "path", "/v1/models")),
    ("another host", lambda request: setattr(request, "host", "elsewhere")),
    ("another port", lambda request: setattr(request, "port", 1)),
    ("another scheme", lambda request: setattr(request, "scheme", "https")),
    ("another body", lambda request: setattr(request, "content", b"{}")),
    ("one more header", lambda request: request.headers.add("x", "y")),
    ("another header", lambda request: request.headers.update({"content-type": "text/plain"})),
    ("another authority", lambda request: setattr(request, "authority", "elsewhere")),
    ("another version", lambda request: setattr(request, "http_version", "HTTP/1.0")),
    ("trailers", lambda request: setattr(request, "trailers", http.Headers(x="y"))),
]


@pytest.mark.parametrize(("sentence", "change"), CHANGES, ids=[case[0] for case in CHANGES])
def test_a_request_changed_after_its_release_may_not_go(sentence, change):
    flow = asking()
    flows.release_request(flow, entered(flow))
    change(flow.request)
    assert not flows.may_go(flow)


SWAPS = [
    ("another answer", lambda flow: setattr(flow, "response", answered(b"{}"))),
    ("a copy of it", lambda flow: setattr(flow, "response", flow.response.copy())),
    ("another body", lambda flow: setattr(flow.response, "content", b'{"a":"b"}')),
    ("trailers", lambda flow: setattr(flow.response, "trailers", http.Headers(x="y"))),
    ("another status", lambda flow: setattr(flow.response, "status_code", 101)),
    ("other words behind it", lambda flow: setattr(flow.response, "reason", "Patient")),
    ("another version", lambda flow: setattr(flow.response, "http_version", "HTTP/1.0")),
    ("one more header", lambda flow: flow.response.headers.add("x", "y")),
    ("none", lambda flow: setattr(flow, "response", None)),
]


@pytest.mark.parametrize(("sentence", "swap"), SWAPS, ids=[case[0] for case in SWAPS])
def test_an_answer_swapped_after_its_release_may_not_go_out(sentence, swap):
    flow = asking()
    passage = entered(flow)
    flow.response = flows.answer(200, [], b"{}")
    flows.release_answer(passage, flow.response)
    assert flows.is_marked(flow)
    swap(flow)
    assert not flows.may_answer(flow)


def test_an_upstreams_trailers_do_not_go_out():
    flow = asking()
    passage = entered(flow)
    flow.response = answered(b"{}")
    flow.response.trailers = http.Headers(x="y")
    flows.release_answer(passage, flow.response)
    assert flow.response.trailers is None


def test_looking_at_a_mark_does_not_spend_it():
    flow = asking()
    flows.refuse(flow, entered(flow), DENIED)
    assert flows.is_marked(flow)
    assert flows.is_marked(flow)


def test_withholding_again_takes_the_mark_back():
    flow = asking()
    passage = entered(flow)
    flows.refuse(flow, passage, DENIED)
    flows.withhold(flow, passage)
    assert not flows.may_answer(flow)


def test_an_answer_closes_the_connection_where_the_caller_asked_for_that():
    flow = asking(connection="close")
    flows.refuse(flow, flows.enter(flow), DENIED)
    assert flow.response.headers["connection"] == "close"


def test_an_answer_has_the_given_headers_and_its_length():
    made = flows.answer(200, [(b"a", b"b")], b"12345")
    assert (made.reason, made.headers.fields) == ("OK", ((b"a", b"b"), (b"content-length", b"5")))
    assert flows.answer(200, [(b"a", b"b")], None).headers.fields == ((b"a", b"b"),)
    assert flows.answer(299, [], b"").reason == ""
    assert flows.answer(204, [], b"").headers.fields == ()


def test_only_the_guard_made_for_a_flow_guards_it():
    flow = tflow.tflow(resp=True)
    assert not flows.is_guarded(flow)
    passage = entered(flow)
    flow.response = answered(b"")
    assert not flows.is_guarded(flow)
    passage.stream = guard = lambda data: data
    assert not flows.is_guarded(flow)
    flow.response.stream = lambda data: data
    assert not flows.is_guarded(flow)
    flow.response.stream = guard
    assert flows.is_guarded(flow)
    flow.response = None
    assert not flows.is_guarded(flow)


def test_a_flow_that_never_entered_carries_no_mark():
    flow = tflow.tflow(resp=True)
    assert not flows.may_go(flow)
    assert not flows.may_answer(flow)
    assert not flows.is_marked(flow)
