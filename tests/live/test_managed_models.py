"""Changing models on servers that speak Ollama's, Triton's and a registry's ways: who may, who waits, what arrives."""

import json

import ollama
import pytest
from tritonclient import http as triton  # type: ignore[import-untyped]  # it carries no types
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]  # as above

from model_server import Answer
from processes import Gateway
from tests.traffic import CANARY_TEXT, as_person, leaks, records

pytestmark = pytest.mark.live

MODELS = """
models:
  scratch: {{url: "{url}", names: [scratch*]}}
  ward: {{url: "{url}", names: [ward]}}
  secret: {{url: "{url}", names: [secret]}}
  chest: {{url: "{url}", names: [chest*], speaks: [kserve]}}
routes:
  - name: promote
    match: POST /api/2.0/mlflow/registered-models/alias
    action: manage-models
    model: $.name
"""
RULES = """
  - name: operators-manage
    permit: [ml-operator]
    to: [manage-models]
    models: [scratch, chest]
    mask: minimum-necessary
"""
STEPS = [{"status": "pulling manifest"}, {"status": f"reading {CANARY_TEXT}", "total": 7}, {"status": "success"}]
LINES = {"content-type": "application/x-ndjson"}
HELD = "    hold: [ml-operator]\n    to: [manage-models]\n    models: "


@pytest.fixture(scope="module")
def managing(_model, policy, tmp_path_factory):
    """A gateway whose operators change two models at once, a third with a yes, and a fourth not at all."""
    text = policy.read_text()
    assert HELD + '["*"]' in text
    text = text.replace(HELD + '["*"]', HELD + "[ward]").replace("\nrules:\n", "\nrules:\n" + RULES.lstrip("\n"), 1)
    mine = policy.with_name("managing.yaml")
    mine.write_text(text + MODELS.format(url=_model.url))
    with Gateway(_model.url, mine, tmp_path_factory.mktemp("managing")) as running:
        yield running


@pytest.fixture
def client(managing, bearers):
    """Ollama's own client, an operator's."""
    made = ollama.Client(managing.url, headers={"authorization": f"Bearer {bearers['priya.raman']}"}, trust_env=False)
    yield made
    made.close()


@pytest.fixture
def operator(managing, bearers):
    with as_person(managing, bearers["priya.raman"]) as made:
        yield made


def sent(model):
    """The one request that came: method, target and tree."""
    (request,) = model.requests
    return request.method, request.target, json.loads(request.body or b"null")


# -- Ollama ---------------------------------------------------------------------------------------------------------


def test_a_model_is_made_by_who_may_and_told_step_by_step(managing, client, model):
    model.script = Answer([json.dumps(step).encode() + b"\n" for step in STEPS], headers=LINES)
    told = list(client.create("scratch-2", from_="scratch", system="Be brief.", stream=True))
    assert [step.status for step in told][::2] == ["pulling manifest", "success"]
    assert told[1].status is not None
    assert told[1].status.startswith("reading ")
    assert told[1].total == 7
    assert leaks(told[1].status) == []
    body = {"model": "scratch-2", "stream": True, "from": "scratch", "system": "Be brief."}
    assert sent(model) == ("POST", "/api/create", body)
    (asked,) = [each for each in records(managing.journal) if each.get("route") == "ollama-create"][-1:]
    assert (asked["model"], asked["decision"]["rule"]) == ("scratch", "operators-manage")


@pytest.mark.parametrize("verb", ["copy", "delete"])
def test_an_answer_of_nothing_is_passed(verb, client, model):
    model.script = Answer(b"", headers={})
    if verb == "copy":
        assert client.copy("scratch", "scratch-2").status == "success"
        assert sent(model) == ("POST", "/api/copy", {"source": "scratch", "destination": "scratch-2"})
    else:
        assert client.delete("scratch-2").status == "success"
        assert sent(model) == ("DELETE", "/api/delete", {"model": "scratch-2"})


REFUSED = [
    ("one that waits for a yes", "pull", {"model": "ward"}, 403, "approval-required"),
    ("one that no rule speaks of", "pull", {"model": "secret"}, 403, "no-rule"),
    ("one that nobody knows", "pull", {"model": "llama3"}, 404, "model-unknown"),
    ("out of one that no rule speaks of", "create", {"model": "scratch", "from": "secret"}, 403, "no-rule"),
    ("out of one that is held", "create", {"model": "scratch", "from": "ward"}, 403, "models-differ"),
    ("a copy of one that is held", "copy", {"source": "ward", "destination": "scratch"}, 403, "models-differ"),
    ("onto one that is held", "copy", {"source": "scratch", "destination": "ward"}, 403, "approval-required"),
    ("another member", "pull", {"model": "scratch", "from": "x"}, 400, "member-unknown"),
    ("two names", "pull", {"model": "scratch", "name": "secret"}, 400, "malformed"),
]


@pytest.mark.parametrize(("sentence", "verb", "body", "status", "reason"), REFUSED, ids=[case[0] for case in REFUSED])
def test_what_is_refused_reaches_no_server(sentence, verb, body, status, reason, operator, model):
    answer = operator.post(f"/api/{verb}", json=body)
    assert (answer.status_code, answer.headers["phi-reason"]) == (status, reason)
    assert answer.json()["code"] == reason
    assert answer.json()["error"].endswith(".")
    assert model.connections == 0


def test_who_may_not_and_what_no_route_takes(managing, bearers, operator, model):
    with as_person(managing, bearers["dr.okafor"]) as clinician:
        assert clinician.post("/api/pull", json={"model": "scratch"}).headers["phi-reason"] == "no-rule"
    assert operator.post(f"/api/blobs/sha256:{'8e' * 32}", content=b"GGUF").status_code == 404
    assert model.connections == 0


# -- Triton ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def connect(managing, bearers):
    made = triton.InferenceServerClient(managing.url.removeprefix("http://"))
    yield made, {"authorization": f"Bearer {bearers['priya.raman']}"}
    made.close()


def test_triton_loads_and_unloads_what_who_may_asks_for(connect, model):
    client, headers = connect
    model.script = Answer(b"", headers={"content-type": "application/json"})
    client.load_model("chest-2", headers=headers, config="{}")
    assert sent(model) == ("POST", "/v2/repository/models/chest-2/load", {"parameters": {"config": "{}"}})
    model.forget()
    model.script = Answer(b"", headers={})
    client.unload_model("chest-2", headers=headers)
    path = "/v2/repository/models/chest-2/unload"
    assert sent(model) == ("POST", path, {"parameters": {"unload_dependents": False}})
    model.forget()
    model.script = Answer.json({"log_info": True, "log_verbose_level": 1})
    assert client.update_log_settings({"log_verbose_level": 1}, headers=headers)["log_verbose_level"] == 1
    assert sent(model) == ("POST", "/v2/logging", {"log_verbose_level": 1})


def test_triton_writes_no_tensors_and_shares_no_memory(connect, model):
    client, headers = connect
    with pytest.raises(InferenceServerException):
        client.update_trace_settings("chest-2", {"trace_level": ["TENSORS"]}, headers=headers)
    with pytest.raises(InferenceServerException, match="does not know"):
        client.update_log_settings({"log_file": "/tmp/x"}, headers=headers)
    with pytest.raises(InferenceServerException):
        client.register_system_shared_memory("region", "/region", 64, headers=headers)
    with pytest.raises(InferenceServerException, match="no such model"):
        client.load_model("ward-2", headers=headers)
    assert model.connections == 0


# -- others ---------------------------------------------------------------------------------------------------------


def test_a_registry_s_model_is_promoted_by_the_policy_s_own_route(operator, model):
    path, body = "/api/2.0/mlflow/registered-models/alias", {"name": "scratch-2", "alias": "champion", "version": "7"}
    model.script = Answer.json({})
    assert operator.post(path, json=body).json() == {}
    assert sent(model) == ("POST", path, body)
    held = operator.post(path, json=body | {"name": "ward"})
    assert (held.status_code, held.headers["phi-reason"]) == (403, "approval-required")
    assert operator.post(path, json={"alias": "champion"}).headers["phi-reason"] == "model-missing"
    assert len(model.requests) == 1


def test_an_adapter_is_a_model_by_its_own_name(operator, model):
    body = {"lora_name": "scratch-lora", "lora_path": "/adapters/scratch"}
    model.script = Answer(b"Success: LoRA adapter 'scratch-lora' added successfully.", headers={})
    assert operator.post("/v1/load_lora_adapter", json=body).text.endswith("added successfully.")
    assert sent(model) == ("POST", "/v1/load_lora_adapter", body)
    held = operator.post("/v1/load_lora_adapter", json=body | {"lora_name": "ward"})
    assert held.json()["error"]["code"] == "approval-required"


def test_workers_are_scaled_by_a_method_that_few_routes_take(operator, model):
    model.script = Answer.json({"status": "Workers scaled to 2 for model: scratch"})
    path = "/models/scratch?min_worker=2&synchronous=true"
    assert operator.put(path).json() == {"status": "Workers scaled to 2 for model: scratch"}
    assert sent(model)[:2] == ("PUT", path)
    assert operator.put("/api/pull", json={"model": "scratch"}).status_code == 405
