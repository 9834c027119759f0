"""When a rule or a grant counts: windows of a week, by the clock on the wall of a place. [I/O: reads zone data]

- A window that ends earlier in the day than it begins ends on the next day; it belongs to the day on which it begins.
- What a clock there shows is what counts: an hour that is left out in spring is in no window, and of one that comes
  twice in autumn both are.
- Whoever asks says what time it is; nothing is read once a policy is in force.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field, ValidationError, WrapValidator, model_validator

from phigate.policy.fields import Many, Says, Section, Some, again, like, one_of
from phigate.policy.sentences import fault, meant, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 24 * 60
"""Minutes."""
WEEK: Final = 7 * DAY

_OF_A_MACHINE: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Files beside the zones: no place, or another one on each machine."""


def _zone(name: str) -> str:
    if not _known(name):
        raise fault(f"unknown zone {quoted(name)}{meant(name, available_timezones() - _OF_A_MACHINE)}")
    return name


def _known(name: str) -> bool:
    if name in _OF_A_MACHINE or name.startswith(("right/", "posix/")):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
Day = Annotated[str, one_of("day", DAYS), Says("`mon`, `tue`, `wed`, `thu`, `fri`, `sat` or `sun`")]
From = Annotated[str, like(_TIME, "is no time of a day, as in `07:00`"), Says("time, e.g. `07:00`")]
To = Annotated[str, like(rf"{_TIME}|24:00", "is no time of a day, as in `19:00`"), Says("time, up to `24:00`")]
Zone = Annotated[
    str,
    like(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,31}){0,2}", "is no zone, as in `Europe/Berlin`"),
    AfterValidator(_zone),
    Says("zone, e.g. `Europe/Berlin`"),
]


class Window(Section):
    days: Some[Day] = Field(default=DAYS, description="on which days it begins")
    from_: From = Field(alias="from", description="when it begins")
    to: To = Field(description="when it is over; on the next day where that is before `from`")
    zone: Zone = Field(description="whose clocks: a name of the IANA time zone database")

    @model_validator(mode="after")
    def _lasts(self) -> Window:
        if self.from_ == self.to:
            raise fault('`from` and `to` are the same: a whole day is `from: "00:00", to: "24:00"`')
        return self


def _listed(value: Any, handler: Callable[[Any], tuple[Window, ...]]) -> tuple[Window, ...]:
    """A single mapping is a list of one, and its faults stand where they were made."""
    if not isinstance(value, dict):
        return handler(value)
    try:
        return handler([value])
    except ValidationError as error:
        raise ValidationError.from_exception_data("hours", again(error, skip=1), hide_input=True) from None


Hours = Annotated[Many[Window], WrapValidator(_listed), Says("mapping, or a list of them")]


@dataclass(frozen=True, slots=True)
class Times:
    """Windows as what a clock may show: a byte for each minute of a week from Monday on, for each zone."""

    windows: tuple[Window, ...]
    weeks: tuple[tuple[ZoneInfo, bytes], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        weeks = {window.zone: bytearray(WEEK) for window in self.windows}
        for window in self.windows:
            for minute in _minutes(window):
                weeks[window.zone][minute] = 1
        made = tuple((ZoneInfo(name), bytes(week)) for name, week in weeks.items())
        object.__setattr__(self, "weeks", made)

    def __contains__(self, now: float) -> bool:
        """Whether `now`, in seconds since the epoch, is in one of them."""
        for zone, week in self.weeks:
            shown = datetime.fromtimestamp(now, zone)
            if week[shown.weekday() * DAY + shown.hour * 60 + shown.minute]:
                return True
        return False

    def __str__(self) -> str:
        return ", ".join(map(_said, self.windows))


def times(windows: tuple[Window, ...]) -> Times | None:
    """None for no windows: always."""
    return Times(windows) if windows else None


def _minutes(window: Window) -> list[int]:
    """Minutes of the week, from 0 on; what runs over its end goes on at its beginning."""
    begins, ends = _minute(window.from_), _minute(window.to)
    length = ends - begins if ends > begins else ends + DAY - begins
    starts = (DAYS.index(day) * DAY + begins for day in window.days)
    return [minute % WEEK for start in starts for minute in range(start, start + length)]


def _minute(shown: str) -> int:
    hours, minutes = shown.split(":")
    return int(hours) * 60 + int(minutes)


def _said(window: Window) -> str:
    """`mon-fri 07:00-19:00 Europe/Berlin`."""
    places = sorted(DAYS.index(day) for day in window.days)
    row = len(places) > 2 and places == list(range(places[0], places[-1] + 1))
    days = f"{DAYS[places[0]]}-{DAYS[places[-1]]} " if row else " ".join(DAYS[place] for place in places) + " "
    return f"{'' if len(places) == len(DAYS) else days}{window.from_}-{window.to} {window.zone}"
