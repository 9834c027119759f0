"""What nobody answered, in each database: told once by whichever gateway, and lost by none that goes away."""

import asyncio

import pytest

from phigate.ledger import LedgerDown, open_ledger
from phigate.ledger.ledger import SKEW
from phigate.ledger.outbox import Notice, id_of
from phigate.ledger.tickets import Review, Said, Step
from phigate.ledger.unanswered import LEASE, MOST, Waiting
from tests.ledger.tickets import ADA, EVE, NOW, grant_of, no, ticket, yes

OVER = ticket().until


@pytest.fixture
async def two(ledger, ledger_url):
    """Two gateways of one ledger."""
    other = await open_ledger(ledger_url)
    yield ledger, other
    await other.close()


def names(lapses):
    return [lapse.ticket.id for lapse in lapses]


# -- tickets --------------------------------------------------------------------------------------------------------


async def test_a_ticket_that_nobody_answered_is_told_once(ledger):
    await ledger.approvals.open_ticket(ticket(), NOW)
    assert await ledger.unanswered.lapsed(OVER - 1) == []
    (lapse,) = await ledger.unanswered.lapsed(OVER)
    assert (lapse.ticket.id, lapse.ticket.state, lapse.grant) == ("t-1", "expired", None)
    await ledger.unanswered.told(lapse, NOW)
    assert await ledger.unanswered.lapsed(OVER + 2 * LEASE) == []


async def test_of_two_gateways_that_look_at_once_each_ticket_is_told_by_one(two):
    for number in range(MOST):
        await two[0].approvals.open_ticket(ticket(id=f"t-{number}", digest=str(number)), NOW)
    found = await asyncio.gather(*(each.unanswered.lapsed(OVER) for each in two))
    assert sorted(names(found[0]) + names(found[1])) == sorted(f"t-{number}" for number in range(MOST))


async def test_what_a_gateway_that_went_away_did_not_tell_another_tells(two):
    await two[0].approvals.open_ticket(ticket(), NOW)
    assert names(await two[0].unanswered.lapsed(OVER)) == ["t-1"]
    assert await two[1].unanswered.lapsed(OVER + LEASE - 1) == []
    assert names(await two[1].unanswered.lapsed(OVER + LEASE)) == ["t-1"]


async def test_what_lapsed_while_its_request_was_asked_again_is_told_too(ledger):
    await ledger.approvals.open_ticket(ticket(), NOW)
    assert (await ledger.approvals.open_ticket(ticket(id="t-2", until=OVER + 3600), OVER))[1]
    assert names(await ledger.unanswered.lapsed(OVER)) == ["t-1"]


async def test_of_a_yes_it_is_told_that_what_it_gave_is_over(ledger):
    await ledger.approvals.open_ticket(ticket(), NOW)
    await ledger.approvals.answer("t-1", yes(), NOW)
    end = grant_of(ticket()).expires
    assert await ledger.unanswered.lapsed(end - 1) == []
    await ledger.sweep(end + SKEW + 1)
    (lapse,) = await ledger.unanswered.lapsed(end + SKEW + 1)
    assert (lapse.grant, lapse.ticket.state) == ("g-t-1", "expired")
    await ledger.unanswered.told(lapse, NOW)
    assert await ledger.sweep(end + SKEW + 1) == 1


async def test_what_an_edited_rule_ended_is_told_at_once(ledger):
    await ledger.approvals.open_ticket(ticket(rule_hash="a"), NOW)
    assert (await ledger.approvals.open_ticket(ticket(id="t-2", rule_hash="b"), NOW + 5))[1]
    assert names(await ledger.unanswered.lapsed(NOW + 5)) == ["t-1"]


ENDS = [
    ("rejected", lambda book: book.answer("t-1", no(), NOW)),
    ("taken back", lambda book: book.answer("t-1", lambda _of: Step(None, "revoke"), NOW)),
]


@pytest.mark.parametrize(("sentence", "end"), ENDS, ids=[case[0] for case in ENDS])
async def test_what_ended_otherwise_does_not_expire(ledger, sentence, end):
    await ledger.approvals.open_ticket(ticket(), NOW)
    await end(ledger.approvals)
    assert await ledger.unanswered.lapsed(OVER) == []


async def test_what_was_used_up_does_not_expire(ledger):
    await ledger.approvals.open_ticket(ticket(), NOW)
    await ledger.approvals.answer("t-1", yes(), NOW)
    assert await ledger.approvals.spend_grants(["g-t-1"], "ex-1", NOW)
    assert await ledger.unanswered.lapsed(OVER) == []


# -- reviews --------------------------------------------------------------------------------------------------------


async def test_reviews_are_counted_until_somebody_signs(ledger):
    for number, due in enumerate((NOW + 10, NOW + 20)):
        await ledger.approvals.open_review(Review(f"ex-{number}", "sos", ADA, ("officer",), NOW, {}, due=due))
    assert await ledger.unanswered.waiting(NOW) == Waiting(2, 0, None)
    assert await ledger.unanswered.waiting(NOW + 15) == Waiting(2, 1, NOW + 10)
    assert await ledger.approvals.sign_review("ex-0", Said(EVE, "approve", "", NOW + 16))
    assert await ledger.unanswered.waiting(NOW + 20) == Waiting(1, 1, NOW + 20)


async def test_a_database_that_is_gone_is_said_so(ledger):
    await ledger.close()
    for asked in (ledger.unanswered.lapsed(NOW), ledger.unanswered.waiting(NOW)):
        with pytest.raises(LedgerDown):
            await asked


# -- webhooks -------------------------------------------------------------------------------------------------------


def telling(gateways):
    for each in gateways:
        each.approvals.tell = lambda event, about, now: [
            Notice(id_of(event, getattr(about, "id", about.exchange)), "pager", event, "", now)
        ]


async def heard(ledger):
    return [each.event for each in await ledger.outbox.claim("pager", OVER + 10_000, 50)]


async def test_webhooks_hear_of_what_nobody_answered_and_not_of_what_a_yes_gave(two):
    telling(two)
    await two[0].approvals.open_ticket(ticket(), NOW)
    (lapse,) = await two[0].unanswered.lapsed(OVER)
    await two[0].unanswered.told(lapse, OVER)
    await two[1].unanswered.told(lapse, OVER)
    await two[0].approvals.open_ticket(ticket(id="t-2"), OVER)
    await two[0].approvals.answer("t-2", yes(now=OVER), OVER)
    for late in await two[1].unanswered.lapsed(OVER + 7200):
        await two[1].unanswered.told(late, OVER)
    told = ["ticket.approved", "ticket.expired", "ticket.opened", "ticket.opened"]
    assert sorted(await heard(two[0])) == told


async def test_webhooks_hear_once_of_each_late_review_by_whichever_gateway(two):
    telling(two)
    for number in range(3):
        await two[0].approvals.open_review(Review(f"ex-{number}", "sos", ADA, ("officer",), NOW, {}, due=NOW + 60))
    await two[0].approvals.sign_review("ex-2", Said(EVE, "approve", "", NOW))
    await two[0].unanswered.remind(NOW + 59)
    await asyncio.gather(*(each.unanswered.remind(NOW + 60) for each in (*two, *two)))
    await two[1].unanswered.remind(NOW + 120)
    told = ["break_glass.used"] * 3 + ["review.overdue"] * 2 + ["review.signed"]
    assert sorted(await heard(two[1])) == told


async def test_more_late_reviews_than_are_told_at_once_are_told_next(two):
    telling(two)
    for number in range(MOST + 3):
        await two[0].approvals.open_review(Review(f"ex-{number}", "sos", ADA, ("officer",), NOW, {}, due=NOW))
    for each in (two[0], two[1], two[0]):
        await each.unanswered.remind(NOW)
    assert (await two[0].outbox.waiting())["pager"] == 2 * (MOST + 3)
