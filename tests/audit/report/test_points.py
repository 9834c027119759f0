from dataclasses import replace
from datetime import timedelta

import pytest

from phigate.audit.index.database import open_index
from phigate.audit.report.gather import gather
from phigate.audit.report.parts import Activity, Approvals, Emergency, Integrity, Listing, Reviewing
from phigate.audit.report.points import points
from tests.audit.report.hospital import MONDAY, Hospital, november


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """A report on one exchange as it should be."""
    folder = tmp_path_factory.mktemp("quiet") / "journal"
    hospital = Hospital()
    hospital.ask(MONDAY)
    hospital.write(folder)
    with open_index(folder) as index:
        return gather(index, november(), MONDAY, "0", integrity=Integrity(checked=True, verdict="holds"))


def told(report):
    return {point.section: (point.level, point.text) for point in points(report)}


def test_what_is_in_order_is_said_too(quiet):
    assert told(quiet)["integrity"] == ("fine", "The journal was verified, and holds what was written.")
    assert told(quiet)["coverage"] == ("fine", "All 1 permitted exchanges have how they ended on record.")
    assert told(quiet)["emergencies"] == ("note", "Nobody used break-glass.")
    unjudged = "1 person with too little past to measure volume and hours by."
    assert told(quiet)["unusual"] == ("note", unjudged)


USED = Emergency(MONDAY, "ex-1", "ada", "emergency", "break_glass")
SEEN = replace(USED, reviewed=MONDAY + timedelta(hours=1), by="officer")
REVIEWING = Reviewing(open=0, overdue=0, in_time=0, late=1, people=Listing())
OVERDUE = replace(REVIEWING, open=1, overdue=1, late=0)
CASES = [
    ("not verified", {"integrity": Integrity()}, "integrity", "look"),
    ("not intact", {"integrity": Integrity(checked=True, verdict="broken")}, "integrity", "act"),
    ("verified in part", {"integrity": Integrity(checked=True)}, "integrity", "look"),
    ("no review", {"emergencies": Listing([USED, SEEN], 2)}, "emergencies", "look"),
    ("all reviewed", {"emergencies": Listing([SEEN], 1)}, "emergencies", "fine"),
    ("some that are not listed", {"emergencies": Listing([SEEN], 2)}, "emergencies", "look"),
    ("a late review", {"emergencies": Listing([SEEN], 1), "reviewing": REVIEWING}, "emergencies", "note"),
    ("an overdue one", {"emergencies": Listing([USED], 1), "reviewing": OVERDUE}, "emergencies", "act"),
    ("expired tickets", {"approvals": Approvals(Listing(), Listing(), [], 2)}, "decisions", "note"),
    ("unusual", {"activity": Activity(Listing((), 2), 5, 0, None, Listing())}, "unusual", "look"),
    ("nothing unusual", {"activity": Activity(Listing(), 5, 0, None, Listing())}, "unusual", "fine"),
]


@pytest.mark.parametrize(("sentence", "change", "section", "level"), CASES, ids=[case[0] for case in CASES])
def test_what_a_reader_should_know(quiet, sentence, change, section, level):
    found = [point.level for point in points(replace(quiet, **change)) if point.section == section]
    assert level in found


COVERAGE = [
    ("an answer is missing", {"missing": 2}, "look", "2 permitted exchanges without an answer on record."),
    ("orphans", {"orphans": 1, "permitted": 0}, "note", "1 answer without a request in these files."),
    (
        "ended early",
        {"outcomes": [("interrupted", 1), ("unrecorded", 2)], "permitted": 0},
        "note",
        "3 exchanges ended early, since a gateway stopped or a record could not be kept.",
    ),
]


@pytest.mark.parametrize(("sentence", "change", "level", "text"), COVERAGE, ids=[case[0] for case in COVERAGE])
def test_coverage_is_told(quiet, sentence, change, level, text):
    changed = replace(quiet, coverage=replace(quiet.coverage, **change))
    assert (level, text) in [(point.level, point.text) for point in points(changed)]


def test_a_gap_in_the_files_comes_before_all_else(quiet):
    (gateway,) = quiet.coverage.instances
    gap = replace(quiet.coverage, instances=[replace(gateway, gaps=("a", "b"))])
    first = points(replace(quiet, coverage=gap))[0]
    assert (first.word, first.text) == ("act", "Record numbers do not go on from file to file in 2 places.")


def test_lines_that_are_no_records_are_told(quiet):
    assert told(replace(quiet, retention=replace(quiet.retention, flaws=1)))["retention"][0] == "act"
