from __future__ import annotations

import errno
import os
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from phigate.journal import disk
from phigate.journal.disk import JournalFault, Limits
from tests.journal.samples import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    disk.prepare(tmp_path / "a" / "journal")
    assert (tmp_path / "a" / "journal").stat().st_mode & 0o777 == 0o700
    (tmp_path / "a" / "journal").chmod(0o750)
    with pytest.raises(JournalFault, match="chmod 700"):
        disk.prepare(tmp_path / "a" / "journal")


def test_an_instance_is_locked_once(tmp_path: Path) -> None:
    lock = disk.locked(tmp_path, "gw")
    with pytest.raises(JournalFault, match="another process writes the journal of instance `gw`; stop it"):
        disk.locked(tmp_path, "gw")
    os.close(disk.locked(tmp_path, "gw-2"))
    os.close(lock)
    os.close(disk.locked(tmp_path, "gw"))


@pytest.mark.parametrize("form", ["", ".zst"])
def test_a_name_that_a_file_has_is_not_given_again(tmp_path: Path, form: str) -> None:
    assert disk.free_path(tmp_path, "gw", NOW, 7) == tmp_path / "gw-20261123T150405Z-7.jsonl"
    (tmp_path / f"gw-20261123T150405Z-7.jsonl{form}").touch()
    assert disk.free_path(tmp_path, "gw", NOW, 7) == tmp_path / "gw-20261123T150406Z-7.jsonl"


def test_a_file_is_named_as_begun_behind_those_of_the_same_number_whatever_the_clock_says(tmp_path: Path) -> None:
    later = disk.name("gw", NOW + timedelta(seconds=7), 5)
    for name in (later, disk.name("gw", NOW + timedelta(days=1), 4), "gw-99999999T999999Z-5.jsonl"):
        (tmp_path / name).touch()
    assert disk.free_path(tmp_path, "gw", NOW, 5).name == disk.name("gw", NOW, 5), "a name that is no time is none"
    (tmp_path / "gw-99999999T999999Z-5.jsonl").unlink()
    assert disk.free_path(tmp_path, "gw", NOW, 5).name == disk.name("gw", NOW + timedelta(seconds=8), 5)
    (tmp_path / later).rename(tmp_path / (later + ".zst"))
    assert disk.free_path(tmp_path, "gw", NOW, 5).name == disk.name("gw", NOW + timedelta(seconds=8), 5)


def test_a_new_file_is_its_owners_and_never_an_old_one(tmp_path: Path) -> None:
    os.close(disk.create(tmp_path / "file"))
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        disk.create(tmp_path / "file")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="exists"):
        disk.create(tmp_path / "link")


def test_a_disk_that_can_be_trusted_keeps_nothing_of_its_test(tmp_path: Path) -> None:
    disk.probe(tmp_path, "gw")
    assert list(tmp_path.iterdir()) == []


def fails(code: int) -> Callable[..., object]:
    def call(*_args: object) -> object:
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize(
    ("name", "seam"),
    [
        pytest.param("open", fails(errno.EROFS), id="a read-only file system"),
        pytest.param("write", fails(errno.ENOSPC), id="no space"),
        pytest.param("write", lambda _descriptor, data: len(data) - 1, id="a short write"),
        pytest.param("write", lambda _descriptor, data: len(data), id="a write that went nowhere"),
        pytest.param("fsync", fails(errno.EIO), id="a sync that fails"),
    ],
)
def test_a_disk_that_fails_any_step_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, seam: Callable[..., object]
) -> None:
    monkeypatch.setattr(os, name, seam)
    with pytest.raises(OSError, match=r"."):
        disk.probe(tmp_path, "gw")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_files_are_removed_and_those_that_cannot_be_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").mkdir()
    assert disk.remove(tmp_path, {"a", "b", "gone"}) == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_disk_that_takes_no_change_has_no_file_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "x")

    (tmp_path / "a").touch()
    monkeypatch.setattr(type(tmp_path), "unlink", fail)
    assert disk.remove(tmp_path, ["a", "never"]) == ["a"]


@pytest.mark.parametrize(("left", "said"), [(99, "scarce"), (100, "low"), (199, "low"), (200, "enough"), (0, "scarce")])
def test_space_has_two_marks(left: int, said: str) -> None:
    assert disk.space(left, Limits(warn=200, stop=100)) == said


def test_limits_are_written_like_other_sizes() -> None:
    assert disk.limits_of("256m", "2G", "1048576") == Limits(256 << 20, 2 << 30, 1 << 20)
    assert disk.limits_of("64k", "1t", "0") == Limits(64 << 10, 1 << 40, 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("much", "2g", "1g"), "option `phi_journal_size`: `much` is no size"),
        (("", "2g", "1g"), "option `phi_journal_size`: `` is no size"),
        (("1g", "-2g", "1g"), "option `phi_journal_warn`: `-2g` is no size"),
        (("1g", "2g", "1.5g"), "option `phi_journal_stop`: `1.5g` is no size"),
        (("63k", "2g", "1g"), "option `phi_journal_size`: at least 64k"),
        (("1g", "1g", "2g"), "option `phi_journal_stop`: more than `phi_journal_warn`"),
    ],
)
def test_limits_that_make_no_sense_are_named(given: tuple[str, str, str], said: str) -> None:
    with pytest.raises(JournalFault, match=said):
        disk.limits_of(*given)


def test_what_is_free_is_what_this_user_may_still_write(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    assert 0 < disk.free(tmp_path) <= found.f_blocks * found.f_frsize


def test_a_file_has_one_who_writes_compresses_or_deletes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    descriptor = disk.create(path)
    with pytest.raises(BlockingIOError), disk.held(path):
        pass
    os.close(descriptor)
    with disk.held(path), pytest.raises(BlockingIOError), disk.held(path):
        pass
    with pytest.raises(FileNotFoundError), disk.held(tmp_path / "b.jsonl"):
        pass


def test_who_waited_for_a_file_that_was_deleted_meanwhile_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.touch()
    said: list[type[BaseException]] = []

    def wait() -> None:
        try:
            with disk.held(path, wait=True):
                said.append(AssertionError)
        except OSError as fault:
            said.append(type(fault))

    waiting = threading.Thread(target=wait)
    with disk.held(path):
        waiting.start()
        time.sleep(0.05)
        path.unlink()
        path.touch()
    waiting.join(5)
    assert said == [FileNotFoundError]


def test_what_was_left_on_its_way_is_synced_unless_somebody_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    (tmp_path / "a").touch()
    disk.settle(tmp_path, ["a", "compressed"], 0)
    assert synced == [(tmp_path / "a").stat().st_ino]
    with disk.held(tmp_path / "a"), pytest.raises(JournalFault, match="another process"):
        disk.settle(tmp_path, ["a"], 0.05)


def test_a_file_that_cannot_be_made_whole_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_folder: Path) -> None:
        raise OSError(5, "x")

    monkeypatch.setattr(disk, "sync_folder", fail)
    with pytest.raises(OSError, match="x"):
        disk.create(tmp_path / "a.jsonl")
    assert list(tmp_path.iterdir()) == []
