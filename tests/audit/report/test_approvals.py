from datetime import timedelta

import pytest

from phigate.audit.report import approvals
from phigate.audit.report.parts import Listing
from tests.audit.report.hospital import ISSUER, MONDAY, Hospital, asking

HOUR = timedelta(hours=1)
MADE = MONDAY + timedelta(days=10)


@pytest.fixture
def hospital():
    return Hospital()


def told(hospital, tmp_path, what):
    hospital.write(tmp_path / "journal")
    with asking(tmp_path / "journal") as asked:
        return what(asked)


def ticket(hospital, name, done, who="eve", *, at=MONDAY, rule="see", **more):
    by = {"issuer": ISSUER, "id": who} if who else None
    hospital.event(at, "ticket", ticket=name, decision=done, rule=rule, subject=by, **more)


def test_what_became_of_tickets_is_told_by_rule(hospital, tmp_path):
    for name in ("t-1", "t-2", "t-3", "t-4"):
        ticket(hospital, name, "open", "ada")
    ticket(hospital, "t-1", "approve", client={"ip": "", "via": "console"})
    hospital.event(MONDAY, "grant", ticket="t-1", grant="g-1", rule="see", subject={"issuer": ISSUER, "id": "eve"})
    ticket(hospital, "t-1", "expire", None, grant="g-1")
    ticket(hospital, "t-2", "reject", "kai", client={"ip": "", "via": "slack"})
    ticket(hospital, "t-3", "expire", None, grant=None)
    ticket(hospital, "t-3", "expire", None, grant=None)
    ticket(hospital, "t-4", "revoke", "ada")
    ticket(hospital, "t-5", "open", "ada", rule="deploy")
    ticket(hospital, "t-6", "open", "ada", at=MONDAY - timedelta(days=40))
    found = told(hospital, tmp_path, approvals.approvals)
    assert found.rules.rows == [("see", 4, 1, 1, 1, 1), ("deploy", 1, 0, 0, 0, 0)]
    assert found.people.rows == [(ISSUER, "eve", 1, 0), (ISSUER, "kai", 0, 1)]
    assert found.ways == [("console", 1), ("slack", 1)]
    assert found.expired == 1


def use(hospital, at, due, *reviewers):
    exchange = hospital.ask(at, verb="break_glass")
    asked = {"issuer": ISSUER, "id": "ada"}
    until = {} if due is None else {"due": f"{due:%Y-%m-%dT%H:%M:%S}.000Z"}
    hospital.event(at, "break-glass", exchange=exchange, subject=asked, **until)
    for when, who in reviewers:
        hospital.event(when, "review", exchange=exchange, subject={"issuer": ISSUER, "id": who}, decision="approve")


def test_reviews_are_told_by_whether_they_were_in_time(hospital, tmp_path):
    due = MONDAY + 2 * HOUR
    use(hospital, MONDAY, due, (MONDAY + HOUR, "eve"), (MONDAY + 3 * HOUR, "kai"))
    use(hospital, MONDAY, due, (MONDAY + 3 * HOUR, "eve"))
    use(hospital, MONDAY, due)
    use(hospital, MONDAY, MADE + HOUR)
    use(hospital, MONDAY, None)
    found = told(hospital, tmp_path, lambda asked: approvals.reviewing(asked, MADE))
    assert (found.open, found.overdue, found.in_time, found.late) == (3, 1, 1, 1)
    assert found.people == Listing([("eve", 1, 1)], 1)


def test_a_journal_without_either_has_none(hospital, tmp_path):
    found = told(hospital, tmp_path, lambda asked: (approvals.approvals(asked), approvals.reviewing(asked, MADE)))
    assert (found[0].rules.total, found[0].expired, found[1].open, found[1].late) == (0, 0, 0, 0)
