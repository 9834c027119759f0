from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.journal import chain, read
from tests.journal.samples import chained, put, request

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_files_are_ordered_by_instance_and_number_and_strangers_left_out(tmp_path: Path) -> None:
    names = [
        "gw-20261123T150405Z-10.jsonl",
        "gw-20261123T150405Z-9.jsonl",
        "gw.cli-ann-20261123T150405Z-0.jsonl",
        "a-20260101T000000Z-3-20261123T150405Z-0.jsonl",
        "gw.lock",
        "notes.jsonl",
        "gw-20261123T150405Z-x.jsonl",
    ]
    for name in names:
        (tmp_path / name).touch()
    found = [(file.instance, file.seq) for file in read.files(tmp_path)]
    assert found == [("a-20260101T000000Z-3", 0), ("gw", 9), ("gw", 10), ("gw.cli-ann", 0)]
    assert [file.seq for file in read.files(tmp_path, "gw")] == [9, 10]


def test_instances_are_merged_by_time_and_flaws_reported(tmp_path: Path) -> None:
    put(tmp_path, "a-20261123T150405Z-0", ("look", {"n": 1}), ("look", {"n": 3}), end=b'{"v":1')
    put(tmp_path, "b-20261123T150405Z-0", ("look", {"n": 2}), ("look", {"n": 4}), start=0.5, end=b"noise\n")
    flaws: list[read.Flaw] = []
    assert [entry.record["n"] for entry in read.records(tmp_path, flaws.append)] == [1, 2, 3, 4]
    assert flaws == [
        read.Flaw("a-20261123T150405Z-0.jsonl", 3, "torn", 6),
        read.Flaw("b-20261123T150405Z-0.jsonl", 3, "not-a-record", 6),
    ]


def test_reading_goes_on_after_damage(tmp_path: Path) -> None:
    one, two = chained([("look", {"n": 1}), ("look", {"n": 2})])
    (tmp_path / "gw-20261123T150405Z-0.jsonl").write_bytes(one + b"\xff\xfe\n" + two)
    assert [(entry.line, entry.record["n"]) for entry in read.records(tmp_path)] == [(1, 1), (3, 2)]


def test_an_endless_line_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "MAX_LINE", 1000)
    (one,) = chained([("look", {})])
    path = tmp_path / "gw-20261123T150405Z-0.jsonl"
    path.write_bytes(b"x" * 2500 + b"\n" + one)
    items = list(read.entries(path))
    assert [item.reason for item in items if isinstance(item, read.Flaw)] == ["too-long", "too-long", "not-a-record"]
    assert [item.line for item in items if isinstance(item, read.Entry)] == [2]


def test_an_exchange_is_found_across_files_and_not_by_what_bodies_say(tmp_path: Path) -> None:
    put(
        tmp_path, "gw-20261123T150405Z-0", ("request", request("ex-1")), ("request", request("ex-2") | {"body": "ex-1"})
    )
    put(tmp_path, "gw-20261123T150406Z-2", ("recovered", {"exchange": "ex-1", "outcome": "interrupted"}), start=60)
    assert [record["kind"] for record in read.exchange(tmp_path, "ex-1")] == ["request", "recovered"]
    assert read.exchange(tmp_path, "ex-9") == []
