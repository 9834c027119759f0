"""Streams at a steady pace through the gateway and through a bare proxy that passes them on as they come, in turns."""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from bench.gateway import Helper, bare, describe, pinned, table_of
from bench.gateway import Plan as Turns
from bench.gateway import Way as Proxy
from bench.streaming import StreamOrder
from issuer import SampleIssuer
from people import PEOPLE, policy_for
from processes import HOST, Gateway, listening

if TYPE_CHECKING:
    from collections.abc import Sequence

PAUSE: Final = 0.02
"""Seconds between two tokens: 50 a second."""
TITLE: Final = "an event every 20 ms; ms: bare / gateway; added: gateway less bare, median of rounds (least-greatest)"
COLUMNS: Final = (
    *("streams", "events", "first text p50", "late p50", "late p95", "late p99", "added p50", "added p99"),
    "refused or broken off",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rounds, of how many streams at once, each of so many tokens."""

    rounds: int = 5
    streams: tuple[int, ...] = (1, 50, 100, 200)
    tokens: int = 150


def take_turn(load: Helper, proxy: Proxy, streams: int, tokens: int) -> dict[str, Any]:
    """One way's turn; where there are more streams than a core has time for, some are refused or broken off."""
    result: dict[str, Any] = load.told(asdict(StreamOrder(proxy.port, proxy.bearer, streams, tokens, PAUSE)))
    return result


def row(streams: int, turns: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    """What a number of streams gave: medians of the rounds, and what the gateway added within each."""

    def both(name: str) -> str:
        return " / ".join(f"{statistics.median(turn[name] for turn in each) * 1000:.1f}" for each in turns)

    def added(name: str) -> str:
        values = [(ours[name] - plain[name]) * 1000 for plain, ours in zip(*turns, strict=True)]
        return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"

    events = " / ".join(str(round(statistics.median(turn["events"] for turn in each))) for each in turns)
    late = [both(name) for name in ("first_p50", "late_p50", "late_p95", "late_p99")]
    faults = " / ".join(str(sum(turn["faults"] for turn in each)) for each in turns)
    return [str(streams), events, *late, added("late_p50"), added("late_p99"), faults]


def run(plan: Plan) -> None:
    """Measure and print."""
    out = Console(width=max(Console().width, 152), highlight=False)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phigate-bench-")))
        load = stack.enter_context(Helper("streaming"))
        url = f"http://{HOST}:{int(load.line())}"
        plain, port = bare(url, folder, "--set", "stream_large_bodies=1")
        stack.enter_context(plain).wait_until(lambda: listening(port))
        issuer = stack.enter_context(SampleIssuer())
        bearer = issuer.mint_for(PEOPLE[0].login)
        gateway = stack.enter_context(Gateway(url, policy_for(issuer.url, folder), folder / "var", prefix=pinned(0)))
        ways = (
            Proxy("bare", port, plain.pid, plain.command, bearer),
            Proxy("gateway", gateway.port, gateway.pid, gateway.command, bearer),
        )
        describe(out, ways, Turns(plan.rounds, plan.tokens * PAUSE, 0.0))
        rows = []
        for way in ways:
            take_turn(load, way, 4, 50)  # caches settle; not counted
        for streams in plan.streams:
            turns: list[list[dict[str, Any]]] = [[], []]
            for round_ in range(plan.rounds):
                order = list(enumerate(ways))
                for index, way in reversed(order) if round_ % 2 else order:
                    turns[index].append(take_turn(load, way, streams, plan.tokens))
            rows.append(row(streams, turns))
            out.print(f"[dim]{json.dumps(rows[-1])}[/dim]")
        out.print(table_of(TITLE, COLUMNS, rows))
