"""What all gateways count together, in each database: requests in a time, places, and whose they are."""

import asyncio
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from phigate.ledger import LedgerDown, counting, open_ledger
from phigate.ledger.counting import LEASE, Call, Share
from phigate.ledger.tables import COUNTS
from phigate.policy.rates import TooMany
from tests.ledger.peers import execute

FULL = TooMany(at_once=True, wait=1)
HOUR = 3600.0


class Clock:
    """The database's clock, as a test wants it."""

    def __init__(self, ledger):
        self.now = 1_700_000_000.0
        self._ledgers = []
        self.of(ledger)

    def of(self, ledger):
        self._ledgers.append(ledger)
        self.set(self.now)

    def set(self, now):
        self.now = now
        for ledger in self._ledgers:
            ledger.counting._now = counting.cast(now, counting.Double)

    def later(self, seconds):
        self.set(self.now + seconds)


@pytest.fixture
async def two(ledger, ledger_url):
    other = await open_ledger(ledger_url)
    yield ledger, other
    await other.close()


@pytest.fixture
def clock(two):
    clock = Clock(two[0])
    clock.of(two[1])
    return clock


async def asked(ledger, *shares, by="gw-1", has=None, enters=True):
    """What one call comes to, from a gateway that has so many places."""
    counted = await ledger.counting.count(by, [Call(shares, enters=enters)], has or {})
    (answer,) = counted.answers
    return answer


async def test_requests_at_two_gateways_are_counted_together(two, clock):
    share = Share(b"ada", 60.0, 3)
    assert [await asked(two[at % 2], share) for at in range(3)] == [None] * 3
    clock.later(20)
    assert await asked(two[1], share) == TooMany(at_once=False, wait=pytest.approx(40, abs=1e-3))
    assert await asked(two[1], Share(b"ben", 60.0, 3)) is None
    clock.later(40)
    assert [await asked(two[at % 2], share) is None for at in range(4)] == [True] * 3 + [False]


async def test_a_request_that_one_limit_refuses_takes_nothing_of_the_others(two, clock):
    one, other = Share(b"b", 20.0, 1), Share(b"a", 1.0, 2, 1)
    assert await asked(two[0], other, enters=False) is None
    assert await asked(two[0], one) is None
    for _ in range(5):
        assert await asked(two[1], one, other) == TooMany(at_once=False, wait=pytest.approx(20, abs=1e-3))
    assert await asked(two[1], other) is None
    clock.later(20)
    assert await asked(two[1], one, other, by="gw-2") == FULL
    assert await asked(two[1], one) is None


async def test_places_are_counted_together_and_written_down_as_they_are(two, clock):
    share = Share(b"ada", at_once=3)
    assert await asked(two[0], share, by="gw-1") is None
    assert await asked(two[1], share, by="gw-2") is None
    assert await asked(two[0], share, by="gw-1", has={share: 1}) is None
    assert await asked(two[1], share, by="gw-2", has={share: 1}) == FULL
    assert await asked(two[1], share, by="gw-2", has={share: 1}, enters=False) is None
    assert await two[0].counting.count("gw-1", [], {share: 0, Share(b"new", at_once=1): 0}) is not None
    assert [await asked(two[1], share, by="gw-2", has={share: has}) for has in (1, 2, 3)] == [None, None, FULL]


async def test_the_places_of_a_gateway_that_is_gone_come_back(two, clock):
    share = Share(b"ada", at_once=1)
    assert await asked(two[0], share, by="gw-1") is None
    for _ in range(4):
        clock.later(LEASE / 3)
        assert await two[0].counting.renew("gw-1")
        assert await asked(two[1], share, by="gw-2") == FULL
    clock.later(LEASE - 1)
    assert await asked(two[1], share, by="gw-2") == FULL
    clock.later(1.001)
    assert await asked(two[1], share, by="gw-2") is None
    assert not await two[0].counting.renew("gw-1")
    await two[1].counting.leave("gw-2")
    assert await asked(two[0], share, by="gw-1") is None


async def test_who_comes_back_after_its_lease_is_told_so(two, clock):
    share = Share(b"ada", at_once=2)
    assert (await two[0].counting.count("gw-1", [Call((share,))], {share: 0})).lapsed
    assert not (await two[0].counting.count("gw-1", [Call((share,))], {share: 1})).lapsed
    clock.later(LEASE + 1)
    counted = await two[0].counting.count("gw-1", [Call((share,))], {share: 2})
    assert (counted.lapsed, counted.answers) == (True, [FULL])


async def test_a_clock_that_was_set_back_keeps_no_places_for_longer(two, clock):
    share = Share(b"ada", at_once=1)
    assert await asked(two[0], share, by="gone") is None
    clock.later(-HOUR)
    await two[1].counting.renew("gw-2")
    clock.later(LEASE + 0.001)
    assert await asked(two[1], share, by="gw-2") is None


async def test_what_is_over_is_dropped_and_nothing_else(two, clock, ledger_url):
    short, long, held = Share(b"a", 10.0, 1), Share(b"b", 2 * HOUR, 1), Share(b"c", at_once=1)
    for share in (short, long, held):
        assert await asked(two[0], share) is None
    clock.later(11)
    assert await two[1].sweep(0.0) == 1
    clock.later(HOUR + LEASE)
    assert await two[1].counting.sweep() == 1  # the lease
    (left,), (leases,) = execute(
        ledger_url, "SELECT count(*) FROM phigate_counts", "SELECT count(*) FROM phigate_leases"
    )
    assert (left[0], leases[0]) == (2, 0)
    assert await asked(two[0], long) == TooMany(at_once=False, wait=pytest.approx(HOUR - 11 - LEASE, abs=1e-3))
    clock.later(25 * HOUR)
    assert await two[0].counting.sweep() == 2


async def test_nobody_is_named_and_nothing_grows(two, clock, ledger_url):
    share = Share(b"ada", HOUR, 1_000_000)
    for _ in range(130):
        clock.later(31)
        assert await asked(two[0], share) is None
    (((size,),),) = execute(ledger_url, "SELECT max(length(requests)) FROM phigate_counts")
    assert size <= 61 * 20


async def test_what_nobody_wrote_is_no_count(two, clock, ledger_url):
    share = Share(b"ada", 60.0, 3, 3)
    for wrong in ("places = 'x'", "places = '[]'", "requests = 'x'"):
        assert await asked(two[0], share) is None
        execute(ledger_url, f"UPDATE phigate_counts SET {wrong}")
        with pytest.raises(LedgerDown):
            await asked(two[1], share)
        execute(ledger_url, "DELETE FROM phigate_counts")


async def test_by_its_own_clock_the_database_counts(two):
    share = Share(b"ada", 0.4, 2)
    began = time.monotonic()
    assert [await asked(two[at % 2], share) for at in range(2)] == [None] * 2
    while (found := await asked(two[0], share)) is not None:
        assert 0 < found.wait <= 0.4
        await asyncio.sleep(min(found.wait, 0.05))
    assert 0.38 < time.monotonic() - began < 5


ROUNDS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.001, 5.0, 9.999, 10.0, 10.001]),
        st.lists(st.tuples(st.integers(0, 1), st.sets(st.integers(0, 2), min_size=1)), max_size=4),
    ),
    max_size=8,
)


@given(ROUNDS, st.integers(1, 3))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_as_a_model_says_that_keeps_every_request(tmp_path_factory, rounds, most):
    """Two gateways, three limits of ten seconds, calls of some of them in batches."""

    async def play():
        place = tmp_path_factory.mktemp("model") / "ledger.db"
        url = f"sqlite+aiosqlite:///{place}"
        both = [await open_ledger(url), await open_ledger(url)]
        clock = Clock(both[0])
        clock.of(both[1])
        shares = [Share(b"%d" % at, 10.0, most) for at in range(3)]
        let_in = {share: [] for share in shares}
        for gap, batch in rounds:
            clock.later(gap)
            for at in (0, 1):
                calls = [Call(tuple(shares[one] for one in some)) for gateway, some in batch if gateway == at]
                answers = (await both[at].counting.count(f"gw-{at}", calls, {})).answers
                for call, answer in zip(calls, answers, strict=True):
                    room = all(sum(had + 10 > clock.now for had in let_in[share]) < most for share in call.shares)
                    assert (answer is None) == room
                    for share in call.shares if room else ():
                        let_in[share].append(clock.now)
        for each in both:
            await each.close()

    asyncio.run(play())


async def test_gateways_that_ask_at_once_wait_for_nobody_in_a_ring(two):
    """Many limits in many orders, and rows that are dropped meanwhile: nobody is told that the ledger is down."""
    shares = [Share(b"%02d" % at, 60.0, 20, 200) for at in range(8)]

    async def ask(at):
        some = [shares[(at * step + step) % 8] for step in range(1, 5)]
        await two[at % 2].counting.count(f"gw-{at % 2}", [Call(tuple(dict.fromkeys(some)))] * 2, {some[0]: 1})

    async def sweep():
        await two[0].counting.sweep()
        await two[1].counting.renew("gw-1")

    await asyncio.gather(*(ask(at) for at in range(24)), *(sweep() for _ in range(4)))
    answers = [await asked(two[0], share) for share in shares]
    assert len(answers) == 8


async def free(ledger, share):
    """Whether nobody holds a row."""
    row = select(COUNTS.c.digest).where(COUNTS.c.digest == share.digest).with_for_update(skip_locked=True)
    async with ledger._engines.stepping.begin() as connection:
        return (await connection.execute(row)).first() is not None


async def test_rows_are_locked_in_one_order_whatever_that_of_the_limits(postgres_url):
    ledger = await open_ledger(postgres_url)
    shares = [Share(b"%d" % at, 60.0, 9) for at in range(5)]
    assert await asked(ledger, *shares) is None
    third = select(COUNTS.c.digest).where(COUNTS.c.digest == shares[2].digest).with_for_update()
    for order in (shares, shares[::-1]):
        async with ledger._engines.stepping.begin() as connection:
            await connection.execute(third)
            asking = asyncio.create_task(asked(ledger, *order))
            while await free(ledger, shares[1]):
                assert not asking.done()
            assert [await free(ledger, share) for share in shares] == [False, False, False, True, True]
        assert await asking is None
    await ledger.close()
