"""[I/O] Is every file of an instance there that another one follows, and if not, may it be gone?

A file may be gone if an operator took it out (quarantine.py) or a `prune` record accounts for it. Such a record may
stand in any later file, so what was found once is remembered in `<instance>.gone`, one name a line. Nothing is proven
by that: whoever asks for proof reads the records.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from phigate.journal import quarantine, read
from phigate.journal.disk import JournalFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.journal.read import JournalFile

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def all_there(folder: Path, instance: str) -> None:
    """JournalFault on a file of the instance that another one follows and that is neither there nor accounted for."""
    files = read.files(folder, instance)
    present = {file.name for file in files} | quarantine.names(folder)
    missing = {name: file for file in files if (name := _followed(file)) is not None and name not in present}
    if not missing:
        return
    found = _pruned(folder, instance, set(missing))
    for name, file in missing.items():
        if name not in found:
            path = folder / name
            raise JournalFault(
                f"{path}: missing; {file.path}:1 follows it: put it back from a copy, or put its absence on record "
                f"with `phigate quarantine {path} --reason TEXT`"
            )


def _followed(file: JournalFile) -> str | None:
    """The file before, as a file's first record names it; None where it cannot be a file's name."""
    first = next(read.entries(file.path), None)
    follows = first.record.get("follows") if isinstance(first, read.Entry) else None
    name = follows.get("file") if isinstance(follows, dict) else None
    return name if isinstance(name, str) and read.named(Path(name)) is not None else None


def _pruned(folder: Path, instance: str, names: set[str]) -> set[str]:
    """Those of these files that `prune` records account for; searched for from the newest record on."""
    memory = folder / f"{instance}.gone"
    found = names & _remembered(memory)
    if found == names:
        return found
    for name in _prunings(folder):
        found |= names & {name}
        if found == names:
            break
    # where this cannot be written it is searched for again
    with suppress(OSError), os.fdopen(os.open(memory, _NEW, 0o600), "w") as file:
        file.writelines(f"{name}\n" for name in sorted(found))
    return found


def _remembered(memory: Path) -> set[str]:
    with suppress(OSError, UnicodeDecodeError):
        return set(memory.read_text(encoding="ascii").splitlines())
    return set()


def _prunings(folder: Path) -> Iterator[str]:
    """The files that records of any instance say were pruned, those of the newest files first."""
    for file in sorted(read.files(folder), key=lambda file: file.start, reverse=True):
        for item in read.entries(file.path, b'"kind":"prune"'):
            if isinstance(item, read.Entry) and item.record["kind"] == "prune":
                yield str(item.record.get("file"))
