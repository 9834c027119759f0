"""The command `flows`: a session, an exchange or a span of time as a file that mitmproxy's own tools open."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path  # noqa: TC003 -- typer reads it from the annotations
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from phigate.audit import asking, exchanges, flows, look
from phigate.audit.asking import JOURNAL, JournalFolder, Since, Until
from phigate.audit.exchanges import Wanted
from phigate.host import drawn
from phigate.terminal import err, fail, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.audit.index import Index


def write_flows(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write, a new one; `-` is standard output.")
    ],
    which: Annotated[str | None, typer.Argument(metavar="[SESSION|EXCHANGE]", help="Their ids.")] = None,
    *,
    subject: Annotated[str | None, typer.Option(help="Only this subject's.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model's.")] = None,
    since: Since = None,
    until: Until = None,
    journal: JournalFolder = JOURNAL,
) -> None:
    """Write flows that mitmweb, mitmproxy and `mitmdump -nr` open, made from the journal's masked bodies."""
    start, end = asking.span(since, until)
    wanted = Wanted(subject=subject, model=model, since=start, until=end)
    if which is None and wanted == Wanted():
        raise fail("say which: a session, an exchange, a subject, a model or a span of time", 2)
    about = {"id": which, "subject": subject, "model": model, "since": since, "until": until}
    with asking.asked(journal) as index, _new(output) as file:
        look.note_or_say(journal, "flows", {name: value for name, value in about.items() if value is not None})
        drawings = filter(None, map(flows.drawing, _found(index, which, wanted)))
        written = 0
        for written, drawing in enumerate(drawings, 1):  # noqa: B007 -- counted
            drawn.write(file, drawing)
        if not written:
            raise fail("the journal knows no such exchange")
    say(f"{written} {'flow' if written == 1 else 'flows'}" + (f" in {output}" if str(output) != "-" else ""), err)


def _found(index: Index, which: str | None, wanted: Wanted) -> Iterable[list[dict[str, Any]]]:
    """The records of each exchange that is meant; an id is taken for an exchange's first, then for a session's."""
    if which is None:
        return exchanges.walk(index, wanted)
    if records := exchanges.records(index, which):
        return [records]
    return exchanges.walk(index, replace(wanted, session=which))


@contextmanager
def _new(path: Path) -> Iterator[BinaryIO]:
    """A new file, for its owner only, removed again where it does not become whole; `-` is standard output."""
    if str(path) == "-":
        yield sys.stdout.buffer
        return
    try:
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError as error:
        raise fail(f"{path}: {(error.strerror or 'cannot be written').lower()}", 2) from None
    try:
        with os.fdopen(made, "wb") as file:
            yield file
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise fail(f"{path}: {(error.strerror or 'cannot be written').lower()}", 2) from None
        raise
