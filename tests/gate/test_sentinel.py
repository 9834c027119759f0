"""The last look: whatever carries no mark is replaced, however it came to be there."""

import json

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from phigate import flows
from phigate.exchange import Refusal
from phigate.gate import sentinel
from phigate.gate.sentinel import Sentinel
from phigate.house import House
from tests.stage import answered, asking, conversing, entered, saying
from tests.traffic import completion, leaks


@pytest.fixture
def last():
    return Sentinel(House())


def shut(flow):
    return flow.response is not None and (flow.response.status_code, flow.response.content) == (503, sentinel.CONTENT)


def test_what_it_puts_in_place_is_an_answer_that_clients_can_show():
    assert json.loads(sentinel.CONTENT)["error"]["code"] == "not-decided"
    assert dict(sentinel.HEADERS)[b"content-length"] == str(len(sentinel.CONTENT)).encode()


# -- requests -----------------------------------------------------------------------------------------------------


def test_a_request_whose_head_nobody_withheld_is_shut(last):
    flow = asking()
    last.requestheaders(flow)
    assert shut(flow)


def test_a_request_that_somebody_else_answers_is_shut(last):
    flow = asking()
    flow.response = answered(completion())
    last.requestheaders(flow)
    assert shut(flow)


def test_a_request_that_refuse_withheld_goes_on_to_be_decided(last):
    flow = asking()
    entered(flow)
    flow.request.stream = True
    last.requestheaders(flow)
    assert flow.response is flows.NOT_YET
    assert flow.request.stream is False


def test_a_released_request_goes_on(last):
    flow = asking()
    flows.release_request(flow, entered(flow))
    last.request(flow)
    assert flow.response is None


def test_a_refused_request_keeps_its_refusal(last):
    flow = asking()
    flows.refuse(flow, entered(flow), Refusal(403, "no-rule", "No."))
    last.request(flow)
    assert flow.response.status_code == 403
    assert flows.is_marked(flow)


def opened(flow):
    """Cleared by hand, without a mark."""
    entered(flow)
    flow.response = None


def changed(flow):
    flows.release_request(flow, entered(flow))
    flow.request.path = "/v1/other"


def repeated(flow):
    flows.release_request(flow, entered(flow))
    flows.may_go(flow)


def answered_by_hand(flow):
    entered(flow)
    flow.response = answered(completion())


WAYS = [
    ("nobody entered", lambda flow: setattr(flow, "response", None)),
    ("nobody decided", entered),
    ("somebody opened without a mark", opened),
    ("somebody changed after the release", changed),
    ("somebody repeats", repeated),
    ("somebody answered by hand", answered_by_hand),
]


@pytest.mark.parametrize(("sentence", "way"), WAYS, ids=[case[0] for case in WAYS])
def test_a_request_is_shut_that(last, sentence, way):
    flow = asking()
    way(flow)
    last.request(flow)
    assert shut(flow)


def test_a_mark_that_cannot_be_read_is_none(last, monkeypatch):
    def broken(_flow):
        raise RuntimeError("Quartermaine")

    flow = asking()
    flows.release_request(flow, entered(flow))
    monkeypatch.setattr(flows, "may_go", broken)
    last.request(flow)
    assert shut(flow)


def test_a_mark_that_is_true_but_not_a_yes_is_none(last, monkeypatch):
    monkeypatch.setattr(flows, "may_go", lambda _flow: "yes")
    flow = asking()
    opened(flow)
    last.request(flow)
    assert shut(flow)


# -- answers ------------------------------------------------------------------------------------------------------


def test_a_released_answer_goes_out_once(last):
    flow = asking()
    passage = entered(flow)
    flow.response = flows.answer(200, [], b"{}")
    flows.release_answer(passage, flow.response)
    last.response(flow)
    assert flow.response.content == b"{}"
    last.response(flow)
    assert shut(flow)


def test_an_upstreams_answer_is_shut(last, context):
    flow = asking()
    entered(flow)
    flow.response = answered(completion())
    last.response(flow)
    assert shut(flow)
    assert leaks(flow.response.content) == []


def test_an_answer_of_a_flow_that_never_entered_is_shut(last):
    flow = tflow.tflow(resp=True)
    last.response(flow)
    assert shut(flow)


def test_no_answer_at_all_is_shut(last):
    flow = asking()
    entered(flow)
    flow.response = None
    last.response(flow)
    assert shut(flow)


def test_what_cannot_even_be_replaced_is_killed(last, monkeypatch):
    def broken(*_arguments):
        raise RuntimeError

    flow = asking()
    entered(flow)
    flow.response = answered(completion())
    monkeypatch.setattr(http, "Response", broken)
    last.response(flow)
    assert flow.error.msg == flow.error.KILLED_MESSAGE


# -- streams ------------------------------------------------------------------------------------------------------


def guarded(flow):
    passage = entered(flow)
    flow.response = answered(b"", content_type="text/event-stream")
    flow.response.stream = passage.stream = lambda data: data
    return passage


def test_a_stream_through_the_marked_guard_flows(last):
    flow = asking()
    passage = guarded(flow)
    flows.release_answer(passage, flow.response)
    last.responseheaders(flow)
    assert flow.response.stream is passage.stream


def unguarded(flow):
    passage = guarded(flow)
    passage.released = (flow.response, flow.response.raw_content)
    flow.response.stream = True


STREAMS = [
    ("carries no mark", guarded),
    ("runs through nothing", unguarded),
    ("never entered", lambda flow: setattr(flow, "response", answered(b""))),
]


@pytest.mark.parametrize(("sentence", "way"), STREAMS, ids=[case[0] for case in STREAMS])
def test_a_stream_is_held_back_that(last, sentence, way):
    flow = asking()
    way(flow)
    flow.response.stream = flow.response.stream or True
    last.responseheaders(flow)
    assert flow.response.stream is False


def test_an_answer_that_does_not_stream_is_looked_at_when_it_is_whole(last):
    flow = asking()
    entered(flow)
    flow.response = upstream = answered(completion())
    last.responseheaders(flow)
    assert flow.response is upstream


def test_a_stream_that_nobody_released_at_its_end_is_killed(last, context):
    flow = asking()
    guarded(flow)
    last.response(flow)
    assert flow.error.msg == flow.error.KILLED_MESSAGE
    assert not shut(flow)


# -- everything else ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["response", "error"])
def test_an_exchange_that_is_over_is_no_longer_under_way(hook, context):
    house, flow = House(), asking()
    house.under_way = {"ex-other", entered(flow).exchange.id}
    getattr(Sentinel(house), hook)(flow)
    assert house.under_way == {"ex-other"}


HOOKS = ["websocket_start", "websocket_message", "tcp_start", "tcp_message", "udp_start", "udp_message",
         "dns_request", "dns_response", "http_connect", "http_connect_upstream"]  # fmt: skip


@pytest.mark.parametrize("hook", HOOKS)
def test_no_other_protocol_is_without_a_hook(last, context, hook):
    getattr(last, hook)(tflow.tflow())  # cuts a connection, where there is one: see tests/host/test_lockdown.py


# -- WebSockets ---------------------------------------------------------------------------------------------------


def test_what_was_marked_for_a_message_is_handed_over_once(last, house):
    flow, passage = conversing(house)
    saying(flow, b"{}")
    flows.release_message(flow, passage, flows.Going((b"one",)))
    last.websocket_message(flow)
    assert flows.handed(flow) == flows.Going((b"one",))
    assert flows.handed(flow) is None
    last.websocket_message(flow)
    assert flows.handed(flow) is None


def unmarked(_flow, _passage):
    pass


def of_another(flow, passage):
    flows.release_message(flow, passage, flows.Going((b"one",)))
    saying(flow, b"{}")


def before_it_is_open(flow, passage):
    flows.release_message(flow, passage, flows.Going((b"one",)))
    passage.opened = False


@pytest.mark.parametrize("way", [unmarked, of_another, before_it_is_open])
def test_nothing_is_handed_over_without_a_mark(last, house, way):
    flow, passage = conversing(house)
    saying(flow, b"{}")
    way(flow, passage)
    flows.hand_over(flow, flows.Going((b"old",)))
    last.websocket_message(flow)
    assert flows.handed(flow) is None


def test_a_mark_of_a_message_that_cannot_be_read_is_none(last, house, monkeypatch):
    def broken(_flow):
        raise RuntimeError("Quartermaine")

    flow, passage = conversing(house)
    saying(flow, b"{}")
    flows.release_message(flow, passage, flows.Going((b"one",)))
    monkeypatch.setattr(flows, "may_say", broken)
    last.websocket_message(flow)
    assert flows.handed(flow) is None


def test_an_open_connection_is_under_way_until_its_end(house, context):
    flow, passage = conversing(house)
    passage.talking = object()
    house.under_way, house.contacted = {passage.exchange.id}, {passage.exchange.id: flow}
    house.room.take(passage.exchange.id, 100_000)
    flow.response = flows.answer(101, [], None)
    flows.release_answer(passage, flow.response)
    Sentinel(house).response(flow)
    assert house.under_way
    Sentinel(house).websocket_end(flow)
    assert (house.under_way, house.contacted, house.room.held) == (set(), {}, 0)


def test_one_whose_caller_left_before_it_was_open_is_over(house):
    flow, passage = conversing(house)
    house.contacted = {passage.exchange.id: flow}
    Sentinel(house).client_disconnected(tflow.tclient_conn())
    assert house.contacted
    Sentinel(house).client_disconnected(flow.client_conn)
    assert house.contacted == {}
