"""llama.cpp's, SGLang's and vLLM's own routes, through the gateway, as anybody's HTTP client speaks them."""

import json

import pytest

from model_server import EVENTS, Answer
from tests.seen import pieces, spelled
from tests.traffic import CANARY_TEXT, as_person

pytestmark = pytest.mark.live

WELL = "furosemide 40 mg"
PER_TOKEN = [[-0.1, 450, piece] for piece in pieces(CANARY_TEXT)]


def sent(*given):
    lines = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in given]
    return Answer([*lines, b": ping\n\n", b"data: [DONE]\n\n"], headers=EVENTS)


def whole(tree):
    return Answer(json.dumps(tree).encode())


def told(client, path, **request):
    """The events of a streamed answer, which end as the protocol says."""
    answer = client.post(path, json=request | {"stream": True})
    assert answer.status_code == 200
    *events, done = [line[6:] for line in answer.text.split("\n") if line.startswith("data: ")]
    assert done == "[DONE]"
    return [json.loads(event) for event in events]


def test_llamacpp_says_the_same_whole_and_streamed(client, model):
    end = {"index": 0, "content": "", "stop": True, "prompt": CANARY_TEXT, "stopping_word": "", "tokens_predicted": 12}
    model.script = whole(end | {"content": CANARY_TEXT, "completion_probabilities": PER_TOKEN, "tokens": [1]})
    expected = client.post("/completion", json={"prompt": "How is the patient?"}).json()
    assert WELL in expected["content"]
    assert WELL in expected["prompt"]
    model.script = sent(*({"index": 0, "content": piece, "stop": False} for piece in pieces(CANARY_TEXT)), end)
    events = told(client, "/completion", prompt="How is the patient?")
    assert "".join(event["content"] for event in events) == expected["content"]
    assert (events[-1]["stop"], events[-1]["prompt"]) == (True, expected["prompt"])
    assert spelled([expected]) == spelled(events) == []


def test_sglang_says_the_same_whole_and_growing(client, model):
    info = {"id": "a", "prompt_tokens": 9, "completion_tokens": 12, "output_token_logprobs": PER_TOKEN}
    model.script = whole({"text": CANARY_TEXT, "output_ids": [1, 2], "meta_info": info | {"finish_reason": None}})
    expected = client.post("/generate", json={"text": "How is the patient?"}).json()
    assert WELL in expected["text"]
    grown = [CANARY_TEXT[:at] for at in range(1, len(CANARY_TEXT), 4)]
    end = {"text": CANARY_TEXT, "output_ids": [1], "meta_info": info | {"finish_reason": {"type": "stop"}}}
    model.script = sent(*({"text": text, "meta_info": info | {"finish_reason": None}} for text in grown), end)
    events = told(client, "/generate", text="How is the patient?")
    said = ""
    for event in events:
        assert event["text"].startswith(said)
        said = event["text"]
    assert said == expected["text"]
    assert spelled([expected]) == [canary for event in events for canary in spelled(event)] == []


def test_vllm_counts_tokens_and_pools(client, model):
    model.script = whole({"count": 3, "max_model_len": 4096, "tokens": [1, 2, 3], "token_strs": pieces(CANARY_TEXT)})
    counted = client.post("/tokenize", json={"model": "ward-assistant", "prompt": "hi"}).json()
    assert counted == {"count": 3, "max_model_len": 4096}
    model.script = whole({"id": "pool-1", "object": "list", "data": [{"index": 0, "data": [0.1, -0.2]}]})
    pooled = client.post("/pooling", json={"model": "ward-embedder", "input": "hi"}).json()
    assert pooled["data"] == [{"index": 0, "data": [0.1, -0.2]}]


@pytest.mark.parametrize("body", [b"", b'{"status":"ok"}'])
def test_servers_are_well_with_and_without_a_word(body, client, model):
    model.script = Answer(body, headers={"content-type": "application/json"} if body else {})
    answer = client.get("/health")
    assert (answer.status_code, answer.content) == (200, body)


def test_a_body_of_no_type_is_no_health(client, model):
    model.script = Answer(CANARY_TEXT.encode(), headers={})
    answer = client.get("/health")
    assert answer.status_code == 502
    assert spelled(answer.text) == []


REFUSED = [
    ("the slots of others", "GET", "/slots", None, 404, "route-unknown"),
    ("a slot to a file", "POST", "/slots/0?action=save", {"filename": "a"}, 403, "no-rule"),
    ("metrics", "GET", "/metrics", None, 404, "route-unknown"),
    ("settings", "GET", "/props", None, 403, "no-rule"),
    ("adapters", "POST", "/load_lora_adapter", {"lora_name": "a", "lora_path": "b"}, 403, "no-rule"),
    ("the cache", "POST", "/flush_cache", {}, 403, "no-rule"),
    (
        "an adapter of another name",
        "POST",
        "/load_lora_adapter",
        {"name": "a", "lora_name": "b"},
        400,
        "member-unknown",
    ),
    ("the server", "GET", "/get_server_info", None, 404, "route-unknown"),
    ("any call", "POST", "/collective_rpc", {"method": "a"}, 404, "route-unknown"),
    ("pieces alone", "POST", "/tokenize", {"content": "hi"}, 400, "malformed"),
    ("token ids", "POST", "/generate", {"input_ids": [1, 2]}, 415, "content-unreadable"),
    ("token ids in a prompt", "POST", "/completion", {"prompt": [1, "a"]}, 415, "content-unreadable"),
    ("two protocols in one", "POST", "/generate", {"text": "a", "inputs": "b"}, 400, "malformed"),
    ("a session", "POST", "/generate", {"text": "a", "session_params": {"id": "b"}}, 400, "stored-state"),
    ("another model in another case", "POST", "/api/show", {"model": "a", "Model": "b"}, 400, "malformed"),
    ("a model in Go's case", "POST", "/v1/embeddings", {"model": "a", "input": "b", "Model": "c"}, 400, "malformed"),
    ("an adapter", "POST", "/generate", {"text": "a", "lora_path": "b"}, 404, "model-unknown"),
    ("a list of models' names", "POST", "/completion", {"prompt": "a", "model": ["b"]}, 400, "model-missing"),
    ("another's sequence", "POST", "/v2/models/m/generate", {"text_input": "a", "sequence_id": 7}, 400, "stored-state"),
    ("one token", "POST", "/completion", {"prompt": "a", "n_predict": 1}, 400, "steering-refused"),
    ("a spelling", "POST", "/generate", {"text": "a", "sampling_params": {"regex": "[0-9]"}}, 400, "steering-refused"),
    ("an action that no rule permits", "POST", "/rerank", {"model": "m", "query": "a"}, 403, "no-rule"),
]


@pytest.mark.parametrize(
    ("sentence", "method", "path", "body", "status", "reason"), REFUSED, ids=[case[0] for case in REFUSED]
)
def test_what_is_refused(sentence, method, path, body, status, reason, client, model):
    answer = client.request(method, path, **({} if body is None else {"json": body}))
    assert (answer.status_code, answer.headers["phi-reason"]) == (status, reason)
    assert reason in json.dumps(answer.json())
    assert model.connections == 0


def test_a_route_that_permits_no_complete_is_refused_to_who_may_only_chat(gateway, bearers, model):
    with as_person(gateway, bearers["sam.lindqvist"]) as researcher:
        model.script = whole({"prompt": CANARY_TEXT})
        assert researcher.post("/completion", json={"prompt": "hi"}).status_code == 403
        asked = {"messages": [{"role": "user", "content": CANARY_TEXT}]}
        assert spelled(researcher.post("/apply-template", json=asked).json()) == []
        assert spelled(model.requests[-1].json()) == []
