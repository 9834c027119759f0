"""[I/O] Reading journals: a folder's files, their lines, the records of an exchange.

Files are streamed a line at a time, also while a gateway writes them, and whether they are compressed or not: a file
has one name and one numbering of its lines and bytes, those of the plain file. Where both forms exist the plain one
counts. What is no record is reported as a Flaw and passed over, never guessed at: a torn last line is normal after a
crash (or while the line is being written), anything else is damage that `chain.verify_lines` names.
"""

from __future__ import annotations

import errno
import heapq
import io
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from phigate.journal import chain, zst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = re.compile(
    r"(?P<instance>[A-Za-z0-9][A-Za-z0-9._-]{0,63})-(?P<start>[0-9]{8}T[0-9]{6}Z)-(?P<seq>[0-9]+)\.jsonl(?:\.zst)?"
)
BUFFER = 256 * 1024
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True)
class JournalFile:
    """One file of a journal, as its name tells it; `seq` is the number of its first record."""

    path: Path
    instance: str
    start: str
    seq: int

    @property
    def name(self) -> str:
        """What records and people call it, compressed or not."""
        return plain_name(self.path.name)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record and where it stands: the file's plain name, the line from 1, the plain line."""

    file: str
    line: int
    record: dict[str, Any]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Flaw:
    """A piece of a file that is no record: `torn`, `too-long` or `not-a-record`; its size in bytes.

    `damaged` is a compressed file that cannot be read from this line on.
    """

    file: str
    line: int
    reason: str
    size: int


def ignore(_flaw: Flaw) -> None:
    """Report flaws to nobody."""


def plain_name(name: str) -> str:
    """A file's name without the sign that it is compressed."""
    return name.removesuffix(zst.SUFFIX)


def named(path: Path) -> JournalFile | None:
    """What a path says of a journal file by its name; None when that is no journal file's."""
    match = NAME.fullmatch(path.name)
    return JournalFile(path, match["instance"], match["start"], int(match["seq"])) if match else None


def forms(path: Path) -> tuple[Path, Path]:
    """The two paths at which a journal file may stand: the plain one, which counts, and the compressed one."""
    plain = path.with_name(plain_name(path.name))
    return plain, plain.with_name(plain.name + zst.SUFFIX)


def files(folder: Path, instance: str | None = None) -> list[JournalFile]:
    """The journal files of a folder in order of instance and record number; other files are none of ours."""
    found: dict[str, JournalFile] = {}
    for path in sorted(folder.iterdir(), reverse=True):  # the plain form comes last, and stays
        if file := named(path):
            found[file.name] = file
    wanted = (file for file in found.values() if instance in (None, file.instance))
    return sorted(wanted, key=lambda file: (file.instance, file.seq, file.start))


def opened(path: Path) -> BinaryIO:
    """A file's plain bytes, to be read from any place; raises OSError, and `zst.Damaged` now or while it is read.

    A plain file that was compressed meanwhile is read in its new form.
    """
    if path.suffix != zst.SUFFIX:
        with suppress(FileNotFoundError):
            return io.BufferedReader(regular(path), BUFFER)
        path = path.with_name(path.name + zst.SUFFIX)
    file = regular(path)
    try:
        return io.BufferedReader(zst.Plain(file), BUFFER)
    except BaseException:
        file.close()
        raise


def regular(path: Path) -> io.FileIO:
    """A file to be read, if it is one: a pipe or a device may never end; raises OSError."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    return path.open("rb", buffering=0)


def lines(path: Path) -> Iterator[bytes]:
    """A file's lines with their newlines; the last may lack one, and a longer one than MAX_LINE comes in pieces.

    Raises OSError, and `zst.Damaged` where a compressed file does not hold.
    """
    with opened(path) as file:
        while line := file.readline(chain.MAX_LINE):
            yield line


def whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a damaged file, as far as they can be read; raises OSError."""
    with suppress(zst.Damaged):
        yield from lines(path)


def entries(path: Path, having: bytes = b"") -> Iterator[Entry | Flaw]:
    """What a file holds, in order; with `having`, only lines with these bytes are looked at."""
    number, name = 1, plain_name(path.name)
    try:
        for line in lines(path):
            if having in line:
                record = chain.parse(line)
                yield (
                    Flaw(name, number, _why(line), len(line)) if record is None else Entry(name, number, record, line)
                )
            number += line.endswith(b"\n")
    except zst.Damaged:
        yield Flaw(name, number, "damaged", 0)


def _why(line: bytes) -> str:
    if line.endswith(b"\n"):
        return "not-a-record"
    return "too-long" if len(line) >= chain.MAX_LINE else "torn"


def records(folder: Path, note: Callable[[Flaw], None] = ignore) -> Iterator[Entry]:
    """Every record of a folder, all instances merged by time; each flaw goes to `note`."""
    instances = groupby(files(folder), key=lambda file: file.instance)
    streams = [_stream([file.path for file in own], note) for _, own in instances]
    return heapq.merge(*streams, key=lambda entry: str(entry.record["ts"]))


def _stream(paths: list[Path], note: Callable[[Flaw], None], having: bytes = b"") -> Iterator[Entry]:
    for path in paths:
        for item in entries(path, having):
            if isinstance(item, Entry):
                yield item
            else:
                note(item)


def exchange(folder: Path, exchange_id: str, note: Callable[[Flaw], None] = ignore) -> list[dict[str, Any]]:
    """The records of one exchange in order of time; empty when the journal knows none."""
    paths = [file.path for file in files(folder)]
    found = (entry.record for entry in _stream(paths, note, orjson.dumps(exchange_id)))
    return sorted(
        (record for record in found if record.get("exchange") == exchange_id), key=lambda record: record["ts"]
    )
