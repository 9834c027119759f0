"""Deployments from pipelines: a job's own identity, `phigate deploy` as a process of its own, two people's yes."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

import httpx
import pytest
import yaml

from issuer import SampleIssuer
from model_server import Answer
from phigate.options import ROOT
from pipeline import COMMIT, GitHubJob, github, gitlab, minted
from processes import Gateway
from tests.traffic import records

pytestmark = pytest.mark.live

BODY = {
    "model": "ward-assistant",
    "from": "ward-assistant",
    "files": {"model.gguf": f"sha256:{'8e' * 32}"},
    "system": "Be brief.",
}
STEPS = [{"status": "reading model metadata"}, {"status": "writing manifest"}, {"status": "success"}]
MADE = Answer([json.dumps(step).encode() + b"\n" for step in STEPS], headers={"content-type": "application/x-ndjson"})
AUDIENCE = "https://phigate.hospital.example"
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def ci():
    with SampleIssuer(audience=AUDIENCE) as running:
        yield running


@pytest.fixture(scope="module")
def lab():
    with SampleIssuer(audience=AUDIENCE) as running:
        yield running


@pytest.fixture(scope="module")
def rules(issuer, ci, lab, tmp_path_factory):
    """The policy of docs/deploy.md; here the pipeline even holds the role of the approvers."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "deploy.md").read_text(), re.DOTALL)
    known = (
        "https://idp.hospital.example",
        "https://token.actions.githubusercontent.com",
        "https://gitlab.hospital.example",
    )
    changes = [
        *zip(known, (issuer.url, ci.url, lab.url), strict=True),
        ("[ml-platform]", "[ml-platform, hospital-ai/triage]"),
    ]
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    policy = tmp_path_factory.mktemp("deployment") / "policy.yaml"
    policy.write_text(text)
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
    """A step of a job that runs `phigate deploy`, under way."""

    def __init__(self, gateway, folder, environment, script):
        phigate = folder / "phigate"
        phigate.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m phigate "$@"\n')
        phigate.chmod(0o700)
        known = {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "addons"), "TERM": "dumb"}
        here = {"PHIGATE_URL": gateway.url, "PHIGATE_CONSOLE": gateway.console_url}
        to, none, line = subprocess.PIPE, subprocess.DEVNULL, ["bash", "-e", "-c", f"exec 2>&1; {script}"]
        self.process = subprocess.Popen(line, env=known | environment | here, cwd=folder, stdout=to, stdin=none)
        self.said = ""

    def until(self, words):
        """The line of what it says that holds these words."""
        assert self.process.stdout is not None
        for raw in self.process.stdout:
            self.said += raw.decode()
            if words.encode() in raw:
                return raw.decode()
        raise AssertionError(self.said)

    def ended(self):
        """Its exit code and what it said."""
        rest, _ = self.process.communicate(timeout=60)
        return self.process.returncode, self.said + rest.decode()


@pytest.fixture
def deploy(gateway, tmp_path):
    with contextlib.ExitStack() as stack:

        def deploy(environment, script, **files):
            folder = tmp_path / f"job-{time.monotonic_ns()}"
            folder.mkdir()
            for name, content in files.items():
                file = folder / name.replace("_", ".")
                file.write_text(content)
                file.chmod(0o700)
            made = Deploy(gateway, folder, environment, script)
            stack.callback(made.process.communicate)
            stack.callback(made.process.kill)
            return made

        yield deploy


@pytest.fixture
def job(ci):
    """A job of GitHub Actions, of a run of its own."""
    with GitHubJob(ci, github(run=str(time.monotonic_ns()))) as running:
        yield running


def asked(gateway, running, operator):
    """The ticket that a job waits for, and what approvers see of it."""
    ticket = running.until("ticket t-").split()[1]
    return ticket, at_console(gateway, "GET", f"/tickets/{ticket}", operator).json()["shown"]


def approve(gateway, ticket, operators, verdict="approve", comment="as planned"):
    for bearer in operators:
        said = at_console(gateway, "POST", f"/tickets/{ticket}/{verdict}", bearer, json={"comment": comment})
        assert said.status_code == 200, said.text
    return said.json()["state"]


def in_github(job):
    """The environment and the script of the workflow's last step, as the job that runs it has them."""
    document = yaml.safe_load((DOCS / "deploy" / "github.yaml").read_text())
    made = document["jobs"]["deploy"]
    assert document["permissions"] == {}
    assert made["permissions"] == {"contents": "read", "id-token": "write"}
    used = [step["uses"] for step in made["steps"] if "uses" in step]
    assert len(used) == 2
    assert all(re.fullmatch(r"actions/[a-z-]+@v[0-9]+[.][0-9]+[.][0-9]+", each) for each in used)
    step = made["steps"][-1]
    assert step["env"] == {"VERSION": "${{ inputs.version }}"}
    return {**made["env"], **job.environment, "VERSION": "2.1.0"}, step["run"]


def in_gitlab(bearer):
    """The same of a job of GitLab's, whose bearer is a variable."""
    (made,) = yaml.safe_load((DOCS / "deploy" / "gitlab.yaml").read_text()).values()
    (name,) = made["id_tokens"]
    assert made["id_tokens"][name] == {"aud": AUDIENCE}
    return {**made["variables"], name: bearer, "CI_COMMIT_TAG": "v2.1.0"}, "\n".join(made["script"])


FILE = json.dumps(BODY)
DIGEST = f"sha256:{hashlib.sha256(FILE.encode()).hexdigest()}"


def test_the_whole_walk(gateway, model, issuer, operators, deploy, job):
    environment, script = in_github(job)
    running = deploy(environment, script, model_json=FILE)
    run = job.claims["run_id"]
    ticket, shown = asked(gateway, running, operators[0])
    assert (shown["context"]["commit"], shown["context"]["pipeline"]) == (COMMIT, run)
    assert shown["deployment"] == {"version": "2.1.0", "digest": DIGEST}
    assert shown["prompt"]["from"] == "ward-assistant"
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
    bearer = {"authorization": f"Bearer {job.bearer()}", "phi-ask": "ticket", "phi-justification": "to see"}
    with httpx.Client(base_url=gateway.url, headers=bearer, trust_env=False) as client:
        held = client.post("/api/create", json=other).json()
        assert (held["code"], held["ticket"] == ticket) == ("approval-required", False)
        code, said = running.ended()
        assert code == 0, said
        assert [step["status"] for step in STEPS] == [line for line in said.splitlines() if line in str(STEPS)]
        assert "approve by noor.haddad: as planned" in said
        # And the same one has run: it needs another yes.
        again = client.post("/api/create", json=BODY).json()
        assert (again["code"], again["ticket"] == ticket) == ("approval-required", False)
    (sent,) = model.requests
    assert (sent.target, json.loads(sent.body)) == ("/api/create", BODY)
    assert job.secret not in said
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
        one, two = (deploy(*in_github(each), model_json=FILE) for each in (job, second))
        first, _ = asked(gateway, one, operators[0])
        other, shown = asked(gateway, two, operators[0])
        assert (first != other, shown["context"]["commit"]) == (True, "0" * 40)
        assert approve(gateway, first, operators) == "approved"
        assert one.ended()[0] == 0
        assert two.process.poll() is None
        assert approve(gateway, other, operators[:1], "reject", "not on Fridays") == "rejected"
        code, said = two.ended()
    assert (code, "not on Fridays" in said) == (120, True)
    assert len(model.requests) == 1


has_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")


@has_curl
def test_curl_does_it_as_the_page_says(gateway, model, operators, ci):
    (lines,) = re.findall(r"```sh\n(said=.*?)```", (DOCS / "deploy.md").read_text(), re.DOTALL)
    said, state, look = lines.replace("HEX", "9f" * 32).splitlines()
    token = minted(ci, github(run="1001"))
    known = {"PATH": os.environ["PATH"], "PHIGATE_CONSOLE": gateway.console_url, "PHIGATE_TOKEN": token}

    def run(line, **more):
        command = ["bash", "-ec", f"{said}\n{line}"]
        return json.loads(subprocess.run(command, env=known | more, capture_output=True, check=True).stdout)

    held = run(state)
    assert held["decision"] == "hold"
    assert run(look, ticket=held["ticket"])["state"] == "pending"
    approve(gateway, held["ticket"], operators)
    assert [each["comment"] for each in run(look, ticket=held["ticket"])["said"]] == ["as planned"] * 2
    assert run(state).keys() == {"decision", "deployment", "receipt"}
    assert run(state)["decision"] == "hold"
    assert model.connections == 0


@has_curl
def test_a_command_makes_the_approved_call_once(gateway, model, operators, deploy, job):
    environment, script = in_github(job)
    call = 'curl -sS -o /dev/null -w "%{http_code} " -H "authorization: Bearer $PHIGATE_TOKEN"'
    call += ' -H "phi-justification: release" --json @model.json "$PHIGATE_URL/api/create"'
    command = f'#!/bin/sh\n{call}\n{call} -H "phi-ask: ticket"\nexit 7\n'
    running = deploy(environment, f"{script.rstrip()} -- ./run.sh", model_json=FILE, run_sh=command)
    ticket, _ = asked(gateway, running, operators[0])
    approve(gateway, ticket, operators)
    code, said = running.ended()
    assert (code, len(model.requests)) == (7, 1), said
    assert "200 403 " in said


def test_a_statement_waits_over_a_restart_and_how_it_ended_is_on_record(gateway, lab, operators, deploy):
    environment, script = in_gitlab(minted(lab, gitlab()))
    command = '#!/bin/sh\necho "$1 is deployed by $PHIGATE_TICKET"\nexit 3\n'
    running = deploy(environment, script, model_gguf="GGUF", deploy_sh=command)
    ticket, shown = asked(gateway, running, operators[0])
    assert shown["context"] == {
        "commit": COMMIT,
        "pipeline": "1519139981",
        "job": "8222997048",
        "actor": "priya-raman",
    }
    gateway.stop()
    running.until("the gateway does not answer")
    gateway.start()
    approve(gateway, ticket, operators)
    code, said = running.ended()
    assert (code, f"model.gguf is deployed by {ticket}\n" in said) == (3, True), said
    kept = records(gateway.journal)
    made = [each for each in kept if each["kind"] == "deployment" and each["deployment"]["version"] == "v2.1.0"]
    (grant,) = [each for each in kept if each["kind"] == "grant" and each["ticket"] == ticket]
    assert [each.get("outcome") for each in made] == [None, "failed"]
    assert (made[0]["decision"]["ticket"], made[0]["decision"]["grant"]) == (ticket, grant["grant"])
    assert made[0]["subject"]["context"]["commit"] == COMMIT
    assert made[0]["deployment"] == made[1]["deployment"]
    assert (made[1]["deployment"]["version"], made[1]["code"]) == ("v2.1.0", 3)
