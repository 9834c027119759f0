from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.masking.calendar import moved, read

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
        ("Apr 12", date(2001, 4, 12), "Sep 3"),
        ("Feb 29", date(2000, 2, 29), "Sep 3"),
    ],
)
def test_a_date_is_read_and_another_written_in_its_way(text: str, day: date, written: str) -> None:
    found = read(text)
    assert found is not None
    assert (found.day, found.write(found.day), found.write(OTHER)) == (day, text, written)


@pytest.mark.parametrize(
    "text",
    [
        "July 10-15, 2023",
        "May 1987",
        "03/2021",
        "2024-02-30",
        "61-83-49",
        "today",
        "",
        "1",
        "13/13/2020",
        "11:20",
        "March",
    ],
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


@pytest.mark.parametrize(
    ("text", "nine", "two_hundred"),
    [
        ("2024-03-05", "2024-02-25", "2023-08-18"),
        ("2024-03-05T10:22:00Z", "2024-02-25T10:22:00Z", "2023-08-18T10:22:00Z"),
        ("3/5/2024 14:30", "2/25/2024 14:30", "8/18/2023 14:30"),
        ("Jan 5 at 10:30 am", "Dec 27 at 10:30 am", "Jun 19 at 10:30 am"),
        ("20240305102200", "20240225102200", "20230818102200"),
        ("20240305T10", "20240225T10", "20230818T10"),
        ("May 1987", "May 1987", "Oct 1986"),
        ("JAN '20", "JAN '20", "JUN '19"),
        ("03/2021", "03/2021", "08/2020"),
        ("2024-03", "2024-03", "2023-08"),
        ("July 10-15, 2023", "July 1-6, 2023", "December 22-27, 2022"),
        ("July 1-15, 2023", "June 22, 2023-July 6, 2023", "December 13-27, 2022"),
        ("10th-15th of July", "1st-6th of July", "22nd-27th of December"),
        ("1 to 15 July 2023", "22 June 2023 to 6 July 2023", "13 to 27 December 2022"),
        ("June 3 and 4, 2020", "May 25 and 26, 2020", "November 16 and 17, 2019"),
        ("July 10-15", "July 1-6", "December 22-27"),
        ("3/5/2024 - 3/9/2024", "2/25/2024 - 2/29/2024", "8/18/2023 - 8/22/2023"),
        ("March 5 to April 2, 2021", "February 24 to March 24, 2021", "August 17 to September 14, 2020"),
        ("Dec 28 through Jan 3, 2023", "Dec 19 through Dec 25, 2022", "Jun 11 through Jun 17, 2022"),
        ("Feb 29 to Mar 3, 2021", "Feb 20 to Feb 22, 2021", "Aug 13 to Aug 15, 2020"),
        ("May 2020 to June 2021", "May 2020 to June 2021", "Oct 2019 to November 2020"),
        ("3/5/24 08:30 - 3/6/24 09:15", "2/25/24 08:30 - 2/26/24 09:15", "8/18/23 08:30 - 8/19/23 09:15"),
    ],
)
def test_dates_months_and_ranges_are_moved(text: str, nine: str, two_hundred: str) -> None:
    assert (moved(text, 9), moved(text, 200)) == (nine, two_hundred)


@pytest.mark.parametrize("text", ["", "today", "2020", "on 3", "13/2021", "120/80", "11:20", "0001-01-01"])
def test_what_is_no_date_is_not_moved(text: str) -> None:
    assert moved(text, 9) is None


DAYS = st.dates(date(1971, 1, 1), date(2060, 1, 1))
FORMS = st.sampled_from(["%Y-%m-%d", "%m/%d/%Y", "%B %d, %Y", "%d %b %Y", "%m/%d/%Y 09:30"])


@given(DAYS, DAYS, FORMS, FORMS, st.integers(1, 364))
def test_moving_keeps_order_and_interval_in_every_form(one: date, two: date, form: str, other: str, days: int) -> None:
    def again(day: date, form: str) -> date:
        text = moved(day.strftime(form), days)
        assert text is not None
        found = read(text.removesuffix(" 09:30"))
        assert found is not None
        return found.day

    assert again(one, form) - again(two, other) == one - two


@given(DAYS, st.integers(1, 20), st.integers(1, 364), st.sampled_from([" to ", "-"]))
def test_the_days_of_a_range_stay_as_far_apart(day: date, length: int, days: int, link: str) -> None:
    end = day + timedelta(days=length)
    if end.month == day.month:
        text = f"{day:%B} {day.day}{link}{end.day}, {day.year}"
        long = f"{day:%B} {day.day}, {day.year}{link}{end:%B} {end.day}, {end.year}"
        # A `may` is the short form of itself: what was moved away from it comes back short.
        back = (moved(moved(text, days) or "", -days) or "").replace(f"{day:%b} ", f"{day:%B} ")
        assert back in {text, long}


@given(DAYS, DAYS, st.integers(1, 364))
def test_months_keep_their_order(one: date, two: date, days: int) -> None:
    texts = [moved(f"{day:%Y-%m}", days) for day in sorted((one, two))]
    assert texts == sorted(texts)
