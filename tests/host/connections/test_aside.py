"""Pieces of streams that take long: one stream waits for its own, in order; driven through mitmproxy's own layers."""

import asyncio
from types import SimpleNamespace

import h2.connection
import pytest
from h2.events import DataReceived
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers import http
from mitmproxy.proxy.server import ConnectionHandler

from phigate.host.connections import aside

ASK = b"GET / HTTP/1.1\r\nHost: model\r\n\r\n"
FIELDS = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "gateway")]
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(piece):
    return b"%x\r\n%s\r\n" % (len(piece), piece)


class Guard:
    """What a streamed answer runs through: capitals take long, and so may the end."""

    def __init__(self, *, ends_long=False):
        self.given, self.ends_long = [], ends_long

    def takes_long(self, piece):
        return piece.isupper() or (not piece and self.ends_long)

    def __call__(self, piece):
        self.given.append(piece)
        return [piece] if piece else []


class Line:
    """A caller, mitmproxy, and a model server; hooks of pieces are over when `through` is called."""

    def __init__(self, context, guard, alpn=None):
        self.client = Client(peername=("", 0), sockname=("", 0), alpn=alpn, state=ConnectionState.OPEN)
        made = Context(self.client, context.options)
        made.server.address = ("model", 80)
        self.layer = http.HttpLayer(made, http.HTTPMode.transparent)
        self.guard, self.got, self.hooks, self.waits, self.models = guard, b"", [], [], []
        self.tell(events.Start())

    def tell(self, event):
        for command in list(self.layer.handle_event(event)):
            self.does(command)

    def hear(self, data):
        self.tell(events.DataReceived(self.client, data))

    def model(self, *pieces, which=0):
        for piece in pieces:
            self.tell(events.DataReceived(self.models[which], piece))

    def does(self, command):
        match command:
            case aside.StreamPieceHook():
                self.waits.append(command)
            case commands.StartHook():
                self.hooks.append(command.name)
                if isinstance(command, http.HttpResponseHeadersHook):
                    command.flow.response.stream = self.guard
                self.tell(events.HookCompleted(command))
            case commands.OpenConnection():
                command.connection.state = ConnectionState.OPEN
                self.models.append(command.connection)
                self.tell(events.OpenConnectionCompleted(command, None))
            case commands.CloseConnection() if command.connection in self.models and command.connection.connected:
                command.connection.state = ConnectionState.CLOSED
                self.tell(events.ConnectionClosed(command.connection))
            case commands.SendData() if command.connection is self.client:
                self.got += command.data
            case _:
                pass

    def through(self):
        self.tell(events.HookCompleted(self.waits.pop(0)))

    @property
    def body(self):
        return self.got.partition(b"\r\n\r\n")[2]


@pytest.fixture
def line(seams, context):
    aside.install()

    def asked(**more):
        made = Line(context, Guard(**more))
        made.hear(ASK)
        made.model(HEAD)
        return made

    return asked


async def test_pieces_that_take_no_time_go_on_at_once(line):
    made = line()
    made.model(chunk(b"a"), chunk(b"b"), END)
    assert (made.body, made.waits) == (chunk(b"a") + chunk(b"b") + END, [])


async def test_what_comes_while_a_piece_waits_goes_on_behind_it(line):
    made = line()
    made.model(chunk(b"A"), chunk(b"b"), chunk(b"C"), chunk(b"d"), END)
    assert (made.body, made.guard.given, len(made.waits)) == (b"", [], 1)
    made.through()
    assert (made.body, len(made.waits)) == (chunk(b"A") + chunk(b"b"), 1)
    made.through()
    assert made.body == b"".join(map(chunk, [b"A", b"b", b"C", b"d"])) + END
    assert made.guard.given == [b"A", b"b", b"C", b"d", b""]


async def test_an_end_that_takes_long_is_waited_for(line):
    made = line(ends_long=True)
    made.model(chunk(b"a"), END)
    assert (made.body, "response" in made.hooks) == (chunk(b"a"), False)
    made.through()
    assert (made.body, "response" in made.hooks) == (chunk(b"a") + END, True)


async def test_to_a_caller_that_left_meanwhile_nothing_goes_and_its_model_is_left(line):
    made = line()
    made.model(chunk(b"A"), chunk(b"b"))
    made.client.state = ConnectionState.CLOSED
    made.tell(events.ConnectionClosed(made.client))
    assert "error" not in made.hooks
    made.through()
    assert (made.hooks.count("error"), made.body, made.guard.given) == (1, b"", [])
    assert made.models[0].state is ConnectionState.CLOSED
    assert made.layer.streams == {}


async def test_a_model_server_that_breaks_off_meanwhile_has_told_what_it_told(line):
    made = line()
    made.model(chunk(b"A"), chunk(b"b"))
    made.models[0].state = ConnectionState.CLOSED
    made.tell(events.ConnectionClosed(made.models[0]))
    made.through()
    assert (made.body, made.hooks.count("error")) == (chunk(b"A") + chunk(b"b"), 1)


@pytest.fixture
def two(seams, context):
    """Two streams of one caller's connection; what the first was answered is long."""
    aside.install()
    made, peer = Line(context, Guard(), alpn=b"h2"), h2.connection.H2Connection()
    peer.initiate_connection()
    for number in (1, 3):
        peer.send_headers(number, FIELDS, end_stream=True)
    made.hear(peer.data_to_send())
    made.model(HEAD, chunk(b"A"))
    return made, peer


async def test_other_streams_of_the_same_connection_go_on(two):
    made, peer = two
    made.model(HEAD, chunk(b"b"), which=1)
    assert data(peer, made) == [(3, b"b")]
    made.through()
    assert data(peer, made) == [(1, b"A")]


def data(peer, made):
    got, made.got = made.got, b""
    return [(each.stream_id, each.data) for each in peer.receive_data(got) if isinstance(each, DataReceived)]


async def test_one_that_is_taken_back_meanwhile_leaves_the_others(two):
    made, peer = two
    made.model(HEAD, which=1)
    peer.reset_stream(1)
    made.hear(peer.data_to_send())
    made.through()
    assert (made.guard.given, made.models[0].state) == ([], ConnectionState.CLOSED)
    made.model(chunk(b"b"), which=1)
    assert data(peer, made) == [(3, b"b")]


async def test_nothing_more_is_read_from_its_model_server_meanwhile(line):
    made = line()
    made.model(chunk(b"A"))
    handler = SimpleNamespace(transports={}, _drain_lock=asyncio.Lock(), client=made.client, layer=made.layer)

    async def reads():
        handler.transports[made.models[0]] = SimpleNamespace(handler=asyncio.current_task(), writer=None)
        await ConnectionHandler.drain_writers(handler)

    reading = asyncio.create_task(reads())
    await asyncio.sleep(0)
    await asyncio.wait_for(ConnectionHandler.drain_writers(handler), 1)  # whoever reads something else goes on
    assert not reading.done()
    made.through()
    await asyncio.wait_for(reading, 1)


OTHERWISE = [
    (http.HttpStream, "state_stream_response_body", SimpleNamespace(__wrapped__=lambda stream: stream)),
    (Layer, "__init__", lambda layer, context: None),
]


@pytest.mark.parametrize(("owner", "name", "other"), OTHERWISE, ids=["the call", "the line"])
def test_a_mitmproxy_that_streams_otherwise_is_refused(seams, monkeypatch, owner, name, other):
    monkeypatch.setattr(owner, name, other)
    with pytest.raises(RuntimeError, match="another way"):
        aside.install()
