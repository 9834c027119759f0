"""A client of HTTP/2 that does not read is cut off before it fills the memory."""

import h2.connection
import h2.settings
import pytest
from mitmproxy.connection import Client
from mitmproxy.http import Headers, Response
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import _http2
from mitmproxy.proxy.layers.http._events import ResponseData, ResponseEndOfMessage, ResponseHeaders

from phigate.host.connections import windows

MOST = 100_000
FIELDS = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "gateway")]


def server(context, window, longest=windows.LONGEST):
    """mitmproxy's side of a connection on which a client with such a window, and such frames, asked."""
    layer = _http2.Http2Server(Context(Client(peername=("", 0), sockname=("", 0)), context.options))
    client = h2.connection.H2Connection()
    client.initiate_connection()
    codes = h2.settings.SettingCodes
    client.update_settings({codes.INITIAL_WINDOW_SIZE: window, codes.MAX_FRAME_SIZE: longest})
    if window:
        client.increment_flow_control_window(window)
    client.send_headers(1, FIELDS, end_stream=True)
    list(layer._handle_event(events.Start()))
    list(layer._handle_event(events.DataReceived(layer.conn, client.data_to_send())))
    answer = Response(b"HTTP/2.0", 200, b"", Headers(), None, None, 0.0, 0.0)
    list(layer._handle_event(ResponseHeaders(1, answer)))
    return layer


def sent(layer, pieces, size):
    """Whether the connection was closed before so many pieces were taken."""
    handle = windows.bounded(_http2.Http2Server._handle_event, MOST)
    for _ in range(pieces):
        told = list(handle(layer, ResponseData(1, b"a" * size)))
        assert windows.waiting(layer.h2_conn) <= MOST
        if any(isinstance(each, commands.CloseConnection) for each in told):
            return True
    return False


@pytest.mark.parametrize("size", [1, 100, 16_000, 200_000])
async def test_who_does_not_read_is_cut_off(seams, context, size):
    layer = server(context, 0)
    assert sent(layer, 200_000 // size + 1, size)
    assert windows.waiting(layer.h2_conn) == 0


async def test_who_reads_is_not(seams, context):
    assert not sent(server(context, 10 * MOST), 3, 20_000)


async def test_what_waits_may_wait_up_to_the_bound(seams, context):
    layer = server(context, 0)
    assert not sent(layer, 5, 16_000)
    assert windows.waiting(layer.h2_conn) > 5 * 16_000


@pytest.mark.parametrize("size", [0, 1, windows.LONGEST, windows.LONGEST + 1, 1_000_000])
async def test_however_long_its_frames_may_be_what_waits_for_a_client_is_in_short_pieces(seams, context, size):
    windows.install()
    layer = server(context, 0, longest=2**24 - 1)
    answer = bytes(range(250)) * (size // 250 + 1)
    list(layer._handle_event(ResponseData(1, answer[:size])))
    list(layer._handle_event(ResponseEndOfMessage(1)))
    pieces = layer.h2_conn.stream_buffers.get(1, ())
    assert b"".join(piece.data for piece in pieces) == answer[:size]
    assert max((len(piece.data) for piece in pieces), default=0) <= windows.LONGEST
    assert [piece.end_stream for piece in pieces] == [False] * (len(pieces) - 1) + [True] * (size > 0)


async def test_it_stands_in_mitmproxys_way(seams):
    before = _http2.Http2Server._handle_event
    windows.install()
    assert _http2.Http2Server._handle_event is not before
