"""What it costs to ask a journal: each question as its command, against reading the files once.

The journal is made (bench/recorded.py), then each command runs in a process of its own, with its start, over a warm
page cache. The unit is reading every line of every file once, compressed ones too, by the journal's own reader;
the ratio is of the processor's time. A process's memory is the greatest that the system ever gave it (`ru_maxrss`).
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench import recorded
from bench.gateway import processor, table_of
from phigate.audit.index.database import open_index
from phigate.cli import app
from phigate.masking.secrets import Secrets
from processes import NotReady

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.recorded import Made

KEY: Final = "5a" * 32
COLUMNS: Final = ("what", "seconds", "CPU seconds", "ratio", "peak MB")
ONCE: Final = "reading the files once"
BUILT: Final = "the first question: the index is made"


READ: Final = """
import sys
from pathlib import Path
from phigate.journal import read
print(sum(1 for file in read.files(Path(sys.argv[1])) for _ in read.lines(file.path)))
"""
MEASURE: Final = """
import os, sys, time
started = time.monotonic()
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
_, status, used = os.wait4(process, 0)
print(time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True, slots=True)
class Plan:
    records: int = 1_000_000
    rounds: int = 3
    file_size: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """One process from start to end."""

    seconds: float
    cpu: float
    """Seconds of the processor: what else the machine does counts for less here."""
    peak: int
    """Bytes."""


def questions(folder: Path, made: Made, exchange: str, session: str) -> Iterator[tuple[str, list[str]]]:
    """What is asked, and the words of the command; those that this version has."""
    journal, out = ["--journal", str(folder / "journal")], str(folder / "out")
    keys = ["--secrets", str(folder / "secrets")]
    patient = f"MRN {made.patient}"
    asked: dict[str, list[str]] = {
        "the command alone": ["--version"],
        "sessions, the latest 100": ["sessions", *journal],
        "sessions of one subject": ["sessions", "--subject", "coder-1@hospital.example", *journal],
        "sessions, rare: denied, with an MRN, in May": [
            *("sessions", "--verb", "deny", "--entity", "MRN", "--since", "2026-05-01", "--until", "2026-05-31"),
            *journal,
        ],
        "show an exchange of a compressed file": ["show", exchange, *journal],
        "replay a session of compressed files": ["replay", session, "--speed", "0", *journal],
        "who-saw, the patient seen most": ["who-saw", patient, *keys, *journal],
        "who-saw as JSON, every exchange": ["who-saw", patient, "--json", *keys, *journal],
        "disclosures as CSV": ["disclosures", "--patient", patient, "-o", f"{out}.csv", *keys, *journal],
        "report, a month": ["report", "--from", "2026-11-01", "--to", "2026-11-30", "-o", f"{out}.html", *journal],
        "report, the year": ["report", "--from", "2026-01-01", "--to", "2026-12-31", "-o", f"{out}.html", *journal],
        "export as CSV, the year": ["export", "--format", "csv", "-o", f"{out}.csv", *journal],
    }
    known = {command.name or "" for command in app.registered_commands} | {"--version"}
    yield from ((what, words) for what, words in asked.items() if words[0] in known)


def once(words: list[str]) -> Run:
    """Run a command; what it prints is not looked at.

    Between us and it stands a process that is as good as empty: the system counts to a process's memory what the one
    that started it had at that moment.
    """
    asked = [sys.executable, "-S", "-c", MEASURE, *words]
    done = subprocess.run(asked, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace")[-500:]
        raise NotReady(f"`{' '.join(words[2:])}` ended with {done.returncode}: {said}")
    seconds, cpu, peak = done.stdout.split()
    return Run(float(seconds), float(cpu), int(peak) * 1024)


def median(words: list[str], rounds: int) -> Run:
    runs = [once(words) for _ in range(rounds)]
    seconds, cpu = (statistics.median(getattr(run, name) for run in runs) for name in ("seconds", "cpu"))
    return Run(seconds, cpu, max(run.peak for run in runs))


def row(what: str, run: Run, unit: Run) -> list[str]:
    ratio = f"{run.cpu / unit.cpu:.2f}"
    return [what, f"{run.seconds:.2f}", f"{run.cpu:.2f}", ratio, f"{run.peak / 1e6:.0f}"]


def run(plan: Plan) -> None:
    """Make the journal, ask, and print."""
    out = Console(width=max(Console().width, 100), highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="phigate-bench-"))
    try:
        (folder / "secrets").write_text(f"1 {KEY}\n")
        (folder / "secrets").chmod(0o600)
        made = recorded.make(
            folder / "journal", plan.records, Secrets(bytes.fromhex(KEY), "1"), file_size=plan.file_size
        )
        out.print(f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}")
        out.print(
            f"{made.records} records of {made.exchanges} exchanges, {made.bytes / 1e6:.0f} MB of lines "
            f"in {made.files} files of {made.stored / 1e6:.0f} MB"
        )
        rows = list(measured(folder, made, plan))
        out.print(table_of("Asking the journal", COLUMNS, rows))
        out.print(f"index: {(folder / 'journal' / 'index.db').stat().st_size / 1e6:.0f} MB")
    finally:
        shutil.rmtree(folder)


def measured(folder: Path, made: Made, plan: Plan) -> Iterator[list[str]]:
    """A row for each question, the unit first."""
    journal = folder / "journal"
    unit = median([sys.executable, "-P", "-c", READ, str(journal)], plan.rounds)
    yield row(ONCE, unit, unit)
    phigate = [sys.executable, "-P", "-m", "phigate.cli"]
    yield row(BUILT, once([*phigate, "sessions", "--limit", "1", "--journal", str(journal)]), unit)
    with open_index(journal) as index:
        exchange, session = next(index.rows("SELECT exchange, session FROM exchange WHERE verb = 'permit' LIMIT 1"))
    for what, words in questions(folder, made, exchange, session):
        yield row(what, median([*phigate, *words], plan.rounds), unit)
