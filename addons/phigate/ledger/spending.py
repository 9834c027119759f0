"""[I/O] Many who spend at once are one statement: while it is under way those who come wait for the next one.

A commit costs what a disk costs, whatever is in it: one at a time the callers of one gateway would wait for as many
of them as they are.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

type Key = tuple[str, bytes]
"""Kind and digest."""

_MOST: Final = 500
"""Keys in a statement: well below what the databases take."""


class Spending:
    """The callers of one gateway; `insert` adds rows (key: when it is over), and tells which were not there before."""

    def __init__(self, insert: Callable[[Mapping[Key, float]], Awaitable[set[Key]]]) -> None:
        self._insert = insert
        self._waiting: list[tuple[Key, float, asyncio.Future[bool]]] = []
        self._task: asyncio.Task[None] | None = None

    async def spend(self, key: Key, expires: float) -> bool:
        """Whether this caller was the first; raises what `insert` raises. Has no bound of its own."""
        outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, expires, outcome))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return await outcome

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            callers = [(key, expires, outcome) for key, expires, outcome in batch if not outcome.done()]
            # In one order everywhere: two gateways with the same keys would else wait for each other's. Of several
            # times of one key the latest stays.
            rows = dict(sorted((key, expires) for key, expires, _ in callers))
            try:
                first = await self._insert(rows)
            except Exception as error:  # noqa: BLE001 -- it is the callers' to see
                for _, _, outcome in callers:
                    if not outcome.done():
                        outcome.set_exception(error)
                continue
            for key, _, outcome in callers:
                if not outcome.done():
                    outcome.set_result(key in first)
                first.discard(key)
