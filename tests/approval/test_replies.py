"""What somebody is told whose request needs another person's yes."""

import pytest

from phigate.approval import replies
from phigate.policy.decide import Hold

CASES = [
    ("the rule's own words", "Ask a privacy officer.", "Ask a privacy officer."),
    ("ours where the rule has none", "", replies.UNAVAILABLE),
]


@pytest.mark.parametrize(("sentence", "message", "said"), CASES, ids=[case[0] for case in CASES])
def test_a_hold_says(sentence, message, said):
    refusal = replies.held(Hold("see", ("see",), message))
    assert (refusal.status, refusal.reason, refusal.decision) == (403, "approval-required", "hold")
    assert (refusal.message, refusal.rule) == (said, "see")
