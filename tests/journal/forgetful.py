"""A disk that forgets: what was not synced, in files and in folders, may be gone after a crash.

It stands between the journal and a real folder. Every call that changes something is one step; a test names the step
before which the machine stops. What the disk holds then is laid out in another folder, for the better or the worse:
names as they were last synced or as they were just then, and behind the synced bytes of each file some or none of
those that were only written, or zeros in their place.
"""

from __future__ import annotations

import errno
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phigate.journal.commit import GroupCommit

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@dataclass(frozen=True)
class Luck:
    """What becomes of what was not synced: names as they were just then, the share of bytes, zeros for the rest."""

    names: bool
    share: float
    zeros: bool = False


@dataclass
class Left:
    """What there was when the machine stopped: files by inode with their synced length, and the two sets of names."""

    contents: dict[int, bytes] = field(default_factory=dict)
    synced: dict[int, int] = field(default_factory=dict)
    names_synced: dict[str, int] = field(default_factory=dict)
    names_now: dict[str, int] = field(default_factory=dict)

    def lay_out(self, to: Path, luck: Luck) -> None:
        """Make the folder that the next start finds."""
        to.mkdir(mode=0o700)
        for name, inode in (self.names_now if luck.names else self.names_synced).items():
            if not name.endswith(".lock"):
                data, sure = self.contents[inode], self.synced.get(inode, 0)
                kept = sure + int((len(data) - sure) * luck.share)
                (to / name).write_bytes(data[:kept] + bytes((len(data) - kept) * luck.zeros))
                (to / name).chmod(0o600)


class Forgetful:
    """The steps so far; `left` once the machine has stopped."""

    def __init__(self, folder: Path, stop_at: int | None = None) -> None:
        self.folder, self.stop_at = folder, stop_at
        self.steps: list[str] = []
        self.break_sync = False
        """Let the next sync of a file fail."""
        self.left: Left | None = None
        self._turn = threading.RLock()
        self._synced: dict[int, int] = {}
        self._names: dict[str, int] = {}
        self._removed: dict[int, bytes] = {}
        self._held: list[int] = []

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Stand between the journal and the system."""
        self._open, self._write, self._unlink, self._rename = os.open, os.write, os.unlink, os.rename
        patch.setattr(os, "open", self.open)
        patch.setattr(os, "fsync", self.sync)
        patch.setattr(os, "rename", self.rename)
        patch.setattr(os, "unlink", self.unlink)
        defaults: Any = GroupCommit.__init__.__kwdefaults__
        patch.setitem(defaults, "write", self.write)
        patch.setitem(defaults, "sync", self.sync)

    def release(self) -> None:
        """Let go of the files that were removed."""
        for descriptor in self._held:
            os.close(descriptor)
        self._held.clear()

    def open(self, path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        if not (flags & os.O_CREAT and self._ours(path)):
            return self._open(path, flags, mode, **more)
        with self._step(f"create {Path(path).name}"):
            descriptor = self._open(path, flags, mode, **more)
            self._synced[os.fstat(descriptor).st_ino] = 0
            return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        with self._step("write"):
            return self._write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        with self._step("sync"):
            if self.break_sync:
                self.break_sync = False
                raise OSError(errno.EIO, "broken")
            stat = os.fstat(descriptor)
            if Path(f"/proc/self/fd/{descriptor}").is_dir():
                self._names = self._now()
            else:
                self._synced[stat.st_ino] = stat.st_size

    def rename(self, path: Any, to: Any, **more: Any) -> None:
        with self._step("rename"):
            self._rename(path, to, **more)

    def unlink(self, path: Any, **more: Any) -> None:
        with self._step("unlink"):
            held = self._open(path, os.O_RDONLY)  # so that no other file gets its inode
            self._held.append(held)
            self._removed[os.fstat(held).st_ino] = Path(path).read_bytes()
            self._unlink(path, **more)

    def _ours(self, path: Any) -> bool:
        return Path(path).parent == self.folder

    def _now(self) -> dict[str, int]:
        with os.scandir(self.folder) as found:
            return {entry.name: entry.inode() for entry in found if entry.is_file()}

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        with self._turn:
            if self.left is None:
                self.steps.append(name)
                if self.stop_at is not None and len(self.steps) > self.stop_at:
                    now = self._now()
                    here = {inode: (self.folder / name).read_bytes() for name, inode in now.items()}
                    self.left = Left({**self._removed, **here}, dict(self._synced), dict(self._names), now)
            if self.left is not None:
                raise OSError(errno.EIO, "the machine stopped")
            yield
