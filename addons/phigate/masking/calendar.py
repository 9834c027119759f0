"""Dates as people write them, read and written back in the same way.

What is read: a day, a month and mostly a year, in numbers or with the month's name. Numbers alone are month first
(United States) unless that cannot be. Two-digit years follow POSIX: 69 to 99 are 19xx.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date

TOKEN = re.compile(r"\d+|[^\W\d_]+")
MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if number}
FULL = (MONTHS.keys() | {name.lower() for name in calendar.day_name}) - {"may"}
MONTHS |= {name[:3]: number for name, number in MONTHS.items()} | {"sept": 9}
DAYS = tuple(name.lower() for name in calendar.day_name)
LEAP = 2000
"""Stands for the year that a date does not have, so that 29 February is a day."""


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
        return {1: "d", 2: "yd" if len(values[0]) == 4 else "dy"}.get(len(values), "")
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
        day = date(_year(found["y"]) if "y" in found else LEAP, month, int(found.get("d", 0)))
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
