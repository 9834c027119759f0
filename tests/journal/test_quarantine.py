from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from phigate.journal import disk, pack, quarantine, read
from phigate.journal.disk import JournalFault
from phigate.journal.head import Head
from phigate.journal.quarantine import Aside
from tests.journal.test_recover import head_of, put_file


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    first = put_file(tmp_path, Head(), ("look", {}))
    return [first, put_file(tmp_path, head_of(first, Head()), ("look", {}))]


def aside_of(path: Path, data: bytes, until: int | None = 2) -> Aside:
    return Aside(path.name, hashlib.sha256(data).hexdigest(), len(data), "bad block", until)


def test_a_file_is_moved_whole_with_its_checkpoints_and_a_note(two: list[Path]) -> None:
    folder, data = two[0].parent, two[0].read_bytes()
    (folder / f"{two[0].stem}.checkpoints").write_bytes(b"note")
    aside = quarantine.take_out(two[0], "bad block")
    assert aside == aside_of(two[0], data)
    there = folder / "quarantine"
    assert (there / two[0].name).read_bytes() == data
    assert (there / f"{two[0].stem}.checkpoints").read_bytes() == b"note"
    assert [file.path for file in read.files(folder)] == [two[1]]
    assert [file.path for file in quarantine.files(folder, "gw")] == [there / two[0].name]
    assert quarantine.names(folder) == {two[0].name}
    assert quarantine.untold(folder, "gw") == [aside]
    assert quarantine.untold(folder, "gw-2") == []
    assert there.stat().st_mode & 0o777 == 0o700
    quarantine.told(folder, aside)
    assert quarantine.untold(folder, "gw") == []
    assert quarantine.names(folder) == {two[0].name}


@pytest.mark.parametrize("form", ["", ".zst"])
def test_a_compressed_file_may_be_named_either_way(two: list[Path], form: str) -> None:
    packed = pack.pack(two[0])
    data = packed.read_bytes()
    assert quarantine.take_out(two[0].with_name(two[0].name + form), "bad block") == aside_of(two[0], data)
    assert not packed.exists()


def test_a_missing_file_has_a_note_only_if_another_one_follows_it(two: list[Path]) -> None:
    two[0].unlink()
    assert quarantine.take_out(two[0], "lost") == Aside(two[0].name, None, None, "lost", 2)
    assert quarantine.names(two[0].parent) == {two[0].name}
    with pytest.raises(JournalFault, match="no such file, and none follows it"):
        quarantine.take_out(two[0].with_name("gw-20261123T150405Z-99.jsonl"), "lost")


def test_a_file_that_cannot_be_read_goes_all_the_same(two: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    size = two[1].stat().st_size

    usual = Path.open

    def broken(path: Path, *args: object, **more: object) -> object:
        if path == two[1]:
            raise OSError("bad block")
        return usual(path, *args, **more)  # type: ignore[call-overload]  # as it was called

    monkeypatch.setattr(Path, "open", broken)
    assert quarantine.take_out(two[1], "bad block") == Aside(two[1].name, None, size, "bad block")


def test_nothing_is_taken_from_a_gateway_that_writes(two: list[Path]) -> None:
    lock = disk.locked(two[0].parent, "gw")
    with pytest.raises(JournalFault, match="another process"):
        quarantine.take_out(two[0], "bad block")
    os.close(lock)
    assert two[0].exists()


def test_strangers_and_what_is_in_quarantine_already_stay_where_they_are(two: list[Path]) -> None:
    stranger = two[0].with_name("notes.txt")
    stranger.touch()
    with pytest.raises(JournalFault, match="no name of a journal file"):
        quarantine.take_out(stranger, "x")
    data = two[0].read_bytes()
    quarantine.take_out(two[0], "bad block")
    two[0].write_bytes(b"another")
    with pytest.raises(JournalFault, match="there already"):
        quarantine.take_out(two[0], "bad block")
    assert two[0].read_bytes() == b"another"
    assert (two[0].parent / "quarantine" / two[0].name).read_bytes() == data


def test_a_command_that_was_cut_off_can_be_given_again(two: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    data = two[0].read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(quarantine, "sync_folder", lambda _folder: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            quarantine.take_out(two[0], "first reason")
    assert two[0].exists()
    assert quarantine.take_out(two[0], "bad block") == aside_of(two[0], data)
    assert quarantine.untold(two[0].parent, "gw") == [aside_of(two[0], data)]


@pytest.mark.parametrize("note", [b"", b"[]", b"{}", b'{"file":"x","more":1}'])
def test_a_note_that_cannot_be_read_is_the_operators_to_see(two: list[Path], note: bytes) -> None:
    quarantine.take_out(two[0], "bad block")
    (two[0].parent / "quarantine" / f"{two[0].name}.why.json").write_bytes(note)
    with pytest.raises(JournalFault, match="no note of a file in quarantine"):
        quarantine.untold(two[0].parent, "gw")


def test_a_folder_without_quarantine_has_none(tmp_path: Path) -> None:
    assert (quarantine.files(tmp_path, "gw"), quarantine.names(tmp_path), quarantine.untold(tmp_path, "gw")) == (
        [],
        set(),
        [],
    )
