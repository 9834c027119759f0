import random
from datetime import date, timedelta

import pytest

from phigate.audit.report.unusual import LIMITS, WINDOW, Day, of_subject

JOURNAL = date(2026, 1, 1)
SINCE = date(2026, 3, 1)
BY_DAY = {8: 4, 9: 5, 10: 5, 11: 4, 13: 4, 14: 4, 15: 4}


def usual(start, count, exchanges=30, patients=6, hours=None):
    return [Day(start + timedelta(days=at), exchanges, patients=patients, hours=hours or BY_DAY) for at in range(count)]


def found(*days, first=None, since=SINCE):
    listed = [day for each in days for day in (each if isinstance(each, list) else [each])]
    return {each.kind: each for each in of_subject(listed, since, first=first or listed[0].day, journal=JOURNAL)}


PAST = usual(date(2026, 2, 1), 28)
TODAY = date(2026, 3, 2)

CASES = [
    ("a day like the others", [Day(TODAY, 33, hours=BY_DAY, patients=7)], {}),
    ("a busy day", [Day(TODAY, 70, hours=BY_DAY, patients=14)], {}),
    ("a volume far above one's own", [Day(TODAY, 300, hours=BY_DAY)], {"volume": (300, 30.0)}),
    ("many patients", [Day(TODAY, 40, hours=BY_DAY, patients=60)], {"many-patients": (60, 6.0)}),
    ("two exchanges at night", [Day(TODAY, 30, hours={**BY_DAY, 3: 2})], {}),
    ("a night's work", [Day(TODAY, 30, hours={**BY_DAY, 2: 5, 3: 9})], {"odd-hours": (14, 0.0)}),
    ("an hour beside the usual ones", [Day(TODAY, 30, hours={**BY_DAY, 7: 9, 16: 9})], {}),
    ("a few denials", [Day(TODAY, 30, denied=9, hours=BY_DAY)], {}),
    ("repeated denials", [Day(TODAY, 30, denied=12, hours=BY_DAY)], {"repeated-denials": (12, 0.0)}),
    ("what was before the period is past, not news", [Day(date(2026, 2, 28), 900, hours={3: 900})], {}),
]


@pytest.mark.parametrize(("sentence", "days", "expected"), CASES, ids=[case[0] for case in CASES])
def test_one_day_after_four_weeks(sentence, days, expected):
    past = [day for day in PAST if day.day < days[0].day]
    assert {kind: (each.count, each.usual) for kind, each in found(past, days).items()} == expected


def test_several_days_are_one_entry_and_the_worst_is_told():
    wild = [Day(TODAY + timedelta(days=at), count, hours=BY_DAY) for at, count in enumerate((200, 500, 250))]
    volume = found(PAST, wild)["volume"]
    assert (volume.days, volume.worst, volume.count) == (3, TODAY + timedelta(days=1), 500)


def test_somebody_whose_days_differ_much_has_busy_days():
    past = [Day(date(2026, 2, 1) + timedelta(days=at), 5 if at % 2 else 30, hours=BY_DAY) for at in range(28)]
    assert found(past, Day(TODAY, 60, hours=BY_DAY)) == {}
    assert "volume" in found(past, Day(TODAY, 160, hours=BY_DAY))


def test_one_wild_day_does_not_hide_the_next():
    wild = usual(date(2026, 2, 1), 14, exchanges=30) + usual(date(2026, 2, 15), 3, exchanges=900)
    assert "volume" in found(wild, Day(TODAY, 300, hours=BY_DAY))


def test_without_a_past_nothing_is_said_of_volume_and_hours():
    young = usual(date(2026, 2, 20), LIMITS.past - 1)
    assert found(young, Day(TODAY, 900, hours={3: 900})) == {}


def test_many_patients_of_somebody_without_a_past_are_held_to_a_figure_of_their_own():
    first = Day(TODAY, 60, patients=LIMITS.patients_alone, hours=BY_DAY)
    assert found(first)["many-patients"].usual is None


def test_the_past_is_forgotten_after_a_while():
    long_ago = usual(TODAY - timedelta(days=WINDOW + 20), 20)
    assert found(long_ago, Day(TODAY, 900, hours=BY_DAY)) == {}


def test_a_new_subject():
    assert found(Day(TODAY, 3))["new-subject"].worst == TODAY


def test_nobody_is_new_who_was_there_before_the_window():
    assert found(Day(TODAY, 3), first=date(2026, 1, 2)) == {}


def test_in_a_young_journal_everybody_would_be_new_and_nobody_is_told():
    day = JOURNAL + timedelta(days=LIMITS.young - 1)
    assert found(Day(day, 3), since=JOURNAL) == {}


def test_who_always_asked_at_night_is_not_told_for_it():
    nights = usual(date(2026, 2, 1), 28, hours={23: 10, 0: 10, 3: 10})
    assert found(nights, Day(TODAY, 30, hours={23: 12, 2: 9, 4: 9})) == {}


def drawn(chance, rate):
    """Poisson, by Knuth's product."""
    limit, count, product = 2.718281828459045**-rate, -1, 1.0
    while product > limit:
        product *= chance.random()
        count += 1
    return count


def test_steady_traffic_raises_no_alarm():
    """Two hundred people, three months, each with a rate and a shift of their own, weekends off or not."""
    chance = random.Random(7)
    told = []
    for _ in range(200):
        rate, start = chance.choice([2, 8, 30, 80]), chance.choice([6, 7, 8, 14, 22])
        days = []
        for at in range(90):
            day = JOURNAL + timedelta(days=at)
            count = drawn(chance, rate)
            if not count or (rate != 80 and day.weekday() > 4):
                continue
            hours = {}
            for _ in range(count):
                hour = (start + int(chance.triangular(0, 10, 4))) % 24
                hours[hour] = hours.get(hour, 0) + 1
            days.append(Day(day, count, drawn(chance, 0.3), drawn(chance, rate / 4), hours))
        told += of_subject(days, SINCE, first=days[0].day, journal=JOURNAL)
    assert told == []
