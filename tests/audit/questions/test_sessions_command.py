import json
from datetime import UTC, datetime

import pytest

from phigate.journal.writer import open_journal
from tests.command import phigate
from tests.journal.samples import request, response


@pytest.fixture
def journal(tmp_path):
    """A folder that a real journal wrote: two sessions, one of them cut off."""
    written = open_journal(tmp_path / "journal", "gw", lambda: datetime.now(UTC))
    written.append("request", request("ex-1", session="se-1", name="ada"))
    written.append("response", response("ex-1"))
    written.append("request", request("ex-2", session="se-2", name="grace", verb="deny"))
    written.close("test over")
    return tmp_path / "journal"


def looks(journal):
    lines = [json.loads(line) for path in journal.glob("*.cli-*.jsonl") for line in path.read_text().splitlines()]
    return [(line["command"], line["about"]) for line in lines if line["kind"] == "look"]


def test_sessions_as_a_table(journal):
    done = phigate("sessions", "--journal", journal)
    assert (done.exit_code, done.stderr) == (0, "")
    assert all(said in done.stdout for said in ("se-1", "ada", "se-2", "grace"))
    assert done.stdout.index("se-2") < done.stdout.index("se-1")
    assert looks(journal) == [("sessions", {"filters": {}, "limit": 100})]


def test_sessions_as_json_lines(journal):
    found = [json.loads(line) for line in phigate("sessions", "--json", "--journal", journal).stdout.splitlines()]
    assert [(one["session"], one["subject"], one["exchanges"]) for one in found] == [
        ("se-2", "grace", 1),
        ("se-1", "ada", 1),
    ]
    assert found[1]["findings"] == {"PERSON": 1, "MRN": 2}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--subject", "ada"], ["se-1"]),
        (["--role", "clinician", "--model", "ward", "--action", "chat", "--rule", "r"], ["se-2", "se-1"]),
        (["--verb", "deny"], ["se-2"]),
        (["--entity", "MRN"], ["se-1"]),
        (["--outcome", "complete"], ["se-1"]),
        (["--reason", "no-rule"], []),
        (["--since", "1h"], ["se-2", "se-1"]),
        (["--until", "1h"], []),
        (["--limit", "1"], ["se-2"]),
    ],
    ids=str,
)
def test_sessions_that_are_asked_for(journal, filters, found):
    done = phigate("sessions", "--json", *filters, "--journal", journal)
    assert [json.loads(line)["session"] for line in done.stdout.splitlines()] == found
    ((_, about),) = looks(journal)
    assert set(about["filters"]) == {each[2:] for each in filters if each.startswith("--")} - {"limit"}


def test_what_is_left_out_is_said(journal):
    assert phigate("sessions", "--limit", "1", "--journal", journal).stderr == (
        "these are the latest 1; there are more (--limit)\n"
    )
    none = phigate("sessions", "--subject", "nobody", "--journal", journal)
    assert (none.exit_code, none.stdout, none.stderr) == (0, "", "no session in the journal is like that\n")


def test_a_time_that_is_none(journal):
    done = phigate("sessions", "--since", "soon", "--journal", journal)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("--since: expected a time")


def test_an_exchange_is_shown_from_both_sides(journal):
    done = phigate("show", "ex-1", "--journal", journal)
    assert done.exit_code == 0
    assert all(said in done.stdout for said in ("ada", "permit", "complete", "Summarise the stay of"))
    assert "grace" not in done.stdout
    assert looks(journal) == [("show", {"exchange": "ex-1"})]


def test_a_session_is_shown_by_its_exchanges(journal):
    done = phigate("show", "se-2", "--journal", journal)
    assert done.exit_code == 0
    assert "ex-2" in done.stdout
    assert "ex-1" not in done.stdout
    assert looks(journal) == [("show", {"session": "se-2"})]


def test_an_id_that_nobody_knows(journal):
    done = phigate("show", "ex-9", "--journal", journal)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "knows no exchange" in done.stderr


def test_a_torn_line_is_told_and_the_others_are_shown(journal):
    (file,) = journal.glob("*.jsonl")
    file.write_bytes(file.read_bytes() + b'{"seq":')
    done = phigate("sessions", "--journal", journal)
    assert done.exit_code == 0
    assert done.stderr == f"{file.name}:6: torn\n"
    assert "se-1" in done.stdout


@pytest.mark.parametrize("command", [["sessions"], ["show", "ex-1"]], ids=["sessions", "show"])
def test_a_folder_that_is_not_there(tmp_path, command):
    done = phigate(*command, "--journal", tmp_path / "missing")
    assert done.exit_code == 1
    assert done.stderr == f"{tmp_path / 'missing'}: no such folder\n"
