"""Somebody says yes first: unmodified clients, real bearers, two gateways on one ledger, the console."""

import asyncio
import json
import time

import httpx
import openai
import pytest

from model_server import Answer
from people import policy_for
from phigate.ledger import open_ledger
from phigate.ledger.tickets import Review
from processes import Gateway
from tests.ledger.tickets import ADA, ticket
from tests.traffic import completion, records

pytestmark = pytest.mark.live

QUESTION = "How is the patient?"


@pytest.fixture(scope="module")
def pair(_model, policy, tmp_path_factory):
    """Two gateways that share a ledger."""
    folder = tmp_path_factory.mktemp("approvals")
    shared = {"ledger": f"sqlite+aiosqlite:///{folder / 'ledger.db'}"}
    with (
        Gateway(_model.url, policy, folder / "one", instance="one", **shared) as first,
        Gateway(_model.url, policy, folder / "two", instance="two", **shared) as second,
    ):
        yield first, second


@pytest.fixture(scope="module")
def officer(issuer):
    return issuer.mint("kai.holm", groups=["privacy"])


def ask(gateway, bearer, text=QUESTION, **headers):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=bearer, max_retries=0) as client:
        messages = [{"role": "user", "content": text}]
        made = client.chat.completions.create(model="ward-assistant", messages=messages, extra_headers=headers)
        return made.choices[0].message.content


def at_console(gateway, method, path, bearer, **more):
    headers = {"authorization": f"Bearer {bearer}"}
    return httpx.request(method, f"{gateway.console_url}{path}", headers=headers, trust_env=False, **more)


def held(gateway, bearer, **headers):
    with pytest.raises(openai.PermissionDeniedError) as refused:
        ask(gateway, bearer, **headers)
    error = refused.value.response.json()["error"]
    assert error["code"] == "approval-required"
    return error


def kept(gateway, kind):
    return [record for record in records(gateway.journal) if record["kind"] == kind]


WHY = {"phi-unmask": "ward round"}


def test_a_held_request_passes_after_a_second_persons_yes_and_no_longer_once_that_is_taken_back(
    pair, model, bearers, officer, issuer
):
    one, two = pair
    model.script = Answer(completion("Patient Jane Roe, MRN 12345678, is well."))
    doctor = bearers["dr.okafor"]
    error = held(one, doctor, **WHY)
    ticket = error["ticket"]
    assert error["console"] == one.console_url
    assert held(one, doctor, **WHY)["ticket"] == ticket
    both = issuer.mint("dr.okafor", groups=["ward-staff", "privacy"])
    assert at_console(one, "POST", f"/tickets/{ticket}/approve", both).json()["error"]["code"] == "own-request"
    assert at_console(one, "POST", f"/tickets/{ticket}/approve", doctor).status_code == 403
    assert [each["ticket"] for each in at_console(two, "GET", "/tickets", officer).json()["tickets"]] == [ticket]
    answer = at_console(two, "POST", f"/tickets/{ticket}/approve", officer, json={"comment": "seen"})
    assert (answer.status_code, answer.json()["state"]) == (200, "approved")
    assert "12345678" in ask(one, doctor, **WHY)
    assert "12345678" not in ask(one, doctor)
    assert at_console(two, "POST", f"/tickets/{ticket}/revoke", officer).json()["state"] == "revoked"
    assert held(one, doctor, **WHY)["ticket"] != ticket
    (grant,) = kept(two, "grant")
    asked = [record["decision"] for record in kept(one, "request") if record["decision"]["grant"]]
    assert [(each["verb"], each["ticket"], each["grant"]) for each in asked] == [("permit", ticket, grant["grant"])]


def test_break_glass_passes_at_once_and_is_reviewed(pair, model, bearers, officer):
    one, two = pair
    model.script = Answer(completion("Patient Jane Roe, MRN 12345678, is well."))
    assert "12345678" in ask(one, bearers["dr.okafor"], **{"phi-break-glass": "cardiac arrest"})
    (used,) = kept(one, "break-glass")
    (review,) = at_console(two, "GET", "/reviews", officer).json()["reviews"]
    assert review["exchange"] == used["exchange"]
    assert "Jane Roe" not in json.dumps(review)
    answer = at_console(two, "POST", f"/reviews/{used['exchange']}/approve", officer)
    assert answer.status_code == 200
    assert [record["exchange"] for record in kept(two, "review")] == [used["exchange"]]


async def lapse(url):
    """A ticket and a review that nobody answered in time."""
    ledger, now = await open_ledger(url), time.time()
    await ledger.approvals.open_ticket(ticket(opened=now - 60, until=now - 1), now - 60)
    await ledger.approvals.open_review(Review("ex-1", "sos", ADA, ("officer",), now - 60, {}, due=now - 1))
    await ledger.close()


def test_what_nobody_answered_one_gateway_writes_down_and_each_shows(model, policy, tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    asyncio.run(lapse(url))
    with (
        Gateway(model.url, policy, tmp_path / "one", instance="one", ledger=url) as one,
        Gateway(model.url, policy, tmp_path / "two", instance="two", ledger=url) as two,
    ):
        for gateway in (one, two):
            remark = wait_until(lambda gateway=gateway: readiness(gateway).get("remarks", {}).get("reviews"))
            assert remark.startswith("1 of 1 open reviews of break-glass are overdue, since ")
            assert (
                'phigate_reviews{state="overdue"} 1.0'
                in httpx.get(f"{gateway.console_url}/metrics", trust_env=False).text
            )
        wait_until(lambda: kept(one, "ticket") or kept(two, "ticket"))
        time.sleep(1)
        (record,) = [each for gateway in (one, two) for each in kept(gateway, "ticket")]
        assert (record["decision"], record["ticket"], record["grant"]) == ("expire", "t-1", None)


def readiness(gateway):
    return httpx.get(f"{gateway.console_url}/readyz", trust_env=False).json()


def wait_until(told, seconds=20):
    end = time.monotonic() + seconds
    while not (found := told()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def test_what_was_approved_once_runs_once_and_only_as_it_was_asked(model, issuer, bearers, officer, tmp_path):
    """The rule's grant is one use of the very request, as it is where a rule says nothing."""
    policy = policy_for(issuer.url, tmp_path)
    text = policy.read_text()
    assert "    grant: {for: PT30M}\n" in text
    policy.write_text(text.replace("    grant: {for: PT30M}\n", ""))
    doctor = bearers["dr.okafor"]
    with Gateway(model.url, policy, tmp_path / "gateway") as gateway:
        ticket = held(gateway, doctor, **WHY)["ticket"]
        assert model.connections == 0
        assert at_console(gateway, "POST", f"/tickets/{ticket}/approve", officer).json()["state"] == "approved"
        assert held(gateway, doctor, text="How are all of them?", **WHY)["ticket"] != ticket
        assert ask(gateway, doctor, **WHY)
        assert held(gateway, doctor, **WHY)["ticket"] != ticket
        assert len(model.requests) == 1
