"""[I/O] Waiting for a database no longer than SECONDS, whatever it and its driver do.

Work that takes longer is left alone, not waited for: the drivers' own cleaning up of a connection to a server that
stands still takes seconds, and in some versions does not end at all unless it is cancelled once more.
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
    """What is waited for, and what was left alone."""

    def __init__(self) -> None:
        self._left: set[asyncio.Task[None]] = set()

    async def wait[T](self, work: Coroutine[Any, Any, T], seconds: float = SECONDS) -> T:
        """Return what comes of the work or raise what it raises, TimeoutError where that takes too long."""
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({task}, timeout=seconds)
        finally:
            if not task.done():
                self._leave(task)
        if not task.done() or task.cancelled():
            raise TimeoutError
        return task.result()

    def _leave(self, task: asyncio.Task[Any]) -> None:
        left = asyncio.create_task(_until_over(task))
        self._left.add(left)
        left.add_done_callback(self._left.discard)


async def _until_over(task: asyncio.Task[Any]) -> None:
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_AGAIN)
    if not task.cancelled():
        task.exception()  # asked for, so that nobody complains that it was not
