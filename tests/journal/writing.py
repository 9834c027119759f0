"""A process that writes a journal as fast as it can and says what was confirmed: `writing.py FOLDER [LIMIT [NAME]]`.

With LIMIT (0 is none) no file may grow beyond that many bytes; NAME stands before the names of its exchanges. It ends
by saying why it went down; else it waits to be killed.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

from phigate.journal.writer import Journal, JournalDown, Limits, open_journal

REQUEST = {"decision": {"verb": "permit"}, "body": "x" * 500}


async def exchanges(journal: Journal, lane: int, process: str) -> None:
    for number in range(1_000_000):
        name = f"{process}/{lane}-{number}"
        await journal.durable(journal.append("request", {"exchange": name, **REQUEST}))
        os.write(1, f"request {name}\n".encode())
        await journal.durable(journal.append("response", {"exchange": name, "outcome": "complete"}))
        os.write(1, f"response {name}\n".encode())


async def main(folder: Path, process: str) -> None:
    limits = Limits(size=64 * 1024)
    journal = open_journal(folder, "gw", lambda: datetime.now(UTC), limits=limits)
    os.write(1, b"open\n")
    try:
        await asyncio.gather(*(exchanges(journal, lane, process) for lane in range(8)))
    except JournalDown as down:
        os.write(1, f"down {down}\n".encode())


if __name__ == "__main__":
    folder, limit, name = [*sys.argv[1:], "0", "0"][:3]
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    asyncio.run(main(Path(folder), name))
