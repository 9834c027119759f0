"""Which files may go, and what is recorded of them."""

import hashlib
import threading
import time
from datetime import timedelta

import pytest

from phigate.journal import disk, prune
from phigate.journal.holds import Hold
from tests.journal.proving import START, Made, Writer, sample

LATER = START + timedelta(days=1)


@pytest.fixture
def folder(tmp_path):
    for name, raw in sample().files.items():
        (tmp_path / name).write_bytes(raw)
    return tmp_path


def found(folder, before=LATER, holds=()):
    return [(each.first, each.last, each.since, each.kept) for each in prune.candidates(folder, before, holds)]


def test_every_file_that_another_follows(folder):
    assert found(folder) == [(0, 4, 0, None), (5, 8, 0, None)]


def test_only_what_is_wholly_older(folder):
    assert found(folder, START) == []
    assert found(folder, START + timedelta(seconds=6)) == [(0, 4, 0, None)]


def test_a_gap_goes_on_where_files_are_gone_already(folder):
    (folder / sample().journals[0]).unlink()
    assert found(folder) == [(5, 8, 0, None)]


def test_a_file_that_stays_begins_another_gap(folder):
    hold = Hold("h", "r", None, (START + timedelta(seconds=2)).isoformat(), START.isoformat())
    assert found(folder, holds=[hold]) == [(0, 4, 0, "legal hold h"), (5, 8, 5, None)]


def test_a_clock_that_was_set_back_hides_nothing_from_a_hold(tmp_path):
    made = Made()
    writer = Writer(made)
    writer.open()
    writer.now += timedelta(days=9)
    writer.add("look")
    writer.now -= timedelta(days=9)
    writer.close()
    writer.open()
    for name, raw in made.files.items():
        (tmp_path / name).write_bytes(raw)
    hold = Hold("h", "r", (START + timedelta(days=8)).isoformat(), None, START.isoformat())
    assert found(tmp_path, START + timedelta(days=30), [hold])[0][3] == "legal hold h"
    assert found(tmp_path, START + timedelta(days=5)) == []


def test_what_a_caller_wrote_tells_of_no_deletion(tmp_path):
    made = Made()
    writer = Writer(made)
    writer.open()
    writer.add("request", body={"kind": "prune", "quarantined": {"file": "x"}})
    writer.open()
    for name, raw in made.files.items():
        (tmp_path / name).write_bytes(raw)
    assert found(tmp_path)[0][3] is None


def test_what_is_being_compressed_is_deleted_when_that_is_over(folder):
    plain = folder / sample().journals[0]
    copy = plain.with_name(plain.name + ".zst")
    (one, _), gone, compressing = prune.candidates(folder, LATER, ()), [], threading.Event()

    def compress():
        with disk.held(plain):
            compressing.set()
            time.sleep(0.1)
            copy.touch()
            plain.unlink()

    packer = threading.Thread(target=compress)
    packer.start()
    assert compressing.wait(5)
    prune.delete(folder, [one], gone.append)
    packer.join(5)
    assert not plain.exists()
    assert not copy.exists()
    assert gone == [plain.name]


def test_a_file_that_tells_of_deletions_stays(tmp_path):
    made = Made()
    writer = Writer(made)
    for kind, fields in (("prune", {"file": "x"}), ("recovered", {"quarantined": {"file": "y"}}), ("look", {})):
        writer.open()
        writer.add(kind, **fields)
        writer.close()
    writer.open()
    for name, raw in made.files.items():
        (tmp_path / name).write_bytes(raw)
    assert [kept for *_, kept in found(tmp_path)] == ["it tells of deletions", "it tells of deletions", None]


def test_the_record_says_what_the_next_file_starts_from(folder):
    first, second = prune.candidates(folder, LATER, ())
    raw = (folder / first.file.name).read_bytes()
    record = prune.prune_record(first, "why", {"login": "me"})
    assert record["sha256"] == hashlib.sha256(raw).hexdigest()
    assert record["digest"] == hashlib.sha256(raw.splitlines(keepends=True)[-1]).hexdigest()
    assert (record["records"], record["first"], record["last"], record["reason"]) == (5, 0, 4, "why")
    assert first.root != second.root


def test_what_is_deleted_is_all_of_a_file(folder):
    gone = []
    prune.delete(folder, prune.candidates(folder, LATER, ()), gone.append)
    last = sample().journals[-1]
    assert sorted(path.name for path in folder.iterdir()) == [last.replace("jsonl", "checkpoints"), last]
    assert gone == sample().journals[:2]
    prune.delete(folder, [], gone.append)
