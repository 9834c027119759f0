"""Other gateways of the same ledger, as processes of their own; and what tests do to a database behind its back."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import make_url

from phigate.ledger import Revocation, open_ledger
from tests import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_700_000_000.0
AT_ONCE = 8


def revocation(subject: str | None = "ada", jti: str | None = None, *, expires: float = NOW + 900) -> Revocation:
    return Revocation("https://idp.example", subject, jti, cut=NOW, expires=expires, by="eve", reason="lost")


# -- processes ------------------------------------------------------------------------------------------------------


def start(role: str, url: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that plays a role below; it says `ready`, and begins when it is told something."""
    command = [sys.executable, "-m", "tests.ledger.peers", role, url, *map(str, arguments)]
    path = [each for each in sys.path if each]
    environment = {"PYTHONPATH": ":".join(path), "PATH": ""}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


@contextmanager
def together(*processes: subprocess.Popen[str]) -> Iterator[None]:
    """Let them begin at the same time; whoever is left in the end is ended."""
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def outcome(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    said = process.stdout.read()
    assert process.wait(60) == 0
    return json.loads(said)


async def _spend(url: str, seed: str, count: str) -> list[int]:
    """Spend the same keys as others, in an order of one's own; those that one was the first for."""
    ledger = await open_ledger(url)
    keys = list(range(int(count)))
    random.Random(seed).shuffle(keys)
    turns = asyncio.Semaphore(AT_ONCE)
    won = []

    async def one(key: int) -> None:
        async with turns:
            if await ledger.spend("token", f"key-{key}", NOW + 60, NOW):
                won.append(key)

    _wait_for_go()
    await asyncio.gather(*map(one, keys))
    await ledger.close()
    return won


async def _revoke(url: str, count: str) -> list[int]:
    """Revoke, several at a time; the numbers given."""
    ledger = await open_ledger(url)
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> int:
        async with turns:
            return await ledger.revoke(revocation(None, f"jti-{number}"))

    _wait_for_go()
    numbers = await asyncio.gather(*map(one, range(int(count))))
    await ledger.close()
    return numbers


async def _open(url: str) -> bool:
    _wait_for_go()
    ledger = await open_ledger(url)
    await ledger.close()
    return True


async def _leave(url: str) -> float:
    """Use the ledger, and end without closing it; when that was."""
    ledger = await open_ledger(url)
    _wait_for_go()
    await ledger.revocations(0, NOW)
    assert await ledger.spend("token", "key", NOW + 60, NOW)
    return time.time()


def _wait_for_go() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


ROLES = {"spend": _spend, "revoke": _revoke, "open": _open, "leave": _leave}


# -- behind its back ------------------------------------------------------------------------------------------------


def execute(url: str, *statements: str) -> list[list[tuple[Any, ...]]]:
    """Do this in the ledger's database by a connection of one's own; each statement's rows."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        with closing(sqlite3.connect(str(parsed.database), isolation_level=None)) as connection:
            return [connection.execute(statement).fetchall() for statement in statements]

    return postgres.execute(url, *statements)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(ROLES[sys.argv[1]](*sys.argv[2:]))))  # type: ignore[operator]
