"""`phigate backtest`: a policy tried on the traffic that the journal recorded."""

from __future__ import annotations

import secrets as randomness
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path  # noqa: TC003 -- typer reads the signatures
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import orjson
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from phigate.audit import look
from phigate.audit.backtest.compare import Backtest
from phigate.audit.backtest.kept import Kept
from phigate.audit.backtest.remask import Eyes
from phigate.audit.backtest.shadow import Shadowed
from phigate.audit.backtest.tally import KINDS
from phigate.audit.backtest.view import as_json, tables
from phigate.audit.questions.asking import JOURNAL, JournalFolder, Since, Until, span
from phigate.audit.sealed import unseal
from phigate.audit.sealed.unseal_command import private_key
from phigate.journal import chain, read
from phigate.masking import RosterFault
from phigate.masking.secrets import parse_secrets
from phigate.policy.load import PolicyFaults
from phigate.serving import served
from phigate.sources import read_sources
from phigate.terminal import err, fail, out, policy_of, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from phigate.audit.backtest.tally import Tally
    from phigate.journal.read import Flaw
    from phigate.policy.schema import Policy

COULD_NOT: Final = 2
KEPT: Final = frozenset({"request", "hold", "response", "part", "message"})
"""Kinds of records that tell something of an exchange."""
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
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The auditor's private key (PEM), for sealed originals; your look is recorded."),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="With --key: why you look; it is recorded.")] = None,
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
    if shadow == (policy is not None) or (shadow and (against or was or key)):
        raise fail("name either the policy to try (--policy), or --shadow alone", COULD_NOT)
    if policy is None:
        summed = Shadowed()
        _run(summed, journal, between)
        named: dict[str, Any] = {"shadow": sorted(summed.policies)}
        tally = summed.tally
    else:
        new, other = policy_of(policy, COULD_NOT), policy_of(against, COULD_NOT) if against else None
        past = [policy_of(path, COULD_NOT) for path in was or ()]
        kept = _opening(journal, key, reason, new, between) if key else Kept()
        tried = Backtest(new, other, past, kept, _eyes() if key else None)
        _run(tried, journal, between)
        tried.tally.unreadable.update(kept.closed)
        named, tally = _named(new, other), tried.tally
    if not tally.exchanges:
        raise fail(f"{journal}: no {'request that a policy on trial saw' if shadow else 'request'} of that time", 2)
    if json:
        sys.stdout.buffer.write(orjson.dumps({**named, **as_json(tally)}, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        out.print(tables(tally))
        for note in _notes(tally, other, new) if policy is not None and key is None else ():
            say(note)
    if any(tally.kinds[kind] for kind in asked) or ("unreadable" in asked and tally.unreadable):
        raise typer.Exit(1)


def _opening(journal: Path, key: Path, reason: str | None, policy: Policy, between: tuple[str, str]) -> Kept:
    """The auditor's key, once it is on record that it is used and why."""
    if not reason or not reason.strip():
        raise fail("--reason: say why you look", COULD_NOT)
    private = private_key(key)
    about = {"policy": policy.sha256, "since": between[0] or None, "until": between[1] or None}
    try:
        look.record(journal, "backtest", about, reason.strip())
    except look.Unrecorded as fault:
        raise fail(f"nothing is opened, because this look is not on record: {fault}", COULD_NOT) from None
    return Kept(private)


def _eyes() -> Callable[[Policy], Eyes]:
    """What policies see with, read once each; stand-ins are made with keys of this run alone."""
    keys = parse_secrets(f"1 {randomness.token_hex(32)}", "backtest")

    @cache
    def eyes(policy: Policy) -> Eyes:
        try:
            return Eyes(policy, read_sources(policy), served(policy, policy.folder)[1], keys)
        except (PolicyFaults, RosterFault) as fault:
            raise fail(str(fault), COULD_NOT) from None

    return eyes


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
                if item.record["kind"] in KEPT:
                    item.record[unseal.FILE] = item.file
                yield item.record
                done += len(item.raw)
                if not number % _STEP:
                    bar.update(task, completed=done)


def _size(path: Path) -> int:
    with read.opened(path) as file:
        return file.seek(0, 2)


def _named(policy: Policy, against: Policy | None) -> dict[str, Any]:
    return {"policy": policy.sha256, "against": against.sha256 if against else None}


def _notes(tally: Tally, old: Policy | None, new: Policy) -> Iterator[str]:
    """What the figures do not tell without originals."""
    if old is not None and old.fields != new.fields:
        yield "The policies' `fields` differ: what they hide and keep is not in these figures."
    if tally.kinds["undecided"]:
        yield "Undecided: where the journal lacks the policy of that time, `--was FILE` may settle many of them."
