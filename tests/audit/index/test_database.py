"""The database itself: where it stands, whom it trusts, when it is made anew. What goes into it: test_upkeep.py."""

import os
import shutil
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from phigate.audit.index import database as made
from phigate.audit.index.database import IndexFault, open_index
from tests.journal.samples import put, request, response

FIRST = "gw-20261123T150405Z-0"
ROWS = (("opened", {}), ("request", request("ex-1")), ("response", response("ex-1")))


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "journal"
    found.mkdir(mode=0o700)
    put(found, FIRST, *ROWS)
    return found


def known(folder):
    with open_index(folder) as index:
        return [row["exchange"] for row in index.rows("SELECT exchange FROM exchange ORDER BY id")]


def test_it_stands_beside_the_files_for_its_owner_alone(folder):
    with open_index(folder) as index:
        assert index.path == folder / "index.db"
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.glob("index*")} == {0o600}
    assert sorted(each.name for each in folder.iterdir()) == [f"{FIRST}.jsonl", "index.db", "index.lock"]


def test_it_stays_between_two_openings(folder):
    known(folder)
    before = (folder / "index.db").stat()
    assert known(folder) == ["ex-1"]
    assert (folder / "index.db").stat().st_ino == before.st_ino


def test_it_holds_nothing_of_a_body(folder):
    known(folder)
    assert b"Summarise" in (folder / f"{FIRST}.jsonl").read_bytes()
    assert b"Summarise" not in (folder / "index.db").read_bytes()


def test_where_the_folder_cannot_be_written_it_stands_in_the_cache(folder, tmp_path, monkeypatch):
    real = os.open

    def readonly(path, *args, **more):
        if Path(path).parent == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **more)

    monkeypatch.setattr(os, "open", readonly)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert known(folder) == ["ex-1"]
    assert [each.name for each in folder.iterdir()] == [f"{FIRST}.jsonl"]
    (database,) = (tmp_path / "cache" / "phigate").glob("journal-*.db")
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


def test_what_root_makes_is_the_owners_of_the_folder(folder, monkeypatch):
    given, owner = [], folder.stat()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _, *ids: given.append(ids))
    known(folder)
    assert given == [(owner.st_uid, owner.st_gid)] * 2
    made = (folder / "index.db").stat().st_ino
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert known(folder) == ["ex-1"]
    assert (folder / "index.db").stat().st_ino == made


def spoil(path, statement):
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()


def copied(path):
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").replace(path)


def linked(path):
    other = path.with_name("elsewhere.db")
    path.replace(other)
    path.symlink_to(other)


FOREIGN = {
    "no database at all": lambda path: path.write_bytes(b"not a database" * 100),
    "an empty file": lambda path: path.write_bytes(b""),
    "cut off": lambda path: os.truncate(path, 5000),
    "another version": lambda path: spoil(path, "PRAGMA user_version = 99"),
    "of another application": lambda path: spoil(path, "PRAGMA application_id = 7"),
    "a copy": copied,
    "readable for others": lambda path: path.chmod(0o644),
    "a link": linked,
    "a trigger in it": lambda path: spoil(
        path, "CREATE TRIGGER t AFTER INSERT ON exchange BEGIN DELETE FROM exchange; END"
    ),
    "a table is missing": lambda path: spoil(path, "DROP TABLE meta"),
}


@pytest.mark.parametrize("spoiled", FOREIGN.values(), ids=FOREIGN)
def test_what_was_not_made_here_is_made_anew(folder, spoiled):
    known(folder)
    spoil(folder / "index.db", "INSERT INTO exchange(exchange) VALUES('planted')")
    spoiled(folder / "index.db")
    assert known(folder) == ["ex-1"]
    assert not (folder / "index.db").is_symlink()
    assert known(folder) == ["ex-1"]


def test_damage_that_shows_in_a_question_is_told_and_mended(folder):
    put(folder, "gw-20261123T160405Z-3", *(("request", request(f"ex-{n}")) for n in range(2, 400)), start=60)
    known(folder)
    path = folder / "index.db"
    raw = bytearray(path.read_bytes())
    with open_index(folder) as index:
        root = next(index.rows("SELECT rootpage FROM sqlite_master WHERE name = 'exchange'"))[0]
    raw[(root - 1) * 4096 : root * 4096] = bytes(4096)
    with path.open("r+b") as file:
        file.write(raw)
    with pytest.raises(IndexFault, match="damaged, and removed"):
        known(folder)
    assert len(known(folder)) == 399


def test_many_at_once_agree(folder):
    put(folder, "gw-20261123T160405Z-3", *(("request", request(f"ex-{n}")) for n in range(2, 300)), start=60)
    found, threads = [], [threading.Thread(target=lambda: found.append(len(known(folder)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [299] * 8


def test_a_question_that_is_under_way_holds_nobody_up(folder):
    with open_index(folder) as slow:
        rows = slow.rows("SELECT exchange FROM exchange")
        next(rows)
        put(folder, "gw-20261123T160405Z-3", ("request", request("ex-2")), start=60)
        assert known(folder) == ["ex-1", "ex-2"]
        rows.close()


def test_a_question_changes_nothing(folder):
    with open_index(folder) as index, pytest.raises(sqlite3.OperationalError, match="readonly"):
        index.one("DELETE FROM exchange")


def test_an_answer_may_be_left_before_its_end(folder):
    index = open_index(folder)
    answer = index.rows("SELECT * FROM exchange UNION ALL SELECT * FROM exchange")
    next(answer)
    index.close()
    answer.close()


def test_a_crash_while_it_is_made_leaves_none(folder, monkeypatch):
    monkeypatch.setattr(made, "_fill", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        open_index(folder)
    assert sorted(each.name for each in folder.iterdir()) == [f"{FIRST}.jsonl", "index.lock"]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(IndexFault, match="no such folder"):
        open_index(tmp_path / "missing")


def test_progress_is_told(folder, monkeypatch):
    monkeypatch.setattr("phigate.audit.index.upkeep.REPORT", 1)
    told = []
    open_index(folder, progress=lambda done, total: told.append((done, total))).close()
    size = (folder / f"{FIRST}.jsonl").stat().st_size
    assert len(told) == 3
    assert {total for _, total in told} == {size}
    assert all(0 < done <= size for done, _ in told)
