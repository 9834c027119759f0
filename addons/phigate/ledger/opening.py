"""[I/O] Open the ledger: reach its database, see that it is one of ours, and bring its tables forward.

Each step is one transaction, taken alone: of two gateways that start at once one waits and finds it taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, insert, inspect, select
from sqlalchemy.exc import OperationalError

from phigate.ledger.bounded import Bounds
from phigate.ledger.engines import LedgerFault, engines_of
from phigate.ledger.faults import chain, codes
from phigate.ledger.ledger import Ledger
from phigate.ledger.tables import STEPS, VERSIONS

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from phigate.ledger.engines import Engines

logger = logging.getLogger(__name__)

_SECONDS: Final = 10.0
"""Longer than what others wait for: another gateway may be taking the steps."""
_SWITCHING: Final = 3.0
_AGAIN: Final = 0.02
_LOCK: Final = 0x7068696761746501
"""PostgreSQL's advisory lock of whoever takes a step."""

_CAUSES: Final = {
    "28000": "does not let this user in",
    "28P01": "refuses the password",
    "3D000": "is not there: the server has no database of this name",
    "42501": "does not let this user make or change tables",
    "25006": "can only be read",
    "53300": "has no connection left",
    "57P03": "is starting or stopping",
    "SQLITE_NOTADB": "is a file of another kind",
    "SQLITE_CORRUPT": "is damaged",
    "SQLITE_BUSY": "is held by another process",
    "SQLITE_READONLY": "can only be read",
    "SQLITE_FULL": "has no space left",
    "SQLITE_IOERR": "cannot be read or written",
}
"""By PostgreSQL's SQLSTATE (appendix A of its manual), or by SQLite's name of the error."""
_KINDS: Final = (
    (TimeoutError, "does not answer"),
    (ssl.SSLError, "cannot be reached by TLS"),
    (OSError, "cannot be reached"),
    ((TypeError, ValueError), "cannot be used: its URL has options that are not understood"),
)
"""By the kind of error, where there is no code."""


async def open_ledger(url: str) -> Ledger:
    """Open the ledger at a URL within 10 s; raises LedgerFault with what its operator can do something about."""
    engines = engines_of(url)
    bounds = Bounds(cancels=engines.postgresql)
    try:
        await bounds.wait(_prepare(engines), _SECONDS)
    except Exception as error:  # noqa: BLE001 -- a driver's, or what it stumbled over
        fault = str(error) if isinstance(error, LedgerFault) else _cause(error)
    else:
        return Ledger(engines)
    with contextlib.suppress(Exception):
        await bounds.wait(engines.close())
    raise LedgerFault(f"the database at {engines.place} {fault}")


async def _prepare(engines: Engines) -> None:
    if not engines.postgresql:
        await _write_ahead(engines)
    async with engines.reading.connect() as connection:
        version = await connection.run_sync(_version)
    while version < len(STEPS):
        async with engines.stepping.begin() as connection:
            before, version = await connection.run_sync(_step)
        if before < version:
            logger.warning("the ledger's tables were brought forward, from version %d to %d", before, version)
    if version > len(STEPS):
        raise LedgerFault(f"has tables of version {version}, this gateway knows {len(STEPS)}: use a newer gateway")


async def _write_ahead(engines: Engines) -> None:
    """Switch the file to WAL mode for good, in which readers and writers do not wait for each other."""
    end = time.monotonic() + _SWITCHING
    while True:
        try:
            async with engines.writing.connect() as connection:
                if (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar_one() != "wal":
                    await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except OperationalError as error:
            if "SQLITE_BUSY" not in codes(error) or time.monotonic() > end:
                raise
            await asyncio.sleep(_AGAIN)  # for this switch SQLite itself does not always wait
        else:
            return


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(VERSIONS.name):
        return 0
    return int(connection.execute(select(func.max(VERSIONS.c.version))).scalar() or 0)


def _step(connection: Connection) -> tuple[int, int]:
    """Take the next step, if there is one; the versions before and after."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    version = _version(connection)
    if version >= len(STEPS):
        return version, version
    VERSIONS.create(connection, checkfirst=True)
    for statement in STEPS[version]:
        connection.exec_driver_sql(statement)
    connection.execute(insert(VERSIONS).values(version=version + 1))
    return version, version + 1


def _cause(error: Exception) -> str:
    """What is wrong with the database, as its operator would say it."""
    for code in codes(error):
        if code in _CAUSES:
            return _CAUSES[code]
    inside_out = chain(error)[::-1]
    for each in inside_out:
        for kind, sentence in _KINDS:
            if isinstance(each, kind):
                return sentence
    return f"cannot be used ({type(inside_out[0]).__name__})"
