from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from phigate.journal.commit import GATHER, STALL, GroupCommit, JournalDown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "lines", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    yield descriptor
    os.close(descriptor)


class Disk:
    """A disk whose sync waits until it is told, and which remembers what was synced when."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.entered = threading.Semaphore(0)
        self.written: list[bytes] = []
        self.syncs: list[int] = []
        self.fault: OSError | None = None

    def write(self, _descriptor: int, data: bytes) -> int:
        self.written.append(data)
        return len(data)

    def sync(self, _descriptor: int) -> None:
        self.entered.release()
        self.go.acquire()
        if self.fault is not None:
            raise self.fault
        self.syncs.append(len(self.written))


def give(commit: GroupCommit, *lines: bytes) -> int:
    place = 0
    for line in lines:
        commit.room_for(line)
        place = commit.put(line)
    return place


async def test_many_waiters_share_one_sync_and_the_order_stays() -> None:
    disk = Disk()
    commit = GroupCommit(-1, write=disk.write, sync=disk.sync)
    first = give(commit, b"0\n")
    await asyncio.to_thread(disk.entered.acquire)
    places = [give(commit, b"%d\n" % number) for number in range(1, 50)]
    waits = [asyncio.create_task(commit.durable(place)) for place in [first, *places]]
    await asyncio.sleep(0)
    disk.go.release(2)
    await asyncio.gather(*waits)
    assert disk.syncs == [1, 2]
    assert b"".join(disk.written) == b"".join(b"%d\n" % number for number in range(50))
    assert commit.stop(5)


async def test_nothing_is_kept_before_its_sync_returned() -> None:
    disk = Disk()
    commit = GroupCommit(-1, write=disk.write, sync=disk.sync)
    place = give(commit, b"line\n")
    waiting = asyncio.create_task(commit.durable(place))
    await asyncio.to_thread(disk.entered.acquire)
    assert commit.kept < place
    assert not waiting.done()
    assert commit.oldest_pending_seconds(time.monotonic() + 5) >= 5
    disk.go.release()
    await waiting
    assert commit.kept == place
    assert commit.oldest_pending_seconds(time.monotonic() + 5) == 0
    assert commit.stop(5)


async def test_a_waiter_that_left_disturbs_nobody() -> None:
    disk = Disk()
    commit = GroupCommit(-1, write=disk.write, sync=disk.sync)
    place = give(commit, b"line\n")
    left, stays = asyncio.create_task(commit.durable(place)), asyncio.create_task(commit.durable(place))
    await asyncio.sleep(0)
    left.cancel()
    disk.go.release()
    await stays
    assert left.cancelled() or left.cancelling()
    assert commit.stop(5)


def test_a_full_queue_refuses_and_takes_again_once_the_disk_moved() -> None:
    disk = Disk()
    commit = GroupCommit(-1, limit=10, write=disk.write, sync=disk.sync)
    place = give(commit, b"12345\n")
    with pytest.raises(JournalDown, match="full"):
        commit.room_for(b"12345\n")
    disk.go.release(2)
    commit.wait(place, 5)
    commit.wait(give(commit, b"12345\n"), 5)
    assert commit.stop(5)


def fails(code: int) -> Callable[[int, bytes], int]:
    def write(_descriptor: int, _data: bytes) -> int:
        raise OSError(code, "secret path")

    return write


def half(descriptor: int, data: bytes) -> int:
    return os.write(descriptor, data[: len(data) // 2])


def breaks(_descriptor: int) -> None:
    raise OSError(errno.EIO, "secret path")


@pytest.mark.parametrize(
    ("seam", "said"),
    [
        pytest.param({"write": fails(errno.ENOSPC)}, "ENOSPC", id="no space"),
        pytest.param({"write": fails(errno.EIO)}, "EIO", id="input/output error"),
        pytest.param({"write": half}, "cut short", id="a short write"),
        pytest.param({"sync": breaks}, "EIO", id="a failed sync"),
        pytest.param({"sync": lambda _descriptor: 1 // 0}, "ZeroDivisionError", id="our own bug in the thread"),
    ],
)
async def test_after_any_fault_nothing_is_kept_and_everyone_is_told(
    descriptor: int, seam: dict[str, Callable[..., int]], said: str
) -> None:
    commit = GroupCommit(descriptor, **seam)  # type: ignore[arg-type]  # a table of seams has no single type
    places = [give(commit, b"line\n")]
    outcomes = await asyncio.gather(*(commit.durable(place) for place in places), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [JournalDown]
    assert said in str(outcomes[0])
    assert "secret" not in str(outcomes[0])
    assert commit.kept == 0
    with pytest.raises(JournalDown):
        commit.room_for(b"line\n")
    with pytest.raises(JournalDown):
        await commit.durable(places[0])
    with pytest.raises(JournalDown):
        commit.wait(places[0], 5)
    assert commit.stop(5)


async def test_what_is_given_up_keeps_nothing_more(descriptor: int) -> None:
    commit = GroupCommit(descriptor)
    commit.wait(give(commit, b"line\n"), 5)
    commit.give_up("of our own will")
    commit.give_up("again")
    with pytest.raises(JournalDown, match="of our own will"):
        commit.room_for(b"line\n")
    assert commit.stop(5)


async def test_a_turn_stands_between_two_lines_whatever_the_pace(tmp_path: Path, descriptor: int) -> None:
    commit, done = GroupCommit(os.dup(descriptor)), threading.Event()
    second = tmp_path / "second"

    def make() -> int:
        return os.open(second, os.O_WRONLY | os.O_CREAT, 0o600)

    give(commit, b"1\n", b"2\n")
    commit.turn_to(make, done.set)
    await commit.durable(give(commit, b"3\n"))
    assert done.is_set()
    assert (tmp_path / "lines").read_bytes() == b"1\n2\n"
    assert second.read_bytes() == b"3\n"
    commit.inspect()
    assert commit.fault is None
    assert commit.stop(5)
    commit.close()
    commit.close()


async def test_a_next_file_that_cannot_be_made_confirms_what_is_before_it_only(descriptor: int) -> None:
    def make() -> int:
        raise OSError(errno.ENOSPC, "secret path")

    commit = GroupCommit(os.dup(descriptor))
    before = give(commit, b"1\n")
    commit.turn_to(make, lambda: None)
    after = give(commit, b"2\n")
    results = await asyncio.gather(commit.durable(before), commit.durable(after), return_exceptions=True)
    assert results[0] is None
    assert str(results[1]) == "the journal's next file cannot be made (ENOSPC)"
    commit.inspect()
    assert commit.stop(5)


async def test_a_disk_that_stalls_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk()
    commit = GroupCommit(-1, write=disk.write, sync=disk.sync)
    place = give(commit, b"1\n")
    monkeypatch.setattr("phigate.journal.commit.STALL", 0.01)
    await asyncio.sleep(0.02)
    with pytest.raises(JournalDown, match="in time"):
        commit.room_for(b"2\n")
    disk.go.release()
    commit.wait(place, 5)
    commit.room_for(b"2\n")
    assert commit.stop(5)


async def test_a_descriptor_that_failed_is_never_written_or_synced_again() -> None:
    disk = Disk()
    disk.fault = OSError(errno.EIO, "x")
    commit = GroupCommit(-1, write=disk.write, sync=disk.sync)
    first = give(commit, b"1\n")
    await asyncio.to_thread(disk.entered.acquire)
    second = give(commit, b"2\n")
    disk.go.release(5)
    for place in (first, second):
        with pytest.raises(JournalDown):
            await commit.durable(place)
    assert commit.stop(5)
    assert disk.written == [b"1\n"]


async def test_a_full_device_confirms_nothing() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    commit = GroupCommit(full)
    place = give(commit, b"line\n")
    with pytest.raises(JournalDown, match="ENOSPC"):
        await commit.durable(place)
    assert commit.stop(5)
    os.close(full)


def test_a_wait_on_a_disk_that_hangs_ends() -> None:
    disk = Disk()
    commit = GroupCommit(-1, write=disk.write, sync=disk.sync)
    place = give(commit, b"line\n")
    with pytest.raises(JournalDown, match="in time"):
        commit.wait(place, 0.05)
    assert not commit.stop(0.05)
    disk.go.release()
    assert commit.stop(5)


def test_waiters_of_a_closed_loop_are_no_trouble(descriptor: int) -> None:
    disk = Disk()
    commit = GroupCommit(descriptor, write=disk.write, sync=disk.sync)
    place = give(commit, b"1\n")

    async def leave() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(commit.durable(place), 0.01)

    asyncio.run(leave())
    disk.go.release(2)
    commit.wait(give(commit, b"2\n"), 5)
    assert commit.stop(5)


async def a_line_every_turn(commit: GroupCommit, disk: Disk, seconds: float = 0.0) -> list[bytes]:
    """What is written when four exchanges come to their record one turn of the loop after the other."""
    for number in range(4):
        place = give(commit, b"%d\n" % number)
        time.sleep(seconds)  # noqa: ASYNC251 -- the loop is busy with an answer
        await asyncio.sleep(0)
    disk.go.release(4)
    await commit.durable(place)
    assert commit.stop(5)
    return disk.written


async def test_in_a_crowd_those_who_are_ready_soon_share_a_batch() -> None:
    disk = Disk()
    commit = GroupCommit(-1, write=disk.write, sync=disk.sync)
    commit.crowd = lambda: 16
    assert await a_line_every_turn(commit, disk) == [b"0\n1\n2\n3\n"]


async def test_alone_nobody_waits_for_others() -> None:
    disk = Disk()
    commit = GroupCommit(-1, write=disk.write, sync=disk.sync)
    assert (await a_line_every_turn(commit, disk))[0] == b"0\n"


async def test_a_busy_loop_does_not_keep_a_crowds_lines_back() -> None:
    disk = Disk()
    commit = GroupCommit(-1, write=disk.write, sync=disk.sync)
    commit.crowd = lambda: 16
    assert (await a_line_every_turn(commit, disk, seconds=GATHER))[0] in {b"0\n", b"0\n1\n"}


async def test_whoever_waits_is_let_go_when_the_time_is_over_and_not_a_quarter_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def held(_descriptor: int) -> None:
        gate.wait(10)

    stalled = GroupCommit(os.open(tmp_path / "f", os.O_WRONLY | os.O_CREAT), sync=held)
    waiting = asyncio.create_task(stalled.durable(stalled.put(b"x\n")))
    await asyncio.sleep(0)
    assert stalled._stall is not None
    stalled._stall.cancel()
    setattr(stalled, "_stall", None)  # noqa: B010 - mypy would take it for None from here on
    monkeypatch.setattr(stalled, "oldest_pending_seconds", lambda _now: STALL * 0.9)
    stalled._watch()
    assert stalled._stall is not None
    assert stalled._stall.when() - asyncio.get_running_loop().time() <= STALL * 0.101
    gate.set()
    await waiting
    assert stalled.stop(5)
    stalled.close()
