"""What somebody is told whose request needs another person's yes."""

import pytest

from phigate.approval import replies
from phigate.policy.decide import Hold

CASES = [
    ("the rule's own words", "Ask a privacy officer.", "Ask a privacy officer."),
    ("ours where the rule has none", "", replies.WAITING),
]


@pytest.mark.parametrize(("sentence", "message", "said"), CASES, ids=[case[0] for case in CASES])
def test_a_hold_says(sentence, message, said):
    refusal = replies.held(Hold("see", ("see",), message))
    assert (refusal.status, refusal.reason, refusal.decision) == (403, "approval-required", "hold")
    assert (refusal.message, refusal.rule, refusal.extra, refusal.retry_after) == (said, "see", {}, None)


def test_a_hold_names_its_ticket_and_where_it_is_answered():
    refusal = replies.held(Hold("see", ("see",), "Ask."), "t-1", "https://console.example")
    assert refusal.extra == {"ticket": "t-1", "console": "https://console.example"}
    assert refusal.retry_after == replies.AGAIN
