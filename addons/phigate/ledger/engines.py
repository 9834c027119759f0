"""[I/O] From a URL to connections: SQLite for the gateways of one machine, PostgreSQL for those of many.

- Nothing of the URL but the database's place is ever said.
- A connection is checked before it is used: where PostgreSQL restarted, or the file was replaced, there is a new one.
- What a gateway that vanished has locked is let go by PostgreSQL itself, soon.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sqlite3
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import create_async_engine

from phigate.ledger.bounded import SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

_DRIVER: Final = 2.5
"""How long the drivers try, so that they mostly tell what it was before nobody waits any more."""
_IDLE: Final = 5.0
"""How long a transaction may stand still at PostgreSQL: a gateway that was frozen in it would stop all others."""
_SQLITE: Final = "sqlite+aiosqlite"
_POSTGRESQL: Final = "postgresql+asyncpg"
_ONE: Final = "phigate_one_statement"


class LedgerFault(Exception):  # noqa: N818 -- the operator's fault, told in the operator's words
    """Why this URL is no ledger of ours."""


@dataclass(frozen=True, slots=True)
class Engines:
    """The ways to a database: for reading, for writing by one statement, for writing by several."""

    postgresql: bool
    place: str
    """Where it is, without user, password and options."""
    reading: AsyncEngine
    writing: AsyncEngine
    stepping: AsyncEngine

    async def close(self) -> None:
        for engine in (self.reading, self.writing):
            await engine.dispose()


def engines_of(url: str) -> Engines:
    """Make what the URL asks for, SQLite's file and folders too; raises LedgerFault."""
    parsed = _parsed(url)
    if parsed is not None and parsed.drivername == _SQLITE:
        return _sqlite(parsed)
    if parsed is not None and parsed.drivername == _POSTGRESQL:
        return _postgresql(parsed)
    raise LedgerFault(f"must be `{_SQLITE}:///FILE` or `{_POSTGRESQL}://USER:PASSWORD@HOST:PORT/DATABASE`")


def _parsed(url: str) -> URL | None:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # they quote it
        return None


# -- SQLite ---------------------------------------------------------------------------------------------------------


def _sqlite(url: URL) -> Engines:
    if not url.database or url.database == ":memory:" or url.host:
        raise LedgerFault(f"a ledger in memory is forgotten at the end: name a file, `{_SQLITE}:///FILE`")
    if url.query:
        raise LedgerFault(f"`{_SQLITE}:///FILE` takes no options")
    if sqlite3.sqlite_version_info < (3, 35):
        raise LedgerFault(f"needs SQLite 3.35 or later, this Python has {sqlite3.sqlite_version}")
    path = Path(url.database).absolute()
    _make_private(path)
    # Only _make_private makes files: a connection that finds none is an error, not an empty ledger.
    place = URL.create(_SQLITE, database=f"file:{quote(str(path))}", query={"mode": "rw", "uri": "true"})
    # It writes one at a time: waiting for a turn in a queue of ours is faster and fairer than at the file.
    reading, writing = _sqlite_engine(place, path), _sqlite_engine(place, path)
    one = {_ONE: True}
    return Engines(False, str(path), reading.execution_options(**one), writing.execution_options(**one), writing)


def _make_private(path: Path) -> None:
    """Make the file where there is none, and look at it without opening it.

    Whoever closes a descriptor of a file lets go all locks that the process has on it (fcntl(2)), SQLite's among them:
    its next writer would not wait for anybody.
    """
    try:
        for folder in [each for each in reversed(path.parents) if not each.exists()]:
            folder.mkdir(mode=0o700, exist_ok=True)  # with `parents` those above would have the usual mode
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        about = path.stat()
    except OSError as error:
        raise LedgerFault(f"{path}: {os.strerror(error.errno or 0).lower()}") from None
    if not stat.S_ISREG(about.st_mode):
        raise LedgerFault(f"{path}: is not a file")
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise LedgerFault(f"{path}: {os.strerror(errno.EACCES).lower()}")
    if stat.S_IMODE(about.st_mode) & 0o077:
        raise LedgerFault(f"{path}: must be readable by its owner only (mode 600)")
    if not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise LedgerFault(f"{path.parent}: must be writable: SQLite keeps files of its own beside its database")


def _sqlite_engine(url: URL, path: Path) -> AsyncEngine:
    logging.getLogger("aiosqlite").setLevel(logging.INFO)  # below, it tells each statement with its values
    engine = create_async_engine(
        url,
        hide_parameters=True,
        pool_size=1,
        max_overflow=0,
        pool_timeout=SECONDS,
        # Without an isolation level the driver begins no transactions of its own.
        connect_args={"timeout": _DRIVER, "isolation_level": None},
    )

    # The library's own way to end a connection in use closes it twice at once, of which aiosqlite serves one; who waits
    # for the other, the loop's own end too, waits for good.
    _ending(engine, lambda connection: connection.close())

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, entry: ConnectionPoolEntry) -> None:
        entry.info["file"] = _identity(path)
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous=FULL")  # in WAL mode, NORMAL forgets the latest commits when power fails
        cursor.close()

    @event.listens_for(engine.sync_engine, "checkout")
    def _taken(_connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        if entry.info["file"] != _identity(path):
            raise DisconnectionError("the file was replaced")

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(_ONE):
            # A reader that wants to write in the middle is turned away at once: who may write waits at the beginning.
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


def _postgresql(url: URL) -> Engines:
    limits = {"statement_timeout": _DRIVER, "idle_in_transaction_session_timeout": _IDLE}
    engine = create_async_engine(
        url,
        hide_parameters=True,
        # Whatever the server's default is: the steps of a stricter level fail where these wait for each other.
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=0,
        pool_timeout=SECONDS,
        connect_args={
            "timeout": _DRIVER,
            "server_settings": {name: str(round(seconds * 1000)) for name, seconds in limits.items()},
        },
    )
    # Its own way would wait for the server, which may stand still, for each connection anew.
    _ending(engine, lambda connection: connection.driver_connection.terminate())
    one = engine.execution_options(isolation_level="AUTOCOMMIT")
    return Engines(True, f"{url.host or 'the local socket'}:{url.port or 5432}", one, one, engine)


def _ending(engine: AsyncEngine, end: Callable[[Any], None]) -> None:
    """Let connections be ended this way, idle or in use."""
    dialect = engine.dialect  # it is this engine's alone
    dialect.has_terminate = False
    for name in ("do_close", "do_terminate"):
        setattr(dialect, name, end)
