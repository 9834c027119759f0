"""[I/O] Closed files are compressed beside the traffic: nothing of a file is removed before its copy was read back.

The copy is made under another name, synced, read back and compared, then given its name; only when the folder is
synced is the plain file removed. So after a crash at any point there is the plain file, or both, or the whole copy,
and doing it again is right in each case. A file that cannot be compressed stays as it is, and is tried again after
the next start.
"""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from zstandard import ZstdError

from phigate.journal import read, zst
from phigate.journal.disk import held, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PART: Final = ".part"
FIRST: Final = 4096
"""Plain bytes of the first frame: the first record says where a file stands, and is read by itself."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOWEST = 19
"""Of the priorities of a process (setpriority(2))."""


class CopyDiffers(Exception):  # noqa: N818 - what happened
    """What was read back from the disk is not what was written."""


def pack(path: Path) -> Path:
    """Compress one closed file, and remove it once its copy holds; its path afterwards.

    Raises OSError or CopyDiffers; then it is still there, or was gone before. BlockingIOError says that somebody else
    has it: who writes it, compresses it too, or deletes it.
    """
    with held(path):
        return _packed(path)


def _packed(path: Path) -> Path:
    copy = path.with_name(path.name + zst.SUFFIX)
    part = copy.with_name(copy.name + PART)
    part.unlink(missing_ok=True)
    try:
        _same(_write(path, part), _digest(part))
        part.rename(copy)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    path.unlink()
    sync_folder(path.parent)
    return copy


def _same(written: bytes, found: bytes) -> None:
    if written != found:
        raise CopyDiffers("a compressed file was not read back as it was written")


def _write(path: Path, part: Path) -> bytes:
    hashed = hashlib.sha256()

    def pieces() -> Iterator[bytes]:
        with path.open("rb", buffering=0) as file:
            size = FIRST
            while piece := file.read(size):
                hashed.update(piece)
                yield piece
                size = zst.FRAME

    with os.fdopen(os.open(part, _NEW, 0o600), "wb", buffering=0) as file:
        for frame in zst.packed(pieces()):
            if file.write(frame) != len(frame):
                raise OSError("a write was cut short")
        os.fsync(file.fileno())
    return hashed.digest()


def _digest(part: Path) -> bytes:
    hashed = hashlib.sha256()
    try:
        with zst.Plain(part.open("rb", buffering=0)) as plain:
            while piece := plain.read(zst.FRAME):
                hashed.update(piece)
    except zst.Damaged:
        return b""
    return hashed.digest()


class Packer:
    """A thread that compresses one file after the other and gives way to everything else."""

    def __init__(self) -> None:
        self.failed: str | None = None
        """Why the last file could not be compressed; None when it could."""
        self._queue: SimpleQueue[Path | None] = SimpleQueue()
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-pack", daemon=True)
        self._thread.start()

    def add(self, path: Path) -> None:
        """Compress this file in its turn; it is written no more."""
        self._queue.put(path)

    def add_left(self, folder: Path, instance: str, before: int) -> None:
        """Add what earlier runs left plain; from the record of number `before` on it is not over yet."""
        for file in read.files(folder, instance):
            if file.path.suffix != zst.SUFFIX and file.seq < before:
                self.add(file.path)

    def stop(self, timeout: float) -> bool:
        """End after the file at hand; False when that takes longer."""
        self._leaving.set()
        self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        with suppress(OSError, AttributeError):  # of this thread alone, where the system knows priorities of threads
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)
        while (path := self._queue.get()) is not None and not self._leaving.is_set():
            try:
                pack(path)
            except (FileNotFoundError, BlockingIOError):  # an operator's doing, or an earlier turn's
                continue
            except (OSError, CopyDiffers, ZstdError) as fault:
                self.failed = type(fault).__name__
            else:
                self.failed = None
