"""A crash in mitmproxy's own layers ends the connection instead of leaving its client waiting."""

import asyncio

import pytest

from phigate.host import crashes
from tests.stage import connected, listening, until
from tests.traffic import CANARY_TEXT


async def crashed(context, installed):
    """What a client gets whose connection's layer breaks: its bytes, or TimeoutError."""
    if installed:
        crashes.install()
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        (handler,) = context.master.addons.get("proxyserver").connections.values()

        def broken(_event):
            raise RuntimeError(CANARY_TEXT)

        handler.layer.handle_event = broken
        writer.write(b"GET / HTTP/1.1\r\nhost: gateway\r\n\r\n")
        try:
            return await asyncio.wait_for(reader.read(), 0.5)
        finally:
            writer.close()


async def test_mitmproxy_alone_leaves_the_client_waiting(seams, context):
    with pytest.raises(TimeoutError):
        await crashed(context, installed=False)


async def test_a_crashed_connection_is_closed(seams, context):
    assert await crashed(context, installed=True) == b""


async def test_any_other_message_closes_nothing(seams, context, caplog):
    crashes.install()
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        (handler,) = context.master.addons.get("proxyserver").connections.values()
        handler.log("everything is fine")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.1)
        writer.close()


async def cancelled_while_it_waits(context, installed):
    """What a client gets whose connection is closed while what it sent waits for its turn, or TimeoutError."""
    if installed:
        crashes.install()
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        (handler,) = context.master.addons.get("proxyserver").connections.values()
        lock, socket = handler._server_event_lock, handler.transports[handler.client].writer
        async with lock:
            writer.write(b"GET / HTTP/1.1\r\n")
            await until(lambda: lock._waiters)
            handler.transports[handler.client].handler.cancel("over")
            await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(reader.read(), 0.5)
        finally:
            writer.close()
            socket.close()


async def test_mitmproxy_alone_forgets_a_connection_that_is_cancelled_while_it_waits(seams, context):
    with pytest.raises(TimeoutError):
        await cancelled_while_it_waits(context, installed=False)


async def test_such_a_connection_is_closed(seams, context):
    assert await cancelled_while_it_waits(context, installed=True) == b""
