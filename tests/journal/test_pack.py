from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from phigate.journal import disk, pack, read, zst
from tests.journal.samples import small_journal

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "gw-20261123T150405Z-0.jsonl"
WHOLE = b"".join(small_journal())


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(WHOLE)
    return path


def whole(folder: Path) -> bytes:
    """What a reader finds, whatever form it has."""
    (file,) = read.files(folder)
    return b"".join(read.lines(file.path))


def test_a_file_gives_way_to_its_copy(plain: Path) -> None:
    copy = pack.pack(plain)
    assert [path.name for path in plain.parent.iterdir()] == [NAME + ".zst"] == [copy.name]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert whole(plain.parent) == WHOLE


class Crash(BaseException):
    """Nothing that runs behind this is of a process that ended."""


def count_and_crash(monkeypatch: pytest.MonkeyPatch, at: int) -> list[str]:
    """Every call that changes the folder is counted, and the one of this number, with all after it, does not happen."""
    calls: list[str] = []

    def guarded(name: str, usual: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **more: object) -> object:
            calls.append(name)
            if len(calls) > at:
                raise Crash(name)
            return usual(*args, **more)

        return call

    for owner, name in ((os, "open"), (os, "fsync"), (Path, "rename"), (Path, "unlink")):
        monkeypatch.setattr(owner, name, guarded(name, getattr(owner, name)))
    return calls


def test_a_crash_at_any_step_leaves_the_file_and_the_next_turn_ends_it(
    plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, done = 0, False
    while not done:
        plain.write_bytes(WHOLE)
        plain.with_name(NAME + ".zst").unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            calls = count_and_crash(patch, at)
            try:
                pack.pack(plain)
                done = True
            except Crash:
                assert len(calls) > at
        assert whole(plain.parent) == WHOLE, f"after {calls}"
        if plain.exists():
            pack.pack(plain)
        assert whole(plain.parent) == WHOLE
        assert {path.name for path in plain.parent.iterdir()} <= {NAME + ".zst", NAME + ".zst.part"}
        at += 1
    assert at > 7


def test_a_copy_that_differs_is_thrown_away(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = zst.packed
    monkeypatch.setattr(zst, "packed", lambda pieces: usual(piece[:-1] + b"?" for piece in pieces))
    with pytest.raises(pack.CopyDiffers):
        pack.pack(plain)
    assert [path.name for path in plain.parent.iterdir()] == [NAME]


def test_a_full_disk_leaves_the_file_alone(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = os.open

    def full(path: object, flags: int, mode: int = 0o777) -> int:
        return usual("/dev/full", os.O_WRONLY) if str(path).endswith(".part") else usual(str(path), flags, mode)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(OSError, match="No space"):
        pack.pack(plain)
    monkeypatch.undo()
    assert whole(plain.parent) == WHOLE


def waited(until: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not until() and time.monotonic() < end:
        time.sleep(0.005)
    return until()


def test_what_an_earlier_run_left_is_compressed_and_what_is_written_is_not(plain: Path) -> None:
    current = plain.with_name("gw-20261123T150406Z-4.jsonl")
    stranger = plain.with_name("gw-2-20261123T150406Z-0.jsonl")
    current.touch()
    stranger.touch()
    packer = pack.Packer()
    packer.add_left(plain.parent, "gw", 4)
    packer.add(plain.with_name("gone.jsonl"))
    assert waited(lambda: not plain.exists())
    assert packer.stop(10)
    names = {path.name for path in plain.parent.iterdir()}
    assert names == {NAME + ".zst", current.name, stranger.name}
    assert packer.failed is None


def test_a_file_that_is_being_written_is_not_compressed(tmp_path: Path) -> None:
    path = tmp_path / NAME
    descriptor = disk.create(path)
    os.write(descriptor, WHOLE)
    with pytest.raises(BlockingIOError):
        pack.pack(path)
    assert [each.name for each in tmp_path.iterdir()] == [NAME]
    os.close(descriptor)
    pack.pack(path)
    assert whole(tmp_path) == WHOLE


def test_a_file_is_compressed_by_one_at_a_time(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, others = pack._digest, []

    def meanwhile(part: Path) -> bytes:
        with pytest.raises(BlockingIOError):
            pack.pack(plain)
        others.append(part)
        return usual(part)

    monkeypatch.setattr(pack, "_digest", meanwhile)
    pack.pack(plain)
    assert len(others) == 1
    assert whole(plain.parent) == WHOLE


def test_what_cannot_be_compressed_is_said_and_stays(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_path: Path) -> Path:
        raise pack.CopyDiffers("x")

    monkeypatch.setattr(pack, "pack", broken)
    packer = pack.Packer()
    packer.add(plain)
    assert waited(lambda: packer.failed is not None)
    assert packer.failed == "CopyDiffers"
    assert packer.stop(10)
    assert plain.exists()
