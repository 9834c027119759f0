"""mitmproxy's own connections, kept and ended by the rules; a clock of the test's own."""

import asyncio
import contextlib
import resource

import pytest
from mitmproxy.test import tflow

from phigate import metrics
from phigate.host.connections import doors, patience
from phigate.host.connections.doors import DoorFault, Doors, affordable, network, number
from tests.stage import connected, listening, until

HALF = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n"


class Gate:
    """What the gate tells of connections, as an addon."""

    def __init__(self, own):
        self.own, self.flows = own, []

    def client_connected(self, client):
        self.own.arrived(client)

    def client_disconnected(self, client):
        self.own.left(client)

    def requestheaders(self, flow):
        self.flows.append(flow)
        self.own.asked(flow.client_conn, "ex", streams=False)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def ended(why):
    return metrics.REGISTRY.get_sample_value("phigate_connections_ended_total", {"why": why}) or 0


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def own(clock, context, monkeypatch):
    monkeypatch.setattr(doors.talk, "flooded", [])
    made = Doors(clock)
    made.open(context.master, 3, 2)
    context.master.addons.add(Gate(made))
    return made


async def closed(reader):
    return await asyncio.wait_for(reader.read(), 2)


async def test_half_a_head_is_closed_when_its_time_is_over_without_a_word(own, clock, context):
    before = ended("slow-head")
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        writer.write(HALF)
        await until(lambda: own.hall.peers and next(iter(own.hall.peers.values())).came)
        clock.now = patience.HEAD
        own.hall.tick(clock.now, 10)
        assert await closed(reader) == b""
        assert ended("slow-head") == before + 1
        writer.close()


async def test_a_slow_body_is_told_so(own, clock, context):
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        writer.write(HALF + b"Content-Length: 10\r\n\r\nabc")
        await until(lambda: own.hall.peers and next(iter(own.hall.peers.values())).bodies)
        clock.now = patience.BODY
        own.hall.tick(clock.now, 10)
        answer = await closed(reader)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"phi-reason: too-slow" in answer
        writer.close()


async def test_whoever_goes_is_forgotten(own, context):
    async with listening(context) as port:
        _, writer = await connected(port, context)
        (peer,) = own.hall.peers.values()
        (handler,) = context.master.addons.get("proxyserver").connections.values()
        io = handler.transports[handler.client]
        assert "write" in vars(io.writer)
        assert "feed_data" in vars(io.reader)
        writer.close()
        await until(lambda: not own._deaf)
        assert own.hall.peers == {}
        assert "write" not in vars(io.writer)
        assert "feed_data" not in vars(io.reader)
        assert peer.waiting() == 0


async def test_the_stranger_that_came_first_makes_room(own, context):
    before = ended("crowd")
    async with listening(context) as port:
        first, *others = [await connected(port, context) for _ in range(3)]
        assert await closed(first[0]) == b""
        assert ended("crowd") == before + 1
        for _, writer in [first, *others]:
            writer.close()


async def test_where_there_is_no_room_nobody_is_let_in(own, context):
    async with listening(context) as port:
        kept = [await connected(port, context) for _ in range(2)]
        await until(lambda: len(own.hall.peers) == 2)
        for peer in own.hall.peers.values():
            peer.under_way.add("ex")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await closed(reader) == b""
        assert len(own.hall.peers) == 2
        for _, each in [*kept, (reader, writer)]:
            each.close()


async def test_nobody_is_let_in_whom_nobody_could_watch(own, context, monkeypatch):
    monkeypatch.setattr(own, "_handler", lambda _name: None)  # as if mitmproxy kept its connections elsewhere
    async with listening(context) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await closed(reader) == b""
        writer.close()


async def test_what_a_caller_does_not_take_is_seen_and_ends_it(own, clock, context):
    async with listening(context) as port:
        _, writer = await connected(port, context)
        await until(lambda: own.hall.peers)
        (peer,) = own.hall.peers.values()
        (handler,) = context.master.addons.get("proxyserver").connections.values()
        theirs = handler.transports[handler.client].writer
        assert (peer.waiting(), peer.taken()) == (0, 0)
        theirs.write(b"a" * 20_000_000)
        assert peer.waiting() > 1_000_000
        assert peer.waiting() + peer.taken() == 20_000_000
        own.asked(handler.client, "ex", streams=False)
        own.whole(handler.client, "ex", 0)
        for clock.now in range(0, 200, 5):
            own.hall.tick(clock.now, 10)
        await until(lambda: not context.master.addons.get("proxyserver").connections)
        writer.close()


@contextlib.asynccontextmanager
async def unread(own, context):
    """A connection with 20 MB on their way to a caller that takes none of them; its peer, and where they wait."""
    async with listening(context) as port:
        _, writer = await connected(port, context)
        await until(lambda: own.hall.peers)
        (peer,) = own.hall.peers.values()
        (handler,) = context.master.addons.get("proxyserver").connections.values()
        io = handler.transports[handler.client]
        io.writer.write(b"a" * 20_000_000)
        yield peer, io
        writer.transport.abort()


@contextlib.asynccontextmanager
async def closed_unread(own, context):
    """Such a connection, which was closed."""
    async with unread(own, context) as (peer, io):
        io.handler.cancel("its answer is over")
        await until(lambda: not own._deaf)
        yield peer, io


async def test_what_was_closed_has_its_place_while_it_takes_what_it_was_sent(own, clock, context):
    async with closed_unread(own, context) as (peer, io):
        assert own.hall.peers == {peer.name: peer}
        for clock.now in range(0, int(patience.TAKES_NOTHING), 5):
            own.hall.tick(clock.now, 10)
        assert peer.waiting() == io.writer.transport.get_write_buffer_size() > 0


async def test_what_was_closed_and_takes_nothing_is_dropped(own, clock, context):
    before = ended("takes-nothing")
    async with closed_unread(own, context) as (_, io):
        for clock.now in range(0, 200, 5):
            own.hall.tick(clock.now, 10)
        assert (own.hall.peers, io.writer.transport.get_write_buffer_size()) == ({}, 0)
        assert ended("takes-nothing") == before + 1


@pytest.mark.parametrize("kind", [unread, closed_unread])
async def test_whoever_makes_room_keeps_nothing(own, context, kind):
    async with kind(own, context) as (_, io):
        own.hall.most = 1
        assert own.hall.arrive("another", "203.0.113.8", 0.0) is not None
        assert io.writer.transport.get_write_buffer_size() == 0


async def test_what_was_closed_and_took_everything_is_forgotten(own, clock, context):
    async with closed_unread(own, context) as (_, io):
        io.writer.transport.abort()  # as if it had
        clock.now = 2 * patience.LOOK
        own.hall.tick(clock.now, 10)
        assert own.hall.peers == {}


async def test_it_looks_again_and_again_and_says_how_many_there_are(own, clock, context, monkeypatch):
    monkeypatch.setattr(doors, "TICK", 0.01)
    watching = asyncio.create_task(own.watch())
    async with listening(context) as port:
        reader, writer = await connected(port, context)
        await until(lambda: own.hall.peers)
        (peer,) = own.hall.peers
        count = lambda state: metrics.REGISTRY.get_sample_value("phigate_connections", {"state": state})  # noqa: E731
        await until(lambda: count("strangers") == 1)
        (client,) = [each.client for each in context.master.addons.get("proxyserver").connections.values()]
        own.believe(client)
        await until(lambda: (count("strangers"), count("believed")) == (0, 1))
        own.asked(client, "ex", streams=False)
        own.over(client, "ex")
        clock.now = patience.IDLE
        assert await closed(reader) == b""
        assert peer not in own.hall.peers
        writer.close()
    watching.cancel()


async def test_a_look_that_fails_is_not_the_last_one(own, clock, context, monkeypatch, caplog):
    monkeypatch.setattr(doors, "TICK", 0.01)
    async with listening(context) as port:
        _, writer = await connected(port, context)
        await until(lambda: own.hall.peers)
        (peer,) = own.hall.peers.values()
        waiting, peer.waiting = peer.waiting, None
        clock.now = patience.HEAD
        watching = asyncio.create_task(own.watch())
        await until(lambda: "a look at connections failed (TypeError at connections/patience.py" in caplog.text)
        peer.waiting = waiting
        clock.now += patience.LOOK + 1
        await until(lambda: not context.master.addons.get("proxyserver").connections)
        writer.close()
    watching.cancel()


def test_before_it_is_opened_it_knows_of_nobody(context):
    client = tflow.tclient_conn()
    own = Doors()
    own.arrived(client)
    own.asked(client, "ex", streams=False)
    own.over(client, "ex")
    assert client.error is None


def test_as_many_files_may_be_open_as_the_system_lets(monkeypatch):
    asked = []
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: asked.append(limits))
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    doors.descriptors()
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, resource.RLIM_INFINITY))
    doors.descriptors()
    assert asked == [(4096, 4096), (65_536, resource.RLIM_INFINITY)]


def test_some_files_are_kept_for_model_servers_and_ourselves():
    assert [affordable(files) for files in (16, 1024, 20_000)] == [64, 640, 14_872]


NETWORKS = [
    ("10.0.0.1", "10.0.0.1"),
    ("::ffff:10.0.0.1", "10.0.0.1"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
    ("fe80::1%eth0", "fe80::"),
    ("", ""),
]


@pytest.mark.parametrize(("address", "whose"), NETWORKS)
def test_of_ipv6_one_subscriber_has_many_addresses(address, whose):
    assert network(address) == whose


def test_a_number_of_connections():
    assert number("phi_connections", "16384") == 16384
    for text in ("", "0", "-1", "1k", "1000001", "٣", "1.5"):
        with pytest.raises(DoorFault, match="option `phi_connections`: must be a number"):
            number("phi_connections", text)


def test_at_another_port_a_connection_has_its_place_and_keeps_its_own_time(own, clock):
    gone = []
    first, second = (own.guest("192.0.2.1", lambda at=at: gone.append(at)) for at in range(2))
    clock.now = 10_000.0
    own.hall.tick(clock.now, 10)
    assert gone == []
    first.asks("1")
    first.believe()
    third = own.guest("192.0.2.1", lambda: gone.append(2))
    fourth = own.guest("192.0.2.1", lambda: gone.append(3))
    assert gone == [1]
    for each in (second, third, fourth):
        each.leave()
    first.over("1")
    before = ended("crowd")
    own.hall.most = 1
    for which in (4, 5):  # whoever is idle, then a stranger
        assert own.guest("192.0.2.8", lambda at=which: gone.append(at)) is not None
    assert gone == [1, 0, 4]
    assert ended("crowd") == before + 2
    assert len(own._guests) == 1


def test_where_everybody_is_at_work_another_port_lets_nobody_in(own):
    own.hall.most = 1
    only = own.guest("192.0.2.1", lambda: None)
    only.asks("1")
    only.believe()
    before = ended("crowd")
    assert own.guest("192.0.2.2", lambda: None) is None
    assert ended("crowd") == before + 1
    only.over("1")
    only.leave()
    assert own.guest("192.0.2.2", lambda: None) is not None
