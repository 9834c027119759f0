"""Legal holds: what they touch, and a file of them that is none."""

import threading
import time

import pytest

from phigate.journal.disk import JournalFault
from phigate.journal.holds import FILE, Hold, held_still, read_holds, write_holds

DAYS = [f"2026-11-{day:02}T00:00:00.000000Z" for day in range(1, 10)]


@pytest.mark.parametrize(
    ("since", "until", "held"),
    [
        (None, None, True),
        (DAYS[4], None, True),
        (DAYS[5], None, False),
        (None, DAYS[2], False),
        (None, DAYS[3], True),
        (DAYS[0], DAYS[8], True),
        ("2026-11-05T01:00:00+01:00", None, True),
    ],
)
def test_what_a_hold_touches(since, until, held):
    """Of a file that was written from the third to the fifth day."""
    assert Hold("x", "r", since, until, DAYS[0]).touches(DAYS[2], DAYS[4]) is held


def test_they_come_back_as_they_were_written(tmp_path):
    assert read_holds(tmp_path) == []
    holds = [Hold("b", "r", None, DAYS[1], DAYS[0]), Hold("a", "r", DAYS[1], None, DAYS[0])]
    write_holds(tmp_path, holds)
    assert read_holds(tmp_path) == holds[::-1]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text", ["", "{}x", "[1]", '[{"name":"x"}]', '[{"name":"x","reason":"","since":"s","until":null,"added":"now"}]']
)
def test_what_is_no_file_of_holds(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(JournalFault, match="nothing may be deleted"):
        read_holds(tmp_path)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(JournalFault, match="is a directory"):
        read_holds(tmp_path)


def test_who_changes_them_waits_for_who_does(tmp_path):
    write_holds(tmp_path, [])

    def add(name):
        with held_still(tmp_path):
            held = read_holds(tmp_path)
            time.sleep(0.01)
            write_holds(tmp_path, [*held, Hold(name, "r", None, None, DAYS[0])])

    several = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for each in several:
        each.start()
    for each in several:
        each.join(5)
    assert [hold.name for hold in read_holds(tmp_path)] == list("abcd")
