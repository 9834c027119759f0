from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from phigate.journal import chain, read, writer
from phigate.journal.writer import JournalDown, JournalFault, open_journal
from tests.journal.samples import Clock, request, response

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def opened(folder: Path) -> Iterator[writer.Journal]:
    opened = open_journal(folder, "gw", Clock())
    yield opened
    opened.close("test over")


def kinds(path: Path) -> list[str]:
    return [item.record["kind"] for item in read.entries(path) if isinstance(item, read.Entry)]


def held(folder: Path) -> list[chain.Verdict]:
    """Each file's verdict, every one held to the last line of the file before it."""
    verdicts: list[chain.Verdict] = []
    for file in read.files(folder, "gw"):
        whole = [line for line in read.lines(file.path) if line.endswith(b"\n")]
        verdicts.append(chain.verify_lines(whole, follows=verdicts[-1].last if verdicts else chain.ZEROS))
    return verdicts


def test_a_journal_that_opened_has_written(folder: Path, opened: writer.Journal) -> None:
    assert opened.path.name == "gw-20261123T150406Z-0.jsonl"
    assert kinds(opened.path) == ["opened"]
    assert opened.healthy


def test_nobody_else_may_read_it(folder: Path, opened: writer.Journal) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


async def test_records_stand_in_the_order_of_the_calls(folder: Path, opened: writer.Journal) -> None:
    receipts = [opened.append("request", request(f"ex-{number}")) for number in range(100)]
    await asyncio.gather(*(opened.durable(receipt) for receipt in reversed(receipts)))
    assert [receipt.seq for receipt in receipts] == list(range(1, 101))
    assert all(receipt.done for receipt in receipts)
    found = [item.record.get("exchange") for item in read.entries(opened.path) if isinstance(item, read.Entry)]
    assert found == [None, *(f"ex-{number}" for number in range(100))]
    assert opened.oldest_pending_seconds(time.monotonic()) == 0
    assert held(folder)[0].intact


def test_fields_may_depend_on_where_the_record_stands(opened: writer.Journal) -> None:
    opened.append("request", request("ex-1"))
    receipt = opened.append("part", lambda file, seq: {"exchange": "ex-1", "at": [file, seq]})
    opened.wait(receipt)
    last = [item.record for item in read.entries(opened.path) if isinstance(item, read.Entry)][-1]
    assert (last["at"], last["seq"]) == ([opened.path.name, receipt.seq], receipt.seq)


def test_a_file_says_which_epochs_key_names_its_identifiers(folder: Path) -> None:
    opened = open_journal(folder, "gw", Clock(), epoch="2027")
    (first,) = (item.record for item in read.entries(opened.path) if isinstance(item, read.Entry))
    assert (first["kind"], first["epoch"]) == ("opened", "2027")
    opened.close("test over")


def test_it_works_where_no_loop_runs(folder: Path, opened: writer.Journal) -> None:
    receipt = opened.append("look", {})
    opened.wait(receipt)
    assert receipt.done
    opened.wait(receipt)


def test_what_is_no_record_leaves_the_chain_as_it_was(folder: Path, opened: writer.Journal) -> None:
    with pytest.raises(chain.Unrecordable):
        opened.append("request", {"body": "\ud800"})
    opened.wait(opened.append("look", {}))
    assert held(folder)[0].intact
    assert opened.healthy


def test_a_refused_line_leaves_no_gap(folder: Path, opened: writer.Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened._course.commit, "_limit", 600)
    with pytest.raises(JournalDown, match="full"):
        opened.append("look", {"text": "x" * 1000})
    opened.wait(opened.append("look", {}))
    assert held(folder)[0].intact
    assert opened.healthy


def test_closing_writes_it_down_once_and_frees_the_instance(folder: Path) -> None:
    first = open_journal(folder, "gw", Clock())
    first.append("look", {})
    first.close("stopped")
    first.close("stopped again")
    assert kinds(first.path) == ["opened", "look", "closed"]
    assert not first.healthy
    with pytest.raises(JournalDown, match="closed"):
        first.append("look", {})
    open_journal(folder, "gw", Clock()).close("stopped")


def test_an_instance_has_one_writer(folder: Path, opened: writer.Journal) -> None:
    with pytest.raises(JournalFault, match="another process writes the journal of instance `gw`"):
        open_journal(folder, "gw", Clock())
    open_journal(folder, "gw-2", Clock()).close("stopped")
    assert opened.healthy


def test_another_process_cannot_write_either(folder: Path, opened: writer.Journal) -> None:
    done = subprocess.run(writing(folder), capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=30)
    assert done.returncode != 0
    assert "another process writes the journal" in done.stderr


@pytest.mark.parametrize("name", ["", "../gw", "a/b", ".gw", "-gw", "g w", "gw\n", "g" * 65, "gẅ"])
def test_an_instance_name_is_a_safe_file_name(folder: Path, name: str) -> None:
    with pytest.raises(JournalFault, match="instance"):
        open_journal(folder, name, Clock())
    assert not folder.exists()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_open_to_others_is_refused_and_left_alone(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(JournalFault, match="chmod 700"):
        open_journal(folder, "gw", Clock())
    assert folder.stat().st_mode & 0o777 == mode
    assert not list(folder.iterdir())


def test_a_folder_that_cannot_be_is_the_operators_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalFault, match="file"):
        open_journal(tmp_path / "file" / "journal", "gw", Clock())


def test_a_lock_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(mode=0o700)
    (folder / "gw.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalFault):
        open_journal(folder, "gw", Clock())
    assert not (tmp_path / "elsewhere").exists()


def test_a_disk_that_refuses_the_first_record_opens_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(mode=0o700)
    usual = os.open

    def swapped(path: object, flags: int, mode: int = 0o777) -> int:
        return usual("/dev/full", os.O_WRONLY) if str(path).endswith(".jsonl") else usual(str(path), flags, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", swapped)
        with pytest.raises(JournalFault, match="ENOSPC"):
            open_journal(folder, "gw", Clock())
    open_journal(folder, "gw", Clock()).close("the instance is free again")


async def test_a_write_error_takes_it_down_for_good(opened: writer.Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opened._course.commit, "_write", lambda _descriptor, _data: 3)
    receipt = opened.append("look", {})
    with pytest.raises(JournalDown):
        await opened.durable(receipt)
    monkeypatch.undo()
    assert not opened.healthy
    assert not receipt.done
    assert opened.fault
    with pytest.raises(JournalDown):
        opened.append("look", {})


def test_the_next_file_goes_on_where_the_last_one_ended(folder: Path) -> None:
    for _ in range(3):
        one = open_journal(folder, "gw", Clock())
        one.append("request", request("ex"))
        one.append("response", response("ex"))
        one.close("stopped")
    verdicts = held(folder)
    assert [verdict.broken for verdict in verdicts] == [None] * 3
    assert [file.seq for file in read.files(folder)] == [0, 4, 9]
    second = read.files(folder)[1].path
    head = next(item.record for item in read.entries(second) if isinstance(item, read.Entry))
    assert head["follows"] == {"file": read.files(folder)[0].path.name, "hash": verdicts[0].last}
    assert head["prev"] == verdicts[0].last


def test_what_a_crash_left_open_is_recorded_first(folder: Path) -> None:
    first = open_journal(folder, "gw", Clock())
    for name in ("answered", "open-1", "open-2"):
        first.append("request", request(name))
    first.append("response", response("answered"))
    first.close("stands in for a crash")
    path = first.path
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1]) + whole[-1][:20])

    second = open_journal(folder, "gw", Clock())
    records = [item.record for item in read.entries(second.path) if isinstance(item, read.Entry)]
    second.close("stopped")
    assert [(record["kind"], record.get("exchange"), record.get("outcome")) for record in records] == [
        ("opened", None, None),
        ("recovered", "open-1", "interrupted"),
        ("recovered", "open-2", "interrupted"),
        ("recovered", None, None),
    ]
    assert records[-1]["files"] == [{"file": path.name, "torn": 20}]
    assert records[-1]["interrupted"] == 2
    third = open_journal(folder, "gw", Clock())
    third.close("stopped")
    assert kinds(third.path) == ["opened", "recovered", "closed"]
    assert all(verdict.intact for verdict in held(folder))


ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def writing(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(HERE / "writing.py"), str(folder), *arguments]


def confirmed(said: bytes) -> set[tuple[str, str]]:
    lines = said[: said.rfind(b"\n") + 1].decode().splitlines()
    return {
        (kind, name) for kind, _, name in (line.partition(" ") for line in lines) if kind in ("request", "response")
    }


def kept(folder: Path) -> set[tuple[str, str]]:
    found = (entry.record for entry in read.records(folder))
    return {(record["kind"], record["exchange"]) for record in found if record["kind"] in ("request", "response")}


def test_kill_9_loses_nothing_that_was_confirmed(folder: Path) -> None:
    said: set[tuple[str, str]] = set()
    for turn in range(8):
        process = subprocess.Popen(writing(folder), stdout=subprocess.PIPE, env=ENVIRONMENT)
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        time.sleep(0.03 + 0.02 * turn)
        process.send_signal(signal.SIGKILL)
        fresh = confirmed(process.communicate(timeout=30)[0])
        assert fresh - {(kind, name) for kind, name in kept(folder)} == set()
        said |= fresh
    assert len(said) > 100
    open_journal(folder, "gw", Clock()).close("settled")
    assert all(verdict.intact for verdict in held(folder))
    open_ended = [entry.record for entry in read.records(folder) if entry.record.get("outcome") == "interrupted"]
    assert open_ended


def test_a_file_that_may_not_grow_confirms_nothing_it_does_not_hold(folder: Path) -> None:
    done = subprocess.run(writing(folder, "50000"), capture_output=True, check=True, env=ENVIRONMENT, timeout=30)
    assert b"down a write to the journal" in done.stdout
    assert confirmed(done.stdout)
    assert confirmed(done.stdout) <= kept(folder)
    assert all(verdict.intact for verdict in held(folder))
