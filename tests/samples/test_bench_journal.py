"""The journal of the benchmark is one, and its questions are answered; no figure is judged here."""

import sys

import pytest

from bench import journal, recorded
from phigate.audit.index.database import open_index
from phigate.journal import chain, read, tree
from phigate.masking.secrets import Secrets
from processes import NotReady
from tests.command import phigate

KEYS = Secrets(bytes.fromhex(journal.KEY), "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def made(folder):
    (folder / "secrets").write_text(f"1 {journal.KEY}\n")
    (folder / "secrets").chmod(0o600)
    return recorded.make(folder / "journal", 400, KEYS, file_size=200_000)


def test_it_is_a_journal_of_several_files(folder, made):
    files = read.files(folder / "journal")
    assert len(files) == made.files > recorded.PLAIN + 1
    assert [file.path.suffix for file in files] == [".zst"] * (made.files - 2) + [".jsonl"] * 2
    last, grown, records = chain.ZEROS, tree.Range(), 0
    for file in files:
        lines = list(read.lines(file.path))
        opened = chain.parse(lines[0]) or {}
        assert tree.parse_range(opened["tree"], opened["seq"]) == grown
        verdict = chain.verify_lines(lines, follows=last)
        assert verdict.intact
        last, records = verdict.last, records + verdict.records
        for line in lines:
            grown.append(bytes.fromhex(chain.digest(line)))
    assert records == made.records == 401
    assert sum(len(line) for file in files for line in read.lines(file.path)) == made.bytes


def test_it_is_the_same_each_time(folder, made, tmp_path):
    assert recorded.make(tmp_path / "journal", 400, KEYS, file_size=200_000) == made
    for file in read.files(folder / "journal"):
        assert (tmp_path / "journal" / file.path.name).read_bytes() == file.path.read_bytes()


def test_its_questions_are_answered(folder, made):
    """Those of one command by one of them; the report and the export have tests of their own."""
    with open_index(folder / "journal") as index:
        row = next(index.rows("SELECT exchange, session FROM exchange WHERE verb = 'permit'"))
    asked = dict(journal.questions(folder, made, *row))
    assert len(asked) == 12
    first = {words[0]: words for words in asked.values() if words[0] not in ("report", "export")}
    for words in first.values():
        done = phigate(*words)
        assert done.exit_code == 0, done.output
    assert phigate(*asked["who-saw as JSON, every exchange"]).stdout.count("\n") > 10


def test_a_process_is_measured():
    run = journal.once([sys.executable, "-c", "import time; x = bytearray(50_000_000); time.sleep(0.05)"])
    assert 0.05 <= run.seconds < 60
    assert 0 < run.cpu < run.seconds
    assert 50e6 < run.peak < 500e6
    small = journal.median([sys.executable, "-S", "-c", "print()"], 2)
    assert small.peak < run.peak


def test_a_command_that_fails_is_no_figure():
    with pytest.raises(NotReady, match=r"ended with 3: no"):
        journal.once([sys.executable, "-c", "import sys; sys.stderr.write('no'); sys.exit(3)"])


def test_a_row_tells_the_ratio():
    unit = journal.Run(9.0, 2.0, 20_000_000)
    asked = journal.row("a", journal.Run(4.0, 3.0, 150_000_000), unit)
    assert asked == ["a", "4.00", "3.00", "1.50", "150"]
    assert len(asked) == len(journal.COLUMNS)
