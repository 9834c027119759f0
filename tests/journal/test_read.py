from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.journal import chain, pack, read, zst
from tests.journal.samples import chained, put, request

if TYPE_CHECKING:
    from pathlib import Path


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


NAME = "gw-20261123T150405Z-0"


def test_a_compressed_file_is_read_like_a_plain_one(tmp_path: Path) -> None:
    put(tmp_path, NAME, ("request", request("ex-1")), ("look", {"n": 1}), end=b'{"v":1')
    plain = tmp_path / f"{NAME}.jsonl"
    before = list(read.entries(plain)), list(read.lines(plain)), read.exchange(tmp_path, "ex-1")
    packed = pack.pack(plain)
    assert (list(read.entries(packed)), list(read.lines(packed)), read.exchange(tmp_path, "ex-1")) == before
    assert [(file.name, file.path) for file in read.files(tmp_path)] == [(plain.name, packed)]
    assert list(read.lines(plain)) == before[1], "who saw the plain file still finds it"
    with read.opened(packed) as file:
        file.seek(len(before[1][0]))
        assert file.readline() == before[1][1]


def test_where_both_forms_exist_the_plain_one_counts(tmp_path: Path) -> None:
    put(tmp_path, NAME, ("look", {"n": 1}))
    (tmp_path / f"{NAME}.jsonl.zst").write_bytes(b"noise")
    assert [file.path.name for file in read.files(tmp_path)] == [f"{NAME}.jsonl"]
    assert [entry.record["n"] for entry in read.records(tmp_path)] == [1]


def test_a_torn_compressed_file_is_a_flaw_and_never_an_end(tmp_path: Path) -> None:
    put(tmp_path, NAME, ("look", {"n": 1}))
    packed = pack.pack(tmp_path / f"{NAME}.jsonl")
    packed.write_bytes(packed.read_bytes()[:-1])
    assert list(read.entries(packed)) == [read.Flaw(f"{NAME}.jsonl", 1, "damaged", 0)]
    with pytest.raises(zst.Damaged):
        list(read.lines(packed))


def test_what_stands_before_the_damage_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zst, "FRAME", 400)
    monkeypatch.setattr(pack, "FIRST", 100)
    put(tmp_path, NAME, *[("look", {"n": number}) for number in range(20)])
    packed = pack.pack(tmp_path / f"{NAME}.jsonl")
    data = packed.read_bytes()
    at = len(data) * 2 // 3
    packed.write_bytes(data[:at] + bytes(4) + data[at + 4 :])
    *found, flaw = read.entries(packed)
    assert [item.record["n"] for item in found if isinstance(item, read.Entry)] == list(range(len(found)))
    assert 0 < len(found) < 20
    assert flaw == read.Flaw(f"{NAME}.jsonl", len(found) + 1, "damaged", 0)
