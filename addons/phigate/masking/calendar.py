"""Dates as people write them, read and written back in the same way, and moved by days.

What is read: a day, a month and mostly a year, in numbers or with the month's name. Numbers alone are month first
(United States) unless that cannot be. Two-digit years follow POSIX: 69 to 99 are 19xx. Moved are also months of a year,
ranges of two dates or of days of one month, and dates with a time of day, which stays.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

TOKEN = re.compile(r"\d+|[^\W\d_]+")
MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if number}
FULL = (MONTHS.keys() | {name.lower() for name in calendar.day_name}) - {"may"}
MONTHS |= {name[:3]: number for name, number in MONTHS.items()} | {"sept": 9}
DAYS = tuple(name.lower() for name in calendar.day_name)
ANY, LEAP = 2001, 2000
"""Stand for the year that a date does not have; the latter for 29 February."""
TIME = re.compile(
    r"(?:[T ]|, ?| at )\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)? ?(?:[AaPp]\.?[Mm]\.?)?"
    r"(?: ?Z| ?[+-]\d\d:?\d\d| [A-Z]{2,4})?"
    r"|(?<=\d{8})T?\d{4}(?:\d\d)?(?:\.\d{1,4})?(?:[+-]\d{4})?|(?<=\d{8})T\d\d"
)
BETWEEN = re.compile(r" ?[-\u2010-\u2014] ?| (?:to|through|thru|till|until|and|or) |/")
"""What may stand between the two ends of a range."""
MIDDLE = 15
"""The day that a month stands for."""
NAMES = "|".join(sorted(MONTHS, key=len, reverse=True))
MONTH_OF = re.compile(
    rf"(?P<month>{NAMES})(?P<gap>\.?(?:,? |-|/| of )?['\u2019]?)(?P<year>(?<=['\u2019])\d\d|(?<!\w)\d{{4}})",
    re.IGNORECASE,
)
NUMBERS_OF = re.compile(
    r"(?P<month>\d{1,2})(?P<gap>[/-])(?P<year>\d{4})|(?P<year2>\d{4})(?P<gap2>[/-])(?P<month2>\d{1,2})"
)
DAYS_OF = re.compile(
    rf"(?P<before>.*?(?:{NAMES})\.?[ -]{{1,2}})?(?P<one>\d{{1,2}}(?:st|nd|rd|th)?)(?P<link> ?[-\u2010-\u2014] ?"
    rf"| (?:to|through|thru|till|until|and|or) )(?P<two>\d{{1,2}}(?:st|nd|rd|th)?)"
    rf"(?P<after>(?: of|)[ -]{{1,2}}(?:{NAMES})\b.*|,? .*|)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Written:
    """A date and the places of its parts in the text it was read from."""

    text: str
    day: date
    complete: bool
    """Whether the text says the year."""
    parts: tuple[tuple[str, int, int], ...]

    def write(self, day: date) -> str:
        """Another day in this date's own form."""
        text, at = "", 0
        numbers = [self.text[start:end] for kind, start, end in self.parts if kind in ("d", "m")]
        named = any(kind == "M" for kind, _, _ in self.parts)
        # `10/12` may have been padded or not; with a month's name a day is padded only where a zero says so.
        padded = any(number[0] == "0" for number in numbers) or not (
            named or any(len(number) == 1 for number in numbers)
        )
        for kind, start, end in self.parts:
            text += self.text[at:start] + _write(kind, self.text[start:end], day, padded)
            at = end
        return text + self.text[at:]


def read(text: str) -> Written | None:
    """The one date that a text is; None where it is something else, a range or no day."""
    if re.fullmatch(r"\d{8}", text):
        return _written(text, [("y", 0, 4), ("m", 4, 6), ("d", 6, 8)])
    if ":" in text:
        return None
    numbers: list[tuple[int, int]] = []
    parts: list[tuple[str, int, int]] = []
    for found in TOKEN.finditer(text):
        kind = "n" if found[0].isdecimal() else _word(found[0].lower())
        if kind == "n":
            numbers.append(found.span())
        elif kind:
            parts.append((kind, *found.span()))
        elif found[0].lower() != "of":
            return None
    order = _order(text, numbers, named=any(kind == "M" for kind, _, _ in parts))
    parts += [(kind, *span) for kind, span in zip(order, numbers, strict=False)]
    return _written(text, sorted(parts, key=lambda part: part[1])) if order else None


def moved(text: str, days: int) -> str | None:
    """The same writing of the date, month or range that lies so many days earlier; None where none can be read."""
    try:
        return next(filter(None, (move(text, days) for move in (_month, _days_of_a_month, _single, _two))), None)
    except OverflowError:
        return None


def _single(text: str, days: int) -> str | None:
    for time in (None, *TIME.finditer(text)):
        if time is None or time.end() == len(text):
            end = time.start() if time else len(text)
            found = read(text[:end])
            if found:
                return found.write(found.day - timedelta(days=days)) + text[end:]
    return None


def _month(text: str, days: int) -> str | None:
    found = MONTH_OF.fullmatch(text) or NUMBERS_OF.fullmatch(text)
    if not found:
        return None
    which = "" if found["month"] else "2"
    month, year = found["month" + which], found["year" + which]
    number = MONTHS.get(month.lower()) or int(month)
    if not 1 <= number <= 12:
        return None
    day = date(_year(year), number, MIDDLE) - timedelta(days=days)
    named = not month.isdecimal()
    shown = _write("M" if named else "m", month, day, padded=month[0] == "0" or len(month) == 2)
    parts = (shown, found["gap" + which], _write("y", year, day, padded=True))
    return "".join(parts if not which else reversed(parts))


def _days_of_a_month(text: str, days: int) -> str | None:
    """`July 10-15, 2023`, `10-15 July`: both days move; where the month breaks between them, both are written out."""
    found = DAYS_OF.fullmatch(text)
    if not found:
        return None
    before, after = found["before"] or "", found["after"]
    first, last = (read(f"{before}{found[each]}{after}") for each in ("one", "two"))
    if not first or not last or first.day >= last.day:
        return None
    begins, ends = (each.day - timedelta(days=days) for each in (first, last))
    one, two = first.write(begins), last.write(ends)
    if (begins.year, begins.month) != (ends.year, ends.month):
        return f"{one}{found['link']}{two}"
    # Of the first only what stands before and on its day, of the last only its day and what follows.
    rest = two[_day(two)[0] :] if before else two
    return f"{one[: _day(one)[1]]}{found['link']}{rest}"


def _day(text: str) -> tuple[int, int]:
    """Where the day stands in a date, with its `th`."""
    found = read(text)
    spans = [(begin, end) for kind, begin, end in found.parts if kind in ("d", "o")] if found else [(0, 0)]
    return min(spans)[0], max(spans)[1]


def _two(text: str, days: int) -> str | None:
    """Two dates with a word or a stroke between; the first has the year of the second where it says none."""
    for link in BETWEEN.finditer(text):
        first, last = read(text[: link.start()]), read(text[link.end() :])
        if first and last:
            begins, ends = first.day, last.day
            if last.complete and not first.complete:
                begins = _before(begins, ends)
            one, two = (each - timedelta(days=days) for each in (begins, ends))
            return f"{first.write(one)}{link[0]}{last.write(two)}"
        sides = [_month(each, days) or _single(each, days) for each in (text[: link.start()], text[link.end() :])]
        if all(sides):
            return f"{sides[0]}{link[0]}{sides[1]}"
    return None


def _before(day: date, end: date) -> date:
    """The day in the last year in which it is not after `end`."""
    for year in (end.year, end.year - 1):
        try:
            found = day.replace(year=year)
        except ValueError:
            found = date(year, 3, 1)
        if found <= end:
            return found
    return end


def _word(word: str) -> str:
    if word in MONTHS:
        return "M"
    if word in ("st", "nd", "rd", "th"):
        return "o"
    return "w" if len(word) > 2 and any(day.startswith(word) for day in DAYS) else ""


def _order(text: str, numbers: list[tuple[int, int]], *, named: bool) -> str:
    values = [text[start:end] for start, end in numbers]
    if any(len(value) not in (1, 2, 4) for value in values):
        return ""
    if named:
        return {1: "d", 2: "yd" if values and len(values[0]) == 4 else "dy"}.get(len(values), "")
    if len(values) == 2:
        return "md" if max(map(len, values)) < 3 else ""
    if len(values) != 3:
        return ""
    if len(values[0]) == 4:
        return "ymd"
    return "dmy" if int(values[0]) > 12 else "mdy"


def _written(text: str, parts: list[tuple[str, int, int]]) -> Written | None:
    found = {kind: text[start:end] for kind, start, end in parts}
    month = MONTHS[found["M"].lower()] if "M" in found else int(found.get("m", 0))
    try:
        number = int(found.get("d", 0))
        day = date(_year(found["y"]) if "y" in found else LEAP if (month, number) == (2, 29) else ANY, month, number)
    except ValueError:
        return None
    return Written(text, day, "y" in found, tuple(parts))


def _year(text: str) -> int:
    year = int(text)
    return year if len(text) > 2 else year + (1900 if year >= 69 else 2000)


def _write(kind: str, old: str, day: date, padded: bool) -> str:
    if kind == "y":
        return f"{day.year:04}"[-len(old) :]
    if kind in ("d", "m"):
        return f"{day.day if kind == 'd' else day.month:0{2 if padded and len(old) == 2 else 1}}"
    if kind == "o":
        return _cased(_ordinal(day.day), old)
    name = calendar.month_name[day.month] if kind == "M" else calendar.day_name[day.weekday()]
    # `May` is both: it is taken for the short form.
    full = old.lower() in FULL
    return _cased(name if full else name[:3], old)


def _ordinal(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _cased(new: str, old: str) -> str:
    return new.upper() if old.isupper() else new.lower() if old.islower() else new
