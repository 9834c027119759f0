"""One message to one receiver, over real sockets and over none."""

import asyncio
import time

import httpx
import pytest

from phigate.telling import post as telling
from phigate.telling.post import Outcome, new_client, post
from tests.receiver import Receiver


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


async def told(url, body=b"{}", headers=None):
    async with new_client() as client:
        return await post(client, url, body, headers or {})


async def test_a_message_arrives_as_it_is(receiver):
    assert await told(f"{receiver.url}/hook", b'{"a":1}', {"webhook-id": "msg_1"}) == Outcome()
    (got,) = receiver.got
    assert (got.path, got.body, got.headers["webhook-id"]) == ("/hook", b'{"a":1}', "msg_1")
    assert got.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [204, 299])
async def test_any_2xx_is_a_yes(receiver, status):
    receiver.status = status
    assert await told(receiver.url) == Outcome()


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410, 429, 500, 503])
async def test_anything_else_is_none_and_nothing_is_followed(receiver, status):
    receiver.status, receiver.headers = status, {"location": f"{receiver.url}/elsewhere"}
    assert await told(receiver.url) == Outcome(f"status-{status}")
    assert [got.path for got in receiver.got] == ["/"]


@pytest.mark.parametrize(("asked", "wait"), [("120", 120.0), ("1e9", 0.0), ("-5", 0.0), ("Fri, 31 Dec 1999", 0.0)])
async def test_a_receiver_may_ask_to_be_left_alone(receiver, asked, wait):
    receiver.status, receiver.headers = 503, {"retry-after": asked}
    assert (await told(receiver.url)).wait == wait


async def test_nobody_there(receiver):
    receiver.stop()
    assert await told(receiver.url) == Outcome("unreachable")


async def test_somebody_who_never_answers_is_not_waited_for(receiver, monkeypatch):
    monkeypatch.setattr(telling, "SECONDS", 0.2)
    receiver.silent.set()
    start = time.monotonic()
    assert await told(receiver.url) == Outcome("timed-out")
    assert time.monotonic() - start < 2


async def test_somebody_who_answers_a_byte_at_a_time_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(telling, "SECONDS", 0.3)

    async def drip(_reader, writer):
        for each in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10_000:
            writer.write(bytes([each]))
            await asyncio.sleep(0.05)

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await told(f"http://127.0.0.1:{port}") == Outcome("timed-out")


async def test_an_answer_is_not_read():
    """However long it is: its status is enough."""
    read = []

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):
            while True:
                read.append(1)
                yield b"x" * 1000

    transport = httpx.MockTransport(lambda _request: httpx.Response(200, stream=Endless()))
    async with httpx.AsyncClient(transport=transport) as client:
        assert await post(client, "https://example.org", b"{}", {}) == Outcome()
    assert read == []


async def test_what_is_no_http_is_nothing_that_was_taken(receiver):
    receiver.stop()

    async def talk(_reader, writer):
        writer.write(b"220 smtp.example.org ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await told(f"http://127.0.0.1:{port}") == Outcome("unreachable")


async def test_a_certificate_that_nobody_signed_is_not_trusted(receiver):
    """TLS to what speaks none, and proxies of the environment are not asked."""
    assert await told(receiver.url.replace("http:", "https:")) == Outcome("unreachable")
    assert receiver.got == []


async def test_no_proxy_of_the_environment_is_asked(receiver, monkeypatch):
    with Receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert await told(receiver.url) == Outcome()
    assert (len(receiver.got), proxy.got) == (1, [])
