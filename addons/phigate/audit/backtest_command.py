"""`phigate backtest`: a policy tried on the traffic that the journal recorded."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 -- typer reads the signatures
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import orjson
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from phigate.audit.asking import JOURNAL, JournalFolder, Since, Until, span
from phigate.audit.backtest import Backtest
from phigate.audit.backtest_shadow import Shadowed
from phigate.audit.backtest_tally import KINDS
from phigate.audit.backtest_view import as_json, tables
from phigate.journal import chain, read
from phigate.terminal import err, fail, out, policy_of, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phigate.audit.backtest_tally import Tally
    from phigate.journal.read import Flaw
    from phigate.policy.schema import Policy

COULD_NOT: Final = 2
_STEP: Final = 1024
"""Records between two looks at the progress bar."""


class Adds(Protocol):
    """What takes records, one by one."""

    tally: Tally

    def add(self, record: dict[str, Any]) -> None: ...


def backtest(  # noqa: PLR0917 -- typer reads options from parameters
    policy: Annotated[Path | None, typer.Option("--policy", help="The policy to try.")] = None,
    journal: JournalFolder = JOURNAL,
    since: Since = None,
    until: Until = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Compare with this policy instead of with what was decided.")
    ] = None,
    was: Annotated[
        list[Path] | None,
        typer.Option(
            "--was",
            help="A policy that was in force: where it decided (its hash tells), it says what a masked prompt matched "
            "and how an answer was masked.",
        ),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", help=f"The findings that end with 1, with commas: {', '.join(KINDS)}. Default: all."),
    ] = None,
    *,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Sum up what the policy on trial (`phi_shadow`) said, instead.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON value instead of tables.")] = False,
) -> None:
    """Decide recorded requests again under another policy, and tell what would come out otherwise.

    Ends with 0 when nothing of what was asked for changes, 1 when something does, 2 when that could not be told.
    """
    asked = _kinds(fail_on)
    between = _stamps(since, until)
    if not journal.is_dir():
        raise fail(f"{journal}: no such folder", COULD_NOT)
    if shadow == (policy is not None) or (shadow and (against or was)):
        raise fail("name either the policy to try (--policy), or --shadow alone", COULD_NOT)
    if policy is None:
        summed = Shadowed()
        _run(summed, journal, between)
        named: dict[str, Any] = {"shadow": sorted(summed.policies)}
        tally = summed.tally
    else:
        new, other = policy_of(policy, COULD_NOT), policy_of(against, COULD_NOT) if against else None
        tried = Backtest(new, other, [policy_of(path, COULD_NOT) for path in was or ()])
        _run(tried, journal, between)
        named, tally = _named(new, other), tried.tally
    if not tally.exchanges:
        raise fail(f"{journal}: no {'request that a policy on trial saw' if shadow else 'request'} of that time", 2)
    if json:
        sys.stdout.buffer.write(orjson.dumps({**named, **as_json(tally)}, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        out.print(tables(tally))
        for note in _notes(tally, new if policy else None, other if policy else None):
            say(note)
    if any(tally.kinds[kind] for kind in asked) or ("unreadable" in asked and tally.unreadable):
        raise typer.Exit(1)


def _kinds(fail_on: str | None) -> tuple[str, ...]:
    asked = tuple(filter(None, (kind.strip() for kind in fail_on.split(",")))) if fail_on is not None else KINDS
    if strange := [kind for kind in asked if kind not in KINDS]:
        raise fail(f"--fail-on: no finding is called {strange[0]!a}; there are {', '.join(KINDS)}", COULD_NOT)
    return asked


def _stamps(since: str | None, until: str | None) -> tuple[str, str]:
    """The bounds as the journal writes times; the empty text where there is none."""
    first, last = (chain.stamp(datetime.fromtimestamp(at, UTC)) if at is not None else "" for at in span(since, until))
    return first, last


def _run(what: Adds, journal: Path, between: tuple[str, str]) -> None:
    """Show every record to it, those of each instance in order; requests outside the time are left out."""
    first, last = between

    def flaw(found: Flaw) -> None:
        if found.reason != "torn":  # a line that is being written, or was when the gateway ended
            what.tally.unreadable[found.reason] += 1

    try:
        for record in _records(journal, flaw):
            if record["kind"] in {"request", "hold"} and not (
                record["ts"] >= first and (not last or record["ts"] < last)
            ):
                continue
            what.add(record)
    except OSError as error:
        raise fail(f"{journal}: {(error.strerror or 'cannot be read').lower()}", COULD_NOT) from None


def _records(journal: Path, flaw: Callable[[Flaw], None]) -> Iterator[dict[str, Any]]:
    files = read.files(journal)
    columns = (TextColumn("deciding again"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task, done = bar.add_task("", total=sum(_size(file.path) for file in files)), 0
        for file in files:
            for number, item in enumerate(read.entries(file.path)):
                if isinstance(item, read.Flaw):
                    flaw(item)
                    continue
                yield item.record
                done += len(item.raw)
                if not number % _STEP:
                    bar.update(task, completed=done)


def _size(path: Path) -> int:
    with read.opened(path) as file:
        return file.seek(0, 2)


def _named(policy: Policy, against: Policy | None) -> dict[str, Any]:
    return {"policy": policy.sha256, "against": against.sha256 if against else None}


def _notes(tally: Tally, policy: Policy | None, against: Policy | None) -> Iterator[str]:
    """What the figures do not tell."""
    if policy is not None and against is not None and policy.fields != against.fields:
        yield "The policies' `fields` differ: what they hide and keep is not in these figures."
    if tally.kinds["undecided"]:
        yield "Undecided: `--was` with the policy of that time settles many of them."
