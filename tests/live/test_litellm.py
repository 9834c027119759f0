"""LiteLLM's proxy behind a gateway: what a server that nobody here wrote says, read by the official clients."""

import json

import anthropic
import openai
import pytest

from model_server import Answer, ModelServer
from processes import Gateway
from tests.peers.litellm_peer import LiteLLM, behind, canned
from tests.traffic import CANARY_TEXT, chat, leaks

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]  # it may have to be installed first

ASKED = chat()
ARGUMENTS = json.dumps({"to": CANARY_TEXT, "copies": 2})
CALL = {"id": "call_1", "type": "function", "function": {"name": "send", "arguments": ARGUMENTS}}
TOOLS = [{"type": "function", "function": {"name": "send", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
def farther():
    """What stands behind LiteLLM where its canned answers do not do: pieces of a tool's call, errors in words."""
    with ModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def peer(farther):
    models = {
        "ward-assistant": canned(CANARY_TEXT),
        "ward-caller": canned("", mock_tool_calls=[CALL]),
        "ward-broken": canned("litellm.InternalServerError"),
        "ward-farther": behind(farther.url),
    }
    with LiteLLM(models) as running:
        yield running


@pytest.fixture(scope="module")
def before(peer, policy, tmp_path_factory):
    with Gateway(peer.url, policy, tmp_path_factory.mktemp("litellm")) as running:
        yield running


@pytest.fixture(scope="module")
def client(before, bearers):
    with openai.OpenAI(base_url=f"{before.url}/v1", api_key=bearers["dr.okafor"], max_retries=0) as made:
        yield made


def good(text):
    return "furosemide 40 mg" in text and leaks(text) == []


def pieces(deltas, finish):
    """A stream of a chat's deltas, as the server behind LiteLLM tells it."""
    frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "ward-assistant"}
    choices = [
        *({"index": 0, "delta": delta, "finish_reason": None} for delta in deltas),
        {"index": 0, "delta": {}, "finish_reason": finish},
    ]
    said = [json.dumps(frame | {"choices": [choice]}) for choice in choices]
    return Answer.events([*(f"data: {each}\n\n".encode() for each in said), b"data: [DONE]\n\n"])


def test_whole(client):
    answer = client.chat.completions.create(**ASKED)
    assert good(answer.choices[0].message.content)
    assert leaks(answer.model_dump_json()) == []
    assert (answer.model, answer.usage.total_tokens) == ("ward-assistant", 30)


def test_streamed(client):
    """Three characters a chunk, two answers in one, no role in half of them, tokens counted at the end."""
    more = {"n": 2, "stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(**ASKED, **more))
    texts = ["", ""]
    for choice in (choice for chunk in chunks for choice in chunk.choices):
        texts[choice.index] += choice.delta.content or ""
    assert [good(text) for text in texts] == [True, True]
    assert "stop" in {choice.finish_reason for chunk in chunks for choice in chunk.choices}
    assert [chunk.usage.total_tokens > 0 for chunk in chunks if chunk.usage] == [True]


def test_streamed_within_some_chunks(client):
    chunks = list(client.chat.completions.create(**ASKED, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert good(text)
    assert len(chunks) > 5


def test_a_tool_is_called(client):
    answer = client.chat.completions.create(**ASKED | {"model": "ward-caller"}, tools=TOOLS)
    (call,) = answer.choices[0].message.tool_calls
    assert (call.id, call.function.name) == ("call_1", "send")
    said = json.loads(call.function.arguments)
    assert good(said["to"])
    assert said["copies"] == 2


def test_a_tool_is_called_in_pieces(client, farther):
    head = {"index": 0} | CALL | {"function": {"name": "send", "arguments": ""}}
    rest = [{"index": 0, "function": {"arguments": ARGUMENTS[at : at + 5]}} for at in range(0, len(ARGUMENTS), 5)]
    farther.script = pieces([{"role": "assistant", "tool_calls": [each]} for each in (head, *rest)], "tool_calls")
    asked = ASKED | {"model": "ward-farther", "tools": TOOLS}
    with client.chat.completions.stream(**asked) as events:
        for _ in events:
            pass
        answer = events.get_final_completion()
    (call,) = answer.choices[0].message.tool_calls
    assert (call.id, call.function.name, answer.choices[0].finish_reason) == ("call_1", "send", "tool_calls")
    said = json.loads(call.function.arguments)
    assert good(said["to"])
    assert said["copies"] == 2


def test_reasoning_in_pieces(client, farther):
    parts = [CANARY_TEXT[at : at + 5] for at in range(0, len(CANARY_TEXT), 5)]
    farther.script = pieces([{"reasoning_content": part} for part in parts] + [{"content": "Stable."}], "stop")
    chunks = list(client.chat.completions.create(**ASKED | {"model": "ward-farther"}, stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert good("".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas))
    assert "".join(delta.content or "" for delta in deltas) == "Stable."


def test_completions(client):
    asked = {"model": "ward-assistant", "prompt": "How is the patient?"}
    assert good(client.completions.create(**asked).choices[0].text)
    assert good(
        "".join(
            chunk.choices[0].text or "" for chunk in client.completions.create(**asked, stream=True) if chunk.choices
        )
    )


def test_responses(client):
    answer = client.responses.create(model="ward-assistant", input="How is the patient?")
    assert good(answer.output_text)
    assert leaks(answer.model_dump_json()) == []


def test_messages(before, bearers):
    with anthropic.Anthropic(base_url=before.url, api_key=bearers["dr.okafor"], max_retries=0) as made:
        answer = made.messages.create(model="ward-assistant", max_tokens=400, messages=ASKED["messages"])
    assert good(answer.content[0].text)
    assert leaks(answer.model_dump_json()) == []


def test_models(client):
    named = {each.id for each in client.models.list()}
    assert named == {"ward-assistant", "ward-caller", "ward-broken", "ward-farther"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("status", "error"),
    [(400, openai.BadRequestError), (429, openai.RateLimitError), (500, openai.InternalServerError)],
)
def test_an_error_that_tells_of_a_patient(client, farther, status, error, stream):
    fault = {"message": f"cannot read: {CANARY_TEXT}", "type": "invalid_request_error", "code": "unreadable"}
    farther.script = Answer.json({"error": fault}, status=status)
    with pytest.raises(error) as refused:
        client.chat.completions.create(**ASKED | {"model": "ward-farther"}, stream=stream)
    assert refused.value.code == "upstream-refused"
    assert good(str(refused.value))


def test_errors_of_its_own(client):
    with pytest.raises(openai.InternalServerError) as refused:
        client.chat.completions.create(**ASKED | {"model": "ward-broken"})
    assert refused.value.code == "upstream-refused"
    with pytest.raises(openai.BadRequestError, match="model=ward-stranger"):
        client.chat.completions.create(**ASKED | {"model": "ward-stranger"})


def test_who_may_not_ask_does_not_reach_it(before, client, peer, bearers):
    def asked():
        return peer.said().count("POST /v1/chat/completions")

    earlier = asked()
    client.chat.completions.create(**ASKED)
    assert asked() == earlier + 1
    for bearer, error, code in (
        ("not-a-bearer", openai.AuthenticationError, "bearer-refused"),
        (bearers["priya.raman"], openai.PermissionDeniedError, "no-rule"),
    ):
        other = client.with_options(api_key=bearer)
        for stream in (False, True):
            with pytest.raises(error) as refused:
                other.chat.completions.create(**ASKED, stream=stream)
            assert refused.value.code == code
    assert asked() == earlier + 1
