"""The commands `phigate prune` and `phigate legal-hold`: what is deleted when its time is over, and what is not."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer

from phigate.audit import look
from phigate.audit.proof.verify_command import keys_of, proven
from phigate.audit.questions import times
from phigate.audit.questions.asking import JOURNAL, JournalFolder
from phigate.audit.questions.show import plain
from phigate.journal import chain, zst
from phigate.journal import prune as deleting
from phigate.journal.checkpoint import Checkpoints
from phigate.journal.disk import JournalFault
from phigate.journal.holds import Hold, held_still, read_holds, write_holds
from phigate.journal.proof import FINDINGS, verdict_of
from phigate.journal.signer import Signer, open_signer, public_keys
from phigate.options import ROOT
from phigate.terminal import POLICY, PolicyFile, err, fail, out, policy_of, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phigate.journal.prune import Candidate

KEYS: Final = ROOT / "var" / "keys"
REASON: Final = 500
"""Characters."""

legal_hold = typer.Typer(no_args_is_help=True, help="Keep records that an inquiry needs, whatever their age.")


def prune(
    journal: JournalFolder = JOURNAL,
    *,
    before: Annotated[
        str | None, typer.Option("--before", help="Only what was written before: a date, a time, or 3000d (ago).")
    ] = None,
    keys: Annotated[Path, typer.Option("--keys", help="The folder with the keys of the gateway (`phi_keys`).")] = KEYS,
    policy: PolicyFile = POLICY,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; it will stand in the journal.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and delete nothing.")] = False,
) -> None:
    """Delete whole files whose records are all older than the policy's `capture.retain`, and put that on record first.

    The journal is proven before: if anything in it was changed or damaged, nothing is deleted. Ends with 0 when it is
    done, 1 when the journal does not hold, 2 when nothing could be done.
    """
    now = datetime.now(UTC)
    limit = now - policy_of(policy, 2).capture.retain
    if before is not None:
        limit = min(limit, datetime.fromtimestamp(_moment(before, now), UTC))
    try:
        _prove(journal, keys)
        with contextlib.ExitStack() as until_done:
            if not dry_run:  # which writes nothing
                until_done.enter_context(held_still(journal))
            found = deleting.candidates(journal, limit, read_holds(journal))
            going = _told(found, dry_run=dry_run)
            if going and not dry_run:
                _record(journal, going, open_signer(keys, look.instance()), reason)
                deleting.delete(journal, going, lambda name: say(f"deleted {name}"))
    except (JournalFault, look.Unrecorded) as fault:
        raise fail(str(fault), 2) from None
    except (OSError, zst.Damaged) as fault:
        raise fail(f"{journal}: {fault.strerror if isinstance(fault, OSError) else fault}", 2) from None
    if not found:
        say(f"nothing is older than {limit:%Y-%m-%d}")


def _moment(text: str, now: datetime) -> float:
    try:
        return times.since(text, now)
    except times.NoTime as fault:
        raise fail(f"--before: {fault}", 2) from None


def _prove(journal: Path, keys: Path) -> None:
    """End the command unless the journal holds under the keys that are here."""
    public = [each for path in public_keys(keys) for each in keys_of(path)]
    proofs = proven(journal, public)
    verdict = verdict_of(proofs)
    for proof in proofs:
        for finding in proof.findings:
            place = finding.file if finding.line is None else f"{finding.file}:{finding.line}"
            err.print(plain(f"{place}: {finding.reason}: {FINDINGS[finding.reason]}"), soft_wrap=True)
    if verdict == "broken":
        raise fail("the journal does not hold: nothing is deleted")
    if verdict == "untold":
        raise fail(f"{keys}: without the keys of all gateways the journal cannot be proven: nothing is deleted", 2)


def _told(found: Sequence[Candidate], *, dry_run: bool) -> list[Candidate]:
    """Say what stays and what goes; what goes."""
    for each in found:
        if each.kept is not None:
            out.print(plain(f"kept {each.file.name}: {each.kept}"), soft_wrap=True)
        elif dry_run:
            records = f"records {each.first:,} to {each.last:,}, {each.begun[:10]} to {each.ended[:10]}"
            out.print(plain(f"would delete {each.file.name}: {records}"), soft_wrap=True)
    return [each for each in found if each.kept is None]


def _record(journal: Path, going: Sequence[Candidate], signer: Signer, reason: str | None) -> None:
    """Put all of it on record and sign that; raises look.Unrecorded, JournalFault and OSError."""
    head = None
    for each in going:
        head = look.write(journal, "prune", deleting.prune_record(each, reason, look.who()))
    if head is None:
        raise JournalFault(f"{journal}: the chain of `{look.instance()}` cannot be signed; nothing is deleted")
    signed = Checkpoints(journal, signer, lambda: head, lambda: datetime.now(UTC))
    signed.write(head)
    if signed.fault is not None:
        raise JournalFault(f"{journal}: a checkpoint cannot be written ({signed.fault}); nothing is deleted")


# -- legal holds ----------------------------------------------------------------------------------------------------


@legal_hold.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What the hold is called.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it will stand in the journal.")],
    journal: JournalFolder = JOURNAL,
    *,
    since: Annotated[str | None, typer.Option("--since", help="Hold what was written from then on.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Hold what was written before that.")] = None,
) -> None:
    """Put up a hold; without a time it holds all records."""
    now = datetime.now(UTC)
    if not reason.strip() or len(reason) > REASON or not 0 < len(name) <= 64:
        raise fail(f"--reason: a text of at most {REASON} characters is needed, and a name of at most 64", 2)
    start = None if since is None else _stamp(_moment(since, now))
    end = None if until is None else _stamp(_until(until, now))
    hold = Hold(name, reason, start, end, chain.stamp(now))
    with _changing(journal) as held:
        if any(hold.name == name for hold in held):
            raise fail("there is a hold of this name already", 2)
        _change(journal, [*held, hold], {"add": name, "since": start, "until": end}, reason)


@legal_hold.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="What the hold is called.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it will stand in the journal.")],
    journal: JournalFolder = JOURNAL,
) -> None:
    """Take down a hold."""
    with _changing(journal) as held:
        left = [hold for hold in held if hold.name != name]
        if len(left) == len(held):
            raise fail("there is no hold of this name", 2)
        _change(journal, left, {"remove": name}, reason)


@legal_hold.command("list")
def show(journal: JournalFolder = JOURNAL) -> None:
    """List the holds."""
    for hold in _holds(journal):
        span = f"{hold.since or 'the beginning'} to {hold.until or 'the end'}"
        out.print(plain(f"{hold.name}: {span}, since {hold.added}: {hold.reason}"), soft_wrap=True)


def _stamp(at: float) -> str:
    return chain.stamp(datetime.fromtimestamp(at, UTC))


def _until(text: str, now: datetime) -> float:
    try:
        return times.until(text, now)
    except times.NoTime as fault:
        raise fail(f"--until: {fault}", 2) from None


def _holds(journal: Path) -> list[Hold]:
    if not journal.is_dir():
        raise fail(f"{journal}: no such folder", 2)
    try:
        return read_holds(journal)
    except JournalFault as fault:
        raise fail(str(fault), 2) from None


@contextlib.contextmanager
def _changing(journal: Path) -> Iterator[list[Hold]]:
    """The holds, which nobody else changes or deletes by meanwhile."""
    if not journal.is_dir():
        raise fail(f"{journal}: no such folder", 2)
    try:
        with held_still(journal):
            yield _holds(journal)
    except OSError as fault:
        raise fail(f"{journal}: {(fault.strerror or 'cannot be written').lower()}", 2) from None


def _change(journal: Path, holds: Sequence[Hold], about: dict[str, str | None], reason: str) -> None:
    """On record first: a hold that nobody knows of is worse than a record of one that is not there."""
    try:
        look.record(journal, "legal-hold", about, reason)
        write_holds(journal, holds)
    except look.Unrecorded as fault:
        raise fail(str(fault), 2) from None
    except OSError as fault:
        raise fail(f"{journal}: {(fault.strerror or 'cannot be written').lower()}", 2) from None
