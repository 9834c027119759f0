"""[I/O] Group commit: one thread writes what is queued, syncs once, then wakes whoever waits.

Lines reach the file in the order they were given. A line is kept only once `fdatasync` returned after it was written.
After the first fault (an OSError or a short write) the descriptor is never written or synced again: a failed sync may
have dropped pages that a second sync would then call clean. Nothing is kept from then on, and every wait ends with
JournalDown. The next file of a journal is made by the same thread, between two lines, so that order and pace stay.

Lines are gathered on the event loop and handed over as one batch: while the thread is inside a sync they pile up and
become the next one, and while many exchanges are under way a batch waits for TURNS turns of the loop, which are over at
once when nobody else has anything to do. Each handing over costs both threads the interpreter's lock several times,
which is dearer than the sync itself; an idle journal costs nothing.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUEUE_LIMIT = 64 * 1024 * 1024
"""Bytes that may wait for the disk before lines are refused."""

TURNS: Final = 6
"""Turns of the loop for which lines are gathered in a crowd: all who are ready have had theirs by then (measured)."""
GATHER: Final = 0.02
"""Seconds after which a batch is handed over whatever the loop has to do."""
CROWD: Final = 4
"""Exchanges under way that make a crowd; with fewer every line is handed over at once."""
STALL: Final = 4.0
"""Seconds that an exchange waits for the disk before it is refused; a stalled disk must not hold connections."""


class JournalDown(Exception):  # noqa: N818 - the name of the state that readiness and replies report
    """Nothing can be recorded now: the queue is full, the disk stalls, the journal is closed, or a write failed."""


@dataclass(frozen=True, slots=True)
class _Turn:
    """From here on the lines go to another file."""

    make: Callable[[], int]
    """Makes it, and sees that its name is on the disk; gives its descriptor."""
    done: Callable[[], None]
    """Called once it is made and the old one is closed."""
    path: Path | None


class GroupCommit:
    """Lines in, durable lines out; the waits belong to one thread, the writing to another, `put` to any, in turns."""

    def __init__(
        self,
        descriptor: int,
        path: Path | None = None,
        *,
        limit: int = QUEUE_LIMIT,
        crowd: Callable[[], int] = int,
        write: Callable[[int, bytes], int] = os.write,
        sync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        self.descriptor, self._path = descriptor, path
        """The file, and where it should be found."""
        self.fault: str | None = None
        self._limit, self._write, self._sync = limit, write, sync
        self._queue: SimpleQueue[list[bytes] | _Turn | threading.Event | None] = SimpleQueue()
        self._lines: list[bytes] = []
        self._handing = threading.Lock()
        self._file = threading.Lock()
        """Held while the descriptor is another one's."""
        self._due: asyncio.Handle | None = None
        self._due_at = 0.0
        self._stall: asyncio.TimerHandle | None = None
        self.crowd: Callable[[], int] = crowd
        """How many exchanges are under way; whoever knows sets it."""
        # Each counter has one writing thread, so that no lock is needed: given here, kept over there.
        self._given = self._given_bytes = self._batches = 0
        self.kept = self._kept_bytes = self._file_bytes = self._batches_done = 0
        self._pending: deque[tuple[int, float]] = deque()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def room_for(self, line: bytes) -> None:
        """Raise JournalDown unless `put` may take this line."""
        if self.fault is not None:
            raise JournalDown(self.fault)
        if self._given_bytes - self._kept_bytes + len(line) > self._limit:
            raise JournalDown("the journal's queue is full")
        if self._stalled():
            raise JournalDown("the disk did not answer in time")

    def _stalled(self) -> bool:
        try:  # the lock is left alone until there is something to ask
            late = time.monotonic() - self._pending[0][1] > STALL
        except IndexError:
            return False
        return late and self.oldest_pending_seconds(time.monotonic()) > STALL

    def put(self, line: bytes) -> int:
        """Queue one line after `room_for`; its place, to be compared with `kept`."""
        with self._handing:
            self._given += 1
            self._given_bytes += len(line)
            if self._pending and self._pending[0][0] <= self.kept:
                self._forget_kept()
            self._pending.append((self._given, time.monotonic()))
            self._lines.append(line)
        self._plan()
        return self._given

    def turn_to(self, make: Callable[[], int], done: Callable[[], None], path: Path | None = None) -> None:
        """Write the lines that are put from now on to the file at `path` that `make` gives; `done` when it is made."""
        self._hand_over(_Turn(make, done, path))

    def oldest_pending_seconds(self, now: float) -> float:
        """How long the oldest line that is not yet kept has waited; 0.0 when every line is kept."""
        with self._handing:
            self._forget_kept()
            return max(0.0, now - self._pending[0][1]) if self._pending else 0.0

    async def durable(self, place: int) -> None:
        """Return once the line at `place` is kept; JournalDown when it never will be."""
        if self.kept >= place:
            return
        self._at_home()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((place, future))
        # The thread sets its counters, then looks at the list; here it is the other way round: one sees the other.
        if self.kept >= place or self.fault is not None:
            self._release()
        self._plan()
        self._watch()
        await future

    def wait(self, place: int, timeout: float) -> None:  # no loop is needed here
        """The blocking twin of `durable`, for start, stop and the command line."""
        passed = threading.Event()
        self._hand_over()
        self._queue.put(passed)
        if self._thread.is_alive():
            passed.wait(timeout)
        if self.kept < place:
            raise JournalDown(self.fault or "the disk did not answer in time")

    def give_up(self, reason: str) -> None:
        """Keep nothing from now on: what was put may not be what should have been."""
        self.fault = self.fault or reason

    def stop(self, timeout: float) -> bool:
        """End the thread after all that is queued; False when the disk does not let go in time."""
        self._hand_over()
        self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Close the file, once the thread has ended."""
        if self.descriptor >= 0:
            with suppress(OSError):  # what it says belongs to lines that nobody was told of
                os.close(self.descriptor)
            self.descriptor = -1

    def _at_home(self) -> asyncio.AbstractEventLoop | None:
        """The loop that runs in this thread, if any; what was planned in one that is over is planned again."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        if loop is not self._loop:
            self._loop, self._due, self._stall = loop, None, None
        return loop

    def _plan(self) -> None:
        """See to it that what is gathered is handed over: now, soon, or when the thread is done with its batch."""
        loop = self._at_home()
        if loop is None:
            self._hand_over()
        elif not self._lines or self._batches != self._batches_done:
            return
        elif self._due is None:
            self._due_at = time.monotonic() + GATHER
            self._due = loop.call_soon(self._turn, loop, TURNS if self.crowd() >= CROWD else 1)
        elif time.monotonic() > self._due_at:  # the loop is too busy to come round to it
            self._due.cancel()
            self._hand_over()

    def _turn(self, loop: asyncio.AbstractEventLoop, left: int) -> None:
        """A turn of the loop is over; `left` counts this one."""
        if left > 1 and time.monotonic() < self._due_at:
            self._due = loop.call_soon(self._turn, loop, left - 1)
        else:
            self._hand_over()

    def _hand_over(self, turn: _Turn | None = None) -> None:
        with self._handing:
            self._due = None
            if self._lines:
                lines, self._lines = self._lines, []
                self._batches += 1
                self._queue.put(lines)
            if turn:
                self._queue.put(turn)

    def _forget_kept(self) -> None:
        while self._pending and self._pending[0][0] <= self.kept:
            self._pending.popleft()

    def inspect(self) -> None:
        """Notice a file that was removed, moved or cut behind our back: what is written to it nobody will find."""
        if self.fault is not None or not self._file.acquire(blocking=False):
            return
        try:
            stat = os.fstat(self.descriptor)
            if stat.st_nlink == 0 or stat.st_size < self._file_bytes:
                self.fault = "the journal's file was removed or cut"
            elif self._path is not None and not os.path.samestat(stat, self._path.lstat()):
                self.fault = "the journal's file is another one"
        except OSError as fault:
            self.fault = f"the journal's file is gone ({_named(fault)})"
        finally:
            self._file.release()
        if self.fault is not None:
            self._release()

    def _watch(self) -> None:
        """One timer for all who wait: a deadline each would cost as much as the waiting itself."""
        if self._stall is None and self._waiting and self._loop is not None:
            left = STALL - self.oldest_pending_seconds(time.monotonic())
            self._stall = self._loop.call_later(min(max(left, STALL / 100), STALL / 4), self._look)

    def _look(self) -> None:
        self._stall = None
        if self.oldest_pending_seconds(time.monotonic()) > STALL:
            waiting, self._waiting = self._waiting, []
            for _, future in waiting:
                if not future.done():
                    future.set_exception(JournalDown("the disk did not answer in time"))
        self._watch()

    def _release(self) -> None:
        kept, fault, waiting = self.kept, self.fault, self._waiting
        self._waiting = [(place, future) for place, future in waiting if place > kept and fault is None]
        for place, future in waiting:
            if future.done():
                continue
            if place <= kept:
                future.set_result(None)
            elif fault is not None:
                future.set_exception(JournalDown(fault))

    def _woken(self) -> None:
        """A batch is over (in the loop's thread)."""
        self._release()
        self._plan()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as fault:  # noqa: BLE001 - as in `_keep`: nobody would ever be woken again
            self.fault = self.fault or f"the journal's writer broke ({type(fault).__name__})"
            self._wake()

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            if isinstance(item, _Turn):
                if self.fault is None:
                    self._turn_over(item)
                continue
            if self.fault is None:
                self._keep(item)
            self._batches_done += 1
            self._wake()

    def _turn_over(self, turn: _Turn) -> None:
        """Every line before it is kept: a fault here is one of the lines behind it, which wake whoever waits."""
        with self._file:
            try:
                descriptor, self.descriptor = self.descriptor, -1
                os.close(descriptor)
                self.descriptor, self._path, self._file_bytes = turn.make(), turn.path, 0
            except OSError as fault:
                self.fault = f"the journal's next file cannot be made ({_named(fault)})"
                return
        turn.done()

    def _keep(self, lines: list[bytes]) -> None:
        try:
            data = lines[0] if len(lines) == 1 else b"".join(lines)
            if self._write(self.descriptor, data) != len(data):
                self.fault = "a write to the journal was cut short"
                return
            self._sync(self.descriptor)
        except OSError as fault:
            self.fault = f"a write to the journal failed ({_named(fault)})"
        except Exception as fault:  # noqa: BLE001 - a writer that died silently would leave every exchange waiting
            self.fault = f"the journal's writer broke ({type(fault).__name__})"
        else:
            self._kept_bytes += len(data)
            self._file_bytes += len(data)
            self.kept += len(lines)

    def _wake(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and its waiters with it
                self._loop.call_soon_threadsafe(self._woken)


def _named(fault: OSError) -> str:
    return errno.errorcode.get(fault.errno or 0, "unknown")
