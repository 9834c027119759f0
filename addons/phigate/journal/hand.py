"""A thread that is there before it is needed, and does one thing at a time.

One cannot be made where memory is short, and Python may then wait for ever for it to begin, in whatever asked for it.
"""

from __future__ import annotations

import logging
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING
from weakref import finalize

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

type _Queue = SimpleQueue[Callable[[], None] | None]


class Hand:
    """The thread; it ends once nobody holds this any more. One other thread gives it work."""

    def __init__(self, name: str) -> None:
        self._queue: _Queue = SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        threading.Thread(target=_work, args=(self._queue, self._idle), name=name, daemon=True).start()
        finalize(self, self._queue.put, None)

    @property
    def busy(self) -> bool:
        """Whether it is at work still."""
        return not self._idle.is_set()

    def give(self, work: Callable[[], None]) -> bool:
        """Have this done; False, and it is not, while it is busy."""
        if self.busy:
            return False
        self._idle.clear()
        try:
            self._queue.put(work)
        except BaseException:
            self._idle.set()
            raise
        return True

    def join(self, timeout: float) -> bool:
        """Wait until it is done, so many seconds at most; whether it is."""
        return self._idle.wait(timeout)


def _work(queue: _Queue, idle: threading.Event) -> None:
    while (do := queue.get()) is not None:
        try:
            do()
        except Exception as fault:  # noqa: BLE001 -- a thread that ends with a message of its own could say anything
            logger.error("the journal's work beside traffic failed (%s)", type(fault).__name__)
        finally:
            del do  # nothing of it is held while there is nothing to do
            idle.set()
