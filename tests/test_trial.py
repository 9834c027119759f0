"""The file of a policy on trial: read at start and again when it changes; a bad one changes nothing."""

import logging
import os

import pytest

from phigate.policy.load import PolicyFaults, load_policy
from phigate.trial import Trial
from tests import policies

OTHER = "{name: other, permit: [clinician], to: [chat], models: ['*'], mask: lean}"


def written(path, text, at=1):
    path.write_text(text)
    os.utime(path, ns=(at, at))
    return path


def test_an_edited_policy_is_read_again(tmp_path, caplog):
    caplog.set_level(logging.WARNING, "phigate.trial")
    trial = Trial(written(tmp_path / "p.yaml", policies.text()), load_policy)
    first = trial.policy
    trial.reload_if_changed()
    assert trial.policy is first
    written(tmp_path / "p.yaml", policies.text(OTHER), at=2)
    trial.reload_if_changed()
    assert [rule.name for rule in trial.policy.rules] == ["other"]
    assert "is on trial" in caplog.text


def test_a_bad_one_changes_nothing_and_is_said_once(tmp_path, caplog):
    trial = Trial(written(tmp_path / "p.yaml", policies.text()), load_policy)
    first = trial.policy
    written(tmp_path / "p.yaml", "version: 1\n", at=2)
    trial.reload_if_changed()
    trial.reload_if_changed()
    assert trial.policy is first
    assert caplog.text.count("is not taken") == 1
    assert "issuers" in caplog.text


def test_one_that_is_gone_changes_nothing(tmp_path, caplog):
    trial = Trial(written(tmp_path / "p.yaml", policies.text()), load_policy)
    (tmp_path / "p.yaml").unlink()
    trial.reload_if_changed()
    assert len(trial.policy.rules) == 1
    assert "cannot be read" in caplog.text


def test_a_pipe_in_its_place_keeps_nobody_waiting(tmp_path, caplog):
    trial = Trial(written(tmp_path / "p.yaml", policies.text()), load_policy)
    (tmp_path / "p.yaml").unlink()
    os.mkfifo(tmp_path / "p.yaml")
    trial.reload_if_changed()
    assert len(trial.policy.rules) == 1
    assert "is not a file" in caplog.text


def test_one_that_may_not_be_read_changes_nothing(tmp_path, caplog):
    closed = False

    def read(path):
        if closed:
            raise PermissionError(13, "Permission denied")
        return load_policy(path)

    trial = Trial(written(tmp_path / "p.yaml", policies.text()), read)
    written(tmp_path / "p.yaml", policies.text(OTHER), at=2)
    closed = True
    trial.reload_if_changed()
    assert [rule.name for rule in trial.policy.rules] == ["care"]
    assert "permission denied" in caplog.text


def test_a_bad_one_at_the_start_is_a_fault(tmp_path):
    with pytest.raises(PolicyFaults):
        Trial(written(tmp_path / "p.yaml", "version: 1\n"), load_policy)
