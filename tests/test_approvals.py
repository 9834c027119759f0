"""What comes of decisions that need somebody else; tests/approval/test_addon.py walks a request through it."""

import asyncio
import contextlib
import re
import time
from dataclasses import replace

import pytest

from phigate import approvals
from phigate.approval import replies
from phigate.exchange import Exchange, Subject
from phigate.holding import TURNS
from phigate.policy.decide import Deny, Hold, Permit, PromptFacts
from phigate.policy.schema import REVEAL
from tests.ledger.tickets import ADA, grant_of, ticket, yes

CALL = Exchange("ex", 0.0, method="POST", path="/sleep?level=1", route="sleep")
PERMIT = Permit("care", ("care",), REVEAL)
CASES = [
    (Hold("ask", ("ask",), "Ask."), True),
    (Permit("ask", ("ask",), REVEAL, grants=(grant_of(ticket()),)), True),
    (Permit("sos", ("sos",), REVEAL, verb="break_glass"), True),
    (PERMIT, False),
    (Deny(None, (), "no-rule", "No."), False),
    (None, False),
]


@pytest.mark.parametrize(("decision", "asks"), CASES)
def test_which_decisions_need_somebody_else(decision, asks):
    assert approvals.asks(decision) is asks


async def test_an_approver_sees_what_people_wrote_masked(house):
    facts = PromptFacts(("raw",), unmask="for MRN 12345678", justification="ward round")
    shown = approvals.told(house, CALL, facts, "llama3", {"messages": ["masked"]})
    assert (shown["justification"], shown["prompt"]) == ("ward round", {"messages": ["masked"]})
    assert "12345678" not in shown["unmask"]
    assert "reason" not in shown
    assert "context" not in shown


async def test_an_approver_sees_the_pipeline_that_asks_as_its_bearer_says_it(house):
    commit = "9fceb02d0ae598e95dc970b74767f19372d61af8"
    pipeline = Subject("https://ci.example", "repo:triage", (), frozenset(), 0.0, context=(("commit", commit),))
    shown = approvals.told(house, replace(CALL, subject=pipeline), PromptFacts(), "llama3", None)
    assert shown["context"] == {"commit": commit}
    told = approvals.told(house, replace(CALL, deployment=("2.1.0", commit)), PromptFacts(), "llama3", None)
    assert told["deployment"] == {"version": "2.1.0", "digest": commit}


@pytest.mark.parametrize("prompt", ["x" * approvals.MOST_SHOWN, {"file": b"x"}])
async def test_of_what_cannot_be_shown_an_approver_sees_that_it_is_there(house, prompt):
    shown = approvals.told(house, CALL, PromptFacts(), "llama3", prompt)
    assert (shown["prompt"], shown["prompt_left_out"], shown["model"]) == (None, True, "llama3")


TARGETS = [
    ("/sleep?level=1", "/sleep?level=1"),
    ("/v1/chat/completions", "/v1/chat/completions"),
    ("/v2/repository/models/ward-assistant/unload", "/v2/repository/models/ward-assistant/unload"),
]


@pytest.mark.parametrize(("path", "target"), TARGETS)
async def test_an_approver_sees_which_call_it_is(house, path, target):
    call = replace(CALL, path=path)
    shown = approvals.told(house, call, PromptFacts(), None, None)["call"]
    assert shown == {"route": "sleep", "method": "POST", "target": target}


@pytest.mark.parametrize("path", ["/v1/mrn/12345678", "/v1/mrn_12345678", "/v1/x?MRN=1234%35678", "/v1/mrn-12345678/a"])
async def test_whom_a_call_names_an_approver_does_not_see(house, path):
    shown = approvals.told(house, replace(CALL, path=path), PromptFacts(), None, None)["call"]["target"]
    assert not {"12345678", "1234%35678"} & {*re.split(r"[^0-9%]+", shown)}


async def test_nobody_is_not_asked_for(house):
    with pytest.raises(ValueError, match="no subject"):
        await approvals.hold(house, Exchange("ex", 0.0), Hold("ask", ("ask",), "Ask."), "aa", {}, 0.0)


async def test_a_grant_that_is_over_when_its_turn_comes_is_not_spent(house):
    await house.agreement.look()
    now = time.time()
    await house.agreement.approvals.open_ticket(ticket(lasts=0.2, opened=now, until=now + 60), now)
    await house.agreement.approvals.answer("t-1", yes(now=now), now)
    (grant,) = await house.agreement.approvals.live_grants(ADA, now)
    async with contextlib.AsyncExitStack() as crowd:
        for _ in range(TURNS):
            await crowd.enter_async_context(house.holding.turn())
        using = asyncio.create_task(approvals.use(house, CALL, replace(PERMIT, grants=(grant,)), {}, now))
        await asyncio.sleep(0.3)
    assert await using == replies.SPENT
    await house.agreement.close()
