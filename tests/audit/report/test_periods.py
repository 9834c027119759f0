import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from phigate.audit.report.periods import DAY, Period, date_of, number_of

CHICAGO = ZoneInfo("America/Chicago")
KATHMANDU = ZoneInfo("Asia/Kathmandu")  # 5:45 ahead


def at(year, month, day, hour=0, *, zone=UTC):
    return datetime(year, month, day, hour, tzinfo=zone).timestamp()


def period(since, until, zone=UTC):
    return Period(at(*since, zone=zone), at(*until, zone=zone), zone)


def asked(expression, moment):
    with closing(sqlite3.connect(":memory:")) as db:
        return db.execute(f"SELECT {expression} FROM (SELECT ? AS at)", (moment,)).fetchone()[0]


AROUND = [-DAY, -3601, -3600, -1, -0.5, 0, 0.5, 3599, 3600, DAY]


@pytest.mark.parametrize("zone", [UTC, CHICAGO, KATHMANDU])
@pytest.mark.parametrize("change", [at(2026, 3, 8, 8), at(2026, 11, 1, 7)])  # when Chicago changes its clocks
def test_day_hour_and_weekday_are_those_of_the_zone(zone, change):
    year = period((2026, 1, 1), (2027, 1, 1), zone)
    for by in AROUND:
        there = datetime.fromtimestamp(change + by, zone)
        assert date_of(asked(year.day("at"), change + by)) == there.date()
        assert asked(year.hour("at"), change + by) == there.hour
        assert asked(year.weekday("at"), change + by) == there.weekday()


def test_the_past_before_a_period_can_be_asked_for_too():
    april = period((2026, 4, 1), (2026, 5, 1), CHICAGO)
    winter = at(2026, 2, 1, 5, zone=CHICAGO)
    assert asked(april.hour("at", before=90 * DAY), winter) == 5


def test_days_that_are_part_of_it():
    april = period((2026, 4, 1), (2026, 5, 1), CHICAGO)
    assert (april.first, april.last) == (date(2026, 4, 1), date(2026, 4, 30))


@pytest.mark.parametrize(
    ("until", "width", "bars"),
    [
        ((2026, 1, 2), 1, 1),
        ((2026, 3, 1), 1, 59),
        ((2026, 7, 1), 7, 26),
        ((2029, 1, 1), 28, 40),
        ((2046, 1, 1), 98, 75),
    ],
)
def test_a_chart_has_as_many_bars_as_can_be_told_apart(until, width, bars):
    span = period((2026, 1, 1), until)
    assert (span.width, len(span.bars)) == (width, bars)
    assert asked(span.bar("at"), span.since) == 0
    assert asked(span.bar("at"), span.until - 1) == bars - 1


@pytest.mark.parametrize(("moment", "year"), [(-1e11, 1), (1e15, 9999), (-62135596800.0, 1), (253402300799.0, 9999)])
def test_a_moment_that_no_calendar_has_is_the_first_or_last_that_it_has(moment, year):
    assert period((2026, 1, 1), (2027, 1, 1), CHICAGO).date_at(moment).year == year


def test_days_have_numbers():
    assert number_of(date(1970, 1, 1)) == 0
    assert date_of(number_of(date(2026, 11, 1))) == date(2026, 11, 1)
