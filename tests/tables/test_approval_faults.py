"""Faults that approvals have elsewhere, each by its name, and that each is none here.

What ends a stream that runs by a grant which was taken back is tried over the wire, in tests/live/test_waiting.py.
"""

import json
import time

import httpx
import pytest
from fastapi import FastAPI

from phigate.approval.tickets import LASTS, PENDING
from phigate.console import tickets
from phigate.console.desk import Desk
from phigate.journal.writer import JournalDown
from phigate.ledger import open_ledger
from phigate.unanswered import Unanswered
from tests.ledger.conftest import sqlite_url  # noqa: F401 -- a fixture
from tests.ledger.tickets import ticket
from tests.policies import policy
from tests.stage import ISSUER, RULES, bearer, furnished, policy_text
from tests.tables.test_approval_paths import BOTH, HOLD, REVIEW, Gateway, World

ONE = policy(f"{{{HOLD}, approvers: [officer]}}", REVIEW, roles=BOTH)
TWO = policy(f"{{{HOLD}, approvers: [officer, lead], approvals: 2}}", REVIEW, roles=BOTH)
TIMED = policy(f"{{{HOLD}, approvers: [officer], grant: {{for: PT10M}}}}", REVIEW, roles=BOTH)
WARD, OFFICER, EVERY = ("ward",), ("privacy",), ("ward", "privacy", "board")


@pytest.fixture
async def gate(sqlite_url):  # noqa: F811 -- the fixture
    ledger = await open_ledger(sqlite_url)
    made = Gateway(ledger, World())
    made.policy = ONE
    yield made
    await ledger.close()


def numbers():
    number = 0
    while True:
        number += 1
        yield number


NUMBERS = numbers()


async def ask(gate, digest="a", groups=WARD):
    """The ticket of ada's request, or the grants by which it passed."""
    return await gate.ask("ada", groups, digest, next(NUMBERS))


async def given(gate, **more):
    name = await ask(gate, **more)
    assert await gate.answer(name, "eve", OFFICER, "approve") == "approved"
    return name


async def test_fault_an_approval_never_expires(gate):
    """A ticket waits for a day, and a yes without a time is good for a week."""
    name = await ask(gate)
    gate.world.now += PENDING
    assert await gate.answer(name, "eve", OFFICER, "approve") == "ticket-over"
    again = await given(gate)
    assert again != name
    gate.world.now += LASTS
    assert isinstance(await ask(gate), str)


async def test_fault_nobody_hears_that_a_request_expired(tmp_path):
    house = furnished(tmp_path)
    await house.agreement.look()
    now = time.time()
    await house.agreement.approvals.open_ticket(ticket(opened=now - 60, until=now - 1), now - 60)
    await Unanswered(house).look(house.agreement.ledger)
    records = map(json.loads, house.journal.path.read_bytes().splitlines())
    assert [each["decision"] for each in records if each["kind"] == "ticket"] == ["expire"]
    await house.agreement.close()
    house.journal.close("test over")


async def test_fault_a_reviewer_in_two_groups_counts_twice(gate):
    gate.policy = TWO
    name = await ask(gate)
    assert await gate.answer(name, "eve", OFFICER, "approve") == "pending"
    for groups in (("board",), ("privacy", "board"), OFFICER):
        assert await gate.answer(name, "eve", groups, "approve") == "already-said"
    assert (await gate.approvals.ticket(name)).state == "pending"
    assert await gate.answer(name, "kai", ("board",), "approve") == "approved"


async def test_fault_an_admin_approves_their_own_request(gate):
    """Whatever groups they hold when they ask, and when they answer."""
    for asking in (WARD, EVERY):
        name = await ask(gate, groups=asking)
        for answering in (OFFICER, ("board",), EVERY):
            assert await gate.answer(name, "ada", answering, "approve") == "own-request"
            assert await gate.answer(name, "ada", answering, "reject") == "own-request"
    assert (await gate.approvals.ticket(name)).said == ()


async def test_fault_a_grants_clock_restarts_at_each_connect(gate):
    gate.policy = TIMED
    await given(gate)
    began, ends = gate.world.now, set()
    for _ in range(5):
        assert isinstance(await ask(gate), list)
        ends |= {each.expires for each in await gate.approvals.live_grants((ISSUER, "ada"), gate.world.now)}
        gate.world.now += 119
    assert ends == {began + 600}
    gate.world.now = began + 600
    assert isinstance(await ask(gate), str)


async def test_fault_what_was_taken_back_goes_on(gate):
    gate.policy = TIMED
    name = await given(gate)
    (used,) = await ask(gate)
    assert await gate.approvals.taken_back([used]) == set()
    assert await gate.answer(name, "kai", OFFICER, "revoke") == "revoked"
    assert await gate.approvals.taken_back([used]) == {used}
    assert isinstance(await ask(gate), str)


async def test_fault_nobody_holds_one_inference_for_a_human(gate):
    """One is held here, and the yes is for that one, and once."""
    await given(gate, digest="this one")
    assert isinstance(await ask(gate, digest="another"), str)
    assert isinstance(await ask(gate, digest="this one"), list)
    assert isinstance(await ask(gate, digest="this one"), str)


async def test_fault_an_approver_who_lost_the_role_still_counts(gate):
    gate.policy = TWO
    name = await ask(gate)
    assert await gate.answer(name, "eve", ("board",), "approve") == "pending"
    gate.world.out[ISSUER, "eve"] = gate.world.now
    gate.world.now += 1
    assert await gate.answer(name, "kai", OFFICER, "approve") == "pending"
    assert await gate.answer(name, "zoe", OFFICER, "approve") == "approved"


@pytest.mark.parametrize(("lost", "state"), [("ticket", "pending"), ("grant", "revoked")])
async def test_fault_what_was_said_counts_though_nothing_of_it_is_on_record(gate, monkeypatch, lost, state):
    name = await ask(gate)

    async def record(kind, _fields):
        if kind == lost:
            raise JournalDown("the disk is full")

    monkeypatch.setattr(gate, "record", record)
    with pytest.raises(JournalDown):
        await gate.answer(name, "eve", OFFICER, "approve")
    assert (await gate.approvals.ticket(name)).state == state
    assert isinstance(await ask(gate), str)


FOREIGN = [{"aud": "another-service"}, {"iss": "https://other.example"}, {"aud": None}, {"exp": 10}]


@pytest.mark.parametrize("claims", FOREIGN, ids=str)
async def test_fault_an_approvers_bearer_is_believed_whoever_it_is_for(tmp_path, claims):
    house = furnished(tmp_path, policy_text(*RULES, "{name: reviews, permit: [officer], to: [review], models: ['*']}"))
    await house.agreement.look()
    now = time.time()
    asked = {"subject": (ISSUER, "ada"), "rule": "see", "opened": now, "until": now + 60}
    await house.agreement.approvals.open_ticket(ticket(**asked), now)
    app = FastAPI()
    desk = Desk(house, "http://127.0.0.1:8080", "http://127.0.0.1:8090", lambda *_said: None)
    app.include_router(tickets.routes(desk))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console.example") as client:

        async def yes(said):
            answer = await client.post("/tickets/t-1/approve", headers={"authorization": f"Bearer {said}"})
            return answer.status_code

        assert await yes(bearer("privacy", who="eve", **claims)) == 401
        assert (await house.agreement.approvals.ticket("t-1")).state == "pending"
        assert await yes(bearer("privacy", who="eve")) == 200
    await house.agreement.close()
    house.journal.close("test over")
