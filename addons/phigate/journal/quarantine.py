"""[I/O] Damaged files are taken out of a journal whole, and never silently.

They go to the folder `quarantine` within the journal's, each with a note (`FILE.why.json`) of what it was and why it
went. The next start puts that on record, then calls the note `FILE.told.json`. A file that is missing has a note only.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from phigate.journal import read
from phigate.journal.disk import JournalFault, locked, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = "quarantine"
UNTOLD: Final = ".why.json"
TOLD: Final = ".told.json"
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_PIECE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Aside:
    """A file that was taken out: its plain name, SHA-256 (hex) and bytes as it was found, why.

    Both are None of a file that was gone, the hash of one that could not be read. `until` is the number that the file
    behind it begins with, None where no file followed it: no more than what stood before that may be missing.
    """

    file: str
    sha256: str | None
    bytes: int | None
    reason: str
    until: int | None = None


def take_out(path: Path, reason: str) -> Aside:
    """Move one journal file, with its checkpoints, into quarantine; raises OSError and JournalFault.

    `path` may name its plain or its compressed form, and may be missing if another file follows it. No gateway may be
    writing this journal.
    """
    folder, name = path.parent, read.plain_name(path.name)
    file = read.named(folder / name)
    if file is None:
        raise JournalFault(f"{path}: no name of a journal file")
    lock = locked(folder, file.instance)
    try:
        forms = [form for form in read.forms(folder / name) if form.exists()]
        until = _follower(folder, file.instance, name)
        if not forms and until is None:
            raise JournalFault(f"{path}: no such file, and none follows it")
        to = folder / FOLDER
        to.mkdir(mode=0o700, exist_ok=True)
        if any((to / form.name).exists() for form in forms):
            raise JournalFault(f"{to / forms[0].name}: is there already")
        sha256, size = _seen(forms[0]) if forms else (None, None)
        aside = Aside(name, sha256, size, reason, until)
        _write(to / f"{name}{UNTOLD}", orjson.dumps(asdict(aside), option=orjson.OPT_APPEND_NEWLINE))
        sync_folder(to)
        for form in [*forms, folder / f"{name.removesuffix('.jsonl')}.checkpoints"]:
            with suppress(FileNotFoundError):
                form.rename(to / form.name)
        sync_folder(to)
        sync_folder(folder)
    finally:
        os.close(lock)
    return aside


def files(folder: Path, instance: str) -> list[read.JournalFile]:
    """The files of an instance that stand in quarantine."""
    return read.files(folder / FOLDER, instance) if (folder / FOLDER).is_dir() else []


def names(folder: Path) -> set[str]:
    """The plain names of all files that were taken out, those that were missing among them."""
    if not (folder / FOLDER).is_dir():
        return set()
    ends = (UNTOLD, TOLD)
    return {
        path.name.removesuffix(end) for path in (folder / FOLDER).iterdir() for end in ends if path.match(f"*{end}")
    }


def untold(folder: Path, instance: str) -> list[Aside]:
    """What no record tells of yet; raises OSError, and JournalFault on a note that cannot be read."""
    found = []
    for path in sorted((folder / FOLDER).glob(f"*{UNTOLD}")) if (folder / FOLDER).is_dir() else ():
        file = read.named(path.with_name(path.name.removesuffix(UNTOLD)))
        if file is not None and file.instance == instance:
            found.append(_note(path))
    return found


def told(folder: Path, aside: Aside) -> None:
    """A record tells of it now, and is on the disk; raises OSError."""
    note = folder / FOLDER / f"{aside.file}{UNTOLD}"
    note.rename(note.with_name(f"{aside.file}{TOLD}"))
    sync_folder(folder / FOLDER)


def _note(path: Path) -> Aside:
    try:
        read_: Any = orjson.loads(path.read_bytes())
        return Aside(**read_)
    except (ValueError, TypeError):
        raise JournalFault(f"{path}: no note of a file in quarantine; remove it, and take the file out anew") from None


def _follower(folder: Path, instance: str, name: str) -> int | None:
    """The number of the first record of the file that follows this one."""
    for file in read.files(folder, instance):
        first = None
        with suppress(OSError):  # it may be the one that the disk does not give back
            first = next(read.entries(file.path), None)
        follows = first.record.get("follows") if isinstance(first, read.Entry) else None
        if isinstance(follows, dict) and follows.get("file") == name:
            return file.seq
    return None


def _seen(path: Path) -> tuple[str | None, int]:
    """SHA-256 and size; a file that the disk does not give back has no hash, and has to go all the same."""
    hashed, size = hashlib.sha256(), path.stat().st_size
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                hashed.update(piece)
    except OSError:
        return None, size
    return hashed.hexdigest(), size


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, _NEW, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
