"""The sample ward's morning leaves a journal in which there is something to see."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from issuer import PEOPLE as KNOWN
from issuer import SampleIssuer
from model_server import ModelServer
from patients import identifiers_in
from phigate.journal import read
from phigate.policy.load import load_policy
from processes import ROOT
from ward import MORNING, leave_a_journal, of_the_ward

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT = ROOT / "rules" / "policy.yaml"


def test_the_people_are_known_to_the_issuer() -> None:
    assert {visit.login for visit in MORNING} <= set(KNOWN)


def test_the_wards_policy_holds_and_differs_where_it_says(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(of_the_ward(DEFAULT.read_text(), tmp_path / "keys" / "auditor.pem"))
    default, made = load_policy(DEFAULT), load_policy(path)
    assert made.masks["minimum-necessary"].transforms["PERSON"].name == "keep"
    assert (default.capture.bodies, made.capture.bodies) == ("masked", "sealed")
    assert stat.S_IMODE((tmp_path / "keys" / "auditor.pem").stat().st_mode) == 0o600
    again = of_the_ward(DEFAULT.read_text(), tmp_path / "keys" / "auditor.pem")
    assert again == path.read_text()
    assert of_the_ward("version: 1\n", tmp_path / "keys" / "auditor.pem") == "version: 1\n"


@pytest.mark.live
def test_a_morning_has_answers_denials_holds_and_strangers(tmp_path: Path) -> None:
    with SampleIssuer() as issuer, ModelServer() as model:
        statuses = leave_a_journal(issuer, model, tmp_path / "var", tmp_path / "auditor.pem")
    folder = tmp_path / "var" / "journal"
    asked = sum(len(visit.questions) for visit in MORNING)
    assert len(statuses) == asked + 2
    assert {status for login, status in statuses if login} == {200, 403}
    assert [status for login, status in statuses if not login] == [401, 401]
    records = [entry.record for entry in read.records(folder)]
    decisions = {record["decision"]["verb"] for record in records if record["kind"] == "request"}
    assert decisions == {"permit", "hold", "deny"}
    assert {record["kind"] for record in records} >= {"request", "response", "part", "refused", "policy"}
    assert any(record.get("revealed") for record in records if record["kind"] == "response")
    assert any((record.get("shadow") or {}).get("differs") for record in records)
    assert all(record["sealed"] for record in records if record["kind"] == "request")
    assert [file for file in folder.iterdir() if identifiers_in(file.read_bytes().decode("latin-1"))] == []
