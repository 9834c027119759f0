"""The official OpenAI client, unmodified: base URL and key changed, nothing else."""

import json

import openai
import pytest

from model_server import Answer
from tests.traffic import CANARY_TEXT, completion, events, leaks

pytestmark = pytest.mark.live

MESSAGES = [{"role": "user", "content": "How is the patient?"}]


@pytest.fixture
def connect(gateway):
    made = []

    def connect(bearer):
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=bearer, max_retries=0)
        made.append(client)
        return client

    yield connect
    for client in made:
        client.close()


def test_chat(connect, bearers, model):
    model.script = Answer(completion())
    answer = connect(bearers["dr.okafor"]).chat.completions.create(model="ward-assistant", messages=MESSAGES)
    assert "furosemide 40 mg" in answer.choices[0].message.content
    assert leaks(answer.choices[0].message.content) == []
    assert answer.usage.completion_tokens == 12


def test_chat_streamed(connect, bearers, model):
    model.script = Answer.events(events())
    stream = connect(bearers["dr.okafor"]).chat.completions.create(
        model="ward-assistant", messages=MESSAGES, stream=True
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "furosemide 40 mg" in text
    assert leaks(text) == []
    assert len(text) > len(CANARY_TEXT) / 2


def test_completions(connect, bearers, model):
    answer = connect(bearers["dr.okafor"]).completions.create(model="ward-assistant", prompt="Say something")
    assert isinstance(answer.choices[0].text, str)


def test_embeddings(connect, bearers, model):
    """The client asks for base64 by itself, and takes numbers as well."""
    vector = {"object": "embedding", "index": 0, "embedding": [0.25, -1.0], "text": CANARY_TEXT}
    answer = {"object": "list", "data": [vector], "model": "ward-embedder", "usage": {"prompt_tokens": 9}}
    model.script = Answer.json(answer)
    made = connect(bearers["dr.okafor"]).embeddings.create(model="ward-embedder", input="How is the patient?")
    assert made.data[0].embedding == [0.25, -1.0]
    assert leaks(made.model_dump_json()) == []
    assert model.requests[-1].json()["encoding_format"] == "float"


def test_models(connect, bearers, model):
    assert "ward-assistant" in [each.id for each in connect(bearers["dr.okafor"]).models.list()]


def test_no_believed_bearer_is_an_authentication_error(connect, model):
    with pytest.raises(openai.AuthenticationError) as refused:
        connect("not-a-bearer").chat.completions.create(model="ward-assistant", messages=MESSAGES)
    assert refused.value.code == "bearer-refused"
    assert model.connections == 0


def test_no_rule_is_a_permission_error_with_our_reason(connect, bearers, model):
    with pytest.raises(openai.PermissionDeniedError) as refused:
        connect(bearers["priya.raman"]).chat.completions.create(model="ward-assistant", messages=MESSAGES)
    assert refused.value.code == "no-rule"
    assert refused.value.response.headers["phi-reason"] == "no-rule"
    assert model.connections == 0


def test_a_recording_is_refused_where_no_rule_lets_it_through(connect, bearers, model):
    with pytest.raises(openai.PermissionDeniedError) as refused:
        connect(bearers["dr.okafor"]).audio.transcriptions.create(model="ward-assistant", file=("a.wav", b"RIFF"))
    assert refused.value.code == "no-rule"
    assert model.connections == 0


def test_logprobs_are_not_asked_for_and_the_client_reads_the_answer_all_the_same(connect, bearers, model):
    tree = json.loads(completion())
    tree["choices"][0]["logprobs"] = {
        "content": [{"token": CANARY_TEXT, "bytes": [], "logprob": 0, "top_logprobs": []}]
    }
    model.script = Answer.json(tree)
    answer = connect(bearers["dr.okafor"]).chat.completions.create(
        model="ward-assistant", messages=MESSAGES, logprobs=True, top_logprobs=2, store=True
    )
    assert answer.choices[0].logprobs is None
    assert leaks(answer.model_dump_json()) == []
    assert model.requests[-1].json().keys() == {"model", "messages"}


@pytest.mark.parametrize(
    "more", [{"max_tokens": 1}, {"logit_bias": {"7": 100}}, {"extra_body": {"guided_regex": "[0-9]"}}]
)
def test_steering_is_refused_under_a_mask(connect, bearers, model, more):
    with pytest.raises(openai.BadRequestError) as refused:
        connect(bearers["dr.okafor"]).chat.completions.create(model="ward-assistant", messages=MESSAGES, **more)
    assert refused.value.code == "steering-refused"
    assert model.connections == 0
