"""What the console says of tickets, and what it reads."""

import asyncio
import json

import httpx
import pytest
from fastapi import FastAPI, Request

from phigate.console import said


@pytest.fixture
def http():
    app = FastAPI()

    @app.post("/")
    async def _echo(request: Request):
        try:
            return said.answer({"read": (await said.read(request)).decode(), "ip": said.ip_of(request)})
        except said.No as no:
            return said.fault(no.reason)

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console.example")


JSON = {"content-type": "application/json"}
BAD = [
    ("another type", "/", b"{}", {"content-type": "text/plain"}),
    ("no type", "/", b"{}", {}),
    ("compressed", "/", b"{}", JSON | {"content-encoding": "gzip"}),
    ("in the address", "/?comment=x", b"", {}),
    ("too long", "/", b" " * (said.MOST + 1), JSON),
]


@pytest.mark.parametrize(("sentence", "path", "body", "headers"), BAD, ids=[case[0] for case in BAD])
async def test_it_reads_no_body(http, sentence, path, body, headers):
    answer = await http.post(path, content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")


async def test_it_reads_small_json_or_nothing(http):
    for body, headers in (
        (b'{"comment":"x"}', JSON),
        (b"", {}),
        (b"{}", {"content-type": "application/json;charset=utf-8"}),
    ):
        answer = await http.post("/", content=body, headers=headers)
        assert answer.json() == {"read": body.decode(), "ip": "127.0.0.1"}
        assert answer.headers["cache-control"] == "no-store"


async def test_whoever_is_slow_is_not_waited_for(http, monkeypatch):
    monkeypatch.setattr(said, "PATIENCE", 0.0)

    async def slowly():
        yield b"{"
        await asyncio.sleep(0.05)
        yield b"}"

    assert (await http.post("/", content=slowly(), headers=JSON)).status_code == 400


@pytest.mark.parametrize("reason", said.SAID)
def test_each_reason_has_its_status_and_advice(reason):
    answer = said.fault(reason)
    assert json.loads(answer.body)["error"]["code"] == reason
    assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)
