from datetime import timedelta

import pytest

from phigate.audit.report import identifiers
from phigate.audit.report.walk import walk
from tests import policies
from tests.audit.report.hospital import ISSUER, MONDAY, POLICY, Hospital, asking

HOUR = timedelta(hours=1)


@pytest.fixture
def hospital():
    return Hospital()


def told(hospital, tmp_path, what):
    hospital.write(tmp_path / "journal")
    with asking(tmp_path / "journal") as asked:
        return what(asked)


def test_only_what_reached_the_caller_as_it_was_is_a_disclosure(hospital, tmp_path):
    hospital.ask(MONDAY, patients=range(3))
    hospital.ask(MONDAY, patients=range(2), shown=True)
    hospital.ask(MONDAY, patients=range(1, 3), shown=True, purpose="research")
    found = told(hospital, tmp_path, identifiers.disclosures)
    assert (found.answers, found.distinct, found.untold) == (2, 6, 0)
    assert sorted(found.purposes) == [("research", 1, 1, 4), ("treatment", 1, 1, 4)]
    assert found.kinds == [("MRN", 2, 3), ("PERSON", 2, 3)]
    assert found.recipients.rows == [(ISSUER, "ada", "research", 1, 4), (ISSUER, "ada", "treatment", 1, 4)]


def test_what_was_shown_before_the_period_is_not_of_it(hospital, tmp_path):
    hospital.ask(MONDAY - 20 * 24 * HOUR, patients=range(3), shown=True)
    hospital.ask(MONDAY)
    found = told(hospital, tmp_path, identifiers.disclosures)
    assert (found.answers, found.distinct, found.kinds, found.models.rows) == (0, 0, [], [])


def test_what_the_model_got_is_told_apart(hospital, tmp_path):
    hospital.ask(MONDAY, patients=range(3))
    hospital.ask(MONDAY, patients=range(3), revealed=[])
    hospital.ask(MONDAY, patients=range(9), verb="deny")
    found = told(hospital, tmp_path, identifiers.disclosures)
    assert (found.answers, found.purposes) == (0, [])
    assert found.models.rows == [("ward-assistant", 1, 6)]


def test_records_that_do_not_say_what_was_shown_are_counted_as_such(hospital, tmp_path):
    hospital.ask(MONDAY, patients=range(2), revealed=None)
    assert told(hospital, tmp_path, identifiers.disclosures).untold == 1


def test_each_rule_with_its_mask_and_whom_it_was_for(hospital, tmp_path):
    both = {"issuer": ISSUER, "id": "ben", "roles": ["auditor", "clinician"], "groups": []}
    hospital.ask(MONDAY, patients=range(1))
    hospital.ask(MONDAY, subject=both)
    hospital.ask(MONDAY, rule="see-all", mask="reveal", patients=range(1), shown=True)
    hospital.ask(MONDAY, outcome=None)
    found = told(hospital, tmp_path, lambda asked: identifiers.masks(asked, walk(asked)))
    assert found.rules.rows == [
        ("chats", "minimum-necessary", "auditor, clinician", 2, 2),
        ("see-all", "reveal", "clinician", 1, 1),
    ]
    assert found.entities.rows == [
        ("chats", "MRN", 1, 0),
        ("chats", "PERSON", 1, 0),
        ("see-all", "MRN", 1, 1),
        ("see-all", "PERSON", 1, 1),
    ]


def test_every_version_of_the_policy_and_every_change(hospital, tmp_path):
    hospital.ask(MONDAY)
    hospital.ask(MONDAY + HOUR)
    hospital.ask(MONDAY + 2 * HOUR, policy="cd" * 32)
    hospital.event(MONDAY + HOUR, "policy", policy="ee" * 32, was=POLICY, accepted=False, faults=["a"])
    hospital.event(MONDAY + 2 * HOUR, "policy", policy="cd" * 32, was=POLICY, accepted=True, faults=[])
    found = told(hospital, tmp_path, lambda asked: identifiers.masks(asked, walk(asked)))
    assert found.policies.rows == [
        (POLICY, MONDAY, MONDAY + HOUR, 2),
        ("cd" * 32, MONDAY + 2 * HOUR, MONDAY + 2 * HOUR, 1),
    ]
    assert [(change.policy, change.accepted) for change in found.changes.rows] == [
        ("cd" * 32, True),
        ("ee" * 32, False),
    ]


def test_masks_are_explained_by_a_policy_that_is_given(hospital, tmp_path):
    policy = policies.policy(masks="masks: {lean: {OTHER: redact, AGE: cap-90, MRN: hash}}\n")
    found = told(hospital, tmp_path, lambda asked: identifiers.masks(asked, walk(asked), policy))
    assert found.profiled == policy.sha256
    assert found.profiles == [("lean", "AGE: cap-90, MRN: hash, OTHER: redact")]
