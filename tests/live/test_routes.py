"""Servers of predictions behind a gateway: TorchServe's and TensorFlow Serving's ways, and a policy's own routes."""

import base64
import contextlib
import json

import httpx
import pytest

from model_server import Answer
from processes import Gateway
from tests.traffic import CANARY_MRN, CANARY_TEXT, as_person, leaks, records

pytestmark = pytest.mark.live

ROUTES = """
routes:
  - {name: triage, match: POST /triage, action: predict, model: triage}
  - {name: rows, match: "POST /batch/{model}", action: predict, answers: ndjson, streams: whole}
  - {name: tell, match: POST /tell, action: predict, model: $.engine, answers: [json, sse], text: ["$.delta.note"]}
  - {name: lines, match: POST /lines, action: predict, answers: ndjson, text: ["$.note"]}
  - {name: plain, match: POST /plain, action: predict, answers: text}
  - {name: classes, match: GET /classes, action: list-models}
fields:
  - {routes: ["POST /triage"], hide: {"$.bed": LOCATION}}
"""
LINES = {"content-type": "application/x-ndjson"}
PLAIN = {"content-type": "text/plain"}
PIECES = [CANARY_TEXT[at : at + 4] for at in range(0, len(CANARY_TEXT), 4)]


@pytest.fixture(scope="module")
def predicting(_model, policy, tmp_path_factory):
    text = policy.read_text().replace("to: [chat, complete, embed]", "to: [chat, complete, embed, predict]")
    text = text.replace("to: [chat]", "to: [chat, predict]") + ROUTES
    mine = policy.with_name("routes.yaml")
    mine.write_text(text)
    with Gateway(_model.url, mine, tmp_path_factory.mktemp("routes")) as running:
        yield running


@pytest.fixture
def http(predicting, bearers):
    with as_person(predicting, bearers["dr.okafor"]) as made:
        yield made


@pytest.fixture
def researcher(predicting, bearers):
    with as_person(predicting, bearers["sam.lindqvist"]) as made:
        yield made


def lines(*trees):
    return [json.dumps(tree).encode() + b"\n" for tree in trees]


def events(*trees):
    return [b"data: " + json.dumps(tree).encode() + b"\n\n" for tree in trees]


# -- TorchServe, TensorFlow Serving ---------------------------------------------------------------------------------


def test_torchserve(http, researcher, model):
    model.script = Answer.json([{"note": CANARY_TEXT}, 0.93])
    answer = http.post("/predictions/ward/1.0", json={"data": "How is she?"})
    assert "furosemide 40 mg" in answer.json()[0]["note"]
    assert leaks(answer.text) == []
    model.script = Answer(CANARY_TEXT.encode(), headers={})
    answer = researcher.post("/predictions/ward", content=CANARY_TEXT, headers=PLAIN)
    assert answer.text.endswith("furosemide 40 mg.")
    assert leaks(answer.text) == leaks(model.requests[-1].raw) == []
    assert b"furosemide 40 mg" in model.requests[-1].body
    picture = {"content-type": "image/png"}
    refused = http.post("/predictions/ward", content=b"\x89PNG\0", headers=picture)
    assert (refused.status_code, refused.json()["type"]) == (415, "content-unreadable")
    model.script = Answer(b"\x89PNG\0", headers=picture)
    unread = http.post("/predictions/ward", json={"data": "x"})
    assert (unread.status_code, unread.json()["type"]) == (502, "answer-unreadable")


def test_torchserve_tells_of_errors_and_health(http, model):
    model.script = Answer.json({"code": 503, "type": "X", "message": f"failed on {CANARY_TEXT}"}, status=503)
    answer = http.post("/predictions/ward", json={"data": "x"})
    assert answer.status_code == 503
    assert answer.json()["message"].startswith("failed on ")
    assert leaks(answer.text) == []
    model.script = Answer.json({"status": "Healthy"})
    assert http.get("/ping").json() == {"status": "Healthy"}


def test_tensorflow_serving(http, model):
    note = {"b64": base64.b64encode(CANARY_TEXT.encode()).decode()}
    model.script = Answer.json({"predictions": [{"note": note, "scores": [0.1, 0.9], "mrn": [CANARY_MRN]}]})
    answer = http.post("/v1/models/ward:predict", json={"instances": ["How is she?"]})
    (made,) = answer.json()["predictions"]
    text = base64.b64decode(made["note"]["b64"]).decode()
    assert text.endswith("furosemide 40 mg.")
    assert leaks(text) == leaks(answer.text) == []
    assert made["scores"] == [0.1, 0.9]
    model.script = Answer.json({"model_spec": {"name": "ward"}, "metadata": {"signature_def": {}}})
    assert http.get("/v1/models/ward/metadata").json()["model_spec"] == {"name": "ward"}
    refused = http.post("/v1/models/ward:predict", json={"inputs": {"ids": list(range(100, 112))}})
    assert (refused.status_code, refused.json()["code"]) == (415, "content-unreadable")


# -- a policy's own routes ------------------------------------------------------------------------------------------


def test_json(http, researcher, model, predicting):
    model.script = Answer.json({"note": CANARY_TEXT, "mrn": [CANARY_MRN], "bed": "7", "level": 3})
    answer = http.post("/triage", json={"text": "How is she?"})
    tree = answer.json()
    assert tree["note"].endswith("furosemide 40 mg.")
    assert (tree["level"], tree["bed"]) == (3, "[LOCATION]")
    assert leaks(answer.text) == []
    researcher.post("/triage", json={"deep": [{"text": CANARY_TEXT}]})
    assert b"furosemide 40 mg" in model.requests[-1].body
    assert leaks(model.requests[-1].raw) == []
    written = records(predicting.journal)
    assert {"generic"} == {each["dialect"] for each in written if each.get("route") == "triage" and "dialect" in each}
    assert leaks(json.dumps(written)) == []


def test_lines_that_stand_for_themselves(http, model):
    rows = [{"row": at, "mrn": CANARY_MRN, "note": CANARY_TEXT} for at in range(3)]
    model.script = Answer(lines(*rows), headers=LINES)
    answer = http.post("/batch/ward", json={"texts": ["a", "b", "c"]})
    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [(row["row"], row["note"].endswith("furosemide 40 mg.")) for row in told] == [(at, True) for at in range(3)]
    assert leaks(answer.text) == []
    assert answer.headers["content-type"] == "application/x-ndjson"


@pytest.mark.parametrize("grows", [False, True])
def test_lines_that_tell_one_text(http, model, grows):
    texts = [CANARY_TEXT[: at + 4] if grows else CANARY_TEXT[at : at + 4] for at in range(0, len(CANARY_TEXT), 4)]
    model.script = Answer(lines(*({"note": text} for text in texts)), headers=LINES)
    told = [json.loads(line)["note"] for line in http.post("/lines", json={}).text.splitlines()]
    assert (told[-1] if grows else "".join(told)).endswith("furosemide 40 mg.")
    assert leaks("".join(told)) == []
    assert len(told) > 5


def test_events_or_json(http, model):
    model.script = Answer.events([*events(*({"delta": {"note": piece}} for piece in PIECES)), b"data: [DONE]\n\n"])
    answer = http.post("/tell", json={"engine": "ward", "stream": True})
    *told, done = [line.removeprefix("data: ") for line in answer.text.split("\n") if line]
    text = "".join(json.loads(each)["delta"]["note"] for each in told)
    assert text.endswith("furosemide 40 mg.")
    assert leaks(text) == []
    assert done == "[DONE]"
    model.script = Answer.json({"delta": {"note": CANARY_TEXT}})
    assert leaks(http.post("/tell", json={"engine": "ward"}).text) == []
    assert http.post("/tell", json={}).json()["error"]["code"] == "model-missing"


def test_plain_text(http, model):
    model.script = Answer([piece.encode() for piece in ["Zo\u00eb. ", *PIECES]], headers=PLAIN)
    answer = http.post("/plain", content="How is she?", headers=PLAIN)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.endswith("furosemide 40 mg.")
    assert leaks(answer.text) == []


def test_a_stream_that_is_none_is_broken_off(http, model):
    model.script = Answer([b"fine. ", b"Fine, too. \xff"], headers=PLAIN)
    out = b""
    with contextlib.suppress(httpx.RemoteProtocolError), http.stream("POST", "/plain", json={}) as answer:
        for part in answer.iter_bytes():
            out += part
    assert out.endswith(b"\n[The gateway broke this answer off.]\n")


def test_what_is_listed_and_what_is_not(http, model):
    model.script = Answer.json(["sepsis", "stroke"])
    assert http.get("/classes").json() == ["sepsis", "stroke"]
    assert http.get("/triage").status_code == 405
    assert http.post("/elsewhere", json={}).status_code == 404
