"""Policies tried on what a real gateway recorded: the one that decided changes nothing, another what it says."""

import contextlib
import json

import httpx
import pytest
import tritonclient.grpc as triton
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tritonclient.utils import InferenceServerException
from websockets.exceptions import InvalidStatus

from model_server import Answer
from phigate.capture.seal import pem_of, text_of
from processes import HOST, Gateway, free_port, settings
from tests import policies
from tests.command import phigate
from tests.grpc_peer import Peer, answer
from tests.live.realtime import Model, ask, opened, rest, spoken, until
from tests.live.test_grpc import said as tensor
from tests.traffic import CANARIES, CANARY_NAME, CANARY_TEXT, CHAT, as_person, chat, completion, events, records

pytestmark = pytest.mark.live

RULES = (
    "{name: care, permit: [clinician], to: [chat, complete, predict], models: ['*'], mask: lean}",
    "{name: blind, permit: [researcher], to: [chat, predict], models: ['*'], prompt: lean, mask: years}",
    "{name: lists, permit: ['*'], to: [list-models], models: ['*']}",
    "{name: see, hold: [clinician], to: [unmask], models: ['*'], approvers: [officer], mask: reveal}",
    "{name: sos, break_glass: [clinician], to: [chat], models: ['*'], mask: reveal, review_by: [officer]}",
    "{name: raw, permit: [operator], to: [chat], models: ['*'], mask: reveal, opaque: permit, steering: permit}",
    "{name: no-bulk, deny: ['*'], to: [chat, predict], when: {prompt_matches: ['(?i)list all']}}",
    "{name: no-names, deny: [researcher], to: [chat], when: {prompt_matches: ['(?i)quartermaine']}}",
)
TRIED = (
    "{name: care, permit: [clinician], to: [chat, predict], models: ['*'], mask: reveal, steering: permit}",
    "{name: blind, permit: [researcher], to: [chat, predict], models: ['*'], mask: years}",
    "{name: lists, permit: ['*'], to: [list-models], models: ['*']}",
    "{name: see-now, permit: [clinician], to: [unmask], models: ['*'], mask: reveal}",
    "{name: raw, hold: [operator], to: [chat], models: ['*'], approvers: [officer], mask: reveal}",
    "{name: no-bulk, deny: ['*'], to: [chat, predict], when: {prompt_matches: ['(?i)list all', 'ward-round']}}",
)
ROLES = "roles: {clinician: [ward-staff], researcher: [research], operator: [ml-platform], officer: [privacy]}\n"
LISTING = f"List all patients like {CANARY_NAME}"
IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]


KEY = X25519PrivateKey.generate()


def policy_in(path, issuer, talking, *rules):
    models = f"""\
capture: {{bodies: sealed, seal_to: "{text_of(KEY.public_key())}"}}
models:
  ward-assistant: {{names: [ward-assistant, "ward-*"]}}
  talker: {{url: "http://{HOST}:{talking.port}", names: [talker]}}
"""
    path.write_text(policies.text(*rules, roles=ROLES, tail=models).replace("https://idp.example", issuer.url))
    return path


def chats(model, bearers, gateway):
    """Everything that a rule may be about, asked by everybody."""
    asked = [
        ({"json": chat(CANARY_TEXT)}, 200),
        ({"json": chat("How is she?", stream=True)}, 200),
        ({"json": chat(LISTING)}, 403),
        ({"json": chat("after the ward-round")}, 200),
        ({"json": chat(), "headers": {"phi-unmask": "ward round"}}, None),
        ({"json": chat(), "headers": {"phi-unmask": "x"}}, 400),
        ({"json": chat(), "headers": {"phi-break-glass": "code blue"}}, None),
        ({"json": chat(max_tokens=1)}, None),
        ({"json": chat() | {"messages": [{"role": "user", "content": IMAGE}]}}, None),
        ({"json": chat() | {"model": "nobody"}}, 404),
        ({"content": b"{"}, 400),
    ]
    for login in ("dr.okafor", "sam.lindqvist", "priya.raman", "lee.castellano"):
        with as_person(gateway, bearers[login]) as person:
            for more, status in asked:
                stream = "stream" in more.get("json", ())
                model.script = Answer.events(events()) if stream else Answer(completion())
                headers = {"content-type": "application/json"} | more.get("headers", {})
                got = person.post(CHAT, **more | {"headers": headers})
                assert login != "dr.okafor" or status is None or got.status_code == status
            model.script = None
            person.get("/v1/models")
            person.post("/v1/completions", json={"model": "ward-assistant", "prompt": "Well?"})


def calls(peer, bearers, address):
    peer.says = lambda request: answer(request, CANARY_TEXT)
    with triton.InferenceServerClient(address) as made:
        for login in ("dr.okafor", "sam.lindqvist", "lee.castellano"):
            for text in (CANARY_TEXT, LISTING, "Well?"):
                with contextlib.suppress(InferenceServerException):
                    head = {"authorization": f"Bearer {bearers[login]}"}
                    made.infer("ward-assistant", [tensor(text)], headers=head)


def talks(talking, bearers, gateway):
    talking.script = lambda said: spoken() if said["type"] == "response.create" else []
    for login in ("dr.okafor", "sam.lindqvist", "lee.castellano"):
        for texts in ((f"Patient: {CANARY_NAME}", "after the ward-round"), ("list", "all of them"), ("ward-round",)):
            with (
                contextlib.suppress(InvalidStatus),
                opened(gateway, bearers[login], "/v1/realtime?model=talker") as wire,
            ):
                for text in texts:
                    wire.send(json.dumps(ask(text)))
                wire.send(json.dumps({"type": "response.create"}))
                with contextlib.suppress(Exception):
                    until(wire, "response.done")
                wire.close()
                rest(wire)


@pytest.fixture(scope="module")
def recorded(_model, issuer, bearers, tmp_path_factory):
    """(journal, its policy, the policy that was on trial) after everybody asked for everything."""
    folder = tmp_path_factory.mktemp("backtest")
    with Model() as talking, Peer() as peer:
        real = policy_in(folder / "policy.yaml", issuer, talking, *RULES)
        tried = policy_in(folder / "tried.yaml", issuer, talking, *TRIED)
        grpc = free_port()
        more = settings(phi_shadow=tried, phi_grpc=f"{HOST}:{grpc}", phi_grpc_upstream=peer.url)
        with Gateway(_model.url, real, folder / "gateway", extra=more) as running:
            chats(_model, bearers, running)
            calls(peer, bearers, f"{HOST}:{grpc}")
            talks(talking, bearers, running)
            metrics = httpx.get(running.console_url + "/metrics", trust_env=False).text
    _model.forget()
    return running.journal, real, tried, metrics


def report(*words):
    result = phigate("backtest", "--json", *words)
    assert result.exit_code in {0, 1}, result.output
    return result.exit_code, json.loads(result.stdout)


def test_the_policy_that_decided_changes_nothing(recorded):
    journal, real, _, _ = recorded
    code, found = report("--policy", real, "--journal", journal)
    assert (code, found["kinds"], found["changes"], found["undecided"]) == (0, {}, [], [])
    assert found["same"] + sum(found["apart"].values()) == found["exchanges"] > 50
    assert found["apart"].keys() >= {"malformed", "model-unknown", "reason-missing"}


def test_the_policy_that_decided_is_like_itself_where_it_is_not_known_again(recorded, tmp_path):
    journal, real, _, _ = recorded
    twin = tmp_path / "twin.yaml"
    twin.write_text(real.read_text() + "# the same\n")
    _, found = report("--policy", twin, "--journal", journal)
    assert found["kinds"].keys() <= {"undecided"}
    assert {each["why"] for each in found["undecided"]} <= {"prompt-masked", "model-not-recorded", "mask-unknown"}
    code, found = report("--policy", twin, "--was", real, "--journal", journal)
    assert {each["why"] for each in found["undecided"]} == {"model-not-recorded"}
    code, found = report("--policy", twin, "--against", real, "--journal", journal)
    assert found["changes"] == found["masks"] == []
    assert code == 1
    assert report("--policy", twin, "--was", real, "--journal", journal, "--fail-on", "newly-permitted")[0] == 0


def test_another_policy_changes_what_it_says(recorded):
    journal, real, tried, _ = recorded
    code, found = report("--policy", tried, "--was", real, "--journal", journal)
    assert code == 1
    changed = {(each["before"], each["after"], each["role"]) for each in found["changes"]}
    assert changed >= {
        ("permit care", "deny no-bulk", "clinician"),
        ("permit care", "deny no-rule", "clinician"),
        ("hold see", "permit care", "clinician"),
        ("permit sos", "permit care", "clinician"),
        ("deny steering-refused", "permit care", "clinician"),
        ("permit raw", "hold raw", "operator"),
        ("permit message", "deny message", "clinician"),
    }
    assert found["kinds"].keys() >= {"newly-denied", "newly-permitted", "newly-held", "no-longer-held", "newly-shown"}
    shown = {(each["kind"], each["side"], each["entity"], each["before"], each["after"]) for each in found["masks"]}
    assert ("newly-shown", "caller", "US_SSN", "redact", "keep") in shown
    assert ("newly-shown", "model", "PERSON", "surrogate", "keep") in shown
    assert not any(canary in json.dumps(found) for canary in CANARIES)


def test_what_was_on_trial_said_live_what_it_says_of_the_record(recorded):
    """Hindsight tells the same of each request, as far as masked prompts let it."""
    journal, real, tried, _ = recorded
    _, later = report("--policy", tried, "--was", real, "--journal", journal)
    _, live = report("--shadow", "--journal", journal)
    assert live["shadow"] == [later["policy"]]
    assert live["broke"] == live["unreadable"] == {}
    missed = sum(each["count"] for each in later["undecided"])

    def decisions(report):
        rows = (each for each in report["changes"] if "message" not in each["before"])
        return {(*each["kinds"], each["before"], each["after"], each["role"]): each["count"] for each in rows}

    assert decisions(later).items() & decisions(live).items() >= set(EXACTLY)
    assert decisions(later).keys() <= decisions(live).keys()
    assert 0 <= sum(decisions(live).values()) - sum(decisions(later).values()) <= missed

    def shown(report):
        return {(each["kind"], each["side"], each["entity"], each["role"]): each["found"] for each in report["masks"]}

    assert len(shown(later)) >= 3
    assert all(0 < found <= shown(live)[key] for key, found in shown(later).items())


EXACTLY = [
    (("newly-permitted", "no-longer-held", "hold see", "permit care", "clinician"), 1),
    (("rule-only", "permit sos", "permit care", "clinician"), 1),
    (("newly-permitted", "deny steering-refused", "permit care", "clinician"), 1),
]


@pytest.fixture
def auditor(tmp_path):
    path = tmp_path / "auditor.pem"
    path.write_bytes(pem_of(KEY))
    return "--key", path, "--reason", "the yearly review"


def test_the_policy_that_decided_changes_nothing_of_the_originals_either(recorded, auditor):
    journal, real, _, _ = recorded
    _, found = report("--policy", real, "--journal", journal, *auditor)
    assert (found["kinds"], found["changes"], found["masks"], found["unreadable"]) == ({}, [], [], {})


def test_originals_tell_what_masked_prompts_do_not(recorded, auditor, tmp_path):
    journal, real, tried, _ = recorded
    _, later = report("--policy", tried, "--was", real, "--journal", journal, *auditor)
    _, live = report("--shadow", "--journal", journal)

    def decisions(report):
        rows = (each for each in report["changes"] if each["model"] == "ward-assistant")
        return {(*each["kinds"], each["before"], each["after"], each["role"]): each["count"] for each in rows}

    assert decisions(later) == decisions(live)
    assert {each["why"] for each in later["undecided"]} == {"model-not-recorded"}
    shown = {(each["kind"], each["side"], each["entity"], each["before"], each["after"]) for each in later["masks"]}
    assert ("newly-shown", "caller", "US_SSN", "redact", "keep") in shown
    assert ("newly-shown", "model", "PERSON", "surrogate", "keep") in shown


def test_what_is_on_trial_is_counted_and_changes_nothing(recorded):
    journal, _, _, metrics = recorded
    requests = [each for each in records(journal) if each["kind"] == "request"]
    asked = [each for each in requests if "shadow" in each]
    opened = [each for each in asked if "newly-permitted" in each["shadow"]["differs"]]
    assert len(asked) > 40
    assert opened
    answered = {each["exchange"] for each in records(journal) if each["kind"] == "response"}
    assert not answered & {each["exchange"] for each in opened}
    assert 'phigate_shadow_total{change="newly-permitted"}' in metrics
