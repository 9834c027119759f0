"""[I/O] `phigate report`: a period of the journal as one HTML file that needs nothing else."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from phigate import __version__
from phigate.audit import look
from phigate.audit.proof.verify_command import keys_of, proven
from phigate.audit.questions import times
from phigate.audit.questions.asking import JOURNAL, JournalFolder, asked
from phigate.audit.report.gather import gather
from phigate.audit.report.integrity import integrity
from phigate.audit.report.page import page
from phigate.audit.report.periods import Period
from phigate.terminal import fail, policy_of, say

if TYPE_CHECKING:
    from collections.abc import Callable

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def report(
    since: Annotated[
        str, typer.Option("--from", help="The first day, or a time (RFC 3339), or how long ago (30d, PT12H).")
    ] = "30d",
    until: Annotated[str | None, typer.Option("--to", help="The last day, likewise; now when left out.")] = None,
    journal: JournalFolder = JOURNAL,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write; `-` is standard output.")] = Path(
        "report.html"
    ),
    zone: Annotated[str, typer.Option("--zone", help="Whose days and hours: America/Chicago, for example.")] = "UTC",
    key: Annotated[
        list[Path] | None, typer.Option("--key", help="A public key (`*.journal.pub`): the journal is verified by it.")
    ] = None,
    anchor: Annotated[
        list[Path] | None,
        typer.Option("--anchor", help="With --key: a file with checkpoints kept elsewhere."),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option("--policy", help="A policy file whose masks are explained in the report.")
    ] = None,
) -> None:
    """Write the evidence report of a period: who asked models what, what was shown to whom, and what stands out.

    One HTML file, readable in a browser and on paper. It names staff and no patient; keep it as the journal is kept.
    """
    period = _period(since, until, _zone(zone), datetime.now(UTC))
    loaded = None if policy is None else policy_of(policy)
    keys = [each for path in key or [] for each in keys_of(path)]
    if anchor and not keys:
        raise fail("--anchor: needs --key", 2)
    if not journal.is_dir():
        raise fail(f"{journal}: no such folder")
    look.note_or_say(journal, "report", {"since": times.written(period.since), "until": times.written(period.until)})
    proof = integrity(proven(journal, keys, anchor or [])) if keys else None
    with asked(journal) as index:
        made = datetime.now(period.zone)
        text = page(gather(index, period, made, __version__, integrity=proof, policy=loaded))
    _write(output, text)


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise fail("--zone: no time zone of this name", 2) from None


def _period(since: str, until: str | None, zone: tzinfo, now: datetime) -> Period:
    start = _moment("--from", since, zone, now, read=times.since, after=timedelta())
    end = (
        now.timestamp()
        if until is None
        else _moment("--to", until, zone, now, read=times.until, after=timedelta(days=1))
    )
    if start >= end:
        raise fail("--from: not before --to", 2)
    return Period(start, end, zone)


def _moment(
    option: str, text: str, zone: tzinfo, now: datetime, *, read: Callable[[str, datetime], float], after: timedelta
) -> float:
    """A date is a day of the zone, `after` where in it the moment lies; all else is read as in every other question."""
    try:
        if _DATE.fullmatch(text.strip()):
            day = date.fromisoformat(text.strip()) + after
            return datetime.combine(day, time(), zone).timestamp()
        return read(text, now)
    except times.NoTime as fault:
        raise fail(f"{option}: {fault}", 2) from None
    except (ValueError, OverflowError):
        raise fail(f"{option}: {times.EXPECTED}", 2) from None


def _write(output: Path, text: str) -> None:
    """For its owner alone, and whole or not at all."""
    if str(output) == "-":
        sys.stdout.write(text)
        return
    part = output.with_name(f".{output.name}.part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        part.replace(output)
    except OSError as fault:
        part.unlink(missing_ok=True)
        raise fail(f"{output}: {(fault.strerror or 'cannot be written').lower()}") from None
    say(f"{output}: written")
