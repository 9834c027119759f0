from datetime import timedelta

import pytest

from phigate.audit.index.database import open_index
from phigate.audit.report.gather import gather
from phigate.audit.report.tables import tables, thresholds
from tests.audit.report.hospital import MONDAY, POLICY, Hospital, november


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables") / "journal"
    hospital = Hospital()
    hospital.ask(MONDAY - timedelta(days=30))
    hospital.ask(MONDAY, "ben", patients=range(1), shown=True)
    used = hospital.ask(MONDAY, verb="deny", rule="emergency", reason="break-glass-unavailable")
    hospital.event(MONDAY + timedelta(hours=1), "review", exchange=used, subject={"id": "officer"})
    hospital.event(MONDAY, "policy", policy=POLICY, was="cd" * 32, accepted=False, faults=["a"])
    hospital.write(folder)
    with open_index(folder) as index:
        return gather(index, november(), MONDAY, "0")


def test_the_figures_of_the_charts_stand_in_tables(report):
    found = tables(report)
    day, *figures = found["figures"][1]
    assert day == MONDAY.date()
    assert figures == pytest.approx([1, 0, 1, 1.0, 1.0, 0.01, 2, 0], rel=0.006)
    assert len(found["figures"]) == 30
    assert found["week"][9] == ("09:00", 2, 0, 0, 0, 0, 0, 0)
    assert sum(sum(row[1:]) for row in found["week"]) == report.coverage.exchanges


def test_requests_add_up(report):
    counts = dict(tables(report)["coverage"])
    decided = ("of these permitted, and sent to a model", "held for somebody's yes, and not sent", "denied")
    assert counts["Requests of known people"] == sum(counts[name] for name in decided) == 2


def test_a_review_is_told_with_who_and_when(report):
    (row,) = tables(report)["emergencies"]
    assert row[-1] == "2026-11-02 10:00 by officer"


def test_a_policy_that_was_refused_is_told_as_such(report):
    (row,) = tables(report)["changes"]
    assert row == (MONDAY, POLICY[:16], ("cd" * 8), "refused: it has faults")


def test_what_is_unusual_is_told_in_words(report):
    assert [row[0:3:2] for row in tables(report)["unusual"]] == [("ben", "first seen in this period")]


def test_the_thresholds_in_force_are_printed(report):
    text = " ".join(thresholds(report))
    assert "90 days before, once there are 10 of them: 0 people" in text
    assert "less than 1% of the person's past" in text
    assert "it begins 2026-10-03" in text
