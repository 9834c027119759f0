"""Half of what the gateway can do, for half an hour, of everything that it does: does anything grow, is all on record?

Capacity is measured first: so many callers that each ask again as soon as they were answered. Then the same mix comes
at half of that pace, at random moments, without waiting for answers. Every half minute the callers hold their breath
until nothing is under way, and what is alive inside the gateway is counted after a full collection (soaking/probe.py).
At the end the gateway is stopped, its journal verified, and held against what callers saw.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from rich.console import Console

import rosters
from bench.gateway import Helper, cpu_seconds, pinned, processor, table_of
from bench.soaking.growth import LIMITS, Line, after_warm_up, judged, line_through
from bench.soaking.records import amiss, journal_of, told_in
from people import policy_for
from processes import HOST, ROOT, Gateway, free_port, settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.soaking.records import Told

PROBE: Final = Path(__file__).parent / "soaking" / "probe.py"
RULES: Final = """
  - {name: clinicians-predict, permit: [clinician], to: [predict, list-models], models: ["*"], mask: minimum-necessary}
  - name: try-models
    hold: [ml-operator]
    to: [chat]
    models: ["*"]
    approvers: [privacy-officer]
    wait: PT30S
    mask: minimum-necessary

masks:
"""
LIMITED: Final = """
limits:
  - {roles: ["*"], requests: {per: PT1M, most: 100000}, at_once: 1000}
  - {roles: [researcher], requests: {per: PT1M, most: 100000}, exact: true}

rules:
"""
SHOWN: Final = 5
"""Exchanges that are told of each thing that is wrong."""
GROWN: Final = 12
"""Types and lines that are told of what grew."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to soak, how often to look; how long and with how many callers capacity is measured."""

    seconds: float = 1800.0
    every: float = 30.0
    capacity: float = 60.0
    workers: int = 32
    acts: tuple[str, ...] | None = None
    new: float = 0.3
    """How often it is somebody who never came before."""
    people: int = 5000
    """In the policy's roster."""
    settle: float = 0.5
    """Seconds between the last answer and the look inside."""
    leak: int = 0
    """Small objects that are kept of each exchange, to see that it is found."""
    judges: bool = True
    """Whether it ends with code 1 where something grows."""


QUICK: Final = Plan(seconds=1.0, every=0.25, capacity=0.5, workers=8, people=100, settle=0.1, judges=False)
"""A smoke run: nothing is concluded from it about growth, but everything must be on record."""


@dataclass(slots=True)
class Found:
    """What came of it: `looks` at rest, `turns` between them."""

    untraced: Mapping[str, Any] = field(default_factory=dict)
    closed: Mapping[str, Any] = field(default_factory=dict)
    rate: float = 0.0
    looks: list[dict[str, Any]] = field(default_factory=list)
    turns: list[dict[str, Any]] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    """Of the gateway's processor, in each turn."""


class Inside:
    """The other end of the probe's socket."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rb")

    def look(self, **order: Any) -> dict[str, Any]:
        self.socket.sendall(json.dumps(order).encode() + b"\n")
        told: dict[str, Any] = json.loads(self.lines.readline())
        return told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.close()
        self.socket.close()


class Stage:
    """The gateway with its model servers, its issuer and its callers."""

    def __init__(self, folder: Path, plan: Plan, stack: contextlib.ExitStack) -> None:
        self.rows = folder / "rows.jsonl"
        self.load = stack.enter_context(Helper("soaking.load", str(self.rows)))
        issuer = json.loads(self.load.line())
        models = stack.enter_context(Helper("soaking.model"))
        http, grpc_model = json.loads(models.line())
        self.policy, self.roster = soaked(policy_for(issuer, folder), plan.people)
        self.texts = self.policy.read_text(), self.roster.read_text()
        os.environ["PHIGATE_PROBE"] = str(folder / "probe")
        grpc = free_port()
        more = settings(
            phi_grpc=f"{HOST}:{grpc}", phi_grpc_upstream=f"grpc://{HOST}:{grpc_model}", phi_journal_size="16m"
        )
        command = [*pinned(0), sys.executable, "-P"]
        url = f"http://{HOST}:{http}"
        self.gateway = stack.enter_context(
            Gateway(url, self.policy, folder / "var", extra=more, program=str(PROBE), prefix=command)
        )
        self.inside = stack.enter_context(Inside(folder / "probe"))
        ports = [self.gateway.port, grpc, self.gateway.console]
        self.load.told({"ports": ports, "acts": plan.acts, "new": plan.new})
        self.edits = 0

    def edit(self) -> None:
        """Change the policy, and every other time the roster that it names, as an operator does."""
        self.edits += 1
        replaced(self.policy, f"{self.texts[0]}# {self.edits:06}\n")
        if self.edits % 2 == 0:
            replaced(self.roster, f"{self.texts[1]}{90_000_000 + self.edits},Soak,Patient\n")

    def turn(self, found: Found, order: dict[str, Any]) -> dict[str, Any]:
        """Let callers ask; how busy the gateway was is noted."""
        before, began = cpu_seconds(self.gateway.pid), time.monotonic()
        told: dict[str, Any] = self.load.told(order)
        found.busy.append((cpu_seconds(self.gateway.pid) - before) / (time.monotonic() - began))
        return told

    def soak(self, plan: Plan) -> Found:
        """Measure what it can do, then let half of it come, and look."""
        found = Found()
        closed = {"workers": plan.workers, "seconds": plan.capacity}
        self.load.told(closed | {"seconds": plan.capacity / 4})  # caches settle; not counted
        found.untraced = self.turn(found, closed)
        self.inside.look(trace=True, fill=True, leak=plan.leak)
        found.closed = self.turn(found, closed)
        if not found.closed["acts"]:
            raise SystemExit("bench: nobody was answered")
        found.rate = found.closed["acts"] / found.closed["seconds"] / 2
        rounds = max(1, round(plan.seconds / plan.every))
        warm = rounds - len(after_warm_up(range(rounds)))
        for number in range(rounds):
            self.edit()
            found.turns.append(self.turn(found, {"rate": found.rate, "seconds": plan.every}))
            time.sleep(plan.settle)
            found.looks.append(self.inside.look(lines=number in {warm, rounds - 1}))
        return found


def replaced(path: Path, text: str) -> None:
    """Write a file in one step, so that nobody reads half of it."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


def soaked(policy: Path, people: int) -> tuple[Path, Path]:
    """Make the policy that ships one of everything that is asked; returns it and its roster."""
    text = policy.read_text().replace("to: [chat, complete, embed]\n", "to: [chat, complete, embed, predict]\n", 1)
    text = text.replace("\nmasks:\n", RULES, 1).replace("\nrules:\n", LIMITED, 1)
    policy.write_text(text + "\nroster: roster.csv\n")
    roster = policy.with_name("roster.csv")
    lines = [f"{row.mrn},{row.first_name},{row.last_name}" for row in rosters.rows(people, 7)]
    roster.write_text("\n".join(["mrn,first_name,last_name", *lines, ""]))
    return policy, roster


# --- what is told -----------------------------------------------------------------------------------------------------

NOTHING: Final = Line(0.0, -math.inf, math.inf)
"""Where nothing was asked between the looks."""
COLUMNS: Final = ("at rest", "first", "after warm-up", "last", "for each exchange", "95 %", "allowed", "verdict")


def growth_rows(looks: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A row for everything that is counted; the last cell is the verdict."""
    later = after_warm_up(looks)
    told = len({look["exchanges"] for look in later}) > 1
    rows = []
    for limit in LIMITS:
        line = line_through([(look["exchanges"], look[limit.name]) for look in later]) if told else NOTHING
        counts = [f"{looks[0][limit.name]:,}", f"{later[0][limit.name]:,}", f"{later[-1][limit.name]:,}"]
        slope = [f"{line.slope:+.4f}", f"{line.low:+.4f} to {line.high:+.4f}", f"{limit.allowed:g}"]
        rows.append([limit.title, *counts, *slope, judged(line, limit, len(later))])
    return rows


def grown(before: Mapping[str, int], after: Mapping[str, int]) -> list[tuple[str, int]]:
    """What there is more of, most first."""
    more = Counter({name: count - before.get(name, 0) for name, count in after.items() if name in before})
    return [(name, count) for name, count in more.most_common(GROWN) if count > 0]


def speed(told: Mapping[str, Any]) -> str:
    rates = f"{told['acts'] / told['seconds']:.1f} acts/s, {told['exchanges'] / told['seconds']:.1f} exchanges/s"
    return f"{rates}, p50 {told['p50'] * 1000:.0f} ms, p99 {told['p99'] * 1000:.0f} ms"


def verified(gateway: Gateway) -> str:
    """What `phigate verify` says of the journal; raises SystemExit where that is not that all is well."""
    command = [sys.executable, "-m", "phigate", "verify", str(gateway.journal), "--key", str(gateway.checkpoint_key)]
    path = os.pathsep.join([str(ROOT / "addons"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}, cwd=ROOT
    )
    if done.returncode:
        raise SystemExit(f"bench: verify: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[-1].strip()


def tell(out: Console, plan: Plan, found: Found) -> bool:
    """Print what was measured; whether nothing grows."""
    busy = [f"the gateway's processor {each:.0%}" for each in found.busy[:2]]
    out.print(f"capacity, {plan.workers} callers: {speed(found.untraced)}; {busy[0]}")
    out.print(f"the same with memory traced: {speed(found.closed)}; {busy[1]}")
    told: dict[str, Any] = {
        name: sum(turn[name] for turn in found.turns) for name in ("acts", "exchanges", "left_out", "seconds")
    }
    told |= {name: max(turn[name] for turn in found.turns) for name in ("p50", "p99")}
    share = sum(found.busy[2:]) / len(found.turns)
    out.print(f"soaked at {found.rate:.1f} acts/s: {speed(told)} in the worst turn; processor {share:.0%}")
    many = f"{told['acts']:,} acts, {told['exchanges']:,} exchanges in {told['seconds']:.0f} s"
    out.print(f"{many}; left out as too many were under way: {told['left_out']}")
    rows = growth_rows(found.looks)
    out.print(table_of(f"{len(found.looks)} looks, every {plan.every:g} s", COLUMNS, rows))
    first, last = after_warm_up(found.looks)[0], found.looks[-1]
    for what in ("types", "lines"):
        more = ", ".join(f"{name} {count:+,}" for name, count in grown(first.get(what, {}), last.get(what, {})))
        out.print(f"[dim]more {what} after warm-up: {more or 'none'}[/dim]", soft_wrap=True)
    return all(row[-1] == "flat" for row in rows)


def tell_records(out: Console, told: Told, folder: Path) -> bool:
    """Print how what callers saw fits the journal; whether it does."""
    held = journal_of(folder)
    out.print(f"records: {', '.join(f'{kind} {count:,}' for kind, count in held.records.most_common())}")
    out.print(f"of which {', '.join(f'{name} {count:,}' for name, count in held.outcomes.most_common())}")
    out.print(f"ids told {len(told.ids):,}, exchanges on record {len(held.exchanges):,}; acts: ", end="")
    out.print(", ".join(f"{name} {count:,}" for name, count in told.acts.most_common()))
    wrong = amiss(told, held)
    for name, count in told.faults.items():
        out.print(f"[red]{name}: {count:,}[/red]")
    for name, which in wrong.items():
        out.print(f"[red]{name}: {len(which):,}, as {'; '.join(which[:SHOWN])}[/red]", soft_wrap=True)
    if not wrong:
        out.print("every exchange is on record")
    return not wrong


def run(plan: Plan) -> None:
    """Measure and print; ends with code 1 where something grows, cannot be told, or is not on record."""
    out = Console(width=max(Console().width, 190), highlight=False)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phigate-bench-")))
        out.print(f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        stage = Stage(folder, plan, stack)
        found = stage.soak(plan)
        stage.gateway.stop(60)
        flat = tell(out, plan, found)
        out.print(f"verify: {verified(stage.gateway)}")
        with stage.rows.open() as lines:
            recorded = tell_records(out, told_in(lines), stage.gateway.journal)
        if said := stage.gateway.said().strip():
            out.print(f"the gateway said: {said[-2000:]}")
        if kept := os.environ.get("PHIGATE_SOAK_KEPT"):
            (Path(kept) / "looks.json").write_text(json.dumps([found.looks, found.turns]))
            shutil.copytree(folder, Path(kept) / "all", dirs_exist_ok=True, ignore=lambda *_: ["probe"])
    if not recorded or (plan.judges and not flat):
        raise SystemExit(1)
