"""Approvers who sit at a terminal and before mitmweb: `phigate tickets`, and one-time codes in `phi.approve`."""

import re

import httpx
import openai
import pytest

from model_server import Answer
from people import policy_for
from processes import MITMDUMP, Gateway, free_port, settings
from tests.command import process
from tests.traffic import completion, records

pytestmark = pytest.mark.live

PASSWORD = "open-sesame"
WHY = {"phi-unmask": "ward round"}
ONE_YES = "    approvers: [privacy-officer]\n    grant: {for: PT30M}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def policy_file(issuer, folder):
    """Two officers have to agree before identifiers are shown, once."""
    policy = policy_for(issuer.url, folder)
    text = policy.read_text()
    assert ONE_YES in text
    policy.write_text(
        text.replace(
            ONE_YES, "    approvers: [privacy-officer]\n    approvals: 2\n    grant: {uses: 1, bind: request}\n"
        )
    )
    return policy


@pytest.fixture(scope="module")
def web(_model, policy_file, folder):
    """A gateway in mitmweb, and mitmweb's own API."""
    port = free_port()
    extra = ["--no-web-open-browser", "-v", *settings(web_port=port, web_password=PASSWORD)]
    headers = {"authorization": f"Bearer {PASSWORD}"}
    program = MITMDUMP.replace("mitmdump", "mitmweb")
    with (
        Gateway(_model.url, policy_file, folder / "gateway", program=program, extra=extra) as gateway,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False) as api,
    ):
        api.headers["x-xsrftoken"] = "t" * 20
        api.cookies.set("_mitmproxy_xsrf", "t" * 20)
        yield gateway, api


@pytest.fixture
def commands(web):
    """What a command of mitmproxy's answers, and what the event log says once that is over."""
    gateway, api = web

    def lines():
        return [each["message"] for each in api.get("/events").json() if "] phi." in each["message"]]

    def give(name, *words):
        before = len(lines())
        answer = api.post(f"/commands/{name}", json={"arguments": list(words)})
        assert answer.status_code == 200
        if name == "phi.policy":
            return answer.json()["value"]
        assert answer.json() == {"value": "asked: what comes of it is said in the event log"}
        gateway.wait_until(lambda: len(lines()) > before, 10)
        return [line.partition("] ")[2] for line in lines()[before:]]

    return give


@pytest.fixture
def tickets(web):
    gateway, _ = web

    def run(bearer, *words):
        environment = {"PHIGATE_CONSOLE": gateway.console_url, "PHIGATE_TOKEN": bearer}
        return process("tickets", *words, **environment)

    return run


def ask(gateway, bearer, text="How is the patient?", **headers):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=bearer, max_retries=0) as client:
        messages = [{"role": "user", "content": text}]
        made = client.chat.completions.create(model="ward-assistant", messages=messages, extra_headers=headers)
        return made.choices[0].message.content


def held(gateway, bearer, text="How is the patient?"):
    with pytest.raises(openai.PermissionDeniedError) as refused:
        ask(gateway, bearer, text, **WHY)
    error = refused.value.response.json()["error"]
    assert error["code"] == "approval-required"
    return error["ticket"]


def coded(gateway, bearer, ticket):
    headers = {"authorization": f"Bearer {bearer}"}
    answer = httpx.post(f"{gateway.console_url}/tickets/{ticket}/code", headers=headers, trust_env=False)
    return answer.json()["code"] if answer.status_code == 200 else answer.json()["error"]["code"]


def test_one_says_yes_in_a_terminal_and_one_in_mitmweb_and_the_request_passes_once(
    web, model, issuer, bearers, tickets, commands
):
    gateway, api = web
    model.script = Answer(completion("Patient Jane Roe, MRN 12345678, is well."))
    doctor, kai, eve = bearers["dr.okafor"], *(issuer.mint(name, groups=["privacy"]) for name in ("kai", "eve"))
    ticket = held(gateway, doctor)

    listed = tickets(kai)
    assert listed.stdout.decode().split("\t")[:4:3] == [ticket, "0 of 2"]
    done = tickets(kai, "approve", ticket, "--yes", "--comment", "seen by phone")
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode()
    assert shown.index("How is the patient?") < shown.index("pending: 1 of 2 said yes")
    assert held(gateway, doctor) == ticket
    twice = tickets(kai, "approve", ticket, "--yes")
    assert (twice.returncode, twice.stderr) == (1, b"You have answered this already. (already-said)\n")

    (count, line) = commands("phi.tickets")
    assert count == "phi.tickets: 1 ticket waiting"
    assert line.startswith(f"phi.tickets: {ticket}: chat, unmask by rule see-identifiers, 1 of 2 said yes, until ")
    code = tickets(eve, "code", ticket).stdout.decode().strip()
    assert re.fullmatch(r"\w{5}-\w{5}", code)
    assert commands("phi.approve", ticket, code) == [f"phi.approve: {ticket}: approved"]

    assert "12345678" in ask(gateway, doctor, **WHY)
    assert held(gateway, doctor) != ticket
    said = [record for record in records(gateway.journal) if record["kind"] in {"ticket", "look", "grant"}]
    yes = [(each["subject"]["id"], each["client"].get("via")) for each in said if each.get("decision") == "approve"]
    assert yes == [("kai", "console"), ("eve", "mitmproxy")]
    got = [each["subject"]["id"] for each in said if each.get("command") == "POST /tickets/ID/code"]
    assert got == ["eve"]
    log = api.get("/events").text + gateway.said()
    journal = "".join(path.read_text() for path in gateway.journal.glob("*.jsonl"))
    for secret in (code, code.replace("-", ""), kai, eve):
        assert secret not in log
        assert secret not in journal
    assert [name for name in ("kai", "dr.okafor", "12345678") if name in log] == []


def test_a_code_is_good_for_nobody_else_and_nothing_else(web, model, issuer, bearers, commands, policy_file):
    gateway, api = web
    model.script = Answer(completion("Patient Jane Roe, MRN 12345678, is well."))
    doctor, kai, eve = bearers["dr.okafor"], *(issuer.mint(name, groups=["privacy"]) for name in ("kai", "eve"))
    first, second = held(gateway, doctor, "How is one?"), held(gateway, doctor, "How is the other?")
    not_good = ["phi.approve: this code is not good for this ticket, and is used up"]

    assert coded(gateway, issuer.mint("dr.okafor", groups=["ward-staff", "privacy"]), first) == "own-request"
    assert coded(gateway, bearers["sam.lindqvist"], first) == "unknown"
    assert api.post("/commands/phi.approve", json={"arguments": [first]}).json().keys() == {"error"}
    assert commands("phi.approve", first, "AAAAA-AAAAA") == not_good  # guessed

    code = coded(gateway, kai, second)
    assert commands("phi.approve", first, code) == not_good  # for another ticket
    assert commands("phi.approve", second, code) == not_good  # which used it up
    code = coded(gateway, kai, first)
    assert commands("phi.approve", first, code.lower()) == [f"phi.approve: {first}: pending, 1 of 2 said yes"]
    assert commands("phi.approve", first, code) == not_good  # twice
    assert coded(gateway, kai, first) == "already-said"

    code = coded(gateway, eve, second)
    lost = policy_file.read_text()
    assert "privacy-officer: [privacy]" in lost
    before = commands("phi.policy")
    policy_file.write_text(lost.replace("privacy-officer: [privacy]", "privacy-officer: [others]"))
    gateway.wait_until(lambda: commands("phi.policy").splitlines()[0] != before.splitlines()[0], 10)
    refused = commands("phi.approve", second, code)
    assert refused == ["phi.approve: There is no such thing, or it is not yours to see."]
    policy_file.write_text(lost)
    gateway.wait_until(lambda: commands("phi.policy").splitlines()[0] == before.splitlines()[0], 10)

    guessed = [commands("phi.reject", second, f"AAAAA-AAAA{each}")[0] for each in "ACDEFG"]
    assert guessed[-1] == "phi.reject: too many codes were tried: ask again in five minutes"
    assert commands("phi.reject", second, coded(gateway, eve, second)) == guessed[-1:]
    assert held(gateway, doctor, "How is one?") == first
    assert held(gateway, doctor, "How is the other?") == second
    assert model.requests == []
    why = [each["reason"] for each in records(gateway.journal) if each.get("command") == "phi.approve"]
    assert why == ["code-for-another-ticket"]
