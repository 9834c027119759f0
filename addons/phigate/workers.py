"""Work spread over processes: in order, in bounded memory, and gone when the caller is.

A worker makes its own tools from `build`, which therefore is a function of the module level or a partial of one. Where
processes can be forked they share what the caller has built already: a roster of 100,000 is in memory once.
"""

from __future__ import annotations

import signal
import sys
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

AHEAD = 3
"""Batches under way or waiting, for each worker."""

_tools: dict[object, Callable[[Any], Any]] = {}
"""What this process has built, by how."""


def in_order[B, R](batches: Iterable[B], build: Callable[[], Callable[[B], R]], workers: int = 1) -> Iterator[R]:
    """The results of the batches, in their order; one worker is this process itself."""
    work = _built(build)
    if workers < 2:
        yield from map(work, batches)
        return
    context = get_context("fork" if sys.platform == "linux" else "spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(build,))
    waiting: deque[Future[Any]] = deque()
    try:
        for batch in batches:
            waiting.append(pool.submit(_run, batch))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        _tools.clear()


def _built[B, R](build: Callable[[], Callable[[B], R]]) -> Callable[[B], R]:
    _tools.clear()
    _tools[None] = build()
    return cast("Callable[[B], R]", _tools[None])


def _begin(build: Callable[[], Callable[[Any], Any]]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the caller ends its workers
    if None not in _tools:
        _built(build)


def _run(batch: Any) -> Any:
    return _tools[None](batch)
