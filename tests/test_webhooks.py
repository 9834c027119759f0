"""From the ledger to the receivers: real house, ledger, sockets; two houses where two gateways meet."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from phigate import metrics, webhooks
from phigate.host.addresses import Addresses
from phigate.house import House
from phigate.ledger.outbox import Notice
from phigate.policy.load import PolicyFaults
from phigate.telling import pace
from phigate.webhooks import Webhooks, lacking, receivers_of
from tests.policies import policy
from tests.receiver import Receiver
from tests.stage import furnished, kept, places, policy_in, policy_text, until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


@pytest.fixture
def slow():
    with Receiver() as running:
        running.silent.set()
        yield running


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("PAGER_SECRET", SECRET)
    monkeypatch.setattr(pace, "DELAYS", (0.2,) * 4)


def pager(receiver, name="pager"):
    return f"{{name: {name}, url: '{receiver.url}/hook', secret: env:PAGER_SECRET}}"


@pytest.fixture
async def gateway(tmp_path, receiver, slow):
    """A house that tells two receivers, one of whom never answers."""
    tail = f"webhooks: [{pager(receiver)}, {pager(slow, 'slow')}]\n"
    house = furnished(tmp_path, policy_text(tail=tail))
    hooks = Webhooks(house)
    await house.agreement.look()
    yield house, hooks
    slow.silent.clear()
    await hooks.leave()
    await house.agreement.close()
    house.journal.close("test over")


def notice(at, hook="pager"):
    return Notice(f"msg_{at}", hook, "ticket.opened", json.dumps({"n": at}), time.time(), ticket=f"t-{at}")


async def ticking(hooks, condition):
    def tick():
        hooks.tick()
        return condition()

    await until(tick)


async def test_what_is_due_is_sent_signed_and_put_on_record(gateway, receiver):
    house, hooks = gateway
    await house.agreement.ledger.outbox.put([notice(1), notice(2)])
    await ticking(hooks, lambda: len(receiver.got) == 2)
    await ticking(hooks, lambda: len(kept(house, "notice")) == 2)
    assert sorted(got.headers["webhook-id"] for got in receiver.got) == ["msg_1", "msg_2"]
    assert all(got.headers["webhook-signature"].startswith("v1,") for got in receiver.got)
    await hooks._sending["pager"]
    assert await house.agreement.ledger.outbox.waiting() == {}
    record = min(kept(house, "notice"), key=lambda each: each["message"])
    named = ("webhook", "event", "message", "ticket", "tries", "outcome", "reason")
    assert [record[name] for name in named] == ["pager", "ticket.opened", "msg_1", "t-1", 1, "sent", None]


async def test_whoever_never_answers_keeps_nobody_else_waiting(gateway, receiver, slow):
    house, hooks = gateway
    await house.agreement.ledger.outbox.put([*(notice(f"s{at}", "slow") for at in range(9)), *map(notice, range(9))])
    await ticking(hooks, lambda: len(receiver.got) == 9)
    assert slow.most == webhooks.AT_ONCE


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_of_two_gateways_one_sends_each(tmp_path, receiver, request, database):
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else f"sqlite+aiosqlite:///{tmp_path}/db"
    houses = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made = House()
        options = places(tmp_path / name) | {"ledger": url, "instance": name, "addresses": Addresses()}
        made.furnish(
            policy=str(policy_in(tmp_path / name, policy_text(tail=f"webhooks: [{pager(receiver)}]\n"))), **options
        )
        houses.append((made, Webhooks(made)))
        await made.agreement.look()
    await houses[0][0].agreement.ledger.outbox.put(map(notice, range(40)))

    def tick():
        for _, hooks in houses:
            hooks.tick()
        return sum(len(kept(house, "notice")) for house, _ in houses) == 40

    await until(tick)
    assert sorted(got.headers["webhook-id"] for got in receiver.got) == sorted(f"msg_{at}" for at in range(40))
    for house, hooks in houses:
        await hooks.leave()
        await house.agreement.close()
        house.journal.close("test over")


async def test_what_was_not_taken_is_sent_again_with_the_same_id(gateway, receiver):
    house, hooks = gateway
    receiver.status = 500
    await house.agreement.ledger.outbox.put([notice(1)])
    await ticking(hooks, lambda: len(receiver.got) == 2)
    receiver.status = 200
    await ticking(hooks, lambda: kept(house, "notice"))
    assert {got.headers["webhook-id"] for got in receiver.got} == {"msg_1"}
    assert [each["tries"] for each in kept(house, "notice")] == [len(receiver.got)]


async def test_what_is_never_taken_is_given_up_on_record(gateway, receiver, monkeypatch):
    monkeypatch.setattr(pace, "DELAYS", (0.01,) * 2)
    house, hooks = gateway
    receiver.status = 410
    await house.agreement.ledger.outbox.put([notice(1)])
    await ticking(hooks, lambda: kept(house, "notice"))
    (record,) = kept(house, "notice")
    assert (record["outcome"], record["reason"], record["tries"]) == ("given-up", "status-410", 3)
    assert len(receiver.got) == 3
    assert metrics.REGISTRY.get_sample_value("phigate_webhooks_total", {"webhook": "pager", "outcome": "given-up"})


async def test_readiness_says_who_takes_nothing_and_why(gateway, receiver, monkeypatch):
    house, hooks = gateway
    receiver.status = 503
    await house.agreement.ledger.outbox.put([notice(1)])
    await ticking(hooks, lambda: hooks._failing)
    assert hooks.remarks() == {}
    monkeypatch.setattr(webhooks, "WHILE", 0.0)
    assert hooks.remarks() == {"webhook pager": "has taken nothing for 0 minutes (status-503)"}
    receiver.status = 200
    await ticking(hooks, lambda: kept(house, "notice"))
    assert hooks.remarks() == {}


async def test_what_waits_is_counted(gateway, receiver):
    house, hooks = gateway
    receiver.status = 500
    await house.agreement.ledger.outbox.put([notice(1), notice("s", "slow")])

    def waiting(name):
        return metrics.REGISTRY.get_sample_value("phigate_webhooks_waiting", {"webhook": name})

    await ticking(hooks, lambda: (waiting("pager"), waiting("slow")) == (1.0, 1.0))


async def test_whoever_leaves_lets_go_of_what_it_had(gateway, slow, monkeypatch):
    monkeypatch.setattr(webhooks, "PARTING", 0.05)
    house, hooks = gateway
    await house.agreement.ledger.outbox.put([notice("s", "slow")])
    await ticking(hooks, lambda: slow.got)
    house.leaving = True
    await hooks.leave()
    assert await house.agreement.ledger.outbox.due(time.time()) == {"slow"}
    hooks.tick()
    await asyncio.sleep(0.05)
    assert len(slow.got) == 1


async def test_what_a_policy_names_no_more_is_not_sent(gateway, receiver):
    house, hooks = gateway
    house.put_in_force(policy())
    await house.agreement.ledger.outbox.put([notice(1)])
    for _ in range(5):
        hooks.tick()
        await asyncio.sleep(0.01)
    assert receiver.got == []


async def test_without_a_ledger_nothing_is_sent_and_nothing_breaks(gateway, receiver):
    house, hooks = gateway
    await house.agreement.ledger.outbox.put([notice(1)])
    await house.agreement.ledger.close()
    hooks.tick()
    await hooks._looking
    assert receiver.got == []


# -- what is only named ---------------------------------------------------------------------------------------------

CHAT = "{name: chat, url: env:CHAT, format: slack}"
HOOKS = f"webhooks: [{CHAT}, {{name: pager, url: 'https://x.example', secret: env:S}}]\n"
PERSON = "{issuer: https://idp.example, id: k, groups: [g]}"
TEAM = f"approvers_from: [{{slack: T12, secret: env:SIGN, people: {{U12: {PERSON}}}}}]\n"


def test_what_a_policy_names_is_looked_up():
    found = receivers_of(policy(tail=HOOKS), Path(), {"CHAT": " https://hooks.slack.com/x\n", "S": SECRET})
    assert (found["chat"].url, found["chat"].keys, len(found["pager"].keys)) == ("https://hooks.slack.com/x", (), 1)
    assert "slack.com" not in repr(found)


URL_UNSET = "webhooks[chat].url: the environment variable `CHAT` is not set"
SECRET_UNSET = "webhooks[pager].secret: the environment variable `S` is not set"
SIGNING_UNSET = "approvers_from[T12].secret: the environment variable `SIGN` is not set"
URL_BAD = (
    "webhooks[chat].url: what `CHAT` holds must be an https URL (http on loopback only), without user name, password "
    "and fragment"
)
SECRET_BAD = (
    "webhooks[pager].secret: what `S` holds must be `whsec_` and base64 of 24 to 64 bytes, or several with blanks "
    "between"
)
LACKING = [
    ({}, [URL_UNSET, SECRET_UNSET, SIGNING_UNSET]),
    ({"CHAT": "http://a.example", "S": "secret", "SIGN": "x"}, [URL_BAD, SECRET_BAD]),
    ({"CHAT": "https://a.example", "S": SECRET, "SIGN": "x"}, []),
]


@pytest.mark.parametrize(("environ", "faults"), LACKING)
def test_what_is_not_there_is_told_in_words(environ, faults):
    made = policy(tail=HOOKS + TEAM)
    assert lacking(made, environ) == faults
    if faults:
        with pytest.raises(PolicyFaults) as refused:
            receivers_of(made, Path("p.yaml"), environ)
        assert refused.value.faults == tuple(f"p.yaml: {each}" for each in faults)


def test_a_gateway_does_not_start_without_it(tmp_path, receiver, monkeypatch):
    monkeypatch.delenv("PAGER_SECRET")
    with pytest.raises(Exception, match="the environment variable `PAGER_SECRET` is not set"):
        furnished(tmp_path, policy_text(tail=f"webhooks: [{pager(receiver)}]\n"))


async def test_a_changed_policy_that_names_what_is_not_there_is_not_put_in_force(gateway, receiver, tmp_path):
    house, _ = gateway
    before = dict(house.receivers)
    text = (tmp_path / "policy.yaml").read_text()
    (tmp_path / "policy.yaml").write_text(text.replace("env:PAGER_SECRET", "env:NOT_THERE"))
    house.edits.reload_if_changed()
    assert house.receivers == before
    (tmp_path / "policy.yaml").write_text(text.replace("name: slow", "name: other"))
    house.edits.reload_if_changed()
    assert set(house.receivers) == {"pager", "other"}


async def test_what_is_said_back_goes_to_its_own_address_unsigned(tmp_path, receiver, monkeypatch):
    monkeypatch.setenv("SIGN", "8f742231b10e8888abcd99yyyzzz85a5")
    house = furnished(tmp_path, policy_text(tail=TEAM))
    hooks = Webhooks(house)
    await house.agreement.look()
    said = Notice("msg_r", "slack:T12", "slack.reply", '{"text":"ok"}', time.time(), to=f"{receiver.url}/actions/x")
    await house.agreement.ledger.outbox.put([said])
    await ticking(hooks, lambda: kept(house, "notice"))
    ((got,), (record,)) = receiver.got, kept(house, "notice")
    assert (got.path, got.said) == ("/actions/x", {"text": "ok"})
    assert not [name for name in got.headers if name.startswith("webhook-")]
    assert receiver.url not in json.dumps(record)
    await hooks.leave()
    await house.agreement.close()
    house.journal.close("test over")
