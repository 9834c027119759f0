"""The official Anthropic client, unmodified: base URL and key changed, nothing else."""

import anthropic
import pytest

from model_server import CUT, Answer
from tests.dialect import test_anthropic as spoken
from tests.dialect.reading import sse, traces
from tests.traffic import CANARY_TEXT

pytestmark = pytest.mark.live

QUESTION = [{"role": "user", "content": "How is the patient?"}]
ASKED = {"model": "ward-assistant", "max_tokens": 400, "messages": QUESTION}
BLOCKS = [dict(spoken.BLOCKS)[kind] for kind in ("thinking", "text", "a tool call")]
ANSWER = spoken.message(*BLOCKS)


@pytest.fixture
def connect(gateway):
    made = []

    def connect(bearer, **more):
        client = anthropic.Anthropic(base_url=gateway.url, api_key=bearer, max_retries=0, **more)
        made.append(client)
        return client

    yield connect
    for client in made:
        client.close()


def check(message):
    thinking, text, call = message.content
    assert "furosemide 40 mg" in text.text
    assert "furosemide 40 mg" in thinking.thinking
    assert thinking.signature == ""
    assert (call.name, call.id) == ("send", "toolu_5362281450")
    assert call.input.keys() == {"patient_name", "mrn", "notes"}
    assert text.citations[0].document_index == 0
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 12)
    assert traces(message.model_dump()) == []


def test_messages(connect, bearers, model):
    model.script = Answer.json(ANSWER)
    client = connect(bearers["dr.okafor"])
    check(client.messages.create(**ASKED))
    check(client.beta.messages.create(**ASKED))
    for request in model.requests:
        assert (request.header("anthropic-version"), request.header("authorization")) == ("2023-06-01", None)
        assert bearers["dr.okafor"].encode() not in request.raw


def test_messages_streamed(connect, bearers, model):
    model.script = Answer.events([sse(*spoken.events(ANSWER, 3, 2))])
    with connect(bearers["dr.okafor"]).messages.stream(**ASKED) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    check(message)
    assert text == message.content[1].text


def test_a_history_with_masked_thinking_and_calls_is_accepted_again(connect, bearers, model):
    model.script = Answer.json(ANSWER)
    client = connect(bearers["sam.lindqvist"])
    first = client.messages.create(**ASKED)
    result = {"type": "tool_result", "tool_use_id": first.content[2].id, "content": CANARY_TEXT}
    history = [
        *QUESTION,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in first.content[::2]]},
        {"role": "user", "content": [result]},
    ]
    client.messages.create(**ASKED | {"messages": history, "system": CANARY_TEXT, "metadata": {"user_id": CANARY_TEXT}})
    onward = model.requests[1].json()
    assert traces(onward) == []
    assert onward["messages"][2]["content"][0]["tool_use_id"] == "toolu_5362281450"
    assert "furosemide 40 mg" in onward["system"]


def test_tokens_are_counted(connect, bearers, model):
    model.script = Answer.json({"input_tokens": 20177})
    counted = connect(bearers["dr.okafor"]).messages.count_tokens(model="ward-assistant", messages=QUESTION)
    assert counted.input_tokens == 20177


def test_the_bearer_in_the_protocols_own_field(connect, bearers, model):
    model.script = Answer.json(ANSWER)
    own = {"X-Api-Key": bearers["dr.okafor"], "Authorization": anthropic.Omit()}
    check(connect("unused", default_headers=own).messages.create(**ASKED))


def test_refusals_are_the_clients_own_errors(connect, bearers, model):
    with pytest.raises(anthropic.AuthenticationError, match="'code': 'bearer-refused'"):
        connect("not-a-bearer").messages.create(**ASKED)
    with pytest.raises(anthropic.PermissionDeniedError, match="permits this") as refused:
        connect(bearers["priya.raman"]).messages.create(**ASKED)
    assert refused.value.response.headers["phi-reason"] == "no-rule"
    with pytest.raises(anthropic.BadRequestError, match="may not decide word by word"):
        connect(bearers["dr.okafor"]).messages.create(**ASKED | {"max_tokens": 1})
    image = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}]
    with pytest.raises(anthropic.APIStatusError, match="cannot read"):
        connect(bearers["dr.okafor"]).messages.create(**ASKED | {"messages": [{"role": "user", "content": image}]})
    assert model.connections == 0


def test_the_servers_errors_reach_the_client_masked(connect, bearers, model):
    told = {"type": "error", "error": {"type": "invalid_request_error", "message": f"too long: {CANARY_TEXT}"}}
    model.script = Answer.json(told, status=400)
    client = connect(bearers["dr.okafor"])
    with pytest.raises(anthropic.BadRequestError, match="too long") as refused:
        client.messages.create(**ASKED)
    assert traces(str(refused.value)) == []
    model.script = Answer.events([sse(*list(spoken.events(ANSWER))[:8], told)])
    with (
        pytest.raises(anthropic.APIStatusError, match="too long") as broken,
        client.messages.stream(**ASKED) as stream,
    ):
        stream.until_done()
    assert traces(str(broken.value)) == []


@pytest.mark.parametrize(
    "more", [sse({"type": "novel", "text": CANARY_TEXT}), b"data: {\n\n"], ids=["a kind nobody knows", "no event"]
)
def test_a_stream_that_the_gateway_breaks_off_is_an_error_of_the_client(connect, bearers, model, more):
    model.script = Answer.events([sse(*list(spoken.events(ANSWER))[:8]), more])
    client = connect(bearers["dr.okafor"])
    with pytest.raises(anthropic.APIStatusError, match="broke this answer off"), client.messages.stream(**ASKED) as end:
        end.until_done()


def test_a_stream_that_dies_is_no_answer(connect, bearers, model):
    model.script = Answer.events([sse(*list(spoken.events(ANSWER))[:8]), CUT])
    client = connect(bearers["dr.okafor"])
    with pytest.raises(Exception) as raised, client.messages.stream(**ASKED) as stream:  # noqa: PT011 -- of any layer
        stream.get_final_message()
    assert traces(str(raised.value)) == []
