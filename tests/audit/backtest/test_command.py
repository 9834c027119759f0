"""`phigate backtest`: what it prints, and how it ends: 0 nothing, 1 what was asked for, 2 it cannot tell."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from phigate.audit import look
from phigate.capture.seal import Auditor, Place, pem_of
from tests import policies
from tests.audit.backtest import recordings
from tests.audit.backtest.recordings import CARE, LISTS, request, response
from tests.command import file_of, phigate
from tests.journal.samples import put
from tests.traffic import records

OPENED = ("opened", {"software": "0", "file": "gw-20261123T150405Z-0.jsonl", "follows": None})
NAME = "gw-20261123T150405Z-0"


def fields(record):
    return record["kind"], {name: value for name, value in record.items() if name not in {"kind", "ts"}}


@pytest.fixture
def journal(tmp_path):
    folder = tmp_path / "journal"
    folder.mkdir()
    asked = request()
    said = {"policy": "cd" * 32, "verb": "deny", "rule": "no", "reason": "denied", "differs": ["newly-denied"]}
    records = [asked, response(asked), request("list all", "deny", "no-lists", "denied", shadow=said)]
    put(folder, NAME, OPENED, *map(fields, records), end=b'{"torn')
    return folder


def policy(tmp_path, *rules):
    return file_of(tmp_path / "policy.yaml", policies.text(*rules))


def run(journal, *words):
    return phigate("backtest", "--journal", journal, *words)


def test_the_policy_that_decided_ends_with_nothing(journal, tmp_path):
    result = run(journal, "--policy", policy(tmp_path, CARE, LISTS))
    assert result.exit_code == 0
    assert "are decided as they were" in result.stdout
    assert "unreadable" not in result.stdout


ENDS = [
    ((), 1),
    (("--fail-on", "newly-permitted"), 1),
    (("--fail-on", "newly-denied,newly-shown"), 0),
    (("--fail-on", "newly-denied, newly-permitted"), 1),
    (("--fail-on", ""), 0),
    (("--fail-on", "nothing"), 2),
    (("--since", "2026-11-24"), 2),
    (("--until", "2026-11-22"), 2),
    (("--since", "2026-11-23", "--until", "2026-11-23"), 1),
    (("--since", "yesterday"), 2),
    (("--shadow",), 2),
    (("--against", "nowhere.yaml"), 2),
    (("--was", "nowhere.yaml"), 2),
]


@pytest.mark.parametrize(("words", "code"), ENDS)
def test_it_ends_by_what_was_asked_for(journal, tmp_path, words, code):
    assert run(journal, "--policy", policy(tmp_path, CARE), *words).exit_code == code


def test_without_a_policy_or_a_folder_there_is_nothing_to_try(journal, tmp_path):
    assert run(journal).exit_code == 2
    assert run(journal / "none", "--policy", policy(tmp_path, CARE)).exit_code == 2
    assert run(journal, "--policy", tmp_path / "none.yaml").exit_code == 2


def test_programs_get_one_value(journal, tmp_path):
    result = run(journal, "--policy", policy(tmp_path, CARE), "--json", "--against", policy(tmp_path, CARE))
    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["policy"] == found["against"] == policies.policy(CARE).sha256
    assert (found["exchanges"], found["same"]) == (2, 2)


def test_what_was_on_trial_is_summed_up(journal):
    found = run(journal, "--shadow", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["shadow"] == ["cd" * 32]
    assert json.loads(found.stdout)["kinds"] == {"newly-denied": 1}
    assert run(journal, "--shadow", "--fail-on", "newly-permitted").exit_code == 0


def test_damage_is_a_finding(journal, tmp_path):
    path = journal / f"{NAME}.jsonl"
    path.write_bytes(path.read_bytes() + b" not a record\n")
    result = run(journal, "--policy", policy(tmp_path, CARE, LISTS), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["unreadable"] == {"not-a-record": 1}


def test_policies_whose_fields_differ_are_told_apart(journal, tmp_path):
    other = file_of(tmp_path / "other.yaml", policies.text(CARE, tail="fields: [{keep: [$.a]}]\n"))
    said = run(journal, "--policy", other, "--against", policy(tmp_path, CARE), "--fail-on", "").stdout
    assert "`fields` differ" in said


def test_a_policy_of_the_time_settles_what_is_undecided(journal, tmp_path):
    put(journal, "gx-20261123T150405Z-0", OPENED, fields(request("[PERSON]", findings={"PERSON": 1})))
    was = file_of(tmp_path / "was.yaml", policies.text(CARE, LISTS))
    twin = file_of(tmp_path / "twin.yaml", policies.text(CARE, LISTS) + "# the same\n")
    said = run(journal, "--policy", twin)
    assert (said.exit_code, "--was" in said.stdout) == (1, True)
    assert run(journal, "--policy", twin, "--was", was).exit_code == 0


# -- with the auditor's key -----------------------------------------------------------------------------------------

KEY = X25519PrivateKey.generate()


@pytest.fixture
def sealed(tmp_path):
    """A journal in which what was asked stands masked, and sealed beside it."""
    folder = tmp_path / "sealed"
    folder.mkdir()
    asked = request("[PERSON]", findings={"PERSON": 1})
    place = Place(f"{NAME}.jsonl", 1, asked["exchange"], "request", "caller")
    original = Auditor(KEY.public_key()).seal(json.dumps(recordings.said("after the ward-round")).encode(), place)
    put(folder, NAME, OPENED, fields(asked | {"sealed": original}))
    return folder


NOTES = "{name: notes, deny: ['*'], to: [chat], when: {prompt_matches: ['ward-round']}}"


def test_with_the_key_sealed_originals_tell_all_and_the_look_is_on_record(sealed, tmp_path):
    key = file_of(tmp_path / "auditor.pem", pem_of(KEY))
    words = ("--policy", policy(tmp_path, CARE, NOTES), "--json")
    assert json.loads(run(sealed, *words).stdout)["kinds"] == {"undecided": 1}
    result = run(sealed, *words, "--key", key, "--reason", "the yearly review")
    assert json.loads(result.stdout)["kinds"] == {"newly-denied": 1}
    (look,) = [record for record in records(sealed) if record["kind"] == "look"]
    assert (look["command"], look["reason"]) == ("backtest", "the yearly review")
    assert look["about"]["policy"] == policies.policy(CARE, NOTES).sha256


def test_the_key_is_not_used_without_a_reason_or_a_record(sealed, tmp_path, monkeypatch):
    key = file_of(tmp_path / "auditor.pem", pem_of(KEY))
    words = ("--policy", policy(tmp_path, CARE, NOTES), "--key", key)
    assert run(sealed, *words).exit_code == 2
    assert run(sealed, *words, "--reason", " ").exit_code == 2

    def unwritable(*_):
        raise look.Unrecorded("no space")

    monkeypatch.setattr(look, "record", unwritable)
    result = run(sealed, *words, "--reason", "the yearly review")
    assert (result.exit_code, "not on record" in result.stderr) == (2, True)


def test_what_another_key_sealed_stays_closed_and_is_said(sealed, tmp_path):
    key = file_of(tmp_path / "auditor.pem", pem_of(X25519PrivateKey.generate()))
    words = ("--policy", policy(tmp_path, CARE, NOTES), "--json", "--key", key, "--reason", "the yearly review")
    found = json.loads(run(sealed, *words).stdout)
    assert found["unreadable"] == {"it was sealed to another key": 1}
    assert found["kinds"] == {"undecided": 1}
