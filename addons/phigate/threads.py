"""Large work beside the loop, a share of the threads for each: one person's bodies keep nobody else's waiting.

A body of megabytes takes a minute, and whoever comes behind it waits. A turn is over when its work is, also where
whoever waited for it is gone: who leaves and comes back at once has not become two. A process that ends waits for no
work: there is nobody left who could be told what comes of it.

The threads are there before they are needed. One cannot be made where memory is short, and Python may then wait for
ever for it to begin, in the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary, finalize

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.exchange import Subject

ALL: Final = 6
"""Threads; more would only take the interpreter from each other, and from the loop."""
EACH: Final = 2
"""Of these, that one person has at once."""
_AGAIN: Final = 0.05
"""Seconds until the loop is told again where there was no memory to tell it."""

type _Queue = SimpleQueue[Callable[[], None] | None]


class Hands:
    """So many threads of one loop, and work for them; whoever comes when all are at work waits."""

    def __init__(self, many: int, name: str) -> None:
        self._many, self._name = many, name
        self._turns = asyncio.Semaphore(many)
        self._queue: _Queue = SimpleQueue()
        self._there = 0
        finalize(self, _send_home, self._queue, many)

    def begin(self) -> None:
        """Have all of them there; raises RuntimeError where not even one can be made."""
        try:
            while self._there < self._many:
                threading.Thread(target=_work, args=(self._queue,), name=self._name, daemon=True).start()
                self._there += 1
        except RuntimeError:
            if not self._there:
                raise

    async def run[T](self, work: Callable[..., T], *arguments: object, over: Callable[[], None] = lambda: None) -> T:
        """What `work` returns or raises; `over` is called once, when it is done or when it will not be."""
        try:
            await self._turns.acquire()
        except asyncio.CancelledError:
            over()
            raise
        loop = asyncio.get_running_loop()
        told: asyncio.Future[T] = loop.create_future()

        def leave() -> None:
            self._turns.release()
            over()

        def end(tell: Callable[[Any], None], what: Any) -> None:
            leave()
            if not told.done():
                tell(what)

        def do() -> None:
            said: tuple[Callable[[Any], None], Any]
            try:
                said = told.set_result, work(*arguments)
            except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
                said = told.set_exception, error
            _tell(loop, end, *said)

        try:
            self.begin()
            self._queue.put(do)
        except BaseException:
            leave()
            raise
        return await told


class Threads:
    """Whose work is in threads, or waits for its turn."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()
        self._hands = Hands(ALL, "work")
        self.begin = self._hands.begin

    async def run[T](self, subject: Subject | None, work: Callable[..., T], *arguments: object) -> T:
        """What `work` returns or raises, once it is this person's turn."""
        who = (subject.issuer, subject.id) if subject else ("", "")
        turn = self._turns.get(who)
        if turn is None:
            turn = self._turns[who] = asyncio.Semaphore(EACH)
        await turn.acquire()
        return await self._hands.run(work, *arguments, over=turn.release)


def _work(queue: _Queue) -> None:
    while (do := queue.get()) is not None:
        do()
        del do  # nothing of it is held while there is nothing to do


def _send_home(queue: _Queue, many: int) -> None:
    for _ in range(many):
        queue.put(None)


def _tell(loop: asyncio.AbstractEventLoop, *what: Any) -> None:
    """Have the loop call this; a turn of which it never hears is never over."""
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        while True:
            try:
                loop.call_soon_threadsafe(*what)
            except MemoryError:
                time.sleep(_AGAIN)
            else:
                return
