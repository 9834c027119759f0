"""[I/O] Checkpoints while the journal is written: the head of its tree, signed, beside the file that it ends in.

- Only what is on the disk is signed: a checkpoint never says more than a crash would leave.
- One is written every EVERY seconds if there are new records, one when a file is closed, one at the end.
- A checkpoint is appended whole or not at all; what could not be written is tried again with the next one, and said.
- Neither traffic nor the journal's own thread waits for it, but for the moment in which a file is closed.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from phigate.journal import chain
from phigate.journal.disk import sync_folder
from phigate.journal.hand import Hand
from phigate.journal.note import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from phigate.journal.head import Snapshot
    from phigate.journal.signer import Signer

logger = logging.getLogger(__name__)

EVERY: Final = 10.0
"""Seconds between two checkpoints while there are new records."""
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Checkpoints:
    """Signs and writes the heads of one instance's journal."""

    def __init__(
        self,
        folder: Path,
        signer: Signer,
        snapshot: Callable[[], Snapshot],
        clock: Callable[[], datetime],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.size = 0
        """How many records the last checkpoint covers."""
        self.fault: str | None = None
        """Why the last one could not be written; None when it was."""
        self.written: Callable[[Checkpoint, bytes], None] = lambda _checkpoint, _note: None
        """What is told of each one; must return at once."""
        self.quiet = 0
        """Records since the last one that are no news: those about checkpoints themselves."""
        self._folder, self._signer, self._snapshot, self._clock = folder, signer, snapshot, clock
        self._monotonic, self._last = monotonic, monotonic()
        self._one = threading.Lock()
        self._hand = Hand("checkpoint")

    def tick(self) -> None:
        """Write one in a thread of its own, when it is due; to be asked once a second, never raises."""
        now = self._monotonic()
        if now - self._last < EVERY or self._hand.busy:
            return
        head = self._snapshot()
        if head.size - self.size > self.quiet:
            self._last = now
            self._hand.give(partial(self.write, head))

    def write(self, head: Snapshot) -> None:
        """Sign this head and wait for the disk; never raises: what failed stands in `fault`."""
        with self._one:
            if head.size < self.size or not head.size:
                return
            checkpoint = self._checkpoint(head)
            signed = self._signer.sign(checkpoint.text())
            try:
                _append(self._folder / f"{head.file.removesuffix('.jsonl')}.checkpoints", signed)
            except OSError as fault:
                if self.fault is None:
                    logger.error("a checkpoint of the journal cannot be written, it is tried again")
                self.fault = errno.errorcode.get(fault.errno or 0, "unknown")
                return
            self.size, self.quiet, self.fault = head.size, 0, None
        self.written(checkpoint, signed)

    def _checkpoint(self, head: Snapshot) -> Checkpoint:
        told = (f"file {head.file}", f"last {head.last}", f"time {chain.stamp(self._clock())}")
        return Checkpoint(self._signer.vkey.name, head.size, head.tree.root(), told)

    def remarks(self) -> dict[str, str]:
        """What an operator should see to; empty when there is nothing."""
        return {} if self.fault is None else {"journal-checkpoints": f"cannot be written ({self.fault})"}


def _append(path: Path, signed: bytes) -> None:
    """Add one note to a file of them, on the disk when it returns; raises OSError, and then it is as it was."""
    new = not path.exists()
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        try:
            _write(descriptor, signed)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
    if new:
        sync_folder(path.parent)


def _write(descriptor: int, signed: bytes) -> None:
    if os.write(descriptor, signed) != len(signed):
        raise OSError(errno.ENOSPC, "a write was cut short")
    os.fsync(descriptor)
