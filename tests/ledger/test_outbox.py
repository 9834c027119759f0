"""What is to be told: kept with what it tells, sent by one gateway at a time, lost by none."""

import asyncio
from dataclasses import replace

import pytest

from phigate.ledger import open_ledger, outbox
from phigate.ledger.ledger import SKEW
from phigate.ledger.outbox import KEEP, LEASE, Notice, id_of
from phigate.ledger.tickets import Review, Said, Step
from tests.ledger.tickets import ADA, EVE, NOW, no, ticket, yes

REVIEW = Review("ex-1", "sos", ADA, ("officer",), NOW, {"reason": "[PERSON]"})
ONE = Notice("msg_1", "pager", "ticket.opened", '{"a": "\\u00e9"}', NOW, ticket="t-1", exchange="ex-1", to="https://x")


@pytest.fixture
async def two(ledger, ledger_url):
    """The same outbox, opened by two gateways; each tells `pager` of everything."""
    other = await open_ledger(ledger_url)
    for each in (ledger, other):
        each.approvals.tell = told
    yield ledger, other
    await other.close()


def told(event, about, now):
    name = getattr(about, "id", about.exchange)
    return [Notice(id_of(event, name), "pager", event, getattr(about, "state", "review"), now, exchange=about.exchange)]


async def claimed(ledger, now=NOW, most=50):
    return await ledger.outbox.claim("pager", now, most)


async def test_a_notice_is_kept_as_it_is_and_once(ledger):
    await ledger.outbox.put([ONE, ONE])
    await ledger.outbox.put([ONE])
    (found,) = await claimed(ledger)
    assert (found.id, found.body, found.ticket, found.exchange, found.to) == ("msg_1", ONE.body, "t-1", "ex-1", ONE.to)
    assert (found.tries, found.created, found.event) == (1, NOW, "ticket.opened")
    assert await ledger.outbox.waiting() == {"pager": 1}
    await ledger.outbox.drop(found)
    assert await ledger.outbox.waiting() == {}


async def test_each_event_of_a_ticket_and_of_a_review_is_kept_with_it(two):
    one, other = two
    book = one.approvals
    await book.open_ticket(ticket(), NOW)
    await book.open_ticket(ticket(id="t-2"), NOW)  # finds the first
    await book.answer("t-1", lambda _of: "own-request", NOW)
    await book.answer("t-1", yes(), NOW)
    await book.answer("t-1", lambda _of: Step(None, "revoke"), NOW)
    await book.open_ticket(ticket(id="t-3", approvals=2), NOW)
    await book.answer("t-3", lambda _of: Step(Said(EVE, "approve", "", NOW)), NOW)  # the first of two
    await book.answer("t-3", no(("i", "kai")), NOW)
    await book.open_review(REVIEW)
    assert await book.sign_review("ex-1", Said(EVE, "approve", "", NOW))
    assert not await book.sign_review("ex-1", Said(EVE, "approve", "", NOW))
    found = await claimed(other)
    assert sorted((each.event, each.body) for each in found) == sorted(
        [
            ("ticket.opened", "pending"),
            ("ticket.approved", "approved"),
            ("ticket.revoked", "revoked"),
            ("ticket.opened", "pending"),
            ("ticket.rejected", "rejected"),
            ("break_glass.used", "review"),
            ("review.signed", "review"),
        ]
    )


async def test_what_did_not_come_about_is_not_told(two):
    """A telling that breaks takes back what it tells of: neither stands without the other."""
    one, _ = two

    def breaks(_event, _about, _now):
        raise RuntimeError

    one.approvals.tell = breaks
    with pytest.raises(Exception, match="RuntimeError"):
        await one.approvals.open_ticket(ticket(), NOW)
    assert await one.approvals.ticket("t-1") is None
    assert await claimed(one) == []


async def test_of_gateways_that_claim_at_once_one_gets_each(two):
    await two[0].outbox.put(Notice(f"msg_{at}", "pager", "e", "", NOW) for at in range(40))
    found = await asyncio.gather(*(claimed(two[at % 2], most=8) for at in range(10)))
    names = [each.id for some in found for each in some]
    assert len(names) == len(set(names))
    rest = await claimed(two[0])
    assert len(names) + len(rest) == 40


async def test_what_a_gateway_claimed_that_is_gone_is_claimed_again_once_its_time_is_over(two):
    await two[0].outbox.put([ONE])
    (first,) = await claimed(two[0])
    assert await claimed(two[1], NOW + LEASE - 1) == []
    assert await two[1].outbox.due(NOW + LEASE - 1) == set()
    assert LEASE > SKEW
    (second,) = await claimed(two[1], NOW + LEASE)
    assert (second.id, second.tries) == (first.id, 2)
    await two[0].outbox.again(first, NOW)  # it wakes up: the other one's claim stands
    assert await claimed(two[0], NOW + LEASE) == []


async def test_what_was_not_taken_waits_until_it_is_due(ledger):
    await ledger.outbox.put([ONE])
    (found,) = await claimed(ledger)
    await ledger.outbox.again(found, NOW + 5)
    assert await ledger.outbox.due(NOW + 4) == set()
    assert await claimed(ledger, NOW + 4) == []
    assert await ledger.outbox.due(NOW + 5) == {"pager"}
    assert [each.tries for each in await claimed(ledger, NOW + 5)] == [2]


async def test_what_a_clock_put_off_that_was_years_ahead_is_due(ledger):
    await ledger.outbox.put([ONE])
    (one,) = await claimed(ledger)
    await ledger.outbox.again(one, NOW + KEEP)
    assert await claimed(ledger) == []
    await ledger.outbox.again(replace(one, claimed=0.0), NOW + KEEP + 1)
    (again,) = await claimed(ledger)
    assert again.id == one.id


async def test_each_receiver_has_its_own(ledger):
    await ledger.outbox.put([ONE, Notice("msg_2", "slack", "e", "", NOW)])
    assert await ledger.outbox.due(NOW) == {"pager", "slack"}
    assert [each.id for each in await ledger.outbox.claim("slack", NOW, 9)] == ["msg_2"]


async def test_what_nobody_took_goes(ledger):
    await ledger.outbox.put([ONE])
    assert await claimed(ledger, NOW + KEEP) == []
    assert await ledger.sweep(NOW + KEEP + SKEW) == 1
    assert await ledger.outbox.waiting() == {}


async def test_what_is_told_once_is_told_once_by_all_gateways(two):
    async def once(ledger, at):
        async with ledger._engines.stepping.begin() as connection:
            return await outbox.put_once(connection, "overdue ex-1", [Notice(f"msg_{at}", "pager", "e", "", NOW)], NOW)

    first = await asyncio.gather(*(once(two[at % 2], at) for at in range(6)))
    assert sum(first) == 1
    assert len(await claimed(two[0])) == 1
