"""The official Cohere client, unmodified: base URL and key changed, nothing else."""

import cohere
import httpx
import pytest
from cohere.core.api_error import ApiError

from model_server import Answer
from tests.dialect import test_cohere as spoken
from tests.dialect.reading import sse, traces
from tests.traffic import CANARY_NAME, CANARY_TEXT

pytestmark = pytest.mark.live

QUESTION = [{"role": "user", "content": "How is the patient?"}]
ASKED = {"model": "ward-assistant", "messages": QUESTION}
ANSWER = spoken.answer(
    {
        "content": [{"type": "text", "text": CANARY_TEXT}],
        "tool_plan": CANARY_TEXT,
        "tool_calls": [spoken.call(1, spoken.FIELDS)],
        "citations": [spoken.CITATION],
    }
)


@pytest.fixture
def connect(wide):
    with httpx.Client(timeout=20, trust_env=False) as connections:
        yield lambda bearer: cohere.ClientV2(base_url=wide.url, api_key=bearer, max_retries=0, httpx_client=connections)


def test_chat(connect, bearers, model):
    model.script = Answer.json(ANSWER)
    answer = connect(bearers["dr.okafor"]).chat(**ASKED)
    assert "furosemide 40 mg" in answer.message.content[0].text
    assert answer.message.tool_calls[0].function.name == "send"
    assert answer.message.citations[0].sources[1].type == "tool"
    assert answer.finish_reason == "COMPLETE"
    assert traces(answer.model_dump()) == []
    assert bearers["dr.okafor"].encode() not in model.received


def test_chat_streamed(connect, bearers, model):
    model.script = Answer.events([sse(*spoken.events(ANSWER, 3, 2)), b"data: [DONE]\n\n"])
    text = plan = arguments = ""
    kinds = []
    for event in connect(bearers["dr.okafor"]).chat_stream(**ASKED):
        kinds.append(event.type)
        if event.type in {"content-start", "content-delta"}:
            text += event.delta.message.content.text
        elif event.type == "tool-plan-delta":
            plan += event.delta.message.tool_plan
        elif event.type in {"tool-call-start", "tool-call-delta"}:
            arguments += event.delta.message.tool_calls.function.arguments
        elif event.type == "message-end":
            assert event.delta.usage.tokens.output_tokens == 12
    assert "furosemide 40 mg" in text
    assert "furosemide 40 mg" in plan
    assert "furosemide 40 mg" in arguments
    assert traces(text + plan + arguments) == []
    assert kinds[0] == "message-start"
    assert kinds[-1] == "message-end"


def test_embed_and_rerank(connect, bearers, model):
    client = connect(bearers["dr.okafor"])
    model.script = Answer.json({"id": "e", "embeddings": {"float": [[0.1, -0.25]]}, "texts": [CANARY_TEXT]})
    made = client.embed(model="m", input_type="search_query", embedding_types=["float"], texts=[CANARY_TEXT])
    assert made.embeddings.float_ == [[0.1, -0.25]]
    assert traces(made.texts) == []
    model.script = Answer.json({"id": "r", "results": [{"index": 1, "relevance_score": 0.9}]})
    ranked = client.rerank(model="m", query=CANARY_NAME, documents=["a", "b"])
    assert (ranked.results[0].index, ranked.results[0].relevance_score) == (1, 0.9)


def test_a_masked_prompt(connect, bearers, model):
    model.script = Answer.json(ANSWER)
    messages = [{"role": "system", "content": CANARY_TEXT}, *QUESTION]
    connect(bearers["sam.lindqvist"]).chat(model="ward-assistant", messages=messages, documents=[CANARY_TEXT])
    onward = model.requests[0].json()
    assert traces(onward) == []
    assert "furosemide 40 mg" in onward["documents"][0]


def test_refusals_are_the_clients_own_errors(connect, bearers, model):
    with pytest.raises(cohere.UnauthorizedError, match="bearer-refused"):
        connect("not-a-bearer").chat(**ASKED)
    with pytest.raises(cohere.ForbiddenError, match="permits this"):
        connect(bearers["priya.raman"]).chat(**ASKED)
    with pytest.raises(cohere.BadRequestError, match="may not decide word by word"):
        connect(bearers["dr.okafor"]).chat(**ASKED, max_tokens=1)
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]}]
    with pytest.raises(ApiError, match="cannot read"):
        connect(bearers["dr.okafor"]).chat(model="m", messages=image)
    assert model.connections == 0


def test_the_servers_errors_reach_the_client_masked(connect, bearers, model):
    client = connect(bearers["dr.okafor"])
    model.script = Answer.json({"message": f"too long: {CANARY_TEXT}"}, status=400)
    with pytest.raises(cohere.BadRequestError, match="too long") as refused:
        client.chat(**ASKED)
    assert traces(str(refused.value)) == []
    told = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": f"too long: {CANARY_TEXT}"}}
    model.script = Answer.events([sse(*list(spoken.events(ANSWER))[:8], told)])
    *_, last = client.chat_stream(**ASKED)
    assert last.delta.finish_reason == "ERROR"
    assert last.delta.error.startswith("too long")
    assert traces(last.delta.error) == []


def test_a_stream_that_the_gateway_breaks_off_ends_with_an_error(connect, bearers, model):
    model.script = Answer.events([sse(*list(spoken.events(ANSWER))[:8], {"type": "novel", "text": CANARY_TEXT})])
    seen = []
    with pytest.raises(httpx.RemoteProtocolError):
        seen.extend(connect(bearers["dr.okafor"]).chat_stream(**ASKED))
    last = seen[-1]
    assert (last.delta.finish_reason, last.delta.error) == ("ERROR", "The gateway broke this answer off.")
