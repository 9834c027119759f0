"""One-time codes in each database: kept as digests, and taken once."""

import asyncio
from dataclasses import replace

import pytest

from phigate.exchange import Subject
from phigate.ledger import LedgerDown, open_ledger
from phigate.ledger.codes import Code
from phigate.ledger.ledger import SKEW

NOW = 1_700_000_000.0
EVE = Subject(
    issuer="https://idp.example",
    id="eve \u00e9",
    groups=("privacy", "a b"),
    roles=frozenset(),
    expires=NOW + 300,
    jti="j-1",
    issued=NOW - 10.5,
    signed_by="https://console.example",
    family=(("https://idp.example", "j-0"),),
    context=(("commit", "4c1f"),),
)


def code(digest=b"\0" * 32, **changes):
    return replace(Code(digest, "t-1", EVE, NOW + 300), **changes)


async def test_a_code_comes_back_with_all_that_could_be_taken_back_and_no_roles(ledger):
    await ledger.codes.keep(code(subject=replace(EVE, roles=frozenset({"officer"}))))
    assert await ledger.codes.take(b"\0" * 32) == code()


async def test_a_code_is_taken_once(ledger):
    await ledger.codes.keep(code())
    assert await ledger.codes.take(b"\1" * 32) is None
    assert await ledger.codes.take(b"\0" * 32) is not None
    assert await ledger.codes.take(b"\0" * 32) is None


async def test_of_many_who_take_it_on_two_gateways_one_has_it(ledger, ledger_url):
    other = await open_ledger(ledger_url)
    for number in range(5):
        await ledger.codes.keep(code(bytes([number]) * 32, ticket=f"t-{number}"))
    takers = [each.codes.take(bytes([number]) * 32) for number in range(5) for each in (ledger, other) * 4]
    found = await asyncio.gather(*takers)
    await other.close()
    assert sorted(each.ticket for each in found if each) == [f"t-{number}" for number in range(5)]


async def test_only_the_newest_of_a_person_and_ticket_is_kept(ledger):
    await ledger.codes.keep(code(b"\1" * 32))
    for number, changes in enumerate([{}, {"ticket": "t-2"}, {"subject": replace(EVE, id="kai")}], 2):
        await ledger.codes.keep(code(bytes([number]) * 32, **changes))
    assert [await ledger.codes.take(bytes([number]) * 32) is not None for number in range(1, 5)] == [
        *(False, True, True, True),
    ]


async def test_what_is_over_is_swept(ledger):
    await ledger.codes.keep(code())
    assert await ledger.sweep(NOW + 300 + SKEW - 1) == 0
    assert await ledger.sweep(NOW + 300 + SKEW) == 1
    assert await ledger.codes.take(b"\0" * 32) is None


async def test_a_ledger_that_is_closed_gives_none(ledger):
    await ledger.close()
    with pytest.raises(LedgerDown):
        await ledger.codes.take(b"\0" * 32)
    with pytest.raises(LedgerDown):
        await ledger.codes.keep(code())
