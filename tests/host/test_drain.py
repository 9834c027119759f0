"""SIGTERM drains: nobody new comes in, who is under way may finish, and then everybody goes."""

import asyncio
import signal
import time

import pytest
from mitmproxy.test import tflow

from phigate import flows
from phigate.host import drain
from phigate.host.drain import Drain
from phigate.house import House
from tests.stage import connected, listening, until


@pytest.fixture(autouse=True)
async def _signals():
    """They mean again what they did."""
    yield
    for number in drain.SIGNALS:
        asyncio.get_running_loop().remove_signal_handler(number)


async def drained(context, house, **times):
    """Seconds that it took."""
    began = time.monotonic()
    await Drain(context.master, house, **times).done()
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


async def test_it_does_not_wait_for_ever(context):
    house = House()
    house.under_way.add("ex-1")
    assert 0.1 <= await drained(context, house, within=0.1) < 2


async def test_it_says_that_it_leaves_before_it_does(context):
    house, seen = House(), []
    leaver = Drain(context.master, house, after=0.2)
    assert leaver.remarks() == {}
    asyncio.get_running_loop().call_later(0.1, lambda: seen.append((house.announced, house.leaving)))
    async with listening(context) as port:
        leaving = asyncio.create_task(leaver.done())
        await until(lambda: house.announced)
        _, writer = await connected(port, context)
        writer.close()
        assert leaver.remarks() == {"gateway": "leaving: 0 exchanges are under way"}
        await leaving
    assert seen == [(True, False)]
    assert house.leaving


async def test_signals_of_one_moment_are_one(context, monkeypatch):
    house, codes = House(), []
    monkeypatch.setattr(drain.os, "_exit", codes.append)
    house.under_way.add("ex-1")
    leaving = asyncio.create_task(drained(context, house, within=0.3))
    await until(lambda: house.leaving)
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.raise_signal(number)
        await asyncio.sleep(0.05)
    assert await leaving >= 0.3
    assert codes == []


async def test_a_second_signal_ends_the_wait_and_a_third_the_process(context, monkeypatch):
    house, codes = House(), []
    monkeypatch.setattr(drain.os, "_exit", codes.append)
    monkeypatch.setattr(drain, "MOMENT", 0.0)
    house.under_way.add("ex-1")
    leaving = asyncio.create_task(drained(context, house, after=60, within=60))
    await until(lambda: house.announced)
    signal.raise_signal(signal.SIGTERM)
    assert await leaving < 10
    signal.raise_signal(signal.SIGINT)
    await until(lambda: codes)
    assert codes == [1]


async def test_what_is_cut_off_is_called_so_and_waited_for_until_it_is_on_record(context):
    house, flow, other = House(), tflow.tflow(), tflow.tflow()
    passage, ended = flows.enter(flow), flows.enter(other)
    ended.outcome = "unmaskable"
    house.contacted = {"ex-1": flow, "ex-2": other}
    asyncio.get_running_loop().call_later(0.2, house.contacted.clear)
    assert 0.15 < await drained(context, house) < drain.PART
    assert (passage.outcome, ended.outcome) == ("interrupted", "unmaskable")


async def test_the_end_of_its_terminal_is_told_to_it_unless_that_is_ignored(context, monkeypatch):
    told = []
    monkeypatch.setattr(context.master, "shutdown", lambda: told.append("shutdown"))
    for was, expected in ((signal.SIG_IGN, []), (signal.SIG_DFL, ["shutdown"])):
        signal.signal(signal.SIGHUP, was)
        try:
            Drain(context.master, House()).running()
            signal.raise_signal(signal.SIGHUP)
            await asyncio.sleep(0.05)
        finally:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        assert told == expected


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
