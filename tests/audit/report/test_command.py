import stat
from datetime import UTC, datetime, timedelta

import pytest

from phigate.journal import read
from tests.audit.report.hospital import MONDAY, Hospital
from tests.command import file_of, phigate
from tests.journal import proving
from tests.policies import text as policy_text

SECRET = "Ada Byron, MRN 4711"


@pytest.fixture
def folder(tmp_path):
    hospital = Hospital()
    hospital.ask(MONDAY, body={"messages": [{"role": "user", "content": SECRET}]})
    hospital.ask(datetime(2026, 11, 6, 4, 30, tzinfo=UTC), "ben")  # the fifth, in Chicago
    hospital.write(tmp_path / "journal")
    return tmp_path / "journal"


def run(folder, *words):
    return phigate("report", "--journal", folder, *words)


def test_it_writes_one_file_for_its_owner(folder, tmp_path):
    target = tmp_path / "out.html"
    done = run(folder, "--from", "2026-11-01", "--to", "2026-11-30", "-o", target)
    assert (done.exit_code, done.stdout) == (0, f"{target}: written\n")
    assert "2026-11-01 to 2026-11-30" in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".*")) == []


def test_it_holds_nothing_of_a_body(folder):
    assert SECRET not in run(folder, "--from", "2026-11-01", "--to", "2026-11-30", "-o", "-").stdout


def exchanges(done):
    return int(done.stdout.split("<b>")[1].split("</b>")[0])


SPANS = [
    ("the last day counts whole", ["--from", "2026-11-01", "--to", "2026-11-06"], 2),
    ("the day before does not have it", ["--from", "2026-11-01", "--to", "2026-11-05"], 1),
    ("days are those of the zone", ["--from", "2026-11-01", "--to", "2026-11-05", "--zone", "America/Chicago"], 2),
    ("a moment", ["--from", "2026-11-02T09:00:01Z", "--to", "2026-11-07"], 1),
]


@pytest.mark.parametrize(("sentence", "words", "count"), SPANS, ids=[case[0] for case in SPANS])
def test_the_period(folder, sentence, words, count):
    assert exchanges(run(folder, *words, "-o", "-")) == count


def test_without_a_period_it_is_about_the_last_thirty_days(tmp_path):
    hospital, now = Hospital(), datetime.now(UTC)
    for back in (1, 29, 31):
        hospital.ask(now - timedelta(days=back))
    hospital.write(tmp_path / "journal")
    assert exchanges(run(tmp_path / "journal", "-o", "-")) == 2


def test_that_it_was_made_is_on_record_and_in_it(folder):
    done = run(folder, "--from", "2026-11-01", "--to", "2036-11-30", "-o", "-")
    (look,) = [entry.record for entry in read.records(folder) if entry.record["kind"] == "look"]
    assert look["command"] == "report"
    assert look["about"] == {"since": "2026-11-01 00:00:00", "until": "2036-12-01 00:00:00"}
    assert "<code>report</code>" in done.stdout


def test_a_policy_is_explained(folder, tmp_path):
    policy = file_of(tmp_path / "policy.yaml", policy_text())
    done = run(folder, "--from", "2026-11-01", "--to", "2026-11-30", "-o", "-", "--policy", policy)
    assert "PERSON: surrogate, OTHER: redact" in done.stdout


@pytest.fixture
def signed(tmp_path):
    """A journal with checkpoints, and the public key that holds for them."""
    made = proving.sample()
    (tmp_path / "signed").mkdir()
    for name, raw in made.files.items():
        (tmp_path / "signed" / name).write_bytes(raw)
    file_of(tmp_path / "key.pub", f"{made.keys[0]}\n")
    file_of(tmp_path / "anchor", made.anchor)
    return tmp_path / "signed"


def test_the_journal_is_verified_by_a_key(signed):
    place = signed.parent
    done = run(signed, "-o", "-", "--key", place / "key.pub", "--anchor", place / "anchor")
    assert done.exit_code == 0
    assert "The journal was verified, and holds what was written." in done.stdout
    assert "The journal was not verified for this report." in run(signed, "-o", "-").stdout


def test_a_change_is_told_first(signed):
    first = min(signed.glob("*.jsonl"))
    first.write_bytes(first.read_bytes().replace(b'"n":1', b'"n":2'))
    done = run(signed, "-o", "-", "--key", signed.parent / "key.pub")
    assert done.exit_code == 0
    assert "The journal is not what was written" in done.stdout.split('<span class="tag act">act</span>')[1][:200]


FAULTS = [
    ("an anchor without a key", ["--anchor", "x"], "--anchor: needs --key"),
    ("a key that is not there", ["--key", "/none.pub"], "/none.pub: no such file"),
    ("no date", ["--from", "2026-02-30"], "--from: expected a time"),
    ("no time", ["--to", "soon"], "--to: expected a time"),
    ("backwards", ["--from", "2026-11-02", "--to", "2026-11-01"], "--from: not before --to"),
    ("no zone", ["--zone", "Mars/Base"], "--zone: no time zone of this name"),
    ("a zone that is a path", ["--zone", "../../etc/passwd"], "--zone: no time zone of this name"),
]


@pytest.mark.parametrize(("sentence", "words", "told"), FAULTS, ids=[case[0] for case in FAULTS])
def test_what_is_wrong_is_told(folder, sentence, words, told):
    done = run(folder, *words)
    assert done.exit_code == 2
    assert told in done.stderr
    assert not [entry for entry in read.records(folder) if entry.record["kind"] == "look"]


def test_a_folder_that_is_not_there(tmp_path):
    done = run(tmp_path / "none")
    assert (done.exit_code, "no such folder" in done.stderr) == (1, True)


def test_a_file_that_cannot_be_written(folder, tmp_path):
    done = run(folder, "-o", tmp_path / "none" / "out.html")
    assert (done.exit_code, "no such file or directory" in done.stderr) == (1, True)
