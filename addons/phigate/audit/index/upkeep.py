"""Bringing the index up to date with the files: what is gone is forgotten, what is new is read on.

- A file that ended (`closed`, and nothing behind it) is looked at by what the file system says of it; one that goes on,
  or was compressed since, by the hash of the last line that was read of it. Whatever is not what it was is forgotten
  as a whole and read again.
- To forget a file is to forget every exchange that has a record in it; their records in other files are read again.
  So the index always is what an index made new would be.
- Records at the end of a file that were never acknowledged, since the disk failed, count for nothing: the answer was
  withheld, and what is to be known of it stands in the file that follows.
- Each file is one transaction: its rows and how far it was read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from phigate.audit.index import places
from phigate.audit.index.intake import Intake
from phigate.journal import chain, read, zst

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from phigate.journal.read import JournalFile

type Progress = Callable[[int, int], None]
"""Told how many bytes of how many are read."""

REPORT: Final = 2048
"""Lines between two reports."""


@dataclass(slots=True)
class _Known:
    """A file as the index knows it, and a file as it is read."""

    id: int
    name: str
    bytes: int = 0
    lines: int = 0
    last: str = chain.ZEROS
    whole: bool = False
    tail: int = 0
    """Where its last line begins."""
    stat: str = ""
    until: int | None = None
    """The number of the first record of which nobody was told that it is kept; the following file says so."""
    spares: str | None = None
    """The file of which this one says so."""


class Upkeep:
    """One bringing up to date, under a lock that others respect; `flaws` are the torn ends, which may still grow."""

    def __init__(self, db: sqlite3.Connection, folder: Path, progress: Progress | None = None) -> None:
        self.flaws: list[read.Flaw] = []
        self._db, self._folder, self._progress = db, folder, progress
        self._done = self._total = 0
        self._spare: dict[str, int] = {}

    def run(self) -> None:
        files = {file.name: file for file in read.files(self._folder)}
        known = self._known()
        self._spare = dict(self._spares(files, known).values())
        gone = [each for name, each in known.items() if name not in files or self._other(each, files[name].path)]
        if gone:
            self._forget(gone, files)
            for each in gone:
                del known[each.name]
        done = {name for name, each in known.items() if each.whole}
        due = [(file, known.get(name)) for name, file in files.items() if name not in done]
        self._total = sum(_size(file.path) - (state.bytes if state else 0) for file, state in due)
        for file, state in due:
            self._read_on(file, state)

    def _known(self) -> dict[str, _Known]:
        found = self._db.execute("SELECT id, name, bytes, lines, last, whole, tail, stat, until, spares FROM file")
        return {each[1]: _Known(*each) for each in found}

    def _spares(self, files: dict[str, JournalFile], known: dict[str, _Known]) -> dict[str, tuple[str, int]]:
        """By file: the file before it at whose end are records that do not count, and the first one's number."""
        told = {name: each.spares for name, each in known.items() if each.spares}
        told |= {name: spared for name, file in files.items() if name not in known and (spared := _spares(file.path))}
        return {name: (spared, files[name].seq) for name, spared in told.items() if name in files}

    def _other(self, known: _Known, path: Path) -> bool:
        """Whether a file is not what was read of it."""
        stat = _stat(path)
        if known.until != self._spare.get(known.name):
            return True
        if known.whole and known.stat == stat:
            return False
        if known.whole and known.stat.startswith(f"{path.suffix}:"):
            return True
        if not known.lines:
            return path.stat().st_size < known.bytes
        try:
            (line,) = places.lines_at(path, [(known.tail, known.bytes - known.tail)])
        except (OSError, zst.Damaged):
            return True
        if chain.digest(line) != known.last:
            return True
        if known.whole:  # compressed since
            self._db.execute("UPDATE file SET stat = ? WHERE id = ?", (stat, known.id))
        return False

    def _forget(self, gone: list[_Known], files: dict[str, JournalFile]) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        db.execute("CREATE TEMP TABLE gone_file(id INTEGER PRIMARY KEY)")
        db.executemany("INSERT INTO gone_file VALUES(?)", [(each.id,) for each in gone])
        db.execute(
            "CREATE TEMP TABLE gone AS SELECT DISTINCT exchange_id AS id FROM place"
            " WHERE file_id IN (SELECT id FROM gone_file)"
        )
        left = db.execute(
            "SELECT file.name, place.file_id, offset, length FROM place JOIN file ON file.id = place.file_id"
            " WHERE exchange_id IN (SELECT id FROM gone) AND file_id NOT IN (SELECT id FROM gone_file)"
            " ORDER BY file.first_seq, place.file_id, offset"
        ).fetchall()
        for table, column in (("exchange", "id"), ("place", "exchange_id"), ("found", "exchange_id")):
            db.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM gone)")  # noqa: S608 -- our own names
        db.execute("DELETE FROM identifier WHERE exchange_id IN (SELECT id FROM gone)")
        for table, column in (("event", "file_id"), ("flaw", "file_id"), ("file", "id")):
            db.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM gone_file)")  # noqa: S608 -- our own names
        self._take_again(left, files)
        db.execute("DROP TABLE gone")
        db.execute("DROP TABLE gone_file")
        db.execute("COMMIT")

    def _take_again(self, left: Iterable[tuple[str, int, int, int]], files: dict[str, JournalFile]) -> None:
        by_file: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for name, file_id, offset, length in left:
            by_file.setdefault((name, file_id), []).append((offset, length))
        intake = Intake(self._db)
        for (name, file_id), wanted in by_file.items():
            lines = places.lines_at(files[name].path, wanted)
            for (offset, length), line in zip(wanted, lines, strict=True):
                record = chain.parse(line)
                if record is not None:
                    intake.add(record, file_id, offset, length, again=True)
        intake.flush()

    def _read_on(self, file: JournalFile, known: _Known | None) -> None:
        """Read what is new of a file, as one transaction."""
        compressed = file.path.suffix == zst.SUFFIX
        if known is not None and known.bytes == file.path.stat().st_size and not compressed:
            return
        self._db.execute("BEGIN IMMEDIATE")
        state = known or self._new(file)
        intake = Intake(self._db)
        self._lines(file, state, intake)
        intake.flush()
        stat = _stat(file.path)
        whole = compressed or (state.whole and file.path.stat().st_size == state.bytes)
        self._db.execute(
            "UPDATE file SET bytes = ?, lines = ?, last = ?, whole = ?, tail = ?, stat = ? WHERE id = ?",
            (state.bytes, state.lines, state.last, whole, state.tail, stat, state.id),
        )
        self._db.execute("COMMIT")

    def _new(self, file: JournalFile) -> _Known:
        until, spares = self._spare.get(file.name), _spares(file.path)
        made = self._db.execute(
            "INSERT INTO file(name, instance, first_seq, bytes, lines, last, whole, until, spares)"
            " VALUES(?, ?, ?, 0, 0, ?, 0, ?, ?)",
            (file.name, file.instance, file.seq, chain.ZEROS, until, spares),
        )
        return _Known(made.lastrowid or 0, file.name, until=until, spares=spares)

    def _lines(self, file: JournalFile, state: _Known, intake: Intake) -> None:
        number, last = 0, b""
        try:
            for line in self._whole_lines(file, state):
                self._line(line, state, intake)
                number, last = number + 1, line
                self._done += len(line)
                if number % REPORT == 0 and self._progress is not None:
                    self._progress(self._done, max(self._done, self._total))
        except zst.Damaged:
            self._flaw(state, "damaged", 0)
        if last:
            state.last, state.tail = chain.digest(last), state.bytes - len(last)

    def _whole_lines(self, file: JournalFile, state: _Known) -> Iterator[bytes]:
        """The lines behind those that are known; one that is not whole (yet) is told and left for another time."""
        with read.opened(file.path) as plain:
            plain.seek(state.bytes)
            while line := plain.readline(chain.MAX_LINE):
                if not line.endswith(b"\n") and len(line) < chain.MAX_LINE:
                    self.flaws.append(read.Flaw(file.name, state.lines + 1, "torn", len(line)))
                    return
                yield line

    def _line(self, line: bytes, state: _Known, intake: Intake) -> None:
        record = chain.parse(line)
        if record is None:
            self._flaw(state, "not-a-record" if line.endswith(b"\n") else "too-long", len(line))
        elif state.until is None or record["seq"] < state.until:
            intake.add(record, state.id, state.bytes, len(line))
        state.whole = record is not None and record["kind"] == "closed"
        state.bytes += len(line)
        state.lines += line.endswith(b"\n")

    def _flaw(self, state: _Known, reason: str, size: int) -> None:
        self._db.execute("INSERT INTO flaw VALUES(?, ?, ?, ?)", (state.id, state.lines + 1, reason, size))


def _spares(path: Path) -> str | None:
    """The file at whose end, as this one says, are records that were never acknowledged: they count for nothing."""
    try:
        with read.opened(path) as plain:
            opened = chain.parse(plain.readline(chain.MAX_LINE)) or {}
    except zst.Damaged:
        return None
    follows = opened.get("follows")
    said = follows if isinstance(follows, dict) and isinstance(follows.get("spare"), dict) else {}
    spared = read.named(path.with_name(said["file"])) if _is_name(said.get("file")) else None
    own = read.named(path)
    return said["file"] if spared is not None and own is not None and spared.instance == own.instance else None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and read.NAME.fullmatch(value) is not None


def _size(path: Path) -> int:
    """Bytes of the plain file, for the bar."""
    try:
        return places.size_of(path)
    except zst.Damaged:
        return 0


def _stat(path: Path) -> str:
    """What the file system says that changes with the file."""
    stat = path.stat()
    return f"{path.suffix}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}"
