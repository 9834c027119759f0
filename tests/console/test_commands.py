"""What people ask in mitmproxy: begun at once, told in the event log, without persons, prompts or codes."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from phigate.answering import Answering, Caller
from phigate.console.codes import ALPHABET, Codes
from phigate.console.commands import ASKED, AT_ONCE, WORDS, Commands, policy_in_force
from phigate.console.desk import Desk
from phigate.console.said import SAID
from phigate.exchange import Subject
from phigate.ledger import LedgerDown
from tests import policies
from tests.ledger.tickets import ticket
from tests.stage import ISSUER, RULES, followed, furnished, policy_text

REVIEWS = "{name: reviews, permit: [officer], to: [review], models: ['*']}"
PAIR = "{name: pair, hold: [researcher], to: [chat], models: ['*'], approvers: [officer], approvals: 2, mask: lean}"
WRONG = ALPHABET[:10]


@pytest.fixture
async def house(tmp_path):
    async with followed(furnished(tmp_path, policy_text(*RULES, REVIEWS, PAIR))) as made:
        yield made


@pytest.fixture
def desk(house):
    return Desk(house, "http://127.0.0.1:8080", "http://127.0.0.1:8090", lambda *_said: None)


@pytest.fixture
def said():
    return []


@pytest.fixture
def commands(desk, said):
    return Commands(desk, said.append)


async def over(commands):
    while commands._asked:
        await asyncio.wait(set(commands._asked))


async def opened(house, id_="t-1", **changes):
    now = time.time()
    person = {"subject": (ISSUER, "ada"), "approvers": ("officer",), "rule": "see", "opened": now, "until": now + 60}
    one = ticket(id=id_, digest=id_, **(person | changes))
    await house.agreement.approvals.open_ticket(one, now)
    return one


async def code_for(house, desk, name, who="eve"):
    groups = ("privacy",)
    subject = Subject(ISSUER, who, groups, house.policy.roles_of(groups), time.time() + 3000, issued=time.time() - 10)
    return (await Codes(desk, Answering(desk)).give(name, Caller(subject, "192.0.2.1", "console")))["code"]


async def test_what_waits_is_listed_without_who_asks_and_what_for(house, commands, said):
    assert commands.tickets() == ASKED
    assert said == []
    await over(commands)
    assert said.pop() == "phi.tickets: no tickets waiting"
    one = await opened(house)
    commands.tickets()
    await over(commands)
    until = f"{datetime.fromtimestamp(one.until, UTC):%Y-%m-%d %H:%M:%S}Z"
    assert said == [
        "phi.tickets: 1 ticket waiting",
        f"phi.tickets: t-1: chat, unmask by rule see, 0 of 1 said yes, until {until}, exchange ex-1",
    ]


async def test_a_yes_and_a_no_are_told_once_they_count(house, desk, commands, said):
    await opened(house)
    await opened(house, "t-2", rule="pair", approvals=2)
    for name, verdict in (("t-2", "approve"), ("t-1", "approve"), ("t-2", "reject")):
        code = await code_for(house, desk, name, "kai" if verdict == "reject" else "eve")
        assert commands.answer(name, code, verdict) == ASKED
        await over(commands)
        assert code not in " ".join(said)
    assert said == [
        "phi.approve: t-2: pending, 1 of 2 said yes",
        "phi.approve: t-1: approved",
        "phi.reject: t-2: rejected",
    ]


async def test_why_nothing_came_of_it_is_told(house, desk, commands, said):
    await opened(house)
    commands.answer("t-1", WRONG, "approve")
    await over(commands)
    commands.answer("t-1\nphi.approve: t-1: approved", WRONG, "approve")
    await over(commands)
    code = await code_for(house, desk, "t-1")
    await house.agreement.approvals.answer("t-1", lambda _of: "changes nothing", time.time())
    await Answering(desk).revoke(
        "t-1", Caller(Subject(ISSUER, "ada", (), frozenset(), time.time() + 60), "", "page"), ""
    )
    commands.answer("t-1", code, "approve")
    await over(commands)
    sentences = [WORDS["code-refused"], WORDS["malformed"], SAID["ticket-over"][1]]
    assert said == [f"phi.approve: {sentence}" for sentence in sentences]


async def test_what_cannot_be_settled_is_told(house, commands, said, monkeypatch):
    async def down(*_asked):
        raise LedgerDown("closed")

    monkeypatch.setattr(house.agreement.approvals, "pending", down)
    commands.tickets()
    await over(commands)
    assert said == ["phi.tickets: this cannot be settled at the moment"]


async def test_only_so_much_is_asked_at_once(commands):
    told = [commands.tickets() for _ in range(AT_ONCE + 2)]
    assert told == [ASKED] * AT_ONCE + ["too much is asked at once: ask again"] * 2
    await over(commands)
    assert commands.tickets() == ASKED
    await over(commands)


def test_the_policy_in_force_is_named_with_its_rules():
    policy = policies.policy()
    since = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert policy_in_force(policy, "rules/policy.yaml", since) == (
        f"policy {policy.sha256}\nrules/policy.yaml, in force since 2026-01-02 03:04:05Z\nrules: care (permit)"
    )
