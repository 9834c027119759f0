"""Who waits for a yes, who may, and who is told what."""

from dataclasses import replace

import pytest

from phigate.approval import waiting
from phigate.approval.waiting import Wait, Waiting, preferred
from tests.ledger.tickets import ADA, EVE, grant_of, ticket


def a_wait(told, name="t-1", who=ADA, **changes):
    plain = {"rule": "ask", "bound": True, "size": 10, "gone": lambda: False, "out": lambda: False, "known": set()}
    return Wait(name, who, tell=lambda ended: told.append((name, ended)), **(plain | changes))


@pytest.fixture
def told():
    return []


@pytest.fixture
def every():
    return Waiting()


ENDS = [
    ("approved", [("t-1", "again")]),
    ("used", [("t-1", "again")]),
    ("rejected", [("t-1", "rejected")]),
    ("revoked", [("t-1", "revoked")]),
    ("expired", [("t-1", "late")]),
    ("pending", []),
]


@pytest.mark.parametrize(("state", "expected"), ENDS)
def test_what_became_of_its_ticket_ends_a_wait(every, told, state, expected):
    assert every.begin(a_wait(told))
    every.hear({"t-1"}, {"t-1": state}, ())
    assert (told, len(every)) == (expected, 0 if expected else 1)


def test_a_ticket_that_the_ledger_does_not_know_is_over(every, told):
    every.begin(a_wait(told))
    every.hear({"t-1"}, {}, ())
    assert told == [("t-1", "late")]


def test_whoever_began_to_wait_after_the_ledger_was_asked_waits_on(every, told):
    every.begin(a_wait(told))
    every.hear({"t-0"}, {"t-0": "approved"}, ())
    assert told == []


def test_what_was_told_once_is_no_news(every, told):
    """Else whom a yes does not help would ask again and again."""
    known = set()
    for state in ("approved", "approved", "used", "used"):
        every.begin(wait := a_wait(told, known=known))
        every.hear({"t-1"}, {"t-1": state}, ())
        every.end(wait)
    assert told == [("t-1", "again"), ("t-1", "again")]


GRANT = replace(grant_of(ticket(bound=False)), ticket="t-9")
OF_OTHERS = [
    ("a yes for a time", {"bound": False}, GRANT, True),
    ("where only a yes to the very request counts", {"bound": True}, GRANT, False),
    ("another rule's", {"bound": False, "rule": "other"}, GRANT, False),
    ("somebody else's", {"bound": False, "who": EVE}, GRANT, False),
    ("one that it was told of", {"bound": False, "known": {GRANT.id}}, GRANT, False),
]


@pytest.mark.parametrize(("sentence", "changes", "grant", "again"), OF_OTHERS, ids=[case[0] for case in OF_OTHERS])
def test_a_yes_to_another_request_of_the_same_person_and_rule(every, told, sentence, changes, grant, again):
    every.begin(a_wait(told, **changes))
    every.hear({"t-1"}, {"t-1": "pending"}, [grant])
    assert told == ([("t-1", "again")] if again else [])


LOOKS = [
    ("a caller that left", {"gone": lambda: True}, False, "gone"),
    ("whose bearer was taken back", {"out": lambda: True}, False, "again"),
    ("at the gateway's end", {}, True, "leaving"),
    ("a caller that left, at the gateway's end", {"gone": lambda: True}, True, "gone"),
]


@pytest.mark.parametrize(("sentence", "changes", "leaving", "ended"), LOOKS, ids=[case[0] for case in LOOKS])
def test_of_which_nothing_can_come_any_more_does_not_wait(every, told, sentence, changes, leaving, ended):
    every.begin(a_wait(told, "t-2"))
    every.begin(a_wait(told, **changes))
    every.look(leaving=leaving)
    assert ("t-1", ended) in told
    assert len(every) == (0 if leaving else 1)


@pytest.mark.parametrize(("most", "refused"), [("MOST", ADA), ("MOST_IN_ALL", EVE), ("MOST_BYTES", EVE)])
def test_waits_are_bounded_and_who_ends_makes_room(every, told, monkeypatch, most, refused):
    monkeypatch.setattr(waiting, most, 1 if most != "MOST_BYTES" else 15)
    first = a_wait(told)
    assert every.begin(first)
    assert not every.begin(a_wait(told, "t-2", refused))
    every.end(first)
    every.end(first)
    assert every.begin(a_wait(told, "t-2", refused))


def test_one_subject_leaves_room_for_another(every, told, monkeypatch):
    monkeypatch.setattr(waiting, "MOST", 1)
    assert every.begin(a_wait(told))
    assert every.begin(a_wait(told, "t-2", EVE, bound=False))
    assert (every.tickets, every.subjects) == ({"t-1", "t-2"}, {EVE})


PREFERRED = [
    (b"wait=5", 5.0),
    (b'respond-async, wait="10"', 10.0),
    (b"WAIT = 0; x=1", 0.0),
    (b"handling=lenient", None),
    (b"wait=soon", None),
    (b"await=5", None),
    (b"wait=99999999", None),
    (b"", None),
]


@pytest.mark.parametrize(("field", "seconds"), PREFERRED)
def test_how_long_a_caller_wants_to_wait(field, seconds):
    assert preferred(field) == seconds
