from datetime import UTC, datetime, timedelta

import pytest

from phigate.audit.questions import times

NOW = datetime(2026, 11, 23, 15, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("2026-11-23T15:04:05Z", NOW),
        ("2026-11-23t15:04:05z", NOW),
        ("2026-11-23 15:04:05", NOW),
        ("2026-11-23T16:04:05+01:00", NOW),
        ("2026-11-23T15:04", NOW - timedelta(seconds=5)),
        ("2026-11-23T15:04:05.25Z", NOW + timedelta(seconds=0.25)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("7d", NOW - timedelta(days=7)),
        (" 90m ", NOW - timedelta(minutes=90)),
        ("2w", NOW - timedelta(weeks=2)),
        ("PT2H", NOW - timedelta(hours=2)),
        ("P1DT30M", NOW - timedelta(days=1, minutes=30)),
        ("P3W", NOW - timedelta(weeks=3)),
    ],
)
def test_a_time_a_date_or_a_length(text, since):
    assert times.since(text, NOW) == since.timestamp()


def test_a_date_counts_whole():
    day = datetime(2026, 11, 20, tzinfo=UTC)
    assert times.since("2026-11-20", NOW) == day.timestamp()
    assert times.until("2026-11-20", NOW) == (day + timedelta(days=1)).timestamp()
    assert times.until("7d", NOW) == times.since("7d", NOW)


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "yesterday", "2026-02-30", "2026-11-23T25:00", "20261123", "7 d", "-7d", "999999w", "٧d"],
)
def test_what_is_no_time(text):
    with pytest.raises(times.NoTime, match="expected a time"):
        times.since(text, NOW)


def test_the_time_of_a_record():
    assert times.seconds_of("2026-11-23T15:04:05.500000Z") == NOW.timestamp() + 0.5
    assert [times.seconds_of(no) for no in ("soon", None, 5)] == [None, None, None]
    assert times.written(NOW.timestamp() + 0.9) == "2026-11-23 15:04:05"
