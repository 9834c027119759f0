"""What all gateways agree on, in both databases."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
import time

import pytest

from phigate.ledger import GatewayKey, LedgerDown, LedgerFault, Revocation, open_ledger
from phigate.ledger.bounded import SECONDS
from phigate.ledger.ledger import SKEW
from phigate.ledger.tables import STEPS
from processes import ROOT, free_port

NOW = 1_800_000_000.0
IDP = "https://idp.example"
FORWARD = "the ledger's tables were brought forward, from version 0 to 1"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
async def ledger(url):
    made = await open_ledger(url)
    await made.sweep(NOW * 2)  # one server serves all tests
    yield made
    await made.close()


def out(who="ada", expires=NOW + 100):
    return Revocation(IDP, who, None, cut=NOW, expires=expires, by="eve", reason="lost")


def key(kid, expires=NOW + 100):
    return GatewayKey(kid, "one", {"kty": "OKP", "crv": "Ed25519", "x": kid}, active_from=NOW, expires=expires)


# -- what may be used once ------------------------------------------------------------------------------------------


async def test_what_is_spent_is_spent_by_its_kind_and_key(ledger):
    assert await ledger.spend("token", "one", NOW + 10, NOW)
    assert not await ledger.spend("token", "one", NOW + 10, NOW)
    assert await ledger.spend("dpop", "one", NOW + 10, NOW)
    assert await ledger.spend("token", "two", NOW + 10, NOW)


async def test_what_is_over_is_not_to_be_had(ledger):
    assert not await ledger.spend("token", "three", NOW, NOW)


async def test_odd_keys_are_keys(ledger):
    odd = ["", "\udc80", "a\0b", "a\0c", "ä" * 5000]
    assert [await ledger.spend("token", each, NOW + 10, NOW) for each in odd] == [True] * 5
    assert [await ledger.spend("token", each, NOW + 10, NOW) for each in odd] == [False] * 5


RACE = """
import asyncio, sys
from phigate.ledger import open_ledger
async def race(url, keys):
    ledger = await open_ledger(url)
    print("ready", flush=True)
    sys.stdin.readline()
    async def some(lane):
        return [key for key in range(lane, keys, 4) if await ledger.spend("race", str(key), 2e9, 1.8e9)]
    won = await asyncio.gather(*map(some, range(4)))
    await ledger.close()
    print(*(key for lane in won for key in lane))
asyncio.run(race(sys.argv[1], int(sys.argv[2])))
"""


async def test_of_many_processes_one_wins_each_key(ledger, url):
    keys = 200
    command = [sys.executable, "-c", RACE, url, str(keys)]
    pipe = subprocess.PIPE
    racers = [subprocess.Popen(command, cwd=ROOT / "addons", stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for racer in racers:
        assert await asyncio.to_thread(racer.stdout.readline) == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    outputs = [await asyncio.to_thread(racer.communicate) for racer in racers]
    won = [int(number) for said, _ in outputs for number in said.split()]
    assert sorted(won) == list(range(keys))


# -- who is out -----------------------------------------------------------------------------------------------------


async def test_revocations_come_in_order_from_where_the_reader_was(ledger):
    first, second = await ledger.revoke(out("ada")), await ledger.revoke(out("bob"))
    assert first < second
    found = await ledger.revocations(first - 1, NOW)
    assert [(each.number, each.subject) for each in found] == [(first, "ada"), (second, "bob")]
    assert [each.number for each in await ledger.revocations(first, NOW)] == [second]
    assert await ledger.revocations(second, NOW) == []


async def test_a_revocation_comes_back_as_it_was_given(ledger):
    given = Revocation(IDP, None, "jti'; drop table", cut=NOW + 0.25, expires=NOW + 9.5, by="eve", reason="lost")
    number = await ledger.revoke(given)
    (found,) = await ledger.revocations(number - 1, NOW)
    assert found == Revocation(IDP, None, "jti'; drop table", NOW + 0.25, NOW + 9.5, "eve", "lost", number)


async def test_what_is_over_is_told_to_nobody(ledger):
    number = await ledger.revoke(out(expires=NOW + 1))
    assert await ledger.revocations(number - 1, NOW + 1) == []


async def test_whoever_polls_misses_none_however_many_write(ledger, url):
    other = await open_ledger(url)
    start = await ledger.revoke(out("first"))
    seen, last, writing = [], start, True

    async def poll():
        nonlocal last
        while writing or (found := await ledger.revocations(last, NOW)):
            found = await ledger.revocations(last, NOW)
            seen.extend(each.number for each in found)
            last = max([last, *seen])
            await asyncio.sleep(0)

    async def write(ledger, lane):
        return [await ledger.revoke(out(f"{lane}-{number}")) for number in range(15)]

    polling = asyncio.create_task(poll())
    given = await asyncio.gather(*(write(each, lane) for lane, each in enumerate([ledger, other, ledger, other])))
    writing = False
    await polling
    await other.close()
    assert seen == sorted(number for numbers in given for number in numbers)
    assert len(seen) == 60


# -- whose signature is ours ----------------------------------------------------------------------------------------


async def test_keys_are_known_until_they_are_over(ledger):
    await ledger.publish(key("a", NOW + 10))
    await ledger.publish(key("b", NOW + 20))
    assert [each.kid for each in await ledger.keys(NOW)] == ["a", "b"]
    assert (await ledger.keys(NOW))[0] == key("a", NOW + 10)
    assert [each.kid for each in await ledger.keys(NOW + 10)] == ["b"]


async def test_a_key_that_is_published_again_lives_for_the_longer_time(ledger):
    for expires in (NOW + 20, NOW + 30, NOW + 10):
        await ledger.publish(key("c", expires))
    (found,) = await ledger.keys(NOW)
    assert found.expires == NOW + 30


async def test_two_who_publish_one_key_at_once_are_both_content(ledger, url):
    other = await open_ledger(url)
    await asyncio.gather(*(each.publish(key("same")) for each in (ledger, other) * 4))
    await other.close()
    assert [each.kid for each in await ledger.keys(NOW)] == ["same"]


async def test_what_is_over_is_swept_and_nothing_else(ledger):
    await ledger.spend("token", "x", NOW + 10, NOW)
    await ledger.spend("token", "y", NOW + 20, NOW)
    await ledger.revoke(out(expires=NOW + 10))
    await ledger.publish(key("d", NOW + 10))
    assert await ledger.sweep(NOW + 9 + SKEW) == 0
    assert await ledger.sweep(NOW + 10 + SKEW) == 3
    assert not await ledger.spend("token", "y", NOW + 20, NOW)


# -- the database itself --------------------------------------------------------------------------------------------


async def test_what_was_kept_is_there_after_a_restart(url):
    first = await open_ledger(url)
    number = await first.revoke(out("kept"))
    await first.close()
    second = await open_ledger(url)
    assert [each.subject for each in await second.revocations(number - 1, NOW)] == ["kept"]
    await second.close()


async def test_two_that_open_a_new_database_at_once_both_get_one(tmp_path):
    opened = await asyncio.gather(*(open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}") for _ in range(4)))
    assert await opened[0].spend("token", "one", NOW + 10, NOW)
    assert not await opened[3].spend("token", "one", NOW + 10, NOW)
    for each in opened:
        await each.close()


async def test_a_step_forward_is_said(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        await (await open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")).close()
        assert [record.getMessage() for record in caplog.records] == [FORWARD]
        caplog.clear()
        await (await open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")).close()
        assert caplog.records == []


async def test_a_file_of_a_newer_gateway_is_left_alone(tmp_path):
    path = tmp_path / "newer.db"
    await (await open_ledger(f"sqlite+aiosqlite:///{path}")).close()
    with sqlite3.connect(path) as file:
        file.execute("INSERT INTO phigate_version VALUES (?)", (len(STEPS) + 1,))
    file.close()
    with pytest.raises(LedgerFault, match="use a newer gateway"):
        await open_ledger(f"sqlite+aiosqlite:///{path}")


async def test_the_file_is_its_owners_alone(tmp_path):
    path = tmp_path / "made" / "ledger.db"
    await (await open_ledger(f"sqlite+aiosqlite:///{path}")).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0


WRONG = [
    ("another database", "mysql://root:Quartermaine@127.0.0.1/x", "must be"),
    ("a driver that waits", "postgresql://root:Quartermaine@127.0.0.1/x", "must be"),
    ("no URL", "Quartermaine", "must be"),
    ("memory", "sqlite+aiosqlite://", "in memory"),
    ("nobody there", f"postgresql+asyncpg://root:Quartermaine@127.0.0.1:{free_port()}/x", "cannot be reached"),
    ("a folder that cannot be made", "sqlite+aiosqlite:////proc/none/ledger.db", "no such file"),
]


@pytest.mark.parametrize(("sentence", "wrong", "said"), WRONG, ids=[case[0] for case in WRONG])
async def test_what_is_no_ledger_is_a_fault_without_a_password(sentence, wrong, said):
    with pytest.raises(LedgerFault, match=said) as raised:
        await open_ledger(wrong)
    assert "Quartermaine" not in str(raised.value)


async def test_a_file_of_something_else_is_a_fault(tmp_path):
    path = tmp_path / "notes.db"
    path.write_bytes(b"these are notes and no database" * 50)
    path.chmod(0o600)
    with pytest.raises(LedgerFault, match="file of another kind"):
        await open_ledger(f"sqlite+aiosqlite:///{path}")
    assert path.read_bytes().startswith(b"these are notes")


async def test_nothing_of_a_bearer_stands_in_the_database(tmp_path):
    ledger = await open_ledger(f"sqlite+aiosqlite:///{tmp_path / 'ledger.db'}")
    await ledger.spend("dpop", "Quartermaine", NOW + 10, NOW)
    await ledger.close()
    assert not [path for path in tmp_path.iterdir() if b"Quartermaine" in path.read_bytes()]


async def test_a_file_that_somebody_holds_is_down_in_time(tmp_path):
    path = tmp_path / "ledger.db"
    ledger = await open_ledger(f"sqlite+aiosqlite:///{path}")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    start = time.monotonic()
    with pytest.raises(LedgerDown):
        await ledger.spend("token", "one", NOW + 10, NOW)
    assert time.monotonic() - start < SECONDS + 1
    holder.execute("ROLLBACK")
    holder.close()
    assert await ledger.spend("token", "one", NOW + 10, NOW)
    await ledger.close()


async def test_a_server_that_went_away_is_down_in_time_and_used_again_once_it_is_back(postgres_server, postgres_url):
    ledger = await open_ledger(postgres_url)
    number = await ledger.revoke(out("durable"))
    postgres_server.stop()
    start = time.monotonic()
    with pytest.raises(LedgerDown):
        await ledger.revocations(0, NOW)
    assert time.monotonic() - start < SECONDS + 1
    postgres_server.start()
    assert [each.subject for each in await ledger.revocations(number - 1, NOW)] == ["durable"]
    await ledger.close()
