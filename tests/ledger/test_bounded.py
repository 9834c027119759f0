import asyncio
import gc
import time

import pytest

from phigate.ledger import bounded
from phigate.ledger.bounded import Bounds


async def test_what_is_done_in_time_is_returned():
    async def work():
        await asyncio.sleep(0)
        return 7

    assert await Bounds(cancels=True).wait(work()) == 7


async def test_what_is_raised_in_time_is_raised():
    async def work():
        await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await Bounds(cancels=True).wait(work())


async def test_work_that_ends_by_a_cancellation_of_its_own_does_not_cancel_the_caller():
    async def work():
        raise asyncio.CancelledError

    with pytest.raises(TimeoutError):
        await Bounds(cancels=True).wait(work())


class Stubborn:
    """Work that goes on after it is told to end, as often as it was made to."""

    def __init__(self, times):
        self.told, self.times, self.over = 0, times, asyncio.Event()

    async def work(self):
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.told += 1
                if self.told > self.times:
                    self.over.set()
                    raise


@pytest.mark.parametrize("times", [0, 1, 3])
async def test_nobody_waits_for_work_that_does_not_end(times, monkeypatch):
    monkeypatch.setattr(bounded, "_AGAIN", 0.02)
    stubborn, bounds, began = Stubborn(times), Bounds(cancels=True), time.monotonic()
    with pytest.raises(TimeoutError):
        await bounds.wait(stubborn.work(), 0.05)
    assert time.monotonic() - began < 0.5
    await asyncio.wait_for(stubborn.over.wait(), 5)
    assert stubborn.told == times + 1


@pytest.mark.parametrize("cancels", [False, True])
async def test_a_caller_that_is_cancelled_leaves_at_once_and_its_work_goes_on(cancels):
    going, done = asyncio.Event(), asyncio.Event()

    async def work():
        await going.wait()
        done.set()

    caller = asyncio.create_task(Bounds(cancels=cancels).wait(work()))
    await asyncio.sleep(0.01)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(caller, 0.5)
    going.set()
    await asyncio.wait_for(done.wait(), 0.5)


async def test_the_work_of_a_caller_that_left_has_its_end_all_the_same(monkeypatch):
    monkeypatch.setattr(bounded, "_AGAIN", 0.02)
    stubborn, bounds = Stubborn(1), Bounds(cancels=True)
    caller = asyncio.create_task(bounds.wait(stubborn.work(), 0.05))
    await asyncio.sleep(0.01)
    caller.cancel()
    await asyncio.wait_for(stubborn.over.wait(), 5)
    assert stubborn.told == 2


async def test_work_that_ends_by_itself_is_not_told_to():
    going, done = asyncio.Event(), asyncio.Event()

    async def work():
        await going.wait()
        done.set()

    with pytest.raises(TimeoutError):
        await Bounds(cancels=False).wait(work(), 0.02)
    await asyncio.sleep(0.05)
    going.set()
    await asyncio.wait_for(done.wait(), 0.5)


@pytest.mark.parametrize("cancels", [False, True])
async def test_an_error_that_comes_too_late_is_nobody_s(cancels, caplog):
    async def work():
        try:
            await asyncio.sleep(0.1)
        finally:
            raise ZeroDivisionError

    bounds = Bounds(cancels=cancels)
    with pytest.raises(TimeoutError):
        await bounds.wait(work(), 0.02)
    await asyncio.sleep(0.15)
    gc.collect()
    assert bounds._under_way == set()
    assert caplog.records == []
