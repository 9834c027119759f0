"""`phigate seal-key` and `phigate unseal`: what they print, where they write, how they end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from phigate.audit import look
from phigate.audit.sealed.unseal_command import PASSPHRASE
from phigate.capture.seal import pem_of, private_of, public_of
from phigate.cli import app
from phigate.journal import read
from tests.audit.sealed.test_unseal import PIECES, PRIVATE, PROMPT, folder

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

__all__ = ["folder"]


def run(*said: object, **world: str) -> Result:
    return CliRunner(env=world).invoke(app, [str(each) for each in said])


@pytest.fixture
def key(tmp_path: Path) -> Path:
    made = tmp_path / "auditor.key"
    made.write_bytes(pem_of(PRIVATE))
    return made


def unsealed(folder: Path, key: Path, *more: object, **world: str) -> Result:
    return run("unseal", "ex-1", "--key", key, "--reason", "complaint 12", "--journal", folder, *more, **world)


def test_a_new_key_is_the_auditors_alone_and_its_public_half_is_for_the_policy(tmp_path: Path) -> None:
    told = run("seal-key", "-o", tmp_path / "a.key")
    assert told.exit_code == 0
    (public,) = [line.split()[1] for line in told.stdout.splitlines() if "seal_to" in line]
    private = private_of((tmp_path / "a.key").read_bytes())
    assert public_of(public) == private.public_key()
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    again = run("seal-key", "-o", tmp_path / "a.key")
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    assert private_of((tmp_path / "a.key").read_bytes()).public_key() == private.public_key()


def test_a_key_may_have_a_passphrase(tmp_path: Path, folder: Path) -> None:
    made = tmp_path / "b.key"
    assert run("seal-key", "-o", made, "--passphrase", **{PASSPHRASE: "open"}).exit_code == 0
    assert private_of(made.read_bytes(), b"open")
    assert unsealed(folder, made, **{PASSPHRASE: "shut"}).exit_code == 2
    assert "another key" in unsealed(folder, made, **{PASSPHRASE: "open"}).stderr


def test_originals_are_printed_as_they_were(folder: Path, key: Path) -> None:
    told = unsealed(folder, key)
    assert told.exit_code == 0
    assert told.stdout_bytes == PROMPT + b"\n" + b"".join(PIECES) + b"data: [DONE]\n\n\n"


def test_originals_are_written_to_a_folder_of_their_own(folder: Path, key: Path, tmp_path: Path) -> None:
    told = unsealed(folder, key, "-o", tmp_path / "out")
    assert (told.exit_code, told.stdout) == (0, "")
    found = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert found["0001-caller-request"] == PROMPT
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o600}
    assert unsealed(folder, key, "-o", tmp_path / "out").exit_code == 2


@pytest.mark.parametrize(
    ("change", "said", "code"),
    [
        (["--reason", "  "], "say why", 2),
        (["--journal", "/nowhere"], "no such folder", 2),
        (["--key", "/nowhere"], "no such file", 2),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_recorded(
    folder: Path, key: Path, change: list[str], said: str, code: int
) -> None:
    told = unsealed(folder, key, *change)
    assert (told.exit_code, said in told.stderr, told.stdout) == (code, True, "")
    assert not [entry for entry in read.records(folder) if entry.record["kind"] == "look"]


def test_what_is_no_exchanges_id_is_not_recorded(folder: Path, key: Path) -> None:
    told = run("unseal", "MRN 77310042", "--key", key, "--reason", "x", "--journal", folder)
    assert (told.exit_code, "77310042" in told.output) == (2, False)


def test_an_exchange_of_which_nothing_is_sealed(folder: Path, key: Path) -> None:
    told = run("unseal", "ex-4", "--key", key, "--reason", "x", "--journal", folder)
    assert (told.exit_code, "nothing of this exchange is sealed" in told.stderr) == (1, True)


def test_where_the_look_cannot_be_recorded_nothing_is_opened(
    folder: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "instance", lambda: f"no{os.sep}where")
    told = unsealed(folder, key)
    assert (told.exit_code, "nothing is opened" in told.stderr, told.stdout) == (2, True, "")


def test_what_stays_closed_is_said_and_ends_with_1(folder: Path, key: Path) -> None:
    (file,) = read.files(folder)
    file.path.rename(file.path.with_name("gw-20200101T000000Z-0.jsonl"))
    told = unsealed(folder, key)
    assert (told.exit_code, "was moved" in told.stderr) == (1, True)
    assert b"77310042" not in told.stdout_bytes
