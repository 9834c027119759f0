"""MLServer behind a gateway: its own REST server with a model of its own kind, asked by Triton's client and by HTTP."""

import json

import numpy as np
import pytest
from tritonclient import http as triton  # type: ignore[import-untyped]  # it carries no types
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]  # as above

from processes import Gateway
from tests.peers.mlserver_peer import MODEL, MLServer
from tests.traffic import as_person, leaks

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def peer():
    with MLServer() as running:
        yield running


@pytest.fixture(scope="module")
def before(peer, policy, tmp_path_factory):
    text = policy.read_text().replace("to: [chat, complete, embed]", "to: [chat, complete, embed, predict]")
    text = text.replace("to: [chat]", "to: [chat, predict]")
    mine = policy.with_name("mlserver.yaml")
    mine.write_text(text)
    with Gateway(peer.url, mine, tmp_path_factory.mktemp("mlserver")) as running:
        yield running


@pytest.fixture
def http(before, bearers):
    with as_person(before, bearers["dr.okafor"]) as made:
        yield made


def asked(text="How is she?"):
    return {"inputs": [{"name": "question", "datatype": "BYTES", "shape": [1], "data": [text]}]}


def test_tritons_client(before, bearers):
    client = triton.InferenceServerClient(before.url.removeprefix("http://"))
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
    question = triton.InferInput("question", [1], "BYTES")
    question.set_data_from_numpy(np.array([b"How is she?"], dtype=np.object_), binary_data=False)
    names = ("note", "mrn", "scores", "label")
    wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in names]
    assert client.is_server_live(headers=headers)
    assert client.is_model_ready(MODEL, headers=headers)
    result = client.infer(MODEL, [question], outputs=wanted, headers=headers)
    note, mrn, scores, label = (result.as_numpy(name).ravel().tolist() for name in names)
    assert "furosemide 40 mg. Asked: How is she?" in note[0]
    assert (scores, label) == ([0.25, 0.75], [3])
    assert leaks(f"{note} {mrn}") == []
    question.set_data_from_numpy(np.array([b"break"], dtype=np.object_), binary_data=False)
    with pytest.raises(InferenceServerException, match="cannot read: Patient") as refused:
        client.infer(MODEL, [question], headers=headers)
    assert leaks(str(refused.value)) == []
    client.close()


@pytest.mark.parametrize("way", ["infer", "generate", "versions/1/infer"])
def test_whole(http, way):
    answer = http.post(f"/v2/models/{MODEL}/{way}", json=asked())
    assert answer.status_code == 200
    assert leaks(answer.text) == []
    assert [each["name"] for each in answer.json()["outputs"]] == ["note", "mrn", "scores", "label"]


@pytest.mark.parametrize("way", ["infer_stream", "generate_stream"])
def test_streamed(http, way):
    answer = http.post(f"/v2/models/{MODEL}/{way}", json=asked())
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n") if line]
    assert len(events) > 5
    assert {each["outputs"][0]["name"] for each in events} == {"note"}
    assert all(each["outputs"][0]["shape"] for each in events)
    text = "".join(each["outputs"][0]["data"][0] for each in events)
    assert text.endswith("furosemide 40 mg.")
    assert leaks(text) == []


def test_a_masked_prompt_is_what_the_model_reads(before, bearers):
    with as_person(before, bearers["sam.lindqvist"]) as http:
        answer = http.post(f"/v2/models/{MODEL}/infer", json=asked("Patient: Zebulon Quartermaine, again?"))
    note = answer.json()["outputs"][0]["data"][0]
    assert "again?" in note
    assert leaks(note) == []


def test_token_ids_do_not_pass(http):
    answer = http.post(f"/v2/models/{MODEL}/infer", json=asked("tokens"))
    assert (answer.status_code, answer.json()["code"]) == (502, "answer-unreadable")


def test_what_is_told_of_a_model(http):
    assert http.get(f"/v2/models/{MODEL}").json()["name"] == MODEL
    assert http.get("/v2/docs").status_code == 404
    assert http.post("/v2/repository/index", json={}).status_code == 403
