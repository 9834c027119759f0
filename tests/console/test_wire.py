"""The console's connections over loopback: bounded, each in its turn, none of them for ever."""

import asyncio
import contextlib
import socket
from functools import partial

import h11
import pytest
import uvicorn
from uvicorn.server import ServerState

from phigate.console import fair, wire
from phigate.console.wire import Share, Wire
from tests.stage import until

HOST = "127.0.0.1"
ASKED = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"


class App:
    """Answers with the path; `/wait` waits until it is let go, `/break` breaks, `/body` answers with the body."""

    def __init__(self):
        self.seen, self.go, self.waiting, self.ended = [], asyncio.Event(), 0, []

    async def __call__(self, scope, receive, send):
        self.seen.append(scope["path"])
        said = scope["path"].encode()
        if said == b"/wait":
            self.waiting += 1
            try:
                await asyncio.wait_for(self.go.wait(), 5)
            finally:
                self.ended.append(said)
        if said == b"/break":
            raise RuntimeError("Quartermaine")
        if said == b"/body":
            said = b""
            while (message := await receive()).get("more_body"):
                said += message["body"]
            said += message["body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
        await send({"type": "http.response.body", "body": said})


@pytest.fixture
async def here():
    """(share, app, a function that opens a connection)."""
    share, app, opened = Share(), App(), []
    config = uvicorn.Config(app, log_config=None, access_log=False, log_level="critical", lifespan="off", ws="none")
    config.load()
    made = partial(Wire, share, config=config, server_state=ServerState(), app_state={})
    server = await asyncio.get_running_loop().create_server(made, HOST, 0)

    async def connect():
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        opened.append(writer)
        return reader, writer

    yield share, app, connect
    app.go.set()
    for writer in opened:
        writer.close()
    await until(lambda: len(share.places) == 0)
    server.close()


async def answer(reader, length):
    """The body of an answer, and that it was one."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 200")
    return await asyncio.wait_for(reader.readexactly(length), 5)


async def cut(reader):
    """Whether the connection ends without another word."""
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(), 5) == b""
    return True


async def test_pipelined_requests_are_answered_in_their_order(here):
    _, app, connect = here
    reader, writer = await connect()
    writer.write(b"".join(ASKED % number for number in range(5)))
    assert [await answer(reader, 2) for _ in range(5)] == [b"/0", b"/1", b"/2", b"/3", b"/4"]
    writer.write(ASKED % 5)
    assert await answer(reader, 2) == b"/5"
    assert len(app.seen) == 6


async def test_an_answer_is_sent_at_once_though_it_is_written_in_two_steps(here):
    share, _, connect = here
    await connect()
    await until(lambda: len(share.places) == 1)
    (made,) = share.places._of[HOST]
    assert made.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_request_in_pieces_is_read_whole(here):
    _, _, connect = here
    reader, writer = await connect()
    for piece in (
        b"POST /body HTTP/1.1\r\nHo",
        b"st: a\r\nContent-Length: 200000\r\n\r\n",
        b"x" * 120000,
        b"x" * 80000,
    ):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)
    assert await answer(reader, 200000) == b"x" * 200000


async def test_while_the_console_rests_nothing_is_taken(here):
    share, app, connect = here
    reader, writer = await connect()
    share.turns.charge(60.0)
    writer.write(ASKED % 1)
    await asyncio.sleep(fair.LONGEST / 3)
    assert app.seen == []
    assert await answer(reader, 2) == b"/1"


async def test_work_is_charged_for_and_waiting_is_not(here):
    share, app, connect = here
    reader, writer = await connect()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: app.waiting)
    assert share.turns._free > 0
    await until(lambda: not share.turns.rest())
    app.go.set()
    assert await answer(reader, 5) == b"/wait"


async def test_an_address_has_its_places_and_whoever_is_above_is_cut_off(here, monkeypatch):
    monkeypatch.setattr(fair, "EACH", 2)
    share, app, connect = here
    working = [await connect(), await connect()]
    for _, writer in working:
        writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: app.waiting == 2)
    third, _ = await connect()
    assert await cut(third)
    app.go.set()
    for reader, _ in working:
        assert await answer(reader, 5) == b"/wait"
    assert len(share.places) == 2


STALLED = [
    ("say nothing", b"", 0.0),
    ("send half a head", b"GET / HTTP/1.1\r\nHo", 0.0),
    ("send half a body", b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", 0.0),
    ("ask for nothing more", ASKED % 1, 0.0),
    ("have sent a little while others have their turns", b"GET / HTTP/1.1\r\nHo", wire.HURRY),
]


@pytest.mark.parametrize(("sentence", "sent", "waited"), STALLED, ids=[case[0] for case in STALLED])
async def test_nobody_is_kept_out_by_those_of_their_address_who(here, monkeypatch, sentence, sent, waited):
    monkeypatch.setattr(fair, "EACH", 2)
    share, _, connect = here
    slow = [await connect(), await connect()]
    await until(lambda: len(share.places) == 2)
    made = list(share.places._of[HOST])
    for _, writer in slow:
        writer.write(sent)
    await asyncio.sleep(0.05)
    for each in made if waited else ():
        each._held += b"x"  # its turn does not come
        assert each.late(share.now()) is None
        each._since -= waited
    made[1]._since -= 5
    reader, writer = await connect()
    writer.write(ASKED % 7)
    assert await answer(reader, 2) == b"/7"
    await until(made[1].transport.is_closing)
    assert share.places._of[HOST] != made
    assert not made[0].transport.is_closing()


async def test_whoever_is_answered_keeps_nobody_waiting(here):
    share, app, connect = here
    _, writer = await connect()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: app.waiting)
    (made,) = share.places._of[HOST]
    assert made.late(share.now() + 60) is None


async def test_a_place_is_taken_until_the_work_is_over_though_the_client_is_gone(here, monkeypatch):
    monkeypatch.setattr(fair, "EACH", 1)
    share, app, connect = here
    _, writer = await connect()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: app.waiting)
    writer.transport.abort()
    await asyncio.sleep(0.05)
    late, _ = await connect()
    assert await cut(late)
    app.go.set()
    await until(lambda: len(share.places) == 0)


SLOW = [
    ("says nothing", b"", h11.IDLE),
    ("sends half a head", b"GET / HTTP/1.1\r\nHo", h11.IDLE),
    ("sends half a body", b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", h11.SEND_BODY),
    (
        "owes the body of what is answered",
        b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
        h11.SEND_BODY,
    ),
]


@pytest.mark.parametrize(("sentence", "sent", "state"), SLOW, ids=[case[0] for case in SLOW])
async def test_a_connection_is_over_in_time_that(here, monkeypatch, sentence, sent, state):
    monkeypatch.setitem(wire.SECONDS, state, 0.1)
    share, _, connect = here
    reader, writer = await connect()
    await until(lambda: len(share.places) == 1)
    writer.write(sent)
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 5)
    await until(lambda: len(share.places) == 0)


async def test_sending_a_little_more_gives_no_more_time(here, monkeypatch):
    monkeypatch.setitem(wire.SECONDS, h11.IDLE, 0.2)
    share, _, connect = here
    _, writer = await connect()
    await until(lambda: len(share.places) == 1)
    writer.write(b"GET / HTTP/1.1\r\n")
    for _ in range(100):
        with contextlib.suppress(ConnectionError):
            writer.write(b"a: b\r\n")
        await asyncio.sleep(0.01)
        if not len(share.places):
            return
    raise AssertionError("it is still there")


async def test_the_time_starts_anew_with_each_request(here, monkeypatch):
    monkeypatch.setitem(wire.SECONDS, h11.IDLE, 0.5)
    _, _, connect = here
    reader, writer = await connect()
    for _ in range(4):
        await asyncio.sleep(0.2)
        writer.write(ASKED % 1)
        assert await answer(reader, 2) == b"/1"


async def test_an_answer_that_nobody_waits_for_is_over_in_time(here, monkeypatch):
    monkeypatch.setattr(wire, "ANSWER", 0.1)
    _, app, connect = here
    reader, writer = await connect()
    writer.write(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    await until(lambda: app.waiting)
    assert await cut(reader)


async def test_a_body_without_a_length_is_refused(here):
    _, app, connect = here
    reader, writer = await connect()
    writer.write(b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 400")
    assert app.seen == []


READ_OTHERWISE = [
    ("a line that ends in LF", b"GET /1 HTTP/1.1\r\nHost: a\nX: b\r\n\r\n"),
    ("a head whose lines all do", b"GET /1 HTTP/1.1\nHost: a\n\n"),
    ("a length behind a lone LF", b"GET /1 HTTP/1.1\r\nHost: a\r\nX: b\nContent-Length: 5\r\n\r\n"),
    ("a folded line", b"GET /1 HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"),
    ("a head of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("a later version", b"GET /1 HTTP/1.2\r\nHost: a\r\n\r\n"),
    ("an escaped letter", b"GET /%31 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("an escaped slash", b"GET /desk%2ftickets HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("an escaped line's end", b"GET /1%0a HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a whole address", b"GET http://a/1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no path", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("another host's port", b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a backslash", b"GET /1\\..\\2 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("two lengths", b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    ("two hosts", b"GET /1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
]


@pytest.mark.parametrize(("sentence", "sent"), READ_OTHERWISE, ids=[case[0] for case in READ_OTHERWISE])
async def test_what_others_may_read_otherwise_is_refused_and_ends_the_connection(here, sentence, sent):
    _, app, connect = here
    reader, writer = await connect()
    writer.write(sent + ASKED % 2)
    said = await asyncio.wait_for(reader.read(), 5)
    assert said.startswith(b"HTTP/1.1 400")
    assert said.count(b"HTTP/1.1") == 1
    assert app.seen == []


async def test_what_a_query_or_a_body_holds_is_for_others_to_read(here):
    _, app, connect = here
    reader, writer = await connect()
    writer.write(b"POST /body?a=%0a&b=/../ HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\n\n x" + ASKED % 2)
    assert await answer(reader, 4) == b"\n\n x"
    assert await answer(reader, 2) == b"/2"
    assert app.seen == ["/body", "/2"]


async def test_a_head_in_pieces_is_looked_at_whole(here):
    _, app, connect = here
    reader, writer = await connect()
    for piece in (b"GET /1 HTTP/1.1\r\nHost: a", b"\n", b"X: b\r\n", b"\r\n"):
        writer.write(piece)
        await asyncio.sleep(0.02)
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 400")
    assert app.seen == []


async def test_a_head_that_is_too_long_is_refused(here):
    _, app, connect = here
    reader, writer = await connect()
    writer.write(b"GET / HTTP/1.1\r\na: " + b"b" * (wire.HEAD + 1))
    assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 4")
    assert app.seen == []


async def test_what_breaks_is_an_error_of_its_own_and_the_next_is_answered(here):
    _, _, connect = here
    reader, writer = await connect()
    writer.write(b"GET /break HTTP/1.1\r\nHost: a\r\n\r\n")
    said = await asyncio.wait_for(reader.read(), 5)
    assert said.startswith(b"HTTP/1.1 500")
    assert b"Quartermaine" not in said
    reader, writer = await connect()
    writer.write(ASKED % 1)
    assert await answer(reader, 2) == b"/1"


async def test_a_turn_that_breaks_keeps_nobody_from_theirs(here):
    share, _, _ = here
    seen = []
    share.turns.charge(0.001)
    share.ask("a", lambda: 1 / 0)
    share.ask("b", lambda: seen.append("b"))
    loop, told = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _loop, context: told.append(type(context["exception"])))
    await until(lambda: seen)
    assert told == [ZeroDivisionError]


async def test_measured_work_is_ended_where_it_waits():
    share, ended = Share(), []

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def whole():
        await share.measured(work())

    task = asyncio.create_task(whole())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
