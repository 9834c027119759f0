"""Approvers are told and answer from Slack: real clients, two gateways on one ledger, receivers that come and go."""

import base64
import hmac
import json
import os
import signal
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import httpx
import openai
import pytest

from model_server import Answer
from people import policy_for
from processes import Gateway
from tests.receiver import Receiver
from tests.traffic import completion, records

pytestmark = pytest.mark.live

SECRET, SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "8f742231b10e8888abcd99yyyzzz85a5"
STAGE = str(Path(__file__).with_name("quick_mitmdump.py"))
WHO, MRN = "Jane Roe", "12345678"
QUESTION = f"How is {WHO}, MRN {MRN}?"


@pytest.fixture(scope="module")
def pager():
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def channel():
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def told(issuer, pager, tmp_path_factory):
    """The default policy, with two webhooks and a workspace."""
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("told"))
    kai = f"{{issuer: '{issuer.url}', id: kai.holm, groups: [privacy]}}"
    text = policy.read_text()
    policy.write_text(
        f"{text}\nwebhooks:\n"
        f"  - {{name: pager, url: '{pager.url}/hook', secret: env:PAGER_SECRET}}\n"
        "  - {name: channel, url: env:CHANNEL_URL, format: slack, prompt: true}\n"
        f"approvers_from:\n  - {{slack: T12, secret: env:SLACK_SIGNING, people: {{UKAI: {kai}}}}}\n"
    )
    return policy


@pytest.fixture(scope="module")
def pair(_model, told, channel, tmp_path_factory):
    """Two gateways that share a ledger."""
    folder = tmp_path_factory.mktemp("webhooks")
    shared = {
        "ledger": f"sqlite+aiosqlite:///{folder / 'ledger.db'}",
        "program": STAGE,
        "prefix": (sys.executable,),
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PAGER_SECRET", SECRET)
        environment.setenv("CHANNEL_URL", f"{channel.url}/services/T12/x")
        environment.setenv("SLACK_SIGNING", SIGNING)
        with (
            Gateway(_model.url, told, folder / "one", instance="one", **shared) as first,
            Gateway(_model.url, told, folder / "two", instance="two", **shared) as second,
        ):
            yield first, second


def ask(gateway, bearer, text=QUESTION, **headers):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=bearer, max_retries=0) as client:
        messages = [{"role": "user", "content": text}]
        made = client.chat.completions.create(model="ward-assistant", messages=messages, extra_headers=headers)
        return made.choices[0].message.content


def held(gateway, bearer, why):
    """The ticket of a request that is held."""
    with pytest.raises(openai.PermissionDeniedError) as refused:
        ask(gateway, bearer, **{"phi-unmask": why})
    return refused.value.response.json()["error"]["ticket"]


def press(gateway, member, action, ticket):
    """A button in Slack, as Slack says that it was pressed."""
    pressed = [{"action_id": action, "value": ticket}]
    said = {"type": "block_actions", "team": {"id": "T12"}, "user": {"id": member}, "actions": pressed}
    body, at = urlencode({"payload": json.dumps(said)}).encode(), str(int(time.time()))
    mac = hmac.new(SIGNING.encode(), f"v0:{at}:".encode() + body, "sha256").hexdigest()
    headers = {"x-slack-request-timestamp": at, "x-slack-signature": f"v0={mac}"}
    headers["content-type"] = "application/x-www-form-urlencoded"
    url = f"{gateway.console_url}/slack/actions"
    return httpx.post(url, content=body, headers=headers, trust_env=False).status_code


def of(receiver, event, ticket):
    """What the pager was told of an event of one ticket."""
    told = [got for got in receiver.got if got.said.get("type") == event]
    return [got for got in told if ticket in {got.said["data"].get("ticket"), got.said["data"]["exchange"]}]


def on_record(pair):
    """What both gateways put on record of what they told, by its id."""
    return {each["message"]: each for gateway in pair for each in records(gateway.journal) if each["kind"] == "notice"}


def in_channel(channel, heading, about):
    said = [got for got in channel.got if about in got.body.decode()]
    return [got for got in said if got.said["blocks"][0]["text"]["text"] == heading]


def genuine(got):
    """Whether a message is signed as Standard Webhooks say, and just now."""
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    name, at = got.headers["webhook-id"], got.headers["webhook-timestamp"]
    mac = hmac.new(key, f"{name}.{at}.".encode() + got.body, "sha256").digest()
    return f"v1,{base64.b64encode(mac).decode()}" == got.headers["webhook-signature"] and abs(got.at - int(at)) < 5


@pytest.fixture(autouse=True)
def _nobody_is_named(pager, channel):
    """Whatever happened, nothing that was sent tells of anybody."""
    yield
    for got in (*pager.got, *channel.got):
        assert not [word for word in (WHO, MRN, "Roe") if word in f"{got.path}{got.headers}{got.body.decode()}"]


def test_approvers_are_told_and_their_yes_in_slack_lets_the_request_pass(pair, model, bearers, pager, channel):
    one, two = pair
    model.script = Answer(completion(f"Patient {WHO}, MRN {MRN}, is well."))
    doctor, why = bearers["dr.okafor"], f"ward round for {WHO}"
    ticket = held(one, doctor, why)
    pager.wait(lambda _got: of(pager, "ticket.opened", ticket))
    (opened,) = of(pager, "ticket.opened", ticket)
    assert genuine(opened)
    data = opened.said["data"]
    assert (data["rule"], data["asked_by"]["id"]) == ("see-identifiers", "dr.okafor")
    assert (data["link"], "prompt" in data) == (f"{one.console_url}/desk/tickets/{ticket}", False)
    assert httpx.get(data["link"], trust_env=False).status_code < 400  # it is there, and asks who somebody is
    channel.wait(lambda _got: in_channel(channel, "Somebody asks for approval", ticket))
    (asked,) = in_channel(channel, "Somebody asks for approval", ticket)
    assert "ward round for" in asked.body.decode()
    assert "How is" in asked.body.decode()
    yes, no, _ = next(block["elements"] for block in asked.said["blocks"] if block["type"] == "actions")
    assert press(two, "UNOBODY", no["action_id"], no["value"]) == 200
    assert press(two, "UKAI", yes["action_id"], yes["value"]) == 200
    assert MRN in ask(one, doctor, **{"phi-unmask": why})
    pager.wait(lambda _got: of(pager, "ticket.approved", ticket))
    channel.wait(lambda _got: in_channel(channel, "Approved", ticket))
    (record,) = [each for each in records(two.journal) if each["kind"] == "ticket"]
    assert (record["decision"], record["client"]["via"], record["subject"]["id"]) == ("approve", "slack", "kai.holm")
    assert press(one, "UKAI", no["action_id"], no["value"]) == 200  # too late: it is approved
    assert MRN in ask(one, doctor, **{"phi-unmask": why})


def test_break_glass_is_told_at_once(pair, model, bearers, pager, channel):
    one, _ = pair
    model.script = Answer(completion("well"))
    before = time.time()
    ask(one, bearers["dr.okafor"], **{"phi-break-glass": f"cardiac arrest of {WHO}"})
    (used,) = [each for each in records(one.journal) if each["kind"] == "break-glass"]
    pager.wait(lambda _got: of(pager, "break_glass.used", used["exchange"]))
    channel.wait(lambda _got: in_channel(channel, "Break-glass was used", used["exchange"]))
    (got,) = of(pager, "break_glass.used", used["exchange"])
    assert genuine(got)
    assert got.at - before < 5


def test_what_a_receiver_did_not_take_it_is_told_once_it_is_there_again(pair, issuer, pager, channel):
    one, _ = pair
    pager.stop()
    ticket = held(one, issuer.mint("dr.two", groups=["ward-staff"]), "receiver down")
    channel.wait(lambda _got: in_channel(channel, "Somebody asks for approval", ticket))  # nobody waits for the other
    time.sleep(0.5)
    pager.start()
    pager.wait(lambda _got: of(pager, "ticket.opened", ticket))
    assert genuine(of(pager, "ticket.opened", ticket)[0])
    (name,) = {each.headers["webhook-id"] for each in of(pager, "ticket.opened", ticket)}
    pager.wait(lambda _got: name in on_record(pair))
    assert on_record(pair)[name]["tries"] > 1


def test_what_a_killed_gateway_was_telling_another_one_tells_again_by_the_same_id(pair, issuer, pager):
    one, two = pair
    doctor = issuer.mint("dr.three", groups=["ward-staff"])
    os.kill(two.pid, signal.SIGSTOP)  # so that the first one has it
    try:
        pager.silent.set()
        ticket = held(one, doctor, "gateway killed")
        pager.wait(lambda _got: of(pager, "ticket.opened", ticket))
        os.kill(one.pid, signal.SIGKILL)
    finally:
        os.kill(two.pid, signal.SIGCONT)
        pager.silent.clear()
    pager.wait(lambda _got: len(of(pager, "ticket.opened", ticket)) == 2)
    first, second = of(pager, "ticket.opened", ticket)
    assert genuine(second)
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert press(two, "UKAI", "phigate-reject", ticket) == 200
    pager.wait(lambda _got: of(pager, "ticket.rejected", ticket))
