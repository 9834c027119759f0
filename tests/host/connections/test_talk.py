"""HTTP/2 that says much and means nothing, against mitmproxy's own layer; no wire."""

import asyncio

import pytest
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated
from h2.frame_buffer import FrameBuffer
from hyperframe.frame import GoAwayFrame
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode, _http2
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.server import ConnectionHandler

from phigate.host.connections import talk

FIELDS = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "gateway")]


class Pair:
    """A client, and mitmproxy's side of its connection."""

    def __init__(self, context):
        client = Client(peername=("", 0), sockname=("", 0), state=ConnectionState.OPEN)
        self.layer = _http2.Http2Server(Context(client, context.options))
        self.client = H2Connection()
        self.client.initiate_connection()
        self.received, self.closed = [], False
        self._take(self.layer._handle_event(events.Start()))
        self.say()

    def say(self, raw=None):
        """Send what the client has to say; its own events of what comes back."""
        data = self.client.data_to_send() if raw is None else raw
        return self._take(self.layer._handle_event(events.DataReceived(self.layer.conn, data)))

    def _take(self, told):
        found = []
        for each in told:
            if isinstance(each, ReceiveHttp):
                self.received.append(each.event)
            elif isinstance(each, commands.SendData):
                found += self.client.receive_data(each.data)
            elif isinstance(each, commands.CloseConnection):
                self.closed, self.layer.conn.state = True, ConnectionState.CLOSED
        return found

    def ask(self):
        number = self.client.get_next_available_stream_id()
        self.client.send_headers(number, FIELDS, end_stream=True)
        return number


@pytest.fixture
def flooded(monkeypatch):
    found = []
    monkeypatch.setattr(talk, "flooded", [lambda: found.append(1)])
    return found


@pytest.fixture
def pair(seams, context, flooded):
    talk.install()
    return Pair(context)


def calmed(told):
    (last,) = [each for each in told if isinstance(each, ConnectionTerminated)]
    return last.error_code == ErrorCodes.ENHANCE_YOUR_CALM


SMALL = [
    ("pings", lambda client: client.ping(b"12345678")),
    ("settings", lambda client: client.update_settings({})),
    ("priorities", lambda client: client.prioritize(1, weight=9)),
]


@pytest.mark.parametrize(("sentence", "say"), SMALL, ids=[case[0] for case in SMALL])
def test_a_flood_of_small_frames_ends_the_connection(pair, flooded, sentence, say):
    for _ in range(talk.SMALL_TALK + 10):
        say(pair.client)
    assert calmed(pair.say())
    assert pair.closed
    assert flooded == [1]


def test_some_of_them_in_each_second_do_not(pair, flooded, monkeypatch):
    for second in range(1, 6):
        monkeypatch.setattr(talk.time, "monotonic", lambda now=1e9 + second: now)
        for _ in range(talk.SMALL_TALK // 2):
            pair.client.ping(b"12345678")
        pair.say()
    assert (pair.closed, flooded) == (False, [])


def test_of_its_window_a_client_may_speak_more_often(pair):
    for _ in range(talk.SMALL_TALK * 2):
        pair.client.increment_flow_control_window(1)
    pair.say()
    assert not pair.closed


def test_streams_that_are_taken_back_at_once_end_the_connection_before_all_of_them_are_looked_at(pair, flooded):
    for _ in range(5 * talk.RESETS):
        pair.client.reset_stream(pair.ask(), ErrorCodes.CANCEL)
    assert calmed(pair.say())
    assert len(pair.received) <= 2 * talk.RESETS + 2
    assert flooded == [1]


def test_taking_back_a_few_is_fine(pair):
    for _ in range(talk.RESETS - 1):
        pair.client.reset_stream(pair.ask(), ErrorCodes.CANCEL)
    pair.say()
    assert not pair.closed


def test_a_frame_that_is_announced_as_larger_than_allowed_is_not_waited_for(pair):
    assert calmed(pair.say((2**24 - 1).to_bytes(3) + b"\x00\x00\x00\x00\x00\x01"))


def test_an_h2_that_keeps_what_is_not_whole_elsewhere_is_refused(seams, monkeypatch):
    made = FrameBuffer.__init__

    def otherwise(buffer, *args, **more):
        made(buffer, *args, **more)
        buffer._rest = buffer.__dict__.pop("_headers_buffer")

    monkeypatch.setattr(FrameBuffer, "__init__", otherwise)
    with pytest.raises(AttributeError):
        talk.install()


def test_a_head_in_many_parts_is_not_kept(pair):
    part = b"\x00\x40\x00\x09\x00\x00\x00\x00\x01" + b"a" * 16384
    pair.say((5).to_bytes(3) + b"\x01\x00\x00\x00\x00\x01" + b"\x82\x86\x84\x41\x01")
    told = [each for _ in range(6) if not pair.closed for each in pair.say(part)]
    assert calmed(told)


class Handled:
    """As much of mitmproxy's handler as is asked for."""

    def __init__(self, context, reads):
        self.client = Client(peername=("", 0), sockname=("", 0), alpn=b"h2", state=ConnectionState.OPEN)
        own = Context(self.client, context.options)
        self.layer = HttpLayer(own, HTTPMode.transparent)
        self.server = self.layer.connections[self.client] = _http2.Http2Server(own)
        self.transports = {self.client: type("Io", (), {"handler": reads})()}


@pytest.fixture
async def drained(seams, context, monkeypatch):
    """A handler whose client opened no window, and how it is waited for."""

    async def nothing(_handler):
        pass

    monkeypatch.setattr(talk, "PAUSE", 0.001)
    monkeypatch.setattr(ConnectionHandler, "drain_writers", nothing)
    talk.install()
    handler = Handled(context, None)
    client = H2Connection()
    client.initiate_connection()
    client.send_headers(1, FIELDS, end_stream=True)
    link = handler.server.h2_conn
    link.initiate_connection()
    link.receive_data(client.data_to_send())
    link.send_headers(1, [(b":status", b"200")])
    link.send_data(1, b"a" * (talk.UNTAKEN + 100_000))
    client.receive_data(link.data_to_send())
    client.increment_flow_control_window(2 * talk.UNTAKEN)
    client.increment_flow_control_window(2 * talk.UNTAKEN, 1)
    return handler, link, client.data_to_send()


async def test_what_a_client_does_not_take_stops_its_answers_until_it_does(drained):
    handler, link, opens = drained
    waiting = asyncio.create_task(ConnectionHandler.drain_writers(handler))
    await asyncio.sleep(0.02)
    assert not waiting.done()
    link.receive_data(opens)
    await asyncio.wait_for(waiting, 1)
    assert talk.talk_of(link).moved > 0


async def test_while_nothing_is_taken_what_waits_is_not_counted(drained, monkeypatch):
    handler, link, opens = drained
    counted = []
    waiting = talk.windows.waiting

    def counting(of):
        counted.append(of)
        return waiting(of)

    monkeypatch.setattr(talk.windows, "waiting", counting)
    draining = asyncio.create_task(ConnectionHandler.drain_writers(handler))
    await asyncio.sleep(0.05)
    assert len(counted) == 1
    link.receive_data(opens)
    await asyncio.wait_for(draining, 1)


async def test_who_takes_a_stream_back_is_waited_for_no_longer(drained):
    handler, link, _ = drained
    draining = asyncio.create_task(ConnectionHandler.drain_writers(handler))
    await asyncio.sleep(0.01)
    link.reset_stream(1)
    await asyncio.wait_for(draining, 1)


async def test_who_opens_the_window_is_never_waited_for(drained):
    handler, _, _ = drained
    handler.transports[handler.client].handler = asyncio.current_task()
    await asyncio.wait_for(ConnectionHandler.drain_writers(handler), 1)


async def test_nobody_waits_for_a_client_that_went(drained):
    handler, _, _ = drained
    waiting = asyncio.create_task(ConnectionHandler.drain_writers(handler))
    await asyncio.sleep(0.01)
    handler.transports.clear()
    await asyncio.wait_for(waiting, 1)


async def test_of_http1_there_is_no_window(drained):
    handler, _, _ = drained
    handler.client.alpn = None
    assert talk.link_of(handler) is None
    await asyncio.wait_for(ConnectionHandler.drain_writers(handler), 1)


async def test_a_client_is_told_that_no_further_request_is_taken_and_what_it_asked_goes_on(drained):
    handler, link, opens = drained
    written = []
    own = handler.transports[handler.client]
    own.writer = type("Writer", (), {"write": written.append})()
    talk.say_goodbye(handler)
    frame, _ = GoAwayFrame.parse_frame_header(memoryview(written[0][:9]))
    frame.parse_body(memoryview(written[0][9:]))
    assert (frame.last_stream_id, frame.error_code) == (1, ErrorCodes.NO_ERROR)
    assert link.data_to_send() == b""
    link.receive_data(opens)
    assert link.data_to_send(), "what waited for its window does not go out any more"


async def test_of_http1_and_of_who_went_nobody_is_told(drained):
    handler, link, _ = drained
    own = handler.transports[handler.client]
    own.writer = None
    talk.say_goodbye(handler)
    handler.transports.clear()
    talk.say_goodbye(handler)
    handler.client.alpn = None
    talk.say_goodbye(handler)
    assert link.data_to_send() == b""
