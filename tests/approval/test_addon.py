"""Or must someone say yes first? A hold is answered, everything else passes by."""

import pytest

from phigate.approval.addon import Approval
from phigate.exchange import Refusal
from phigate.policy.decide import Deny, Hold, Permit
from phigate.policy.schema import REVEAL
from tests.stage import asking, entered

HOLD = Hold("see", ("see",), "A privacy officer has to agree.")


def test_a_hold_is_answered_and_names_its_rule(house):
    flow = asking()
    exchange = entered(flow, "clinician").exchange
    exchange.decision = HOLD
    Approval(house).request(flow)
    assert (exchange.refusal.decision, exchange.refusal.rule) == ("hold", "see")
    assert exchange.refusal.message == "A privacy officer has to agree."


OTHERS = [
    ("a permit", Permit("care", ("care",), REVEAL)),
    ("a denial, which Access answered", Deny(None, (), "no-rule", "No.")),
    ("no decision", None),
]


@pytest.mark.parametrize(("sentence", "decision"), OTHERS, ids=[case[0] for case in OTHERS])
def test_everything_else_passes_by(house, sentence, decision):
    flow = asking()
    exchange = entered(flow, "clinician").exchange
    exchange.decision = decision
    Approval(house).request(flow)
    assert exchange.refusal is None


def test_an_earlier_refusal_stays(house):
    flow = asking()
    exchange = entered(flow, "clinician").exchange
    exchange.decision, exchange.refusal = HOLD, Refusal(503, "not-recorded", "No.")
    Approval(house).request(flow)
    assert exchange.refusal.reason == "not-recorded"


def test_a_flow_that_never_entered_is_left_alone(house):
    Approval(house).request(asking())
