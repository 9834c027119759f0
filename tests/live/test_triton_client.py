"""Triton's own HTTP client, unmodified, with tensors as bytes and as JSON, and its generate routes with plain HTTP."""

import contextlib
import json
import struct

import httpx
import numpy as np
import pytest
from tritonclient import http as triton  # type: ignore[import-untyped]  # it carries no types
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]  # as above

from model_server import Answer
from phigate.dialect.tensors import TENSORS, joined
from processes import Gateway
from tests.dialect.test_tensors import binary, tensor
from tests.traffic import CANARY_MRN, CANARY_TEXT, as_person, leaks, records

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def serving(_model, policy, tmp_path_factory):
    """A gateway whose policy lets a clinician ask for predictions, and a researcher whose prompts are masked."""
    text = policy.read_text().replace("to: [chat, complete, embed]", "to: [chat, complete, embed, predict]")
    assert "to: [chat]" in text
    text = text.replace("to: [chat]", "to: [chat, predict]")
    folder = tmp_path_factory.mktemp("serving")
    mine = policy.with_name("serving.yaml")
    mine.write_text(text)
    with Gateway(_model.url, mine, folder) as running:
        yield running


@pytest.fixture
def connect(serving, bearers):
    made = []

    def connect(login):
        client = triton.InferenceServerClient(serving.url.removeprefix("http://"))
        made.append(client)
        return client, {"authorization": f"Bearer {bearers.get(login, login)}"}

    yield connect
    for client in made:
        client.close()


def text_input(*texts, as_bytes=True):
    made = triton.InferInput("text_input", [len(texts)], "BYTES")
    made.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=np.object_), binary_data=as_bytes)
    return made


def as_bytes(*pairs):
    content, head = binary(*pairs, model_name="ward", model_version="1")
    length = {"inference-header-content-length": head[b"inference-header-content-length"].decode()}
    return Answer(content, headers={"content-type": "application/octet-stream", **length})


NOTES = (tensor("BYTES", 2, name="note"), joined([CANARY_TEXT.encode(), b"fine"]))
SCORES = (tensor("FP32", 2, name="scores"), struct.pack("<2f", 0.25, 0.75))
LABEL = (tensor("INT64", 1, name="label"), struct.pack("<q", 3))


@pytest.mark.parametrize("inline", [False, True])
def test_tensors_as_bytes(connect, model, inline):
    model.script = as_bytes(NOTES, SCORES, LABEL)
    client, headers = connect("dr.okafor")
    result = client.infer("ward", [text_input("How is she?", as_bytes=not inline)], headers=headers)
    note, fine = (element.decode() for element in result.as_numpy("note"))
    assert "furosemide 40 mg" in note
    assert leaks(note) == []
    assert fine == "fine"
    assert result.as_numpy("scores").tolist() == [0.25, 0.75]
    assert result.as_numpy("label").tolist() == [3]
    sent = model.requests[-1]
    came = TENSORS.read(sent.body, {name.encode(): value.encode() for name, value in sent.headers})
    assert came["inputs"][0]["data"] == ["How is she?"]
    assert "bearer" not in sent.raw.decode("latin-1").lower()


def test_tensors_as_json(connect, model, serving):
    tree = {"model_name": "ward", "outputs": [tensor("BYTES", 1, name="mrn", data=[CANARY_MRN])]}
    model.script = Answer.json(tree)
    client, headers = connect("dr.okafor")
    wanted = [triton.InferRequestedOutput("mrn", binary_data=False)]
    result = client.infer("ward", [text_input("Which?")], outputs=wanted, headers=headers, model_version="3")
    assert model.requests[-1].target == "/v2/models/ward/versions/3/infer"
    assert leaks(str(result.as_numpy("mrn")[0])) == []
    assert leaks(json.dumps(records(serving.journal))) == []


def test_a_masked_prompt_reaches_the_server_without_identifiers(connect, model):
    model.script = as_bytes(SCORES)
    client, headers = connect("sam.lindqvist")
    client.infer("ward", [text_input(CANARY_TEXT)], request_id="r-1", headers=headers)
    assert b"furosemide 40 mg" in model.requests[-1].body
    assert leaks(model.requests[-1].raw) == []


@pytest.mark.parametrize(("login", "status"), [("nobody", "401"), ("priya.raman", "403")])
def test_a_refusal_is_the_clients_own_error(connect, model, login, status):
    client, headers = connect(login)
    with pytest.raises(InferenceServerException) as refused:
        client.infer("ward", [text_input("x")], headers=headers)
    assert refused.value.status() == status
    assert refused.value.message().endswith(".")
    assert model.connections == 0


def test_what_nobody_can_read_is_refused(connect, model):
    model.script = as_bytes((tensor("INT64", 12, name="tokens"), struct.pack("<12q", *range(100, 112))))
    client, headers = connect("dr.okafor")
    with pytest.raises(InferenceServerException, match="could not be checked"):
        client.infer("ward", [text_input("x")], headers=headers)
    ids = triton.InferInput("input_ids", [1, 12], "INT64")
    ids.set_data_from_numpy(np.arange(100, 112, dtype=np.int64).reshape(1, 12))
    with pytest.raises(InferenceServerException, match="this gateway cannot read"):
        client.infer("ward", [ids], headers=headers)
    wanted = triton.InferRequestedOutput("note")
    wanted.set_shared_memory("region", 64)
    with pytest.raises(InferenceServerException):
        client.infer("ward", [text_input("x")], outputs=[wanted], headers=headers)
    assert len(model.requests) == 1


def test_an_upstreams_error_is_told_masked(connect, model):
    model.script = Answer.json({"error": f"bad input: {CANARY_TEXT}"}, status=400)
    client, headers = connect("dr.okafor")
    with pytest.raises(InferenceServerException, match="furosemide") as refused:
        client.infer("ward", [text_input("x")], headers=headers)
    assert leaks(str(refused.value)) == []


def test_what_there_is(connect, model):
    ward = {"name": "ward", "platform": "python"}
    stats = {"name": "ward", "success": {"count": 1, "ns": 536228145}}
    answers = {
        "/v2/health/live": Answer(b"", headers={}),
        "/v2/health/ready": Answer(b"", headers={"content-type": "text/plain"}),
        "/v2/models/ward/ready": Answer(b"", headers={}),
        "/v2": Answer.json({"name": "triton", "version": "2.41.0", "extensions": ["binary_tensor_data"]}),
        "/v2/models/ward": Answer.json({**ward, "versions": ["1"], "inputs": [], "outputs": []}),
        "/v2/models/ward/config": Answer.json({**ward, "input": [{"name": "x", "dims": [-1, 50257]}]}),
        "/v2/models/ward/stats": Answer.json({"model_stats": [stats]}),
    }
    model.script = lambda request: answers[request.target]
    client, headers = connect("dr.okafor")
    assert client.is_server_live(headers=headers)
    assert client.is_server_ready(headers=headers)
    assert client.is_model_ready("ward", headers=headers)
    assert client.get_server_metadata(headers=headers)["extensions"] == ["binary_tensor_data"]
    assert client.get_model_metadata("ward", headers=headers)["versions"] == ["1"]
    assert client.get_model_config("ward", headers=headers)["input"][0]["dims"] == [-1, 50257]
    assert client.get_inference_statistics("ward", headers=headers)["model_stats"][0]["success"]["ns"] == 536228145


def test_a_server_that_is_managed_asks_first(connect, model):
    client, headers = connect("dr.okafor")
    with pytest.raises(InferenceServerException):
        client.load_model("ward", headers=headers)
    with pytest.raises(InferenceServerException):
        client.get_model_repository_index(headers=headers)
    with pytest.raises(InferenceServerException):
        client.get_system_shared_memory_status(headers=headers)
    assert model.connections == 0


# -- generate -------------------------------------------------------------------------------------------------------


@pytest.fixture
def http(serving, bearers):
    with as_person(serving, bearers["dr.okafor"]) as made:
        yield made


def generated(text):
    return {"model_name": "ward", "model_version": "1", "text_output": text}


def test_generate(http, model):
    model.script = Answer.json(generated(CANARY_TEXT))
    answer = http.post("/v2/models/ward/generate", json={"text_input": "How is she?", "parameters": {"max_tokens": 99}})
    assert "furosemide 40 mg" in answer.json()["text_output"]
    assert leaks(answer.text) == []
    refused = http.post("/v2/models/ward/generate", json={"text_input": "x", "parameters": {"max_tokens": 1}})
    assert refused.status_code == 400
    assert refused.json()["code"] == "steering-refused"


@pytest.mark.parametrize("grows", [False, True])
def test_generate_stream(http, model, grows):
    cuts = range(4, len(CANARY_TEXT) + 4, 4)
    texts = [CANARY_TEXT[:cut] if grows else CANARY_TEXT[cut - 4 : cut] for cut in cuts]
    model.script = Answer.events([b"data: " + json.dumps(generated(text)).encode() + b"\n\n" for text in texts])
    answer = http.post("/v2/models/ward/generate_stream", json={"text_input": "How is she?", "stream": True})
    told = [json.loads(line.removeprefix("data: "))["text_output"] for line in answer.text.split("\n") if line]
    text = told[-1] if grows else "".join(told)
    assert text.endswith("furosemide 40 mg.")
    assert leaks("".join(told)) == []
    assert len(told) > 5


def test_a_stream_that_fails_and_one_that_is_none(http, model):
    events = [generated("Patient: Zebulon Quarter"), {"error": f"out of memory at {CANARY_TEXT}"}]
    model.script = Answer.events([b"data: " + json.dumps(each).encode() + b"\n\n" for each in events])
    answer = http.post("/v2/models/ward/generate_stream", json={"text_input": "x"})
    assert "out of memory" in json.loads(answer.text.strip().split("\n")[-1].removeprefix("data: "))["error"]
    assert leaks(answer.text) == []
    model.script = Answer.events([b"data: " + json.dumps(generated("fine")).encode() + b"\n\n", b"data: garbage\n\n"])
    out = b""
    with (
        contextlib.suppress(httpx.RemoteProtocolError),
        http.stream("POST", "/v2/models/ward/generate_stream", json={"text_input": "x"}) as answer,
    ):
        for part in answer.iter_bytes():
            out += part
    assert out.endswith(b'data: {"error":"The gateway broke this answer off."}\n\n')
