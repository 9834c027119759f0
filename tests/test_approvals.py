"""What comes of decisions that need somebody else; tests/approval/test_addon.py walks a request through it."""

import pytest

from phigate import approvals
from phigate.exchange import Exchange
from phigate.policy.decide import Deny, Hold, Permit, PromptFacts
from phigate.policy.schema import REVEAL
from tests.ledger.tickets import grant_of, ticket

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
    shown = approvals.told(house, facts, "llama3", {"messages": ["masked"]})
    assert (shown["justification"], shown["prompt"]) == ("ward round", {"messages": ["masked"]})
    assert "12345678" not in shown["unmask"]
    assert "reason" not in shown


@pytest.mark.parametrize("prompt", ["x" * approvals.MOST_SHOWN, {"file": b"x"}])
async def test_of_what_cannot_be_shown_an_approver_sees_that_it_is_there(house, prompt):
    shown = approvals.told(house, PromptFacts(), "llama3", prompt)
    assert (shown["prompt"], shown["prompt_left_out"], shown["model"]) == (None, True, "llama3")


async def test_nobody_is_not_asked_for(house):
    with pytest.raises(ValueError, match="no subject"):
        await approvals.hold(house, Exchange("ex", 0.0), Hold("ask", ("ask",), "Ask."), "aa", {}, 0.0)
