from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from phigate.journal import chain, commit, disk, read, writer
from phigate.journal.commit import GroupCommit
from phigate.journal.folder import prove
from phigate.journal.tree import Range
from phigate.journal.writer import JournalDown, JournalFault, Limits, open_journal
from tests.journal.forgetful import Forgetful, Luck
from tests.journal.samples import NOW, Clock, request, response

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

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


# -- files turn -------------------------------------------------------------------------------------------------------


def entries_of(path: Path) -> list[read.Entry]:
    return [item for item in read.entries(path) if isinstance(item, read.Entry)]


def sound(folder: Path, instance: str = "gw") -> list[dict[str, Any]]:
    """Every record that counts, after all of them were held to each other: links, numbers, files, trees."""
    names = {file.name: file.path for file in read.files(folder, instance)}
    counted: list[read.Entry] = []
    tree = Range()
    for path in names.values():
        if not (found := entries_of(path)):  # nothing arrived
            continue
        head = found[0].record
        assert head["kind"] == "opened"
        assert head["file"] == found[0].file
        while counted and counted[-1].record["seq"] >= head["seq"]:  # written, and never acknowledged
            counted.pop()
        assert chain.verify_lines([entry.raw for entry in found]).intact
        if counted:
            last = counted[-1]
            assert (head["follows"]["file"], head["follows"]["hash"]) == (last.file, chain.digest(last.raw))
            assert head["seq"] == last.record["seq"] + 1
        tree = Range()
        for entry in counted:
            tree.append(chain.sha256(entry.raw))
        assert head["tree"] == tree.texts()
        counted += found
    return [entry.record for entry in counted]


def test_files_turn_by_size_and_each_names_the_last_of_the_one_before(folder: Path) -> None:
    journal = open_journal(folder, "gw", Clock(), limits=Limits(size=3000), key="key", epoch="7")
    for number in range(30):
        journal.append("request", request(f"ex-{number}"))
        if number % 3:
            journal.append("response", response(f"ex-{number}"))
    journal.wait(journal.append("look", {}))
    journal.close("stopped")
    records = sound(folder)
    heads = [record for record in records if record["kind"] == "opened"]
    assert len(heads) > 3
    assert [record["reason"] for record in records if record["kind"] == "closed"] == [
        *["rotated"] * (len(heads) - 1),
        "stopped",
    ]
    assert [head["started"] for head in heads] == [True] + [False] * (len(heads) - 1)
    assert {(head["key"], head["epoch"]) for head in heads} == {("key", "7")}
    assert [head["seq"] for head in heads] == [file.seq for file in read.files(folder, "gw")]
    open_ones = {f"ex-{number}" for number in range(30) if not number % 3}
    last = open_journal(folder, "gw", Clock())
    recovered = [record for record in sound(folder) if record.get("outcome") == "interrupted"]
    assert {record["exchange"] for record in recovered} == open_ones
    assert {record["file"] for record in recovered} <= {file.name for file in read.files(folder, "gw")}
    last.close("stopped")


def test_files_turn_by_day(folder: Path) -> None:
    clock = Clock(datetime(2026, 11, 23, 23, 59, 55, tzinfo=UTC))
    journal = open_journal(folder, "gw", clock)
    for _ in range(8):
        journal.append("look", {})
    journal.close("stopped")
    days = {
        file.start[:8]: {entry.record["ts"][:10] for entry in entries_of(file.path) if entry.record["kind"] == "look"}
        for file in read.files(folder)
    }
    assert days == {"20261123": {"2026-11-23"}, "20261124": {"2026-11-24"}}
    sound(folder)


def test_closed_files_are_compressed_and_what_a_crash_left_is_after_the_next_start(folder: Path) -> None:
    first = open_journal(folder, "gw", Clock())
    first.append("look", {})
    first.close("stopped")
    journal = open_journal(folder, "gw", Clock(), limits=Limits(size=400))
    for _ in range(6):
        journal.append("look", {})
    journal.wait(journal.append("look", {}))
    assert until(lambda: all(file.path.suffix == ".zst" for file in read.files(folder)[:-1]))
    assert read.files(folder)[-1].path == journal.path
    journal.close("stopped")
    assert [record["seq"] for record in sound(folder)] == list(range(len(sound(folder))))


def until(said: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not said() and time.monotonic() < end:
        time.sleep(0.005)
    return said()


async def test_a_snapshot_never_covers_what_is_not_on_the_disk(
    opened: writer.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    commit = opened._course.commit
    monkeypatch.setattr(commit, "_sync", lambda _descriptor: gate.wait(10))
    receipt = opened.append("look", {})
    await asyncio.sleep(0.01)
    before = opened.snapshot()
    assert (before.size, before.tree.size, before.file) == (1, 1, opened.path.name)
    assert before.last == chain.digest(entries_of(opened.path)[0].raw)
    gate.set()
    await opened.durable(receipt)
    after = opened.snapshot()
    assert (after.size, after.last) == (2, receipt.digest.hex())
    assert before.size == 1


# -- faults, and going on ---------------------------------------------------------------------------------------------


def broken(journal: writer.Journal, monkeypatch: pytest.MonkeyPatch, code: int = errno.EIO) -> None:
    """The journal's file can be written no more; whatever comes after it can."""

    def fail(_descriptor: int) -> None:
        raise OSError(code, "secret path")

    monkeypatch.setattr(journal._course.commit, "_sync", fail)


def again(journal: writer.Journal) -> None:
    """Until it goes on."""
    assert until(lambda: tried(journal))


def tried(journal: writer.Journal) -> bool:
    journal.inspect()
    return journal.healthy


async def test_after_a_fault_it_goes_on_behind_the_last_acknowledged_record(
    folder: Path, opened: writer.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened.durable(opened.append("request", request("under-way")))
    await opened.durable(opened.append("request", request("answered")))
    await opened.durable(opened.append("response", response("answered")))
    old = opened.path
    broken(opened, monkeypatch)
    results = await asyncio.gather(
        opened.durable(opened.append("request", request("lost"))),
        opened.durable(opened.append("response", response("under-way") | {"body": "secret", "streamed": False})),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [JournalDown, JournalDown]
    assert not opened.healthy
    assert "EIO" in opened.remarks()["journal"]
    for kind, fields in (("request", request("meanwhile")), ("look", {})):
        with pytest.raises(JournalDown):
            opened.append(kind, fields)  # type: ignore[arg-type]  # a table of kinds
    again(opened)
    assert opened.remarks() == {}
    assert opened.path != old
    opened.inspect()
    await opened.durable(opened.append("request", request("next")))

    records = sound(folder)
    head = entries_of(opened.path)[0].record
    assert head["started"] is False
    assert head["follows"]["spare"]["lines"] == 2
    assert head["open"] == {"under-way": old.name}
    (told,) = (record for record in records if "fault" in record)
    assert told["fault"] == "a write to the journal failed (EIO)"
    assert told["unrecorded"] == {
        "records": 2,
        "kinds": {"request": 1, "response": 1},
        "exchanges": ["lost", "under-way"],
    }
    assert told["refused"] == 2
    assert not [record for record in records if record.get("outcome") == "interrupted"]
    ends = [
        (record["status"], record["outcome"], record.get("body")) for record in of(records, "under-way", "response")
    ]
    assert ends == [(503, "unrecorded", None)]
    assert of(records, "lost", "request") == []
    assert len(of(records, "next", "request")) == 1


def of(records: list[dict[str, Any]], exchange: str, kind: str) -> list[dict[str, Any]]:
    return [record for record in records if record.get("exchange") == exchange and record["kind"] == kind]


async def test_what_was_released_before_its_record_failed_is_recorded_again(
    folder: Path, opened: writer.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened.durable(opened.append("request", request("stream")))
    broken(opened, monkeypatch)
    opened.append("part", {"exchange": "stream", "part": 0, "body": "said already"})
    opened.append("part", lambda file, seq: {"exchange": "stream", "part": 1, "sealed": [file, seq]})
    await asyncio.sleep(0.05)
    assert opened.fault is not None
    again(opened)
    opened.wait(opened.append("response", response("stream")))
    parts = of(sound(folder), "stream", "part")
    assert [part["part"] for part in parts] == [0, 1]
    assert parts[1]["sealed"] == [opened.path.name, parts[1]["seq"]]


async def test_it_goes_on_only_once_the_disk_passes_its_test(
    folder: Path, opened: writer.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(opened, monkeypatch)
    with pytest.raises(JournalDown):
        await opened.durable(opened.append("look", {}))
    tested: list[Path] = []

    def fails(folder: Path, _instance: str) -> None:
        tested.append(folder)
        raise OSError(errno.EROFS, "x")

    with monkeypatch.context() as patch:
        patch.setattr(disk, "probe", fails)
        for turn in range(1, 4):
            opened.inspect()
            assert until(lambda: len(tested) == turn and not still_trying(opened))  # noqa: B023 - asked within the turn
    assert not opened.healthy
    assert opened.faults == 1
    again(opened)
    assert len(read.files(folder)) == 2
    sound(folder)


def test_it_goes_on_in_no_folder_that_others_may_look_into(
    folder: Path, opened: writer.Journal, caplog: pytest.LogCaptureFixture
) -> None:
    folder.rename(folder.with_name("away"))
    folder.mkdir(mode=0o755)
    for _ in range(3):
        opened.inspect()
        assert until(lambda: not still_trying(opened))
    assert list(folder.iterdir()) == []
    assert not opened.healthy
    assert caplog.text.count("others may look into this folder") == 1
    folder.chmod(0o700)
    opened.inspect()
    assert until(lambda: opened.healthy)


def still_trying(journal: writer.Journal) -> bool:
    return journal._hand.busy


async def test_a_new_file_that_fails_as_well_leaves_nothing_behind(
    folder: Path, opened: writer.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(opened, monkeypatch)
    with pytest.raises(JournalDown):
        await opened.durable(opened.append("look", {}))
    defaults: Any = GroupCommit.__init__.__kwdefaults__
    failed: list[int] = []

    def fail(descriptor: int, _data: bytes) -> int:
        failed.append(descriptor)
        raise OSError(errno.ENOSPC, "x")

    with monkeypatch.context() as patch:
        patch.setitem(defaults, "write", fail)
        opened.inspect()
        assert until(lambda: bool(failed) and not still_trying(opened))
    assert [file.path for file in read.files(folder)] == [opened.path]
    again(opened)
    sound(folder)


async def test_a_next_file_that_cannot_be_made_is_a_fault_like_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(folder, "gw", Clock(), limits=Limits(size=200))

    def fail(_path: Path) -> int:
        raise OSError(errno.ENOSPC, "x")

    with monkeypatch.context() as patch:
        patch.setattr(disk, "create", fail)
        with pytest.raises(JournalDown, match="ENOSPC"):
            await journal.durable(journal.append("request", request("ex-1")))
    again(journal)
    await journal.durable(journal.append("request", request("ex-2")))
    journal.close("stopped")
    records = sound(folder)
    assert [record["exchange"] for record in records if record["kind"] == "request"] == ["ex-2"]
    assert next(record["reason"] for record in records if record["kind"] == "closed") == "rotated"


async def test_a_file_that_was_taken_away_is_a_fault_like_others(folder: Path, opened: writer.Journal) -> None:
    await opened.durable(opened.append("request", request("ex-1")))
    gone = opened.path
    gone.unlink()
    opened.inspect()
    assert opened.fault == "the journal's file was removed or cut"
    again(opened)
    head = entries_of(opened.path)[0].record
    assert (head["follows"]["file"], head["seq"]) == (gone.name, 2)
    assert head["open"] == {"ex-1": gone.name}


def test_a_file_that_was_moved_is_a_fault_like_others(folder: Path, opened: writer.Journal) -> None:
    opened.wait(opened.append("request", request("ex-1")))
    moved = folder.rename(folder.with_name("moved"))
    opened.inspect()
    assert opened.fault == "the journal's file is gone (ENOENT)"
    moved.rename(folder)
    other = opened.path.rename(opened.path.with_suffix(".elsewhere"))
    opened.path.touch()
    again(opened)
    opened.path.unlink(missing_ok=True)
    opened.inspect()
    assert opened.fault == "the journal's file was removed or cut"
    assert other.exists()


def test_a_file_that_was_replaced_is_a_fault_like_others(opened: writer.Journal) -> None:
    opened.inspect()
    assert opened.healthy
    copy = opened.path.with_suffix(".copy")
    shutil.copy(opened.path, copy)
    opened.path.rename(opened.path.with_suffix(".elsewhere"))
    copy.rename(opened.path)
    opened.inspect()
    assert opened.fault == "the journal's file is another one"


def test_another_process_writes_no_second_chain_even_without_the_lock(
    folder: Path, opened: writer.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "gw.lock").unlink()
    monkeypatch.setattr(writer, "PATIENCE", 0.05)
    with pytest.raises(JournalFault, match="another process writes this file"):
        open_journal(folder, "gw", Clock())
    assert [file.path for file in read.files(folder)] == [opened.path]


def test_what_an_earlier_process_left_unsynced_is_synced_before_anything_follows_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_journal(folder, "gw", Clock()).close("stopped")
    (old,) = (file.path for file in read.files(folder))
    monkeypatch.setattr(writer.Packer, "add_left", lambda *_: None)
    events: list[str] = []
    sync, create = os.fsync, disk.create

    def synced(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), old.stat()):
            events.append("synced")
        sync(descriptor)

    def created(path: Path) -> int:
        events.append("created")
        return create(path)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(disk, "create", created)
    open_journal(folder, "gw", Clock(NOW + timedelta(hours=1))).close("stopped")
    assert events == ["synced", "created"]


async def test_a_new_file_that_failed_and_could_not_be_removed_is_told(
    folder: Path, opened: writer.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(opened, monkeypatch)
    with pytest.raises(JournalDown):
        await opened.durable(opened.append("look", {}))
    defaults: Any = GroupCommit.__init__.__kwdefaults__
    failed: list[int] = []

    def fail(descriptor: int) -> None:
        failed.append(descriptor)
        raise OSError(errno.EIO, "x")

    with monkeypatch.context() as patch:
        patch.setitem(defaults, "sync", fail)
        patch.setattr(disk, "remove", lambda _folder, names: sorted(names))
        opened.inspect()
        assert until(lambda: bool(failed) and not still_trying(opened))
        (spoiled,) = (file.name for file in read.files(folder) if file.path != opened.path)
        opened.inspect()
        assert until(lambda: len(failed) == 2 and not still_trying(opened))
        patch.setitem(defaults, "sync", os.fdatasync)
        again(opened)
    opened.wait(opened.append("look", {}))
    told = entries_of(opened.path)[1].record["files"]
    assert len(told) == 2
    assert told[0] == {"file": spoiled, "torn": 0, "unacknowledged": True}


async def test_what_filled_the_queue_when_the_disk_failed_is_told_all_the_same(
    folder: Path, opened: writer.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(opened, monkeypatch)
    opened._course.commit._limit = 3000
    with suppress(JournalDown):
        for number in range(1000):
            opened.append("part", {"exchange": "stream", "part": number, "body": "said already"})
    await asyncio.sleep(0.05)
    assert opened.fault is not None
    defaults: Any = GroupCommit.__init__.__kwdefaults__
    monkeypatch.setitem(defaults, "limit", 3000)
    again(opened)
    assert until(lambda: opened.oldest_pending_seconds(time.monotonic()) == 0)
    assert len([entry for entry in entries_of(opened.path) if entry.record["kind"] == "part"]) > 8


def test_a_disk_that_never_answers_does_not_keep_the_gateway_from_ending(
    opened: writer.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, signed = threading.Event(), list[object]()
    monkeypatch.setattr(opened._course.commit, "_sync", lambda _descriptor: gate.wait(10))
    monkeypatch.setattr(writer, "PATIENCE", 0.05)
    opened.sign = signed.append
    opened.close("stopped")
    assert signed == []
    gate.set()


async def test_a_stalled_disk_refuses_what_waits_too_long_and_says_so_when_it_is_back(
    folder: Path, opened: writer.Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened.durable(opened.append("request", request("under-way")))
    monkeypatch.setattr(commit, "STALL", 0.2)
    gate = threading.Event()
    usual = opened._course.commit._sync
    monkeypatch.setattr(opened._course.commit, "_sync", lambda descriptor: gate.wait(10) and usual(descriptor))
    results = await asyncio.gather(
        opened.durable(opened.append("request", request("late"))),
        opened.durable(opened.append("request", request("late-denied", verb="deny"))),
        opened.durable(opened.append("response", response("under-way"))),
        return_exceptions=True,
    )
    assert [str(result) for result in results] == ["the disk did not answer in time"] * 3
    with pytest.raises(JournalDown, match="in time"):
        opened.append("request", request("later"))
    path = opened.path
    gate.set()
    assert until(lambda: opened.oldest_pending_seconds(time.monotonic()) == 0)
    opened.inspect()
    await opened.durable(opened.append("look", {}))
    assert opened.path == path, "a stall is no fault"
    records = sound(folder)
    assert [record["outcome"] for record in of(records, "late", "response")] == ["unrecorded"]
    assert of(records, "late-denied", "response") == []
    assert [record["outcome"] for record in of(records, "under-way", "response")] == ["complete", "unrecorded"]
    assert of(records, "later", "request") == []


def test_little_space_lets_nothing_new_in_and_what_is_under_way_through(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = open_journal(folder, "gw", Clock(), limits=Limits(warn=1 << 60, stop=0))
    journal.wait(journal.append("request", request("ex-1")))
    journal.inspect()
    assert (journal.space, journal.healthy) == ("low", True)
    assert journal.remarks()["journal-space"].startswith("low: ")
    journal.wait(journal.append("request", request("ex-2")))
    journal.close("stopped")
    assert "space for the journal is low" in caplog.text

    full = open_journal(folder, "gw", Clock(), limits=Limits(warn=1 << 60, stop=1 << 60))
    full.wait(full.append("request", request("ex-3")))
    full.inspect()
    for kind in writer.NEW:
        with pytest.raises(JournalDown, match="nearly full"):
            full.append(kind, {})  # type: ignore[arg-type]  # a set of kinds
    full.wait(full.append("response", response("ex-3")))
    full.close("stopped")
    sound(folder)


def test_what_is_owed_at_the_end_is_recorded_before_it(folder: Path, opened: writer.Journal) -> None:
    opened.wait(opened.append("request", request("ex-1")))
    opened.withheld(response("ex-1"))
    opened.close("stopped")
    assert kinds(opened.path)[-2:] == ["response", "closed"]


# -- a disk that forgets what was not synced --------------------------------------------------------------------------

WORST = [
    Luck(names=False, share=0),
    Luck(names=True, share=0, zeros=True),
    Luck(names=True, share=0.6),
    Luck(names=True, share=1),
]


def work(folder: Path, machine: Forgetful) -> list[tuple[str, str]]:
    """Rotation, compression, a fault and a new file, two starts; what was acknowledged before the machine stopped."""
    sure: list[tuple[str, str]] = []
    for start in range(2):
        try:
            journal = open_journal(folder, "gw", Clock(NOW + timedelta(hours=start)), limits=Limits(size=900))
        except JournalFault:
            break
        for number in range(5):
            name = f"{start}-{number}"
            machine.break_sync = (start, number) == (0, 2)
            for kind, fields in (("request", request(name)), ("response", response(name))):
                try:
                    journal.wait(journal.append(kind, fields), 5)  # type: ignore[arg-type]  # a table of kinds
                except JournalDown:
                    assert until(lambda: machine.left is not None or tried(journal))  # noqa: B023 - asked at once
                else:
                    sure.append((kind, name))
        until(lambda: machine.left is not None or all(f.path.suffix for f in read.files(folder)[:-1]))
        journal.close("stopped")
    return sure


def test_a_crash_at_any_step_loses_nothing_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fifth step; all of them with PHIGATE_THOROUGH=1."""
    with monkeypatch.context() as patch:
        machine = Forgetful(tmp_path / "whole")
        machine.install(patch)
        everything = work(tmp_path / "whole", machine)
    machine.release()
    steps = machine.steps
    assert len(everything) >= 18
    assert {"rename", "unlink", "sync", "write"} <= set(steps)
    stops = range(0, len(steps), 1 if os.environ.get("PHIGATE_THOROUGH") else 5)
    for stop in stops:
        folder = tmp_path / f"stop-{stop}"
        with monkeypatch.context() as patch:
            machine = Forgetful(folder, stop)
            machine.install(patch)
            sure = work(folder, machine)
        machine.release()
        if machine.left is None:  # another order of the threads: fewer steps
            continue
        for number, luck in enumerate(WORST):
            left = tmp_path / f"left-{stop}-{number}"
            machine.left.lay_out(left, luck)
            open_journal(left, "gw", Clock(NOW + timedelta(days=1))).close("settled")
            records = sound(left)
            assert [proof.findings for proof in prove(left, ())] == [[]], f"{stop} {luck}"
            assert set(sure) <= {(record["kind"], record.get("exchange")) for record in records}, f"{stop} {luck}"
        shutil.rmtree(folder)


# -- kill -9 ----------------------------------------------------------------------------------------------------------

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def writing(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(HERE / "writing.py"), str(folder), *arguments]


def confirmed(said: bytes) -> set[tuple[str, str]]:
    lines = said[: said.rfind(b"\n") + 1].decode().splitlines()
    return {
        (kind, name) for kind, _, name in (line.partition(" ") for line in lines) if kind in ("request", "response")
    }


def kept(folder: Path, but: Container[str] = ()) -> set[tuple[str, str]]:
    """The exchanges that the journal holds, without those in the files that were there before."""
    paths = [file.path for file in read.files(folder) if file.name not in but]
    items = (item for path in paths for item in read.entries(path))
    found = (item.record for item in items if isinstance(item, read.Entry))
    return {(record["kind"], record["exchange"]) for record in found if record["kind"] in ("request", "response")}


@pytest.mark.timeout(900)  # two hundred starts, and a chain of hundreds of files
def test_kill_9_loses_nothing_that_was_confirmed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten times, with files that turn all the while; two hundred with PHIGATE_THOROUGH=1."""
    said: set[tuple[str, str]] = set()
    turns = 200 if os.environ.get("PHIGATE_THOROUGH") else 10
    for turn in range(turns):
        before = {file.name for file in read.files(folder)} if folder.exists() else set()
        process = subprocess.Popen(writing(folder, "0", str(turn)), stdout=subprocess.PIPE, env=ENVIRONMENT)
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        time.sleep(0.02 + 0.013 * (turn % 10))
        process.send_signal(signal.SIGKILL)
        fresh = confirmed(process.communicate(timeout=30)[0])
        assert fresh - kept(folder, before) == set()
        said |= fresh
    assert len(said) > 100
    open_journal(folder, "gw", Clock(datetime(2100, 1, 1, tzinfo=UTC))).close("settled")
    records = sound(folder)
    interrupted = {record["exchange"] for record in records if record.get("outcome") == "interrupted"}
    answered = {record["exchange"] for record in records if record["kind"] == "response"}
    asked = {record["exchange"] for record in records if record["kind"] == "request"}
    assert interrupted
    assert (interrupted & answered, interrupted | answered) == (set(), asked)
    if turns > 10:
        with capsys.disabled():
            sys.stdout.write(
                f" {turns} times killed, {len(said)} acknowledged, {len(read.files(folder))} files, 0 lost "
            )


def test_a_file_that_may_not_grow_confirms_nothing_it_does_not_hold(folder: Path) -> None:
    done = subprocess.run(writing(folder, "50000"), capture_output=True, check=True, env=ENVIRONMENT, timeout=30)
    assert b"down a write to the journal" in done.stdout
    assert confirmed(done.stdout)
    assert confirmed(done.stdout) <= kept(folder)
    assert all(verdict.intact for verdict in held(folder))
