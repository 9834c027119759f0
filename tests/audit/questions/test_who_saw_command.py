import json

import pytest

from tests.audit.questions.saw import NAME, NUMBER, written
from tests.command import phigate


@pytest.fixture
def ask(tmp_path):
    journal, secrets = written(tmp_path)

    def run(*words, **more):
        return phigate("who-saw", *words, "--journal", journal, "--secrets", secrets, **more)

    run.journal = journal
    return run


def looks(journal):
    lines = [json.loads(line) for path in journal.glob("*.cli-*.jsonl") for line in path.read_text().splitlines()]
    return [line for line in lines if line["kind"] == "look"]


def test_who_saw_it_and_how(ask):
    done = ask("MRN 00123456", "Patient: Marguerite Ashdown")
    assert done.exit_code == 0
    assert done.stderr == "asked about: MRN (text 1), name (text 2)\n"
    order = [done.stdout.index(f"{name} of https://idp.test") for name in ("ada", "=dan", "ben", "fay", "cleo")]
    assert order == sorted(order)
    for said in (
        "received it as it was: 1; sent it themselves: 1; had it sent to the model as",
        "received it masked (MRN,",
        "permit for research by",
        "ex-2",
        "text 1, 2",
    ):
        assert said in done.stdout
    assert "eve" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_as_json_lines(ask):
    found = [json.loads(line) for line in ask("--json", "--entity", "MRN", "00123456").stdout.splitlines()]
    assert [(one["subject"], list(one["ways"])) for one in found] == [
        ("ada", ["received", "sent", "model-received"]),
        ("ben", ["received-masked"]),
        ("cleo", ["sent"]),
        ("fay", ["received-untold"]),
    ]


def test_from_standard_input(ask):
    done = ask("-", "--entity", "PERSON", "--json", stdin=b"ASHDOWN, marguerite\n")
    assert [json.loads(line)["subject"] for line in done.stdout.splitlines()] == ["ada", "ben", "=dan"]


def test_the_question_is_on_record_and_not_in_clear(ask):
    ask("MRN 00123456", "Patient: Marguerite Ashdown", "--reason", "a complaint")
    (look,) = looks(ask.journal)
    assert (look["command"], look["reason"]) == ("who-saw", "a complaint")
    assert look["about"] == {"identifiers": sorted([NUMBER, NAME])}
    assert not [path for path in ask.journal.iterdir() if b"00123456" in path.read_bytes()]


def test_nobody(ask):
    done = ask("--entity", "MRN", "999")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "nobody: no record holds such an identifier\n")


def test_only_the_latest_of_each_are_shown(ask):
    done = ask("MRN 00123456", "--each", "0")
    assert "ada of" in done.stdout
    assert "ex-1" not in done.stdout


def test_the_help_says_that_arguments_are_seen(ask):
    told = " ".join(phigate("who-saw", "--help").stdout.replace("│", " ").split())
    assert "others on this machine can see arguments" in told
