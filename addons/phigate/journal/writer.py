"""[I/O] The journal of one gateway instance: the only writer of its files.

- One file a start, never reopened; `<instance>.lock` is held as long as the journal is open.
- `append` settles number, link and line at once: the order of the calls is the order in the file.
- A journal that opened has proven that it can write: its `opened` record is on the disk.
- What earlier files left without an answer is recorded before anything new is.
- After a write error it is down for good (commit.py); a new start opens a new file.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from phigate import __version__
from phigate.journal import chain, life, read
from phigate.journal.commit import GroupCommit, JournalDown
from phigate.journal.recover import JournalFault, Legacy, legacy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

__all__ = ["Journal", "JournalDown", "JournalFault", "Receipt", "open_journal"]

PATIENCE: Final = 10.0
"""Seconds that start and stop give the disk."""

type Placed = Callable[[str, int], Mapping[str, Any]]

_INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NEW = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Receipt:
    """A record's number and its place on the way to the disk."""

    seq: int
    place: int
    commit: GroupCommit

    @property
    def done(self) -> bool:
        """Whether the record is on the disk; cheap, and false for good when the write failed."""
        return self.commit.kept >= self.place


class Journal:
    """Records of one instance, in order; made by `open_journal`."""

    def __init__(
        self, path: Path, instance: str, *, clock: Callable[[], datetime], commit: GroupCommit, lock: int, left: Legacy
    ) -> None:
        self.path: Final = path
        self.instance: Final = instance
        self._clock, self._commit, self._lock = clock, commit, lock
        self._seq, self._prev = left.seq + 1, left.last
        self._closed = False
        self._order = threading.Lock()

    @property
    def healthy(self) -> bool:
        return not self._closed and self._commit.fault is None

    @property
    def fault(self) -> str | None:
        """Why the journal is down, without any content; None while it is not."""
        return self._commit.fault

    def append(self, kind: chain.Kind, fields: Mapping[str, Any] | Placed) -> Receipt:
        """Queue one record; JournalDown when it cannot be kept, chain.Unrecordable when its fields are no line.

        Fields that depend on where the record stands are given as what makes them of its file's name and its number.
        """
        with self._order:
            if self._closed:
                raise JournalDown("the journal is closed")
            seq = self._seq
            fields = fields(self.path.name, seq) if callable(fields) else fields
            line = chain.line_of(
                seq=seq, prev=self._prev, now=self._clock(), instance=self.instance, kind=kind, fields=fields
            )
            self._commit.room_for(line)
            self._seq, self._prev = seq + 1, chain.digest(line)
            return Receipt(seq, self._commit.put(line), self._commit)

    async def durable(self, receipt: Receipt) -> None:
        """Return once the record is on the disk; JournalDown when it will never be."""
        await self._commit.durable(receipt.place)

    def wait(self, receipt: Receipt, timeout: float = PATIENCE) -> None:
        """Block until the record is on the disk, where no loop runs; JournalDown after `timeout` seconds."""
        if not receipt.done:
            self._commit.wait(receipt.place, timeout)

    def oldest_pending_seconds(self, now_monotonic: float) -> float:
        """Age of the oldest record not yet on the disk, by `time.monotonic`; 0.0 when there is none."""
        return self._commit.oldest_pending_seconds(now_monotonic)

    def inspect(self) -> None:
        """See that the file is still what was written; to be asked now and then."""
        if not self._closed:
            self._commit.inspect()

    def gather_for(self, crowd: Callable[[], int]) -> None:
        """Let commits serve several exchanges at once while `crowd` says that many are under way."""
        self._commit.crowd = crowd

    def close(self, reason: str) -> None:
        """Write `closed`, sync, end the thread and free the instance; a second call does nothing."""
        if self._closed:
            return
        with suppress(JournalDown):  # then the missing record says it
            self.append("closed", life.closed_record(reason))
        self._closed = True
        if self._commit.stop(PATIENCE):
            os.close(self._commit.descriptor)
            os.close(self._lock)


def open_journal(folder: Path, instance: str, clock: Callable[[], datetime], *, epoch: str | None = None) -> Journal:
    """Start the instance's next file, or say in a JournalFault what the operator must change.

    `epoch` is that of the key which identifiers are made with. Blocks: it waits for the disk, and reads what earlier
    files left unsettled.
    """
    if not _INSTANCE.fullmatch(instance):
        raise JournalFault("an instance's name is 1 to 64 letters, digits, `.`, `_` and `-`, the first no sign")
    try:
        _prepare(folder)
        lock = _locked(folder, instance)
        try:
            return _opened(folder, instance, clock, lock, epoch)
        except BaseException:
            os.close(lock)
            raise
    except OSError as fault:
        raise JournalFault(f"{folder}: {fault.strerror}") from None
    except JournalDown as fault:
        raise JournalFault(f"{folder}: {fault}") from None


def _prepare(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o077:
        raise JournalFault(f"{folder}: others may look into this folder; `chmod 700` it, or name one of its own")


def _locked(folder: Path, instance: str) -> int:
    lock = os.open(folder / f"{instance}.lock", _LOCK, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise JournalFault(f"{folder}: another process writes the journal of instance `{instance}`") from None
    return lock


def _opened(folder: Path, instance: str, clock: Callable[[], datetime], lock: int, epoch: str | None) -> Journal:
    left = legacy(read.files(folder, instance))
    path = folder / f"{instance}-{clock().astimezone(UTC):%Y%m%dT%H%M%SZ}-{left.seq + 1}.jsonl"
    descriptor = os.open(path, _NEW, 0o600)
    commit = GroupCommit(descriptor)
    journal = Journal(path, instance, clock=clock, commit=commit, lock=lock, left=left)
    try:
        _begin(journal, left, epoch)
        _sync_folder(folder)
    except BaseException:
        if commit.stop(PATIENCE):
            os.close(descriptor)
        raise
    return journal


def _begin(journal: Journal, left: Legacy, epoch: str | None) -> None:
    opened = life.opened_record(__version__, journal.path.name, left.file, left.last, epoch)
    journal.wait(journal.append("opened", opened))
    for exchange, file in left.open.items():
        journal.append("recovered", life.interrupted_record(exchange, file))
    if left.torn:
        journal.wait(journal.append("recovered", life.recovered_record(left.torn, len(left.open))))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
