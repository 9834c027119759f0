"""Files and pipes of any size: read in bounded memory, written whole or not at all, with a bar for who watches.

Rules of this file: nothing is ever held of an input but the line or piece that is read; a line longer than LONGEST is a
fault and not memory. An output file gets its name when it is complete; a reader that goes away ends us quietly.
"""

from __future__ import annotations

import codecs
import os
import stat
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of a line."""
PIECE: Final = 65536
"""Bytes that are read at once."""
STDIN: Final = "-"
REFRESH: Final = 0.1
"""Seconds between two looks of the bar."""
INTERRUPTED: Final = 130
"""Of a process that Ctrl-C ended: 128 and the signal's number."""
PIPE_CLOSED: Final = 141
"""Of a process whose reader went away."""


class StreamFault(Exception):  # noqa: N818 -- a fault of a file that somebody named, as in PolicyFaults
    """A file that cannot be read or written; the message names it and the fault."""


class Line(NamedTuple):
    """A line of an input; `where` names it, with its file where there are several."""

    number: int
    raw: bytes
    where: str
    fault: str = ""
    """Why there is no `raw`."""


class Input:
    """Files one after the other, standard input where there are none."""

    def __init__(self, names: Sequence[str], advanced: Progress | None = None) -> None:
        self._names = list(names) or [STDIN]
        self._progress = advanced
        self._drawn = 0.0
        self._task = advanced.add_task("", total=self._size()) if advanced else None

    def lines(self) -> Iterator[Line]:
        """Every line with its end; one that is too long has a fault in its place."""
        for name, file in self._files():
            for number, raw, whole in self._cut(file):
                where = f"line {number}" if len(self._names) == 1 else f"{name}:{number}"
                yield Line(number, raw, where) if whole else Line(number, b"", where, f"longer than {LONGEST} bytes")

    def _cut(self, file: IO[bytes]) -> Iterator[tuple[int, bytes, bool]]:
        number = 0
        while raw := file.readline(LONGEST):
            number += 1
            self._read(len(raw))
            if len(raw) < LONGEST or raw.endswith(b"\n"):
                yield number, raw, True
            else:
                self._skip_line(file)
                yield number, b"", False

    def _skip_line(self, file: IO[bytes]) -> None:
        while more := file.readline(PIECE):
            self._read(len(more))
            if more.endswith(b"\n"):
                return

    def pieces(self) -> Iterator[str]:
        """All of it as text in pieces of bounded size, whatever its lines are like; what is no UTF-8 is replaced."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for _, file in self._files():
            while raw := file.read1(PIECE) if hasattr(file, "read1") else file.read(PIECE):
                self._read(len(raw))
                if text := decoder.decode(raw):
                    yield text
        if text := decoder.decode(b"", final=True):
            yield text

    def _files(self) -> Iterator[tuple[str, IO[bytes]]]:
        for name in self._names:
            if name == STDIN:
                yield "standard input", sys.stdin.buffer
                continue
            try:
                file = Path(name).open("rb")  # noqa: SIM115 -- closed below, while what reads it is this generator
            except OSError as error:
                raise StreamFault(f"{name}: {(error.strerror or 'cannot be read').lower()}") from None
            with file:
                yield name, file

    def _size(self) -> int | None:
        """Bytes there are to read, where that can be known."""
        try:
            stats = [os.fstat(sys.stdin.fileno()) if name == STDIN else Path(name).stat() for name in self._names]
        except (OSError, ValueError):
            return None
        return sum(each.st_size for each in stats) if all(stat.S_ISREG(each.st_mode) for each in stats) else None

    def _read(self, size: int) -> None:
        if self._progress and self._task is not None:
            self._progress.advance(self._task, size)
            if (now := time.monotonic()) - self._drawn > REFRESH:
                self._progress.refresh()
                self._drawn = now


@contextmanager
def progress(err: Console, words: str, *, apart: bool = False) -> Iterator[Progress | None]:
    """A bar on standard error, where somebody sees it and the results do not go to the same screen (`apart`)."""
    if not err.is_terminal or (sys.stdout.isatty() and not apart):
        yield None
        return
    # Drawn as input is read, not by a thread: processes may be forked while it shows.
    columns = (TextColumn(words), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, auto_refresh=False) as bar:
        yield bar


@contextmanager
def output(name: Path | None) -> Iterator[IO[bytes]]:
    """Where results go; a file is written beside its place and moved there when all went well."""
    if name is None or (name.exists() and not name.is_file()):
        with _standard() if name is None else name.open("wb") as file:
            yield file
        return
    part = name.with_name(f".{name.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(name)
    except OSError as error:
        raise StreamFault(f"{name}: {(error.strerror or 'cannot be written').lower()}") from None
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _standard() -> Iterator[IO[bytes]]:
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


@contextmanager
def leaving_quietly() -> Iterator[None]:
    """Ctrl-C and a reader that goes away end the process with the code that shells know, and without a word."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        # What is still in the buffer has nowhere to go, and Python would complain about it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(PIPE_CLOSED) from None


def some[T](items: Iterable[T], limit: int | None) -> Iterator[T]:
    """The first so many; None is all."""
    for place, item in enumerate(items):
        if limit is not None and place >= limit:
            return
        yield item
