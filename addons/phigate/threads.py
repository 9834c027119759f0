"""Large work beside the loop, a share of the threads for each: one person's bodies keep nobody else's waiting.

A body of megabytes takes a minute, and whoever comes behind it waits. A turn is over when its work is, also where
whoever waited for it is gone: who leaves and comes back at once has not become two. A process that ends waits for no
work: there is nobody left who could be told what comes of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.exchange import Subject

ALL: Final = 6
"""Threads; more would only take the interpreter from each other, and from the loop."""
EACH: Final = 2
"""Of these, that one person has at once."""


class Threads:
    """Whose work is in threads, or waits for its turn."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()
        self._all = asyncio.Semaphore(ALL)

    async def run[T](self, subject: Subject | None, work: Callable[..., T], *arguments: object) -> T:
        """What `work` returns or raises, once it is this person's turn."""
        who = (subject.issuer, subject.id) if subject else ("", "")
        turn = self._turns.get(who)
        if turn is None:
            turn = self._turns[who] = asyncio.Semaphore(EACH)
        await turn.acquire()
        try:
            await self._all.acquire()
        except asyncio.CancelledError:
            turn.release()
            raise
        loop = asyncio.get_running_loop()
        told: asyncio.Future[T] = loop.create_future()

        def over(tell: Callable[[Any], None], what: Any) -> None:
            self._all.release()
            turn.release()
            if not told.done():
                tell(what)

        def do() -> None:
            said: tuple[Callable[[Any], None], Any]
            try:
                said = told.set_result, work(*arguments)
            except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
                said = told.set_exception, error
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(over, *said)

        threading.Thread(target=do, name="work", daemon=True).start()
        return await told
