from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from phigate.identity import keys
from phigate.identity.jwks import KeySet
from phigate.identity.keys import FRESH, STALE, UNKNOWN_KID, Keys
from phigate.identity.outcome import Unavailable
from tests.identity.forge import Rule, jwk_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URL = "https://idp.example/jwks"
ISSUER = "https://idp.example"


class World:
    """One issuer's key address and the time, both as a test wants them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.published = [jwk_of("ES256")]
        self.status = 200
        self.asked = 0
        self.slow = asyncio.Event()
        self.slow.set()
        self.rule = Rule(issuer=ISSUER, keys=URL)
        self.keys = Keys((self.rule,), Path(), client=self.client, clock=lambda: self.now, chance=lambda: 0.5)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self.answer))

    async def answer(self, _: httpx.Request) -> httpx.Response:
        self.asked += 1
        body, status = json.dumps({"keys": self.published}).encode(), self.status
        await self.slow.wait()
        return httpx.Response(status, stream=httpx.ByteStream(body))

    async def get(self, kid: str | None = "ES256") -> KeySet | Unavailable:
        return await self.keys.keyset(ISSUER, kid)

    def state(self) -> tuple[str, str | None]:
        (status,) = self.keys.status()
        return status.state, status.fault


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    made.slow.set()
    await made.keys.close()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def kids(keys: KeySet | Unavailable) -> list[str | None]:
    assert isinstance(keys, KeySet)
    return [key.kid for key in keys.keys]


async def test_nothing_is_fetched_before_it_is_needed(world: World) -> None:
    assert (world.keys.current(), world.asked, world.state()) == ({}, 0, ("missing", None))


async def test_keys_are_fetched_once_and_serve_while_fresh(world: World) -> None:
    assert kids(await world.get()) == ["ES256"]
    world.now += FRESH * 0.7
    assert kids(await world.get()) == ["ES256"]
    assert list(world.keys.current()) == [ISSUER]
    assert (world.asked, world.state()) == (1, ("fresh", None))


async def test_all_who_wait_share_one_fetch(world: World) -> None:
    world.slow.clear()
    waiting = [asyncio.create_task(world.get(kid)) for kid in ("ES256", "a", "b", None) * 25]
    await settle()
    world.slow.set()
    assert all(isinstance(keys, KeySet) for keys in await asyncio.gather(*waiting))
    assert world.asked == 1


async def test_who_gives_up_waiting_does_not_end_the_fetch_for_the_others(world: World) -> None:
    world.slow.clear()
    first, second = asyncio.create_task(world.get()), asyncio.create_task(world.get())
    await settle()
    first.cancel()
    await settle()
    world.slow.set()
    assert kids(await second) == ["ES256"]
    assert first.cancelled()
    assert world.asked == 1


async def test_keys_are_fetched_again_behind_the_callers_back_after_eight_minutes(world: World) -> None:
    await world.get()
    world.now += FRESH * 0.79
    await world.keys.refresh_due()
    assert world.asked == 1
    world.now += FRESH * 0.02
    world.slow.clear()
    assert list(world.keys.current()) == [ISSUER]  # served at once, fetched meanwhile
    await settle()
    assert world.asked == 2
    world.slow.set()
    await world.keys.refresh_due()
    assert world.asked == 2


async def test_the_background_keeps_keys_fresh_until_cancelled(world: World) -> None:
    task = asyncio.create_task(world.keys.keep_fresh())
    await settle()
    assert world.state() == ("fresh", None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_in_the_background_no_issuer_waits_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, silent = [], asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        if request.url.host == "silent.example":
            await silent.wait()
        return httpx.Response(500, stream=httpx.ByteStream(b""))

    now = 1000.0
    rules = [Rule(issuer=f"https://{name}.example", keys=f"https://{name}.example/jwks") for name in ("silent", "down")]
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    monkeypatch.setattr(keys, "LOOK", 0.0)
    made = Keys(rules, Path(), client=lambda: client, clock=lambda: now)
    task = asyncio.create_task(made.keep_fresh())
    await settle()
    assert asked == ["silent.example", "down.example"]
    now += 2
    await settle()
    assert asked == ["silent.example", "down.example", "down.example"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await made.close()


async def test_out_of_date_keys_are_asked_for_before_they_serve(world: World) -> None:
    await world.get()
    world.published = [jwk_of("rsa")]
    world.now += FRESH
    assert world.keys.current() == {}
    assert kids(await world.get()) == ["rsa"]


async def test_an_unknown_kid_is_asked_for_once_and_then_every_thirty_seconds(world: World) -> None:
    await world.get()
    for number in range(10_000):
        await world.get(f"unknown-{number}")
    assert world.asked == 2
    world.now += UNKNOWN_KID - 1
    await world.get("unknown")
    assert world.asked == 2
    world.now += 1
    await asyncio.gather(*(world.get(f"unknown-{number}") for number in range(100)))
    assert world.asked == 3


async def test_a_new_kid_is_found_at_once(world: World) -> None:
    await world.get()
    world.published = [jwk_of("ES256"), jwk_of("rsa")]
    assert kids(await world.get("rsa")) == ["ES256", "rsa"]


async def test_a_key_that_is_gone_is_dead_at_once(world: World) -> None:
    first = await world.get()
    world.published = [jwk_of("rsa")]
    second = await world.get("rsa")
    assert isinstance(first, KeySet)
    assert kids(second) == ["rsa"]
    assert world.keys.generations[ISSUER] != first.generation


async def test_the_same_keys_are_the_same_generation(world: World) -> None:
    first = await world.get()
    world.now += FRESH
    world.published = [jwk_of("ES256", x5t="abc")]
    second = await world.get()
    assert isinstance(first, KeySet)
    assert isinstance(second, KeySet)
    assert world.asked == 2
    assert first.generation == second.generation == world.keys.generations[ISSUER]


async def test_an_issuer_that_withdraws_all_its_keys_has_none(world: World) -> None:
    await world.get()
    world.published = []
    assert isinstance(await world.get("new"), Unavailable)
    assert (world.keys.generations, world.keys.current(), world.state()) == ({}, {}, ("missing", None))


async def test_in_an_outage_the_last_keys_serve_for_a_day(world: World) -> None:
    await world.get()
    world.status = 503
    world.now += FRESH
    assert kids(await world.get()) == ["ES256"]
    assert world.state() == ("stale", "status-not-200")
    assert list(world.keys.current()) == [ISSUER]
    world.now += STALE - FRESH - 1
    assert list(world.keys.current()) == [ISSUER]
    world.now += 1
    assert world.keys.current() == {}
    assert isinstance(await world.get(), Unavailable)
    await world.keys.refresh_due()
    assert (world.keys.generations, world.state()) == ({}, ("missing", "status-not-200"))


async def test_the_end_of_an_outage_is_noticed(world: World) -> None:
    await world.get()
    world.status = 503
    world.now += FRESH
    await world.get()
    world.status = 200
    world.now += 60
    await world.keys.refresh_due()
    assert world.state() == ("fresh", None)


async def test_never_fetched_is_unavailable_and_asked_again_ever_more_slowly(world: World) -> None:
    world.status = 500
    waits = []
    for _ in range(7):
        outcome = await world.get()
        assert isinstance(outcome, Unavailable)
        waits.append(outcome.retry_after)
        again = await world.get()
        assert isinstance(again, Unavailable)
        world.now += outcome.retry_after
    assert waits == [2, 4, 8, 16, 30, 30, 30]
    assert world.asked == 7


async def test_a_surprise_while_fetching_reaches_nobody(world: World) -> None:
    async def broken(_: httpx.Request) -> httpx.Response:
        raise RuntimeError

    keys = Keys(
        (world.rule,),
        Path(),
        client=lambda: httpx.AsyncClient(transport=httpx.MockTransport(broken)),
        clock=lambda: 0.0,
    )
    assert isinstance(await keys.keyset(ISSUER, None), Unavailable)
    assert keys.status()[0].fault == "fetch-broke"
    await keys.close()


async def test_an_issuer_outside_the_policy_has_no_keys(world: World) -> None:
    assert isinstance(await world.keys.keyset("https://evil.example", "a"), Unavailable)
    assert world.asked == 0


async def test_a_changed_policy_keeps_the_keys_of_the_issuers_it_keeps(world: World) -> None:
    first = await world.get()
    world.keys.replace((Rule(issuer=ISSUER, keys=URL, audience=("other",)), Rule(issuer="https://new.example")), Path())
    assert isinstance(first, KeySet)
    assert world.keys.generations == {ISSUER: first.generation}
    world.keys.replace((Rule(issuer=ISSUER, keys="https://idp.example/other"),), Path())
    assert (world.keys.generations, world.keys.current()) == ({}, {})


async def test_keys_that_arrive_for_a_dropped_issuer_are_not_put_in_force(world: World) -> None:
    world.slow.clear()
    waiting = asyncio.create_task(world.get())
    await settle()
    world.keys.replace((), Path())
    world.slow.set()
    await waiting
    assert world.keys.generations == {}


async def test_generations_never_repeat(world: World) -> None:
    seen = set()
    for _ in range(3):
        await world.get()
        seen.add(world.keys.generations[ISSUER])
        world.keys.replace((), Path())
        world.keys.replace((world.rule,), Path())
    assert len(seen) == 3


async def test_what_was_dropped_is_told_to_the_operator(world: World) -> None:
    world.published = [jwk_of("ES256"), jwk_of("rsa-1024"), jwk_of("rsa", use="enc")]
    await world.get()
    (status,) = world.keys.status()
    assert (status.keys, status.dropped) == (1, {"weak": 1, "for-other-use": 1})


async def test_closing_ends_a_fetch_under_way(world: World) -> None:
    world.slow.clear()
    waiting = asyncio.create_task(world.get())
    await settle()
    await world.keys.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
