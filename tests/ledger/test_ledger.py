import asyncio
import logging
import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from phigate.ledger import GatewayKey, LedgerDown, Revocation, open_ledger
from phigate.ledger import ledger as ledgers
from phigate.ledger.bounded import SECONDS
from phigate.ledger.ledger import SKEW
from tests.ledger import peers
from tests.ledger.peers import NOW, revocation

IN_TIME = SECONDS + 0.5
"""Seconds; the half is this machine's."""


def key(kid="kid", expires=NOW + 60, active_from=NOW):
    return GatewayKey(kid, "gw-1", {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}, active_from, expires)


# -- what may be used once ------------------------------------------------------------------------------------------


async def test_what_is_spent_is_spent_by_its_kind_and_key(ledger):
    assert await ledger.spend("token", "one", NOW + 60, NOW)
    assert not await ledger.spend("token", "one", NOW + 60, NOW)
    assert not await ledger.spend("token", "one", NOW + 90, NOW + 30)
    assert await ledger.spend("dpop", "one", NOW + 60, NOW)
    assert await ledger.spend("token", "two", NOW + 60, NOW)


async def test_odd_keys_are_keys(ledger):
    odd = ["", "a", "a\0b", "a\0c", "\ud800", "\udc80", "ä" * 5000, "'; DROP TABLE phigate_spent; --"]
    assert [await ledger.spend("token", each, NOW + 60, NOW) for each in odd] == [True] * len(odd)
    assert [await ledger.spend("token", each, NOW + 60, NOW) for each in odd] == [False] * len(odd)


@pytest.mark.parametrize("expires", [NOW, NOW - 1, float("-inf"), float("nan"), float("inf")])
async def test_what_is_over_or_never_is_cannot_be_spent(ledger, expires):
    assert not await ledger.spend("token", "one", expires, NOW)
    assert await ledger.spend("token", "one", NOW + 1, NOW)


async def test_of_many_at_once_one_wins_each_key(ledger, ledger_url):
    other = await open_ledger(ledger_url)
    callers = [(each, f"key-{number}") for number in range(50) for each in (ledger, other, ledger, other)]
    random.Random(7).shuffle(callers)
    outcomes = await asyncio.gather(*(each.spend("dpop", name, NOW + 60, NOW) for each, name in callers))
    winners = [name for (_, name), won in zip(callers, outcomes, strict=True) if won]
    await other.close()
    assert sorted(winners) == sorted({name for _, name in callers})


def test_of_two_processes_one_wins_each_of_a_thousand_keys(ledger_url):
    racers = [peers.start("spend", ledger_url, seed, 1000) for seed in ("one", "two")]
    with peers.together(*racers):
        first, second = (peers.outcome(racer) for racer in racers)
    assert sorted(first + second) == list(range(1000))
    assert min(len(first), len(second)) > 50


async def test_nothing_of_a_bearer_stands_in_the_database(sqlite_url, tmp_path):
    ledger = await open_ledger(sqlite_url)
    await ledger.spend("dpop", "Quartermaine", NOW + 60, NOW)
    found = [path for path in (tmp_path / "var").iterdir() if b"Quartermaine" in path.read_bytes()]
    await ledger.close()
    assert len(list((tmp_path / "var").iterdir())) > 0
    assert found == []


# -- who is out -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        revocation("ada"),
        revocation(None, "jti'; DROP TABLE phigate_revoked; --"),
        Revocation("", "", None, NOW + 0.123456, NOW + 9.5, "\u4e2d \U0001f600", "100%s :x $1 ?"),
    ],
    ids=["of a subject", "of one bearer", "with odd texts"],
)
async def test_a_revocation_comes_back_as_it_was_given(ledger, given):
    number = await ledger.revoke(given)
    assert await ledger.revocations(0, NOW) == [replace(given, number=number)]


async def test_a_number_is_the_ledger_s_to_give(ledger):
    assert [await ledger.revoke(replace(revocation(), number=99)) for _ in range(3)] == [1, 2, 3]


async def test_a_reader_gets_what_it_has_not_seen_and_what_is_not_over(ledger):
    for offset in (60, 10, 60, 60):
        await ledger.revoke(revocation(expires=NOW + offset))
    assert [each.number for each in await ledger.revocations(0, NOW)] == [1, 2, 3, 4]
    assert [each.number for each in await ledger.revocations(0, NOW + 10)] == [1, 3, 4]
    assert [each.number for each in await ledger.revocations(3, NOW)] == [4]
    assert await ledger.revocations(4, NOW) == []


def test_whoever_polls_misses_none_and_sees_them_in_order_however_many_write(ledger_url):
    count = 60  # all of it is over before the first who waits for SQLite's lock gives up
    writers = [peers.start("revoke", ledger_url, count) for _ in range(2)]

    async def poll():
        ledger, seen = await open_ledger(ledger_url), []
        while writers_run() or await ledger.revocations(max(seen, default=0), NOW):
            seen += [each.number for each in await ledger.revocations(max(seen, default=0), NOW)]
        await ledger.close()
        return seen

    def writers_run():
        return any(writer.poll() is None for writer in writers)

    with peers.together(*writers):
        seen = asyncio.run(poll())
        given = [number for writer in writers for number in peers.outcome(writer)]
    assert seen == list(range(1, 2 * count + 1))
    assert sorted(given) == seen


async def test_numbers_go_on_after_all_that_had_them_is_swept(ledger, ledger_url):
    for _ in range(3):
        await ledger.revoke(revocation(expires=NOW + 1))
    assert await ledger.sweep(NOW + SKEW + 1) == 3
    await ledger.close()
    again = await open_ledger(ledger_url)
    assert await again.revoke(revocation()) == 4
    await again.close()


# -- whose signature is ours ----------------------------------------------------------------------------------------


async def test_keys_are_known_until_they_are_over(ledger):
    for each in (key("b", NOW + 20, NOW + 5), key("a", NOW + 10)):
        await ledger.publish(each)
    assert await ledger.keys(NOW) == [key("a", NOW + 10), key("b", NOW + 20, NOW + 5)]
    assert await ledger.keys(NOW + 10) == [key("b", NOW + 20, NOW + 5)]
    assert await ledger.keys(NOW + 20) == []


async def test_a_key_that_is_published_again_lives_for_the_longer_time_and_is_otherwise_the_first(ledger):
    for expires in (NOW + 20, NOW + 30, NOW + 10):
        await ledger.publish(replace(key(expires=expires), instance=f"gw-{expires}", public={"kty": "OKP"}))
    assert await ledger.keys(NOW) == [replace(key(expires=NOW + 30), instance=f"gw-{NOW + 20}", public={"kty": "OKP"})]


async def test_those_who_publish_one_key_at_once_are_all_content(ledger, ledger_url):
    other = await open_ledger(ledger_url)
    await asyncio.gather(*(each.publish(key()) for each in (ledger, other) * 8))
    await other.close()
    assert await ledger.keys(NOW) == [key()]


# -- what is over ---------------------------------------------------------------------------------------------------


async def test_a_database_with_a_clock_of_its_own_tells_the_time(ledger, ledger_url):
    told = await ledger.clock()
    assert told is None if ledger_url.startswith("sqlite") else told == pytest.approx(time.time(), abs=2)


async def test_what_is_over_for_every_clock_is_swept_and_nothing_else(ledger):
    for offset in (10, 20):
        assert await ledger.spend("token", f"{offset}", NOW + offset, NOW)
        await ledger.revoke(revocation(expires=NOW + offset))
        await ledger.publish(key(f"{offset}", NOW + offset))
    assert await ledger.sweep(NOW + 10 + SKEW - 0.5) == 0
    assert await ledger.sweep(NOW + 10 + SKEW) == 3
    assert await ledger.sweep(NOW + 10 + SKEW) == 0
    assert not await ledger.spend("token", "20", NOW + 20, NOW)
    assert [each.number for each in await ledger.revocations(0, NOW)] == [2]
    assert [each.kid for each in await ledger.keys(NOW)] == ["20"]


async def test_much_is_swept_in_small_parts(ledger, monkeypatch):
    monkeypatch.setattr(ledgers, "_BATCH", 10)
    await asyncio.gather(*(ledger.spend("dpop", f"{number}", NOW + 1, NOW) for number in range(95)))
    assert await ledger.sweep(NOW + SKEW + 1) == 95


async def test_what_is_too_much_for_one_call_is_left_to_the_next(ledger, monkeypatch):
    monkeypatch.setattr(ledgers, "_BATCH", 10)
    monkeypatch.setattr(ledgers, "_SWEEPING", 0.0)
    await asyncio.gather(*(ledger.spend("dpop", f"{number}", NOW + 1, NOW) for number in range(25)))
    assert await ledger.sweep(NOW + SKEW + 1) == 0
    monkeypatch.setattr(ledgers, "_SWEEPING", 1.0)
    assert await ledger.sweep(NOW + SKEW + 1) == 25


async def test_those_who_sweep_at_once_drop_each_row_once(ledger, ledger_url, monkeypatch):
    monkeypatch.setattr(ledgers, "_BATCH", 10)
    other = await open_ledger(ledger_url)
    await asyncio.gather(*(ledger.spend("dpop", f"{number}", NOW + 1, NOW) for number in range(200)))
    dropped = await asyncio.gather(*(each.sweep(NOW + SKEW + 1) for each in (ledger, other) * 2))
    rest = await ledger.sweep(NOW + SKEW + 1)
    await other.close()
    assert sum(dropped) + rest == 200


# -- when it is down ------------------------------------------------------------------------------------------------

CALLS = {
    "spend": lambda ledger: ledger.spend("token", "other", NOW + 60, NOW),
    "revoke": lambda ledger: ledger.revoke(revocation()),
    "revocations": lambda ledger: ledger.revocations(0, NOW),
    "publish": lambda ledger: ledger.publish(key()),
    "keys": lambda ledger: ledger.keys(NOW),
    "sweep": lambda ledger: ledger.sweep(NOW),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


async def down_in_time(call, ledger):
    began = time.monotonic()
    with pytest.raises(LedgerDown) as down:
        await call(ledger)
    assert time.monotonic() - began < IN_TIME
    return str(down.value)


@each_call
async def test_tables_that_are_gone_are_down(call, ledger, ledger_url):
    tables = ("spent", "revoked", "keys", "counter")
    peers.execute(ledger_url, *(f"DROP TABLE phigate_{table}" for table in tables))
    assert (await down_in_time(call, ledger)).isidentifier()


async def test_a_key_that_somebody_spoilt_is_down(ledger, ledger_url):
    await ledger.publish(key())
    for public in ("no JSON", "[]", '{"kty":"OKP","d":"AAAA"}'):
        peers.execute(ledger_url, f"UPDATE phigate_keys SET public = '{public}'")
        await down_in_time(CALLS["keys"], ledger)


@each_call
async def test_after_its_end_it_is_down(call, ledger):
    await ledger.close()
    await ledger.close()
    assert await down_in_time(call, ledger) == "closed"


WRITES = {name: call for name, call in CALLS.items() if name in {"spend", "revoke", "publish"}}


@pytest.mark.parametrize("call", WRITES.values(), ids=WRITES)
async def test_a_database_that_somebody_holds_is_down_in_time_and_used_again_afterwards(call, ledger, ledger_url):
    holder = await open_ledger(ledger_url)
    async with holder._engines.stepping.begin() as connection:
        if holder._engines.postgresql:
            await connection.exec_driver_sql("LOCK TABLE phigate_spent, phigate_counter, phigate_keys")
        outcomes = await asyncio.gather(*(down_in_time(call, ledger) for _ in range(12)))
        assert len(outcomes) == 12
    assert await ledger.spend("token", "another", NOW + 60, NOW)
    await call(ledger)
    await holder.close()


async def test_a_caller_that_leaves_takes_no_connection_along(ledger):
    chance = random.Random(5)
    for turn in range(60):
        call = list(CALLS.values())[turn % len(CALLS)]
        caller = asyncio.create_task(call(ledger))
        await asyncio.sleep(chance.random() * 0.004)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
    assert await ledger.spend("token", "at last", NOW + 60, NOW)
    numbers = await asyncio.gather(*(ledger.revoke(revocation()) for _ in range(20)))
    seen = [each.number for each in await ledger.revocations(0, NOW)]
    assert seen == list(range(1, max(numbers) + 1))


async def test_a_server_that_restarted_is_used_again(own_server):
    ledger = await open_ledger(own_server.url())
    assert await ledger.spend("token", "key", NOW + 60, NOW)
    number = await ledger.revoke(revocation())
    with own_server.stopped():
        for call in CALLS.values():
            await down_in_time(call, ledger)
    assert not await ledger.spend("token", "key", NOW + 60, NOW)
    assert [each.number for each in await ledger.revocations(0, NOW)] == [number]
    with own_server.stopped():
        pass
    assert await ledger.revoke(revocation()) == number + 1
    await ledger.close()


async def test_a_server_that_stands_still_is_down_in_time_and_used_again_once_it_moves(own_server):
    ledger = await open_ledger(own_server.url())
    await asyncio.gather(*(ledger.revocations(0, NOW) for _ in range(8)))
    with own_server.frozen():
        calls = [call for call in CALLS.values() for _ in range(4)]
        await asyncio.gather(*(down_in_time(call, ledger) for call in calls))
        await down_in_time(CALLS["spend"], ledger)
    await asyncio.sleep(3)
    assert await ledger.spend("token", "key", NOW + 60, NOW)
    await asyncio.gather(*(ledger.revocations(0, NOW) for _ in range(16)))
    await ledger.close()


async def test_closing_does_not_wait_for_a_server_that_stands_still(own_server):
    ledger = await open_ledger(own_server.url())
    await asyncio.gather(*(ledger.revocations(0, NOW) for _ in range(8)))
    with own_server.frozen():
        began = time.monotonic()
        await ledger.close()
        assert time.monotonic() - began < IN_TIME


async def test_a_gateway_that_was_frozen_in_the_middle_stops_nobody_for_long(ledger_url, ledger):
    if not ledger._engines.postgresql:
        assert ledger_url.startswith("sqlite")  # there a lock ends with its process only
        return
    frozen = await open_ledger(ledger_url)
    connection = await frozen._engines.stepping.connect()
    await connection.begin()
    await connection.exec_driver_sql("UPDATE phigate_counter SET number = number")
    await down_in_time(CALLS["revoke"], ledger)
    await asyncio.sleep(3)
    assert await ledger.revoke(revocation()) == 1
    await connection.invalidate()
    await connection.close()
    await frozen.close()


# -- the process ----------------------------------------------------------------------------------------------------


def test_a_process_that_does_not_close_it_ends(ledger_url):
    leaver = peers.start("leave", ledger_url)
    with peers.together(leaver):
        done = peers.outcome(leaver)
    assert time.time() - done < 5


async def test_nothing_that_is_asked_is_logged(ledger, caplog):
    caplog.set_level(logging.DEBUG)
    await ledger.spend("token", "Quartermaine-1", NOW + 60, NOW)
    await ledger.revoke(revocation("Quartermaine-2"))
    await ledger.revocations(0, NOW)
    await ledger.publish(key("Quartermaine-3"))
    await ledger.keys(NOW)
    assert "Quartermaine" not in caplog.text
    assert not [record for record in caplog.records if Path(record.pathname).match("*aiosqlite*")]
