"""The files that detection is made of, read and noticed when they change."""

from types import SimpleNamespace

import pytest

from phigate.masking import RosterFault
from phigate.policy.load import PolicyFaults
from phigate.sources import read_sources, stamp_of


def policy(folder, roster=None, detectors=None):
    return SimpleNamespace(folder=folder, roster=roster, detectors=detectors)


def test_a_policy_that_names_no_files_has_the_built_in_sources(tmp_path):
    made = read_sources(policy(tmp_path))
    assert (made.stamp, made.roster) == ((), None)
    assert [each.entity for each in made.detectors.find("MRN: 70418")] == ["MRN"]


def test_the_roster_is_a_source(tmp_path):
    (tmp_path / "people.csv").write_text("name\nQuill Varnado\n")
    made = read_sources(policy(tmp_path, "people.csv"))
    assert made.stamp == stamp_of(policy(tmp_path, "people.csv"))
    assert "roster" in {each.detector for each in made.detectors.find("so varnado quill did")}


def test_a_changed_file_and_one_that_is_gone_have_another_stamp(tmp_path):
    named = policy(tmp_path, "people.csv")
    gone = stamp_of(named)
    (tmp_path / "people.csv").write_text("name\nQuill Varnado\n")
    there = stamp_of(named)
    (tmp_path / "people.csv").write_text("name\nQuill Varnado\nAda Brandt\n")
    assert len({gone, there, stamp_of(named)}) == 3


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(RosterFault, match=r"^people.csv: cannot be read"):
        read_sources(policy(tmp_path, "people.csv"))
    (tmp_path / "own.yaml").write_text("version: 2\n")
    with pytest.raises(PolicyFaults):
        read_sources(policy(tmp_path, None, "own.yaml"))
