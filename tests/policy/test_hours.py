"""When rules count: windows by the clock on the wall, also on the days on which it is moved."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phigate.policy.hours import Times, Window, times
from tests.policies import faults, policy, text
from tests.policy.clocks import MOVES, a_window, shown_in

RULE = "{name: care, permit: [clinician], to: [chat], models: ['*'], mask: lean, hours: HOURS}"
HOLD = (
    "{name: ask, hold: [clinician], to: [chat], models: ['*'], mask: lean, approvers: [officer],"
    " grant: {for: PT1H, hours: HOURS}}"
)
THOROUGH = bool(os.environ.get("PHIGATE_THOROUGH"))


def of(*windows: str, rule: str = RULE) -> Any:
    made = policy(rule.replace("HOURS", ", ".join(windows) if len(windows) == 1 else f"[{', '.join(windows)}]"))
    return times(made.rules[0].hours)


def at(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


WEEKDAYS = '{days: [mon, tue, wed, thu, fri], from: "07:00", to: "19:00", zone: Europe/Berlin}'
FRIDAY_NIGHT = '{days: [fri], from: "22:00", to: "06:00", zone: Europe/Berlin}'
SUNDAY_NIGHT = '{days: [sun], from: "22:00", to: "06:00", zone: Europe/Berlin}'
IN_THE_GAP = '{from: "02:30", to: "04:00", zone: Europe/Berlin}'
WITHIN_THE_GAP = '{from: "02:15", to: "02:45", zone: Europe/Berlin}'
INTO_THE_FOLD = '{days: [sat], from: "22:00", to: "02:30", zone: Europe/Berlin}'
MONDAY_WEDNESDAY = '{days: [wed, mon], from: "01:00", to: "02:00", zone: UTC}'
EVENING = '{from: "20:00", to: "24:00", zone: UTC}'

OPEN = [
    ("when it begins", WEEKDAYS, "2026-11-25T07:00:00+01:00", True),
    ("just before it", WEEKDAYS, "2026-11-25T06:59:59.999+01:00", False),
    ("just before its end", WEEKDAYS, "2026-11-25T18:59:59.999+01:00", True),
    ("at its end", WEEKDAYS, "2026-11-25T19:00:00+01:00", False),
    ("by the clock there, not here", WEEKDAYS, "2026-11-25T12:00:00-05:00", True),
    ("in summer by summer's clock", WEEKDAYS, "2026-07-01T05:00:00+00:00", True),
    ("in winter by winter's", WEEKDAYS, "2026-12-01T05:30:00+00:00", False),
    ("on another day", WEEKDAYS, "2026-11-28T12:00:00+01:00", False),
    ("on the day that it is there", WEEKDAYS, "2026-11-29T23:00:00-08:00", True),
    ("overnight, before midnight", FRIDAY_NIGHT, "2026-11-27T23:00:00+01:00", True),
    ("overnight, after midnight: of the day before", FRIDAY_NIGHT, "2026-11-28T05:59:00+01:00", True),
    ("the morning of the day on which it begins", FRIDAY_NIGHT, "2026-11-27T05:00:00+01:00", False),
    ("the night after", FRIDAY_NIGHT, "2026-11-28T23:00:00+01:00", False),
    ("overnight over the end of a week", SUNDAY_NIGHT, "2026-11-30T05:00:00+01:00", True),
    ("the end of a day", EVENING, "2026-11-25T23:59:59+00:00", True),
    ("the next day", EVENING, "2026-11-26T00:00:00+00:00", False),
    ("from where the clock has gone past its beginning", IN_THE_GAP, "2026-03-29T03:00:00+02:00", True),
    ("before the gap", IN_THE_GAP, "2026-03-29T01:59:59+01:00", False),
    ("in a window that the clock leaves out", WITHIN_THE_GAP, "2026-03-29T03:00:00+02:00", False),
    ("in the hour that comes twice, the first time", INTO_THE_FOLD, "2026-10-25T02:15:00+02:00", True),
    ("past the end that it has in it", INTO_THE_FOLD, "2026-10-25T02:45:00+02:00", False),
    ("in the hour that comes twice, the second time", INTO_THE_FOLD, "2026-10-25T02:15:00+01:00", True),
    ("past its end again", INTO_THE_FOLD, "2026-10-25T02:30:00+01:00", False),
]


@pytest.mark.parametrize(("sentence", "window", "moment", "is_open"), OPEN, ids=[case[0] for case in OPEN])
def test_it_is_open(sentence: str, window: str, moment: str, *, is_open: bool) -> None:
    assert (at(moment) in of(window)) is is_open


def test_of_several_windows_any_will_do_each_by_its_own_clock() -> None:
    both = of(WEEKDAYS, EVENING)
    assert [at(f"2026-11-28T{hour}:00:00+00:00") in both for hour in (12, 20)] == [False, True]
    assert at("2026-11-27T12:00:00+00:00") in both


def test_no_hours_are_all_hours() -> None:
    assert times(()) is None
    assert times(policy("{name: all, permit: ['*'], to: [list-models], models: ['*']}").rules[0].hours) is None


def test_a_grant_has_hours_too() -> None:
    made = policy(HOLD.replace("HOURS", WEEKDAYS))
    assert made.rules[0].grant.hours == policy(RULE.replace("HOURS", WEEKDAYS)).rules[0].hours


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        ((WEEKDAYS,), "mon-fri 07:00-19:00 Europe/Berlin"),
        ((FRIDAY_NIGHT,), "fri 22:00-06:00 Europe/Berlin"),
        ((EVENING, MONDAY_WEDNESDAY), "20:00-24:00 UTC, mon wed 01:00-02:00 UTC"),
    ],
)
def test_they_are_said_in_words(windows: tuple[str, ...], said: str) -> None:
    assert str(of(*windows)) == said


# hours as they are written, the fault
WRONG = [
    ("{}", ".from: is missing"),
    ("[]", ": is empty"),
    ("always", ": must be a list"),
    ('{from: "07:00", to: "19:00"}', ".zone: is missing"),
    ('{from: "7:00", to: "19:00", zone: UTC}', ".from: `7:00` is no time of a day"),
    ('{from: "24:00", to: "19:00", zone: UTC}', ".from: `24:00` is no time of a day"),
    ('{from: "07:00", to: "24:01", zone: UTC}', ".to: `24:01` is no time of a day"),
    ('{from: "07:00", to: "07:00", zone: UTC}', ": `from` and `to` are the same"),
    ('[{from: "07:00", to: "07:00", zone: UTC}]', "[0]: `from` and `to` are the same"),
    ('{days: [mon, mon], from: "07:00", to: "19:00", zone: UTC}', ".days: `mon` stands twice"),
    ('{days: [], from: "07:00", to: "19:00", zone: UTC}', ".days: is empty"),
    ('{days: [mo], from: "07:00", to: "19:00", zone: UTC}', ".days[0]: unknown day `mo`, did you mean `mon`"),
    ('{from: "07:00", to: "19:00", zone: Europe/Berln}', ".zone: unknown zone `Europe/Berln`, did you mean `Europe/"),
    ('{from: "07:00", to: "19:00", zone: Europe}', ".zone: unknown zone `Europe`"),
    ('{from: "07:00", to: "19:00", zone: localtime}', ".zone: unknown zone `localtime`"),
    ('{from: "07:00", to: "19:00", zone: right/UTC}', ".zone: unknown zone `right/UTC`"),
    ('{from: "07:00", to: "19:00", zone: ../UTC}', ".zone: `../UTC` is no zone"),
    ('{from: "07:00", to: "19:00", zone: "+01:00"}', ".zone: `+01:00` is no zone"),
    ('{from: "07:00", to: "19:00", zone: UTC, until: x}', ".until: unknown key `until`"),
]


@pytest.mark.parametrize(("hours", "fault"), WRONG, ids=[case[0] for case in WRONG])
def test_what_is_no_window_is_a_fault_at_its_place(hours: str, fault: str) -> None:
    assert any(f"rules[care].hours{fault}" in each for each in faults(text(RULE.replace("HOURS", hours))))


# -- against a calendar ---------------------------------------------------------------------------------------------


@settings(max_examples=200 if THOROUGH else 20, deadline=None)
@given(
    st.lists(a_window(), min_size=1, max_size=3),
    st.sampled_from(MOVES),
)
@example([Window.model_validate({"from": "22:00", "to": "02:30", "zone": "Europe/Berlin"})], "2026-10-24")
@example([Window.model_validate({"from": "02:15", "to": "02:00", "zone": "Australia/Lord_Howe"})], "2026-10-03")
def test_minute_by_minute_it_is_open_when_a_clock_there_shows_one_of_its_minutes(
    windows: list[Window], first: str
) -> None:
    """Two days and a half around changes of clocks, against every minute of every window, counted one by one."""
    begin = datetime.fromisoformat(first).replace(tzinfo=UTC)
    days = begin.date() - timedelta(days=3), begin.date() + timedelta(days=4)
    shown = [(ZoneInfo(window.zone), shown_in(window, *days)) for window in windows]
    made = Times(tuple(windows))
    for minute in range(60 * 60):
        moment = begin + timedelta(minutes=minute, seconds=minute % 60)
        clocks = (moment.astimezone(zone).replace(tzinfo=None, second=0) for zone, _ in shown)
        expected = any(clock in minutes for clock, (_, minutes) in zip(clocks, shown, strict=True))
        assert (moment.timestamp() in made) is expected, moment
