from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.masking.calendar import read

OTHER = date(2020, 9, 3)


@pytest.mark.parametrize(
    ("text", "day", "written"),
    [
        ("2024-03-05", date(2024, 3, 5), "2020-09-03"),
        ("2024/3/5", date(2024, 3, 5), "2020/9/3"),
        ("3/5/2024", date(2024, 3, 5), "9/3/2020"),
        ("03-05-24", date(2024, 3, 5), "09-03-20"),
        ("25/12/2024", date(2024, 12, 25), "03/09/2020"),
        ("9/4/58", date(2058, 9, 4), "9/3/20"),
        ("9/3/71", date(1971, 9, 3), "9/3/20"),
        ("March 6th, 1987", date(1987, 3, 6), "September 3rd, 2020"),
        ("MARCH 5, 2021", date(2021, 3, 5), "SEPTEMBER 3, 2020"),
        ("Monday, May 4, 1987", date(1987, 5, 4), "Thursday, Sep 3, 2020"),
        ("Nov 13th '87", date(1987, 11, 13), "Sep 3rd '20"),
        ("5 Mar 2021", date(2021, 3, 5), "3 Sep 2020"),
        ("23-Oct-1987", date(1987, 10, 23), "3-Sep-2020"),
        ("05-Oct-2024", date(2024, 10, 5), "03-Sep-2020"),
        ("15th of June, 2021", date(2021, 6, 15), "3rd of September, 2020"),
        ("20240305", date(2024, 3, 5), "20200903"),
        ("Apr 12", date(2000, 4, 12), "Sep 3"),
    ],
)
def test_a_date_is_read_and_another_written_in_its_way(text: str, day: date, written: str) -> None:
    found = read(text)
    assert found is not None
    assert (found.day, found.write(found.day), found.write(OTHER)) == (day, text, written)


@pytest.mark.parametrize(
    "text", ["July 10-15, 2023", "May 1987", "03/2021", "2024-02-30", "61-83-49", "today", "", "1", "13/13/2020"]
)
def test_what_is_no_single_day_is_not_read(text: str) -> None:
    assert read(text) is None


def test_a_date_without_a_year_says_so() -> None:
    found = read("Feb 29")
    assert found is not None
    assert not found.complete


@given(
    st.dates(date(1970, 1, 1), date(2060, 1, 1)),
    st.sampled_from(["%Y-%m-%d", "%m/%d/%Y", "%B %d, %Y", "%d %b %Y", "%m/%d/%y"]),
)
def test_reading_what_was_written_gives_the_day(day: date, form: str) -> None:
    found = read(day.strftime(form))
    assert found is not None
    assert found.day == day
