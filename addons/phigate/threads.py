"""Large work beside the loop, a share of the threads for each: one person's bodies keep nobody else's waiting.

The threads take what comes in order, and a body of megabytes takes a minute. A turn is over when its work is, also
where whoever waited for it is gone: who leaves and comes back at once has not become two.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.exchange import Subject

EACH: Final = 2
"""Of the threads, which are five at least, that one person has at once."""


class Threads:
    """Whose work is in threads, or waits for its turn."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()

    async def run[T](self, subject: Subject | None, work: Callable[..., T], *arguments: object) -> T:
        """What `work` returns or raises, once it is this person's turn."""
        who = (subject.issuer, subject.id) if subject else ("", "")
        turn = self._turns.get(who)
        if turn is None:
            turn = self._turns[who] = asyncio.Semaphore(EACH)
        await turn.acquire()
        doing = asyncio.ensure_future(asyncio.to_thread(work, *arguments))

        def over(done: asyncio.Future[T]) -> None:
            turn.release()
            if not done.cancelled():
                done.exception()  # it was looked at, if only here

        doing.add_done_callback(over)
        return await asyncio.shield(doing)
