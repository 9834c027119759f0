"""The official OpenAI client and its responses: whole, streamed, with tools, refused, and cut off."""

import json

import openai
import pytest

from model_server import Answer
from tests.dialect.test_openai_responses import CALL, LIVES, NOTE, item, message, response, stream
from tests.dialect.test_openai_responses import life as life_of
from tests.traffic import leaks

pytestmark = pytest.mark.live

ASKED = {"model": "ward-assistant", "input": "How is the patient?"}


@pytest.fixture
def client(gateway, bearers):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=bearers["dr.okafor"], max_retries=0) as made:
        yield made


def sent(*events):
    return Answer.events([f"event: {each.get('type', '')}\ndata: {json.dumps(each)}\n\n".encode() for each in events])


def test_whole(client, model):
    call = item("function_call", **CALL, arguments=json.dumps({"to": NOTE}))
    model.script = Answer.json(response(message(NOTE), call, instructions=NOTE))
    made = client.responses.create(**ASKED, store=True, include=["message.output_text.logprobs"])
    assert "furosemide 40 mg" in made.output_text
    assert "furosemide 40 mg" in json.loads(made.output[1].arguments)["to"]
    assert leaks(made.model_dump_json()) == []
    asked = model.requests[-1].json()
    assert asked["store"] is False
    assert "include" not in asked


@pytest.mark.parametrize("name", LIVES)
def test_streamed(client, model, name):
    made = LIVES[name][2]
    model.script = sent(*stream(*life_of(*LIVES[name]), output=(message("Stable."), made)))
    events = list(client.responses.create(**ASKED, stream=True))
    assert events[-1].type == "response.completed"
    text = "".join(each.delta for each in events if each.type.endswith(".delta"))
    assert "furosemide 40 mg" in text
    assert leaks(text + "".join(each.model_dump_json() for each in events)) == []


def test_the_client_puts_a_stream_together(client, model):
    model.script = sent(*stream(*life_of(*LIVES["a text"]), output=(message("Stable."), LIVES["a text"][2])))
    with client.responses.stream(**ASKED) as events:
        for _ in events:
            pass
        made = events.get_final_response()
    assert "furosemide 40 mg" in made.output_text
    assert leaks(made.model_dump_json()) == []


def test_an_error_of_the_server_is_the_client_s_and_masked(client, model):
    model.script = Answer.json({"error": {"message": f"cannot parse: {NOTE}"}}, status=400)
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**ASKED)
    assert "cannot parse" in str(refused.value)
    assert leaks(str(refused.value)) == []


def test_an_error_in_a_stream_is_told_masked(client, model):
    model.script = sent({"type": "error", "code": "server_error", "message": NOTE, "param": None, "sequence_number": 0})
    (event,) = client.responses.create(**ASKED, stream=True)
    assert (event.type, event.code) == ("error", "server_error")
    assert "furosemide" in event.message
    assert leaks(event.message) == []


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.novel.delta", "delta": NOTE},
        {"type": "response.output_text.delta", "output_index": "0", "delta": NOTE},
        {"type": "response.audio.delta", "delta": "WmVidWxvbg=="},
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "x" * 5_000_000},
    ],
    ids=["nobody knows it", "it stands nowhere", "it is sound", "it is too large"],
)
def test_a_stream_that_cannot_be_read_is_an_error_of_the_client_s(client, model, event):
    model.script = sent(*stream()[:1], event)
    with pytest.raises(openai.APIError) as broken:
        list(client.responses.create(**ASKED, stream=True))
    assert "broke this answer off" in str(broken.value)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"previous_response_id": "resp_1"}, "stored-state"),
        ({"background": True}, "stored-state"),
        ({"max_output_tokens": 1}, "steering-refused"),
    ],
)
def test_what_is_refused_is_the_client_s_error_with_our_reason(client, model, more, code):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(**ASKED, **more)
    assert refused.value.code == code
    assert model.connections == 0


STORED = {
    "a response": lambda client: client.responses.retrieve("resp_1"),
    "a response, streamed again": lambda client: client.responses.retrieve("resp_1", stream=True, starting_after=1),
    "what was asked": lambda client: client.responses.input_items.list("resp_1"),
    "a response to cancel": lambda client: client.responses.cancel("resp_1"),
    "a chat": lambda client: client.chat.completions.retrieve("chatcmpl-1"),
    "a chat's messages": lambda client: client.chat.completions.messages.list("chatcmpl-1"),
    "a file": lambda client: client.files.content("file-1"),
    "files": lambda client: client.files.list(),
    "batches": lambda client: client.batches.list(),
    "vector stores": lambda client: client.vector_stores.list(),
    "containers": lambda client: client.containers.list(),
    "evaluations": lambda client: client.evals.list(),
    "fine-tuning": lambda client: client.fine_tuning.jobs.list(),
    "a conversation": lambda client: client.conversations.items.list("conv_1"),
    "speech": lambda client: client.audio.speech.create(model="ward-assistant", voice="alloy", input="x"),
    "an image": lambda client: client.images.generate(model="ward-assistant", prompt="x"),
}


@pytest.mark.parametrize("ask", STORED.values(), ids=STORED)
def test_what_the_server_keeps_or_cannot_be_masked_has_no_route(client, model, ask):
    with pytest.raises(openai.NotFoundError) as refused:
        ask(client)
    assert refused.value.code == "route-unknown"
    assert model.connections == 0
