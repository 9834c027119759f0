"""Windows counted out minute by minute on a calendar: what hours are compared with."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from hypothesis import strategies as st

from phigate.policy.hours import DAYS, Window

ZONES = [
    *("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"),
    *("Australia/Lord_Howe", "Africa/Cairo", "Pacific/Chatham"),
]
MOVES = ["2026-03-28", "2026-10-24", "2026-04-04", "2026-10-03", "2026-04-23", "2026-11-01", "2026-12-30"]
"""The days before those on which one of their clocks is moved, and one before a new year."""
CLOCKS = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")


@st.composite
def a_window(draw: st.DrawFn) -> Window:
    begins = draw(CLOCKS)
    ends = draw(st.one_of(CLOCKS.filter(lambda clock: clock != begins), st.just("24:00")))
    days = draw(st.lists(st.sampled_from(DAYS), min_size=1, unique=True))
    return Window.model_validate({"days": days, "from": begins, "to": ends, "zone": draw(st.sampled_from(ZONES))})


def shown_in(window: Window, first: date, last: date) -> set[datetime]:
    """Every minute that a clock may show within the windows that begin on these days."""
    found = set()
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if DAYS[day.weekday()] not in window.days:
            continue
        shown = datetime.combine(day, time.fromisoformat(window.from_))
        while True:
            found.add(shown)
            shown += timedelta(minutes=1)
            if f"{shown:%H:%M}" == window.to.replace("24:00", "00:00"):
                break
    return found
