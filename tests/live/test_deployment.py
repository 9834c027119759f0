"""Deployments from pipelines: a job's own identity, `phigate deploy` as a process of its own, two people's yes."""

import contextlib
import json
import os
import subprocess
import sys
import time

import httpx
import pytest

from issuer import SampleIssuer
from model_server import Answer
from people import policy_for
from phigate.house import ROOT
from pipeline import COMMIT, GitHubJob, github, gitlab, minted
from processes import Gateway
from tests.traffic import records

pytestmark = pytest.mark.live

DIGEST = "sha256:" + "8e" * 32
BODY = {"model": "ward-assistant", "from": "llama3", "files": {"model.gguf": DIGEST}, "system": "Be brief."}
STEPS = [{"status": "reading model metadata"}, {"status": "writing manifest"}, {"status": "success"}]
MADE = Answer([json.dumps(step).encode() + b"\n" for step in STEPS], headers={"content-type": "application/x-ndjson"})
ISSUERS = """
  - issuer: {github}
    audience: phigate
    algorithms: [RS256]
    keys: discover
    groups_from: repository
    groups_as: text
    required_claims: {{repository_owner_id: "65123", environment: production}}
    context_from: {{commit: sha, pipeline: run_id, attempt: run_attempt, workflow: workflow_ref, actor: actor}}
  - issuer: {gitlab}
    audience: phigate
    algorithms: [RS256]
    keys: discover
    groups_from: project_path
    groups_as: text
    required_claims: {{namespace_id: "72", ref_protected: "true"}}
    context_from: {{commit: sha, pipeline: pipeline_id, job: job_id, actor: user_login}}
"""


@pytest.fixture(scope="module")
def ci():
    with SampleIssuer() as running:
        yield running


@pytest.fixture(scope="module")
def lab():
    with SampleIssuer() as running:
        yield running


@pytest.fixture(scope="module")
def rules(issuer, ci, lab, tmp_path_factory):
    """The default policy, whose deployments are a pipeline's as well; it even holds the role of the approvers."""
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("deployment"))
    text, held, groups = policy.read_text(), "    hold: [ml-operator]\n", "    groups_from: groups"
    assert (text.count(held), text.count(groups), text.count("\nroles:\n")) == (1, 1, 1)
    at = text.index("\n", text.index(groups))
    text = text[:at] + ISSUERS.format(github=ci.url, gitlab=lab.url).rstrip() + text[at:]
    text = text.replace(held, "    hold: [ml-operator, deployer]\n")
    text = text.replace("  ml-operator: [ml-platform]\n", "  ml-operator: [ml-platform, hospital-ai/triage]\n")
    policy.write_text(text.replace("\nroles:\n", "\nroles:\n  deployer: [hospital-ai/triage]\n"))
    return policy


@pytest.fixture(scope="module")
def gateway(_model, rules, tmp_path_factory):
    with Gateway(_model.url, rules, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
def model(_model):
    _model.forget()
    _model.script = MADE
    yield _model
    _model.forget()


@pytest.fixture(scope="module")
def operators(issuer):
    return [issuer.mint(who, groups=["ml-platform"]) for who in ("priya.raman", "noor.haddad")]


def at_console(gateway, method, path, bearer, **more):
    headers = {"authorization": f"Bearer {bearer}"}
    return httpx.request(method, f"{gateway.console_url}{path}", headers=headers, trust_env=False, **more)


class Deploy:
    """`phigate deploy` of one job, under way."""

    def __init__(self, gateway, folder, *words, environment, command=(), body=BODY):
        named = ["--model", "ward-assistant", "--version", "2.1.0", "--digest", DIGEST, "--timeout", "60"]
        if body is not None:
            file = folder / "body.json"
            file.write_text(json.dumps(body))
            named += ["--call", "POST /api/create", "--body", str(file)]
        line = [sys.executable, "-m", "phigate.cli", "deploy", *named, *words, *(["--", *command] if command else [])]
        known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "addons"), "TERM": "dumb"}
        known |= {"PHIGATE_URL": gateway.url, "PHIGATE_CONSOLE": gateway.console_url}
        self.process = subprocess.Popen(
            line,
            env=known | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )

    def ended(self):
        """Its exit code and what it said."""
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out.decode(), err.decode()


@pytest.fixture
def deploy(gateway, tmp_path):
    with contextlib.ExitStack() as stack:

        def deploy(*words, **more):
            folder = tmp_path / f"job-{time.monotonic_ns()}"
            folder.mkdir()
            made = Deploy(gateway, folder, *words, **more)
            stack.callback(made.process.communicate)
            stack.callback(made.process.kill)
            return made

        yield deploy


@pytest.fixture
def job(ci):
    """A job of GitHub Actions, of a run of its own."""
    with GitHubJob(ci, github(run=str(time.monotonic_ns()))) as running:
        yield running


def ticket_of(gateway, operator, run, seconds=30.0):
    """The ticket of a run, once it waits."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            for each in at_console(gateway, "GET", "/tickets", operator).json()["tickets"]:
                shown = at_console(gateway, "GET", f"/tickets/{each['ticket']}", operator).json()["shown"]
                if shown["context"]["pipeline"] == run:
                    return each["ticket"], shown
        time.sleep(0.1)
    raise AssertionError("no ticket of this run")


def approve(gateway, ticket, operators, verdict="approve", comment="as planned"):
    for bearer in operators:
        said = at_console(gateway, "POST", f"/tickets/{ticket}/{verdict}", bearer, json={"comment": comment})
        assert said.status_code == 200, said.text
    return said.json()["state"]


def fetching(job):
    return {**job.environment, "PHIGATE_AUDIENCE": "phigate"}


def test_the_whole_walk(gateway, model, issuer, operators, deploy, job):
    running = deploy(environment=fetching(job))
    run = job.claims["run_id"]
    ticket, shown = ticket_of(gateway, operators[0], run)
    assert shown["context"]["commit"] == COMMIT
    assert shown["deployment"] == {"version": "2.1.0", "digest": DIGEST}
    assert shown["prompt"]["from"] == "llama3"
    # One person with two groups is one, the requester is none.
    twice = issuer.mint("priya.raman", groups=["ml-platform", "privacy"])
    assert approve(gateway, ticket, operators[:1]) == "pending"
    path = f"/tickets/{ticket}/approve"
    assert at_console(gateway, "POST", path, twice).json()["error"]["code"] == "already-said"
    assert at_console(gateway, "POST", path, job.bearer()).json()["error"]["code"] == "own-request"
    assert (running.process.poll(), model.connections) == (None, 0)
    assert approve(gateway, ticket, operators[1:]) == "approved"
    # Another body is another request, even now.
    other = BODY | {"system": "Say what you like."}
    bearer = {"authorization": f"Bearer {job.bearer()}", "phi-ask": "ticket"}
    with httpx.Client(base_url=gateway.url, headers=bearer, trust_env=False) as client:
        held = client.post("/api/create", json=other).json()
        assert (held["code"], held["ticket"] == ticket) == ("approval-required", False)
        code, out, err = running.ended()
        assert (code, out) == (0, ""), err
        assert [step["status"] for step in STEPS] == [line for line in err.splitlines() if line in str(STEPS)]
        assert "approve by noor.haddad: as planned" in err
        # And the same one has run: it needs another yes.
        again = client.post("/api/create", json=BODY).json()
        assert (again["code"], again["ticket"] == ticket) == ("approval-required", False)
    (sent,) = model.requests
    assert (sent.target, json.loads(sent.body)) == ("/api/create", BODY)
    assert job.secret not in err
    tied(gateway, ticket, run)


def tied(gateway, ticket, run):
    """What the journal says of one ticket, from whoever asked to the call that ran."""
    kept = records(gateway.journal)
    said = [each for each in kept if each["kind"] == "ticket" and each["ticket"] == ticket]
    assert [(each["decision"], each["subject"]["id"].partition(":")[0]) for each in said] == [
        ("open", "repo"),
        ("approve", "priya.raman"),
        ("deny", "priya.raman"),
        ("deny", "repo"),
        ("approve", "noor.haddad"),
    ]
    assert said[0]["deployment"] == {"version": "2.1.0", "digest": DIGEST}
    (grant,) = [each for each in kept if each["kind"] == "grant" and each["ticket"] == ticket]
    assert sorted(each["id"] for each in grant["by"]) == ["noor.haddad", "priya.raman"]
    ran = [each for each in kept if each["kind"] == "request" and each["decision"]["grant"] == grant["grant"]]
    assert [(each["decision"]["verb"], each["route"], each["decision"]["ticket"]) for each in ran] == [
        ("permit", "ollama-create", ticket)
    ]
    context = ran[0]["subject"]["context"]
    assert (context["commit"], context["pipeline"], context["actor"]) == (COMMIT, run, "priya-raman")
    assert ran[0]["deployment"] == {"version": "2.1.0", "digest": DIGEST}
    (answer,) = [each for each in kept if each["kind"] == "response" and each["exchange"] == ran[0]["exchange"]]
    assert answer["outcome"] == "complete"


def test_two_pipelines_at_once_and_a_no(gateway, model, operators, deploy, ci, job):
    """They come by one subject; each waits for its own yes."""
    with GitHubJob(ci, github(commit="0" * 40, run="77")) as second:
        one, two = deploy(environment=fetching(job)), deploy(environment=fetching(second))
        first, _ = ticket_of(gateway, operators[0], job.claims["run_id"])
        other, shown = ticket_of(gateway, operators[0], "77")
        assert (first != other, shown["context"]["commit"]) == (True, "0" * 40)
        assert approve(gateway, first, operators) == "approved"
        assert one.ended()[0] == 0
        assert two.process.poll() is None
        assert approve(gateway, other, operators[:1], "reject", "not on Fridays") == "rejected"
        code, _, err = two.ended()
    assert (code, "not on Fridays" in err) == (120, True)
    assert len(model.requests) == 1


def test_a_command_makes_the_approved_call_once(gateway, model, operators, deploy, job):
    script = 'curl -sS -o /dev/null -w "%{http_code} " -H "authorization: Bearer $PHIGATE_TOKEN"'
    script += ' --json "$BODY" "$PHIGATE_URL/api/create"'
    environment = fetching(job) | {"BODY": json.dumps(BODY)}
    running = deploy(environment=environment, command=["sh", "-c", f"for _ in 1 2; do {script}; done; exit 7"])
    ticket, _ = ticket_of(gateway, operators[0], job.claims["run_id"])
    approve(gateway, ticket, operators)
    code, out, err = running.ended()
    assert (code, out, len(model.requests)) == (7, "200 403 ", 1), err


def test_a_statement_waits_over_a_restart_and_how_it_ended_is_on_record(model, rules, lab, operators, tmp_path):
    folder = tmp_path / "job"
    folder.mkdir()
    with Gateway(model.url, rules, tmp_path / "gateway") as gateway:
        environment = {"PHIGATE_TOKEN": minted(lab, gitlab())}
        shell = ["sh", "-c", 'echo "deployed by $PHIGATE_TICKET"; exit 3']
        running = Deploy(gateway, folder, environment=environment, command=shell, body=None)
        try:
            ticket, shown = ticket_of(gateway, operators[0], "1519139981")
            assert shown["context"] == {
                "commit": COMMIT,
                "pipeline": "1519139981",
                "job": "8222997048",
                "actor": "priya-raman",
            }
            gateway.stop()
            time.sleep(1.5)
            gateway.start()
            approve(gateway, ticket, operators)
            code, out, err = running.ended()
        finally:
            running.process.kill()
            running.process.wait()
        assert (code, out) == (3, f"deployed by {ticket}\n"), err
        made = [each for each in records(gateway.journal) if each["kind"] == "deployment"]
    (grant,) = [each for each in records(gateway.journal) if each["kind"] == "grant"]
    assert [each.get("outcome") for each in made] == [None, "failed"]
    assert (made[0]["decision"]["ticket"], made[0]["decision"]["grant"]) == (ticket, grant["grant"])
    assert made[0]["subject"]["context"]["commit"] == COMMIT
    assert made[0]["deployment"] == made[1]["deployment"]
    assert (made[1]["deployment"]["version"], made[1]["code"]) == ("2.1.0", 3)
