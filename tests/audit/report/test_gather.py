import tracemalloc
from datetime import timedelta
from zoneinfo import ZoneInfo

from phigate.audit.index.database import open_index
from phigate.audit.report.gather import gather
from phigate.audit.report.parts import Integrity
from tests import policies
from tests.audit.report.hospital import MONDAY, Hospital, november

NOW = MONDAY + timedelta(days=30)


def made(tmp_path, hospital, **more):
    hospital.write(tmp_path / "journal")
    with open_index(tmp_path / "journal") as index:
        return gather(index, november(), NOW, "1.2.3", **more)


def test_every_part_is_gathered(tmp_path):
    hospital = Hospital()
    hospital.ask(MONDAY, patients=range(1), shown=True)
    hospital.ask(MONDAY, verb="deny", rule="emergency", reason="break-glass-unavailable")
    hospital.event(MONDAY, "look", command="show", about={}, reason=None, by={"login": "maya", "host": "a"})
    policy = policies.policy()
    found = made(tmp_path, hospital, integrity=Integrity(checked=True, verdict="holds"), policy=policy)
    assert (found.made, found.software, found.period) == (NOW, "1.2.3", november())
    assert (found.coverage.exchanges, sum(found.course.denied)) == (2, 1)
    assert (found.identities.people.total, found.decisions.permitted.total) == (1, 1)
    assert (found.emergencies.total, found.reviews) == (1, 0)
    assert (found.disclosures.distinct, found.masks.profiled) == (2, policy.sha256)
    assert (found.activity.unjudged, found.looks.total) == (1, 1)
    assert (found.retention.records, found.integrity.verdict) == (5, "holds")


def test_an_empty_journal_makes_a_report_too(tmp_path):
    found = made(tmp_path, Hospital())
    assert (found.coverage.exchanges, found.integrity.checked) == (0, False)


def test_memory_does_not_grow_with_the_exchanges(tmp_path):
    """Four times the exchanges of the same people: the same report, in about the same memory."""
    peaks = []
    for many in (300, 1200):
        hospital = Hospital()
        for at in range(many):
            hospital.ask(MONDAY + timedelta(minutes=at), f"p{at % 9}", outcome=None)
        hospital.write(tmp_path / str(many))
        with open_index(tmp_path / str(many)) as index:
            gather(index, november(), NOW, "0")  # whatever is loaded once
            tracemalloc.start()
            gather(index, november(), NOW, "0")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_a_record_of_a_time_that_cannot_be_is_no_end_of_the_report(tmp_path):
    hospital = Hospital()
    for year in (1, 9999):
        hospital.ask(MONDAY.replace(year=year, month=1, day=1, hour=0))
    hospital.ask(MONDAY)
    hospital.write(tmp_path / "journal")
    with open_index(tmp_path / "journal") as index:
        found = gather(index, november(ZoneInfo("America/Chicago")), NOW, "0")
    assert (found.coverage.exchanges, found.retention.oldest.year) == (1, 1)
