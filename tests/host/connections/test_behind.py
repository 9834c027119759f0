"""Model servers that cannot be reached, say nothing or break off: when they are given up, and what is said of it."""

import asyncio
import contextlib
import json

import pytest
from mitmproxy.connection import Server
from mitmproxy.flow import Error
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow

from phigate import flows
from phigate.host.connections import behind
from phigate.host.connections.behind import Behind
from phigate.house import House


class Transport:
    def __init__(self):
        self.aborted = False

    def abort(self):
        self.aborted = True


class Io:
    """What mitmproxy holds of one connection."""

    def __init__(self, *, connected):
        self.cancelled, self.transport = [], Transport()
        self.handler = type("Task", (), {"cancel": lambda _self, why: self.cancelled.append(why)})()
        self.reader = asyncio.StreamReader()
        self.writer = None
        if connected:
            self.writer = type("Writer", (), {"transport": self.transport, "get_extra_info": lambda *_: None})()

    @property
    def over(self):
        return bool(self.cancelled) or self.transport.aborted


class Scene:
    """A gateway with one caller and one model server, and a clock that a test sets."""

    def __init__(self, master):
        self.now, self.house = 100.0, House()
        self.behind = Behind(master, self.house, connect=10, silence=60, clock=lambda: self.now)
        self.flow = tflow.tflow()
        self.client, self.flow.server_conn = self.flow.client_conn, Server(address=None)
        self.server = Server(address=("ward", 80))
        self.data = ServerConnectionHookData(server=self.server, client=self.client)
        self.handler = type("Handler", (), {"transports": {}})()
        self.proxyserver = type("Proxyserver", (), {"connections": {self.client.id: self.handler}})()
        self.passage = flows.enter(self.flow)
        self.passage.exchange.contacted = True

    def io(self, *, connected):
        self.handler.transports[self.server] = Io(connected=connected)
        return self.handler.transports[self.server]

    def connect(self, *, tls=False):
        self.server.tls = tls
        self.server.timestamp_start = 1.0
        self.io(connected=False)
        self.behind.server_connect(self.data)
        io = self.io(connected=True)
        self.server.timestamp_tcp_setup = 1.0
        self.behind.server_connected(self.data)
        self.flow.server_conn = self.server
        return io

    def tick(self, seconds):
        self.now += seconds
        self.behind.tick()


@pytest.fixture
def scene(context, monkeypatch):
    made = Scene(context.master)
    monkeypatch.setattr(context.master.addons, "get", lambda _name: made.proxyserver)
    return made


async def test_a_connection_that_is_not_made_in_time_is_given_up(scene):
    io = scene.io(connected=False)
    scene.server.timestamp_start = 1.0
    scene.behind.server_connect(scene.data)
    scene.tick(0)
    scene.tick(9.9)
    assert not io.over
    scene.tick(0.2)
    assert io.over
    scene.server.error = "connection cancelled"
    scene.behind.server_connect_error(scene.data)
    behind.failed(scene.flow)
    assert (scene.passage.broke, scene.passage.exchange.refusal) == ("slow-connect", behind.UNREACHABLE)


async def test_one_that_waits_for_its_turn_is_not(scene):
    io = scene.io(connected=False)
    scene.behind.server_connect(scene.data)
    scene.tick(0)
    scene.tick(1000)
    assert not io.over


async def test_tls_is_part_of_it(scene):
    io = scene.connect(tls=True)
    scene.tick(0)
    scene.tick(11)
    assert io.transport.aborted


async def test_one_that_is_made_is_not_given_up_while_nothing_is_asked(scene):
    io = scene.connect(tls=True)
    scene.behind.tls_established_server(type("Tls", (), {"conn": scene.server})())
    scene.server.timestamp_tls_setup = 1.0
    scene.tick(0)
    scene.tick(100_000)
    assert not io.over


async def test_an_answer_of_which_nothing_comes_is_given_up(scene):
    io = scene.connect()
    scene.house.contacted["ex-1"] = scene.flow
    scene.tick(0)
    scene.tick(59)
    io.reader.feed_data(b"HTTP")
    io.reader._buffer.clear()
    scene.tick(59)
    assert not io.over
    scene.tick(2)
    assert io.over
    behind.failed(scene.flow)
    assert (scene.passage.broke, scene.passage.exchange.refusal.status) == ("silent", 504)


async def test_the_time_begins_with_the_question(scene):
    io = scene.connect()
    scene.tick(1000)
    scene.house.contacted["ex-1"] = scene.flow
    scene.tick(59)
    scene.tick(59)
    assert not io.over
    scene.house.contacted.clear()
    scene.tick(0)
    scene.house.contacted["ex-1"] = scene.flow
    scene.tick(59)
    assert not io.over


async def test_what_was_said_and_is_not_read_yet_counts_as_said(scene):
    """The caller takes nothing: that is not the model's fault."""
    io = scene.connect()
    scene.house.contacted["ex-1"] = scene.flow
    io.reader.feed_data(b"HTTP")
    for _ in range(10):
        scene.tick(50)
    assert not io.over


async def test_a_connection_that_went_is_forgotten_and_holds_nothing(scene):
    io = scene.connect()
    assert "feed_data" in vars(io.reader)
    scene.behind.server_disconnected(scene.data)
    assert "feed_data" not in vars(io.reader)
    assert scene.behind._lines == {}
    scene.behind.server_disconnected(scene.data)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("[Errno -2] Name or service not known", "unresolved"),
        ("[Errno 111] Connect call failed ('127.0.0.1', 9)", "unreachable"),
        ("Multiple exceptions: [Errno 111] Connect call failed", "unreachable"),
        (None, "unreachable"),
    ],
)
async def test_why_there_is_no_connection(scene, said, why):
    scene.io(connected=False)
    scene.behind.server_connect(scene.data)
    scene.server.error = said
    scene.behind.server_connect_error(scene.data)
    behind.failed(scene.flow)
    assert scene.passage.broke == why


async def test_a_certificate_that_nobody_vouches_for_is_told_apart(scene):
    scene.connect(tls=True)
    scene.behind.tls_failed_server(type("Tls", (), {"conn": scene.server, "context": scene})())
    behind.failed(scene.flow)
    assert scene.passage.broke == "tls"


async def test_of_an_answer_that_is_over_or_was_never_asked_for_nothing_is_said(scene):
    scene.passage.exchange.finished = True
    behind.failed(scene.flow)
    scene.passage.exchange.finished, scene.passage.exchange.contacted = False, False
    behind.failed(scene.flow)
    behind.failed(tflow.tflow())
    assert (scene.passage.broke, scene.passage.exchange.refusal) == (None, None)


async def test_what_was_refused_before_stays_refused_so(scene):
    scene.connect()
    scene.passage.exchange.refusal = behind.UNREADABLE
    behind.failed(scene.flow)
    assert (scene.passage.broke, scene.passage.exchange.refusal) == ("broke-off", behind.UNREADABLE)


# -- what goes out instead of mitmproxy's page ----------------------------------------------------------------------


@pytest.fixture
def stream(seams, scene, context):
    behind.install()
    made = HttpStream(Context(scene.client, context.options), 1)
    made.flow = scene.flow
    made.client_state, made.server_state = made.state_done, made.state_wait_for_response_headers
    return made


def running(commands):
    sent = []
    with contextlib.suppress(StopIteration):
        while True:
            sent.append(next(commands))
    return sent


def broken_off(code=ErrorCode.GENERIC_SERVER_ERROR):
    return ResponseProtocolError(1, "the raw words of a server", code)


async def test_whoever_got_nothing_gets_an_answer_of_ours(scene, stream):
    scene.connect()
    sent = running(stream.handle_protocol_error(broken_off()))
    assert isinstance(sent[0], HttpErrorHook)
    told = [each.event for each in sent if isinstance(each, SendHttp)]
    assert [type(each) for each in told] == [ResponseHeaders, ResponseData, ResponseEndOfMessage]
    assert told[0].response.status_code == 502
    assert told[0].response.headers["x-should-retry"] == "false"
    assert told[0].response.headers["phi-exchange"] == scene.passage.exchange.id
    assert json.loads(told[1].data)["error"]["code"] == "upstream-broke"
    assert b"raw words" not in told[1].data


async def test_what_is_said_of_it_twice_is_answered_once(scene, stream):
    scene.connect()
    running(stream.handle_protocol_error(broken_off()))
    stream.client_state = stream.server_state = stream.state_done
    assert [each for each in running(stream.handle_protocol_error(broken_off())) if isinstance(each, SendHttp)] == []


async def test_where_the_model_was_told_nothing_it_may_be_asked_again(scene, stream):
    told = [each.event for each in running(stream.handle_protocol_error(broken_off())) if isinstance(each, SendHttp)]
    assert "x-should-retry" not in told[0].response.headers
    assert told[0].response.headers["retry-after"] == "1"


async def test_a_stream_that_is_under_way_just_ends(scene, stream):
    scene.connect()
    scene.passage.stream = object()
    told = [each.event for each in running(stream.handle_protocol_error(broken_off())) if isinstance(each, SendHttp)]
    assert [type(each) for each in told] == [ResponseProtocolError]
    assert (scene.passage.broke, scene.passage.exchange.refusal) == ("broke-off", None)


async def test_a_caller_that_left_is_no_fault_of_the_models(scene, stream):
    scene.connect()
    running(stream.handle_protocol_error(RequestProtocolError(1, "gone", ErrorCode.CLIENT_DISCONNECTED)))
    assert scene.passage.broke is None


async def test_what_was_killed_gets_no_answer(scene, stream):
    scene.connect()
    scene.flow.error = Error(Error.KILLED_MESSAGE)
    stream.server_state = stream.state_done
    told = [each.event for each in running(stream.handle_protocol_error(broken_off())) if isinstance(each, SendHttp)]
    assert [each.code for each in told] == [ErrorCode.KILL]


async def test_an_answer_that_mitmproxy_does_not_take_is_one_of_ours_too(scene, stream):
    scene.connect()
    stream.context.options.update(body_size_limit="10")
    stream.response_body_buf += b"a" * 100
    told = [each.event for each in running(stream.check_body_size(False)) if isinstance(each, SendHttp)]
    assert told[0].response.status_code == 502
    assert told[0].response.headers["phi-reason"] == "answer-unreadable"
    assert told[0].response.headers["connection"] == "close"
    assert scene.passage.broke == "unreadable"


async def test_a_request_that_is_too_large_is_the_callers_own(scene, stream):
    stream.context.options.update(body_size_limit="10")
    stream.request_body_buf += b"a" * 100
    told = [each.event for each in running(stream.check_body_size(True)) if isinstance(each, SendHttp)]
    assert [each.code for each in told] == [ErrorCode.REQUEST_TOO_LARGE]
    assert scene.passage.broke is None


def test_every_fault_has_its_refusal():
    assert behind.REFUSALS.keys() == set(flows.Broke.__value__.__args__)
    assert behind.REFUSALS.keys() >= behind.UNREACHED
