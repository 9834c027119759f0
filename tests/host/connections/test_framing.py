"""Heads and chunks of one form only; whatever mitmproxy would read generously is no message."""

import asyncio
import contextlib
import time

import h11
import pytest
from h11._receivebuffer import ReceiveBuffer
from mitmproxy import http

from phigate.host import pages
from phigate.host.connections import framing
from phigate.host.connections.framing import ANSWER, MOST_HEAD, REQUEST, Chunks, head_fault
from tests.stage import listening
from tests.traffic import CANARY_TEXT

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nX: \ty\xe9 \r\n\r\n"
REPLY = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("sentence", "raw", "expected"),
    [
        ("a head", HEAD, None),
        ("a head and what follows it", HEAD + b"\x00\n\n", None),
        ("half a head", HEAD[:40], None),
        ("what cannot become one, but is not over", b"\x00 /", None),
        ("an empty line", b"\r\n" + HEAD, 400),
        ("line feeds", HEAD.replace(b"\r\n", b"\n"), 400),
        ("one line feed", HEAD.replace(b"\r\nX", b"\nX"), 400),
        ("a folded line", HEAD.replace(b": \ty", b":\r\n y"), 400),
        ("a line folded by a tab", HEAD.replace(b": \ty", b":\r\n\ty"), 400),
        ("a line end with something in it", HEAD.replace(b"\r\nX", b"\rX\n"), 400),
        ("line ends the wrong way round", HEAD.replace(b"\r\nX", b"\n\rX"), 400),
        ("a bare carriage return", HEAD.replace(b"y", b"\r"), 400),
        ("a control byte", HEAD.replace(b"y", b"\x0b"), 400),
        ("a blank before a colon", HEAD.replace(b"Host", b"Host "), 400),
        ("a tab in the first line", HEAD.replace(b" HTTP", b"\tHTTP"), 400),
        ("a method in lower case", HEAD.lower().replace(b"http", b"HTTP"), 400),
        ("no version", HEAD.replace(b" HTTP/1.1", b""), 400),
        ("HTTP/2 in lines", HEAD.replace(b"/1.1", b"/2.0"), 400),
        ("a head without an end", b"X" * MOST_HEAD, 431),
        ("a head that ends too late", HEAD[:-2] + b"X: y\r\n" * MOST_HEAD + b"\r\n", 431),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_requests_head(sentence, raw, expected):
    assert head_fault(raw, REQUEST) == expected


@pytest.mark.parametrize("raw", [HEAD, b"\r\n" + HEAD, HEAD.replace(b"\r\n", b"\n"), HEAD.replace(b"y", b"\r")])
@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_head_that_comes_in_pieces_is_looked_at_where_it_may_be_over(raw, step):
    pieces = range(step, len(raw) + step, step)
    found = [head_fault(raw[:at], REQUEST, len(raw[:at]) - (at - step)) for at in pieces]
    assert next((fault for fault in found if fault), None) == head_fault(raw, REQUEST)


def test_a_head_that_comes_line_by_line_is_read_once():
    line, head, began = b"a:\r\n", b"GET / HTTP/1.1\r\n", time.process_time()
    while len(head) < MOST_HEAD:
        assert head_fault(head, REQUEST, len(line)) is None
        head += line
    assert head_fault(head, REQUEST, len(line)) == 431
    assert time.process_time() - began < 3  # read anew for each line it is eleven


@pytest.mark.parametrize(
    ("sentence", "raw", "expected"),
    [
        ("an answer", REPLY, None),
        ("no words", REPLY.replace(b" OK", b""), None),
        ("HTTP/1.0", REPLY.replace(b"/1.1", b"/1.0"), None),
        ("a status with a sign", REPLY.replace(b"200", b"+200"), 400),
        ("a status of two digits", REPLY.replace(b"200", b"20"), 400),
        ("a status with a line in it", REPLY.replace(b"200", b"2_00"), 400),
        ("two blanks", REPLY.replace(b" 200", b"  200"), 400),
        ("another version", REPLY.replace(b"/1.1", b"/1.2"), 400),
        ("line feeds", REPLY.replace(b"\r\n", b"\n"), 400),
        ("a folded line", REPLY.replace(b": 0", b":\r\n 0"), 400),
        ("something before it", b"\r\n" + REPLY, 400),
        ("no HTTP", CANARY_TEXT.encode() + b"\r\n\r\n", 400),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answers_head(sentence, raw, expected):
    assert head_fault(raw, ANSWER) == expected


def read(raw, step):
    """What is in these chunks, read in pieces, and whether they are over."""
    reader, buffer, got = Chunks(), ReceiveBuffer(), b""
    for at in range(0, len(raw), step):
        buffer += raw[at : at + step]
        while (event := reader(buffer)) is not None:
            if isinstance(event, h11.EndOfMessage):
                return got, True, bytes(buffer) + raw[at + step :]
            got += event.data
    return got, False, bytes(buffer)


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_chunks_are_read_in_any_pieces_and_nothing_behind_them(step):
    assert read(b"5\r\nhello\r\n00A\r\n, everyone\r\n0\r\n\r\nGET", step) == (b"hello, everyone", True, b"GET")
    assert read(b"5\r\nhello\r\n", step) == (b"hello", False, b"")


@pytest.mark.parametrize("step", [1, 100])
@pytest.mark.parametrize(
    "raw",
    [
        b"5;a=b\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"000000005\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n and more\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\n\r\n",
        b"\r\n5\r\nhello\r\n",
        b'{"no": "chunk at all"}',
    ],
)
def test_other_chunks_break_the_protocol(raw, step):
    with pytest.raises(h11.ProtocolError) as error:
        read(raw, step)
    assert "hello" not in str(error.value)


def test_all_chunks_that_are_there_are_one_piece():
    buffer = ReceiveBuffer()
    buffer += b"1\r\na\r\n" * 1000 + b"2\r\nb"
    reader = Chunks()
    assert [reader(buffer).data, reader(buffer)] == [b"a" * 1000 + b"b", None]
    buffer += b"c\r\n0\r\n\r\n"
    assert reader(buffer).data == b"c"
    assert isinstance(reader(buffer), h11.EndOfMessage)


def test_chunks_that_are_cut_off_break_the_protocol():
    with pytest.raises(h11.ProtocolError):
        Chunks().read_eof()


async def answered(context, raw):
    """Everything that a gateway without addons answers to these bytes, until it closes the connection."""
    framing.install()
    async with listening(context) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        got = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    return got


BODIES = [HEAD.replace(b"X", b"Transfer-Encoding: chunked\r\nX") + CANARY_TEXT.encode(), HEAD.replace(b"\r\n", b"\n")]


@pytest.mark.parametrize("raw", BODIES, ids=["a body that is no chunk", "a head of line feeds"])
async def test_who_sends_no_message_is_told_so_and_the_connection_ends(seams, context, raw):
    got = await answered(context, raw)
    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.count(b"HTTP/1.1") == 1
    assert b'"code":"malformed"' in got


async def test_who_was_told_to_go_on_is_told_as_well(seams, context):
    framing.install()
    async with listening(context) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD.replace(b"X:", b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nX:"))
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(CANARY_TEXT.encode())
        got = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert got.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"malformed"' in got


async def test_who_was_told_to_go_on_gets_the_page_of_what_fails_afterwards(seams, context):
    pages.install()
    framing.install()
    async with listening(context) as port:  # where nobody answers
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD.replace(b"X:", b"Content-Length: 2\r\nExpect: 100-continue\r\nX:"))
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        got = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    assert got.startswith(b"HTTP/1.1 502 ")
    assert got.count(b"HTTP/1.1") == 1


@contextlib.asynccontextmanager
async def upstream(talk):
    """Where somebody answers as `talk` does."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


async def test_an_upstream_that_sends_no_message_is_mitmproxys_protocol_error(seams, context):
    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(REPLY.replace(b"\r\n", b"\n"))
        await reader.read()
        writer.close()

    framing.install()
    async with upstream(talk) as where, listening(context, where) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 502 ")
        writer.close()


class Refusing:
    """An answer of ours in place of what the upstream says."""

    def response(self, flow):
        flow.response = http.Response.make(502, b"")


async def test_what_follows_a_switch_that_was_refused_goes_nowhere_and_breaks_nothing(seams, context, caplog):
    gone = asyncio.Event()

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + CANARY_TEXT.encode())
        assert await reader.read() == b""
        gone.set()
        writer.close()

    framing.install()
    context.master.addons.add(Refusing())
    async with upstream(talk) as where, listening(context, where) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).startswith(b"HTTP/1.1 502 ")
        await asyncio.wait_for(gone.wait(), 5)
        writer.close()
    assert "crashed" not in caplog.text


async def test_who_sends_without_end_while_an_answer_is_awaited_is_cut_off(seams, context):
    gone = asyncio.Event()

    async def talk(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await reader.read()
        gone.set()
        writer.close()

    framing.install()
    async with upstream(talk) as where, listening(context, where) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
        writer.write(b"a" * (framing.MOST_WAITING + 300_000))
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        await asyncio.wait_for(gone.wait(), 5)
        writer.close()
