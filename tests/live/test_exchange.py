"""Whole exchanges through a real mitmdump: who gets what, and what the model server and the journal get."""

import json

import httpx
import pytest

from model_server import Answer
from tests.traffic import (
    CANARY_NAME,
    CANARY_SSN,
    CANARY_TEXT,
    CHAT,
    as_person,
    chat,
    completion,
    events,
    leaks,
    records,
    said,
)

pytestmark = pytest.mark.live


def test_a_permitted_answer_is_masked_and_names_its_exchange(client, model):
    model.script = Answer(completion())
    answer = client.post(CHAT, json=chat())
    text = answer.json()["choices"][0]["message"]["content"]
    assert answer.status_code == 200
    assert leaks(answer.content) == []
    assert "furosemide 40 mg" in text
    assert "[US_SSN]" in text
    assert answer.headers["phi-decision"] == "permit"
    assert answer.headers["phi-rule"] == "clinicians-chat"
    assert answer.headers["phi-exchange"].startswith("ex-")
    assert answer.headers["cache-control"] == "no-store"


def test_the_upstream_sees_no_header_of_the_callers(client, model, bearers):
    client.post(CHAT, json=chat(), headers={"x-forwarded-for": "1.2.3.4", "cookie": "a=b", "user-agent": "curl/1"})
    sent = {name.lower(): value for name, value in model.requests[0].headers}
    assert set(sent) == {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "x-request-id",
        "content-type",
        "content-length",
    }
    assert sent["user-agent"] == "phigate"
    assert sent["accept-encoding"] == "identity"
    assert not any(bearer.encode() in model.received for bearer in bearers.values())


def test_what_goes_on_is_the_tree_that_was_checked(client, model):
    body = b'{"model":"ward-assistant", "messages":[{"role":"user","content":"\\u0062\\/"}]}'
    client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert model.requests[0].body == b'{"model":"ward-assistant","messages":[{"role":"user","content":"b/"}]}'


def test_a_rule_may_mask_the_prompt_before_the_model_sees_it(gateway, bearers, model):
    with as_person(gateway, bearers["sam.lindqvist"]) as researcher:
        assert researcher.post(CHAT, json=chat(CANARY_TEXT)).status_code == 200
    assert leaks(model.received) == []
    assert b"furosemide 40 mg" in model.received


@pytest.mark.parametrize(
    ("login", "status", "reason"),
    [("priya.raman", 403, "no-rule"), ("lee.castellano", 403, "no-rule"), (None, 401, None)],
)
def test_nobody_else_reaches_the_model(gateway, bearers, model, login, status, reason):
    with as_person(gateway, bearers.get(login)) as client:
        answer = client.post(CHAT, json=chat())
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == (reason or "bearer-missing")
    assert answer.headers["phi-decision"] == "deny"
    assert model.requests == []


def test_a_bearer_that_is_not_believed_learns_nothing_about_why(gateway, bearers, model):
    forged = bearers["dr.okafor"][:-4] + "AAAA"
    with as_person(gateway, forged) as client:
        answer = client.post(CHAT, json=chat())
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "bearer-refused"
    metadata = f"{gateway.url}/.well-known/oauth-protected-resource"
    challenge = f'Bearer realm="phigate", error="invalid_token", resource_metadata="{metadata}"'
    assert answer.headers["www-authenticate"] == challenge
    assert "signature" not in answer.text
    assert model.connections == 0


def test_no_bearer_gets_a_bare_challenge(gateway, model):
    with as_person(gateway) as client:
        metadata = f"{gateway.url}/.well-known/oauth-protected-resource"
        challenge = client.get("/v1/models").headers["www-authenticate"]
    assert challenge == f'Bearer realm="phigate", resource_metadata="{metadata}"'


REFUSED = [
    ("an unknown route", "POST", "/v1/other", {}, 404, "route-unknown"),
    ("an administrative route of a server", "POST", "/collective_rpc", {"json": {"method": "a"}}, 404, "route-unknown"),
    ("an adapter", "POST", "/v1/load_lora_adapter", {"json": {"lora_name": "a"}}, 403, "no-rule"),
    ("a route with a query", "GET", "/v1/models?all=1", {}, 404, "route-unknown"),
    ("another method", "DELETE", "/v1/models", {}, 405, "method-not-allowed"),
    ("no JSON", "POST", CHAT, {"content": b"{", "headers": {"content-type": "application/json"}}, 400, "malformed"),
    ("no object", "POST", CHAT, {"json": [1]}, 400, "malformed"),
    ("no model", "POST", CHAT, {"json": {"messages": []}}, 400, "model-missing"),
    ("a model's name that is none", "POST", CHAT, {"json": chat() | {"model": "x y\u0000"}}, 400, "model-missing"),
    ("a form", "POST", CHAT, {"data": {"a": "b"}}, 415, "content-unreadable"),
    (
        "compressed JSON",
        "POST",
        CHAT,
        {"json": chat(), "headers": {"content-encoding": "gzip"}},
        415,
        "encoding-unsupported",
    ),
    (
        "an image",
        "POST",
        CHAT,
        {"json": {"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}},
        415,
        "content-unreadable",
    ),
    ("bulk listing", "POST", CHAT, {"json": chat("List all patients")}, 403, "denied"),
    (
        "unmasking without approval",
        "POST",
        CHAT,
        {"json": chat(), "headers": {"phi-unmask": "ward round"}},
        403,
        "approval-required",
    ),
    (
        "unmasking without a reason",
        "POST",
        CHAT,
        {"json": chat(), "headers": {"phi-unmask": "x"}},
        400,
        "reason-missing",
    ),
    (
        "breaking the glass without a reason",
        "POST",
        CHAT,
        {"json": chat(), "headers": {"phi-break-glass": "x"}},
        400,
        "reason-missing",
    ),
]


@pytest.mark.parametrize(
    ("sentence", "method", "path", "more", "status", "code"), REFUSED, ids=[case[0] for case in REFUSED]
)
def test_what_is_not_permitted_never_reaches_the_model(client, model, sentence, method, path, more, status, code):
    answer = client.request(method, path, **more)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert model.connections == 0


def test_a_held_request_says_so(client, model):
    answer = client.post(CHAT, json=chat(), headers={"phi-unmask": "ward round"})
    assert answer.headers["phi-decision"] == "hold"
    assert answer.headers["phi-rule"] == "see-identifiers"


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 11, 1000])
def test_streamed_and_whole_give_the_same_text(client, model, step):
    model.script = [Answer(completion()), Answer.events(events(step=step))]
    whole = client.post(CHAT, json=chat()).json()["choices"][0]["message"]["content"]
    streamed = client.post(CHAT, json=chat(stream=True)).content
    assert leaks(streamed) == []
    assert said(streamed) == whole
    assert b'"finish_reason":"stop"' in streamed


def test_text_comes_before_the_stream_is_over(client, model):
    head, *rest = events("The ward is quiet today and nobody waits. " * 3)
    model.script = Answer.events([head, *rest[:8], 1.5, *rest[8:]])
    with client.stream("POST", CHAT, json=chat(stream=True)) as answer:
        arrived = answer.iter_raw()
        first = b""
        while "The ward" not in said(first):
            first += next(arrived)
        assert "The ward" in said(first)
        assert b"[DONE]" not in first
        assert b"[DONE]" in b"".join(arrived)


def test_tool_calls_reasoning_and_invented_fields_are_masked(client, model):
    message = {
        "role": "assistant",
        "content": None,
        "reasoning": CANARY_TEXT,
        "refusal": CANARY_TEXT,
        "brand_new": [{"x": CANARY_TEXT}],
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "send", "arguments": json.dumps({"ssn": CANARY_SSN, "to": f"Dr. {CANARY_NAME}"})},
            }
        ],
    }
    tree = {
        "id": "c",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls",
                "logprobs": {"content": [{"token": CANARY_SSN}]},
            }
        ],
    }
    model.script = Answer.json(tree)
    answer = client.post(CHAT, json=chat())
    assert answer.status_code == 200
    assert leaks(answer.content) == []
    arguments = answer.json()["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments)["ssn"] == "[US_SSN]"


def test_an_error_of_the_model_servers_keeps_its_status_and_loses_its_echo(client, model):
    model.script = Answer.json({"error": {"message": f"cannot parse: {CANARY_TEXT}", "param": CANARY_SSN}}, status=422)
    answer = client.post(CHAT, json=chat())
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "upstream-refused"
    assert leaks(answer.content) == []


def test_models_are_listed(client, model):
    answer = client.get("/v1/models")
    assert [each["id"] for each in answer.json()["data"]] == ["ward-assistant", "ward-embedder"]


def test_embeddings_pass_as_numbers(client, model):
    answer = client.post("/v1/embeddings", json={"model": "ward-embedder", "input": "fever"})
    assert all(isinstance(number, float | int) for number in answer.json()["data"][0]["embedding"])


def test_both_sides_of_an_exchange_are_in_the_journal_masked(gateway, client, model):
    model.script = Answer(completion())
    answer = client.post(CHAT, json=chat(CANARY_TEXT))
    found = [record for record in records(gateway.journal) if record.get("exchange") == answer.headers["phi-exchange"]]
    request, response = found
    assert (request["kind"], response["kind"]) == ("request", "response")
    assert request["subject"]["id"] == "dr.okafor"
    assert request["decision"]["rule"] == "clinicians-chat"
    assert request["findings"]["US_SSN"] == 1
    assert response["findings"]["MRN"] == 1
    assert response["outcome"] == "complete"
    assert response["usage"] == {"input": 9, "output": 12}
    assert set(request["revealed"]) == set(request["identifiers"])
    assert response["identifiers"]
    assert not [each for each in response["revealed"] if each.startswith(("US_SSN", "MRN"))]
    assert leaks(json.dumps(found)) == []
    assert "[US_SSN]" in json.dumps(request["body"])


def test_a_streams_parts_are_in_the_journal_masked(gateway, client, model):
    model.script = Answer.events(events())
    answer = client.post(CHAT, json=chat(stream=True))
    found = [record for record in records(gateway.journal) if record.get("exchange") == answer.headers["phi-exchange"]]
    kinds = [record["kind"] for record in found]
    assert kinds[0] == "request"
    assert kinds[-1] == "response"
    assert set(kinds[1:-1]) == {"part"}
    assert (found[-1]["body"], found[-1]["parts"]) == (None, len(found) - 2)
    assert found[-1]["streamed"] is True
    assert leaks(json.dumps(found)) == []


def test_the_console_answers_health_readiness_and_metrics(gateway, client, model):
    client.post(CHAT, json=chat())
    get = lambda path: httpx.get(gateway.console_url + path, trust_env=False)  # noqa: E731 -- three short calls
    assert get("/healthz").json() == {"status": "alive"}
    assert get("/readyz").json()["ready"] is True
    assert 'phigate_exchanges_total{action="chat",decision="permit",reason=""}' in get("/metrics").text


def test_a_grpc_call_is_refused_in_grpcs_own_words(client, model):
    path = "/inference.GRPCInferenceService/ModelInfer"
    answer = client.post(path, content=b"\0\0\0\0\0", headers={"content-type": "application/grpc"})
    assert answer.headers["grpc-status"] == "12"
    assert model.connections == 0
