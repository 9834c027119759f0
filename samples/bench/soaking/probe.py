"""mitmdump with the real gateway, and a look inside: on a Unix socket it tells what is alive in the process.

    python probe.py ARGUMENTS-OF-MITMDUMP        # the socket's path in PHIGATE_PROBE

A line of JSON asks, one answers: `trace` begins or ends tracing of memory, `fill` fills what remembers so many of those
who came last (it would grow until then, for an hour), `leak` keeps so many small objects of each
exchange from then on (to see that it is found), `lines` tells where traced memory was allocated. Counted is what is
left after a full collection, once no exchange is under way any more, or after some seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
import threading
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any, Final

MOST: Final = 40
"""Types, and lines, of which most are alive: so many are told."""
PATIENCE: Final = 5.0
"""Seconds for exchanges whose callers left already."""
PAGE: Final = os.sysconf("SC_PAGE_SIZE")

leaked: list[object] = []
leaking = [0]
over = [0]
"""Exchanges that came to their end."""
tables: list[Any] = []
"""Every table of when bearers are over."""


def objects() -> tuple[int, Counter[str]]:
    """How many the collector looks at, and of which types.

    No other thread runs meanwhile: one that is making a tuple fails where somebody else holds it as well.
    """
    turn = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)
    try:
        every = gc.get_objects()
        kinds = Counter(map(type, every))
        number = len(every)
        del every
    finally:
        sys.setswitchinterval(turn)
    return number, Counter({f"{kind.__module__}.{kind.__qualname__}": count for kind, count in kinds.items()})


def counted(master: Any, flows: Any) -> dict[str, Any]:
    """What is alive now; tasks include the one that asks."""
    for _ in range(3):  # what one look sets free may be the last that held something else
        gc.collect()
    number, types = objects()
    found = {
        "objects": number + gc.get_freeze_count(),
        "blocks": sys.getallocatedblocks(),
        "traced": tracemalloc.get_traced_memory()[0],
        "resident": int(Path("/proc/self/statm").read_text().split()[1]) * PAGE,
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
        "connections": len(master.addons.get("proxyserver").connections),
        "kept": len(flows._passages),  # noqa: SLF001 -- what must be nothing at rest
        "exchanges": over[0],
    }
    return found | {"types": dict(types.most_common(MOST))}


def lines() -> dict[str, int]:
    """Traced bytes by the line that allocated them."""
    told = tracemalloc.take_snapshot().statistics("lineno")[: MOST * 4]
    return {f"{Path(each.traceback[0].filename).name}:{each.traceback[0].lineno}": each.size for each in told}


async def rest(flows: Any) -> None:
    """Return once nothing is under way."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while flows._passages:  # noqa: SLF001 -- as above
                await asyncio.sleep(0.1)
                gc.collect()


def fill() -> None:
    """Of nobody, three times as many entries as there may be: a table grows once more as others take their places."""
    from phigate.identity.ends import ENTRIES  # noqa: PLC0415 -- as in `main`
    from phigate.masking.identifiers import identifier  # noqa: PLC0415
    from phigate.masking.secrets import parse_secrets  # noqa: PLC0415

    for table in tables:
        for number in range(3 * ENTRIES):
            table.over(f"nobody-{number}", 60.0)
    secrets = parse_secrets(f"1 {'0' * 64}\n", "nobody's")
    for number in range(3 * (identifier.cache_parameters()["maxsize"] or 0)):
        identifier("PERSON", f"Nobody {number}", secrets)


def asked(order: dict[str, Any], master: Any, flows: Any) -> dict[str, Any]:
    leaking[0] = order.get("leak", leaking[0])
    if "trace" in order:
        (tracemalloc.start if order["trace"] else tracemalloc.stop)()
    if order.get("fill"):
        fill()
    told = counted(master, flows)
    return told | ({"lines": lines()} if order.get("lines") else {})


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "addons"))
    from mitmproxy.tools.dump import DumpMaster  # noqa: PLC0415 -- the path comes first
    from mitmproxy.tools.main import mitmdump  # noqa: PLC0415

    from phigate import flows, metrics  # noqa: PLC0415
    from phigate.identity.ends import Ends  # noqa: PLC0415

    begin = Ends.__init__

    def begun(table: Ends, *args: Any, **more: Any) -> None:
        begin(table, *args, **more)
        tables.append(table)

    Ends.__init__ = begun  # type: ignore[method-assign,assignment]
    count, running = metrics.count, DumpMaster.running

    def counting(*args: Any) -> None:
        over[0] += 1
        leaked.extend(object() for _ in range(leaking[0]))
        count(*args)

    metrics.count = counting  # type: ignore[assignment]  # everybody calls it by its module

    async def listening(master: DumpMaster) -> None:
        await running(master)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                await rest(flows)
                told = asked(json.loads(line), master, flows)
                writer.write(json.dumps(told).encode() + b"\n")
                await writer.drain()
            writer.close()

        await asyncio.start_unix_server(answer, os.environ["PHIGATE_PROBE"], limit=1 << 20)

    DumpMaster.running = listening  # type: ignore[method-assign,assignment]  # the moment when everything is there
    mitmdump(sys.argv[1:])


if __name__ == "__main__":
    main()
