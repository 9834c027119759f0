from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from phigate.audit.report import traffic
from phigate.audit.report.walk import walk
from tests import policies
from tests.audit.report.hospital import MONDAY, Hospital, asking, november

DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "journal"


def made(folder, *exchanges, **more):
    hospital = Hospital()
    for at, options in exchanges:
        hospital.ask(at, **options)
    hospital.write(folder, **more)


def test_what_was_permitted_is_set_against_the_answers_on_record(folder):
    made(
        folder,
        *((MONDAY, {}),) * 3,
        (MONDAY, {"outcome": "interrupted"}),
        (MONDAY, {"outcome": None}),
        (MONDAY, {"verb": "deny", "reason": "no-rule-permits"}),
        (MONDAY, {"verb": "hold", "reason": "approval-required"}),
        (MONDAY - 40 * DAY, {}),
    )
    with asking(folder) as asked:
        found = traffic.coverage(asked, walk(asked))
    assert (found.exchanges, found.permitted, found.held, found.denied) == (7, 5, 1, 1)
    assert (found.missing, found.orphans) == (1, 0)
    assert dict(found.outcomes) == {"complete": 3, "interrupted": 1, traffic.NO_ANSWER: 1}


def test_an_answer_without_its_request_is_no_exchange_of_anybody(folder):
    hospital = Hospital()
    hospital.event(MONDAY, "response", exchange="lost", status=200, outcome="complete")
    hospital.write(folder)
    with asking(folder) as asked:
        found = traffic.coverage(asked, walk(asked))
    assert (found.exchanges, found.orphans) == (0, 1)


def test_a_file_that_is_gone_shows_as_a_gap_in_the_record_numbers(folder):
    made(folder, (MONDAY, {}))
    made(folder, (MONDAY + DAY, {}), start=9)
    made(folder, (MONDAY, {}), instance="other")
    with asking(folder) as asked:
        gw, other = traffic.coverage(asked, walk(asked)).instances
    assert (gw.name, gw.files, gw.records, gw.opened, gw.closed) == ("gw", 2, 6, 2, 0)
    assert [gap.partition(" ")[2] for gap in gw.gaps] == ["begins with record 9, not 3"]
    assert other.gaps == ()


def test_the_course_has_a_value_for_each_day(folder):
    made(
        folder,
        (MONDAY, {"seconds": 1}),
        *((MONDAY + timedelta(minutes=at), {"seconds": at}) for at in range(2, 21)),
        (MONDAY + DAY, {"verb": "deny"}),
        (MONDAY + DAY, {"verb": "hold"}),
    )
    with asking(folder) as asked:
        found = traffic.course(asked, walk(asked))
    assert found.permitted[:3] == [0, 20, 0]
    assert (found.denied[2], found.held[2]) == (1, 1)
    assert len(found.permitted) == 30
    assert (found.p50[1], found.p95[1], found.own[1]) == pytest.approx((10, 19, 0.01), rel=0.006)
    assert (found.p50[0], found.p95[2]) == (None, None)


def test_hours_are_those_of_the_zone(folder):
    made(folder, (datetime(2026, 11, 1, 5, 30, tzinfo=ZoneInfo("UTC")), {}))  # the night in which clocks change
    with asking(folder, november(ZoneInfo("America/Chicago"))) as asked:
        week = traffic.course(asked, walk(asked)).week
    assert [(day, hour) for day in range(7) for hour in range(24) if week[day][hour]] == [(6, 0)]


def test_identifiers_of_answers_are_shown_or_hidden(folder):
    made(folder, (MONDAY, {"patients": range(2)}), (MONDAY, {"patients": range(1), "shown": True}))
    with asking(folder) as asked:
        found = traffic.course(asked, walk(asked))
    assert (found.shown[1], found.hidden[1]) == (2, 4)


def test_retention_is_about_all_that_there_is(folder):
    made(folder, (MONDAY - 400 * DAY, {"outcome": None}), (MONDAY, {"outcome": None}))
    (file,) = folder.glob("*.jsonl")
    file.write_bytes(file.read_bytes() + b"no record\n")
    with asking(folder) as asked:
        found = traffic.retention(asked)
    assert (found.oldest, found.newest) == (MONDAY - 400 * DAY, MONDAY)
    assert (found.prunes, found.flaws, found.keep) == (0, 1, None)
    assert found.bytes == file.stat().st_size


def test_how_long_records_are_kept_is_the_policys(folder):
    made(folder, (MONDAY, {}))
    with asking(folder) as asked:
        assert traffic.retention(asked, policies.policy()).keep == 6 * 366


def test_an_empty_journal_is_told_as_such(folder):
    Hospital().write(folder)
    with asking(folder) as asked:
        assert traffic.coverage(asked, walk(asked)).exchanges == 0
        assert traffic.retention(asked).oldest is None
        assert not any(map(sum, traffic.course(asked, walk(asked)).week))
