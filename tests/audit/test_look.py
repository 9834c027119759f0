"""Whoever looks is on record: one chain for the command line, whoever runs it and how many at once."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phigate.audit import look
from phigate.audit.proof.verify_command import proven
from phigate.journal import chain, read
from phigate.journal.tree import Range, parse_range

ADDONS = Path(__file__).parents[2] / "addons"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "journal"
    made.mkdir(0o700)
    return made


def looks(folder: Path) -> list[dict[str, Any]]:
    return [entry.record for entry in read.records(folder) if entry.record["kind"] == "look"]


def held(folder: Path) -> list[bool]:
    """Whether each file of the command line holds, and follows the one before it."""
    last, verdicts = chain.ZEROS, []
    for file in read.files(folder, look.instance()):
        verdict = chain.verify_lines([line for line in read.lines(file.path) if line.endswith(b"\n")], follows=last)
        verdicts.append(verdict.intact)
        last = verdict.last
    return verdicts


def later(monkeypatch: pytest.MonkeyPatch, **much: float) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # a time is enough
            return datetime.now(tz) + timedelta(**much)

    monkeypatch.setattr(look, "datetime", Later)


def test_a_look_says_who_looked_at_what_and_why(folder: Path) -> None:
    look.record(folder, "unseal", {"exchange": "ex-1"}, "complaint 12")
    (found,) = looks(folder)
    assert (found["command"], found["about"], found["reason"]) == ("unseal", {"exchange": "ex-1"}, "complaint 12")
    assert found["by"]["uid"] == os.getuid()
    assert found["by"].keys() == {"login", "uid", "host"}
    assert found["instance"].endswith(".cli")


def test_a_days_looks_stand_in_one_file_that_nobody_else_may_read(folder: Path) -> None:
    for at in range(3):
        look.record(folder, "show", {"exchange": f"ex-{at}"})
    (file,) = read.files(folder)
    assert [item.record["kind"] for item in read.entries(file.path) if isinstance(item, read.Entry)] == [
        "opened", "look", "look", "look",
    ]  # fmt: skip
    assert held(folder) == [True]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_next_day_has_a_file_of_its_own_that_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look.record(folder, "show", {})
    later(monkeypatch, days=1)
    look.record(folder, "show", {})
    assert held(folder) == [True, True]
    assert [each["seq"] for each in looks(folder)] == [1, 3]


def test_a_file_names_the_tree_of_all_before_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(3):
        later(monkeypatch, days=day)
        look.record(folder, "show", {})
    tree = Range()
    for file in read.files(folder):
        (first, second) = read.lines(file.path)
        opened = chain.parse(first)
        assert opened is not None
        assert parse_range(opened["tree"], opened["seq"]) == tree
        for line in (first, second):
            tree.append(bytes.fromhex(chain.digest(line)))


def test_a_torn_end_stays_and_the_next_file_says_how_much_it_is(folder: Path) -> None:
    look.record(folder, "show", {})
    (file,) = read.files(folder)
    with file.path.open("ab") as end:
        end.write(b'{"v":1,')
    os.rename(file.path, folder / file.path.name.replace(file.start, "20200101T000000Z"))  # noqa: PTH104 - a name
    look.record(folder, "show", {})
    (_, second) = read.files(folder)
    opened = next(read.entries(second.path))
    assert isinstance(opened, read.Entry)
    assert opened.record["follows"]["torn"] == 7
    assert held(folder) == [True, True]


def test_a_damaged_file_is_nothing_to_go_on_from(folder: Path) -> None:
    look.record(folder, "show", {})
    (file,) = read.files(folder)
    with file.path.open("ab") as end:
        end.write(b"no record\n")
    with pytest.raises(look.Unrecorded, match="not-a-record"):
        look.record(folder, "show", {})


def test_commands_that_run_at_once_wait_for_each_other(folder: Path) -> None:
    said = "import sys; from pathlib import Path; from phigate.audit import look\n"
    said += "for at in range(5): look.record(Path(sys.argv[1]), 'show', {'at': at})"
    run = [sys.executable, "-P", "-c", said, str(folder)]
    world = os.environ | {"PYTHONPATH": str(ADDONS)}
    several = [subprocess.Popen(run, env=world) for _ in range(3)]
    assert [each.wait(30) for each in several] == [0, 0, 0]
    assert len(looks(folder)) == 15
    assert held(folder) == [True]


def test_a_command_does_not_wait_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "PATIENCE", 0.05)
    with (folder / f"{look.instance()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(look.Unrecorded, match="other commands"):
            look.record(folder, "show", {})


def test_what_the_disk_cut_short_is_taken_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look.record(folder, "show", {"at": 1})
    write = os.write
    monkeypatch.setattr(os, "write", lambda where, data: write(where, data[:20]))
    with pytest.raises(look.Unrecorded, match="no space"):
        look.record(folder, "show", {"at": 2})
    monkeypatch.undo()
    look.record(folder, "show", {"at": 3})
    assert [each["about"] for each in looks(folder)] == [{"at": 1}, {"at": 3}]
    assert held(folder) == [True]


def test_a_first_look_that_the_disk_cut_short_leaves_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda where, data: write(where, data[:20]))
    with pytest.raises(look.Unrecorded, match="no space"):
        look.record(folder, "show", {"at": 1})
    monkeypatch.undo()
    assert read.files(folder) == []


@pytest.mark.parametrize("left", [b"", b'{"v":1,'], ids=["empty", "torn"])
def test_a_crash_before_a_files_first_line_was_whole_starts_no_second_chain(
    folder: Path, left: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    look.record(folder, "show", {"at": 1})
    later(monkeypatch, days=1)
    look.record(folder, "show", {"at": 2})
    look.record(folder, "show", {"at": 3})
    (_, second) = read.files(folder)
    second.path.write_bytes(left)
    look.record(folder, "show", {"at": 4})
    look.record(folder, "show", {"at": 5})
    assert [each["about"]["at"] for each in looks(folder)] == [1, 4, 5]
    assert len(read.files(folder)) == 3
    (proof,) = proven(folder, [])
    assert proof.findings == []


@pytest.mark.parametrize("about", [{"value": object()}, {"value": "x" * look.LONGEST}])
def test_what_is_no_record_is_not_recorded(folder: Path, about: dict[str, Any]) -> None:
    with pytest.raises(look.Unrecorded, match="no record"):
        look.record(folder, "show", about)


def test_where_nothing_can_be_written_a_command_says_so_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look.note_or_say(tmp_path / "nowhere", "show", {"exchange": "ex-1"})
    said = capsys.readouterr()
    assert "this look is not on record" in said.err
    assert "ex-1" not in said.err + said.out


def test_the_instances_name_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for host, name in [
        ("gw-1", "gw-1.cli"),
        ("ärzte/../x", "rzte-..-x.cli"),
        ("", "phigate.cli"),
        ("h" * 99, "h" * 48 + ".cli"),
    ]:
        monkeypatch.setattr(look.socket, "gethostname", lambda host=host: host)
        assert look.instance() == name
