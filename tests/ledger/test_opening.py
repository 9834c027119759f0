import asyncio
import logging
import sqlite3
import time
import traceback
from contextlib import closing
from itertools import pairwise

import pytest
from sqlalchemy.engine import make_url

from phigate.ledger import LedgerFault, open_ledger, opening
from phigate.ledger.tables import METADATA, STEPS, VERSIONS
from tests import postgres
from tests.ledger import peers
from tests.ledger.peers import NOW

SECRET = "Quartermaine"
FORWARD = "the ledger's tables were brought forward, from version %d to %d"
SECOND = ("ALTER TABLE phigate_keys ADD COLUMN note TEXT", "UPDATE phigate_keys SET note = instance")
THIRD = ("CREATE TABLE phigate_more (name TEXT NOT NULL PRIMARY KEY)",)
NOW_AT = len(STEPS)
"""The version that this gateway knows; SECOND and THIRD come after it."""
NEXT = NOW_AT + 2


def versions(last):
    return [(each,) for each in range(1, last + 1)]


def forward(first, last):
    """What is said of the steps from one version to another."""
    return [FORWARD % step for step in pairwise(range(first, last + 1))]


def said(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def opens(url):
    await (await open_ledger(url)).close()


async def fault_of(url):
    with pytest.raises(LedgerFault) as fault:
        await open_ledger(url)
    return str(fault.value)


def version(url):
    return peers.execute(url, "SELECT version FROM phigate_version ORDER BY version")[0]


# -- versions -------------------------------------------------------------------------------------------------------

OLD = [
    ("an empty database", []),
    ("somebody else's tables", ["CREATE TABLE theirs (name TEXT)", "INSERT INTO theirs VALUES ('kept')"]),
    ("an empty table of versions", ["CREATE TABLE phigate_version (version INTEGER NOT NULL PRIMARY KEY)"]),
    (
        "version 0, by name",
        [
            "CREATE TABLE phigate_version (version INTEGER NOT NULL PRIMARY KEY)",
            "INSERT INTO phigate_version VALUES (0)",
        ],
    ),
]


def make(url, statements):
    """A database made by hand."""
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        path = opening.engines_of(url).place
        with closing(sqlite3.connect(path)):
            pass
    peers.execute(url, *statements)


@pytest.mark.parametrize(("sentence", "statements"), OLD, ids=[case[0] for case in OLD])
async def test_an_old_database_is_brought_forward_and_that_is_said(sentence, statements, ledger_url, caplog):
    make(ledger_url, statements)
    ledger = await open_ledger(ledger_url)
    assert await ledger.spend("token", "key", NOW + 60, NOW)
    assert said(caplog) == forward(0, NOW_AT)
    await ledger.close()
    await opens(ledger_url)
    assert said(caplog) == forward(0, NOW_AT)
    assert version(ledger_url)[-1] == (NOW_AT,)
    if any("theirs" in statement for statement in statements):
        assert peers.execute(ledger_url, "SELECT name FROM theirs") == [[("kept",)]]


async def test_each_step_is_one_and_keeps_what_is_there(ledger_url, caplog, monkeypatch):
    ledger = await open_ledger(ledger_url)
    assert await ledger.spend("token", "key", NOW + 60, NOW)
    number = await ledger.revoke(peers.revocation())
    await ledger.close()
    caplog.clear()
    monkeypatch.setattr(opening, "STEPS", (*STEPS, SECOND, THIRD))
    ledger = await open_ledger(ledger_url)
    assert said(caplog) == forward(NOW_AT, NEXT)
    assert version(ledger_url) == versions(NEXT)
    assert not await ledger.spend("token", "key", NOW + 60, NOW)
    assert [each.number for each in await ledger.revocations(0, NOW)] == [number]
    await ledger.close()


async def test_a_step_that_breaks_is_not_taken_at_all(ledger_url, monkeypatch):
    await opens(ledger_url)
    monkeypatch.setattr(opening, "STEPS", (*STEPS, (*SECOND, "UPDATE nowhere SET note = 1"), THIRD))
    assert "cannot be used" in await fault_of(ledger_url)
    assert version(ledger_url) == versions(NOW_AT)
    monkeypatch.setattr(opening, "STEPS", (*STEPS, SECOND, THIRD))
    await opens(ledger_url)
    assert version(ledger_url) == versions(NEXT)


async def test_a_newer_database_is_left_alone(ledger_url, monkeypatch):
    monkeypatch.setattr(opening, "STEPS", (*STEPS, SECOND, THIRD))
    await opens(ledger_url)
    monkeypatch.undo()
    fault = await fault_of(ledger_url)
    assert fault.startswith("the database at ")
    assert fault.endswith(f" has tables of version {NEXT}, this gateway knows {NOW_AT}: use a newer gateway")
    assert version(ledger_url) == versions(NEXT)


async def test_those_who_open_a_new_database_at_once_take_each_step_once(ledger_url, caplog, monkeypatch):
    monkeypatch.setattr(opening, "STEPS", (*STEPS, SECOND, THIRD))
    for ledger in await asyncio.gather(*(open_ledger(ledger_url) for _ in range(8))):
        await ledger.close()
    assert sorted(said(caplog)) == sorted(forward(0, NEXT))  # whoever took a step may be slow to say so


def test_processes_that_open_a_new_database_at_once_all_get_it(ledger_url):
    openers = [peers.start("open", ledger_url) for _ in range(4)]
    with peers.together(*openers):
        assert [peers.outcome(opener) for opener in openers] == [True] * 4
    assert version(ledger_url) == versions(NOW_AT)


async def test_whoever_finds_another_in_the_middle_of_a_step_waits(ledger_url):
    engines = opening.engines_of(ledger_url)
    await opening._prepare(engines)
    tables = [name for name in METADATA.tables if name != VERSIONS.name]
    peers.execute(ledger_url, f"DELETE FROM {VERSIONS.name}", *(f"DROP TABLE {name}" for name in tables))
    async with engines.stepping.begin() as connection:
        assert await connection.run_sync(opening._step) == (0, 1)
        second = asyncio.create_task(open_ledger(ledger_url))
        await asyncio.sleep(0.5)
        assert not second.done()
    await (await second).close()
    await engines.close()


# -- SQLite ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("garbage", "cause"),
    [
        (b"these are notes and no database\n" * 200, "is a file of another kind"),
        (b"SQLite format 3\0" + b"\xff" * 5000, "is a file of another kind"),
    ],
    ids=["notes", "only the head of a database"],
)
async def test_a_file_of_another_kind_is_left_alone(garbage, cause, tmp_path):
    path = tmp_path / "notes.db"
    path.write_bytes(garbage)
    path.chmod(0o600)
    assert await fault_of(f"sqlite+aiosqlite:///{path}") == f"the database at {path} {cause}"
    assert path.read_bytes() == garbage


async def test_a_damaged_file_is_a_fault(sqlite_url, tmp_path):
    await opens(sqlite_url)
    path = tmp_path / "var" / "ledger.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xee" * (len(whole) - 100))
    assert await fault_of(sqlite_url) == f"the database at {path} is damaged"


async def test_a_file_that_another_process_holds_is_a_fault_in_time(sqlite_url, tmp_path):
    path = tmp_path / "var" / "ledger.db"
    opening.engines_of(sqlite_url)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        fault = await fault_of(sqlite_url)
        assert time.monotonic() - began < opening._SECONDS + 0.5
    assert fault in {f"the database at {path} {cause}" for cause in ("is held by another process", "does not answer")}
    await opens(sqlite_url)


async def test_a_file_that_is_read_while_it_is_switched_is_waited_for(sqlite_url):
    path = opening.engines_of(sqlite_url).place
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("CREATE TABLE theirs (name TEXT)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM theirs").fetchall()
        opens_it = asyncio.create_task(open_ledger(sqlite_url))
        await asyncio.sleep(0.3)
        assert not opens_it.done()
        reader.execute("COMMIT")
        await (await opens_it).close()


async def test_readers_and_writers_of_the_file_do_not_wait_for_each_other(sqlite_url):
    await opens(sqlite_url)
    assert peers.execute(sqlite_url, "PRAGMA journal_mode") == [[("wal",)]]


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


async def test_a_database_in_which_one_may_make_no_tables_is_a_fault(postgres_server, postgres_url):
    role = make_url(postgres_url).database + "_reader"
    postgres.execute(postgres_url, f"CREATE ROLE {role} LOGIN")
    fault = await fault_of(postgres_server.url(make_url(postgres_url).database, user=role))
    assert fault == f"the database at 127.0.0.1:{postgres_server.port} does not let this user make or change tables"


async def test_a_database_that_can_only_be_read_is_a_fault(postgres_server, postgres_url):
    name = make_url(postgres_url).database
    postgres.execute(postgres_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert await fault_of(postgres_url) == f"the database at 127.0.0.1:{postgres_server.port} can only be read"


async def test_a_server_that_stands_still_is_a_fault_in_time(own_server):
    await opens(own_server.url())
    with own_server.frozen():
        began = time.monotonic()
        fault = await fault_of(own_server.url())
        assert time.monotonic() - began < opening._SECONDS + 0.5
    assert fault == f"the database at 127.0.0.1:{own_server.port} does not answer"


# -- nothing of the URL ---------------------------------------------------------------------------------------------


def urls_with_a_password(server):
    url = server.url(user="locked", password=SECRET)
    return {
        "a wrong password": (url, "refuses the password"),
        "no such user": (server.url(user="nobody-" + SECRET, password=SECRET), "does not let this user in"),
        "no such database": (server.url(f"no-{SECRET}", password=SECRET), "is not there: the server has no database"),
        "no TLS": (f"{url}?ssl=require", "cannot be reached"),
        "an option that is none": (f"{url}?secret={SECRET}", "has options that are not understood"),
        "a bad option": (f"{url}?ssl={SECRET}", "has options that are not understood"),
        "nobody there": (f"postgresql+asyncpg://gw:{SECRET}@127.0.0.1:1/ledger", "cannot be reached"),
        "no such host": (f"postgresql+asyncpg://gw:{SECRET}@nowhere.invalid/ledger", "cannot be reached"),
        "another driver": (f"postgresql://gw:{SECRET}@db/ledger", "must be"),
    }


async def test_no_password_is_in_what_is_said_or_logged(postgres_server, caplog, capfd):
    postgres.execute(
        postgres_server.url(), "DROP ROLE IF EXISTS locked", "CREATE ROLE locked LOGIN PASSWORD 'something else'"
    )
    caplog.set_level(logging.DEBUG)
    for what, (url, cause) in urls_with_a_password(postgres_server).items():
        with pytest.raises(LedgerFault) as fault:
            await open_ledger(url)
        assert cause in str(fault.value), what
        shown = "".join(traceback.format_exception(fault.value))
        assert SECRET not in shown + repr(fault.value), what
    assert SECRET not in caplog.text + "".join(capfd.readouterr())
