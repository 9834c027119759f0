"""The ledger as a gateway follows it: by any clock, and where it can be read alone; nobody drops what others need."""

import time

import pytest

from phigate import agreement, metrics
from phigate.clock import Clock
from phigate.exchange import Subject
from phigate.ledger import LedgerDown, Revocation
from tests.stage import followed, kept

YEARS = 10 * 365 * 86_400.0


class Hands(Clock):
    """A house's clock, whose hand on the wall a test moves."""

    def __init__(self):
        self.put = 0.0
        super().__init__(lambda: time.time() + self.put)


@pytest.fixture
async def stepping(house, monkeypatch):
    """A house whose clock a test puts, and that sweeps the ledger at each look."""
    house.agreement.clock = Hands()
    house.ready = True
    monkeypatch.setattr(agreement, "SWEEP", -1.0)
    async with followed(house):
        yield house


async def test_while_the_ledger_is_not_open_nothing_can_be_asked_of_it(house):
    for _ in range(2):
        with pytest.raises(LedgerDown, match="is not open"):
            await house.agreement.spend("token", "once", time.time() + 60, time.time())
        with pytest.raises(LedgerDown, match="is not open"):
            await house.agreement.approvals.open_reviews()
        await house.agreement.look()
        assert await house.agreement.approvals.open_reviews() == []
        await house.agreement.close()


async def test_a_gateway_that_leaves_opens_no_ledger_any_more(house):
    house.leaving = True
    with pytest.raises(LedgerDown, match="is going away"):
        await house.agreement.look()
    assert house.agreement.ledger is None


@pytest.mark.parametrize("years", [YEARS, -YEARS])
async def test_a_step_is_on_record_counted_and_told(stepping, years):
    named = metrics.CLOCK_STEPS.labels("forward" if years > 0 else "back")
    before = named._value.get()
    stepping.agreement.clock.put = years
    stepping.agreement.look_at_clock()
    stepping.agreement.look_at_clock()
    await stepping.journal.durable(stepping.journal.append("notice", {}))
    (record,) = kept(stepping, "clock")
    assert record["step"] == pytest.approx(years, abs=1)
    assert named._value.get() - before == 1
    assert "clock" in {name for each in stepping.remarks for name in each()}


async def test_a_clock_that_is_put_forward_drops_and_forgets_nothing_that_others_need(stepping):
    now = time.time()
    gone = Revocation("https://idp.example", "ada", None, cut=now, expires=now + 3600, by="eve", reason="lost")
    await stepping.agreement.ledger.revoke(gone)
    assert await stepping.agreement.spend("token", "once", now + 3600, now)
    await stepping.agreement.look()
    ada = Subject("https://idp.example", "ada", (), frozenset(), now + 600, issued=now - 10)
    stepping.agreement.clock.put = YEARS
    for noticed in (False, True):
        await stepping.agreement.look()
        assert stepping.agreement.follow.revoked.covers(ada), noticed
        assert [each.subject for each in await stepping.agreement.ledger.revocations(0, now)] == ["ada"]
        assert not await stepping.agreement.spend("token", "once", now + 3600, now)
        stepping.agreement.look_at_clock()


@pytest.mark.parametrize("what", ["renew", "publish", "sweep"])
async def test_in_a_ledger_that_can_be_read_alone_who_is_out_is_looked_up_all_the_same(stepping, monkeypatch, what):
    tried = []

    async def down(*_):
        tried.append(what)
        raise LedgerDown("read-only")

    monkeypatch.setattr(stepping.agreement.keyring, "due", lambda *_: ["a key"] if what == "publish" else [])
    monkeypatch.setattr(
        stepping.agreement.ledger.counting if what == "renew" else stepping.agreement.ledger, what, down
    )
    stepping.agreement.sharing._renewal = 0.0
    gone = Revocation("https://idp.example", "ada", None, cut=time.time(), expires=time.time() + 60, by="e", reason="x")
    await stepping.agreement.ledger.revoke(gone)
    stepping.furnished = True
    await stepping.agreement.look()
    assert tried
    assert stepping.agreement.follow.current
    assert stepping.agreement.follow.revoked.covers(
        Subject("https://idp.example", "ada", (), frozenset(), time.time() + 60)
    )
    stepping.furnished = False
    stepping.agreement.sharing._renewal = 0.0
    with pytest.raises(LedgerDown):  # no start without what the others must know
        await stepping.agreement.look()


async def test_by_a_clock_that_is_astray_nobody_is_let_in_and_nothing_is_published(stepping, monkeypatch, caplog):
    there = time.time()
    told, published = [there], []

    async def clock():
        return told[-1]

    async def publish(key):
        published.append(key)

    monkeypatch.setattr(stepping.agreement.ledger, "clock", clock)
    monkeypatch.setattr(stepping.agreement.ledger, "publish", publish)
    await stepping.agreement.look()
    assert stepping.agreement.follow.current
    stepping.agreement.clock.put = YEARS
    for _ in range(2):
        await stepping.agreement.look()
        assert (stepping.agreement.follow.current, stepping.agreement.follow.why) == (False, "clock-astray")
    assert published == []
    assert [each.getMessage() for each in caplog.records if "apart" in each.getMessage()] == [
        f"the clock and the ledger's are {YEARS:.0f} s apart; no bearer is believed by it"
    ]
    stepping.agreement.clock.put = 0.0
    await stepping.agreement.look()
    assert stepping.agreement.follow.current
