import csv
import json
from datetime import timedelta

import pytest

from phigate.audit.questions.disclosures_command import cell
from tests.audit.questions.saw import NAME, NUMBER, answered, asked, written
from tests.command import phigate

ASKED = ("--patient", "MRN 00123456", "--patient", "Patient: Marguerite Ashdown")


@pytest.fixture
def account(tmp_path):
    journal, secrets = written(tmp_path)

    def run(*words, **more):
        return phigate("disclosures", *words, "--journal", journal, "--secrets", secrets, **more)

    run.journal = journal
    return run


def test_as_a_table(account):
    done = account(*ASKED)
    assert done.exit_code == 0
    assert all(said in done.stdout for said in ("ada", "answer with MRN", "treatment (exempt)", "no purpose on record"))
    assert "ben" not in done.stdout
    assert "not listed (--model-server)" in done.stderr


def test_as_csv_that_no_spreadsheet_runs(account, tmp_path):
    done = account(*ASKED, "-o", tmp_path / "account.csv")
    assert (done.exit_code, done.stdout) == (0, "")
    with (tmp_path / "account.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["recipient"], row["exempt"]) for row in rows] == [("ada", "164.528(a)(1)(i)"), ("'=dan", "")]


def test_as_csv_on_standard_output(account):
    done = account(*ASKED, "-o", "-", "--only-accountable")
    assert [line.split(",")[1] for line in done.stdout.splitlines()] == ["recipient", "'=dan"]


def test_as_json_lines(account):
    done = account(*ASKED, "--json", "--model-server")
    assert [json.loads(line)["exchange"] for line in done.stdout.splitlines()] == ["ex-1", "ex-1", "ex-4"]


def test_without_since_it_goes_back_six_years(account, monkeypatch):
    assert account(*ASKED, "--json").stdout.count("\n") == 2
    monkeypatch.setattr("phigate.audit.questions.disclosures_command.PERIOD", timedelta(days=-1))
    assert account(*ASKED, "--json").stdout == ""
    assert account(*ASKED, "--json", "--since", "1d").stdout.count("\n") == 2


def test_the_question_is_on_record_and_not_in_clear(account):
    account(*ASKED)
    lines = [json.loads(line) for path in account.journal.glob("*.cli-*") for line in path.read_text().splitlines()]
    (look,) = [line for line in lines if line["kind"] == "look"]
    assert (look["command"], look["about"]) == ("disclosures", {"identifiers": sorted([NUMBER, NAME])})


def test_a_file_that_cannot_be_written(account, tmp_path):
    done = account(*ASKED, "-o", tmp_path / "none" / "account.csv")
    assert done.exit_code == 1
    assert "account.csv: no such file or directory" in done.stderr


@pytest.mark.parametrize("hostile", ["=1+1", "+1", "-1", "@a", " =1", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(hostile):
    assert cell(hostile) == f"'{hostile}"
    assert cell("ada") == "ada"


def test_no_name_moves_the_terminal(tmp_path):
    rows = [asked("ex-1", "\x1b[2J\u202eada"), answered("ex-1", NUMBER, revealed=[NUMBER])]
    journal, secrets = written(tmp_path, rows)
    for command in (["disclosures", "--patient"], ["who-saw"]):
        done = phigate(*command, "MRN 00123456", "--journal", journal, "--secrets", secrets)
        assert "ada" in done.stdout
        assert not {"\x1b", "\u202e"} & set(done.stdout)
