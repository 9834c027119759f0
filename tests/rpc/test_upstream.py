"""Connections to model servers: shared, opened again, and given up where there is none."""

import asyncio
import socket

import pytest

from phigate.rpc.endpoint import tls
from phigate.rpc.framing import frame
from phigate.rpc.link import LaneBroken
from phigate.rpc.upstream import Address, Unreachable, Upstreams
from tests.grpc_peer import certificate
from tests.rpc.wire import answered, echo, head, served
from tests.stage import until


def at(port, scheme="grpc", host="127.0.0.1"):
    return Address(scheme, host, port)


@pytest.fixture
async def upstreams():
    made = Upstreams()
    yield made
    made.close()
    await until(lambda: not made._tasks)


async def once(upstreams, address, message=b"a"):
    lane = await upstreams.begin(address, head())
    await lane.send(frame(message), end=True)
    return (await answered(lane)).messages


async def test_calls_share_a_connection_and_many_at_once_open_but_one(upstreams):
    async with served(echo) as (endpoint, port):
        said = await asyncio.gather(*(once(upstreams, at(port), b"%d" % number) for number in range(20)))
        assert said == [[b"%d" % number] for number in range(20)]
        assert len(endpoint._links) == 1


async def test_where_one_takes_no_more_another_is_opened(upstreams, monkeypatch):
    monkeypatch.setattr("phigate.rpc.link.LANES", 2)
    async with served(echo) as (endpoint, port):
        lanes = [await upstreams.begin(at(port), head()) for _ in range(5)]
        assert len(endpoint._links) == 3
        for lane in lanes:
            lane.reset()


async def test_after_a_connection_went_the_next_call_opens_one(upstreams):
    async with served(echo) as (endpoint, port):
        assert await once(upstreams, at(port)) == [b"a"]
        for link in list(endpoint._links):
            link.close()
        await until(lambda: not endpoint._links)
        assert await once(upstreams, at(port)) == [b"a"]
        upstreams.tick()
        assert [len(links) for links in upstreams._links.values()] == [1]


async def test_nobody_there_is_unreachable(upstreams):
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    with pytest.raises(Unreachable):
        await upstreams.begin(at(port), head())


async def test_a_server_that_says_nothing_is_unreachable_in_time():
    upstreams = Upstreams(connect=0.1)
    with socket.create_server(("127.0.0.1", 0)) as bound, pytest.raises(Unreachable):
        await upstreams.begin(at(bound.getsockname()[1]), head())
    upstreams.close()
    await until(lambda: not upstreams._tasks)


async def test_all_who_wait_for_a_connection_are_told_together_that_there_is_none():
    """One after the other each would wait as long again."""
    upstreams, loop = Upstreams(connect=0.3), asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as bound:
        began, address = loop.time(), at(bound.getsockname()[1])
        told = await asyncio.gather(*(upstreams.begin(address, head()) for _ in range(20)), return_exceptions=True)
        assert {type(each) for each in told} == {Unreachable}
        assert loop.time() - began < 3
        assert not any(link.free for link in upstreams._links.get(address, ()))
    upstreams.close()
    await until(lambda: not upstreams._tasks)


async def test_a_server_that_speaks_something_else_is_unreachable_at_once(upstreams):
    async def other(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    async with server, asyncio.timeout(5):
        with pytest.raises(Unreachable):
            await upstreams.begin(at(server.sockets[0].getsockname()[1]), head())


async def test_tls_is_checked_against_those_who_are_trusted(upstreams, tmp_path):
    cert, key = certificate(tmp_path)
    async with served(echo, tls(str(cert), str(key))) as (_, port):
        with pytest.raises(Unreachable):  # signed by nobody whom this machine knows
            await upstreams.begin(at(port, "grpcs", "localhost"), head())
        trusting = Upstreams(str(cert))
        assert await once(trusting, at(port, "grpcs", "localhost")) == [b"a"]
        trusting.close()
        await until(lambda: not trusting._tasks)


async def test_a_server_that_ends_breaks_its_calls_off(upstreams):
    async def wait(lane, _address):
        await lane.read()

    async with served(wait) as (endpoint, port):
        lane = await upstreams.begin(at(port), head())
        endpoint.close()
        with pytest.raises(LaneBroken):
            await lane.headed()
