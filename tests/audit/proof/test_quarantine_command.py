"""The command, and that a start works after it."""

import hashlib

import pytest
from typer.testing import CliRunner

from phigate.cli import app
from phigate.journal import chain, read
from phigate.journal.writer import JournalFault, open_journal
from tests.journal.samples import Clock, request


@pytest.fixture
def folder(tmp_path):
    """Two files of a journal whose gateway is not running."""
    for name in ("ex-1", "ex-2"):
        journal = open_journal(tmp_path / "journal", "gw", Clock())
        journal.append("request", request(name, verb="deny"))
        journal.close("stopped")
    return tmp_path / "journal"


def run(*arguments):
    return CliRunner().invoke(app, ["quarantine", *map(str, arguments)])


def damage(path):
    path.write_bytes(path.read_bytes().replace(b"ada", b"eve"))
    return path.read_bytes()


def records(path):
    return [item.record for item in read.entries(path) if isinstance(item, read.Entry)]


def test_a_damaged_newest_file_stops_the_start_until_it_is_taken_out(folder):
    first, second = (file.path for file in read.files(folder))
    data = damage(second)
    with pytest.raises(JournalFault, match=r"wrong-prev.*`phigate quarantine .*--reason TEXT`") as fault:
        open_journal(folder, "gw", Clock())
    words = str(fault.value).partition("`phigate quarantine ")[2].split(" ")[0]
    done = run(words, "--reason", "bad block")
    assert done.exit_code == 0, done.output
    digest = hashlib.sha256(data).hexdigest()
    assert digest in done.output.replace("\n", "")

    journal = open_journal(folder, "gw", Clock())
    journal.close("stopped")
    opened, recovered, *_ = records(journal.path)
    lines = data.splitlines(keepends=True)
    assert opened["seq"] == read.files(folder)[0].seq + len(list(read.lines(first))) + len(lines)
    assert opened["follows"] == {"file": second.name, "hash": chain.digest(lines[-1])}
    wanted = {"file": second.name, "sha256": digest, "bytes": len(data), "reason": "bad block", "until": None}
    assert recovered["quarantined"] == wanted
    again = open_journal(folder, "gw", Clock())
    again.close("stopped")
    assert [record["kind"] for record in records(again.path)] == ["opened", "recovered", "closed"]
    assert "quarantined" not in records(again.path)[1], "it is told once"


def test_a_missing_file_stops_the_start_until_its_absence_is_on_record(folder):
    open_journal(folder, "gw", Clock()).close("stopped")
    _, file, follower, *_ = read.files(folder)
    missing = file.path
    missing.unlink()
    with pytest.raises(JournalFault, match=f"{missing}: missing"):
        open_journal(folder, "gw", Clock())
    assert run(missing, "--reason", "lost with its disk").exit_code == 0
    journal = open_journal(folder, "gw", Clock())
    journal.close("stopped")
    assert records(journal.path)[1]["quarantined"] == {
        "file": missing.name,
        "sha256": None,
        "bytes": None,
        "reason": "lost with its disk",
        "until": follower.seq,
    }


REFUSED = [
    ("a file that is none of the journal's", lambda folder: [folder / "gw.lock", "--reason", "x"], 1),
    ("a file that never was", lambda folder: [folder / "gw-20260101T000000Z-77.jsonl", "--reason", "x"], 1),
    ("a folder that is not there", lambda folder: [folder / "no" / "gw-20260101T000000Z-0.jsonl", "--reason", "x"], 1),
    ("no reason", lambda folder: [read.files(folder)[0].path], 2),
    ("an empty reason", lambda folder: [read.files(folder)[0].path, "--reason", " "], 2),
    ("a reason without end", lambda folder: [read.files(folder)[0].path, "--reason", "x" * 501], 2),
]


@pytest.mark.parametrize(("sentence", "arguments", "code"), REFUSED, ids=[case[0] for case in REFUSED])
def test_it_takes_out_nothing_given(folder, sentence, arguments, code):
    before = sorted(path.name for path in folder.iterdir())
    done = run(*arguments(folder))
    assert done.exit_code == code
    assert done.output.strip()
    assert sorted(path.name for path in folder.iterdir()) == before


def test_it_takes_nothing_from_a_gateway_that_runs(folder):
    journal = open_journal(folder, "gw", Clock())
    done = run(journal.path, "--reason", "x")
    assert (done.exit_code, "another process writes" in done.output.replace("\n", " ")) == (1, True)
    journal.close("stopped")
