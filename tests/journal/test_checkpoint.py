"""Checkpoints of a journal that is being written: when, beside which file, of what; and a disk that fails."""

import logging
from datetime import UTC, datetime

import pytest

from phigate.journal import checkpoint, disk, folder, note
from phigate.journal.checkpoint import Checkpoints
from phigate.journal.signer import open_signer
from phigate.journal.writer import open_journal
from tests.journal.samples import request


@pytest.fixture
def journal(tmp_path):
    signer = open_signer(tmp_path / "keys", "gw")
    made = open_journal(
        tmp_path / "journal", "gw", lambda: datetime.now(UTC), key=str(signer.vkey), limits=disk.Limits(size=64 * 1024)
    )
    yield made
    made.close("shutdown")


class Stopwatch:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def watch():
    return Stopwatch()


@pytest.fixture
def checkpoints(tmp_path, journal, watch):
    signer = open_signer(tmp_path / "keys", "gw")
    made = Checkpoints(journal.folder, signer, journal.snapshot, lambda: datetime.now(UTC), monotonic=watch)
    journal.sign = made.write
    return made


def written(journal):
    """Sizes by file, of all checkpoints that are there."""
    found = {}
    for path in sorted(journal.folder.glob("*.checkpoints")):
        notes = [note.parse_checkpoint(note.parse(piece.raw).text) for piece in note.pieces(path.read_bytes())]
        assert all(each.told("file") == f"{path.stem}.jsonl" for each in notes)
        found[path.stem] = [each.size for each in notes]
    return found


def later(checkpoints, watch):
    watch.now += checkpoint.EVERY
    checkpoints.tick()
    assert checkpoints._hand.join(10)


def record(journal, count=1):
    for number in range(count):
        receipt = journal.append("request", request(f"x{number}"))
    journal.wait(receipt)


def proof(journal, checkpoints):
    (proved,) = folder.prove(journal.folder, [checkpoints._signer.vkey])
    return proved


def test_every_ten_seconds_if_there_is_news(journal, checkpoints, watch):
    checkpoints.tick()
    assert written(journal) == {}
    record(journal)
    later(checkpoints, watch)
    later(checkpoints, watch)
    assert written(journal) == {journal.path.stem: [2]}
    record(journal, 3)
    watch.now += checkpoint.EVERY / 2
    checkpoints.tick()
    assert checkpoints.size == 2
    later(checkpoints, watch)
    assert written(journal) == {journal.path.stem: [2, 5]}
    assert proof(journal, checkpoints).signed.spans == [(0, 5)]


def test_records_about_checkpoints_are_no_news(journal, checkpoints, watch):
    record(journal)
    later(checkpoints, watch)
    journal.wait(journal.append("anchor", {"where": "file", "size": 2, "root": ""}))
    checkpoints.quiet += 1
    later(checkpoints, watch)
    assert checkpoints.size == 2
    record(journal)
    later(checkpoints, watch)
    assert checkpoints.size == 4


def test_each_closed_file_is_signed_to_its_end(journal, checkpoints):
    record(journal, 400)
    journal.close("shutdown")
    proved = proof(journal, checkpoints)
    assert proved.files > 1
    assert len(written(journal)) == proved.files
    assert (proved.verdict, proved.findings) == ("holds", [])
    assert proved.signed.spans == [(0, proved.records)]


def test_what_is_not_on_the_disk_is_never_signed(journal, checkpoints, watch):
    record(journal)
    commit = journal._course.commit
    commit._hand_over = lambda *_: None  # nothing reaches the disk
    journal.append("request", request("late"))
    later(checkpoints, watch)
    assert checkpoints.size == 2
    del commit._hand_over


def test_a_disk_that_fails_leaves_no_half_of_one(journal, checkpoints, watch, monkeypatch, caplog):
    record(journal)
    later(checkpoints, watch)
    whole = {path: path.read_bytes() for path in journal.folder.glob("*.checkpoints")}
    record(journal)
    really = checkpoint.os.write
    monkeypatch.setattr(checkpoint.os, "write", lambda descriptor, raw: really(descriptor, raw[: len(raw) // 2]))
    with caplog.at_level(logging.ERROR):
        checkpoints.write(journal.snapshot())
        checkpoints.write(journal.snapshot())
    assert len(caplog.records) == 1
    assert {path: path.read_bytes() for path in whole} == whole
    assert checkpoints.remarks() == {"journal-checkpoints": "cannot be written (ENOSPC)"}
    monkeypatch.undo()
    later(checkpoints, watch)
    assert checkpoints.remarks() == {}
    assert proof(journal, checkpoints).signed.spans == [(0, 3)]


def test_whoever_waits_for_them_is_told(journal, checkpoints):
    told = []
    checkpoints.written = lambda head, raw: told.append((head.size, note.parse(raw).text == head.text()))
    record(journal)
    checkpoints.write(journal.snapshot())
    assert told == [(2, True)]


def test_an_older_head_is_not_signed_behind_a_newer_one(journal, checkpoints):
    old = journal.snapshot()
    record(journal)
    checkpoints.write(journal.snapshot())
    checkpoints.write(old)
    assert written(journal) == {journal.path.stem: [2]}
