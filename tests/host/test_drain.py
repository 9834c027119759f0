"""SIGTERM drains: nobody new comes in, who is under way may finish, and then everybody goes."""

import asyncio
import time

import pytest
from mitmproxy.test import tflow

from phigate import flows
from phigate.host import drain
from phigate.host.drain import Drain
from phigate.house import House
from tests.stage import connected, listening


async def drained(context, house):
    """Seconds that it took."""
    began = time.monotonic()
    await Drain(context.master, house).done()
    return time.monotonic() - began


async def test_with_nobody_under_way_it_is_over_at_once(context):
    house = House()
    async with listening(context) as port:
        assert await drained(context, house) < 0.5
        assert house.leaving
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_an_idle_connection_is_cut(context):
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        await drained(context, House())
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()


async def test_it_waits_for_who_is_under_way(context):
    house = House()
    house.under_way.add("ex-1")
    asyncio.get_running_loop().call_later(0.2, house.under_way.clear)
    assert 0.15 < await drained(context, house) < drain.LIMIT / 2


async def test_it_does_not_wait_for_ever(context, monkeypatch):
    monkeypatch.setattr(drain, "LIMIT", 0.1)
    house = House()
    house.under_way.add("ex-1")
    assert 0.1 <= await drained(context, house) < 2


async def test_it_leaves_before_it_waits_so_that_nothing_new_is_decided(context):
    house, seen = House(), []
    house.under_way.add("ex-1")

    def look():
        seen.append(house.leaving)
        house.under_way.clear()

    asyncio.get_running_loop().call_later(0.05, look)
    await drained(context, house)
    assert seen == [True]


async def test_others_part_once_nobody_is_served_any_more(context):
    house, seen = House(), []

    async def part():
        seen.append(house.leaving)

    house.partings.append(part)
    await drained(context, house)
    assert seen == [True]


async def test_open_connections_are_told_to_close(context, monkeypatch):
    closed, house = [], House()
    monkeypatch.setattr(drain.sockets, "close", lambda _master, flow, code: closed.append((flow, code)))
    flow, other = tflow.twebsocketflow(), tflow.tflow()
    flow.websocket.timestamp_end = None
    flows.enter(flow).opened = True
    flows.enter(other)
    house.contacted = {"ex-1": flow, "ex-2": other}
    await drained(context, house)
    assert closed == [(flow, 1001)]
