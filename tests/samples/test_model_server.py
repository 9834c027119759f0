"""The sample model server: what it says to an OpenAI client, what it remembers, and how it misbehaves when told to."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

import patients
from model_server import CUT, EVENTS, MODELS, Answer, ModelServer, Raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionMessageParam

MODEL = MODELS[0]
ASK: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How is she today?"}]


@pytest.fixture(scope="module")
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def server(running: ModelServer) -> ModelServer:
    running.forget()
    return running


@pytest.fixture
def client(server: ModelServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def post(server: ModelServer, tree: dict[str, Any], path: str = "/v1/chat/completions") -> httpx.Response:
    return httpx.post(server.url + path, json={"model": MODEL, **tree})


def chunks_of(answer: httpx.Response) -> list[Any]:
    events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]


def test_chat_tells_of_an_invented_patient(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=ASK)
    assert answer.choices[0].message.content == patients.told(patients.CHART, patients.ASHDOWN)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize("n", [1, 3])
def test_chat_streamed_says_the_same_in_small_pieces(client: openai.OpenAI, n: int) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=ASK, n=n)
    stream = client.chat.completions.create(
        model=MODEL, messages=ASK, n=n, stream=True, stream_options={"include_usage": True}
    )
    said, used = [""] * n, None
    for chunk in stream:
        used = chunk.usage or used
        for choice in chunk.choices:
            piece = choice.delta.content or ""
            assert len(piece) <= 5
            said[choice.index] += piece
    assert said == [choice.message.content for choice in whole.choices]
    assert used == whole.usage


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("When does Mr. O. get his discharge letter?", patients.told(patients.DISCHARGE, patients.OYELARAN)),
        ("What is her phone number?", patients.told(patients.CONTACT, patients.ASHDOWN)),
        ("Is that potassium in range?", patients.PLAIN),
        ("echo: naïve \U0001f642", "naïve \U0001f642"),
    ],
)
def test_words_of_the_prompt_pick_the_answer(server: ModelServer, prompt: str, said: str) -> None:
    ask = {"messages": [{"role": "user", "content": [{"type": "text", "text": prompt}]}]}
    assert post(server, ask).json()["choices"][0]["message"]["content"] == said
    streamed = chunks_of(post(server, {**ask, "stream": True}))
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in streamed) == said


def test_a_tool_is_called_with_arguments_in_fragments(server: ModelServer) -> None:
    ask = {
        "messages": [{"role": "user", "content": "Please refer her"}],
        "tools": [{"type": "function", "function": {"name": "refer"}}],
    }
    call = post(server, ask).json()["choices"][0]["message"]["tool_calls"][0]["function"]
    assert call["name"] == "refer"
    assert json.loads(call["arguments"])["mrn"] == f"MRN {patients.ASHDOWN.mrn}"
    deltas = [c["choices"][0]["delta"] for c in chunks_of(post(server, {**ask, "stream": True}))]
    fragments = [d["tool_calls"][0]["function"]["arguments"] for d in deltas if "tool_calls" in d]
    assert len(fragments) > 10
    assert "".join(fragments) == call["arguments"]


def test_logprobs_repeat_the_text(server: ModelServer) -> None:
    choice = post(server, {"messages": ASK, "logprobs": True}).json()["choices"][0]
    assert "".join(entry["token"] for entry in choice["logprobs"]["content"]) == choice["message"]["content"]


def test_completions_echo_and_stream(server: ModelServer) -> None:
    ask = {"prompt": "Her phone? ", "echo": True, "logprobs": 1}
    choice = post(server, ask, "/v1/completions").json()["choices"][0]
    assert choice["text"].startswith("Her phone? Patient: ")
    assert "".join(choice["logprobs"]["tokens"]) == choice["text"]
    streamed = chunks_of(post(server, {**ask, "stream": True}, "/v1/completions"))
    assert "".join(c["choices"][0]["text"] for c in streamed) == choice["text"]


def test_embeddings_and_models(client: openai.OpenAI) -> None:
    one, two = client.embeddings.create(model=MODELS[1], input=["a", "b"]).data
    assert len(one.embedding) == len(two.embedding) == 8
    assert one.embedding != two.embedding
    assert [model.id for model in client.models.list()] == list(MODELS)
    assert client.models.retrieve(MODEL).id == MODEL


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/models/unknown", b"", 404, "model_not_found"),
        ("POST", "/v1/chat/completions", b'{"model": "unknown"}', 404, "model_not_found"),
        ("POST", "/v1/chat/completions", b"{", 400, "invalid_json"),
        ("POST", "/v1/chat/completions", b"[]", 400, "invalid_json"),
        ("GET", "/v1/chat/completions", b"", 405, "method_not_allowed"),
        ("POST", "/v1/unknown", b"", 404, "unknown_url"),
    ],
)
def test_mistakes_are_answered_in_the_apis_shape(
    server: ModelServer, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    answer = httpx.request(method, server.url + path, content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_requests_are_kept_byte_for_byte(server: ModelServer) -> None:
    raw = b"POST /v1/x HTTP/1.1\r\nHost:  a \r\nX-Twice: 1\r\nx-twice: 2\r\nContent-Length: 4\r\n\r\n\x00\xff\r\n"
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.sendall(raw)
        assert peer.recv(12) == b"HTTP/1.1 404"
    (request,) = server.requests
    assert (request.raw, request.body, request.header("X-TWICE")) == (raw, b"\x00\xff\r\n", "1")
    assert (server.connections, server.received) == (1, raw)


def test_a_chunked_request_is_put_together(server: ModelServer) -> None:
    ask = json.dumps({"model": MODEL, "messages": ASK}).encode()
    assert httpx.post(f"{server.url}/v1/chat/completions", content=iter([ask[:9], ask[9:]])).is_success
    assert server.requests[0].json()["messages"] == ASK


def test_what_is_no_request_is_seen_all_the_same(server: ModelServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.sendall(b"half a requ")
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(1) == b""
    assert (server.requests, server.received) == ([], b"half a requ")


def test_one_connection_carries_many_requests(server: ModelServer) -> None:
    with httpx.Client(base_url=server.url) as client:
        assert [client.get("/v1/models").status_code for _ in range(3)] == [200] * 3
    assert (len(server.requests), server.connections) == (3, 1)


SCRIPTS = {
    "another status": (Answer(b"{}", status=500), 500, b"{}"),
    "a status nobody knows": (Answer(b"", status=799), 799, b""),
    "no content type": (Answer(b"text", headers={}), 200, b"text"),
    "compressed": (Answer(gzip.compress(b"text"), headers={"content-encoding": "gzip"}), 200, b"text"),
    "in parts": (Answer.events([b"data: 1\n\n", b"", 0.01, b"data: 2\n\n"]), 200, b"data: 1\n\ndata: 2\n\n"),
    "raw": (Raw([b"HTTP/1.1 203 Hm\r\n\r\n", b"until", b" the end"]), 203, b"until the end"),
}


@pytest.mark.parametrize(("script", "status", "body"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_is_said_to_everybody(server: ModelServer, script: Answer | Raw, status: int, body: bytes) -> None:
    server.script = script
    for _ in range(2):
        answer = post(server, {"messages": ASK})
        assert (answer.status_code, answer.content) == (status, body)
    assert len(server.requests) == 2


def test_a_list_of_scripts_is_used_up(server: ModelServer) -> None:
    server.script = [Answer(b"", status=503), None, Answer(b"", status=418)]
    assert [post(server, {"messages": ASK}).status_code for _ in range(4)] == [503, 200, 418, 200]


def test_a_function_may_look_at_the_request(server: ModelServer) -> None:
    server.script = lambda request: Answer(b"", status=418) if request.method == "GET" else None
    assert httpx.get(f"{server.url}/v1/models").status_code == 418
    assert post(server, {"messages": ASK}).status_code == 200


@pytest.mark.parametrize(
    "script",
    [
        Answer([b"data: 1\n\n", CUT], headers=EVENTS),
        Raw([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"]),
        Raw([b"\x00\x01garbage\r\n\r\n"]),
        Raw([]),
    ],
)
def test_a_broken_answer_breaks(server: ModelServer, script: Answer | Raw) -> None:
    server.script = script
    with pytest.raises(httpx.TransportError):
        post(server, {"messages": ASK})


def test_a_stream_waits_for_an_event(server: ModelServer) -> None:
    go_on = threading.Event()
    server.script = Answer.events([b"one", go_on, b"two"])
    with httpx.stream("GET", server.url) as answer:
        parts = answer.iter_raw()
        assert next(parts) == b"one"
        server.wait_for(1)
        go_on.set()
        assert b"".join(parts) == b"two"


def test_a_model_is_made_from_one_that_is_there(server: ModelServer) -> None:
    made = httpx.post(f"{server.url}/api/create", json={"model": "ward-assistant", "from": "ward-assistant"})
    assert (made.status_code, made.text.splitlines()[-1]) == (200, '{"status": "success"}')
    assert httpx.post(f"{server.url}/api/create", json={"model": "ward-assistant", "from": "other"}).status_code == 404


def test_waiting_for_what_does_not_come_ends(server: ModelServer) -> None:
    with pytest.raises(TimeoutError, match="0 of 1"):
        server.wait_for(1, seconds=0.01)


def test_stopping_ends_connections_and_frees_the_port() -> None:
    with ModelServer() as first:
        first.script = Answer.events([b"one", threading.Event()])
        with httpx.stream("GET", first.url) as answer:
            assert next(answer.iter_raw()) == b"one"
            first.stop()
    with ModelServer(port=first.port) as second:
        assert second.port == first.port
        with pytest.raises(OSError, match="in use"):
            ModelServer(port=second.port).start()
