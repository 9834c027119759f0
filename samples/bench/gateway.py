"""The gateway with all its work against a bare `mitmdump`, in front of the same upstream, in turns."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import httpx
from rich.console import Console
from rich.table import Table

import patients
from bench.cases import CASES, Case
from bench.load import Order, written
from issuer import SampleIssuer
from people import PEOPLE, policy_for
from processes import HOST, MITMDUMP, ROOT, Child, Gateway, free_port, listening, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TICKS: Final = os.sysconf("SC_CLK_TCK")
SAMPLES: Final = str(ROOT / "samples")


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure, and what: rounds of so many seconds after a warm-up."""

    rounds: int = 5
    seconds: float = 2.0
    warm: float = 0.3
    cases: tuple[str, ...] = tuple(case.name for case in CASES)
    connections: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One way's turn of one round: requests a second, times in ms, CPU of the proxy's process in ms a request."""

    rate: float
    cpu: float
    p50: float
    p99: float
    first_p50: float
    first_p99: float


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the answer: through a proxy, or straight to the upstream."""

    name: str
    port: int
    pid: int
    command: Sequence[str]
    bearer: str


def pinned(core: int) -> list[str]:
    """Return the words that keep a command on one core, where there are two and the tool for it."""
    cores = os.cpu_count() or 1
    return ["taskset", "-c", str(core)] if shutil.which("taskset") and cores > core else []


class Helper:
    """A process of this package that talks over its pipes: the upstream, the load."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*pinned(1), sys.executable, "-m", f"bench.{module}", *arguments],
            cwd=SAMPLES,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("bench: a helper process ended")
        return line

    def order(self, order: Order) -> Any:
        return self._asked(written(order))

    def told(self, order: dict[str, Any]) -> Any:
        return self._asked(json.dumps(order))

    def _asked(self, line: str) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.line())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate()


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, all its threads (proc(5), stat, fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def take_turn(load: Helper, way: Way, case: Case, connections: int, plan: Plan) -> Turn:
    """Load one way once; ends the whole run when any answer is not a 200."""
    seconds = max(plan.seconds, case.seconds)
    order = Order(way.port, case.request(way.bearer), connections, seconds, plan.warm, case.streamed)
    before = cpu_seconds(way.pid)
    result = load.order(order)
    used = cpu_seconds(way.pid) - before
    if result["faults"] or not result["done"]:
        raise SystemExit(f"bench: {way.name}: {result['faults']} answers were refused or broken ({case.title})")
    done = result["done"]
    times = [result[name] * 1000 for name in ("p50", "p99", "first_p50", "first_p99")]
    # The warm-up's share of the CPU is taken out by time: it runs at the same rate.
    share = seconds / (seconds + plan.warm)
    return Turn(done / result["seconds"], used * share * 1000 / done, *times)


def measure(load: Helper, ways: Sequence[Way], case: Case, connections: int, plan: Plan) -> list[list[Turn]]:
    """Return the turns of each way; who begins a round alternates."""
    turns: list[list[Turn]] = [[] for _ in ways]
    for round_ in range(plan.rounds):
        order = list(enumerate(ways))
        for index, way in reversed(order) if round_ % 2 else order:
            turns[index].append(take_turn(load, way, case, connections, plan))
    return turns


def middle(values: Iterator[float]) -> float:
    return statistics.median(values)


def ratio(turns: list[list[Turn]], name: str) -> str:
    """Return the median, least and greatest of the rounds' own ratios, gateway to bare."""
    bare, gateway = turns[:2]
    values = [getattr(g, name) / getattr(b, name) for b, g in zip(bare, gateway, strict=True) if getattr(b, name)]
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})" if values else "-"


def pair(turns: list[list[Turn]], name: str, digits: int = 1, ways: int = 2) -> str:
    return " / ".join(f"{middle(getattr(turn, name) for turn in each):.{digits}f}" for each in turns[:ways])


def speed_row(case: Case, connections: int, turns: list[list[Turn]]) -> list[str]:
    return [
        case.title,
        str(connections),
        pair(turns, "rate", 0),
        ratio(turns, "rate"),
        pair(turns, "p50"),
        pair(turns, "p99"),
        pair(turns, "cpu", 2),
        ratio(turns, "cpu"),
    ]


def first_row(case: Case, connections: int, turns: list[list[Turn]]) -> list[str]:
    names = ("first_p50", "first_p99", "p50", "p99")
    return [case.title, str(connections), *(pair(turns, name, ways=3) for name in names)]


SPEED_TITLE: Final = "bare / gateway; ratio: gateway to bare, median of rounds (least-greatest)"
FIRST_TITLE: Final = "streams: bare / gateway / straight to the upstream; a bare mitmdump keeps a stream to its end"
SPEED: Final = ("answer", "conns", "requests/s", "ratio", "p50 ms", "p99 ms", "CPU ms/request", "ratio")
FIRST: Final = ("answer", "conns", "first text p50 ms", "p99 ms", "whole p50 ms", "p99 ms")


def table_of(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def bare(upstream: str, folder: Path, *more: str) -> tuple[Child, int]:
    """Return a plain reverse proxy: what anybody would start without the gateway."""
    port = free_port()
    listen = ["--listen-host", HOST, "--listen-port", str(port)]
    command = [MITMDUMP, "-q", "--mode", f"reverse:{upstream}", *listen, *settings(confdir=folder / "bare"), *more]
    return Child("mitmdump", [*pinned(0), *command], folder / "bare.log"), port


def describe(out: Console, ways: Sequence[Way], plan: Plan) -> None:
    """Print what was measured where, so that the figures can be had again."""
    python = f"Python {platform.python_version()}, mitmproxy {version('mitmproxy')}"
    out.print(f"{processor()}, {os.cpu_count()} cores; {python}; proxies on core 0, upstream and load on core 1")
    out.print(f"{plan.rounds} round(s), turns alternating, {plan.seconds:g} s a turn after {plan.warm:g} s of warm-up")
    for way in ways[:2]:
        out.print(f"{way.name}: {shlex.join(way.command)}", soft_wrap=True)


def check_masked(url: str, case: Case, bearer: str) -> None:
    """Prove once that the gateway did its work: the right answer, and none of the identifiers in it."""
    headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
    answer = httpx.post(f"{url}/v1/chat/completions", content=case.body(), headers=headers, trust_env=False, timeout=30)
    if answer.status_code != 200 or patients.identifiers_in(answer.text):
        raise SystemExit(f"bench: the gateway's answer ({case.title}) is not the masked one")


def run(plan: Plan) -> None:
    """Measure and print."""
    out = Console(width=max(Console().width, 152), highlight=False)
    chosen = [case for case in CASES if case.name in plan.cases]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phigate-bench-")))
        upstream, load = stack.enter_context(Helper("upstream")), stack.enter_context(Helper("load"))
        upstream_port = int(upstream.line())
        url = f"http://{HOST}:{upstream_port}"
        plain, port = bare(url, folder)
        stack.enter_context(plain).wait_until(lambda: listening(port))
        issuer = stack.enter_context(SampleIssuer())
        bearer = issuer.mint_for(PEOPLE[0].login)
        gateway = stack.enter_context(Gateway(url, policy_for(issuer.url, folder), folder / "var", prefix=pinned(0)))
        ways = (
            Way("bare", port, plain.pid, plain.command, bearer),
            Way("gateway", gateway.port, gateway.pid, gateway.command, bearer),
            Way("direct", upstream_port, upstream.process.pid, (), bearer),
        )
        for case in chosen:
            check_masked(gateway.url, case, bearer)
        describe(out, ways, plan)
        speeds, firsts = [], []
        measure(load, ways, chosen[0], 16, replace(plan, rounds=1))  # caches and allocators settle; not counted
        for case in chosen:
            for connections in plan.connections or case.connections:
                turns = measure(load, ways if case.streamed else ways[:2], case, connections, plan)
                if not case.pause:
                    speeds.append(speed_row(case, connections, turns))
                if case.streamed:
                    firsts.append(first_row(case, connections, turns))
                out.print(f"[dim]{case.title}, {connections}: {ratio(turns, 'rate')} x[/dim]")
        out.print(table_of(SPEED_TITLE, SPEED, speeds))
        if firsts:
            out.print(table_of(FIRST_TITLE, FIRST, firsts))
