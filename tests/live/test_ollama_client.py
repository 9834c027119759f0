"""The official Ollama client, unmodified: host and bearer changed, nothing else."""

import json

import ollama
import pytest

from model_server import Answer
from tests.seen import pieces, spelled
from tests.traffic import CANARY_NAME, CANARY_TEXT

pytestmark = pytest.mark.live

WHEN = "2026-01-01T00:00:00.123456789Z"
MESSAGES = [{"role": "user", "content": "How is the patient?"}]
ENDS = {"done_reason": "stop", "total_duration": 5191566416, "prompt_eval_count": 9, "eval_count": 12}
CALLS = [{"function": {"name": "send", "arguments": {"patient_name": CANARY_NAME, "urgent": True}}}]
WELL = "furosemide 40 mg"


@pytest.fixture
def connect(gateway):
    made = []

    def connect(bearer):
        client = ollama.Client(host=gateway.url, headers={"authorization": f"Bearer {bearer}"}, trust_env=False)
        made.append(client)
        return client

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def client(connect, bearers):
    return connect(bearers["dr.okafor"])


def line(said, done=False, **more):
    return {"model": "ward-assistant", "created_at": WHEN, **said, "done": done, **(ENDS if done else {}), **more}


def whole(said, **more):
    return Answer(json.dumps(line(said, done=True, **more)).encode())


def lines(*events):
    body = [json.dumps(event).encode() + b"\n" for event in events]
    return Answer(body, headers={"content-type": "application/x-ndjson"})


def message(**said):
    return {"message": {"role": "assistant", "content": "", **said}}


def test_a_chat(client, model):
    model.script = whole(message(content=CANARY_TEXT, thinking=CANARY_TEXT, tool_calls=CALLS), logprobs=[])
    answer = client.chat("ward-assistant", MESSAGES, think=True, stream=False)
    assert WELL in answer.message.content
    assert WELL in answer.message.thinking
    assert answer.message.tool_calls[0].function.arguments["urgent"] is True
    assert (answer.created_at, answer.eval_count, answer.total_duration) == (WHEN, 12, 5191566416)
    assert spelled(answer.model_dump()) == []


def test_a_chat_streamed_says_the_same(client, model):
    model.script = whole(message(content=CANARY_TEXT, thinking=CANARY_TEXT))
    expected = client.chat("ward-assistant", MESSAGES).message
    model.script = lines(
        *(line(message(thinking=piece)) for piece in pieces(CANARY_TEXT)),
        *(line(message(content=piece)) for piece in pieces(CANARY_TEXT)),
        line(message(tool_calls=CALLS)),
        line(message(), done=True),
    )
    parts = list(client.chat("ward-assistant", MESSAGES, stream=True))
    assert "".join(part.message.content or "" for part in parts) == expected.content
    assert "".join(part.message.thinking or "" for part in parts) == expected.thinking
    assert WELL in expected.content
    assert [call.function.name for part in parts for call in part.message.tool_calls or ()] == ["send"]
    assert (parts[-1].done, parts[-1].done_reason, parts[-1].eval_count) == (True, "stop", 12)
    assert spelled([part.model_dump() for part in parts]) == []
    assert model.requests[-1].header("accept") == "application/x-ndjson"


def test_a_request_that_says_nothing_of_streams_gets_one(client, model):
    model.script = lines(line({"response": CANARY_TEXT}), line({"response": ""}, done=True))
    answer = client._client.post("/api/generate", json={"model": "ward-assistant", "prompt": "hi"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    told = [json.loads(each) for each in answer.text.splitlines()]
    assert [each["done"] for each in told] == [False] * (len(told) - 1) + [True]
    assert spelled(told) == []


def test_a_completion(client, model):
    model.script = whole({"response": CANARY_TEXT, "context": [1, 2, 3]})
    answer = client.generate("ward-assistant", "How is the patient?")
    assert WELL in answer.response
    assert answer.context is None
    assert spelled(answer.model_dump()) == []


def test_a_completion_streamed(client, model):
    given = [
        *(line({"response": piece}) for piece in pieces(CANARY_TEXT)),
        line({"response": ""}, True, context=[1, 2]),
    ]
    model.script = lines(*given)
    parts = list(client.generate("ward-assistant", "How is the patient?", stream=True))
    assert WELL in "".join(part.response or "" for part in parts)
    assert all(part.context is None for part in parts)
    assert spelled([part.model_dump() for part in parts]) == []


def test_embeddings(client, model):
    model.script = Answer(json.dumps({"model": "ward-embedder", "embeddings": [[0.1, 0.2], [0.3, 0.4]]}).encode())
    assert client.embed("ward-embedder", ["a", "b"]).embeddings == [[0.1, 0.2], [0.3, 0.4]]
    model.script = Answer(json.dumps({"embedding": [0.1, 0.2]}).encode())
    assert client.embeddings("ward-embedder", "a").embedding == [0.1, 0.2]


def test_models_are_listed_and_shown(client, model):
    listed = {
        "name": "llama3:latest",
        "model": "llama3:latest",
        "modified_at": WHEN,
        "digest": "8e" * 32,
        "size": 10**10,
    }
    model.script = Answer(json.dumps({"models": [listed]}).encode())
    (found,) = client.list().models
    assert (found.model, found.digest, found.modified_at.year) == ("llama3:latest", "8e" * 32, 2026)
    model.script = Answer(json.dumps({"models": [listed | {"expires_at": WHEN}]}).encode())
    assert client.ps().models[0].expires_at.year == 2026
    shown = {
        "modelfile": CANARY_TEXT,
        "template": CANARY_TEXT,
        "system": CANARY_TEXT,
        "model_info": {"general.architecture": "llama"},
    }
    model.script = Answer(json.dumps(shown | {"modified_at": WHEN, "details": {"family": "llama"}}).encode())
    answer = client.show("llama3")
    assert WELL in answer.template
    assert answer.modelinfo["general.architecture"] == "llama"
    assert spelled(answer.model_dump(mode="json")) == []


def test_an_error_of_the_server_is_the_client_s_own_and_masked(client, model):
    model.script = Answer(json.dumps({"error": CANARY_TEXT}).encode(), status=500)
    with pytest.raises(ollama.ResponseError) as refused:
        client.chat("ward-assistant", MESSAGES)
    assert refused.value.status_code == 500
    assert WELL in refused.value.error
    assert spelled(refused.value.error) == []


def test_an_error_in_a_stream_is_the_client_s_own_and_masked(client, model):
    model.script = lines(line(message(content="The ")), {"error": CANARY_TEXT})
    with pytest.raises(ollama.ResponseError) as refused:
        list(client.chat("ward-assistant", MESSAGES, stream=True))
    assert WELL in refused.value.error
    assert spelled(refused.value.error) == []


def test_a_stream_that_cannot_be_read_is_an_error_of_the_client_s_own(client, model):
    model.script = Answer([f"{CANARY_TEXT}\n".encode()], headers={"content-type": "application/x-ndjson"})
    with pytest.raises(ollama.ResponseError, match="broke this answer off"):
        list(client.chat("ward-assistant", MESSAGES, stream=True))


ONE = {"num_predict": 1}
REFUSED = [
    ("no believed bearer", lambda connect, _: connect("none").chat("m", MESSAGES), 401, "bearer"),
    ("no rule", lambda connect, b: connect(b["priya.raman"]).chat("m", MESSAGES), 403, "No rule"),
    ("an image", lambda connect, b: connect(b["dr.okafor"]).generate("m", "x", images=[b"x"]), 415, "cannot read"),
    ("one token", lambda connect, b: connect(b["dr.okafor"]).generate("m", "x", options=ONE), 400, "decide"),
    ("a choice", lambda connect, b: connect(b["dr.okafor"]).generate("m", "x", format={"enum": ["a"]}), 400, "decide"),
    ("fetching a model", lambda connect, b: connect(b["dr.okafor"]).pull("m"), 403, "No rule"),
    ("fetching a model with a yes", lambda connect, b: connect(b["priya.raman"]).pull("m"), 403, "approve"),
    ("deleting a model", lambda connect, b: connect(b["priya.raman"]).delete("m"), 403, "approve"),
    ("copying a model", lambda connect, b: connect(b["priya.raman"]).copy("a", "b"), 403, "approve"),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "ask", "status", "says"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_refusal_is_the_client_s_own_error(sentence, ask, status, says, connect, bearers, model):
    with pytest.raises(ollama.ResponseError) as refused:
        ask(connect, bearers)
    assert refused.value.status_code == status
    assert says in str(refused.value)
    assert model.connections == 0


def test_a_prompt_is_masked_where_the_rule_says_so(connect, bearers, model):
    call = {"function": {"name": "send", "arguments": {"patient_name": CANARY_NAME}}}
    history = [
        {"role": "system", "content": CANARY_TEXT},
        {"role": "assistant", "content": CANARY_TEXT, "thinking": CANARY_TEXT, "tool_calls": [call]},
        {"role": "tool", "content": CANARY_TEXT, "tool_name": "send"},
    ]
    described = {"name": "send", "description": CANARY_TEXT, "parameters": {"type": "object", "properties": {}}}
    model.script = whole(message(content="well"))
    client = connect(bearers["sam.lindqvist"])
    client.chat("ward-assistant", history, tools=[{"type": "function", "function": described}])
    assert spelled(model.requests[-1].json()) == []
    assert model.requests[-1].body.count(WELL.encode()) == 5
