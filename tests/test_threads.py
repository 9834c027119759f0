"""Large work in threads: everybody gets there, whoever else asks for how much."""

import asyncio
import contextlib
import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import phigate
from phigate.threads import ALL, EACH, Threads
from tests.policies import subject


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- threads tell no event of the loop's
            await asyncio.sleep(0.001)


@pytest.fixture
def threads():
    return Threads()


async def test_it_is_done_in_a_thread_and_what_comes_of_it_is_told(threads):
    assert await threads.run(subject(), threading.current_thread) is not threading.current_thread()
    with pytest.raises(ValueError, match="invalid literal"):
        await threads.run(None, int, "a")


@pytest.mark.parametrize("leaves", [False, True], ids=["who waits", "who leaves and comes back"])
async def test_one_person_keeps_nobody_waiting(threads, leaves):
    go, begun = threading.Event(), []

    def long():
        begun.append(True)
        go.wait(20)

    asked = [asyncio.ensure_future(threads.run(subject(), long)) for _ in range(20)]
    try:
        await until(lambda: len(begun) == EACH)
        if leaves:
            for each in asked:
                each.cancel()
            asked += [asyncio.ensure_future(threads.run(subject(), long)) for _ in range(20)]
        async with asyncio.timeout(10):
            assert await threads.run(None, len, "abc") == 3
        assert len(begun) == EACH
    finally:
        go.set()
    for each in asked:
        with contextlib.suppress(asyncio.CancelledError):
            await each


async def test_where_no_thread_can_be_made_it_is_said_and_later_ones_go_on(threads, monkeypatch):
    def short(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", short)
        for _ in range(2 * ALL):
            with pytest.raises(RuntimeError, match="new thread"):
                await threads.run(subject(), len, "")
    async with asyncio.timeout(10):
        assert await threads.run(subject(), len, "abc") == 3


async def test_those_that_are_there_do_all_of_it(threads, monkeypatch):
    threads.begin()
    monkeypatch.setattr(threading, "Thread", None)
    assert await asyncio.gather(*(threads.run(subject(), len, "abc") for _ in range(20))) == [3] * 20


async def test_the_loop_is_told_again_where_there_was_no_memory(threads, monkeypatch):
    loop, tried = asyncio.get_running_loop(), []
    tell = loop.call_soon_threadsafe

    def short(*what):
        tried.append(what)
        if len(tried) < 3:
            raise MemoryError
        return tell(*what)

    monkeypatch.setattr(loop, "call_soon_threadsafe", short)
    assert await threads.run(subject(), len, "abc") == 3
    assert len(tried) == 3


def test_threads_go_with_what_they_worked_for():
    before = set(threading.enumerate())
    threads = Threads()
    threads.begin()
    made = set(threading.enumerate()) - before
    assert len(made) == ALL
    del threads
    gc.collect()
    for each in made:
        each.join(10)
        assert not each.is_alive()


async def test_nobody_is_remembered(threads):
    await threads.run(subject(), len, "")
    await asyncio.sleep(0)
    gc.collect()
    assert not threads._turns


ENDS = """
import asyncio, sys, time
sys.path.insert(0, {addons!r})
from phigate.threads import Threads

async def main():
    asyncio.ensure_future(Threads().run(None, time.sleep, 60))
    await asyncio.sleep(0.1)

asyncio.run(main())
"""


def test_a_process_that_ends_waits_for_no_work():
    addons = str(Path(phigate.__file__).parents[1])
    subprocess.run([sys.executable, "-c", ENDS.format(addons=addons)], check=True, timeout=30)
