"""`scripts/bench [gateway] [--quick] ...`: one sub-command a benchmark."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import NoReturn

from bench import gateway
from bench.cases import CASES
from bench.gateway import Plan
from processes import NotReady


def stop(*_: object) -> NoReturn:
    raise SystemExit(1)


def main() -> None:
    options = argparse.ArgumentParser(prog="scripts/bench", description="Benchmarks of the gateway, told as ratios.")
    options.add_argument("which", nargs="?", default="gateway", choices=["gateway"])
    options.add_argument("--quick", action="store_true", help="a smoke run: one short round; its figures mean nothing")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=2.0, help="of each proxy's turn in a round")
    options.add_argument("--case", action="append", choices=[case.name for case in CASES], help="only this; repeatable")
    options.add_argument("--connections", type=int, action="append", help="only so many; repeatable")
    chosen = options.parse_args()
    cases = tuple(chosen.case or (case.name for case in CASES))
    connections = tuple(chosen.connections or ())
    plan = Plan(chosen.rounds, chosen.seconds, cases=cases, connections=connections)
    if chosen.quick:
        plan = Plan(1, 0.5, 0.1, cases=cases, connections=connections or (4,))
    signal.signal(signal.SIGTERM, stop)
    try:
        gateway.run(plan)
    except NotReady as fault:
        sys.exit(f"bench: {fault}")


if __name__ == "__main__":
    main()
