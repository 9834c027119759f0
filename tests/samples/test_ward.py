"""The sample ward's morning leaves a journal in which there is something to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from issuer import PEOPLE as KNOWN
from issuer import SampleIssuer
from model_server import ModelServer
from patients import identifiers_in
from people import policy_for
from phigate.journal import read
from processes import Gateway
from ward import MORNING, morning

if TYPE_CHECKING:
    from pathlib import Path


def test_the_people_are_known_to_the_issuer() -> None:
    assert {visit.login for visit in MORNING} <= set(KNOWN)


@pytest.mark.live
def test_a_morning_has_answers_denials_holds_and_strangers(tmp_path: Path) -> None:
    with SampleIssuer() as issuer, ModelServer() as model:
        with Gateway(model.url, policy_for(issuer.url, tmp_path), tmp_path / "var") as gateway:
            statuses = list(morning(gateway.url, issuer))
        folder = gateway.journal
    asked = sum(len(visit.questions) for visit in MORNING)
    assert len(statuses) == asked + 2
    assert {status for login, status in statuses if login} == {200, 403}
    assert [status for login, status in statuses if not login] == [401, 401]
    records = [entry.record for entry in read.records(folder)]
    decisions = {record["decision"]["verb"] for record in records if record["kind"] == "request"}
    assert decisions == {"permit", "hold", "deny"}
    assert {record["kind"] for record in records} >= {"request", "response", "part", "refused", "policy"}
    assert [file for file in folder.iterdir() if identifiers_in(file.read_bytes().decode())] == []
