"""The scripted model server, asked over a socket."""

import asyncio

import httpx

from phigate.conformance.upstream import Armed, Upstream

REQUEST = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"


async def talk(port, *requests):
    """The bytes that come back until the server has been silent for a moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for request in requests:
        writer.write(request)
        answers.append(await reader.readuntil(b"0\r\n\r\n"))
    writer.close()
    return answers


async def test_each_piece_is_a_chunk_of_its_own():
    async with Upstream() as upstream:
        upstream.arm("/a", Armed(200, {"content-type": "text/plain"}, (b"ab", b"c")))
        first, again = await talk(upstream.port, REQUEST, REQUEST)
    head, _, body = first.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked")
    assert body == b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    assert again == first


async def test_a_chunked_request_and_an_absolute_address_are_read():
    request = b"POST http://x:1/a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    async with Upstream() as upstream:
        answer = Armed(200, {}, (b"ab",))
        upstream.arm("/a", answer)
        (told,) = await talk(upstream.port, request)
    assert told.endswith(b"2\r\nab\r\n0\r\n\r\n")
    assert answer.asked == 1


async def test_a_whole_answer_has_its_length_however_it_is_cut():
    async with Upstream() as upstream, httpx.AsyncClient(trust_env=False) as client:
        upstream.arm("/a", Armed(418, {}, (b"ab", b"c"), chunked=False, pause=0.001))
        answer = await client.get(f"http://127.0.0.1:{upstream.port}/a")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (418, b"abc", "3")


async def test_what_is_not_armed_is_not_found():
    async with Upstream() as upstream, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{upstream.port}/b")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == 404
