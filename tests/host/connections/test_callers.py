"""Who asked is still there, or is not: real connections to mitmproxy's own server, a hook that takes its time."""

import asyncio

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from mitmproxy.test import tflow

from phigate.host.connections.callers import gone
from tests import stage
from tests.stage import connected, listening, until


class Slow:
    """Holds each request until it is let go."""

    def __init__(self):
        self.flows, self.go = [], asyncio.Event()

    def next_layer(self, layer):
        if layer.context.client.alpn is None and layer.data_client().startswith(b"PRI"):
            layer.context.client.alpn = b"h2"

    async def request(self, flow):
        self.flows.append(flow)
        await self.go.wait()
        flow.kill()


@pytest.fixture
async def slow():
    made = Slow()
    yield made
    made.go.set()


@pytest.fixture
async def context(slow):
    with stage.mitmproxy(slow) as made:
        yield made


ASKS = b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n"


async def test_a_connection_that_is_closed(context, slow):
    async with listening(context) as port:
        _, writer = await connected(port, context)
        writer.write(ASKS)
        await until(lambda: slow.flows)
        (flow,) = slow.flows
        assert not gone(context.master, flow)
        writer.close()
        await until(lambda: gone(context.master, flow))
        slow.go.set()


@pytest.mark.parametrize("code", [ErrorCodes.CANCEL, ErrorCodes.NO_ERROR])
async def test_a_stream_that_is_taken_back_and_no_other_on_its_connection(context, slow, code):
    wire = H2Connection(H2Configuration(client_side=True))
    async with listening(context) as port:
        _, writer = await connected(port, context)
        wire.initiate_connection()
        head = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "gateway")]
        for stream in (1, 3):
            wire.send_headers(stream, head, end_stream=True)
        writer.write(wire.data_to_send())
        await until(lambda: len(slow.flows) == 2)
        first, second = slow.flows
        wire.reset_stream(1, code)
        writer.write(wire.data_to_send())
        await until(lambda: gone(context.master, first))
        assert not gone(context.master, second)
        writer.close()
        await until(lambda: gone(context.master, second))
        slow.go.set()


async def test_a_flow_of_no_connection(context):
    assert gone(context.master, tflow.tflow())
