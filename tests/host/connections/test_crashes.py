"""A crash in mitmproxy's own layers ends the connection instead of leaving its client waiting."""

import asyncio

import pytest
from mitmproxy.proxy.server import ConnectionHandler

from phigate.host.connections import crashes
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


def test_a_mitmproxy_that_tells_of_crashes_in_other_words_is_refused(seams, monkeypatch):
    async def server_event(_handler, _event):
        return "mitmproxy has failed!"

    monkeypatch.setattr(ConnectionHandler, "server_event", server_event)
    with pytest.raises(RuntimeError, match="in other words"):
        crashes.install()


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


async def test_a_connection_that_breaks_elsewhere_is_closed_as_well(seams, context, caplog):
    crashes.install()
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        (handler,) = context.master.addons.get("proxyserver").connections.values()

        async def broken():
            raise RuntimeError(CANARY_TEXT)

        handler.drain_writers = broken
        writer.write(b"GET / HTTP/1.1\r\n")
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


@pytest.mark.parametrize(("size", "kept"), [(20_000_000, False), (100, True)])
async def test_what_a_model_server_does_not_take_is_dropped_with_its_connection(seams, context, size, kept):
    """`kept`: what it has taken by then, it gets."""
    crashes.install()
    asked, over, got = asyncio.Event(), asyncio.Event(), []

    async def deaf(reader, writer):
        got.append(await reader.readexactly(1))
        asked.set()
        await over.wait()
        got.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    async with server, listening(context, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as port:
        _, writer = await connected(port, context)
        (handler,) = context.master.addons.get("proxyserver").connections.values()
        writer.write(b"POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: %d\r\n\r\n" % size + b"a" * size)
        await asyncio.wait_for(asked.wait(), 5)
        (own,) = [io.writer.transport for to, io in handler.transports.items() if to is not handler.client]
        assert (own.get_write_buffer_size() == 0) is kept
        writer.transport.abort()
        await until(lambda: not handler.transports)
        assert own.get_write_buffer_size() == 0
        over.set()
        await until(lambda: len(got) == 2 or not kept)
        assert b"".join(got).endswith(b"a" * size) is kept
