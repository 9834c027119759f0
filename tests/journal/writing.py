"""A process that writes a journal as fast as it can and says what was confirmed: `writing.py FOLDER [LIMIT]`.

With LIMIT no file may grow beyond that many bytes. It ends by saying why it went down; else it waits to be killed.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from datetime import UTC, datetime
from pathlib import Path

from phigate.journal.writer import Journal, JournalDown, open_journal

REQUEST = {"decision": {"verb": "permit"}, "body": "x" * 500}


async def exchanges(journal: Journal, lane: int) -> None:
    for number in range(1_000_000):
        name = f"{lane}-{number}"
        await journal.durable(journal.append("request", {"exchange": name, **REQUEST}))
        os.write(1, f"request {name}\n".encode())
        await journal.durable(journal.append("response", {"exchange": name, "outcome": "complete"}))
        os.write(1, f"response {name}\n".encode())


async def main(folder: Path) -> None:
    journal = open_journal(folder, "gw", lambda: datetime.now(UTC))
    os.write(1, b"open\n")
    try:
        await asyncio.gather(*(exchanges(journal, lane) for lane in range(8)))
    except JournalDown as down:
        os.write(1, f"down {down}\n".encode())


if __name__ == "__main__":
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    asyncio.run(main(Path(sys.argv[1])))
