"""[I/O] The journal's folder: who may write it, a new file in it, whether the disk can be trusted, how much is left."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from phigate.journal import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

type Space = Literal["enough", "low", "scarce"]

_NEW = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_PROBE: Final = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
PROBE_SIZE: Final = 64 * 1024
SMALLEST: Final = 64 * 1024
"""Bytes of a file below which the journal would be heads and ends of files."""
_TIME: Final = "%Y%m%dT%H%M%SZ"
_SECOND: Final = timedelta(seconds=1)
_SIZE = re.compile(r"([0-9]{1,15})([kmgtKMGT]?)")


class JournalFault(Exception):  # noqa: N818 - a fault of the operator's folder, told in the operator's words
    """The journal cannot be opened as it stands; the message names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a file grows, and how much of the disk has to be free, in bytes."""

    size: int = 256 * 1024 * 1024
    """A file is closed, and the next one begun, once it is this large."""
    warn: int = 2 * 1024 * 1024 * 1024
    """Below it the gateway says that space is low."""
    stop: int = 256 * 1024 * 1024
    """Below it nothing new is let in; what is under way can still be recorded."""


def limits_of(size: str, warn: str, stop: str) -> Limits:
    """Limits as an operator writes them (`256m`); raises JournalFault, which begins with the option's name."""
    limits = Limits(*(_bytes(*each) for each in (("size", size), ("warn", warn), ("stop", stop))))
    if limits.size < SMALLEST:
        raise JournalFault(f"option `phi_journal_size`: at least {SMALLEST >> 10}k")
    if limits.stop > limits.warn:
        raise JournalFault("option `phi_journal_stop`: more than `phi_journal_warn`")
    return limits


def _bytes(name: str, text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise JournalFault(f"option `phi_journal_{name}`: `{text}` is no size such as `256m` or `2g`")
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[match[2].lower()]


def prepare(folder: Path) -> None:
    """Make the folder, for its owner alone; raises OSError, or JournalFault when others may look into it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private(folder)


def private(folder: Path) -> None:
    """See that nobody else may look into the folder; raises OSError, or JournalFault when others may."""
    if folder.stat().st_mode & 0o077:
        raise JournalFault(f"{folder}: others may look into this folder; `chmod 700` it, or name one of its own")


def locked(folder: Path, instance: str) -> int:
    """Take the instance for this process, as long as the descriptor is open; raises OSError and JournalFault."""
    lock = os.open(folder / f"{instance}.lock", _LOCK, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise JournalFault(
            f"{folder}: another process writes the journal of instance `{instance}`; stop it, or name this one apart"
        ) from None
    return lock


def name(instance: str, now: datetime, seq: int) -> str:
    """A file's name: whose, since when, and the number of its first record."""
    return f"{instance}-{now.astimezone(UTC):{_TIME}}-{seq}.jsonl"


def create(path: Path) -> int:
    """A new file that its owner alone may read, its name already on the disk; raises OSError.

    It is locked as long as it is open: nobody else writes behind it, compresses it or deletes it.
    """
    descriptor = os.open(path, _NEW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        sync_folder(path.parent)
    except BaseException:
        os.close(descriptor)
        with suppress(OSError):
            path.unlink()
        raise
    return descriptor


@contextmanager
def held(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep a file of the journal from being written, compressed or deleted by anybody else; raises OSError.

    BlockingIOError where somebody has it already, unless that may be waited for; FileNotFoundError where it is gone.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        if not os.path.samestat(os.fstat(descriptor), path.lstat()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        yield
    finally:
        os.close(descriptor)


def settle(folder: Path, names: Iterable[str], patience: float) -> None:
    """Put on the disk what an earlier process left on its way there: what follows it must not outlive it.

    Raises OSError, and JournalFault where another process has one of these files for longer than `patience` seconds.
    """
    end = time.monotonic() + patience
    for name_ in names:
        while True:
            try:
                with suppress(FileNotFoundError), held(folder / name_):  # else it is compressed, or in quarantine
                    _sync(folder / name_, os.O_RDONLY)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise JournalFault(f"{folder / name_}: another process writes this file; stop it") from None
                time.sleep(0.02)


def free_path(folder: Path, instance: str, now: datetime, seq: int) -> Path:
    """A name behind those that begin with the same record: an earlier one may have begun with one that never counted.

    Files are read in the order of their names, and the last one is what a start goes on from: a clock that was set
    back must not put this one first.
    """
    begun = [file.start for file in read.files(folder, instance) if file.seq == seq]
    with suppress(ValueError, OverflowError):  # none, or a name that is no time and none of ours
        now = max(now, datetime.strptime(max(begun), _TIME).replace(tzinfo=UTC) + _SECOND)
    while any((folder / (name(instance, now, seq) + end)).exists() for end in ("", ".zst")):
        now += _SECOND
    return folder / name(instance, now, seq)


def probe(folder: Path, instance: str) -> None:
    """Write a file, sync it, read it back and remove it; raises OSError where any of that fails."""
    path = folder / f".{instance}.probe"
    written = os.urandom(PROBE_SIZE)
    try:
        descriptor = os.open(path, _PROBE, 0o600)
        try:
            if os.write(descriptor, written) != len(written):
                raise OSError("a write was cut short")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if path.read_bytes() != written:
            raise OSError("another thing was read than written")
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
    sync_folder(folder)


def remove(folder: Path, names: Iterable[str]) -> list[str]:
    """Remove files of which no record counts; those that could not be.

    One that is not there is none of them, whatever the disk says: another file may get its name.
    """
    left = []
    for each in sorted(names):
        try:
            (folder / each).unlink(missing_ok=True)
        except OSError:
            if os.path.lexists(folder / each):
                left.append(each)
    return left


def free(folder: Path) -> int:
    """Bytes that may still be written to the folder's disk; raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def space(left: int, limits: Limits) -> Space:
    """What so many free bytes are."""
    if left < limits.stop:
        return "scarce"
    return "low" if left < limits.warn else "enough"


def sync_folder(folder: Path) -> None:
    """Put the folder's names on the disk; raises OSError."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
