"""Options and commands are locked, and whoever takes the gateway away takes the connections with it."""

import asyncio
import os
import threading
from types import SimpleNamespace

import pytest
from mitmproxy import exceptions
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.test import tflow

from model_server import Answer, ModelServer
from phigate.clock import SETTLED
from phigate.host import lockdown, options
from phigate.host.connections import lasting
from tests.stage import connected, listening, mitmproxy, until

REVERSE = ["reverse:http://127.0.0.1:9"]

# -- before it starts -----------------------------------------------------------------------------------------------


def test_what_must_be_forced_is_forced(context):
    context.options.update(connection_strategy="eager", rawtcp=True, keep_host_header=True)
    lockdown.settle(context.master)
    for name, value in options.FORCED.items():
        assert getattr(context.options, name) == value, name


def test_bounds_are_set_where_the_operator_set_none(context):
    lockdown.settle(context.master)
    assert context.options.body_size_limit == options.DEFAULTS["body_size_limit"]
    context.options.body_size_limit = "1m"
    lockdown.settle(context.master)
    assert context.options.body_size_limit == "1m"


async def test_a_model_that_takes_its_time_costs_its_caller_no_connection(context):
    """mitmproxy ends what is quiet for ten minutes; an answer may take an hour, and a WebSocket be quiet for longer."""
    lockdown.settle(context.master)
    connection = SimpleNamespace(on_timeout=None)
    ConnectionHandler.__init__(connection, Context(tflow.tclient_conn(), context.options))
    assert connection.timeout_watchdog.timeout > max(lasting.LONGEST, SETTLED)


def test_why_it_may_not_run_is_told_in_full():
    with mitmproxy(mode=["regular"], ssl_insecure=True) as context:
        found = lockdown.settle(context.master)
    assert any("mode `regular`" in fault for fault in found)
    assert any("`ssl_insecure`" in fault for fault in found)
    assert any("one script" in fault for fault in found)


# -- while it runs --------------------------------------------------------------------------------------------------


@pytest.fixture
def locked(context):
    context.options.update(mode=REVERSE)
    lockdown.settle(context.master)
    lockdown.lock(context.master)
    return context.master


WAYS = [
    ("update", lambda options: options.update(mode=["regular"])),
    ("an attribute", lambda options: setattr(options, "mode", ["regular"])),
    ("a specification", lambda options: options.set("mode=regular")),
    ("a deferred specification", lambda options: options.set("mode=regular", defer=True)),
    ("known ones", lambda options: options.update_known(mode=["regular"])),
    ("deferred ones", lambda options: options.update_defer(mode=["regular"])),
    ("a setter", lambda options: options.setter("mode")(["regular"])),
    ("a toggler", lambda options: options.toggler("rawtcp")()),
    ("all at once", lambda options: options.reset()),
]


@pytest.mark.parametrize(("sentence", "way"), WAYS, ids=[case[0] for case in WAYS])
def test_a_locked_option_cannot_be_set_by(locked, sentence, way):
    with pytest.raises(exceptions.OptionsError, match="locked"):
        way(locked.options)
    assert locked.options.mode == REVERSE
    assert locked.options.rawtcp is False


def test_one_locked_option_among_others_stops_them_all(locked):
    with pytest.raises(exceptions.OptionsError):
        locked.options.update(showhost=True, server=False)
    assert locked.options.showhost is False


def test_how_shadows_are_displayed_may_change(locked):
    locked.options.showhost = True
    assert locked.options.showhost is True


def test_setting_what_stands_changes_nothing_and_is_let_pass(locked):
    locked.options.update(mode=REVERSE)


@pytest.mark.parametrize(
    "command", ["script.run", "replay.client", "replay.server", "options.reset", "inject.websocket"]
)
def test_a_locked_command_cannot_be_given(locked, command):
    for give in (locked.commands.call, locked.commands.execute, lambda name: locked.commands.call_strings(name, [])):
        with pytest.raises(exceptions.CommandError, match="locked"):
            give(command)


def test_a_command_over_shadows_can(locked):
    assert locked.commands.execute("proxyserver.active_connections") == 0


async def test_no_flow_can_be_loaded(locked):
    with pytest.raises(exceptions.CommandError, match="cannot be loaded"):
        await locked.load_flow(tflow.tflow(resp=True))


def test_what_was_tried_is_logged_without_its_value(locked, caplog):
    with pytest.raises(exceptions.OptionsError):
        locked.options.update(mode=["reverse:http://quartermaine:1"])
    assert "option `mode`" in caplog.text
    assert "quartermaine" not in caplog.text


# -- connections ----------------------------------------------------------------------------------------------------

REQUEST = b"GET / HTTP/1.1\r\nhost: gateway\r\n\r\n"


async def test_closed_doors_let_nobody_in_and_whoever_is_in_stays(context):
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        lockdown.close_doors(context.master)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        writer.close()


async def test_cut_connections_are_at_their_end(context):
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        lockdown.cut_connections(context.master)
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


def flow_of(context):
    """A flow on the one connection that there is."""
    (handler,) = context.master.addons.get("proxyserver").connections.values()
    server = next((each for each in handler.transports if each is not handler.client), None)
    return tflow.tflow(client_conn=handler.client, server_conn=server)


async def test_cutting_a_flow_ends_its_connection_at_once(context):
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        lockdown.cut_flow(context.master, flow_of(context))
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_cutting_an_upstream_ends_what_it_was_answering(context):
    held = threading.Event()
    with ModelServer() as model:
        model.script = Answer([held])
        async with listening(context, model.url) as port:
            reader, writer = await connected(port, context)
            writer.write(REQUEST)
            await asyncio.to_thread(model.wait_for, 1)
            lockdown.cut_upstream(context.master, flow_of(context))
            answer = await asyncio.wait_for(reader.read(), 2)
            assert answer.startswith(b"HTTP/1.1 502 ")
            writer.close()
        held.set()


async def test_an_upstream_is_cut_while_what_came_from_it_waits_for_its_turn(context):
    answered, held = threading.Event(), threading.Event()
    with ModelServer() as model:
        model.script = Answer([answered, b"data", held])
        async with listening(context, model.url) as port:
            reader, writer = await connected(port, context)
            writer.write(REQUEST)
            await asyncio.to_thread(model.wait_for, 1)
            (connection,) = context.master.addons.get("proxyserver").connections.values()
            turn = connection._server_event_lock
            async with turn:
                answered.set()
                await until(lambda: turn._waiters)
                lockdown.cut_upstream(context.master, flow_of(context))
            answer = await asyncio.wait_for(reader.read(), 2)
            assert answer.startswith(b"HTTP/1.1 502 ")
            writer.close()
        held.set()


@pytest.mark.parametrize("cut", [lockdown.cut_flow, lockdown.cut_upstream])
def test_a_flow_whose_connection_is_gone_has_nothing_to_cut(context, cut):
    cut(context.master, tflow.tflow())


async def test_slamming_shuts_everything_and_ends_the_process_should_the_loop_not(context, monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(lockdown, "_HARD_EXIT_SECONDS", 0.05)
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        lockdown.slam(context.master)
        assert await asyncio.wait_for(reader.read(), 2) == b""
        assert context.master.should_exit.is_set()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: ended)
        assert ended == [1]
        writer.close()
