"""Late reviews are shown, an expired ticket gets its record: from the house's ticks, with a real ledger and journal."""

import asyncio
import time

import pytest

from phigate import metrics, unanswered
from phigate.clock import Clock
from phigate.journal.writer import JournalDown
from phigate.ledger.tickets import Review, Said
from phigate.unanswered import Unanswered
from tests.ledger.tickets import ADA, EVE, ticket
from tests.stage import followed, furnished, kept, until


@pytest.fixture
async def house(tmp_path):
    async with followed(furnished(tmp_path)) as made:
        yield made


@pytest.fixture
async def looking(house):
    return Unanswered(house)


def pass_by(monkeypatch, seconds):
    later = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: later)
    monkeypatch.setattr(Clock, "surely", lambda _: later)


async def lapsed(house, name="t-1"):
    now = time.time()
    await house.agreement.approvals.open_ticket(ticket(id=name, digest=name, opened=now - 60, until=now - 1), now - 60)


async def test_a_ticket_that_expires_gets_its_record_once(house, looking):
    await lapsed(house)
    await looking.look(house.agreement.ledger)
    await looking.look(house.agreement.ledger)
    (record,) = kept(house, "ticket")
    assert (record["decision"], record["ticket"], record["grant"], record["subject"]) == ("expire", "t-1", None, None)
    assert (record["rule"], record["asked_by"]["id"], record["exchange"]) == ("ask", "ada", "ex-1")


async def test_a_record_that_cannot_be_kept_is_written_later(house, looking, monkeypatch):
    async def failing(_kind, _fields):
        raise JournalDown("gone")

    await lapsed(house)
    with monkeypatch.context() as patch:
        patch.setattr(house, "record", failing)
        await looking.look(house.agreement.ledger)
    pass_by(monkeypatch, 120)
    await looking.look(house.agreement.ledger)
    assert [record["ticket"] for record in kept(house, "ticket")] == ["t-1"]


async def test_a_ledger_that_fails_after_the_record_makes_no_second_one(house, looking, monkeypatch):
    async def failing(*_said):
        raise unanswered.LedgerDown("gone")

    await lapsed(house)
    with monkeypatch.context() as patch:
        patch.setattr(house.agreement.ledger.unanswered, "told", failing)
        await looking.look(house.agreement.ledger)
    pass_by(monkeypatch, 120)
    await looking.look(house.agreement.ledger)
    assert [record["ticket"] for record in kept(house, "ticket")] == ["t-1"]
    assert await house.agreement.ledger.unanswered.lapsed(time.time() + 240) == []


async def test_late_reviews_are_shown_by_number_and_age_and_never_by_whose_they_are(house, looking, caplog):
    assert looking.remarks() == {}
    for name, due in (("ex-1", 1_700_000_000.0), ("ex-2", 1_700_090_000.0), ("ex-3", time.time() + 600)):
        review = Review(name, "sos", ADA, ("officer",), 0.0, {"reason": "cardiac arrest"}, due=due)
        await house.agreement.approvals.open_review(review)
    await looking.look(house.agreement.ledger)
    told = "2 of 3 open reviews of break-glass are overdue, since 2023-11-14 22:13Z"
    assert looking.remarks() == {"reviews": told}
    assert "2 reviews of break-glass are overdue" in caplog.text
    assert shown() == {"open": 3.0, "overdue": 2.0}
    for name in ("ex-1", "ex-2"):
        await house.agreement.approvals.sign_review(name, Said(EVE, "approve", "", time.time()))
    await looking.look(house.agreement.ledger)
    assert (looking.remarks(), shown()) == ({}, {"open": 1.0, "overdue": 0.0})


def shown():
    (family,) = metrics.REVIEWS.collect()
    return {sample.labels["state"]: sample.value for sample in family.samples}


async def test_the_ledger_is_asked_from_the_ticks_and_not_each_time(house, looking, monkeypatch):
    asked = []

    async def look(ledger):
        asked.append(ledger)

    monkeypatch.setattr(looking, "look", look)
    for _ in range(5):
        looking.tick()
        await asyncio.sleep(0)
    assert asked == [house.agreement.ledger]
    monkeypatch.setattr(looking, "_looked", time.monotonic() - unanswered.EVERY)
    looking.tick()
    await until(lambda: len(asked) == 2)


async def test_without_a_ledger_nothing_is_looked_at(house, looking):
    ledger, house.agreement.ledger = house.agreement.ledger, None
    looking.tick()
    assert looking._looking is None
    house.agreement.ledger = ledger
    await house.agreement.ledger.close()
    await looking.look(ledger)
    assert looking.waiting is None
