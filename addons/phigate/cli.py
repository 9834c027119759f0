"""The `phigate` command: check a policy, find and mask identifiers in text, read the journal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console

from phigate import __version__
from phigate.capture import read, sessions, show
from phigate.house import ROOT, StartFault, read_secrets
from phigate.masking import RosterFault, Transformer, default_detectors, load_roster
from phigate.policy.cases import run_cases
from phigate.policy.load import PolicyFaults, load_policy
from phigate.policy.schema import REVEAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.masking import Detectors
    from phigate.policy.schema import Mask, Policy

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
out = Console()
err = Console(stderr=True)

PolicyFile = Annotated[Path, typer.Option("--policy", help="The policy file.")]
JournalFolder = Annotated[Path, typer.Option("--journal", help="The folder of the journal.")]
RosterFile = Annotated[
    Path | None, typer.Option("--roster", help="Names and numbers to find exactly (CSV, JSON lines, plain lines).")
]

POLICY = ROOT / "rules" / "policy.yaml"
JOURNAL = ROOT / "var" / "journal"


def _say(text: str, where: Console = out) -> None:
    """Print as it stands: a path or a fault may hold what would count as markup, or be longer than a line."""
    where.print(text, markup=False, highlight=False, soft_wrap=True)


def _fail(text: str, code: int = 1) -> typer.Exit:
    _say(text, err)
    return typer.Exit(code)


def _policy(path: Path) -> Policy:
    try:
        return load_policy(path)
    except PolicyFaults as faults:
        raise _fail("\n".join(faults.faults)) from None


@app.callback(invoke_without_command=True)
def main(*, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(f"phigate {__version__}", highlight=False)
        raise typer.Exit


@app.command()
def check(
    policy: Annotated[Path, typer.Argument(help="The policy file.")] = POLICY,
    cases: Annotated[
        list[Path] | None, typer.Option("--cases", help="Case files; default: `cases/*.yaml` beside the policy.")
    ] = None,
) -> None:
    """Check a policy and what it must answer; every fault as `file:line: path: fault`."""
    loaded = _policy(policy)
    files = cases or sorted((policy.parent / "cases").glob("*.yaml"))
    run, failed = 0, 0
    for file in files:
        for result in _cases(loaded, file):
            run += 1
            if not result.ok:
                failed += 1
                _say(str(result))
    _say(f"{policy}: {len(loaded.rules)} rules, {run - failed} of {run} cases as expected")
    if failed:
        raise typer.Exit(1)


def _cases(policy: Policy, file: Path) -> list[Any]:
    try:
        return list(run_cases(policy, file.read_bytes(), str(file)))
    except PolicyFaults as faults:
        raise _fail("\n".join(faults.faults)) from None
    except OSError as error:
        raise _fail(f"{file}: {(error.strerror or '').lower()}") from None


def _detectors(roster: Path | None) -> Detectors:
    try:
        return default_detectors(load_roster(roster) if roster else None)
    except RosterFault as fault:
        raise _fail(str(fault)) from None


@app.command()
def scan(roster: RosterFile = None) -> None:
    """Find identifiers: JSON lines `{"id","text"}` in, `{"id","findings":[{"start","end","entity","score"}]}` out.

    Offsets count characters. A line that cannot be read is told on standard error by its number; the others go on.
    """
    detectors, bad = _detectors(roster), 0
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        item = _item(line)
        if isinstance(item, str):
            bad += 1
            _say(f"line {number}: {item}", err)
            continue
        found = [
            {"start": f.start, "end": f.end, "entity": f.entity, "score": f.score} for f in detectors.find(item["text"])
        ]
        sys.stdout.buffer.write(orjson.dumps({"id": item.get("id"), "findings": found}) + b"\n")
    sys.stdout.buffer.flush()
    if bad:
        raise typer.Exit(1)


def _item(line: bytes) -> dict[str, Any] | str:
    """A line's object, or what is wrong with it (never its content)."""
    try:
        item = orjson.loads(line)
    except ValueError:
        return "not JSON"
    if not isinstance(item, dict):
        return "not an object"
    return item if isinstance(item.get("text"), str) else "`text` is not a string"


@app.command()
def mask(
    name: Annotated[str, typer.Option("--mask", help="A mask of the policy, by name.")],
    policy: PolicyFile = POLICY,
    roster: RosterFile = None,
    secrets: Annotated[str, typer.Option("--secrets", help="The gateway's keys: file, or env:NAME.")] = str(
        ROOT / "var" / "keys" / "secrets"
    ),
    scope: Annotated[str, typer.Option("--scope", help="Surrogates and date shifts agree within one scope.")] = "cli",
) -> None:
    """Mask text from standard input, as the gateway would mask an answer; `--roster` replaces the policy's own."""
    loaded = _policy(policy)
    try:
        transformer = Transformer(_mask(loaded, name), read_secrets(secrets), scope)
    except StartFault as fault:
        raise _fail(str(fault)) from None
    scanner = _detectors(roster or (loaded.folder / loaded.roster if loaded.roster else None)).scanner()
    sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]  # a real stream here
    write = sys.stdout.write
    for text in _chunks():
        for piece in scanner.feed(text):
            write(transformer.render(piece))
    for piece in scanner.close():
        write(transformer.render(piece))
    sys.stdout.flush()


def _mask(policy: Policy, name: str) -> Mask:
    if name == REVEAL.name:
        return REVEAL
    if name not in policy.masks:
        known = ", ".join(sorted(policy.masks)) or "none"
        raise _fail(f"no mask of this name in the policy; it has: {known}", 2)
    return policy.masks[name]


def _chunks() -> Iterator[str]:
    """Standard input in pieces of bounded size, whatever its lines are like."""
    sys.stdin.reconfigure(encoding="utf-8", errors="replace", newline="")  # type: ignore[union-attr]  # a real stream here
    while text := sys.stdin.read(65536):
        yield text


@app.command(name="sessions")
def list_sessions(
    journal: JournalFolder = JOURNAL,
    subject: Annotated[str | None, typer.Option(help="Only this subject's.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines instead of a table.")] = False,
) -> None:
    """List the sessions in the journal, the latest first."""
    _folder(journal)
    found = read.sessions(journal, sessions.Wanted(subject=subject), note=_flaw)
    if as_json:
        for summary in found:
            sys.stdout.buffer.write(orjson.dumps(summary, default=_plain) + b"\n")
    else:
        out.print(show.sessions_table(found))


@app.command(name="show")
def show_exchange(
    exchange: Annotated[str, typer.Argument(help="The id from the header `phi-exchange`, or of a session.")],
    journal: JournalFolder = JOURNAL,
) -> None:
    """Show one exchange: who, what, the decision, what was found, and both sides as the journal holds them.

    The id of a session lists its exchanges.
    """
    _folder(journal)
    if records := read.exchange(journal, exchange, note=_flaw):
        out.print(show.exchange_view(records))
    elif asked := [entry.record for entry in read.records(journal) if entry.record.get("session") == exchange]:
        out.print(show.exchanges_table(asked))
    else:
        raise _fail("the journal knows no exchange and no session of this id")


def _folder(journal: Path) -> None:
    if not journal.is_dir():
        raise _fail(f"{journal}: no such folder")


def _flaw(flaw: read.Flaw) -> None:
    _say(f"{flaw.file}:{flaw.line}: {flaw.reason}", err)


def _plain(value: object) -> object:
    if isinstance(value, set | frozenset | tuple):
        return sorted(value)
    raise TypeError


if __name__ == "__main__":
    app()
