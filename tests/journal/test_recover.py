from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from phigate.journal import chain, read, recover
from tests.journal.samples import chained, request, response

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, seq: int, lines: list[bytes], end: bytes = b"") -> Path:
    path = folder / f"gw-20261123T150405Z-{seq}.jsonl"
    path.write_bytes(b"".join(lines) + end)
    return path


def begun(*rows: tuple[chain.Kind, Any]) -> list[bytes]:
    return chained([("opened", {"follows": None}), *rows])


def test_a_first_start_has_no_legacy(tmp_path: Path) -> None:
    assert recover.legacy(read.files(tmp_path, "gw")) == recover.Legacy()


def test_only_permitted_requests_wait_for_an_answer(tmp_path: Path) -> None:
    lines = begun(
        ("request", request("answered")),
        ("request", request("denied", verb="deny")),
        ("request", request("open")),
        ("request", request("emergency", verb="break_glass")),
        ("hold", request("held", verb="hold")),
        ("response", response("answered")),
    )
    path = write(tmp_path, 0, lines)
    left = recover.legacy(read.files(tmp_path, "gw"))
    assert left.open == {"open": path.name, "emergency": path.name}
    assert (left.file, left.seq, left.last) == (path.name, 6, chain.digest(lines[-1]))


def test_a_torn_end_is_measured_and_the_chain_goes_on_before_it(tmp_path: Path) -> None:
    lines = begun(("request", request("open")))
    path = write(tmp_path, 0, lines, b'{"v":1,"se')
    left = recover.legacy(read.files(tmp_path, "gw"))
    assert left.torn == {path.name: 10}
    assert left.last == chain.digest(lines[-1])


@pytest.mark.parametrize("damage", [b"\0\0\0\n", b"{}\n", b'{"v":2}\n', b"\n"])
def test_damage_that_is_no_torn_end_is_the_operators_to_see(tmp_path: Path, damage: bytes) -> None:
    path = write(tmp_path, 0, begun(("request", request("open"))), damage)
    with pytest.raises(recover.JournalFault, match=f"{path.name}:3: not-a-record"):
        recover.legacy(read.files(tmp_path, "gw"))


def test_a_file_of_which_nothing_arrived_changes_nothing(tmp_path: Path) -> None:
    lines = begun()
    write(tmp_path, 0, lines)
    torn = write(tmp_path, 1, [], b'{"v":1')
    left = recover.legacy(read.files(tmp_path, "gw"))
    assert (left.seq, left.last) == (0, chain.digest(lines[-1]))
    assert left.torn[torn.name] == 6


def settled(seq: int, *rows: tuple[chain.Kind, Any]) -> list[bytes]:
    head: list[tuple[chain.Kind, Any]] = [("opened", {"follows": None}), ("recovered", {"files": [], "interrupted": 0})]
    return chained([*head, *rows], seq=seq)


def test_files_before_a_finished_recovery_are_not_read_again(tmp_path: Path) -> None:
    write(tmp_path, 0, [b"this would be damage\n"])
    last = write(tmp_path, 5, settled(5, ("request", request("open"))))
    left = recover.legacy(read.files(tmp_path, "gw"))
    assert left.open == {"open": last.name}
    assert left.torn == {last.name: 0}


def test_a_recovery_that_was_cut_off_is_done_again_for_what_it_missed(tmp_path: Path) -> None:
    first = write(tmp_path, 0, begun(("request", request("one")), ("request", request("two"))))
    cut = chained([("opened", {"follows": None}), ("recovered", {"exchange": "one", "outcome": "interrupted"})], seq=3)
    second = write(tmp_path, 3, cut)
    left = recover.legacy(read.files(tmp_path, "gw"))
    assert left.open == {"two": first.name}
    assert set(left.torn) == {first.name, second.name}


def test_another_instances_files_are_none_of_ours(tmp_path: Path) -> None:
    write(tmp_path, 0, begun(("request", request("open"))))
    assert recover.legacy(read.files(tmp_path, "gw-2")) == recover.Legacy()
