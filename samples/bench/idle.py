"""What others notice of connections that do nothing: a gateway with them beside one without, in turns."""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from rich.console import Console

from bench.cases import CASES
from bench.gateway import Helper, Way, describe, pinned, table_of, take_turn
from bench.gateway import Plan as Turns
from bench.load import percentile
from issuer import SampleIssuer
from people import PEOPLE, policy_for
from processes import HOST, Gateway, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.gateway import Turn

HALF: Final = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n"
AT_ONCE: Final = 64
"""Connections that are being made idle side by side."""
OWN: Final = 600
"""Open files that are left for everything else."""
TITLE: Final = "a gateway without / with them; ratio: with to without, median of rounds (least-greatest)"
COLUMNS: Final = ("requests", "idle", "half-open", "p50 ms", "p99 ms", "ratio of p50", "ratio of p99")


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rounds of turns of so many seconds, beside how many connections."""

    rounds: int = 5
    seconds: float = 4.0
    idle: int = 10_000
    half_open: int = 1000


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds that requests took in one turn."""

    p50: float
    p99: float


def files(out: Console) -> int:
    """How many files this process may have open, as many as the system lets it; said, as it bounds what is measured."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    out.print(f"open files: {hard} for each process")
    return hard


def asked(bearer: str) -> bytes:
    """A request of somebody known that nobody serves: what it costs to become an idle connection is no concern here."""
    return f"GET /nowhere HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {bearer}\r\n\r\n".encode()


@contextlib.contextmanager
def idling(port: int, bearer: str, count: int) -> Iterator[None]:
    """So many connections on each of which a request was answered, and nothing more is said."""
    request = asked(bearer)
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as answers:
        for begun in range(count):
            wire = stack.enter_context(socket.create_connection((HOST, port), timeout=60))
            wire.sendall(request)
            answers.register(wire, selectors.EVENT_READ)
            while len(answers.get_map()) >= AT_ONCE or (begun == count - 1 and answers.get_map()):
                for key, _ in answers.select():
                    told = key.fileobj
                    assert isinstance(told, socket.socket)
                    answers.unregister(told)
                    if not told.recv(65536).startswith(b"HTTP/1.1 404 "):
                        raise SystemExit("bench: a connection was not let in")
        yield


@contextlib.contextmanager
def half_open(port: int, count: int) -> Iterator[None]:
    """So many connections on each of which a request was begun."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection((HOST, port), timeout=60)).sendall(HALF)
        yield


def anew(port: int, request: bytes, seconds: float) -> Times:
    """Requests one after the other, each on a connection of its own."""
    took: list[float] = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end or len(took) < 2:
        with socket.create_connection((HOST, port), timeout=60) as wire:
            wire.sendall(request)
            got = b"".join(iter(lambda: wire.recv(65536), b""))
        if not got.startswith(b"HTTP/1.1 200 "):
            raise SystemExit("bench: a request was not answered")
        took.append((time.perf_counter() - began) * 1000)
    return Times(percentile(took, 50), percentile(took, 99))


def held(gateway: Gateway) -> int:
    """How many connections a gateway says that it has."""
    lines = httpx.get(f"{gateway.console_url}/metrics", trust_env=False).text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("phigate_connections{"))


def times_of(turn: Turn) -> Times:
    return Times(turn.p50, turn.p99)


def row(name: str, plan: Plan, turns: Sequence[tuple[Times, Times]]) -> list[str]:
    """What one kind of requests gave: medians of the rounds, and the ratios within each."""

    def both(which: str) -> str:
        medians = [statistics.median(getattr(pair[side], which) for pair in turns) for side in (0, 1)]
        return " / ".join(f"{value:.1f}" for value in medians)

    def ratio(which: str) -> str:
        found = [getattr(with_, which) / getattr(without, which) for without, with_ in turns]
        return f"{statistics.median(found):.2f} ({min(found):.2f}-{max(found):.2f})"

    counts = [f"{plan.idle:,}", f"{plan.half_open:,}"]
    return [name, *counts, both("p50"), both("p99"), ratio("p50"), ratio("p99")]


def run(plan: Plan) -> None:
    """Measure and print."""
    out = Console(width=max(Console().width, 152), highlight=False)
    turn = Turns(plan.rounds, plan.seconds)
    room = files(out) - OWN - plan.half_open
    if room < plan.idle:
        out.print(f"too few open files for {plan.idle:,} idle connections: {room:,}")
        plan = Plan(plan.rounds, plan.seconds, room, plan.half_open)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phigate-bench-")))
        upstream, load = stack.enter_context(Helper("upstream")), stack.enter_context(Helper("load"))
        issuer = stack.enter_context(SampleIssuer())
        policy = policy_for(issuer.url, folder)
        url = f"http://{HOST}:{int(upstream.line())}"
        let_in = settings(phi_connections=20_000, phi_strangers=plan.half_open + 500)
        bearer = issuer.mint_for(PEOPLE[0].login)
        gateways = [
            stack.enter_context(Gateway(url, policy, folder / name, prefix=pinned(0), extra=let_in))
            for name in ("without", "with")
        ]
        ways = [Way(each.log.parent.name, each.port, each.pid, each.command, bearer) for each in gateways]
        describe(out, ways, turn)
        request = CASES[0].request(bearer).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
        for way in ways:  # caches settle; not counted
            take_turn(load, way, CASES[0], 4, turn)
        began = time.monotonic()
        stack.enter_context(idling(gateways[1].port, bearer, plan.idle))
        out.print(f"{plan.idle:,} idle connections after {time.monotonic() - began:.0f} s")
        new: list[tuple[Times, Times]] = []
        kept: list[tuple[Times, Times]] = []
        for number in range(plan.rounds):
            one, four = [Times(0, 0)] * 2, [Times(0, 0)] * 2
            for side in (0, 1) if number % 2 else (1, 0):
                way, half = ways[side], plan.half_open * side
                with half_open(way.port, half):
                    one[side] = anew(way.port, request, plan.seconds)
                with half_open(way.port, half):
                    four[side] = times_of(take_turn(load, way, CASES[0], 4, turn))
            new.append((one[0], one[1]))
            kept.append((four[0], four[1]))
        out.print(f"{held(gateways[1]):,} connections were held at the end")
        rows = [row("one at a time, each on a connection of its own", plan, new), row("on 4 connections", plan, kept)]
        out.print(table_of(TITLE, COLUMNS, rows))
