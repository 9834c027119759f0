"""Waiting for what becomes of a ticket: how it ends, what is told meanwhile, and how long a gateway may be away."""

import io
import time

import pytest
from rich.console import Console as Screen

from phigate.remote import waiting
from phigate.remote.bearers import Bearers
from phigate.remote.client import REFUSED, TOKEN, UNREACHABLE, Fault
from phigate.remote.waiting import Outage, Outcome, Patience, asked, settled, wait
from tests.remote.fake import refusal

STATE = "/tickets/t-1/state"
DOWN = (503, refusal("unavailable", "This cannot be settled at the moment."))


@pytest.fixture
def told(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(waiting, "err", Screen(file=file, width=200))
    return file


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(waiting, "FIRST", 0.01)
    monkeypatch.setenv(TOKEN, "mine")


def standing(state="pending", given=0, said=()):
    return {"state": state, "approvals": {"needed": 2, "given": given}, "said": list(said)}


def says(*answers):
    """One answer after the other, the last one again and again."""
    left = list(answers)
    return lambda _said: left.pop(0) if len(left) > 1 else left[0]


def patience(seconds=5.0):
    return Patience(time.monotonic() + seconds)


def waited(console, seconds=5.0):
    return wait(console.url, Bearers(None, None), "t-1", patience(seconds))


def test_it_ends_with_what_was_said_and_a_log_tells_each_change_once(console, told):
    noor = {"by": {"id": "noor\x1b[2J"}, "verdict": "approve", "comment": "as planned"}
    page = {"page": "https://c.example/desk/tickets/t-1"}
    console.answers["GET", STATE] = says(
        (200, standing() | page),
        (200, standing() | page),
        (200, standing(given=1)),
        (200, standing("approved", 2, [noor])),
    )
    assert waited(console) == Outcome("approved", ("approve by noor\ufffd[2J: as planned",))
    assert [line.partition(";")[0] for line in told.getvalue().splitlines()] == [
        "to be approved at https://c.example/desk/tickets/t-1",
        "0 of 2 said yes",
        "1 of 2 said yes",
    ]


@pytest.mark.parametrize("state", ["used", "rejected", "revoked", "expired"])
def test_every_other_end_is_one(console, told, state):
    console.answers["GET", STATE] = (200, standing(state))
    assert waited(console).ended == state


def test_patience_has_an_end(console, told):
    console.answers["GET", STATE] = (200, standing())
    assert waited(console, 0.05).ended == "late"


def test_a_gateway_that_is_away_is_waited_for(console, told):
    console.answers["GET", STATE] = says(DOWN, DOWN, (200, standing("approved")))
    assert waited(console).ended == "approved"
    assert "does not answer" in told.getvalue()


def test_but_not_for_ever(console, told, monkeypatch):
    monkeypatch.setattr(waiting, "OUTAGE", 0.03)
    console.answers["GET", STATE] = DOWN
    with pytest.raises(Fault) as fault:
        waited(console)
    assert fault.value.exits == UNREACHABLE


def test_a_no_of_the_console_is_one(console, told):
    console.answers["GET", STATE] = (404, refusal("unknown", "There is no such thing."))
    with pytest.raises(Fault) as fault:
        waited(console)
    assert (fault.value.exits, fault.value.code) == (REFUSED, "unknown")


def test_a_terminal_sees_one_line_that_changes(console, monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(waiting, "err", Screen(file=file, width=80, force_terminal=True))
    console.answers["GET", STATE] = says((200, standing()), (200, standing("approved")))
    assert waited(console).ended == "approved"
    assert "\x1b[" in file.getvalue()


class Renewing:
    """Bearers of which the first is not believed."""

    renews = True

    def __init__(self):
        self.forgot = 0

    def now(self):
        return f"bearer-{self.forgot}"

    def forget(self):
        self.forgot += 1


def test_a_bearer_that_is_not_believed_is_renewed_once(console):
    console.answers["GET", "/x"] = says((401, refusal("bearer-refused", "Not believed.")), (200, {"ok": True}))
    mine = Renewing()
    assert asked(console.url, mine, lambda here: here.get("/x")) == {"ok": True}
    assert [each["authorization"] for each in console.headers] == ["Bearer bearer-0", "Bearer bearer-1"]
    console.answers["GET", "/x"] = (401, refusal("bearer-refused", "Not believed."))
    with pytest.raises(Fault, match="Not believed"):
        asked(console.url, mine, lambda here: here.get("/x"))
    with pytest.raises(Fault, match="Not believed"):
        asked(console.url, Bearers(None, None), lambda here: here.get("/x"))


def test_what_cannot_be_settled_is_asked_again_until_patience_ends():
    left = [Fault("away", UNREACHABLE), Fault("away", UNREACHABLE)]

    def what():
        if left:
            raise left.pop()
        return 1

    assert settled(patience(), what) == 1
    left += [Fault("no", REFUSED)]
    with pytest.raises(Fault, match="no"):
        settled(patience(), what)
    left += [Fault("away", UNREACHABLE)]
    with pytest.raises(Fault, match="away"):
        settled(patience(0), what)


def test_an_outage_is_over_once_something_was_had(monkeypatch):
    monkeypatch.setattr(waiting, "OUTAGE", 0.02)
    outage, away = Outage(), Fault("away", UNREACHABLE)
    outage.on(away)
    time.sleep(0.03)
    outage.over()
    outage.on(away)
    time.sleep(0.03)
    with pytest.raises(Fault):
        outage.on(away)


def test_pauses_grow_and_end_with_patience(monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(waiting, "FIRST", 1.0)
    long = patience(1000)
    for _ in range(12):
        long.pause()
    assert 0.8 <= slept[0] <= 1.2
    assert all(pause <= waiting.LONGEST * 1.2 for pause in slept)
    assert min(slept[-3:]) >= waiting.LONGEST * 0.8
    patience(0.1).pause()
    assert slept[-1] <= 0.1
