"""Refuse closes every flow, Release opens what nobody refused and nothing broke."""

import base64
import time

import pytest
from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.http import Headers
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow

from phigate import flows
from phigate.dialect.codecs import JSON, NOTHING
from phigate.exchange import Refusal
from phigate.gate import handshake
from phigate.gate.addon import Refuse, Release
from phigate.house import House
from phigate.options import OPTIONS
from tests.stage import (
    answered,
    asking,
    conversing,
    mitmproxy,
    permitted,
    places,
    policy_in,
    released,
    said_in,
    saying,
)
from tests.traffic import CANARY_TEXT, CHAT, completion, events, leaks

# -- Refuse, requests -----------------------------------------------------------------------------------------------


def read(house, flow):
    Refuse(house).requestheaders(flow)
    return flows.passage_of(flow)


def test_a_known_route_is_read_and_withheld(house):
    flow = asking()
    flow.request.stream = True
    exchange = read(house, flow).exchange
    assert (exchange.dialect, exchange.route, exchange.actions) == ("openai", "openai-chat", {"chat"})
    assert exchange.refusal is None
    assert flow.response is flows.NOT_YET
    assert flow.request.stream is False


LATER = [
    ("an unknown path", {"path": "/v1/other"}, (404, "route-unknown")),
    ("a path with a query", {"path": f"{CHAT}?a=b"}, (404, "route-unknown")),
    ("a route with another method", {"method": "GET"}, (405, "method-not-allowed")),
    ("a method that no route has", {"method": "PATCH"}, (405, "method-not-allowed")),
]


@pytest.mark.parametrize(("sentence", "changed", "fault"), LATER, ids=[case[0] for case in LATER])
def test_what_a_stranger_need_not_know_is_told_later(house, sentence, changed, fault):
    passage = read(house, asking(**changed))
    assert (passage.head_fault, passage.route) == (fault, None)
    assert passage.exchange.refusal is None
    assert passage.exchange.actions == frozenset()


AT_ONCE = [
    ("a folded value", {"x": "a\r\n b"}, 400, "malformed"),
    ("two bearers", {"Authorization": "a", "authorization": "b"}, 400, "malformed"),
    ("more headers than anybody needs", {f"x{number}": "y" for number in range(200)}, 431, "headers-too-large"),
]


@pytest.mark.parametrize(("sentence", "fields", "status", "reason"), AT_ONCE, ids=[case[0] for case in AT_ONCE])
def test_a_head_that_cannot_be_read_is_refused_at_once(house, sentence, fields, status, reason):
    flow = asking()
    flow.request.headers = Headers([(name.encode(), value.encode()) for name, value in fields.items()])
    refusal = read(house, flow).exchange.refusal
    assert (refusal.status, refusal.reason) == (status, reason)


def replayed(flow):
    flow.is_replay = "request"


STATES = [
    ("a flow from a file", lambda _house, flow: setattr(flow, "live", False), "not-live"),
    ("a replayed flow", lambda _house, flow: replayed(flow), "not-live"),
    ("a gateway that is starting", lambda house, _flow: setattr(house, "ready", False), "not-ready"),
    ("a gateway that is leaving", lambda house, _flow: setattr(house, "leaving", True), "not-ready"),
]


@pytest.mark.parametrize(("sentence", "change", "reason"), STATES, ids=[case[0] for case in STATES])
def test_nothing_is_decided_for(house, sentence, change, reason):
    flow = asking()
    change(house, flow)
    refusal = read(house, flow).exchange.refusal
    assert (refusal.status, refusal.reason) == (503, reason)


@pytest.mark.parametrize(
    ("change", "reason"), [({}, None), ({"leaving": True}, "not-ready"), ({"ready": False}, "not-ready")], ids=str
)
def test_a_request_that_waited_begins_anew(house, change, reason):
    flow = asking(phi_unmask="why")
    room = Refuse(house)
    room.requestheaders(flow)
    was = flows.passage_of(flow)
    was.exchange.decision, was.fields[b"phi-unmask"], was.route = "any", b"other", None
    for name, value in change.items():
        setattr(house, name, value)
    room.again(flow)
    passage = flows.passage_of(flow)
    assert (passage.exchange.id, passage.exchange.decision) == (was.exchange.id, None)
    assert passage.fields[b"phi-unmask"] == b"why"
    assert (passage.exchange.refusal and passage.exchange.refusal.reason) == reason
    assert (passage.exchange.route == "openai-chat") is (reason is None)


def test_for_a_large_body_there_has_to_be_room(house):
    house.room.most = 1_000_000
    refuse, large = Refuse(house), {"text": "a" * 700_000}
    first, second, small = asking(large), asking(large), asking()
    for flow in (first, second, small):
        refuse.requestheaders(flow)
        refuse.request(flow)
    refusals = [flows.passage_of(flow).exchange.refusal for flow in (first, second, small)]
    assert [each and (each.status, each.reason, each.retry_after) for each in refusals] == [
        None,
        (503, "busy", 1),
        None,
    ]
    assert [len(flow.request.raw_content) > 100 for flow in (first, second)] == [True, False]
    house.room.leave(flows.passage_of(first).exchange.id)
    again = asking(large)
    refuse.requestheaders(again)
    refuse.request(again)
    assert flows.passage_of(again).exchange.refusal is None


def test_for_a_large_answer_too(house):
    flow = asking()
    passage = read(house, flow)
    passage.exchange.contacted, passage.plan = True, "whole"
    house.room.most = 0
    flow.response = http.Response.make(200, b"a" * 100_000)
    Refuse(house).response(flow)
    assert (passage.raw, passage.exchange.refusal.reason) == (b"", "busy")


def test_an_exchange_is_under_way_from_its_request_on(house):
    flow = asking()
    refuse = Refuse(house)
    refuse.requestheaders(flow)
    assert house.under_way == set()
    refuse.request(flow)
    assert house.under_way == {flows.passage_of(flow).exchange.id}
    refuse.request(asking())
    assert len(house.under_way) == 1


# -- Refuse, answers ------------------------------------------------------------------------------------------------


def head(house, flow, response):
    flow.response = response
    Refuse(house).responseheaders(flow)
    return flows.passage_of(flow)


PLANS = [
    ("JSON is read whole", answered(b"{}"), "whole"),
    ("events are streamed", answered(b"", content_type="text/event-stream"), "stream"),
    ("an error is an error", answered(b"", 500), "error"),
    ("text cannot be checked", answered(b"", content_type="text/plain"), None),
    ("a part cannot be checked", answered(b"{}", 206), None),
]


@pytest.mark.parametrize(("sentence", "response", "plan"), PLANS, ids=[case[0] for case in PLANS])
def test_how_an_answer_is_read_follows_from_its_head(house, sentence, response, plan):
    flow = asking()
    released(flow, house)
    response = response.copy()
    response.stream = True
    passage = head(house, flow, response)
    assert (passage.plan, passage.upstream_status) == (plan, response.status_code)
    assert response.stream is False


def test_a_stream_on_a_route_that_has_none_cannot_be_checked(house):
    flow = asking()
    released(flow, house, route="openai-embeddings")
    assert head(house, flow, answered(b"", content_type="text/event-stream")).plan is None


@pytest.mark.parametrize(
    ("route", "status", "codec"),
    [("mcp-send", 202, NOTHING), ("mcp-send", 200, JSON), ("mcp-end", 204, NOTHING), ("mcp-end", 200, NOTHING)],
)
def test_an_answer_that_says_only_that_it_is_done_has_no_body(house, route, status, codec):
    flow = asking()
    released(flow, house, route=route)
    passage = head(house, flow, answered(b"", status))
    assert (passage.plan, passage.answer_codec) == ("whole", codec)


def test_an_answer_to_a_request_that_never_went_has_no_plan(house):
    flow = asking()
    permitted(flow, house)
    assert head(house, flow, answered(b"{}")).plan is None


def test_a_readable_answer_is_moved_away_before_anybody_looks(house):
    flow = asking()
    passage = released(flow, house)
    passage.plan = "whole"
    flow.response = answered(completion())
    Refuse(house).response(flow)
    assert passage.raw == completion()
    assert passage.answered_at > 0
    assert flow.response is flows.NOT_YET
    assert not flows.may_answer(flow)


def test_an_answer_nobody_can_check_is_refused_and_dropped(house):
    flow = asking()
    passage = released(flow, house)
    flow.response = answered(CANARY_TEXT.encode(), content_type="text/plain")
    Refuse(house).response(flow)
    assert (passage.exchange.refusal.status, passage.exchange.refusal.reason) == (502, "answer-unreadable")
    assert (passage.outcome, passage.raw) == ("unmaskable", b"")
    assert flow.response is flows.NOT_YET


def test_an_answer_that_nobody_asked_for_is_replaced(house):
    flow = asking()
    permitted(flow, house)
    flow.response = answered(completion())
    Refuse(house).response(flow)
    assert flow.response.status_code == 503
    assert leaks(flow.response.content) == []
    assert flows.may_answer(flow)


def test_our_own_refusal_stays_as_it_is(house):
    flow = asking()
    passage = released(flow, house)
    flows.refuse(flow, passage, Refusal(403, "no-rule", "No."))
    ours = flow.response
    refuse = Refuse(house)
    refuse.responseheaders(flow)
    refuse.response(flow)
    assert flow.response is ours
    assert flows.may_answer(flow)


def test_a_streams_end_is_left_to_the_rooms(house):
    flow, _ = streaming(house)
    response = flow.response
    Refuse(house).response(flow)
    assert flow.response is response


def unopened(house):
    """A stream whose guard was made and then taken away: mitmproxy reads all of the model's answer instead."""
    flow, passage = streaming(house)
    flow.response.stream = False
    flow.response.content = b"".join(events())
    return flow, passage


def test_a_stream_that_nobody_opened_is_moved_away(house):
    flow, passage = unopened(house)
    Refuse(house).response(flow)
    assert passage.exchange.refusal.reason == "answer-unreadable"
    assert flow.response is flows.NOT_YET


# -- Release, requests ----------------------------------------------------------------------------------------------


def test_what_is_permitted_and_recorded_goes_on_rebuilt(house):
    flow = asking(said="the-callers-own", cookie="a=b")
    passage = permitted(flow, house)
    passage.exchange.recorded = True
    passage.onward_body, passage.onward_head = JSON.write({"model": "ward-assistant"})
    Release(house).request(flow)
    assert flow.response is None
    assert passage.exchange.contacted
    assert passage.contacted_at > 0
    assert flow.request.content == b'{"model":"ward-assistant"}'
    names = {name.lower() for name, _ in flow.request.data.headers.fields}
    assert names == {
        b"host",
        b"user-agent",
        b"accept",
        b"accept-encoding",
        b"x-request-id",
        b"content-type",
        b"content-length",
    }
    assert flows.may_go(flow)


TARGETS = [
    ("mitmproxy's own target", None, ("http", "address", 22), "address:22"),
    ("a model of the policy", (b"https", "models.example", 443), ("https", "models.example", 443), "models.example"),
    ("a model on a port", (b"http", "10.0.4.10", 11434), ("http", "10.0.4.10", 11434), "10.0.4.10:11434"),
    ("a model by its IPv6 address", (b"http", "::1", 80), ("http", "::1", 80), "[::1]"),
]


@pytest.mark.parametrize(("sentence", "url", "address", "host"), TARGETS, ids=[case[0] for case in TARGETS])
def test_it_goes_to(house, sentence, url, address, host):
    flow = asking()
    passage = permitted(flow, house)
    passage.exchange.recorded = True
    passage.target_url = url
    Release(house).request(flow)
    request = flow.request
    assert (request.scheme, request.host, request.port) == address
    assert request.headers["host"] == host


@pytest.mark.parametrize(("version", "expected"), [("HTTP/2.0", b"127.0.0.1:8000"), ("HTTP/1.1", b"")])
def test_the_callers_authority_does_not_go_with_it(house, version, expected):
    flow = asking()
    flow.request.http_version, flow.request.authority = version, "gateway"
    passage = permitted(flow, house)
    passage.exchange.recorded, passage.target_url = True, (b"http", "127.0.0.1", 8000)
    Release(house).request(flow)
    assert flow.request.data.authority == expected


def test_a_model_server_has_the_certificate_of_its_own_address_to_show(house):
    client, server = tflow.tclient_conn(), Server(address=("model.example", 443))
    client.sni, server.sni = "quartermaine.example", None
    Refuse(house).server_connect(ServerConnectionHookData(server, client))
    assert server.sni == "model.example"


def test_the_models_own_credential_goes_with_it(house):
    flow = asking(said="the-callers-own")
    passage = permitted(flow, house)
    passage.exchange.recorded, passage.credential = True, "the-models-own"
    Release(house).request(flow)
    assert flow.request.headers.get_all("authorization") == ["Bearer the-models-own"]


def test_a_request_without_a_body_goes_without_one(house):
    flow = asking(method="GET", path="/v1/models")
    passage = permitted(flow, house, route="openai-models")
    passage.exchange.recorded = True
    passage.onward_body = b"never sent"
    Release(house).request(flow)
    assert flow.request.content == b""
    assert "content-type" not in flow.request.headers


UNSETTLED = [
    ("is not decided", lambda exchange: setattr(exchange, "decision", None)),
    ("is not recorded", lambda exchange: setattr(exchange, "recorded", False)),
    ("is nobody's", lambda exchange: setattr(exchange, "subject", None)),
]


@pytest.mark.parametrize(("sentence", "change"), UNSETTLED, ids=[case[0] for case in UNSETTLED])
def test_a_request_stays_withheld_that(house, sentence, change):
    flow = asking()
    passage = permitted(flow, house)
    passage.exchange.recorded = True
    change(passage.exchange)
    Release(house).request(flow)
    assert flow.response is flows.NOT_YET
    assert not passage.exchange.contacted
    assert not flows.may_go(flow)


def test_a_refusal_becomes_the_answer(house):
    flow = asking()
    passage = permitted(flow, house)
    passage.exchange.recorded = True
    passage.exchange.refusal = Refusal(403, "no-rule", "No rule permits this.")
    Release(house).request(flow)
    assert flow.response.status_code == 403
    assert said_in(flow)["code"] == "no-rule"
    assert not passage.exchange.contacted
    assert flows.may_answer(flow)
    assert not flows.may_go(flow)


# -- Release, answers -----------------------------------------------------------------------------------------------


def finished(house):
    flow = asking()
    passage = released(flow, house)
    passage.plan, passage.answer, passage.answered_at = "whole", b'{"masked":true}', time.monotonic()
    passage.exchange.finished = True
    flows.withhold(flow, passage)
    return flow, passage


def test_a_masked_and_recorded_answer_goes_out_under_our_own_head(house):
    flow, passage = finished(house)
    Release(house).response(flow)
    assert (flow.response.status_code, flow.response.content) == (200, b'{"masked":true}')
    assert flow.response.headers["phi-decision"] == "permit"
    assert flow.response.headers["phi-rule"] == "care"
    assert flow.response.headers["phi-exchange"] == passage.exchange.id
    assert flows.may_answer(flow)


CLOSED = [
    ("is not recorded", lambda passage: setattr(passage.exchange, "finished", False)),
    ("was not masked", lambda passage: setattr(passage, "answer", None)),
]


@pytest.mark.parametrize(("sentence", "change"), CLOSED, ids=[case[0] for case in CLOSED])
def test_an_answer_stays_withheld_that(house, sentence, change):
    flow, passage = finished(house)
    change(passage)
    Release(house).response(flow)
    assert flow.response is flows.NOT_YET
    assert not flows.may_answer(flow)


def test_an_answer_refused_late_is_the_refusal(house):
    flow, passage = finished(house)
    passage.exchange.refusal = Refusal(503, "not-recorded", "Later.", retry_after=1)
    Release(house).response(flow)
    assert flow.response.status_code == 503
    assert flow.response.headers["x-should-retry"] == "false"
    assert flows.may_answer(flow)


def streaming(house):
    flow = asking()
    passage = released(flow, house)
    passage.plan = "stream"
    flow.response = flows.answer(200, [], None)
    flow.response.stream = passage.stream = lambda data: data
    return flow, passage


def test_a_guarded_stream_is_opened(house):
    flow, _ = streaming(house)
    Release(house).responseheaders(flow)
    assert flows.is_guarded(flow)
    assert flows.may_answer(flow)


def test_a_stream_through_anything_else_is_not(house):
    flow, _ = streaming(house)
    flow.response.stream = lambda data: data
    Release(house).responseheaders(flow)
    assert not flows.may_answer(flow)


def test_a_recorded_stream_may_end(house):
    flow, passage = streaming(house)
    passage.exchange.finished = True
    Release(house).response(flow)
    assert flows.may_answer(flow)


def test_a_stream_that_nobody_opened_is_not_let_out_at_its_end(house):
    flow, passage = unopened(house)
    passage.exchange.finished = True
    Release(house).response(flow)
    assert not flows.may_answer(flow)


ENDS = [
    ("that was broken off", lambda exchange: setattr(exchange, "refusal", Refusal(502, "x", "y"))),
    ("whose answer is not on record", lambda exchange: setattr(exchange, "finished", False)),
]


@pytest.mark.parametrize(("sentence", "change"), ENDS, ids=[case[0] for case in ENDS])
def test_no_good_end_is_given_to_a_stream(house, sentence, change):
    flow, passage = streaming(house)
    passage.exchange.finished = True
    change(passage.exchange)
    Release(house).response(flow)
    assert not flows.may_answer(flow)


@pytest.mark.parametrize("hook", ["request", "responseheaders", "response"])
def test_release_leaves_a_flow_alone_that_never_entered(house, hook):
    flow = tflow.tflow(resp=True)
    getattr(Release(house), hook)(flow)
    assert not flows.may_go(flow)
    assert not flows.may_answer(flow)


# -- the start ------------------------------------------------------------------------------------------------------


def starting(context, folder, **changed):
    """Refuse as mitmproxy loads it, with the options of a gateway whose files are in `folder`."""
    refuse = Refuse(House())
    own = {"phi_policy": policy_in(folder), **{f"phi_{name}": place for name, place in places(folder).items()}}
    context.options.update_defer(**{name: str(value) for name, value in (own | changed).items()})
    context.master.addons.register(refuse)
    return refuse


def test_its_options_are_there_with_their_defaults(context, tmp_path):
    starting(context, tmp_path)
    for name, default, text in OPTIONS:
        assert context.options._options[name].default == default
        assert context.options._options[name].help == text.strip()


FAULTY: list[tuple[str, dict, dict, str]] = [
    ("a regular proxy", {"mode": ["regular"]}, {}, "mode `regular`"),
    ("no script, which cannot be", {}, {}, "exactly one script"),
    ("an upstream nobody verifies", {"ssl_insecure": True}, {}, "`ssl_insecure`"),
]


@pytest.mark.parametrize(("sentence", "options", "own", "said"), FAULTY, ids=[case[0] for case in FAULTY])
def test_a_start_that_may_not_be_ends_before_a_file_is_made(seams, tmp_path, capsys, sentence, options, own, said):
    with mitmproxy(**({"mode": ["reverse:http://127.0.0.1:9"]} | options)) as context:
        refuse = starting(context, tmp_path, **own)
        with pytest.raises(SystemExit) as ended:
            refuse.configure(set())
    assert ended.value.code == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "journal").exists()


def test_it_starts_once(seams, context, tmp_path, capsys):
    refuse = starting(context, tmp_path)
    refuse._furnished = True
    refuse.configure({"mode"})
    assert capsys.readouterr().err == ""


# -- WebSockets -----------------------------------------------------------------------------------------------------

UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec_websocket_version": "13",
    "sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==",
}
REALTIME = "/v1/realtime?model=ward-assistant"


def test_an_upgrade_is_read_like_a_request(house):
    passage = read(house, asking(method="GET", path=REALTIME, sec_websocket_protocol="realtime, mine", **UPGRADE))
    assert (passage.head_fault, passage.exchange.route, passage.match.model) == (None, "realtime", "ward-assistant")
    assert passage.protocols == ["realtime", "mine"]


def test_a_websocket_that_is_not_asked_for_as_one_is_refused(house):
    assert read(house, asking(method="GET", path=REALTIME)).head_fault == (426, "upgrade-required")


def upgrading(house, response):
    flow, passage = conversing(house)
    passage.opened, passage.upgrade_key, flow.response = False, b"k" * 16, response
    Refuse(house).responseheaders(flow)
    return flow, passage


def switching(key=b"k" * 16):
    fields = handshake.opened(base64.b64encode(key), None)
    return http.Response.make(101, b"", Headers(fields))


def test_a_switch_of_protocols_is_one_only_where_it_answers_our_key(house, context):
    assert upgrading(house, switching())[1].plan == "upgrade"
    assert upgrading(house, switching(b"x" * 16))[1].plan is None
    assert upgrading(house, answered(completion()))[1].plan is None


def test_a_switch_that_the_rooms_let_go_is_answered_by_one_of_ours(house, context):
    flow, passage = upgrading(house, switching())
    passage.fields[b"sec-websocket-key"] = b"dGhlIHNhbXBsZSBub25jZQ=="
    Refuse(house).response(flow)
    assert flow.response is flows.NOT_YET
    Release(house).response(flow)
    assert flow.response is flows.NOT_YET  # nobody masks it
    passage.talking = object()
    Release(house).response(flow)
    assert flow.response.status_code == 101
    assert flow.response.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert flows.may_answer(flow)


def test_a_switch_that_somebody_refused_is_refused_and_the_connection_closed(house, context):
    flow, passage = upgrading(house, switching())
    Refuse(house).response(flow)
    passage.talking, passage.exchange.refusal = object(), Refusal(401, "bearer-refused", "No.")
    Release(house).response(flow)
    assert (flow.response.status_code, flow.response.headers["connection"]) == (401, "close")


def test_a_switch_without_a_websocket_is_none(house, context):
    flow, passage = upgrading(house, switching())
    flow.websocket, passage.talking = None, object()
    Refuse(house).response(flow)
    Release(house).response(flow)
    assert (flow.response.status_code, passage.outcome) == (502, "unmaskable")


def test_messages_go_to_and_fro_only_where_somebody_masks_them(house, context):
    flow, passage = conversing(house)
    passage.opened = False
    Refuse(house).websocket_start(flow)
    assert not flows.is_open(flow)
    passage.talking = object()
    Refuse(house).websocket_start(flow)
    assert flows.is_open(flow)


@pytest.mark.parametrize(("text", "reason"), [(True, None), (False, "content-unreadable")])
def test_a_message_is_moved_away_before_anybody_looks(house, text, reason):
    flow, passage = conversing(house)
    saying(flow, b"", text=text)
    flow.websocket.messages[-1].content, flow.websocket.messages[-1].dropped = CANARY_TEXT.encode(), False
    Refuse(house).websocket_message(flow)
    assert (flow.websocket.messages[-1].content, flow.websocket.messages[-1].dropped) == (b"", True)
    assert passage.message.raw == CANARY_TEXT.encode()
    assert (passage.message.refusal.reason if passage.message.refusal else None) == reason


class Talking:
    """A conversation whose last word is its code."""

    def ended(self, code, _message):
        return code.encode()


def said(house, **changes):
    flow, passage = conversing(house)
    passage.talking, message = Talking(), saying(flow, b"{}")
    for name, value in ({"onward": [b"one"], "recorded": True} | changes).items():
        setattr(message, name, value)
    Release(house).websocket_message(flow)
    return flows.may_say(flow)


def test_a_recorded_message_goes_on(house):
    assert said(house) == flows.Going((b"one",))
    assert said(house, onward=[]) == flows.Going()


@pytest.mark.parametrize("changes", [{"onward": None}, {"recorded": False}])
def test_what_nobody_made_or_recorded_does_not(house, changes):
    assert said(house, **changes) is None


def test_a_refused_message_is_the_last(house):
    refusal = Refusal(403, "denied", "No.")
    assert said(house, refusal=refusal) == flows.Going((), (b"denied",), 1008, "denied")
