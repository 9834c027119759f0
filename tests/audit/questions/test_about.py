import io
from pathlib import Path

import pytest
import typer

from phigate.audit.index.database import open_index
from phigate.audit.questions import about as questions
from phigate.terminal import POLICY
from tests.audit.questions.saw import KEYS, NUMBER, written
from tests.journal.samples import chained


@pytest.fixture
def secrets(tmp_path):
    return str(written(tmp_path)[1])


def refused(capsys, *asked):
    with pytest.raises(typer.Exit) as left:
        questions.asked_about(*asked)
    assert left.value.exit_code == 2
    return capsys.readouterr().err


def test_texts_are_read_with_the_policy(secrets, capsys):
    found = questions.asked_about(["MRN 00123456"], POLICY, secrets, None)
    assert found.named == {NUMBER}
    assert capsys.readouterr().err == "asked about: MRN (text 1)\n"


def test_or_taken_as_they_are(secrets):
    assert questions.asked_about(["00123456"], POLICY, secrets, "mrn").identifiers == {NUMBER: 1}


def test_standard_input_gives_one_a_line(secrets, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"00123456\n\n  \n7\n")))
    found = questions.asked_about(["-", "8"], POLICY, secrets, "MRN")
    assert len(found.identifiers) == 3
    assert found.identifiers[NUMBER] == 2


def test_nothing_to_ask(secrets, capsys):
    assert "no text was given" in refused(capsys, ["", " "], POLICY, secrets, None)


def test_too_much_to_ask(secrets, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"7\n" * questions.MOST)))
    assert "more than" in refused(capsys, ["-"], POLICY, secrets, "MRN")


def test_a_text_in_which_nothing_is_found_is_not_quoted(secrets, capsys):
    told = refused(capsys, ["MRN 00123456", "lost words"], POLICY, secrets, None)
    assert told == "text 2: no identifier was found in it; --entity says what it is\n"


def test_keys_that_are_not_there_are_not_made(tmp_path, capsys, monkeypatch):
    missing = tmp_path / "none" / "secrets"
    assert refused(capsys, ["7"], POLICY, str(missing), "MRN").startswith(f"{missing}: no such file")
    assert not missing.parent.exists()
    assert refused(capsys, ["7"], POLICY, "env:NO_SUCH_KEYS", "MRN").startswith("env:NO_SUCH_KEYS: no such variable")
    monkeypatch.setenv("KEYS_OF_TEST", f"1 {KEYS.key.hex()}")
    assert questions.asked_about(["00123456"], POLICY, "env:KEYS_OF_TEST", "MRN").identifiers == {NUMBER: 1}


def test_keys_that_others_can_read(secrets, capsys):
    Path(secrets).chmod(0o644)
    assert "readable by its owner only" in refused(capsys, ["7"], POLICY, secrets, "MRN")


def test_a_policy_that_is_none(tmp_path, secrets, capsys):
    assert "none.yaml" in refused(capsys, ["7"], tmp_path / "none.yaml", secrets, None)


@pytest.mark.parametrize(("epoch", "told"), [("1", ""), (None, ""), ("9", 'epochs ["9"]')])
def test_keys_that_the_journal_names_and_that_are_missing(tmp_path, capsys, epoch, told):
    _, secrets = written(tmp_path)
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "gw-20261123T150405Z-0.jsonl").write_bytes(b"".join(chained([("opened", {"epoch": epoch})])))
    with open_index(folder) as index:
        questions.warn_of_keys(index, str(secrets))
    err = capsys.readouterr().err
    assert told in err
    assert bool(err) == bool(told)
