"""`scripts/bench [gateway|holds|idle|identity|journal|masking|soak|streams] [--quick]`: a sub-command each."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import NoReturn

from bench import gateway, holds, identity, idle, journal, masking, soak, streams
from bench.cases import CASES
from bench.gateway import Plan
from processes import NotReady

WHICH = ("gateway", "holds", "identity", "idle", "journal", "masking", "soak", "streams")


def stop(*_: object) -> NoReturn:
    raise SystemExit(1)


def main() -> None:
    options = argparse.ArgumentParser(prog="scripts/bench", description="Benchmarks of the gateway, told as ratios.")
    options.add_argument("which", nargs="?", default="gateway", choices=list(WHICH))
    options.add_argument("--records", type=int, default=1_000_000, help="journal: how many it holds")
    options.add_argument("--quick", action="store_true", help="a smoke run: one short round; its figures mean nothing")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument(
        "--seconds",
        type=float,
        help="of each turn; gateway: 2, holds, idle: 4, identity: .5; soak: 1800 in all",
    )
    options.add_argument(
        "--case", action="append", choices=[case.name for case in CASES], help="gateway: only this; repeatable"
    )
    options.add_argument("--connections", type=int, action="append", help="gateway: only so many; repeatable")
    options.add_argument(
        "--data", action="append", help="masking: evaluate on these labelled JSON lines instead; repeatable"
    )
    options.add_argument("--leak", type=int, default=0, help="soak: keep so many objects an exchange, to be found")
    options.add_argument("--without-presidio", action="store_true", help="masking: ours alone")
    chosen = options.parse_args()
    signal.signal(signal.SIGTERM, stop)
    try:
        if chosen.which == "identity":
            identity.run(
                identity.Plan(1, 0.02) if chosen.quick else identity.Plan(chosen.rounds, chosen.seconds or 0.5)
            )
        elif chosen.which == "holds":
            holds.run(holds.Plan(1, 0.3, held=4) if chosen.quick else holds.Plan(chosen.rounds, chosen.seconds or 4.0))
        elif chosen.which == "idle":
            idle.run(idle.Plan(1, 0.3, 20, 10) if chosen.quick else idle.Plan(chosen.rounds, chosen.seconds or 4.0))
        elif chosen.which == "journal":
            journal.run(
                journal.Plan(2_000, 1, 1 << 20) if chosen.quick else journal.Plan(chosen.records, chosen.rounds)
            )
        elif chosen.which == "soak":
            soak.run(soak.QUICK if chosen.quick else soak.Plan(chosen.seconds or 1800.0, leak=chosen.leak))
        elif chosen.which == "streams":
            streams.run(streams.Plan(1, (2,), 20) if chosen.quick else streams.Plan(chosen.rounds))
        elif chosen.which == "masking" and chosen.data:
            masking.run_data(chosen.data, with_presidio=not chosen.without_presidio)
        elif chosen.which == "masking":
            masking.run(masking_plan(chosen))
        else:
            gateway.run(plan_of(chosen))
    except NotReady as fault:
        sys.exit(f"bench: {fault}")


def plan_of(chosen: argparse.Namespace) -> Plan:
    cases = tuple(chosen.case or (case.name for case in CASES))
    connections = tuple(chosen.connections or ())
    if chosen.quick:
        return Plan(1, 0.5, 0.1, cases=cases, connections=connections or (4,))
    return Plan(chosen.rounds, chosen.seconds or 2.0, cases=cases, connections=connections)


def masking_plan(chosen: argparse.Namespace) -> masking.Plan:
    with_presidio = not chosen.without_presidio
    if chosen.quick:
        return masking.Plan(1, ("1 KB",), 1000, 4096, rows=3, against=with_presidio, seconds=0.01)
    return masking.Plan(chosen.rounds, against=with_presidio, seconds=chosen.seconds or 0.2)


if __name__ == "__main__":
    main()
