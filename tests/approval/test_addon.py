"""Or must someone say yes first? A hold gets its ticket, a grant is spent, an emergency is on record; else nothing."""

import asyncio
import json
import time
from dataclasses import replace

import pytest

from phigate.access.addon import Access
from phigate.approval.addon import Approval
from phigate.capture.addon import Capture
from phigate.exchange import Refusal
from phigate.host import lockdown
from phigate.host.connections import sockets
from phigate.journal.writer import JournalDown
from phigate.ledger.tickets import Said, Step
from phigate.masking.addon import Masking
from phigate.policy.decide import Deny, Permit
from phigate.policy.schema import REVEAL
from tests.ledger.tickets import grant_of
from tests.stage import (
    ISSUER,
    RULES,
    asking,
    conversing,
    entered,
    followed,
    furnished,
    kept,
    observed,
    policy_text,
    released,
)
from tests.traffic import chat

ASK = "{name: ask, hold: [researcher], to: [embed], models: ['*'], approvers: [officer], mask: lean, message: Ask Eve.}"
SOS = "{name: sos, break_glass: [clinician], to: [chat], models: ['*'], mask: reveal, review_by: [officer]}"


@pytest.fixture
async def house(tmp_path, context):
    async with followed(observed(furnished(tmp_path, policy_text(*RULES, ASK, SOS)), context)) as made:
        yield made


async def through(house, *roles, text="How is Mrs. Jane Roe, MRN 12345678?", **headers):
    """A chat that met Access, Masking, Approval and Capture."""
    flow = asking(chat(messages=[{"role": "user", "content": text}]), **headers)
    passage = entered(flow, *roles)
    await Access(house).request(flow)
    await Masking(house).request(flow)
    await Approval(house).request(flow)
    await Capture(house).request(flow)
    return flow, passage.exchange


async def say_yes(house, name, now=None):
    now = now or time.time()

    def step(of):
        return Step(Said((ISSUER, "eve"), "approve", "", now), "enough", grant_of(of, now))

    ticket, _ = await house.agreement.approvals.answer(name, step, now)
    return ticket


WHY = {"phi_unmask": "ward round"}


async def test_a_hold_is_answered_with_its_ticket_which_shows_the_masked_prompt(house):
    _, exchange = await through(house, "clinician", **WHY)
    refusal = exchange.refusal
    assert (refusal.status, refusal.reason, refusal.decision, refusal.rule) == (403, "approval-required", "hold", "see")
    ticket = await house.agreement.approvals.ticket(refusal.extra["ticket"])
    assert refusal.extra["console"] == "http://127.0.0.1:8090"
    assert (ticket.subject, ticket.exchange, ticket.actions) == ((ISSUER, "ada"), exchange.id, {"chat", "unmask"})
    assert ticket.shown["unmask"] == "ward round"
    assert "12345678" not in json.dumps(ticket.shown)
    assert "How is" in json.dumps(ticket.shown)
    (opened,), (asked,) = kept(house, "ticket"), kept(house, "request")
    assert (opened["ticket"], opened["decision"], opened["exchange"]) == (ticket.id, "open", exchange.id)
    assert (asked["decision"]["verb"], asked["decision"]["ticket"]) == ("hold", ticket.id)


async def test_the_same_request_finds_its_ticket_and_another_opens_its_own(house):
    first, again, other = [
        (await through(house, "clinician", text=text, **WHY))[1].refusal.extra["ticket"]
        for text in ("One", "One", "Two")
    ]
    assert first == again != other
    assert len(kept(house, "ticket")) == 2


async def test_after_the_yes_the_same_request_passes_once(house):
    _, exchange = await through(house, "clinician", **WHY)
    ticket = await say_yes(house, exchange.ticket)
    _, exchange = await through(house, "clinician", **WHY)
    assert exchange.refusal is None
    assert (exchange.decision.verb, exchange.decision.mask.name) == ("permit", "reveal")
    record = kept(house, "request")[-1]
    assert (record["decision"]["ticket"], record["decision"]["grant"]) == (ticket.id, f"g-{ticket.id}")
    _, exchange = await through(house, "clinician", **WHY)
    assert exchange.refusal.reason == "approval-required"
    assert exchange.refusal.extra["ticket"] != ticket.id


async def test_a_grant_that_somebody_else_spent_meanwhile_lets_nothing_by(house):
    _, exchange = await through(house, "clinician", **WHY)
    await say_yes(house, exchange.ticket)
    flow = asking(chat(messages=[{"role": "user", "content": "How is Mrs. Jane Roe, MRN 12345678?"}]), **WHY)
    passage = entered(flow, "clinician")
    await Access(house).request(flow)
    assert await house.agreement.approvals.spend_grants(
        [each.id for each in passage.exchange.decision.grants], "ex-0", time.time()
    )
    await Approval(house).request(flow)
    assert passage.exchange.refusal.reason == "grant-spent"


async def test_break_glass_is_let_through_on_record_with_a_review_open(house):
    _, exchange = await through(house, "clinician", phi_break_glass="Mrs. Jane Roe, MRN 12345678, unconscious")
    assert exchange.refusal is None
    assert (exchange.decision.verb, exchange.decision.mask.name) == ("break_glass", "reveal")
    (record,), (request,) = kept(house, "break-glass"), kept(house, "request")
    assert (record["exchange"], record["rule"], record["review_by"]) == (exchange.id, "sos", ["officer"])
    assert "unconscious" in record["reason"]
    assert "12345678" not in json.dumps(record)
    assert (request["decision"]["verb"], request["purpose"]) == ("break_glass", "emergency")
    (review,) = await house.agreement.approvals.open_reviews()
    assert (review.exchange, review.subject) == (exchange.id, (ISSUER, "ada"))
    assert review.due - review.opened == 3 * 86_400
    assert record["due"] is not None


@pytest.mark.parametrize("headers", [WHY, {"phi_break_glass": "cardiac arrest"}])
async def test_without_a_ledger_nothing_passes(house, headers):
    await house.agreement.close()
    _, exchange = await through(house, "clinician", **headers)
    assert (exchange.refusal.status, exchange.refusal.reason) == (503, "ledger-unavailable")


@pytest.mark.parametrize("headers", [WHY, {"phi_break_glass": "cardiac arrest"}])
async def test_what_cannot_be_recorded_does_not_pass(house, headers, monkeypatch):
    async def down(*_):
        raise JournalDown("gone")

    monkeypatch.setattr(house, "record", down)
    _, exchange = await through(house, "clinician", **headers)
    assert (exchange.refusal.status, exchange.refusal.reason) == (503, "not-recorded")
    assert await house.agreement.approvals.open_reviews() == []


async def test_a_ticket_whose_beginning_cannot_be_recorded_is_taken_back(house, monkeypatch):
    async def down(*_):
        raise JournalDown("gone")

    with monkeypatch.context() as broken:
        broken.setattr(house, "record", down)
        await through(house, "clinician", **WHY)
    assert await house.agreement.approvals.pending(time.time()) == []
    _, exchange = await through(house, "clinician", **WHY)
    assert [each["ticket"] for each in kept(house, "ticket")] == [exchange.ticket]


async def test_nobody_fills_the_approvers_list(house, monkeypatch):
    monkeypatch.setattr("phigate.ledger.approvals.MOST_PENDING", 1)
    await through(house, "clinician", text="One", **WHY)
    _, exchange = await through(house, "clinician", text="Two", **WHY)
    assert (exchange.refusal.status, exchange.refusal.reason) == (429, "too-many-tickets")


OTHERS = [
    ("a permit", Permit("care", ("care",), REVEAL)),
    ("a denial, which Access answered", Deny(None, (), "no-rule", "No.")),
    ("no decision", None),
]


@pytest.mark.parametrize(("sentence", "decision"), OTHERS, ids=[case[0] for case in OTHERS])
async def test_everything_else_passes_by(house, sentence, decision):
    flow = asking()
    exchange = entered(flow, "clinician").exchange
    exchange.decision = decision
    await Approval(house).request(flow)
    assert exchange.refusal is None


async def test_an_earlier_refusal_stays(house):
    flow = asking()
    exchange = entered(flow, "clinician").exchange
    exchange.refusal = Refusal(503, "not-recorded", "No.")
    await Approval(house).request(flow)
    assert exchange.refusal.reason == "not-recorded"


async def test_a_flow_that_never_entered_is_left_alone(house):
    await Approval(house).request(asking())


# -- what was taken back --------------------------------------------------------------------------------------------


async def running(house, flow, passage):
    """A flow under way by a grant."""
    _, exchange = await through(house, "clinician", **WHY)
    ticket = await say_yes(house, exchange.ticket)
    passage.exchange.decision = replace(passage.exchange.decision, grants=(grant_of(ticket, time.time()),))
    house.contacted[passage.exchange.id] = flow
    return ticket


async def looked(room):
    room._look()
    if room._looking is not None:
        await asyncio.wait_for(room._looking, 5)


async def test_an_answer_under_way_ends_when_its_grant_is_taken_back(house, monkeypatch):
    cut = []
    monkeypatch.setattr(lockdown, "cut_upstream", lambda _master, flow: cut.append(flow))
    room, flow = Approval(house), asking()
    passage = released(flow, house)
    ticket = await running(house, flow, passage)
    await looked(room)
    assert cut == []
    await house.agreement.approvals.answer(ticket.id, lambda _of: Step(None, "revoke"), time.time())
    await looked(room)
    assert (cut, passage.outcome) == ([flow], "revoked")


async def test_a_connection_ends_with_its_grant(house, monkeypatch):
    closed = []
    monkeypatch.setattr(sockets, "close", lambda _master, flow, _code: closed.append(flow))
    room = Approval(house)
    flow, passage = conversing(house)
    await running(house, flow, passage)
    await looked(room)
    assert closed == []
    (grant,) = passage.exchange.decision.grants
    over = replace(grant, expires=time.time() - 1)
    passage.exchange.decision = replace(passage.exchange.decision, grants=(over,))
    await looked(room)
    assert (closed, passage.outcome) == ([flow], "expired")


async def test_nothing_is_asked_where_nothing_runs_by_a_grant(house):
    room, flow = Approval(house), asking()
    house.contacted["ex"] = flow
    released(flow, house)
    room._look()
    assert room._looking is None
