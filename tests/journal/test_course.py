"""Numbers, links and turns, on a commit that keeps what it is told to."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from phigate.journal import chain, life
from phigate.journal.commit import JournalDown
from phigate.journal.course import Course
from phigate.journal.head import Head, Snapshot
from tests.journal.samples import NOW, request, response

if TYPE_CHECKING:
    from collections.abc import Callable

KNOWN = life.Known("0", "key", "1")


class Commit:
    """Lines by file; nothing is kept until a test says so."""

    def __init__(self) -> None:
        self.files: list[list[bytes]] = [[]]
        self.kept = self.given = 0
        self.full = False
        self.fault: str | None = None
        self.turned: list[Callable[[], None]] = []

    def room_for(self, _line: bytes) -> None:
        if self.full:
            raise JournalDown("full")

    def put(self, line: bytes) -> int:
        self.files[-1].append(line)
        self.given += 1
        return self.given

    def give_up(self, reason: str) -> None:
        self.fault = reason

    def turn_to(self, _make: Callable[[], int], done: Callable[[], None], _path: Path) -> None:
        self.files.append([])
        self.turned.append(done)


@pytest.fixture
def commit() -> Commit:
    return Commit()


@pytest.fixture
def course(commit: Commit) -> Course:
    made = Course(commit, Path("gw-0.jsonl"), instance="gw", head=Head(), known=KNOWN, now=NOW)  # type: ignore[arg-type]  # see above
    made.begin(life.Rest(), NOW, started=True)
    return made


def verified(commit: Commit) -> list[chain.Verdict]:
    verdicts: list[chain.Verdict] = []
    for lines in commit.files:
        verdicts.append(chain.verify_lines(lines, follows=verdicts[-1].last if verdicts else chain.ZEROS))
    return verdicts


def test_records_are_numbered_and_linked_in_the_order_they_come(course: Course, commit: Commit) -> None:
    receipts = [course.put("look", {"n": number}, NOW) for number in range(3)]
    assert [receipt.seq for receipt in receipts] == [1, 2, 3]
    assert receipts[-1].end == sum(map(len, commit.files[0]))
    assert verified(commit)[0].intact


def test_what_has_not_arrived_does_not_count(course: Course, commit: Commit) -> None:
    course.put("request", request("ex-1"), NOW)
    course.put("response", response("ex-1"), NOW)
    commit.kept = 2
    course.settle()
    assert (course.kept.seq, course.kept.last) == (2, chain.digest(commit.files[0][1]))
    assert (course.kept.tree.size, list(course.kept.open), len(course.pending)) == (2, ["ex-1"], 1)
    commit.kept = 3
    course.settle()
    assert (course.kept.seq, course.kept.open, len(course.pending)) == (3, {}, 0)


def test_fields_may_be_made_of_where_the_record_stands(course: Course, commit: Commit) -> None:
    course.put("look", lambda file, seq: {"sealed": [file, seq]}, NOW)
    assert orjson.loads(commit.files[0][-1])["sealed"] == ["gw-0.jsonl", 1]


def test_a_file_is_full_by_size_or_by_day(course: Course) -> None:
    assert not course.full(NOW, 10_000)
    assert course.full(NOW, 100)
    assert course.full(NOW + timedelta(days=1), 10_000)
    assert not course.full(NOW.replace(hour=23, minute=59), 10_000)


def test_the_next_file_names_the_last_record_and_says_who_waits(course: Course, commit: Commit) -> None:
    course.put("request", request("answered"), NOW)
    commit.kept = 2
    course.settle()
    course.put("request", request("open"), NOW)
    course.put("response", response("answered"), NOW)
    closed: list[tuple[Path, Snapshot]] = []
    course.turn(NOW, lambda path, end: closed.append((path, end)))
    course.put("look", {}, NOW)
    assert [verdict.broken for verdict in verified(commit)] == [None, None]
    assert orjson.loads(commit.files[0][-1])["reason"] == "rotated"
    head = orjson.loads(commit.files[1][0])
    assert course.path.name == head["file"] == "gw-20261123T150405Z-5.jsonl"
    assert head["follows"] == {"file": "gw-0.jsonl", "hash": chain.digest(commit.files[0][-1])}
    assert (head["open"], head["started"], head["key"], head["epoch"]) == ({"open": "gw-0.jsonl"}, False, "key", "1")
    commit.kept = 5
    course.settle()
    assert head["tree"] == course.kept.tree.texts()
    assert closed == []
    commit.turned[0]()
    ((path, end),) = closed
    assert (path, end.file, end.size) == (Path("gw-0.jsonl"), "gw-0.jsonl", 5)
    assert (end.last, end.tree.texts()) == (head["follows"]["hash"], head["tree"])


def test_a_turn_that_cannot_be_queued_changes_nothing(course: Course, commit: Commit) -> None:
    commit.full = True
    with pytest.raises(JournalDown):
        course.turn(NOW, lambda _path, _end: None)
    commit.full = False
    course.put("look", {}, NOW)
    assert len(commit.files) == 1
    assert verified(commit)[0].intact


def breaks(*_args: object) -> int:
    raise ZeroDivisionError


@pytest.mark.parametrize("name", ["put", "turn_to"])
def test_a_record_that_is_cut_off_half_way_gives_the_file_up(
    course: Course, commit: Commit, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(commit, name, breaks)
    with pytest.raises(ZeroDivisionError):
        course.turn(NOW, lambda _path, _end: None)
    assert commit.fault == "the journal's writer broke (ZeroDivisionError)"


def test_a_record_that_cannot_be_counted_yet_is_counted_later(
    course: Course, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit.kept = 1
    with monkeypatch.context() as patch:
        patch.setattr(course.kept.tree.__class__, "append", breaks)
        with pytest.raises(ZeroDivisionError):
            course.settle()
    course.settle()
    assert (course.kept.seq, course.kept.tree.size, len(course.pending)) == (1, 1, 0)


def test_a_file_goes_on_when_the_next_ones_first_line_would_be_too_long(
    course: Course, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        course.put("request", request(f"ex-{number}"), NOW)
    monkeypatch.setattr(chain, "MAX_LINE", 700)
    course.turn(NOW, lambda _path, _end: None)
    course.put("look", {}, NOW)
    assert len(commit.files) == 1
    assert verified(commit)[0].intact


def test_what_is_no_record_or_has_no_room_leaves_no_gap(course: Course, commit: Commit) -> None:
    with pytest.raises(chain.Unrecordable):
        course.put("look", {"body": "\ud800"}, NOW)
    commit.full = True
    with pytest.raises(JournalDown):
        course.put("look", {}, NOW)
    commit.full = False
    course.put("look", {}, NOW)
    assert verified(commit)[0].intact
