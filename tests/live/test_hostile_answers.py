"""A model server that misbehaves: nothing of its answer that was not masked reaches the client."""

import gzip
import json
import os
import socket

import httpx
import pytest

from model_server import CUT, EVENTS, Answer
from processes import Gateway, free_port
from tests.live.hostile import answers, wire
from tests.traffic import CANARY_TEXT, CHAT, chat, completion, events, leaks, records, said

pytestmark = pytest.mark.live

JSON = answers.JSON
C = answers.C


def exchange(gateway, bearer, body):
    """Everything a client on a plain socket gets for one request, until the gateway closes or two seconds pass."""
    data = json.dumps(body).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {bearer}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as wire:
        wire.sendall(head.encode() + f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)
        got = b""
        try:
            while piece := wire.recv(65536):
                got += piece
        except TimeoutError:
            got += b"(held open)"
    return got


ROWS = [(*row, False) for row in answers.WHOLE] + [(*row, True) for row in answers.STREAMS]
if os.environ.get("PHIGATE_THOROUGH"):
    ROWS += [(*row, not stream) for *row, stream in ROWS]


@pytest.mark.parametrize(
    ("sentence", "script", "right", "stream"), ROWS, ids=[f"{row[0]}{' in a stream' * row[3]}" for row in ROWS]
)
def test_nothing_of_a_bad_answer_gets_through(gateway, bearers, model, sentence, script, right, stream):
    model.script = script
    got = exchange(gateway, bearers["dr.okafor"], chat(stream=stream))
    assert leaks(got) == []
    assert b"(held open)" not in got
    if right is answers.BROKEN_OFF:
        assert b"stream-broken-off" in got
        got += b"0\r\n\r\n"
    ((status, fields, _),), rest = wire.answers_in(got)
    assert status in right
    assert rest == b""
    assert not [name for name, _ in fields if name != "transfer-encoding" and not wire.OURS.fullmatch(name)]
    assert dict(fields)["cache-control"] == "no-store"
    assert len(dict(fields)) == len(fields)


def test_nothing_of_them_shows_in_the_log_or_the_journal(gateway):
    """Comes after the rows: what they left."""
    written = json.dumps(records(gateway.journal)) + gateway.said()
    assert leaks(written) == []
    assert "crashed" not in written


STREAMS = [
    ("no event stream", [C]),
    ("events that are no JSON", [b"data: " + C + b"\n\n"]),
    ("events that are no chunks", [b"data: [1]\n\n"]),
    ("bytes that are no text", [b"data: \xff\xfe\n\n"]),
    ("a chunk whose index is text", [b'data: {"choices":[{"index":"0","delta":{"content":"' + C + b'"}}]}\n\n']),
    ("an event that never ends", [b"data: " + b"a" * 65536] * 80),
]


@pytest.mark.parametrize(("sentence", "parts"), STREAMS, ids=[case[0] for case in STREAMS])
def test_a_stream_that_cannot_be_read_is_broken_off_with_an_error_event(gateway, bearers, model, sentence, parts):
    model.script = Answer.events([*events("All is well. ")[:-2], 0.05, *parts, 0.2, *parts])
    got = exchange(gateway, bearers["dr.okafor"], chat(stream=True))
    assert leaks(got) == []
    if sentence != "no event stream":
        assert b"stream-broken-off" in got or b"[DONE]" not in got
    assert b"(held open)" not in got


def test_a_stream_that_dies_releases_nothing_that_was_held_back(gateway, bearers, model):
    model.script = Answer.events([*events(f"Fine. {CANARY_TEXT[:40]}", done=False)[:-1], 0.1, CUT])
    got = exchange(gateway, bearers["dr.okafor"], chat(stream=True))
    assert leaks(got) == []
    assert b"[DONE]" not in got
    ids = [
        line.split(b": ")[1].strip().decode() for line in got.split(b"\r\n") if line.lower().startswith(b"phi-exchange")
    ]
    found = [record for record in records(gateway.journal) if record.get("exchange") == ids[0]]
    assert found[-1]["kind"] == "response"
    assert found[-1]["outcome"] == "upstream-broke"


def test_text_after_the_end_mark_is_not_passed(client, model):
    extra = b'data: {"choices":[{"index":0,"delta":{"content":"' + C + b'"}}]}\n\n'
    model.script = Answer.events([*events("All is well."), extra])
    got = client.post(CHAT, json=chat(stream=True)).content
    assert said(got) == "All is well."
    assert got.endswith(b"data: [DONE]\n\n")


def test_a_stream_nobody_asked_for_is_masked_as_a_stream(client, model):
    model.script = Answer.events(events())
    got = client.post(CHAT, json=chat())
    assert leaks(got.content) == []
    assert "furosemide" in said(got.content)


def test_a_stream_on_a_route_that_knows_none_is_refused(client, model):
    model.script = Answer(b"".join(events()), headers=EVENTS)
    answer = client.post("/v1/embeddings", json={"model": "m", "input": "x"})
    assert answer.status_code == 502
    assert answer.headers["x-should-retry"] == "false"


def test_an_upstream_that_is_down_is_502(issuer, policy, bearers, tmp_path):
    with Gateway(f"http://127.0.0.1:{free_port()}", policy, tmp_path / "g") as gateway:
        answer = httpx.post(
            gateway.url + CHAT,
            json=chat(),
            headers={"authorization": f"Bearer {bearers['dr.okafor']}"},
            trust_env=False,
        )
        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream-unreachable"
    assert [record["outcome"] for record in records(gateway.journal) if record["kind"] == "response"] == [
        "upstream-broke"
    ]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_compressed_answer_is_decoded_and_masked(gateway, bearers, model, stream):
    plain = b"".join(events(CANARY_TEXT, 5)) if stream else completion()
    media = {"content-type": "text/event-stream"} if stream else JSON
    model.script = Answer(gzip.compress(plain), headers=media | {"content-encoding": "gzip"})
    got = exchange(gateway, bearers["dr.okafor"], chat(stream=stream))
    model.forget()
    assert got.split(b" ")[1] == b"200"
    assert leaks(got) == []
    assert b"furosemide 40 mg" in (got if not stream else said(got.partition(b"\r\n\r\n")[2]).encode())
