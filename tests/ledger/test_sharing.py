"""A gateway's part in what all count: who waits for whom, what is told, and what becomes of whoever left meanwhile."""

import asyncio

import pytest

from phigate.ledger import LedgerDown, sharing
from phigate.ledger.counting import KEEP, LEASE, Counted, Share
from phigate.ledger.sharing import AGAIN, MOST, Sharing
from phigate.policy.rates import TooMany

ADA, BEN = Share(b"ada", at_once=2), Share(b"ben", 60.0, 5, 2)
LATER = TooMany(at_once=False, wait=60.0)


class Book:
    """The ledger of one gateway: lets everybody in but for what `says` says, and knows the places it was told."""

    def __init__(self):
        self.batches, self.places, self.says, self.down, self.lapsed = [], {}, {}, None, False
        self.going = asyncio.Event()
        self.going.set()

    async def count(self, name, calls, places):
        assert name == "gw"
        self.batches.append(list(calls))
        await self.going.wait()
        await asyncio.sleep(0)
        if self.down:
            raise self.down
        self.places |= places
        answers = [self.says.get(call.shares) for call in calls]
        for call, answer in zip(calls, answers, strict=True):
            if answer is None and call.enters:
                for share in call.shares:
                    self.places[share] = self.places.get(share, 0) + 1
        return Counted(answers, self.lapsed)


class Lease:
    """The ledger's part that is about leases."""

    def __init__(self, *, kept=True):
        self.counting, self.kept, self.said = self, kept, []

    async def renew(self, name):
        self.said.append(("renew", name))
        return self.kept

    async def leave(self, name):
        self.said.append(("leave", name))


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def share(book, now):
    return Sharing("gw", book.count, lambda: now[0])


async def settled(share):
    while share._work is not None and not share._work.done():
        await share._work


async def test_who_enters_has_a_place_until_it_leaves_once(share, book):
    assert await share.enter("a", (ADA,)) is None
    assert await share.enter("b", (ADA, BEN)) is None
    assert (book.places, len(share)) == ({ADA: 2, BEN: 1}, 2)
    for name in ("b", "b", "never came"):
        share.leave(name)
    await settled(share)
    assert (book.places, len(share)) == ({ADA: 1, BEN: 0}, 1)


async def test_callers_at_once_are_one_batch_and_those_that_come_meanwhile_the_next(share, book):
    first = asyncio.create_task(share.enter("a", (ADA,)))
    await asyncio.sleep(0)
    await asyncio.gather(*(share.enter(f"b{at}", (BEN,)) for at in range(5)))
    assert await first is None
    assert [len(batch) for batch in book.batches] == [1, 5]
    await asyncio.gather(*(share.enter(f"c{at}", (BEN,)) for at in range(MOST + 5)))
    assert [len(batch) for batch in book.batches[2:]] == [MOST, 5]


async def test_of_messages_only_the_rate_is_asked(share, book):
    assert await share.say((ADA,)) is None
    assert book.batches == []
    assert await share.say((ADA, BEN)) is None
    ((call,),) = book.batches
    assert (call.shares, call.enters) == ((BEN,), False)
    assert len(share) == 0


async def test_a_message_gives_no_place_of_whoever_says_it_away(ledger):
    here, there = (Sharing(name, ledger.counting.count) for name in ("here", "there"))
    one = Share(b"ada", 60.0, 9, at_once=1)
    assert await here.enter("socket", (one,)) is None
    assert await here.say((one,)) is None
    assert await there.enter("another", (one,)) == TooMany(at_once=True, wait=1)
    here.leave("socket")
    await settled(here)
    assert await there.enter("another", (one,)) is None


async def test_who_was_told_to_wait_is_told_so_again_without_asking_but_not_for_long(share, book, now):
    book.says = {(BEN,): LATER}
    assert await share.enter("a", (BEN,)) == LATER
    now[0] += 4
    assert await share.enter("a", (BEN,)) == TooMany(at_once=False, wait=56.0)
    assert len(book.batches) == 1
    now[0] += AGAIN - 4
    assert await share.enter("a", (BEN,)) == LATER
    assert len(book.batches) == 2


async def test_who_is_too_many_at_once_is_asked_for_each_time(share, book):
    book.says = {(ADA,): TooMany(at_once=True, wait=1.0)}
    assert [(await share.enter(f"{at}", (ADA,))).at_once for at in range(3)] == [True] * 3
    assert len(book.batches) == 3


async def test_not_everybody_who_was_told_to_wait_is_remembered(share, book, now, monkeypatch):
    monkeypatch.setattr(sharing, "REMEMBERED", 3)
    many = [Share(b"%d" % at, 60.0, 1) for at in range(5)]
    book.says = {(each,): LATER for each in many}
    for each in many:
        await share.enter("x", (each,))
    assert len(share._told) == 3
    now[0] += AGAIN
    await share.enter("x", (many[3],))
    assert len(share._told) == 1


async def test_without_the_ledger_nobody_is_let_in_and_what_may_have_been_counted_is_put_right(share, book):
    assert await share.enter("a", (ADA,)) is None
    book.down, book.places = LedgerDown("gone"), {ADA: 2}  # it was written down all the same
    asking = [asyncio.create_task(share.enter(f"b{at}", (ADA,))) for at in range(3)]
    assert [type(each) for each in await asyncio.gather(*asking, return_exceptions=True)] == [LedgerDown] * 3
    share.leave("a")
    await settled(share)
    assert book.places == {ADA: 2}
    book.down = None
    share.tick()
    await settled(share)
    assert book.places == {ADA: 0}


async def test_whatever_breaks_nobody_waits_for_good(share, book):
    book.down = RuntimeError("x")
    with pytest.raises(LedgerDown):
        await share.enter("a", (ADA,))
    book.down = None
    assert await share.enter("a", (ADA,)) is None


async def test_a_ledger_that_never_answers_is_down(share, book, monkeypatch):
    monkeypatch.setattr(sharing, "SECONDS", 0.01)
    book.going.clear()
    with pytest.raises(LedgerDown):
        await share.enter("a", (ADA,))
    book.going.set()
    await settled(share)
    assert (book.places, len(share)) == ({ADA: 0}, 0)


@pytest.mark.parametrize("how", ["cancelled", "left", "left before it was asked"])
async def test_of_who_went_while_it_was_asked_for_no_place_is_kept(share, book, how):
    book.going.clear()
    other = asyncio.create_task(share.enter("other", (BEN,)))
    await asyncio.sleep(0)
    if how == "left before it was asked":
        asking = asyncio.create_task(share.enter("a", (ADA,)))
        await asyncio.sleep(0)
    else:
        book.going.set()
        await other
        book.going.clear()
        asking = asyncio.create_task(share.enter("a", (ADA,)))
        await asyncio.sleep(0.01)
    (asking.cancel if how == "cancelled" else lambda: share.leave("a"))()
    await asyncio.sleep(0)
    book.going.set()
    await asyncio.wait({asking}, timeout=1)
    assert asking.done()
    await other
    await settled(share)
    assert book.places.get(ADA, 0) == 0
    assert len(share) == 1


async def test_what_waits_for_a_yes_has_no_place_meanwhile(share, book):
    assert await share.enter("a", (ADA,)) is None
    for waits, places in ((True, 0), (True, 0), (False, 1), (False, 1), (True, 0)):
        share.aside("a", waits=waits)
        await settled(share)
        assert book.places == {ADA: places}
    share.leave("a")
    share.aside("a", waits=False)
    await settled(share)
    assert book.places == {ADA: 0}


async def test_all_places_are_told_again_once_they_were_free_and_now_and_then(share, book, now):
    assert await share.enter("a", (ADA,)) is None
    share.tick()
    await settled(share)
    for made in ("lapsed", "renewed too late", "a day"):
        book.places.clear()
        if made == "lapsed":
            book.lapsed = True
            await share.enter("b", (BEN,))
            share.leave("b")
            await settled(share)
            book.lapsed = False
        elif made == "renewed too late":
            now[0] += LEASE
            await share.renew(Lease(kept=False))
        else:
            now[0] += KEEP / 4 + 1
        share.tick()
        await settled(share)
        assert book.places[ADA] == 1, made


async def test_a_lease_is_renewed_in_time_and_given_back_in_the_end(share, now):
    lease = Lease()
    await share.renew(lease)
    await share.give_back(lease)
    assert lease.said == []
    assert await share.say((BEN,)) is None
    await share.renew(lease)
    assert lease.said == []
    assert await share.enter("a", (ADA,)) is None
    for seconds in (1, LEASE / 3, 1, LEASE / 3):
        now[0] += seconds
        await share.renew(lease)
    await share.give_back(lease)
    now[0] += LEASE
    await share.renew(lease)
    assert lease.said == [("renew", "gw"), ("renew", "gw"), ("leave", "gw")]


async def test_a_lease_that_could_not_be_renewed_is_tried_again_soon_but_not_with_each_look(share, now):
    class Down(Lease):
        async def renew(self, name):
            await super().renew(name)
            raise LedgerDown("read-only")

    assert await share.enter("a", (ADA,)) is None
    now[0] += LEASE / 3
    lease = Down()
    with pytest.raises(LedgerDown):
        await share.renew(lease)
    for _ in range(4):
        now[0] += 1
        await share.renew(lease)
    assert len(lease.said) == 1
    now[0] += 2
    with pytest.raises(LedgerDown):
        await share.renew(lease)
