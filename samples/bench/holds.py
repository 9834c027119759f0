"""What others notice of requests that wait for a yes: the same gateway with and without them, in turns."""

from __future__ import annotations

import contextlib
import json
import socket
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from bench.cases import CASES
from bench.gateway import Helper, Turn, Way, describe, pinned, table_of, take_turn
from bench.gateway import Plan as Turns
from issuer import SampleIssuer
from people import PEOPLE, policy_for
from processes import HOST, Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RULE: Final = """
  - name: try-models
    hold: [ml-operator]
    to: [chat]
    models: ["*"]
    approvers: [privacy-officer]
    wait: PT1H
    mask: minimum-necessary

masks:
"""
EACH: Final = 50
"""Requests of one person that may wait."""
CONNECTIONS: Final = (1, 4)
TITLE: Final = "the same gateway, none held / held; ratio: of p99, held to none, median of rounds (least-greatest)"
COLUMNS: Final = ("connections", "held", "p50 ms", "p99 ms", "ratio of p99", "requests/s")


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rounds of turns of so many seconds, and how many requests are held."""

    rounds: int = 5
    seconds: float = 4.0
    held: int = 200


@contextlib.contextmanager
def holding(gateway: Gateway, bearers: Sequence[str], count: int) -> Iterator[None]:
    """Let so many requests wait; at the end their callers go."""
    before = on_hold(gateway)
    with contextlib.ExitStack() as stack:
        for number in range(count):
            wire = stack.enter_context(socket.create_connection((HOST, gateway.port)))
            wire.sendall(asked(bearers[number // EACH], number))
        gateway.wait_until(lambda: on_hold(gateway) - before == count, 60)
        yield
    time.sleep(2.0)  # by then nobody waits any more


def asked(bearer: str, number: int) -> bytes:
    messages = [{"role": "user", "content": f"How is the patient in bed {number}?"}]
    body = json.dumps({"model": "ward-assistant", "messages": messages}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {bearer}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def on_hold(gateway: Gateway) -> int:
    """How many requests ever began to wait."""
    return sum(file.read_bytes().count(b'"kind":"hold"') for file in gateway.journal.glob("*.jsonl"))


def row(connections: int, held: int, turns: Sequence[tuple[Turn, Turn]]) -> list[str]:
    """What one number of connections gave: medians of the rounds, and the ratio within each."""

    def both(name: str, digits: int = 1) -> str:
        medians = [statistics.median(getattr(pair[side], name) for pair in turns) for side in (0, 1)]
        return " / ".join(f"{value:.{digits}f}" for value in medians)

    ratios = [with_.p99 / without.p99 for without, with_ in turns]
    ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    return [str(connections), str(held), both("p50"), both("p99"), ratio, both("rate", 0)]


def run(plan: Plan) -> None:
    """Measure and print."""
    out = Console(width=max(Console().width, 152), highlight=False)
    turn = Turns(plan.rounds, plan.seconds)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phigate-bench-")))
        upstream, load = stack.enter_context(Helper("upstream")), stack.enter_context(Helper("load"))
        issuer = stack.enter_context(SampleIssuer())
        policy = policy_for(issuer.url, folder)
        policy.write_text(policy.read_text().replace("\nmasks:\n", RULE, 1))
        url = f"http://{HOST}:{int(upstream.line())}"
        gateway = stack.enter_context(Gateway(url, policy, folder / "var", prefix=pinned(0)))
        way = Way("gateway", gateway.port, gateway.pid, gateway.command, issuer.mint_for(PEOPLE[0].login))
        people = range(-(-plan.held // EACH))
        bearers = [issuer.mint(f"operator-{number}", groups=["ml-platform"]) for number in people]
        describe(out, [way], turn)
        take_turn(load, way, CASES[0], 4, turn)  # caches settle; not counted
        turns: dict[int, list[tuple[Turn, Turn]]] = {connections: [] for connections in CONNECTIONS}
        for _ in range(plan.rounds):
            without = {each: take_turn(load, way, CASES[0], each, turn) for each in CONNECTIONS}
            with holding(gateway, bearers, plan.held):
                for each in CONNECTIONS:
                    turns[each].append((without[each], take_turn(load, way, CASES[0], each, turn)))
        out.print(table_of(TITLE, COLUMNS, [row(each, plan.held, turns[each]) for each in CONNECTIONS]))
