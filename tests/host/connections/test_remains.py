"""On a connection that lasts nothing stays of what is over: driven through mitmproxy's own layers."""

import gc
import weakref

import h2.connection
import pytest
from mitmproxy import flow as flows
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http
from mitmproxy.proxy.layers.http._http2 import Http2Server

from phigate.host.connections import remains

FIELDS = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "gateway")]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Wire:
    """A caller over HTTP/2 and what mitmproxy makes of it: `meets` gets each hook, `model` answers each request."""

    def __init__(self, context, meets=lambda _hook: None, model=ANSWER):
        self.client = Client(peername=("", 0), sockname=("", 0), alpn=b"h2", state=ConnectionState.OPEN)
        made = Context(self.client, context.options)
        made.server.address = ("model", 80)
        self.layer = http.HttpLayer(made, http.HTTPMode.transparent)
        self.meets, self.model, self.peer, self.flows = meets, model, h2.connection.H2Connection(), []
        self.opened, self.refuses = [], False
        self.peer.initiate_connection()
        self.told(events.Start())
        self.says()

    def says(self):
        self.told(events.DataReceived(self.client, self.peer.data_to_send()))

    def ask(self, body=b"", end=True):
        stream = self.peer.get_next_available_stream_id()
        self.peer.send_headers(stream, FIELDS)
        for at in range(0, len(body), 16_000):
            self.peer.send_data(stream, body[at : at + 16_000])
        if end:
            self.peer.end_stream(stream)
        self.says()
        return stream

    def told(self, event):
        for command in list(self.layer.handle_event(event)):
            self.does(command)

    def does(self, command):
        match command:
            case commands.StartHook():
                if isinstance(command, http.HttpRequestHeadersHook):
                    self.flows.append(weakref.ref(command.flow))
                self.meets(command)
                self.told(events.HookCompleted(command))
            case commands.OpenConnection():
                self.opened.append(weakref.ref(command.connection))
                error = "refused" if self.refuses else None
                command.connection.state = ConnectionState.CLOSED if error else ConnectionState.OPEN
                command.connection.error = error
                self.told(events.OpenConnectionCompleted(command, error))
            case commands.CloseConnection() if command.connection is not self.client:
                command.connection.state = ConnectionState.CLOSED
                self.told(events.ConnectionClosed(command.connection))
            case commands.SendData() if command.connection is self.client:
                self.peer.receive_data(command.data)
            case commands.SendData() if self.model:
                self.told(events.DataReceived(command.connection, self.model))
            case _:
                pass

    def left(self):
        """How many flows, connections to models and streams there still are."""
        gc.collect()
        alive = [sum(each() is not None for each in every) for every in (self.flows, self.opened)]
        return *alive, len(self.layer.streams), len(self.layer.connections[self.client].streams)


@pytest.fixture
def wire(seams, context):
    remains.install()
    return lambda **more: Wire(context, **more)


async def test_nothing_is_left_of_requests_that_were_answered(wire):
    caller = wire()
    for _ in range(20):
        caller.ask(b"{}")
    assert len(caller.flows) == 20
    assert caller.left() == (0, 0, 0, 0)


async def test_nothing_is_left_of_one_that_we_ended(wire):
    def kills(hook):
        if isinstance(hook, http.HttpRequestHook):
            hook.flow.error = flows.Error(flows.Error.KILLED_MESSAGE)

    caller = wire(meets=kills)
    for _ in range(20):
        caller.ask(b"{}")
    assert caller.left() == (0, 0, 0, 0)


async def test_nothing_is_left_of_a_body_that_was_too_large(wire, context):
    context.options.body_size_limit = "100k"
    caller = wire()
    for _ in range(20):
        caller.ask(b"a" * 120_000, end=False)
    assert len(caller.flows) == 20
    assert caller.left()[:3] == (0, 0, 0)


async def test_a_model_server_that_could_not_be_reached_is_asked_again(wire):
    caller = wire()
    caller.refuses = True
    caller.ask(b"{}")
    caller.refuses = False
    caller.ask(b"{}")
    assert len(caller.opened) == 2


async def test_one_that_waits_for_us_stays(wire):
    caller = wire(model=None)
    caller.ask(b"{}")
    assert caller.left()[:3] == (1, 1, 1)


async def test_the_end_of_a_connection_that_was_let_go_is_no_crash(wire):
    caller = wire()
    ended = Client(peername=("", 1), sockname=("", 0))
    assert list(caller.layer.handle_event(events.ConnectionClosed(ended))) == []


async def test_of_streams_that_ended_a_connection_knows_the_last_ones(wire):
    caller = wire()
    for _ in range(remains.ENDED + 50):
        caller.ask(b"{}")
    (speaker,) = [each for each in caller.layer.connections.values() if isinstance(each, Http2Server)]
    speaker.h2_conn.open_inbound_streams  # noqa: B018 -- h2 lets go of streams where it counts them
    assert len(speaker.h2_conn._closed_streams) == remains.ENDED
