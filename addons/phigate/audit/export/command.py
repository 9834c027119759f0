"""`phigate export`: the journal in the formats of others, as a file or to an audit repository."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from phigate.audit import look
from phigate.audit.export import feed, fhir_post, happenings
from phigate.audit.export import write as exporting
from phigate.audit.export.parquet import Missing
from phigate.audit.index.database import IndexFault
from phigate.audit.index.exchanges import Wanted
from phigate.audit.questions.asking import JOURNAL, JournalFolder, Since, Until, asked, span
from phigate.audit.questions.show import plain
from phigate.streams import StreamFault, leaving_quietly, output
from phigate.terminal import err, fail, say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.audit.export.happenings import Happening
    from phigate.audit.index.database import Index


class Format(StrEnum):
    """What an export is written in."""

    FHIR = "fhir"
    OCSF = "ocsf"
    ECS = "ecs"
    CSV = "csv"
    PARQUET = "parquet"


Output = Annotated[Path | None, typer.Option("-o", "--output", help="The file; default: standard output.")]
BearerFile = Annotated[
    Path | None, typer.Option("--bearer-file", help="Holds the bearer that the repository asks for.")
]
ClientCertificate = Annotated[
    Path | None, typer.Option("--client-cert", help="Our certificate and key (PEM), where the repository asks for it.")
]
StateFile = Annotated[
    Path | None, typer.Option("--state", help="A file that says how far it is: the next time goes on from there.")
]
MAX_BEARER: Final = 64 * 1024
REDRAW: Final = 0.1
"""Seconds between two looks of the bar."""


def export(
    *,
    format_: Annotated[Format, typer.Option("--format", help="What it is written in.")],
    journal: JournalFolder = JOURNAL,
    subject: Annotated[str | None, typer.Option(help="Only this subject's.")] = None,
    issuer: Annotated[str | None, typer.Option(help="Only subjects of this issuer.")] = None,
    session: Annotated[str | None, typer.Option(help="Only of this session.")] = None,
    role: Annotated[str | None, typer.Option(help="Only of this role.")] = None,
    model: Annotated[str | None, typer.Option(help="Only to this model.")] = None,
    action: Annotated[str | None, typer.Option(help="Only with this action.")] = None,
    verb: Annotated[str | None, typer.Option(help="Only permit, hold, deny or break_glass.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only under this rule.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only decided for this reason.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only where this was found, such as MRN.")] = None,
    outcome: Annotated[str | None, typer.Option(help="Only answers that ended like this.")] = None,
    since: Since = None,
    until: Until = None,
    out: Output = None,
    post: Annotated[
        str | None, typer.Option("--post", help="fhir: the base address of an audit repository (IHE ITI-20).")
    ] = None,
    bearer_file: BearerFile = None,
    client_cert: ClientCertificate = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=1000, help="Events sent at once; 1: one by one.")] = 100,
    state: StateFile = None,
    events: Annotated[
        bool, typer.Option("--events/--no-events", help="Also the records that are about no exchange.")
    ] = True,
    disclosures: Annotated[
        bool, typer.Option("--disclosures/--no-disclosures", help="fhir: one event more for each person revealed.")
    ] = True,
    why: Annotated[str | None, typer.Option("--why", help="Why; kept in the record of this look.")] = None,
) -> None:
    """Export the journal: FHIR AuditEvents, OCSF or ECS events, CSV or Parquet.

    fhir, ocsf and ecs are JSON lines of all records; csv and parquet have one row an exchange. Filters that say nothing
    of other records (a model, a rule) leave those out.
    """
    start, end = span(since, until)
    wanted = Wanted(
        subject=subject,
        issuer=issuer,
        session=session,
        role=role,
        model=model,
        action=action,
        verb=verb,
        rule=rule,
        reason=reason,
        entity=entity,
        outcome=outcome,
        since=start,
        until=end,
    )
    question = exporting.Question(wanted, events and format_ not in exporting.ROWS)
    _check(format_, post=post, out=out, state=state, since=since, of_post=(state, bearer_file, client_cert))
    repository = _repository(post, bearer_file, client_cert, batch) if post else None
    with asked(journal) as index, leaving_quietly():
        _look(journal, format_, wanted, post, why)
        try:
            if repository is None:
                _file(index, format_, question, out, disclosures=disclosures)
            else:
                _feed(index, question, repository, state, disclosures=disclosures)
        except (IndexFault, Missing, StreamFault, feed.StateFault, OSError) as fault:
            raise fail(plain(_said(fault)).plain) from None


def _check(
    format_: Format,
    *,
    post: str | None,
    out: Path | None,
    state: Path | None,
    since: str | None,
    of_post: tuple[Path | None, ...],
) -> None:
    """What excludes what."""
    if post is not None and (format_ != Format.FHIR or out is not None):
        raise fail("--post sends fhir, and writes no file", 2)
    if post is None and any(of_post):
        raise fail("--state, --bearer-file and --client-cert belong to --post", 2)
    if state is not None and since is not None:
        raise fail("--state says since when: --since and --state exclude each other", 2)
    if post is not None and not fhir_post.usable(post):
        raise fail(f"--post: {fhir_post.NOT_USABLE}", 2)
    if format_ == Format.PARQUET and out is None and sys.stdout.isatty():
        raise fail("parquet is not for a terminal: -o FILE", 2)


def _repository(url: str, bearer_file: Path | None, client_cert: Path | None, batch: int) -> fhir_post.Repository:
    bearer = None if bearer_file is None else _bearer(bearer_file)
    try:
        context = fhir_post.tls(client_cert)
    except OSError:
        raise fail(f"{client_cert}: no certificate with its key can be read here", 2) from None
    return fhir_post.Repository(url, bearer=bearer, batch=batch, context=context)


def _bearer(path: Path) -> str:
    """What a file holds, if it is a bearer; it is never told."""
    try:
        with path.open("rb") as file:
            bearer = file.read(MAX_BEARER).decode("ascii").strip()
    except (OSError, ValueError):
        raise fail(f"{path}: no bearer can be read here", 2) from None
    if not bearer or not bearer.isprintable() or " " in bearer:
        raise fail(f"{path}: this is no bearer", 2)
    return bearer


def _look(journal: Path, format_: Format, wanted: Wanted, post: str | None, why: str | None) -> None:
    filters = {name: value for name, value in asdict(wanted).items() if value is not None}
    about: dict[str, Any] = {"format": str(format_), "filters": filters} | ({"post": post} if post else {})
    look.note_or_say(journal, "export", about, why)


def _file(index: Index, format_: Format, question: exporting.Question, out: Path | None, *, disclosures: bool) -> None:
    with _bar(question.count(index), apart=out is not None) as watched, output(out) as file:
        count = exporting.write(format_, watched(question.happenings(index)), file, disclosures=disclosures)
    if out is not None:
        say(f"{out}: {count} {'rows' if format_ in exporting.ROWS else 'lines'}", err)


def _feed(
    index: Index,
    question: exporting.Question,
    repository: fhir_post.Repository,
    path: Path | None,
    *,
    disclosures: bool,
) -> None:
    now = time.time()
    filters = {name: value for name, value in asdict(question.wanted).items() if name not in ("since", "until")}
    about = {"to": repository.url, "filters": filters, "events": question.events, "disclosures": disclosures}
    state = feed.State(about) if path is None else feed.read(path, about)
    asked_until = question.wanted.until
    question = question.before(min(now - feed.SETTLE, asked_until if asked_until is not None else now))
    left = ""
    with repository, _bar(question.count(index), apart=True) as watched:
        try:
            feed.run(
                watched(question.happenings(index, state.through)),
                feed.waiting(index, state),
                repository,
                state,
                now=now,
                disclosures=disclosures,
                keep=(lambda kept: feed.write(path, kept)) if path is not None else (lambda _kept: None),
            )
        except fhir_post.Undelivered as fault:
            left = str(fault)
    _tell(repository.delivered, state, left, resumes=path is not None)


def _tell(done: fhir_post.Delivered, state: feed.State, left: str, *, resumes: bool) -> None:
    say(f"{done.created} created, {done.there} there already, {done.refused} refused", err)
    for id_, status in done.told:
        say(f"AuditEvent {id_}: refused with status {status}", err)
    if state.open:
        say(f"{len(state.open)} exchanges without their answer yet: not sent", err)
    if left:
        again = "the same command goes on from there" if resumes else "what is there already is not created again"
        raise fail(f"not all was sent: {left}; {again}")
    if done.refused:
        raise typer.Exit(1)


@contextmanager
def _bar(total: int, *, apart: bool) -> Iterator[Any]:
    """A function that lets happenings through and draws them; a bar only where somebody sees it."""
    if not err.is_terminal or (sys.stdout.isatty() and not apart):
        yield lambda found: found
        return
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, auto_refresh=False) as bar:
        task = bar.add_task("", total=total)

        def watched(found: Iterable[Happening]) -> Iterator[Happening]:
            drawn, done = 0.0, 0
            for each in found:
                done += each.kind == happenings.EXCHANGE
                if (now := time.monotonic()) - drawn > REDRAW:
                    bar.update(task, completed=done, refresh=True)
                    drawn = now
                yield each

        yield watched


def _said(fault: Exception) -> str:
    if isinstance(fault, OSError):
        return f"{fault.filename or 'output'}: {(fault.strerror or 'cannot be written').lower()}"
    return str(fault)
