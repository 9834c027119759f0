import asyncio
import fcntl
import os
import pwd
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from phigate.ledger import LedgerDown, LedgerFault, engines, open_ledger
from phigate.ledger.engines import engines_of
from tests.ledger.peers import NOW

FORMS = "must be `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER:PASSWORD@HOST:PORT/DATABASE`"
MEMORY = "a ledger in memory is forgotten at the end: name a file, `sqlite+aiosqlite:///FILE`"
SECRET = "Quartermaine"

OTHER_URLS = [
    ("a driver that makes the loop wait", f"postgresql://gw:{SECRET}@db/ledger", FORMS),
    ("another driver that does", f"postgresql+psycopg2://gw:{SECRET}@db/ledger", FORMS),
    ("SQLite's own", "sqlite:///ledger.db", FORMS),
    ("another database", f"mysql+aiomysql://gw:{SECRET}@db/ledger", FORMS),
    ("a database that nobody knows", f"oracle9+none://gw:{SECRET}@db/ledger", FORMS),
    ("a port that is a password", f"postgresql+asyncpg://gw:pa@ss:{SECRET}/ledger", FORMS),
    ("a path", f"/var/{SECRET}/ledger.db", FORMS),
    ("nothing", "", FORMS),
    ("memory", "sqlite+aiosqlite://", MEMORY),
    ("memory by its name", "sqlite+aiosqlite:///:memory:", MEMORY),
    ("a slash too few", "sqlite+aiosqlite://var/ledger.db", MEMORY),
    ("options of SQLite", "sqlite+aiosqlite:///ledger.db?mode=ro", "`sqlite+aiosqlite:///FILE` takes no options"),
]


@pytest.mark.parametrize(("sentence", "url", "said"), OTHER_URLS, ids=[case[0] for case in OTHER_URLS])
def test_another_url_is_a_fault_that_says_which_are_taken(sentence, url, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LedgerFault) as fault:
        engines_of(url)
    assert str(fault.value) == said
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_is_too_old_is_a_fault(sqlite_url, monkeypatch):
    monkeypatch.setattr(engines.sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(engines.sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(LedgerFault, match=r"^needs SQLite 3\.35 or later, this Python has 3\.34\.1$"):
        engines_of(sqlite_url)


def test_the_place_of_a_database_tells_nothing_else_of_its_url(sqlite_url, tmp_path):
    made = engines_of(f"postgresql+asyncpg://gw:{SECRET}@db.example/ledger?ssl=require&passfile={SECRET}")
    assert made.place == "db.example:5432"
    assert engines_of("postgresql+asyncpg:///ledger").place == "the local socket:5432"
    assert engines_of(sqlite_url).place == f"{tmp_path}/var/ledger.db"
    assert SECRET not in repr(made)


# -- SQLite's file --------------------------------------------------------------------------------------------------


async def opens(url):
    ledger = await open_ledger(url)
    spent = await ledger.spend("token", "key", NOW + 60, NOW)
    await ledger.close()
    return spent


async def test_a_relative_file_is_found_from_where_the_gateway_was_started(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = await open_ledger("sqlite+aiosqlite:///deep/ledger.db")
    monkeypatch.chdir("/")
    assert await ledger.spend("token", "key", NOW + 60, NOW)
    await ledger.close()
    assert (tmp_path / "deep" / "ledger.db").is_file()


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "l#1.db", "ä;x.db", "file:x.db"])
async def test_a_file_may_have_any_name(name, tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/{name}"
    assert await opens(url)
    assert not await opens(url)
    assert [path.name for path in tmp_path.iterdir()] == [name]


async def test_a_file_and_its_folders_are_made_for_the_owner_alone(tmp_path):
    tmp_path.chmod(0o755)
    ledger = await open_ledger(f"sqlite+aiosqlite:///{tmp_path}/one/two/ledger.db")
    assert await ledger.spend("token", "key", NOW + 60, NOW)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    await ledger.close()
    files = {"ledger.db", "ledger.db-wal", "ledger.db-shm"}
    assert modes == {"one": 0o700, "two": 0o700} | dict.fromkeys(files, 0o600)
    assert tmp_path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_a_file_that_others_may_read_is_a_fault(tmp_path, mode):
    path = tmp_path / "ledger.db"
    path.touch()
    path.chmod(mode)
    with pytest.raises(LedgerFault) as fault:
        engines_of(f"sqlite+aiosqlite:///{path}")
    assert str(fault.value) == f"{path}: must be readable by its owner only (mode 600)"


def test_what_is_no_file_is_a_fault(tmp_path):
    for path, said in ((tmp_path, "is not a file"), (tmp_path / "pipe", "is not a file")):
        if not path.exists():
            os.mkfifo(path)
        with pytest.raises(LedgerFault) as fault:
            engines_of(f"sqlite+aiosqlite:///{path}")
        assert str(fault.value) == f"{path}: {said}"


def test_a_file_where_a_folder_should_be_is_a_fault(tmp_path):
    (tmp_path / "var").touch()
    with pytest.raises(LedgerFault) as fault:
        engines_of(f"sqlite+aiosqlite:///{tmp_path}/var/ledger.db")
    assert str(fault.value) == f"{tmp_path}/var/ledger.db: not a directory"


@contextmanager
def unprivileged():
    """Without root's right to write anywhere, and a folder that whoever this is may enter."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        if root:
            Path(name).chmod(0o755)
            os.seteuid(pwd.getpwnam("nobody").pw_uid)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_that_can_only_be_read_is_a_fault(exists):
    with unprivileged() as top:
        if os.geteuid() == top.stat().st_uid:
            top.chmod(0o700)
        else:
            os.seteuid(0)
            os.chown(top, pwd.getpwnam("nobody").pw_uid, -1)
            os.seteuid(pwd.getpwnam("nobody").pw_uid)
        path = top / "ledger.db"
        if exists:
            path.touch(mode=0o600)
        top.chmod(0o500)
        with pytest.raises(LedgerFault) as fault:
            engines_of(f"sqlite+aiosqlite:///{path}")
        top.chmod(0o700)
    beside = f"{top}: must be writable: SQLite keeps files of its own beside its database"
    assert str(fault.value) == (beside if exists else f"{path}: permission denied")


async def test_a_file_that_is_gone_is_not_replaced_by_an_empty_one(sqlite_url, tmp_path):
    path, kept = tmp_path / "var" / "ledger.db", tmp_path / "kept.db"
    ledger = await open_ledger(sqlite_url)
    assert await ledger.spend("token", "key", NOW + 60, NOW)
    other = await open_ledger(sqlite_url)
    path.rename(kept)
    for each in (ledger, other):
        with pytest.raises(LedgerDown):
            await each.spend("token", "other", NOW + 60, NOW)
        with pytest.raises(LedgerDown):
            await each.revocations(0, NOW)
    assert not path.exists()
    kept.rename(path)
    assert not await ledger.spend("token", "key", NOW + 60, NOW)
    assert await other.spend("token", "other", NOW + 60, NOW)
    await ledger.close()
    await other.close()


async def test_a_file_that_is_replaced_is_read_anew(sqlite_url, tmp_path):
    path, elsewhere = tmp_path / "var" / "ledger.db", tmp_path / "elsewhere.db"
    ledger, new = await open_ledger(sqlite_url), await open_ledger(f"sqlite+aiosqlite:///{elsewhere}")
    assert await new.spend("token", "of the new one", NOW + 60, NOW)
    await new.close()
    assert await ledger.spend("token", "key", NOW + 60, NOW)
    elsewhere.replace(path)
    for beside in path.parent.glob("*-*"):
        beside.unlink()
    assert not await ledger.spend("token", "of the new one", NOW + 60, NOW)
    await ledger.close()


async def test_readers_do_not_wait_for_a_writer(sqlite_url):
    ledger, other = await open_ledger(sqlite_url), await open_ledger(sqlite_url)
    async with other._engines.stepping.begin():
        began = time.monotonic()
        assert await ledger.revocations(0, NOW) == []
        assert time.monotonic() - began < 1
    await ledger.close()
    await other.close()


# -- PostgreSQL's side ----------------------------------------------------------------------------------------------


async def test_the_server_is_told_to_let_go_of_whoever_stands_still(postgres_url):
    made = engines_of(postgres_url)
    async with made.stepping.connect() as connection:
        names = ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_isolation")
        found = [(await connection.exec_driver_sql(f"SHOW {name}")).scalar_one() for name in names]
    await made.close()
    assert found == ["2500ms", "5s", "read committed"]


TRIES = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


async def test_a_ledger_that_is_opened_once_more_lets_no_lock_of_this_process_go(tmp_path):
    path = tmp_path / "ledger.db"
    engines_of(f"sqlite+aiosqlite:///{path}")
    with path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        engines_of(f"sqlite+aiosqlite:///{path}")
        other = await asyncio.create_subprocess_exec(sys.executable, "-c", TRIES, path, stderr=asyncio.subprocess.PIPE)
        _, said = await other.communicate()
    assert other.returncode == 1
    assert b"BlockingIOError" in said
