"""The index of a journal: what its records say about whom, in a database that is made from the files.

Rules of this file:

- The files are the truth. The database is made when it is missing, brought up to date at every opening, and made anew
  when it is damaged, of another version, or not the very file that was made here: a copy of a folder brings no index
  with it, so nobody answers from an index that somebody else wrote.
- It holds no body and no identifier in clear, and is for its owner alone (mode 600).
- It stands beside the files; where those may not be written to, in the user's own cache folder.
- One process at a time brings it up to date, under a lock; a new one is made apart and then gets the name.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from phigate.audit.index.rows import LOOKUPS, SCHEMA
from phigate.audit.index.upkeep import Upkeep
from phigate.journal.read import Flaw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.audit.index.upkeep import Progress

NAME: Final = "index.db"
VERSION: Final = 3
APPLICATION: Final = 0x70686967
"""Says in the file's head whose it is; "phig"."""
MEMORY: Final = 64 * 1024
"""KB of pages that are kept in memory."""
PATIENCE: Final = 60.0
"""Seconds that a question waits for one who writes."""
ATTEMPTS: Final = 5
"""How often the files may change their form (by compression) while they are looked at."""
_LOCK: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class IndexFault(Exception):  # noqa: N818 -- a fault of a folder that somebody named, told in their words
    """The journal cannot be asked; the message names the file and the fault."""


class Index:
    """An index that is up to date; made by `open_index`, to be closed."""

    def __init__(self, folder: Path, path: Path, db: sqlite3.Connection, flaws: list[Flaw]) -> None:
        self.folder: Final = folder
        self.path: Final = path
        self.flaws: Final = flaws
        """Pieces of the files that are no records."""
        self._db = db

    def rows(self, sql: str, params: Iterable[Any] | dict[str, Any] = ()) -> Iterator[sqlite3.Row]:
        """What a SELECT finds, one row after the other."""
        try:
            cursor = self._db.execute(sql, params if isinstance(params, dict) else tuple(params))
            for row in cursor:  # noqa: UP028 -- `yield from` would close it when it is left early, maybe after `close`
                yield row
        except sqlite3.DatabaseError as fault:
            if not _damaged(fault):
                raise
            self.path.unlink(missing_ok=True)
            raise IndexFault(f"{self.path}: damaged, and removed; ask again, and it is made anew") from None

    def one(self, sql: str, params: Iterable[Any] | dict[str, Any] = ()) -> sqlite3.Row | None:
        """The first row, if there is one."""
        return next(self.rows(sql, params), None)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_index(folder: Path, *, progress: Progress | None = None) -> Index:
    """The index of a journal's folder, brought up to date; `progress` is told the bytes read and to be read.

    Raises IndexFault. Blocks while another process does the same.
    """
    try:
        with _home(folder) as home:
            return _opened(folder, home / NAME if home == folder else home / f"{_name_of(folder)}.db", progress)
    except OSError as fault:
        raise IndexFault(f"{fault.filename or folder}: {(fault.strerror or 'cannot be read').lower()}") from None
    except sqlite3.Error as fault:
        raise IndexFault(f"{folder}: the index cannot be made ({fault.sqlite_errorname})") from None


def _opened(folder: Path, path: Path, progress: Progress | None) -> Index:
    db = _trusted(path)
    if db is not None:
        try:
            return _current(folder, path, db, progress)
        except sqlite3.DatabaseError as fault:
            db.close()
            if not _damaged(fault):
                raise
        except BaseException:
            db.close()
            raise
    _make(folder, path, progress)
    db = _connected(path)
    try:
        return _current(folder, path, _set(db), None)
    except BaseException:
        db.close()
        raise


def _current(folder: Path, path: Path, db: sqlite3.Connection, progress: Progress | None) -> Index:
    torn = _kept(db, folder, progress)
    db.execute("PRAGMA query_only = ON")
    db.row_factory = sqlite3.Row
    found = db.execute("SELECT name, line, reason, size FROM flaw JOIN file ON file.id = file_id ORDER BY name, line")
    return Index(folder, path, db, [*(Flaw(*row) for row in found), *torn])


def _kept(db: sqlite3.Connection, folder: Path, progress: Progress | None) -> list[Flaw]:
    """Bring it up to date; the torn ends. A file that is compressed meanwhile has another name at the next look."""
    for attempt in range(ATTEMPTS):
        upkeep = Upkeep(db, folder, progress)
        try:
            upkeep.run()
        except FileNotFoundError:
            if attempt == ATTEMPTS - 1:
                raise
            if db.in_transaction:
                db.execute("ROLLBACK")
        else:
            return upkeep.flaws
    return []


def _make(folder: Path, path: Path, progress: Progress | None) -> None:
    """Make it apart, then give it its name: nobody sees half of one, and a crash leaves none."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    made = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    _own(made, part.parent)
    os.close(made)
    try:
        db = _connected(part)
        try:
            _fill(_set(db), folder, _self(part), progress)
        finally:
            db.close()
        for left in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + left).unlink(missing_ok=True)
        part.replace(path)
    finally:
        for left in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + left).unlink(missing_ok=True)


def _fill(db: sqlite3.Connection, folder: Path, itself: str, progress: Progress | None) -> None:
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("PRAGMA synchronous = OFF")
    db.executescript(SCHEMA)
    _kept(db, folder, progress)
    db.executescript(LOOKUPS)
    db.execute("INSERT INTO meta VALUES('self', ?)", (itself,))
    db.execute(f"PRAGMA application_id = {APPLICATION}")
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("PRAGMA journal_mode = WAL")


def _trusted(path: Path) -> sqlite3.Connection | None:
    """The database, if it is the one that was made here, by us and of this version."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    ours = {os.geteuid(), path.parent.stat().st_uid}
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in ours or found.st_mode & 0o077:
        return None
    db = _connected(path)
    try:
        if _ours(_set(db), _self(path)):
            return db
    except sqlite3.DatabaseError as fault:
        if fault.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            db.close()
            raise
    db.close()
    return None


def _ours(db: sqlite3.Connection, itself: str) -> bool:
    """Whether it was made here, by this version, and holds our tables and nothing that would run by itself."""
    (application,), (version,) = (
        db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    if (application, version) != (APPLICATION, VERSION):
        return False
    held = {row[0] for row in db.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
    if held != _statements():
        return False
    return bool(db.execute("SELECT value = ? FROM meta WHERE name = 'self'", (itself,)).fetchone() == (1,))


def _statements() -> set[str]:
    return {each.strip() for each in (SCHEMA + LOOKUPS).split(";") if each.strip()}


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=PATIENCE, isolation_level=None)


def _set(db: sqlite3.Connection) -> sqlite3.Connection:
    """The connection, as ours are: these are the first statements that read the file."""
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute(f"PRAGMA cache_size = -{MEMORY}")
    db.execute("PRAGMA synchronous = NORMAL")
    return db


def _self(path: Path) -> str:
    """What tells this very file from its copies."""
    found = path.stat()
    return f"{found.st_dev}:{found.st_ino}"


def _damaged(fault: sqlite3.DatabaseError) -> bool:
    return getattr(fault, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


@contextmanager
def _home(folder: Path) -> Iterator[Path]:
    """Where the index may stand, locked."""
    home, lock = folder, -1
    try:
        if not folder.is_dir():
            raise NotADirectoryError(20, "no such folder", str(folder))
        try:
            lock = os.open(folder / "index.lock", _LOCK, 0o600)
        except OSError:
            home = _cache()
            lock = os.open(home / f"{_name_of(folder)}.lock", _LOCK, 0o600)
        _own(lock, home)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield home
    finally:
        if lock >= 0:
            os.close(lock)


def _own(descriptor: int, folder: Path) -> None:
    """What root makes belongs to whom the folder does: the next question may be anybody's."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _cache() -> Path:
    """A folder of the user's own (XDG Base Directory Specification, `XDG_CACHE_HOME`)."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    home = (Path(named) if Path(named).is_absolute() else Path.home() / ".cache") / "phigate"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return home


def _name_of(folder: Path) -> str:
    return f"journal-{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:24]}"
