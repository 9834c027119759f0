"""[I/O] Legal holds: stretches of time whose records are not deleted, whatever their age; a small file in the journal.

- A hold has a name, a reason, and the time (RFC 3339) that it begins and ends with; one without either holds all.
- A file of holds that cannot be read is a fault, and then nothing is deleted. One that is not there holds nothing.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import orjson

from phigate.journal.disk import JournalFault, sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FILE: Final = "holds.json"
LOCK: Final = "holds.lock"
_LOCK: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Hold:
    """Records of [since, until) are kept; `added` is when the hold was put up (all RFC 3339)."""

    name: str
    reason: str
    since: str | None
    until: str | None
    added: str

    def touches(self, first: str, last: str) -> bool:
        """Whether it holds anything of what was written between two times (RFC 3339), both included."""
        begins = self.since is None or datetime.fromisoformat(last) >= datetime.fromisoformat(self.since)
        return begins and (self.until is None or datetime.fromisoformat(first) < datetime.fromisoformat(self.until))


@contextmanager
def held_still(folder: Path) -> Iterator[None]:
    """Keep the holds as they are for others: who changes them, or deletes by them, waits; raises OSError."""
    lock = os.open(folder / LOCK, _LOCK, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def read_holds(folder: Path) -> list[Hold]:
    """The holds of a journal, by name; raises JournalFault."""
    path = folder / FILE
    try:
        found = [Hold(**each) for each in orjson.loads(path.read_bytes())]
        for hold in found:
            hold.touches(hold.added, hold.added)
    except FileNotFoundError:
        return []
    except OSError as fault:
        raise JournalFault(f"{path}: {(fault.strerror or 'cannot be read').lower()}") from None
    except (ValueError, TypeError):
        raise JournalFault(f"{path}: cannot be read as legal holds, so that nothing may be deleted") from None
    return sorted(found, key=lambda hold: hold.name)


def write_holds(folder: Path, holds: Sequence[Hold]) -> None:
    """Put these in the place of all others, whole or not at all; raises OSError."""
    unfinished = folder / f".{FILE}.new"
    with os.fdopen(os.open(unfinished, _NEW, 0o600), "wb") as file:
        file.write(orjson.dumps([asdict(hold) for hold in holds], option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(folder / FILE)
    sync_folder(folder)
