"""[I/O] Waiting for a database no longer than SECONDS, whatever it and its driver do.

- A caller that leaves, or has waited long enough, does not disturb the driver in the middle of its work.
- Work that takes too long is told to end, and told so again until it does; but not work that ends by itself, as
  SQLite's does: the connection of whoever is told to end is lost.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine

SECONDS: Final = 3.0
"""How long anybody waits for the ledger."""
_AGAIN: Final = 1.0
"""Seconds until work that was told to end is told so again."""


class Bounds:
    """What is under way, whether somebody still waits for it or not."""

    def __init__(self, *, cancels: bool) -> None:
        self._cancels = cancels
        self._under_way: set[asyncio.Task[Any]] = set()

    async def wait[T](self, work: Coroutine[Any, Any, T], seconds: float = SECONDS) -> T:
        """Return what comes of the work or raise what it raises, TimeoutError where that takes too long."""
        loop = asyncio.get_running_loop()
        task, deadline = loop.create_task(work), loop.time() + seconds
        self._under_way.add(task)
        task.add_done_callback(self._over)
        try:
            await asyncio.wait({task}, timeout=seconds)
        finally:
            if self._cancels and not task.done():
                loop.call_at(deadline, self._end, task)
        if not task.done() or task.cancelled():
            raise TimeoutError
        return task.result()

    def _end(self, task: asyncio.Task[Any]) -> None:
        if not task.done():
            task.cancel()
            asyncio.get_running_loop().call_later(_AGAIN, self._end, task)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # asked for, so that nobody complains that it was not
