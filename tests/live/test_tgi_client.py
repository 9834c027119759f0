"""Hugging Face's own client of text-generation-inference, unmodified: address and bearer changed, nothing else."""

import json

import huggingface_hub
import pytest
from huggingface_hub.errors import GenerationError, HfHubHTTPError, OverloadedError

from model_server import EVENTS, Answer
from tests.seen import pieces, spelled
from tests.traffic import CANARY_TEXT

pytestmark = pytest.mark.live

WELL = "furosemide 40 mg"
DETAILS = {"finish_reason": "eos_token", "generated_tokens": 12, "seed": None}


@pytest.fixture
def connect(gateway):
    return lambda bearer: huggingface_hub.InferenceClient(base_url=gateway.url, api_key=bearer)


@pytest.fixture
def client(connect, bearers):
    return connect(bearers["dr.okafor"])


def one(text, special=False):
    return {"id": 450, "text": text, "logprob": -0.25, "special": special}


TOKENS = [one(piece) for piece in pieces(CANARY_TEXT)]


def whole(**details):
    return Answer(json.dumps([{"generated_text": CANARY_TEXT, **details}]).encode())


def stream(*tokens, **last):
    frame = {"generated_text": None, "details": None}
    given = [{"index": at, "token": token, **frame} for at, token in enumerate(tokens)]
    if last:
        given.append({"index": len(tokens), "token": one("</s>", special=True), **last})
    return sent(*given)


def sent(*given):
    return Answer([b"data:" + json.dumps(each).encode() + b"\n\n" for each in given], headers=EVENTS)


def test_a_text(client, model):
    model.script = whole()
    text = client.text_generation("How is the patient?", max_new_tokens=100)
    assert WELL in text
    assert spelled(text) == []
    assert model.requests[-1].json()["parameters"]["max_new_tokens"] == 100


def test_a_text_with_its_details(client, model):
    model.script = whole(details=DETAILS | {"prefill": TOKENS, "tokens": TOKENS, "top_tokens": [TOKENS]})
    answer = client.text_generation("How is the patient?", details=True)
    assert WELL in answer.generated_text
    assert (answer.details.generated_tokens, answer.details.tokens) == (12, [])
    assert spelled(json.loads(json.dumps(answer))) == []


def test_a_text_streamed_says_the_same(client, model):
    model.script = whole()
    expected = client.text_generation("How is the patient?")
    model.script = stream(*TOKENS, generated_text=CANARY_TEXT, details=DETAILS)
    assert "".join(client.text_generation("How is the patient?", stream=True)) == expected
    parts = list(client.text_generation("How is the patient?", stream=True, details=True))
    assert "".join(part.token.text for part in parts) == parts[-1].generated_text == expected
    assert parts[-1].details.generated_tokens == 12
    assert {part.token.id for part in parts} == {0}
    assert spelled(json.loads(json.dumps(parts))) == []


def test_an_error_in_a_stream_is_the_client_s_own_and_masked(client, model):
    model.script = sent(
        {"index": 0, "token": one("The "), "generated_text": None, "details": None},
        {"error": CANARY_TEXT, "error_type": "generation"},
    )
    with pytest.raises(GenerationError, match=WELL) as refused:
        list(client.text_generation("How is the patient?", stream=True))
    assert spelled(str(refused.value)) == []


def test_a_stream_that_cannot_be_read_is_an_error_of_the_client_s_own(client, model):
    model.script = Answer([f"data: {CANARY_TEXT}\n\n".encode()], headers=EVENTS)
    with pytest.raises(GenerationError, match="broke this answer off"):
        list(client.text_generation("How is the patient?", stream=True))


def test_an_error_of_the_server_is_the_client_s_own_and_masked(client, model):
    model.script = Answer(json.dumps({"error": CANARY_TEXT, "error_type": "overloaded"}).encode(), status=429)
    with pytest.raises(OverloadedError, match=WELL) as refused:
        client.text_generation("How is the patient?")
    assert spelled(str(refused.value)) == []


REFUSED = [
    ("no believed bearer", "none", {}, 401, "bearer-refused"),
    ("no rule", "priya.raman", {}, 403, "no-rule"),
    ("an image", "dr.okafor", {"prompt": "![](https://example.org/a.png)"}, 415, "content-unreadable"),
    ("one token", "dr.okafor", {"max_new_tokens": 1}, 400, "steering-refused"),
    ("a spelling", "dr.okafor", {"grammar": {"type": "regex", "value": "[0-9]"}}, 400, "steering-refused"),
]


@pytest.mark.parametrize(("sentence", "who", "how", "status", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
def test_a_refusal_is_the_client_s_own_error(sentence, who, how, status, reason, connect, bearers, model):
    with pytest.raises(HfHubHTTPError) as refused:
        connect(bearers.get(who, who)).text_generation(**{"prompt": "How is the patient?"} | how)
    assert refused.value.response.status_code == status
    assert refused.value.response.headers["phi-reason"] == reason
    assert refused.value.response.json()["error"] in str(refused.value)
    assert model.connections == 0


def test_a_chat(client, model):
    assert isinstance(client.chat_completion([{"role": "user", "content": "hi"}], model="ward-assistant").choices, list)
