from datetime import timedelta

import pytest

from phigate.audit.report import people
from phigate.audit.report.sql import TOP
from phigate.audit.report.walk import walk
from tests.audit.report.hospital import HOSTILE, ISSUER, MONDAY, Hospital, asking

HOUR = timedelta(hours=1)


@pytest.fixture
def hospital():
    return Hospital()


def told(hospital, tmp_path, what):
    hospital.write(tmp_path / "journal")
    with asking(tmp_path / "journal") as asked:
        return what(asked)


def identities(asked):
    return people.identities(asked, walk(asked))


def test_people_issuers_and_roles(hospital, tmp_path):
    def subject(who, *roles, issuer=ISSUER):
        return {"issuer": issuer, "id": who, "roles": list(roles), "groups": []}

    for at in range(3):
        hospital.ask(MONDAY + at * HOUR, subject=subject("ada", "clinician"))
    hospital.ask(MONDAY + 5 * HOUR, verb="deny", subject=subject("ada", "clinician", "auditor"))
    hospital.ask(MONDAY, subject=subject("ada", "researcher", issuer="https://other.test"))
    found = told(hospital, tmp_path, identities)
    ada, other = found.people.rows
    assert (ada.subject, ada.issuer, ada.roles) == ("ada", ISSUER, "auditor, clinician")
    assert (ada.exchanges, ada.denied, ada.first, ada.last) == (4, 1, MONDAY, MONDAY + 5 * HOUR)
    assert (other.issuer, other.exchanges) == ("https://other.test", 1)
    assert found.issuers == [(ISSUER, 1, 4), ("https://other.test", 1, 1)]
    assert sorted(found.roles.rows) == [("auditor", 1, 1), ("clinician", 1, 4), ("researcher", 1, 1)]
    assert found.sessions == 1


def test_a_long_table_is_cut_and_says_how_long_it_was(hospital, tmp_path):
    for at in range(TOP + 5):
        for _ in range(1 + at % 3):
            hospital.ask(MONDAY, f"p{at:02}")
    found = told(hospital, tmp_path, identities).people
    assert (len(found.rows), found.total, found.more) == (TOP, TOP + 5, 5)
    assert [person.exchanges for person in found.rows] == [3] * 10 + [2] * 10 + [1] * 5
    assert [person.subject for person in found.rows[:2]] == ["p02", "p05"]


def test_bearers_that_were_not_believed_are_counted_by_reason(hospital, tmp_path):
    hospital.event(MONDAY, "refused", client={"ip": "10.0.0.1"}, count=3, reasons={"expired": 2, "signature": 1})
    hospital.event(MONDAY, "refused", client={"ip": "10.0.0.2"}, count=4, reasons={"expired": 4, "odd": "x"})
    hospital.event(MONDAY - 40 * 24 * HOUR, "refused", client={}, count=9, reasons={"expired": 9})
    assert told(hospital, tmp_path, identities).refused == [("expired", 6), ("signature", 1)]


def test_programs_are_told_as_they_call_themselves(hospital, tmp_path):
    hospital.ask(MONDAY, client={"agent": HOSTILE})
    assert told(hospital, tmp_path, identities).programs.rows == [(HOSTILE, 1)]


def test_decisions_by_rule_and_reason(hospital, tmp_path):
    hospital.ask(MONDAY)
    hospital.ask(MONDAY, "ben")
    for who in ("ada", "ada", "ben"):
        hospital.ask(MONDAY, who, verb="deny", rule="no-bulk", reason="denied")
    hospital.ask(MONDAY, verb="deny", rule=None, reason="no-rule-permits")
    found = told(hospital, tmp_path, lambda asked: people.decisions(walk(asked)))
    assert found.permitted.rows == [("chats", 2, 2)]
    assert found.others.rows == [("deny", "no-bulk", "denied", 3, 2), ("deny", "-", "no-rule-permits", 1, 1)]


def test_an_emergency_and_its_review(hospital, tmp_path):
    first = hospital.ask(MONDAY, verb="deny", rule="emergency", reason="break-glass-unavailable")
    second = hospital.ask(MONDAY + HOUR, "ben", verb="break_glass", rule="emergency")
    hospital.event(MONDAY + 2 * HOUR, "review", exchange=second, subject={"issuer": ISSUER, "id": "officer"})
    hospital.ask(MONDAY, verb="deny", reason="denied")
    found = told(hospital, tmp_path, lambda asked: (people.emergencies(asked), people.reviews(asked)))
    (late, early), reviews = found[0].rows, found[1]
    assert (late.exchange, late.subject, late.decided) == (second, "ben", "break_glass")
    assert (late.reviewed, late.by) == (MONDAY + 2 * HOUR, "officer")
    assert (early.exchange, early.decided, early.reviewed) == (first, "break-glass-unavailable", None)
    assert reviews == 1


def test_looks_are_told_by_who_and_how(hospital, tmp_path):
    by = {"login": "maya", "uid": 1001, "host": "audit-1"}
    for at in range(2):
        hospital.event(MONDAY + at * HOUR, "look", command="show", about={}, reason=None, by=by)
    hospital.event(MONDAY, "look", command="unseal", about={}, reason="names Ada Byron", by=by | {"login": None})
    hospital.event(MONDAY, "look", command="sessions", subject={"issuer": ISSUER, "id": "officer"})
    found = told(hospital, tmp_path, people.looks)
    assert found.total == 4
    assert found.rows.rows == [
        ("maya@audit-1", "show", 2, MONDAY + HOUR),
        ("1001@audit-1", "unseal", 1, MONDAY),
        ("officer", "sessions", 1, MONDAY),
    ]
