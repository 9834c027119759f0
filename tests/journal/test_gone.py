from __future__ import annotations

from pathlib import Path

import pytest

from phigate.journal import gone, pack, quarantine, read
from phigate.journal.gone import all_there
from phigate.journal.head import Head
from phigate.journal.recover import JournalFault
from phigate.journal.tree import Range
from tests.journal.samples import put
from tests.journal.test_recover import head_of, put_file


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    before, paths = Head(), list[Path]()
    for _ in range(3):
        paths.append(put_file(tmp_path, before, ("look", {})))
        before = head_of(paths[-1], before)
    return paths


def test_nothing_is_missing_where_every_file_is_there_in_either_form(three: list[Path]) -> None:
    pack.pack(three[1])
    all_there(three[0].parent, "gw")
    assert not (three[0].parent / "gw.gone").exists()


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_that_another_one_follows_is_missed(three: list[Path], which: int) -> None:
    three[which].unlink()
    with pytest.raises(JournalFault, match=f"{three[which]}: missing; {three[which + 1]}:1 follows .*`phigate quarant"):
        all_there(three[0].parent, "gw")
    all_there(three[0].parent, "gw-2")


@pytest.mark.parametrize("which", [0, 1])
def test_what_an_operator_took_out_is_not(three: list[Path], which: int) -> None:
    quarantine.take_out(three[which], "bad block")
    all_there(three[0].parent, "gw")


@pytest.mark.parametrize("instance", ["gw", "gw.cli"])
def test_what_a_record_of_any_instance_says_was_pruned_is_not_and_is_remembered(
    three: list[Path], instance: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = three[0].parent
    put(folder, f"{instance}-20261124T150405Z-90", ("look", {"body": "prune"}), ("prune", {"file": three[0].name}))
    three[0].unlink()
    all_there(folder, "gw")
    assert (folder / "gw.gone").read_text() == f"{three[0].name}\n"
    assert (folder / "gw.gone").stat().st_mode & 0o777 == 0o600
    with monkeypatch.context() as patch:
        patch.setattr(gone, "_prunings", lambda _folder: 1 / 0)
        all_there(folder, "gw")
    three[1].unlink()
    with pytest.raises(JournalFault, match=str(three[1])):
        all_there(folder, "gw")


def test_what_bodies_say_accounts_for_nothing(three: list[Path]) -> None:
    folder = three[0].parent
    body = {"body": {"kind": "prune", "file": three[0].name}, "file": three[0].name}
    put(folder, "gw.cli-20261124T150405Z-0", ("look", body))
    three[0].unlink()
    with pytest.raises(JournalFault, match="missing"):
        all_there(folder, "gw")


def test_a_memory_that_cannot_be_read_or_written_is_none(three: list[Path]) -> None:
    folder = three[0].parent
    put(folder, "gw.cli-20261124T150405Z-0", ("prune", {"file": three[0].name}))
    three[0].unlink()
    (folder / "gw.gone").mkdir()
    all_there(folder, "gw")


def test_a_name_that_no_file_has_is_looked_for_nowhere(tmp_path: Path) -> None:
    put_file(tmp_path, Head(1, "ab" * 32, "../\x1b[2Jescape", 5, Range([bytes(32)], 1)))
    all_there(tmp_path, "gw")
    assert len(read.files(tmp_path)) == 1
