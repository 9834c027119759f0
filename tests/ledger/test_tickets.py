"""The table of a ticket's states."""

from typing import get_args

import pytest

from phigate.ledger.tickets import OPEN, TRANSITIONS, Event, State, before
from tests.ledger.tickets import NOW, ticket

OVER = set(get_args(State.__value__)) - set(OPEN)


def test_whatever_is_over_stays_as_it_is():
    assert {state for state, _ in TRANSITIONS} == set(OPEN)
    assert set(TRANSITIONS.values()) - set(OPEN) == OVER


def test_only_a_pending_ticket_is_ever_approved_and_only_an_approved_one_used():
    assert before("enough") == ("pending",)
    assert before("use-up") == ("approved",)


@pytest.mark.parametrize("event", get_args(Event.__value__))
def test_each_event_leads_to_one_state(event):
    assert len({after for (_, each), after in TRANSITIONS.items() if each == event}) == 1


@pytest.mark.parametrize(
    ("state", "late", "stands"),
    [
        ("pending", False, "pending"),
        ("pending", True, "expired"),
        ("approved", True, "expired"),
        ("rejected", True, "rejected"),
        ("used", True, "used"),
    ],
)
def test_a_ticket_lapses_at_its_time_whether_that_is_written_down_or_not(state, late, stands):
    one = ticket(state=state)
    assert one.stands(one.until if late else NOW) == stands
