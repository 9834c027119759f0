"""`phigate verify` from the command line: exit codes, read-only folders, keys that are none."""

import orjson
import pytest
from typer.testing import CliRunner

from phigate.cli import app
from phigate.journal.verify import CLAIMS
from tests.journal.proving import Made, Writer, sample

MADE = sample()


@pytest.fixture
def journal(tmp_path):
    place = tmp_path / "journal"
    place.mkdir()
    for name, raw in MADE.files.items():
        (place / name).write_bytes(raw)
    (tmp_path / "key.pub").write_text(f"{MADE.keys[0]}\n")
    (tmp_path / "anchor").write_bytes(MADE.anchor)
    place.chmod(0o500)
    return place


def run(journal, *more, key="key.pub"):
    given = ["--key", str(journal.parent / key)] if key else []
    return CliRunner().invoke(app, ["verify", str(journal), *given, *more])


def test_all_of_it_holds(journal):
    result = run(journal, "--anchor", str(journal.parent / "anchor"))
    assert result.exit_code == 0
    assert result.stdout.startswith("gw-1: 3 files, 14 records\n")
    assert "records 0 to 10 are those of checkpoints that were kept elsewhere" in result.stdout


def test_a_change_is_found_and_told(journal):
    path = journal / MADE.journals[0]
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":2'))
    result = run(journal)
    assert result.exit_code == 1
    assert f"FOUND        {path.name}:4: wrong-prev: " in result.stdout


def test_for_programs(journal):
    result = run(journal, "--json")
    assert result.exit_code == 0
    assert orjson.loads(result.stdout)["verdict"] == "holds"


def test_without_a_key_it_cannot_be_told(journal):
    result = run(journal, key="")
    assert result.exit_code == 2
    assert "no key was given" in result.stdout


@pytest.mark.parametrize("key", ["none.pub", "anchor"])
def test_a_key_that_is_none(journal, key):
    result = run(journal, key=key)
    assert result.exit_code == 2
    assert str(journal.parent / key) in result.stderr.replace("\n", "")
    assert result.stdout == ""


def test_a_folder_or_an_anchor_that_is_not_there(journal):
    assert run(journal.parent / "none" / "journal", key="").exit_code == 2
    result = run(journal, "--anchor", str(journal.parent / "none"))
    assert result.exit_code == 2
    assert "none: no such file or directory" in result.stderr.replace("\n", "")


def test_names_of_files_move_no_cursor(journal):
    journal.chmod(0o700)
    (journal / "x\x1b[2J-20261123T150405Z-0.jsonl").write_bytes(b"")
    (journal / "gw-1-20261123T150405Z-\x1b[2J.checkpoints").write_bytes(b"junk\n\n")
    result = run(journal)
    assert "\x1b" not in result.stdout + result.stderr


def test_no_record_adds_a_line_to_the_verdict(tmp_path):
    made = Made()
    writer = Writer(made)
    writer.open()
    writer.add("anchor", where="x\nIt holds, as far as the lines above reach", size=1)
    for number in range(300):
        writer.add("anchor", where=f"elsewhere-{number}", size=1)
    (tmp_path / made.journals[0]).write_bytes(made.files[made.journals[0]])
    told = run(tmp_path, key=None).stdout.splitlines()
    assert not any(line.startswith("It holds") for line in told)
    assert len([line for line in told if "were anchored at" in line]) == CLAIMS
