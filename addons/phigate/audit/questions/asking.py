"""What every command that asks the journal does: the folder, the span of time, the index with a bar for who watches."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from phigate.audit.index.database import Index, IndexFault, open_index
from phigate.audit.questions import show, times
from phigate.options import ROOT
from phigate.terminal import err, fail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOURNAL: Final = ROOT / "var" / "journal"
JournalFolder = Annotated[Path, typer.Option("--journal", help="The folder of the journal.")]
Since = Annotated[
    str | None, typer.Option("--since", help="From then on: a time (RFC 3339), a date, or how long ago (7d, PT2H).")
]
Until = Annotated[str | None, typer.Option("--until", help="Before then, likewise; a date counts whole.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON lines instead of a table.")]


def span(since: str | None, until: str | None, now: datetime | None = None) -> tuple[float | None, float | None]:
    """The two times of a question in seconds since the epoch; tells what is none."""
    now = now or datetime.now(UTC)
    read = []
    for option, text, moment in (("--since", since, times.since), ("--until", until, times.until)):
        try:
            read.append(None if text is None else moment(text, now))
        except times.NoTime as fault:
            raise fail(f"{option}: {fault}", 2) from None
    return read[0], read[1]


@contextmanager
def asked(journal: Path) -> Iterator[Index]:
    """The journal's index, up to date; what cannot be read is told on standard error."""
    if not journal.is_dir():
        raise fail(f"{journal}: no such folder")
    try:
        with _bar() as progress:
            index = open_index(journal, progress=progress)
        with index:
            for flaw in index.flaws:
                err.print(show.plain(f"{flaw.file}:{flaw.line}: {flaw.reason}"), soft_wrap=True)
            yield index
    except IndexFault as fault:
        raise fail(str(fault)) from None


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error once there is much to read; nothing where nobody watches."""
    if not err.is_terminal:
        yield None
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(TextColumn("reading the journal"), *columns, console=err, transient=True)
    task = bar.add_task("", total=None)

    def told(done: int, total: int) -> None:
        bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield told
    finally:
        bar.stop()
