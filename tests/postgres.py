"""A real PostgreSQL server for tests: its own folder, port and processes, gone with them.

Import the fixtures into a conftest.py: `from tests.postgres import postgres_server, postgres_url`.

- `postgres_server`: one server for all tests; where the machine has no binaries of it they are skipped, saying so.
- `postgres_url`: the URL of a fresh, empty database of that server.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import random
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from processes import HOST, free

if TYPE_CHECKING:
    from collections.abc import Iterator

USER: Final = "phigate"
SECONDS: Final = 30.0
FAST: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
ACCESS: Final = f"host all locked all scram-sha-256\nhost all all {HOST}/32 trust\n"
"""Everybody on loopback is let in as whom they say; but the role `locked`, if a test makes it, needs its password."""


class NoPostgres(Exception):  # noqa: N818 -- a reason to skip, not an error
    """Why there can be no server here."""


class Postgres:
    """A server on a loopback port of its own that keeps its port and its data while it is stopped and started."""

    def __init__(self, folder: Path, binaries: Path, runs_as: str | None) -> None:
        self.folder, self.port = folder, _port()
        self._binaries, self._runs_as = binaries, runs_as
        self._data, self._log = folder / "data", folder / "log"
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        options = ["--auth=trust", f"--username={USER}", "--encoding=UTF8", "--no-locale", "--no-sync"]
        made = self._run("initdb", "-D", str(self._data), *options)
        if made.wait(SECONDS):
            raise NoPostgres(f"initdb failed: {self._said()}")
        (self._data / "pg_hba.conf").write_text(ACCESS)

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        places = (f"listen_addresses={HOST}", f"port={self.port}", "unix_socket_directories=")
        settings = [word for setting in (*places, *FAST) for word in ("-c", setting)]
        self._process = self._run("postgres", "-D", str(self._data), *settings)
        end = time.monotonic() + SECONDS
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"the PostgreSQL server did not start: {self._said()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server at once, whoever is connected; safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(SECONDS)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Without the server."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """With a server that takes connections and does nothing: all its processes stand still."""
        everyone = self._family()
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in everyone:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def url(self, database: str = "postgres", *, user: str = USER, password: str | None = None) -> str:
        who = user if password is None else f"{user}:{password}"
        return f"postgresql+asyncpg://{who}@{HOST}:{self.port}/{database}"

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The name of a new, empty database that is dropped in the end, whoever is connected."""
        name = f"test_{next(self._numbers)}"
        execute(self.url(), f"CREATE DATABASE {name}")
        try:
            yield name
        finally:
            execute(self.url(), f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [str(self._binaries / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True,
                user=self._runs_as,
                group=None if self._runs_as is None else pwd.getpwnam(self._runs_as).pw_gid,
                extra_groups=None if self._runs_as is None else [],
            )

    def _ready(self) -> bool:
        """Whether the server wrote `ready` in the line of its process file that is for it, as pg_ctl looks at it."""
        with contextlib.suppress(OSError):
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[7].strip() == "ready"
        return False

    def _family(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-2000:].strip()


def execute(url: str, *statements: str) -> list[list[tuple[Any, ...]]]:
    """Do this in one connection to the database at a `postgresql+asyncpg` URL; each statement's rows."""

    async def work() -> list[list[tuple[Any, ...]]]:
        engine = create_async_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            results = [await connection.exec_driver_sql(statement) for statement in statements]
            return [[tuple(row) for row in result] if result.returns_rows else [] for result in results]

    with ThreadPoolExecutor(1) as thread:  # the caller's own may have a running loop
        return thread.submit(asyncio.run, work()).result(SECONDS)


def _port() -> int:
    """A free loopback port of those that no outgoing connection is given while the server is stopped."""
    return next(port for port in iter(lambda: random.randrange(20_000, 32_000), None) if free(port))


def find_binaries() -> Path:
    """The folder of `initdb` and `postgres`: the one on the PATH, or the newest of those that Debian keeps."""
    found = shutil.which("initdb")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    candidates = ([Path(found).resolve()] if found else []) + installed[::-1]
    for candidate in candidates:
        if (candidate.parent / "postgres").is_file():
            return candidate.parent
    raise NoPostgres("no `initdb` and `postgres` on the PATH or in /usr/lib/postgresql/*/bin")


def unprivileged() -> str | None:
    """As whom to run the server, which refuses to be root's; None: as whoever we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise NoPostgres("the server refuses to run as root, and there is no user `postgres` or `nobody`")


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A server of one's own, for those who stop or freeze it; raises NoPostgres."""
    binaries, runs_as = find_binaries(), unprivileged()
    # Not under pytest's own temporary folder: nobody else may enter that one.
    with tempfile.TemporaryDirectory(prefix="phigate-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if runs_as is not None:
            shutil.chown(folder, runs_as)
        server = Postgres(folder, binaries, runs_as)
        try:
            server.prepare()
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    try:
        with postgres() as server:
            yield server
    except NoPostgres as reason:
        pytest.skip(f"no PostgreSQL server here: {reason}")


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    with postgres_server.database() as name:
        yield postgres_server.url(name)
