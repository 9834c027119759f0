"""Both sides of one connection over a real socket: windows, ends, resets, and peers that mean no good."""

import asyncio

import pytest
from h2.config import H2Configuration
from h2.errors import ErrorCodes
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from phigate.host.connections.remains import ENDED
from phigate.rpc import framing, link
from phigate.rpc.link import LaneBroken
from tests.rpc.wire import answered, asked, connected, echo, head, raw, served
from tests.stage import until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


async def test_what_is_said_comes_back_in_order_and_in_full():
    big = bytes(range(256)) * 8000  # more than both windows
    async with served(echo) as (_, port), connected(port) as client:
        answer = await asked(client, b"one", big, b"three")
        assert answer.messages == [b"one", big, b"three"]
        assert answer.status == 0
        assert client.lanes == {}


async def test_many_streams_share_a_connection_and_none_waits_for_another():
    async with served(echo) as (_, port), connected(port) as client:
        stuck = client.begin(head())
        await client.flushed()
        answers = await asyncio.gather(*(asked(client, b"%d" % at * 1000) for at in range(50)))
        assert [each.messages[0][:2] for each in answers] == [(b"%d" % at * 2)[:2] for at in range(50)]
        await stuck.send(framing.frame(b"now"), end=True)
        assert (await answered(stuck)).messages == [b"now"]


async def test_nothing_is_sent_that_the_peer_does_not_take():
    sent = []

    async def flood(lane, _address):
        await lane.send_head([(b":status", b"200")])
        while True:
            await lane.send(b"a" * 65_536)
            sent.append(65_536)

    async with served(flood) as (_, port), connected(port) as client:
        lane = client.begin(head(), end=True)
        await lane.headed()
        await asyncio.sleep(0.2)
        assert sum(sent) <= link.WINDOW
        assert len(lane._arrived) <= link.WINDOW
        for _ in range(20):
            await lane.read()
        await until(lambda: sum(sent) > link.WINDOW)


async def test_a_caller_that_takes_nothing_stops_no_others_answer():
    async def much(lane, _address):
        await lane.send_head([(b":status", b"200")])
        await lane.send(b"a" * 300_000)
        await lane.send_head([(b"grpc-status", b"0")], end=True)

    async with served(much) as (_, port), connected(port) as client:
        stalled = [client.begin(head(), end=True) for _ in range(20)]  # more than one connection's window in all
        await client.flushed()
        for lane in stalled:
            await lane.headed()
        data = 0
        lane = client.begin(head(), end=True)
        await client.flushed()
        while piece := await asyncio.wait_for(lane.read(), 5):
            data += len(piece)
        assert data == 300_000


async def test_a_peer_that_takes_nothing_for_too_long_is_left(monkeypatch):
    monkeypatch.setattr(link, "TAKES_NOTHING", 0.1)
    ended = asyncio.get_running_loop().create_future()

    async def flood(lane, _address):
        await lane.send_head([(b":status", b"200")])
        try:
            await lane.send(b"a" * 1_000_000)
        except LaneBroken as error:
            ended.set_result(error.code)

    async with served(flood) as (_, port), connected(port) as client:
        lane = client.begin(head(), end=True)
        await client.flushed()
        assert await asyncio.wait_for(ended, 5) is None
        await until(lambda: lane.broken)
        with pytest.raises(LaneBroken):
            await lane.read()


async def test_a_caller_that_takes_its_call_back_ends_what_answers_it():
    over = asyncio.Event()

    async def wait(lane, _address):
        try:
            await lane.read()
        finally:
            over.set()

    async with served(wait) as (endpoint, port), connected(port) as client:
        lane = client.begin(head())
        await client.flushed()
        await until(lambda: any(each.lanes for each in endpoint._links))
        lane.reset()
        await asyncio.wait_for(over.wait(), 5)
        await until(lambda: not any(each.lanes for each in endpoint._links))


async def test_a_server_that_ends_early_gives_its_status_though_the_rest_is_not_taken():
    async def early(lane, _address):
        await lane.send_head([(b":status", b"200"), (b"grpc-status", b"7")], end=True)

    async with served(early) as (_, port), connected(port) as client:
        lane = client.begin(head())
        await client.flushed()
        await until(lambda: lane.ended)
        with pytest.raises(LaneBroken):
            await lane.send(b"a" * 1_000_000)
        assert dict(await lane.headed())[b"grpc-status"] == b"7"


async def test_a_connection_that_goes_takes_its_streams_along():
    async def wait(lane, _address):
        await lane.read()

    async with served(wait) as (endpoint, port), connected(port) as client:
        lane = client.begin(head())
        await client.flushed()
        await until(lambda: any(each.lanes for each in endpoint._links))
        endpoint.close()
        with pytest.raises(LaneBroken):
            await lane.headed()
        with pytest.raises(LaneBroken):
            client.begin(head())


async def test_one_that_leaves_finishes_what_is_under_way_and_begins_nothing():
    go = asyncio.Event()

    async def slow(lane, address):
        await go.wait()
        await echo(lane, address)

    async with served(slow) as (endpoint, port), connected(port) as client:
        lane = client.begin(head())
        await lane.send(framing.frame(b"a"), end=True)
        await until(lambda: any(each.lanes for each in endpoint._links))
        endpoint.leave()
        await until(lambda: client.closing)
        assert not client.free
        go.set()
        assert (await answered(lane)).messages == [b"a"]
        await until(lambda: not any(each.lanes for each in endpoint._links))
        endpoint.tick()
        await until(lambda: client.gone)


# -- peers that mean no good ----------------------------------------------------------------------------------------


def frame(made, **fields):
    for name, value in fields.items():
        setattr(made, name, value)
    return made.serialize()


def headers(number, block=b"\x83\x86\x84\x41\x01x", *flags):
    return frame(HeadersFrame(number, flags=["END_HEADERS", *flags]), data=block)


SETTINGS = SettingsFrame(0).serialize()
START = PREFACE + SETTINGS
HOSTILE = [
    ("HTTP/1.1", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
    ("noise", b"\xff" * 100),
    ("a frame longer than was agreed", START + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01"),
    ("data of a stream that was never opened", START + frame(DataFrame(5), data=b"a")),
    ("headers of a stream of ours", START + headers(2)),
    ("headers that are no HPACK", START + headers(1, b"\xff\xff\xff\xff\xff")),
    (
        "a head that never ends",
        START + frame(HeadersFrame(1), data=b"\x83") + frame(ContinuationFrame(1), data=b"") * 200,
    ),
    (
        "a head of a megabyte",
        START
        + frame(HeadersFrame(1), data=b"\x40\x01a\x7f\x80\x20" + b"b" * 16_000)
        + frame(ContinuationFrame(1), data=b"b" * 16_000) * 60,
    ),
    (
        "a small head that becomes a large one",
        START + headers(1, b"\x40\x01a\x7f\xf0\x1e" + b"b" * 4079 + b"\xbe" * 2000),
    ),
    ("pings without end", START + frame(PingFrame(0), opaque_data=b"12345678") * 5000),
    ("settings without end", START + SETTINGS * 5000),
    (
        "streams taken back as they are opened",
        START + b"".join(headers(number) + frame(RstStreamFrame(number), error_code=8) for number in range(1, 801, 2)),
    ),
    (
        "data after a stream's end",
        START + headers(1) + frame(RstStreamFrame(1), error_code=8) + frame(DataFrame(1), data=b"") * 25_000,
    ),
    (
        "most of a head that is too large",
        START + frame(HeadersFrame(1), data=b"\x83") + frame(ContinuationFrame(1), data=b"b" * 16_000) * 3,
    ),
    ("more streams than may be open", START + b"".join(headers(number) for number in range(1, 2 * link.LANES + 10, 2))),
    ("a window that grows too far", START + frame(WindowUpdateFrame(0), window_increment=2**31 - 1)),
]


@pytest.mark.parametrize(("sentence", "data"), HOSTILE, ids=[case[0] for case in HOSTILE])
async def test_a_peer_that_means_no_good_is_left_and_others_are_not(sentence, data):
    async def patient(lane, _address):
        await lane.read()

    answers = [patient]

    async def answer(lane, address):
        await answers[-1](lane, address)

    async with served(answer) as (endpoint, port):
        async with raw(port) as (reader, writer):
            writer.write(data)
            await asyncio.wait_for(_swallowed(reader), 10)
        await until(lambda: not endpoint._links)
        answers.append(echo)
        async with connected(port) as client:
            assert (await asked(client, b"a")).messages == [b"a"]


async def _swallowed(reader):
    """Everything until the other side closes."""
    try:
        while await reader.read(65_536):
            pass
    except ConnectionError:
        pass


async def test_a_peer_that_never_says_who_it_is_is_left():
    now = [0.0]

    async with served(echo) as (endpoint, port), raw(port) as (reader, _):
        await until(lambda: endpoint._links)
        (only,) = endpoint._links
        only._clock = lambda: now[0]
        only._since = 0.0
        now[0] = link.GREETING + 1
        endpoint.tick()
        await asyncio.wait_for(_swallowed(reader), 5)


IDLE = [("nobody was believed on", False, link.IDLE / 5 + 1), ("somebody was", True, link.IDLE + 1)]


@pytest.mark.parametrize(("sentence", "believed", "seconds"), IDLE, ids=[case[0] for case in IDLE])
async def test_a_connection_without_a_stream_is_not_kept(sentence, believed, seconds):
    async with served(echo) as (endpoint, port), connected(port) as client:
        await client.greeted.wait()
        await until(lambda: endpoint._links and next(iter(endpoint._links)).greeted.is_set())
        (only,) = endpoint._links
        only.believed = believed
        only._busy -= seconds - 2
        endpoint.tick()
        await asyncio.sleep(0.05)
        assert not client.gone
        only._busy -= 2
        endpoint.tick()
        await until(lambda: client.gone)


async def test_a_peer_that_went_without_a_word_is_noticed():
    async def wait(lane, _address):
        await lane.read()

    async with served(wait) as (endpoint, port), connected(port) as client:
        client.begin(head())
        await client.flushed()
        await until(lambda: any(each.lanes for each in endpoint._links))
        (only,) = endpoint._links
        only._heard -= link.PING_AFTER + 1
        endpoint.tick()
        assert only._asked
        await until(lambda: not only._asked)  # it is there
        only._asked = only._clock() - link.PING_WAIT - 1
        endpoint.tick()
        await until(lambda: client.gone)


async def test_a_goaway_of_the_peers_does_not_end_what_it_still_answers():
    go = asyncio.Event()

    async def slow(lane, address):
        lane.link.leave(ErrorCodes.NO_ERROR)
        await go.wait()
        await echo(lane, address)

    async with served(slow) as (_, port), connected(port) as client:
        lane = client.begin(head())
        await lane.send(framing.frame(b"a"), end=True)
        await until(lambda: client.closing)
        go.set()
        assert (await answered(lane)).messages == [b"a"]


async def test_streams_that_the_peer_will_not_begin_are_broken_off():
    async with served(echo) as (_, port), connected(port) as client:
        lane = client.begin(head())
        client._take(frame(GoAwayFrame(0), last_stream_id=0, error_code=0))
        with pytest.raises(LaneBroken) as error:
            await lane.headed()
        assert error.value.code == ErrorCodes.REFUSED_STREAM


async def talking(port, endpoint, count):
    """The connection of a peer, before it says `count` times next to nothing and once that was read or ended it."""
    async with raw(port) as (_, writer):
        writer.write(PREFACE + SettingsFrame().serialize())
        await until(lambda: endpoint._links)
        (served_link,) = endpoint._links
        yield served_link
        writer.write(WindowUpdateFrame(0, window_increment=1).serialize() * count)
        await until(lambda: served_link.gone or served_link._h2.small > count)
        yield served_link


async def test_whoever_was_not_believed_may_say_less_of_nothing():
    async with served(echo) as (endpoint, port):
        *_, stranger = [each async for each in talking(port, endpoint, link.STRANGERS_TALK + 10)]
        assert stranger.gone


async def test_others_have_their_turn_between_many_small_frames():
    turns = 0

    async def turning():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with served(echo) as (endpoint, port):
        peer = talking(port, endpoint, link.STRANGERS_TALK + 10)
        known = await anext(peer)
        known.believed = True
        seen = []
        take = known._take

        def noted(data):
            seen.append((turns, len(data)))
            take(data)

        known._take = noted
        task = asyncio.create_task(turning())
        assert not (await anext(peer)).gone
        task.cancel()
        await peer.aclose()
    assert len({turn for turn, _ in seen}) > 5
    assert max(size for _, size in seen) <= link.SLICE


def test_of_streams_that_ended_a_connection_knows_the_last_ones():
    connection = link.Connection(H2Configuration(client_side=False))
    for number in range(ENDED + 50):
        connection._closed_streams[2 * number + 1] = None
    assert len(connection._closed_streams) == ENDED
