"""Hours that meet, or never do."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.policy.hours import DAY, WEEK, Times, Window
from phigate.policy.reach import ALWAYS, NEVER, both, either, ever, one_clock, week, without

HOUR = timedelta(hours=1)


def of(*windows, zone="UTC"):
    return Times(tuple(Window.model_validate({"from": a, "to": b, "zone": zone}) for a, b in windows))


def minutes(found):
    return {place for place, holds in enumerate(found) if holds}


def test_weeks_are_sets_of_minutes():
    morning, noon = week(of(("08:00", "12:30"))), week(of(("12:00", "13:00")))
    assert len(minutes(morning)) == 7 * 270
    assert minutes(both(morning, noon)) == minutes(morning) & minutes(noon)
    assert minutes(either((morning, noon))) == minutes(morning) | minutes(noon)
    assert minutes(without(morning, noon)) == minutes(morning) - minutes(noon)
    assert (week(None), either(()), len(ALWAYS), set(NEVER)) == (ALWAYS, NEVER, WEEK, {0})


def test_hours_of_one_clock():
    here, there = of(("08:00", "09:00")), of(("08:00", "09:00"), zone="Europe/Berlin")
    assert one_clock(())
    assert one_clock((None, here, here, None))
    assert not one_clock((here, there))


def only(*places):
    return bytes(place in places for place in range(WEEK))


@pytest.mark.parametrize(
    ("asked", "answered", "used", "meet"),
    [
        (only(600), only(600), only(600), True),
        (only(600), only(600 + 120), only(600 + 120), True),
        (only(600), only(600 + 121), only(600 + 121), False),
        (only(600), only(599), only(599), False),
        (only(600), only(660), only(660 + 120), True),
        (only(600), only(660), only(660 + 121), False),
        (only(600), only(660), only(659), False),
        (only(WEEK - 1), only(1), only(2), True),
        (NEVER, ALWAYS, ALWAYS, False),
        (ALWAYS, NEVER, ALWAYS, False),
        (ALWAYS, ALWAYS, NEVER, False),
    ],
)
def test_it_is_asked_then_answered_then_used_an_hour_for_the_clock_included(asked, answered, used, meet):
    assert ever(asked, answered, used, HOUR, HOUR) is meet


@settings(max_examples=40, deadline=None)
@given(
    *(st.sets(st.integers(0, 13), min_size=1, max_size=3) for _ in range(3)),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_against_every_pair_of_half_days(asked, answered, used, waits, lasts):
    """Minutes that stand half a day apart, tried one by one over the weeks that a time may reach into."""
    half, lengths = DAY // 2, (waits * 6, lasts * 6)
    expected = any(
        (first - other) * half <= hours * 60 + 60 and first >= other
        for first in answered
        for other in {place - 14 * turn for place in asked for turn in range(3)}
        for hours in lengths[:1]
        if any(
            0 <= (later - first) * half <= lengths[1] * 60 + 60
            for later in {place + 14 * turn for place in used for turn in range(3)}
        )
    )
    weeks = (only(*(place * half for place in places)) for places in (asked, answered, used))
    assert ever(*weeks, *(timedelta(hours=each) for each in lengths)) is expected
