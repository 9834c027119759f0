"""The command `flows`: a session, an exchange or a span of time as a file that mitmproxy's own tools open."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path  # noqa: TC003 -- typer reads it from the annotations
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

import typer

from phigate.audit import look
from phigate.audit.flows import draw as flows
from phigate.audit.index import exchanges
from phigate.audit.index.exchanges import Wanted
from phigate.audit.questions import asking
from phigate.audit.questions.asking import JOURNAL, JournalFolder, Since, Until
from phigate.audit.questions.show import plain
from phigate.audit.sealed.unseal import FILE
from phigate.audit.sealed.unseal_command import private_key
from phigate.host.recordings import drawn
from phigate.terminal import err, fail, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from phigate.audit.index.database import Index

_ID: Final = re.compile(r"[a-z]{2}-[0-9a-z]{1,64}", re.ASCII)


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
    key: Annotated[
        Path | None, typer.Option("--key", help="The auditor's private key (PEM): the sealed originals, not masked.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why you look; recorded, and needed with --key.")
    ] = None,
) -> None:
    """Write flows that mitmweb, mitmproxy and `mitmdump -nr` open, made from the journal's masked bodies."""
    start, end = asking.span(since, until)
    wanted = Wanted(subject=subject, model=model, since=start, until=end)
    if which is None and wanted == Wanted():
        raise fail("say which: a session, an exchange, a subject, a model or a span of time", 2)
    if which is not None and not _ID.fullmatch(which):  # it is recorded
        raise fail("this is no id of a session or of an exchange", 2)
    if key is not None and not (reason or "").strip():
        raise fail("--reason: say why you look at what is sealed", 2)
    private = private_key(key) if key is not None else None
    about = {"id": which, "subject": subject, "model": model, "since": since, "until": until}
    with asking.asked(journal) as index, _new(output) as file:
        _look(journal, {name: value for name, value in about.items() if value is not None}, reason, must=bool(private))
        found = _found(index, which, wanted)
        drawings = (_opened(index, each, private) for each in found) if private else map(flows.drawing, found)
        written = 0
        for written, drawing in enumerate(filter(None, drawings), 1):  # noqa: B007 -- counted
            drawn.write(file, drawing)
        if not written:
            raise fail("the journal knows no such exchange")
    say(f"{written} {'flow' if written == 1 else 'flows'}" + (f" in {output}" if str(output) != "-" else ""), err)


def _look(journal: Path, about: dict[str, str], reason: str | None, *, must: bool) -> None:
    """Record the look; what is sealed is not opened without."""
    if not must:
        look.note_or_say(journal, "flows", about, reason)
        return
    try:
        look.record(journal, "flows", about | {"sealed": "opened"}, reason)
    except look.Unrecorded as fault:
        raise fail(f"nothing is opened, because this look is not on record: {fault}", 2) from None


def _opened(index: Index, records: list[dict[str, Any]], private: X25519PrivateKey) -> drawn.Drawing | None:
    """The flow of an exchange with what was sealed of it; what stays closed is told."""
    exchange = records[0].get("exchange")
    where = index.rows(
        "SELECT file.instance, place.seq, file.name FROM place JOIN file ON file.id = file_id"
        " JOIN exchange ON exchange.id = exchange_id WHERE exchange.exchange = :exchange",
        {"exchange": exchange},
    )
    files = {(instance, seq): name for instance, seq, name in where}
    placed = [each | {FILE: files.get((each.get("instance"), each.get("seq")))} for each in records]
    found, faults = flows.unmasked(placed, private)
    for fault in faults:
        say(plain(fault).plain, err)
    return flows.drawing(found, original=True)


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
