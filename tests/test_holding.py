"""A request that waits for its yes, through the rooms that decide about it again: real policy, ledger and journal."""

import asyncio
import json
import time
from dataclasses import replace

import pytest
from mitmproxy.addons.view import View

from phigate import flows, holding
from phigate.access.addon import Access
from phigate.approval import waiting
from phigate.approval.addon import Approval
from phigate.capture.addon import Capture
from phigate.gate.addon import Refuse, Release
from phigate.host.connections import callers
from phigate.identity.addon import Identity
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown, Revocation
from phigate.ledger.tickets import Said, Step
from phigate.masking.addon import Masking
from tests.ledger.tickets import grant_of
from tests.stage import ISSUER, asking, bearer, followed, furnished, kept, observed, policy_text, until
from tests.traffic import chat

RULES = (
    "{name: care, permit: [clinician], to: [chat], models: ['*'], purpose: treatment, mask: lean}",
    "{name: see, hold: [clinician], to: [unmask], models: ['*'], approvers: [officer], wait: PT1M, mask: reveal}",
    (
        "{name: blind, hold: [researcher], to: [chat], models: ['*'], approvers: [officer], grant: {for: PT1H},"
        " wait: PT1M, prompt: lean, mask: lean}"
    ),
    (
        "{name: also, hold: [researcher], to: [chat], models: ['*'], approvers: [officer], wait: PT1M,"
        " when: {prompt_matches: ['both']}, mask: lean}"
    ),
    "{name: soon, hold: [officer], to: [chat], models: ['*'], approvers: [officer], wait: PT1S, mask: lean}",
)
TEXT = "How is Mrs. Jane Roe, MRN 12345678?"
WHY = {"phi_unmask": "ward round"}


@pytest.fixture
async def house(tmp_path, context, monkeypatch):
    monkeypatch.setattr(callers, "gone", lambda _master, _flow: False)
    async with followed(observed(furnished(tmp_path, policy_text(*RULES)), context)) as made:
        made.ready = True
        made.rooms = [room(made) for room in (Refuse, Identity, Access, Masking, Approval, Capture, Release)]
        yield made
    await made.verifier.close()


class Asking:
    """A request on its way through the rooms."""

    def __init__(self, house, *groups, text=TEXT, who="ada", **more):
        self.house = house
        said = bearer(*(groups or ("ward",)), who=who)
        content = chat(messages=[{"role": "user", "content": text}])
        self.flow = asking(content, said=said, **more)
        self.flow.live = True
        self.task = asyncio.create_task(self._through())

    async def _through(self):
        self.house.rooms[0].requestheaders(self.flow)
        for room in self.house.rooms:
            result = room.request(self.flow)
            if result is not None:
                await result

    @property
    def exchange(self):
        return flows.passage_of(self.flow).exchange

    async def waits(self, count=1):
        """The ticket that it waits for."""
        await until(lambda: len(self.house.holding) == count)
        await until(lambda: self.exchange.ticket in {each["decision"]["ticket"] for each in kept(self.house, "hold")})
        return self.exchange.ticket

    async def over(self):
        await asyncio.wait_for(self.task, 5)
        return self.exchange

    @property
    def refused(self):
        refusal = self.exchange.refusal
        return (refusal.status, refusal.reason) if refusal else None


async def say(house, name, event="enough"):
    now = time.time()

    def step(of):
        if event == "revoke":
            return Step(None, "revoke")
        verdict = "approve" if event == "enough" else "reject"
        return Step(Said((ISSUER, "eve"), verdict, "", now), event, grant_of(of, now) if event == "enough" else None)

    await house.agreement.approvals.answer(name, step, now)
    house.holding.ask()


async def test_it_waits_on_record_and_runs_after_the_yes_as_the_permit_says(house):
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    assert not asked.task.done()
    (hold,) = kept(house, "hold")
    assert (hold["decision"]["verb"], hold["decision"]["rule"], hold["decision"]["ticket"]) == ("hold", "see", ticket)
    assert (hold["exchange"], hold["revealed"]) == (asked.exchange.id, [])
    assert "12345678" not in json.dumps(hold)
    assert kept(house, "request") == []
    await say(house, ticket)
    exchange = await asked.over()
    assert exchange.refusal is None
    assert exchange.decision.mask.name == "reveal"
    assert flows.may_go(asked.flow)
    assert json.loads(asked.flow.request.content)["messages"][0]["content"] == TEXT
    (record,) = kept(house, "request")
    assert (record["decision"]["ticket"], record["decision"]["grant"]) == (ticket, f"g-{ticket}")
    assert record["revealed"] == record["identifiers"] == hold["identifiers"] != []
    assert await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time()) == []
    assert len(house.holding) == 0


async def test_its_prompt_is_masked_as_the_permit_says(house):
    asked = Asking(house, "lab")
    await say(house, await asked.waits())
    await asked.over()
    assert "12345678" not in asked.flow.request.text
    assert kept(house, "request")[0]["revealed"] == []


async def test_for_each_rule_that_holds_it_it_waits_in_turn(house):
    asked = Asking(house, "lab", text="both")
    first = await asked.waits()
    await say(house, first)
    await until(lambda: asked.exchange.ticket not in {None, first})
    second = await asked.waits()
    assert [each["decision"]["ticket"] for each in kept(house, "hold")] == [first, second]
    await say(house, second)
    assert (await asked.over()).refusal is None
    (record,) = kept(house, "request")
    assert set(record["decision"]["ticket"].split("+")) == {first, second}


async def test_a_yes_for_a_time_is_one_for_all_that_wait_by_it(house):
    both = [Asking(house, "lab", text=text) for text in ("One", "Two")]
    await both[0].waits(2)
    await say(house, await both[1].waits(2))
    for asked in both:
        assert (await asked.over()).refusal is None


OPENS = {
    "method": "GET",
    "path": "/v1/realtime?model=ward-assistant",
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec_websocket_key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec_websocket_version": "13",
}


async def test_a_websocket_is_opened_after_the_yes(house):
    asked = Asking(house, **OPENS, **WHY)
    ticket = await asked.waits()
    assert not flows.may_go(asked.flow)
    await say(house, ticket)
    assert (await asked.over()).refusal is None
    assert asked.exchange.decision.mask.name == "reveal"
    assert flows.may_go(asked.flow)


NOES = [("reject", (403, "rejected")), ("revoke", (403, "taken-back"))]


async def test_a_yes_by_a_clock_that_is_ahead_lets_it_by_once_it_counts(house):
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    begins = time.time() + 0.5
    step = Step(Said((ISSUER, "eve"), "approve", "", begins), "enough")
    await house.agreement.approvals.answer(ticket, lambda of: replace(step, grant=grant_of(of, begins)), begins)
    house.holding.ask()
    await asyncio.sleep(0.2)
    assert not asked.task.done()
    await asyncio.sleep(0.4)
    house.holding.ask()
    await asked.over()
    assert asked.refused is None


@pytest.mark.parametrize(("event", "refused"), NOES)
async def test_a_no_is_told_at_once(house, event, refused):
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    await say(house, ticket, event)
    exchange = await asked.over()
    assert asked.refused == refused
    assert exchange.refusal.extra["ticket"] == ticket
    (record,) = kept(house, "request")
    assert (record["decision"]["verb"], record["decision"]["reason"]) == ("hold", refused[1])


async def test_at_the_end_of_its_time_it_is_answered_as_one_that_does_not_wait(house):
    asked = Asking(house, "privacy")
    ticket = await asked.waits()
    exchange = await asked.over()
    assert asked.refused == (403, "approval-required")
    assert (exchange.refusal.extra["ticket"], exchange.refusal.retry_after) == (ticket, 10)
    (record,) = kept(house, "request")
    assert (record["decision"]["verb"], record["decision"]["ticket"]) == ("hold", ticket)


async def test_who_does_not_want_to_wait_does_not(house):
    asked = Asking(house, prefer="wait=0", **WHY)
    await asked.over()
    assert asked.refused == (403, "approval-required")
    assert kept(house, "hold") == []


# -- what may have changed meanwhile ---------------------------------------------------------------------------------


def changed(rule):
    async def change(house):
        path = house.edits.path
        path.write_text(path.read_text().replace("rules:\n", f"rules:\n  - {rule}\n"))
        house.edits.reload_if_changed()
        await until(lambda: "none" in {each.name for each in house.policy.rules})

    return change


async def test_a_deny_that_came_meanwhile_counts(house):
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    await changed("{name: none, deny: [clinician], to: [unmask]}")(house)
    await say(house, ticket)
    await asked.over()
    assert asked.refused == (403, "denied")
    (record,) = kept(house, "request")
    assert (record["decision"]["rule"], record["decision"]["ticket"], record["revealed"]) == ("none", ticket, [])
    assert len(await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time())) == 1


CROSSING = [("live_grants", (403, "denied"), "denied", 1), ("spend_grants", (503, "not-decided"), "not-decided", 0)]


@pytest.mark.parametrize(("step", "refused", "reason", "left"), CROSSING, ids=[case[0] for case in CROSSING])
async def test_a_deny_that_comes_while_the_ledger_is_asked_counts_too(house, monkeypatch, step, refused, reason, left):
    """What was decided by the policy before it lets nothing by, and is on record as decided by that one."""
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    before, real = house.policy.sha256, getattr(house.agreement.approvals, step)

    async def slow(*arguments):
        found = await real(*arguments)
        if house.policy.sha256 == before:
            await changed("{name: none, deny: [clinician], to: [unmask]}")(house)
        return found

    monkeypatch.setattr(house.agreement.approvals, step, slow)
    await say(house, ticket)
    await asked.over()
    assert asked.refused == refused
    (record,) = kept(house, "request")
    decided = house.policy.sha256 if step == "live_grants" else before
    assert (record["decision"]["reason"], record["policy"], record["revealed"]) == (reason, decided, [])
    monkeypatch.undo()
    assert len(await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time())) == left


async def test_a_bearer_that_ran_out_meanwhile_is_not_believed(house, monkeypatch):
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    await say(house, ticket)
    now = time.time() + 7200
    monkeypatch.setattr("phigate.identity.addon.time", type("Later", (), {"time": staticmethod(lambda: now)}))
    await asked.over()
    assert asked.refused == (401, "bearer-refused")
    (record,) = kept(house, "request")  # who asked is still known
    assert (record["subject"]["id"], record["decision"]["reason"]) == ("ada", "expired")


@pytest.mark.parametrize("proof", ["dpop", "mtls"])
async def test_a_bearer_that_has_to_be_proven_since_is_not_believed_unproven(house, proof):
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    path = house.edits.path
    path.write_text(path.read_text().replace("groups_from: groups", f"groups_from: groups\n    proof: {proof}"))
    house.edits.reload_if_changed()
    await until(lambda: house.policy.issuers[0].proof == proof)
    await say(house, ticket)
    await asked.over()
    assert asked.refused == (401, "bearer-refused")
    (record,) = kept(house, "request")
    assert record["decision"]["reason"] == "proof-missing"
    assert len(await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time())) == 1


async def test_whose_bearer_was_taken_back_waits_no_more(house):
    asked = Asking(house, **WHY)
    await asked.waits()
    cut = time.time()
    await house.agreement.ledger.revoke(Revocation(ISSUER, "ada", None, cut, cut + 900, "eve", "left"))
    await house.agreement.look()
    house.holding.tick()
    await asked.over()
    assert asked.refused == (401, "bearer-refused")


async def test_a_gateway_that_leaves_tells_those_that_wait(house):
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    house.leaving = True
    house.holding.tick()
    exchange = await asked.over()
    assert asked.refused == (503, "not-ready")
    assert exchange.refusal.extra["ticket"] == ticket
    assert (await house.agreement.approvals.ticket(ticket)).state == "pending"


async def test_a_yes_that_comes_while_the_gateway_leaves_lets_nothing_by(house):
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    house.leaving = True
    await say(house, ticket)
    await asked.over()
    assert asked.refused == (503, "not-ready")
    assert len(await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time())) == 1


async def test_for_a_caller_that_left_nothing_is_spent(house, monkeypatch):
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    monkeypatch.setattr(callers, "gone", lambda _master, _flow: True)
    await say(house, ticket)
    await asked.over()
    assert asked.refused == (403, "client-left")
    assert not flows.may_go(asked.flow)
    assert len(await house.agreement.approvals.live_grants((ISSUER, "ada"), time.time())) == 1
    other = Asking(house, text="Another", **WHY)
    await other.waits()
    house.holding.tick()
    await other.over()
    assert other.refused == (403, "client-left")


async def test_without_an_answer_of_the_ledger_it_waits_to_its_end_and_nothing_passes(house, monkeypatch):
    asked = Asking(house, "privacy")
    ticket = await asked.waits()

    async def down(*_):
        raise LedgerDown("gone")

    with monkeypatch.context() as broken:
        broken.setattr(type(house.agreement.approvals), "news", down)
        await say(house, ticket)
        await asyncio.sleep(0.1)
        assert not asked.task.done()
        await asked.over()
    assert asked.refused == (503, "ledger-unavailable")


async def test_one_that_cannot_be_recorded_does_not_wait(house, monkeypatch):
    record = type(house.keep).record

    async def down(self, journal, kind, fields, **more):
        if kind == "hold":
            raise JournalDown("gone")
        await record(self, journal, kind, fields, **more)

    monkeypatch.setattr(type(house.keep), "record", down)
    asked = Asking(house, **WHY)
    await asked.over()
    assert asked.refused == (503, "not-recorded")
    assert len(house.holding) == 0


async def test_where_too_many_wait_it_is_answered_with_its_ticket(house, monkeypatch):
    monkeypatch.setattr(waiting, "MOST", 1)
    asked = Asking(house, **WHY)
    await asked.waits()
    other = Asking(house, text="Another", **WHY)
    await other.over()
    assert other.refused == (403, "approval-required")
    assert other.exchange.refusal.extra["ticket"] != asked.exchange.ticket
    await say(house, asked.exchange.ticket)
    assert (await asked.over()).refusal is None


async def test_who_looks_on_sees_that_it_waits_and_no_original(house):
    view = house.observers._view = View()
    asked = Asking(house, **WHY)
    ticket = await asked.waits()
    (shadow,) = view
    assert (shadow.response, shadow.marked) == (None, ":hourglass:")
    assert "hold see" in shadow.comment
    assert "12345678" not in shadow.request.text
    await say(house, ticket)
    await asked.over()
    assert [*view] == [shadow]
    assert "permit" in shadow.comment


async def test_others_come_to_the_ledger_in_turn(house, monkeypatch):
    at, most = 0, 0

    async def come():
        nonlocal at, most
        async with house.holding.turn():
            at += 1
            most = max(at, most)
            await asyncio.sleep(0)
            at -= 1

    await asyncio.gather(*(come() for _ in range(3 * holding.TURNS)))
    assert most == holding.TURNS
    monkeypatch.setattr(type(house.agreement.follow), "current", False)
    with pytest.raises(LedgerDown):
        await come()
