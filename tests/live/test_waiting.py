"""Requests that wait for their yes with the connection open: unmodified clients, real bearers, two gateways."""

import asyncio
import signal
import socket
import threading
import time
from typing import Any

import httpx
import openai
import pytest

from model_server import Answer
from people import policy_for
from processes import HOST, Gateway
from tests.traffic import completion, events, records

pytestmark = pytest.mark.live

QUESTION = "How is the patient?"
WHY = {"phi-unmask": "ward round"}
SEE = "    grant: {for: PT30M}\n    mask: reveal\n"
MORE = """
  - name: see-identifiers-for-research
    hold: [researcher]
    to: [embed]
    models: ["*"]
    approvers: [privacy-officer]
    wait: PT1S
    mask: safe-harbor
  - name: try-models
    hold: [ml-operator]
    to: [chat]
    models: ["*"]
    approvers: [privacy-officer]
    grant: {for: PT30M}
    wait: PT1M
    mask: minimum-necessary
  - name: try-prompts
    hold: [auditor]
    to: [chat]
    models: ["*"]
    approvers: [privacy-officer]
    wait: PT1M
    prompt: surrogates
    mask: minimum-necessary

masks:
"""


@pytest.fixture(scope="module")
def waits(issuer, tmp_path_factory):
    """The default policy, whose holds wait."""
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("waits"))
    text = policy.read_text()
    assert SEE in text
    assert "\nmasks:\n" in text
    policy.write_text(text.replace(SEE, "    wait: PT20S\n    mask: reveal\n").replace("\nmasks:\n", MORE))
    return policy


def gateway_of(upstream, policy, folder, instance):
    """One of several gateways that share a ledger and secrets."""
    keys = folder / instance / "keys"
    keys.mkdir(parents=True, mode=0o700)
    (keys / "secrets").write_text(f"1 {'5' * 64}\n")
    (keys / "secrets").chmod(0o600)
    ledger = f"sqlite+aiosqlite:///{folder / 'ledger.db'}"
    return Gateway(upstream.url, policy, folder / instance, instance=instance, ledger=ledger)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return tmp_path_factory.mktemp("waiting")


@pytest.fixture(scope="module")
def pair(_model, waits, shared):
    with gateway_of(_model, waits, shared, "one") as first, gateway_of(_model, waits, shared, "two") as second:
        yield first, second


@pytest.fixture(scope="module")
def officer(issuer):
    return issuer.mint("kai.holm", groups=["privacy"])


def ask(gateway, bearer, text=QUESTION, *, stream=False, **headers):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=bearer, max_retries=0) as client:
        messages = [{"role": "user", "content": text}]
        asked: Any = {"model": "ward-assistant", "messages": messages, "extra_headers": headers}
        if stream:
            return [each.choices[0].delta.content for each in client.chat.completions.create(stream=True, **asked)]
        made = client.chat.completions.create(**asked)
        return made.choices[0].message.content


class Asking(threading.Thread):
    """Somebody who asks beside the test, and what came of it."""

    def __init__(self, *args, **headers):
        super().__init__(daemon=True)
        self._asked = args, headers
        self.answer = self.error = None
        self.start()

    def run(self):
        args, headers = self._asked
        try:
            self.answer = ask(*args, **headers)
        except (openai.APIError, httpx.HTTPError) as error:
            self.error = error

    def over(self, seconds=10):
        self.join(seconds)
        assert not self.is_alive()
        return self

    @property
    def code(self):
        return self.error.response.json()["error"]["code"]


def at_console(gateway, method, path, bearer, **more):
    headers = {"authorization": f"Bearer {bearer}"}
    return httpx.request(method, f"{gateway.console_url}{path}", headers=headers, trust_env=False, **more)


def kept(gateway, kind):
    return [record for record in records(gateway.journal) if record["kind"] == kind]


def pending(gateway, officer):
    return [each["ticket"] for each in at_console(gateway, "GET", "/tickets", officer).json()["tickets"]]


def found(gateway, officer, count=1):
    """The tickets that wait, once there are so many."""
    end = time.monotonic() + 10
    while len(tickets := pending(gateway, officer)) < count:
        assert time.monotonic() < end, "no ticket came"
        time.sleep(0.02)
    return tickets


def on_hold(gateway, ticket):
    """The record that a request waits for a ticket."""
    end = time.monotonic() + 10
    while not (waiting := [each for each in kept(gateway, "hold") if each["decision"]["ticket"] == ticket]):
        assert time.monotonic() < end, "nothing waits"
        time.sleep(0.02)
    return waiting[-1]


def request_of(gateway, exchange):
    end = time.monotonic() + 10
    while not (asked := [each for each in kept(gateway, "request") if each["exchange"] == exchange]):
        assert time.monotonic() < end, "the request is not on record"
        time.sleep(0.02)
    (one,) = asked
    return one


@pytest.mark.parametrize("where", [0, 1], ids=["at this gateway", "at another one"])
def test_a_request_waits_for_the_yes_and_passes(pair, model, bearers, officer, where):
    one = pair[0]
    model.script = Answer(completion("Patient Jane Roe, MRN 12345678, is well."))
    asking = Asking(one, bearers["dr.okafor"], f"How is patient {where}?", **WHY)
    (ticket,) = found(one, officer)
    hold = on_hold(one, ticket)
    assert model.connections == 0
    assert at_console(pair[where], "POST", f"/tickets/{ticket}/approve", officer).status_code == 200
    assert "12345678" in asking.over(5).answer
    decision = request_of(one, hold["exchange"])["decision"]
    assert (hold["decision"]["verb"], decision["verb"], decision["ticket"]) == ("hold", "permit", ticket)
    assert len(model.requests) == 1
    with pytest.raises(openai.PermissionDeniedError):  # one use
        ask(one, bearers["dr.okafor"], f"How is patient {where}?", **WHY, prefer="wait=0")
    for left in pending(one, officer):
        at_console(one, "POST", f"/tickets/{left}/revoke", officer)


def test_a_no_is_answered_at_once(pair, model, bearers, officer):
    one = pair[0]
    asking = Asking(one, bearers["dr.okafor"], **WHY)
    (ticket,) = found(one, officer)
    on_hold(one, ticket)
    at_console(one, "POST", f"/tickets/{ticket}/reject", officer)
    assert asking.over(3).error.status_code == 403
    assert (asking.code, model.connections) == ("rejected", 0)


def test_at_the_end_of_its_time_it_is_answered_with_its_ticket(pair, model, bearers, officer):
    one = pair[0]
    with openai.OpenAI(base_url=f"{one.url}/v1", api_key=bearers["sam.lindqvist"], max_retries=0) as client:
        began = time.monotonic()
        with pytest.raises(openai.PermissionDeniedError) as refused:
            client.embeddings.create(model="ward-embedder", input="A note.")
    assert 1 <= time.monotonic() - began < 4
    error = refused.value.response.json()["error"]
    assert error["code"] == "approval-required"
    assert pending(one, officer) == [error["ticket"]]
    at_console(one, "POST", f"/tickets/{error['ticket']}/revoke", officer)
    assert model.connections == 0


def test_for_a_client_that_left_nothing_is_sent_and_nothing_spent(pair, model, bearers, officer):
    one = pair[0]
    body = b'{"model":"ward-assistant","messages":[{"role":"user","content":"How is the patient now?"}]}'
    head = [
        b"POST /v1/chat/completions HTTP/1.1",
        b"Host: gateway",
        b"Content-Type: application/json",
        b"Authorization: Bearer " + bearers["dr.okafor"].encode(),
        b"phi-unmask: ward round",
        b"Content-Length: %d" % len(body),
    ]
    with socket.create_connection((HOST, one.port)) as wire:
        wire.sendall(b"\r\n".join(head) + b"\r\n\r\n" + body)
        (ticket,) = found(one, officer)
        hold = on_hold(one, ticket)
    decision = request_of(one, hold["exchange"])["decision"]  # and it waits no more
    assert (decision["verb"], decision["reason"], decision["ticket"]) == ("hold", "client-left", ticket)
    at_console(one, "POST", f"/tickets/{ticket}/approve", officer)
    time.sleep(0.2)
    assert model.connections == 0
    model.script = Answer(completion("Fine."))
    assert ask(one, bearers["dr.okafor"], "How is the patient now?", **WHY) == "Fine."


def test_a_gateway_that_leaves_answers_those_that_wait_and_the_ticket_stays(
    pair, model, bearers, officer, waits, shared
):
    two = pair[1]
    with gateway_of(model, waits, shared, "leaves") as gateway:
        asking = Asking(gateway, bearers["dr.okafor"], **WHY)
        (ticket,) = found(two, officer)
        on_hold(gateway, ticket)
        gateway.process.send_signal(signal.SIGTERM)
        assert asking.over(5).error.status_code == 503
        assert asking.error.response.json()["error"]["ticket"] == ticket
        gateway.process.wait(10)
    again = Asking(two, bearers["dr.okafor"], **WHY)
    on_hold(two, ticket)
    at_console(two, "POST", f"/tickets/{ticket}/approve", officer)
    assert again.over().answer


def test_a_gateway_that_is_killed_while_holding_loses_no_ticket(pair, model, bearers, officer, waits, shared):
    two = pair[1]
    with gateway_of(model, waits, shared, "killed") as gateway:
        asking = Asking(gateway, bearers["dr.okafor"], **WHY)
        (ticket,) = found(two, officer)
        on_hold(gateway, ticket)
        gateway.process.kill()
        assert isinstance(asking.over(5).error, openai.APIConnectionError)
    again = Asking(two, bearers["dr.okafor"], **WHY)
    on_hold(two, ticket)
    assert pending(two, officer) == [ticket]
    at_console(two, "POST", f"/tickets/{ticket}/approve", officer)
    assert again.over().answer
    assert len(model.requests) == 1


def test_an_answer_under_way_ends_when_what_it_runs_by_is_taken_back(pair, model, bearers, officer):
    """Though its one use is spent."""
    one, two = pair
    asking = Asking(one, bearers["dr.okafor"], "And now?", stream=True, **WHY)
    (ticket,) = found(one, officer)
    hold = on_hold(one, ticket)
    pieces = [each for piece in events("The patient is well. " * 400) for each in (piece, 0.05)]
    model.script = Answer.events(pieces)
    at_console(two, "POST", f"/tickets/{ticket}/approve", officer)
    model.wait_for(1)
    assert at_console(two, "POST", f"/tickets/{ticket}/revoke", officer).status_code == 200
    began = time.monotonic()
    asking.over(5)
    assert asking.answer is None
    assert time.monotonic() - began < 5
    (response,) = [each for each in kept(one, "response") if each["exchange"] == hold["exchange"]]
    assert response["outcome"] == "revoked"


GRANTED, SINGLE = 192, 8


async def test_two_hundred_wait_while_others_pass(pair, model, issuer, bearers, officer):
    """For most of them four people get one yes each, which is for a time; each request of the others gets its own."""
    gateway = pair[1]
    before = len(kept(gateway, "hold"))
    model.script = Answer(completion("Fine."))
    operators = [issuer.mint(f"operator-{number}", groups=["ml-platform"]) for number in range(4)]
    auditor = issuer.mint("rosa.klein", groups=["compliance"])
    chats = [(operators[number % 4], f"Try {number}.") for number in range(GRANTED)]
    chats += [(auditor, f"Prompt {number}.") for number in range(SINGLE)]
    limits = httpx.Limits(max_connections=300, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=60, limits=limits) as client:

        async def chat(bearer, text):
            body = {"model": "ward-assistant", "messages": [{"role": "user", "content": text}]}
            return await client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {bearer}"})

        held = [asyncio.create_task(chat(*each)) for each in chats]
        while len(kept(gateway, "hold")) < before + GRANTED + SINGLE:
            assert [each.result().text for each in held if each.done()] == []
            await asyncio.sleep(0.2)
        assert model.connections == 0
        times = []
        for _ in range(20):
            began = time.monotonic()
            assert (await chat(bearers["dr.okafor"], QUESTION)).status_code == 200
            times.append(time.monotonic() - began)
        assert sorted(times)[10] < 1
        assert not any(each.done() for each in held)
        assert await asyncio.to_thread(approve_all, gateway, officer) == 4 + SINGLE
        answers = await asyncio.wait_for(asyncio.gather(*held), 30)
        assert {each.status_code for each in answers} == {200}
    assert len(model.requests) == 20 + GRANTED + SINGLE


def approve_all(gateway, officer):
    """Say yes to one ticket of each operator, and to all of the auditor's; how often that was."""
    said = set()
    headers = {"authorization": f"Bearer {officer}"}
    with httpx.Client(base_url=gateway.console_url, trust_env=False, headers=headers, timeout=20) as console:
        for each in console.get("/tickets").json()["tickets"]:
            who = each["asked_by"]["id"] if each["rule"] == "try-models" else each["ticket"]
            if who not in said:
                said.add(who)
                assert console.post(f"/tickets/{each['ticket']}/approve").status_code == 200
    return len(said)
