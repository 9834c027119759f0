"""What a yes was said to, and when it counts: an edited rule asks again, and hours are those of a real clock."""

import time
from datetime import UTC, datetime, timedelta

import httpx
import openai
import pytest

from model_server import Answer
from people import policy_for
from phigate.audit.backtest.compare import Backtest
from phigate.policy.load import load_policy
from processes import Gateway
from tests.traffic import completion, records

pytestmark = pytest.mark.live

WHY = {"phi-unmask": "ward round"}
GRANT = "    grant: {for: PT30M}\n"
WITHIN = 30
"""Seconds within which an edited policy is in force."""


@pytest.fixture
def gateway(model, issuer, tmp_path):
    """A gateway of its own, whose policy may be edited."""
    model.script = Answer(completion("Patient Jane Roe, MRN 12345678, is well."))
    with Gateway(model.url, policy_for(issuer.url, tmp_path), tmp_path / "gateway") as made:
        yield made


@pytest.fixture
def rules(tmp_path):
    return tmp_path / "rules" / "policy.yaml"


def ask(gateway, bearer):
    """An unmasked chat: the answer's text, or the error's code and ticket."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=bearer, max_retries=0) as client:
        messages = [{"role": "user", "content": "How is the patient?"}]
        try:
            made = client.chat.completions.create(model="ward-assistant", messages=messages, extra_headers=WHY)
        except openai.PermissionDeniedError as refused:
            error = refused.response.json()["error"]
            return error["code"], error.get("ticket")
        return made.choices[0].message.content, None


def approve(gateway, issuer, ticket):
    headers = {"authorization": f"Bearer {issuer.mint('kai.holm', groups=['privacy'])}"}
    answer = httpx.post(f"{gateway.console_url}/tickets/{ticket}/approve", headers=headers, trust_env=False)
    return answer.json().get("state") or answer.json()["error"]["code"]


def edit(gateway, rules, was, becomes):
    """Edit the policy, and wait until it is in force."""
    text = rules.read_text()
    assert was in text
    known = in_force(gateway)
    rules.write_text(text.replace(was, becomes, 1))
    end = time.monotonic() + WITHIN
    while in_force(gateway) == known:
        assert time.monotonic() < end
        time.sleep(0.1)


def in_force(gateway):
    """How many policies were put in force: one that is read while it is written is refused, on record too."""
    return sum(record["kind"] == "policy" and record["accepted"] for record in records(gateway.journal))


def decisions(gateway):
    return [record["decision"] for record in records(gateway.journal) if record["kind"] == "request"]


def hours(first, last):
    """Windows of today, or of any day, by the clock of UTC."""
    return f'hours: {{from: "{first:%H:%M}", to: "{last:%H:%M}", zone: UTC}}'


def test_nobody_said_yes_to_what_a_rule_is_now_nor_for_other_hours(gateway, rules, issuer, bearers):
    doctor = bearers["dr.okafor"]
    _, ticket = ask(gateway, doctor)
    assert approve(gateway, issuer, ticket) == "approved"
    assert "12345678" in ask(gateway, doctor)[0]
    edit(gateway, rules, GRANT, "    grant: {for: PT29M}\n")
    code, other = ask(gateway, doctor)
    assert (code, other == ticket) == ("approval-required", False)
    edit(gateway, rules, "    grant: {for: PT29M}\n", "    grant: {for: PT28M}\n")
    assert approve(gateway, issuer, other) == "ticket-over"
    code, third = ask(gateway, doctor)
    assert (code, third in {ticket, other}) == ("approval-required", False)
    edit(gateway, rules, "A privacy officer has to agree", "Somebody has to agree")
    assert ask(gateway, doctor) == ("approval-required", third)
    assert approve(gateway, issuer, third) == "approved"
    assert "12345678" in ask(gateway, doctor)[0]
    tried = Backtest(load_policy(rules))
    for record in records(gateway.journal):
        tried.add(record)
    # What ran by the first rule's grant would be held; that of the rule in force is at hand.
    ((change, group),) = tried.tally.changes.items()
    assert (change.kinds, group.count, tried.tally.same) == (("newly-held",), 1, tried.tally.exchanges - 1)

    at_its_hours(gateway, rules, issuer, doctor)


def at_its_hours(gateway, rules, issuer, doctor):
    """A yes counts at its hours, and a rule applies in its own: at the same gateway, since starting one takes long."""
    now, asked = datetime.now(UTC), len(decisions(gateway))
    soon, later = now + timedelta(hours=6), now + timedelta(hours=12)
    edit(gateway, rules, "    grant: {for: PT28M}\n", f"    grant: {{for: P2D, {hours(soon, later)}}}\n")
    code, ticket = ask(gateway, doctor)
    assert code == "approval-required"
    assert approve(gateway, issuer, ticket) == "approved"
    assert ask(gateway, doctor) == ("outside-hours", None)
    edit(gateway, rules, "    hold: [clinician]\n", f"    {hours(soon, later)}\n    hold: [clinician]\n")
    assert ask(gateway, doctor) == ("no-rule", None)
    earlier = now - timedelta(hours=6)
    edit(gateway, rules, f"    {hours(soon, later)}\n", f"    {hours(earlier, soon)}\n")
    assert ask(gateway, doctor)[0] == "approval-required"
    told = ["approval-required", "outside-hours", "no-rule", "approval-required"]
    assert [each["reason"] for each in decisions(gateway)[asked:]] == told
