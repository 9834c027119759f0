"""The callers of the soak: as fast as answers come, or at a pace that does not wait for them.

Its own process: `python -m bench.soaking.load ROWS` prints the issuer's address, takes one order a line (JSON), and
writes what callers saw to the file ROWS and one result a line. The first order says where the gateway listens. Between
two orders nothing is asked; kept connections stay open.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from bench.load import percentile
from bench.soaking.acts import ACTS, Act, People, Ports, Row, approve, done
from issuer import SampleIssuer

SEED: Final = 7
AT_ONCE: Final = 400
"""Acts under way at a pace; what comes beyond them is counted and left out."""
BESIDE: Final = 4
"""Kinds of acts beside each other where each is done so often."""
REST: Final = 30.0
"""Seconds until all that is under way is over."""
APPROVING: Final = 0.5
"""Seconds between two looks at what waits."""


@dataclass(slots=True)
class Seen:
    """What one order came to."""

    acts: int = 0
    exchanges: int = 0
    left_out: int = 0
    times: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    def result(self, seconds: float) -> dict[str, Any]:
        return {
            "acts": self.acts,
            "exchanges": self.exchanges,
            "left_out": self.left_out,
            "seconds": seconds,
            "p50": percentile(self.times, 50),
            "p99": percentile(self.times, 99),
            "faults": dict(self.faults),
        }


class Load:
    def __init__(self, people: People, rows: IO[str], acts: tuple[Act, ...] = ACTS) -> None:
        self.people, self.rows, self.acts = people, rows, acts
        self.weights = [act.weight for act in acts]
        self.seen = Seen()

    async def once(self, act: Act | None = None) -> None:
        act = act or self.people.chance.choices(self.acts, self.weights)[0]
        began = time.perf_counter()
        rows = await done(act, self.people)
        self.seen.times.append(time.perf_counter() - began)
        self.seen.acts += 1
        self.note(rows)

    def note(self, rows: list[Row]) -> None:
        self.seen.exchanges += sum(bool(row.exchange) for row in rows)
        self.seen.faults.update(f"{row.act}: {row.fault}" for row in rows if row.fault)
        self.rows.writelines(row.line() + "\n" for row in rows)

    async def closed(self, workers: int, seconds: float) -> None:
        """So many callers, each asking as soon as it was answered."""
        end = time.perf_counter() + seconds

        async def work() -> None:
            while time.perf_counter() < end:
                await self.once()

        await asyncio.gather(*(work() for _ in range(workers)))

    async def paced(self, rate: float, seconds: float) -> None:
        """So many acts a second, at random moments, whatever the answers do; returns once all are over."""
        start = due = time.perf_counter()
        under: set[asyncio.Task[None]] = set()
        while (due := due + self.people.chance.expovariate(rate)) < start + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if len(under) >= AT_ONCE:
                self.seen.left_out += 1
                continue
            task = asyncio.create_task(self.once())
            under.add(task)
            task.add_done_callback(under.discard)
        if under:
            await asyncio.wait(under, timeout=REST)

    async def each(self, times: int) -> None:
        """Every act so often, a few kinds beside each other."""
        room = asyncio.Semaphore(BESIDE)

        async def repeat(act: Act) -> None:
            async with room:
                for _ in range(times):
                    await self.once(act)

        await asyncio.gather(*(repeat(act) for act in self.acts))

    async def ordered(self, order: dict[str, Any]) -> dict[str, Any]:
        self.seen = Seen()
        began = time.perf_counter()
        approving = asyncio.create_task(self._approving())
        match order:
            case {"rate": rate, "seconds": seconds}:
                await self.paced(rate, seconds)
            case {"workers": workers, "seconds": seconds}:
                await self.closed(workers, seconds)
            case {"act": name, "times": times}:
                for _ in range(times):
                    await self.once(next(act for act in self.acts if act.name == name))
            case {"each": times}:
                await self.each(times)
            case _:
                raise ValueError("no such order")
        approving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await approving
        self.rows.flush()
        return self.seen.result(time.perf_counter() - began)

    async def _approving(self) -> None:
        while True:
            await asyncio.sleep(APPROVING)
            try:
                async with asyncio.timeout(10):
                    await approve(self.people)
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                self.seen.faults[f"approving: {type(error).__name__}"] += 1


def chosen(names: list[str] | None) -> tuple[Act, ...]:
    return tuple(act for act in ACTS if names is None or act.name in names)


async def main(rows: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    with SampleIssuer() as issuer, rows.open("w") as file:
        print(json.dumps(issuer.url), flush=True)
        first = json.loads(await orders.readline())
        chance = random.Random(SEED)  # noqa: S311 -- the same mix each time
        people = People(issuer, Ports(*first["ports"]), chance, first["new"])
        load = Load(people, file, chosen(first["acts"]))
        print(json.dumps({}), flush=True)
        while line := await orders.readline():
            print(json.dumps(await load.ordered(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
