"""[I/O] Whoever reads the journal is on record, too: the command line's own file beside the gateway's.

Rules of this file:
- The command line is an instance of its own (`<host>.cli`) with a chain of its own; a day's looks stand in one file.
- A lock is held from reading where the chain stands until the record is on the disk: commands that run at once wait
  for each other, PATIENCE at most.
- Nothing that was found is in a record, and no identifier that was asked for in clear: `about` says what was looked at
  in ids, filters and keyed HMACs.
- A file whose end is torn is left as it is; the next one names how much of it was never a record.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import os
import re
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from phigate import __version__
from phigate.journal import chain, read
from phigate.journal.disk import free_path
from phigate.journal.head import Snapshot
from phigate.journal.tree import Range, parse_range
from phigate.terminal import err, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from phigate.journal.read import JournalFile

PATIENCE: Final = 10.0
"""Seconds that a command waits for others that write a look."""
LONGEST: Final = 64 * 1024
"""Bytes of a record: a reason is a sentence, not a file."""
_LOCK: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_GO_ON: Final = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Unrecorded(Exception):  # noqa: N818 - what the look is
    """The look is not on record; the message says why and where, nothing of what was looked at."""


def record(folder: Path, command: str, about: Mapping[str, Any], reason: str | None = None) -> None:
    """Write down that this command looks at `about`, and wait for the disk; raises Unrecorded.

    The record says who: the login name, its number and the host, as the operating system knows them.
    """
    write(folder, "look", {"command": command, "about": dict(about), "reason": reason, "by": who()})


def write(folder: Path, kind: chain.Kind, fields: Mapping[str, Any]) -> Snapshot | None:
    """Write one record of the command line, and wait for the disk; raises Unrecorded.

    What comes back is where its chain stands then, to be signed; None when its tree is not known.
    """
    try:
        with _locked(folder) as instance:
            return _write(folder, instance, kind, fields, datetime.now(UTC))
    except OSError as fault:
        raise Unrecorded(f"{folder}: {(fault.strerror or 'cannot be written').lower()}") from None
    except chain.Unrecordable:
        raise Unrecorded(f"{folder}: what is to be recorded is no record") from None


def note_or_say(folder: Path, command: str, about: Mapping[str, Any], reason: str | None = None) -> None:
    """The same for commands that go on without it: then standard error says that the look is not on record."""
    try:
        record(folder, command, about, reason)
    except Unrecorded as fault:
        say(f"this look is not on record: {fault}", err)


def instance() -> str:
    """The command line's name among the instances of a journal."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname()).lstrip("._-")[:48]
    return f"{host or 'phigate'}.cli"


def who() -> dict[str, Any]:
    """Whose command this is, as the operating system knows them."""
    try:
        login = getpass.getuser()
    except (OSError, KeyError):  # a number that no account has
        login = None
    return {"login": login, "uid": os.getuid(), "host": socket.gethostname()}


@contextmanager
def _locked(folder: Path) -> Iterator[str]:
    name = instance()
    lock = os.open(folder / f"{name}.lock", _LOCK, 0o600)
    try:
        _own(lock, folder)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise Unrecorded(f"{folder}: other commands have been writing for {PATIENCE:.0f} s") from None
                time.sleep(0.02)
        yield name
    finally:
        os.close(lock)


def _own(descriptor: int, folder: Path) -> None:
    """What root makes belongs to whom the folder does: the next look may be anybody's."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


@dataclass(slots=True)
class _Stand:
    """Where the chain stands at the end of a file."""

    file: str | None = None
    seq: int = -1
    last: str = chain.ZEROS
    kind: str = ""
    torn: int = 0
    tree: Range | None = field(default_factory=Range)


def _stand(path: Path) -> _Stand:
    """Read one file; raises Unrecorded on damage that is no torn end."""
    stand = _Stand()
    for item in read.entries(path):
        if isinstance(item, read.Entry):
            if item.line == 1:
                stand.tree = parse_range(item.record.get("tree"), item.record["seq"])
            stand.file, stand.seq, stand.kind = item.file, item.record["seq"], item.record["kind"]
            stand.last = chain.digest(item.raw)
            if stand.tree is not None:
                stand.tree.append(bytes.fromhex(stand.last))
        elif item.reason == "torn":
            stand.torn = item.size
        else:
            raise Unrecorded(f"{path}:{item.line}: {item.reason}; keep this file for an auditor elsewhere")
    return stand


def _write(folder: Path, name: str, kind: chain.Kind, fields: Mapping[str, Any], now: datetime) -> Snapshot | None:
    files = read.files(folder, name)
    stands = (stand for file in reversed(files) if (stand := _stand(file.path)).file is not None)
    stand = next(stands, _Stand())  # of a file without a whole line nothing ever counted
    lines = b""
    if files and _goes_on(files[-1], stand, now):
        start = files[-1].name
        descriptor = os.open(files[-1].path, _GO_ON)
    else:
        start = free_path(folder, name, now, stand.seq + 1).name
        lines += _line(stand, name, "opened", _opened(start, stand), now)
        descriptor = os.open(folder / start, _NEW, 0o600)
    try:
        _own(descriptor, folder)
        _append(descriptor, lines + _line(stand, name, kind, fields, now))
        if lines:
            _sync(folder)
    except OSError:
        if lines:
            (folder / start).unlink()
        raise
    finally:
        os.close(descriptor)
    return Snapshot(stand.seq + 1, stand.last, start, stand.tree) if stand.tree is not None else None


def _goes_on(newest: JournalFile, stand: _Stand, now: datetime) -> bool:
    """Whether today's looks stand in this file, and more can follow them."""
    today = newest.name == stand.file and newest.start[:8] == f"{now:%Y%m%d}"
    return today and newest.path.suffix == ".jsonl" and not stand.torn


def _opened(file: str, stand: _Stand) -> dict[str, Any]:
    follows: dict[str, Any] | None = None
    if stand.file is not None:
        follows = {"file": stand.file, "hash": stand.last} | ({"torn": stand.torn} if stand.torn else {})
    tree = stand.tree.texts() if stand.tree is not None else None
    return {"software": __version__, "file": file, "follows": follows, "tree": tree, "started": True}


def _line(stand: _Stand, name: str, kind: chain.Kind, fields: Mapping[str, Any], now: datetime) -> bytes:
    seq, prev = stand.seq + 1, stand.last
    line = chain.line_of(seq=seq, prev=prev, now=now, instance=name, kind=kind, fields=fields)
    if len(line) > LONGEST:
        raise chain.Unrecordable("longer than a look may be")
    stand.seq, stand.last = seq, chain.digest(line)
    if stand.tree is not None:
        stand.tree.append(bytes.fromhex(stand.last))
    return line


def _append(descriptor: int, lines: bytes) -> None:
    """All of it or nothing: what was cut short is taken back."""
    before = os.fstat(descriptor).st_size
    try:
        whole = os.write(descriptor, lines) == len(lines)
        os.fdatasync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise
    if not whole:
        os.ftruncate(descriptor, before)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
