"""Charts as SVG: numbers and labels in, one self-contained `<svg>` out.

Whatever a label says is escaped here; classes, colours and geometry come from this file and the page's style sheet
alone, so that no label can become markup. No script, no `style` attribute, no reference to anything outside: a page
with `default-src 'none'` shows them. Each carries a title and a description for who cannot see it, each mark its value
as a tooltip; the page prints the figures in a table beside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, Literal

from phigate.audit.questions.show import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

type Tone = Literal["good", "wait", "bad", "calm", "loud", "rest"]
"""What a mark means; the style sheet gives it a colour whose lightness differs from the others', for print."""

WIDTH: Final = 680
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 10, 30, 26
_HEIGHT: Final = 210
_LABELS: Final = 9
"""At most so many labels along an axis of time."""
_TICKS: Final = 4
_NAME: Final = 30
"""Characters of a bar's name; the table beside has it whole."""
_SHADES: Final = 6
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Series:
    """A value for each label; None where there is none."""

    name: str
    tone: Tone
    values: Sequence[float | None]


def bars(name: str, title: str, rows: Sequence[tuple[str, float]], *, tone: Tone = "calm") -> str:
    """Lying bars, one a row; `name` is an id of this page."""
    step, left = 22, 200
    height = max(1, len(rows)) * step + 8
    most = max((value for _, value in rows), default=0) or 1
    room = WIDTH - left - 70
    marks = []
    for at, (label, value) in enumerate(rows):
        y, length = at * step + 4, room * max(0, value) / most
        marks += [
            _text(left - 8, y + 14, _short(label), "end"),
            f'<rect class="{tone}" x="{left}" y="{y}" width="{_n(length)}" height="16">{_tip(label, value)}</rect>',
            _text(left + length + 6, y + 14, figure(value), "start"),
        ]
    told = "; ".join(f"{label}: {figure(value)}" for label, value in rows[:20])
    return _svg(name, title, told or "no rows", height, marks)


def stacked(name: str, title: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """Standing bars over time, one part a series, the first at the bottom."""
    sums = [sum(one.values[at] or 0 for one in series) for at in range(len(labels))]
    top, lines = _scale(max(sums, default=0))
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    thick = max(1.0, min(step * 0.8, 40))
    marks = [*lines, *_along(labels, step), *_legend(series)]
    for at, label in enumerate(labels):
        below = 0.0
        for one in series:
            value = one.values[at] or 0
            if value <= 0:
                continue
            y, x = _y(below + value, top), _LEFT + step * at + (step - thick) / 2
            tall = _y(below, top) - y
            tip = _tip(f"{label}, {one.name}", value)
            marks.append(
                f'<rect class="{one.tone}" x="{_n(x)}" y="{_n(y)}" width="{_n(thick)}" height="{_n(tall)}">{tip}</rect>'
            )
            below += value
    return _svg(name, title, _told(labels, series), _HEIGHT, marks)


def lines(name: str, title: str, labels: Sequence[str], series: Sequence[Series]) -> str:
    """One line a series over time, broken where there is no value."""
    known = [value for one in series for value in one.values if value is not None]
    top, grid = _scale(max(known, default=0))
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(labels))
    marks = [*grid, *_along(labels, step), *_legend(series)]
    for one in series:
        points = [
            None if value is None else (_LEFT + step * (at + 0.5), _y(value, top))
            for at, value in enumerate(one.values)
        ]
        for run in _runs(points):
            path = " ".join(f"{_n(x)},{_n(y)}" for x, y in run)
            marks.append(f'<polyline class="line {one.tone}" points="{path}"/>')
        for label, point, value in zip(labels, points, one.values, strict=True):
            if point is not None and value is not None:
                tip = _tip(f"{label}, {one.name}", value)
                marks.append(
                    f'<circle class="{one.tone}" cx="{_n(point[0])}" cy="{_n(point[1])}" r="2.2">{tip}</circle>'
                )
    return _svg(name, title, _told(labels, series), _HEIGHT, marks)


def heat(name: str, title: str, counts: Sequence[Sequence[int]]) -> str:
    """Weekdays (Monday first) by hours; darker is more."""
    most = max((count for row in counts for count in row), default=0)
    left, top, wide, tall = _LEFT, 22, (WIDTH - _LEFT - _RIGHT) / 24, 20
    marks = [_text(left + wide * (hour + 0.5), 14, f"{hour:02}", "middle") for hour in range(0, 24, 2)]
    for weekday, row in enumerate(counts):
        y = top + weekday * tall
        marks.append(_text(left - 8, y + 14, DAYS[weekday], "end"))
        for hour, count in enumerate(row):
            shade = _shade(count, most)
            tip = _tip(f"{DAYS[weekday]} {hour:02}:00 to {hour:02}:59", count)
            marks.append(
                f'<rect class="heat{shade}" x="{_n(left + wide * hour)}" y="{y}" width="{_n(wide - 1)}" '
                f'height="{tall - 1}">{tip}</rect>'
            )
    busiest = max(((count, d, h) for d, row in enumerate(counts) for h, count in enumerate(row)), default=(0, 0, 0))
    told = f"busiest: {DAYS[busiest[1]]} {busiest[2]:02}:00 with {figure(busiest[0])}" if most else "nothing"
    return _svg(name, title, told, top + 7 * tall + 6, marks)


def figure(value: float) -> str:
    """A number as people read it: `1,234`, `0.042`."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


def _svg(name: str, title: str, told: str, height: float, marks: Iterable[str]) -> str:
    """`name` is ours, and only letters."""
    if not name.isalpha():
        raise ValueError("the name of a chart is letters only")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {_n(height)}" role="img" '
        f'aria-labelledby="{name}T {name}D"><title id="{name}T">{_safe(title)}</title>'
        f'<desc id="{name}D">{_safe(told)}</desc>{"".join(marks)}</svg>'
    )


def _safe(text: str) -> str:
    """Escaped, and without characters that XML forbids or that turn the reading direction."""
    return escape(plain(text).plain)


def _short(label: str) -> str:
    return label if len(label) <= _NAME else label[: _NAME - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _text(x: float, y: float, text: str, anchor: Literal["start", "middle", "end"]) -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{_safe(text)}</text>'


def _tip(label: str, value: float) -> str:
    return f"<title>{_safe(label)}: {figure(value)}</title>"


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * value / top


def _scale(most: float) -> tuple[float, list[str]]:
    """Where the axis ends, and its lines: at round numbers, a few of them."""
    rough = max(most, 1e-9) / _TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * times for times in (1, 2, 2.5, 5, 10) if unit * times >= rough * 0.999)
    count = max(1, math.ceil(most / step - 1e-9))
    top = step * count
    marks = []
    for at in range(count + 1):
        y = _n(_y(step * at, top))
        marks.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>')
        marks.append(_text(_LEFT - 6, _y(step * at, top) + 4, figure(round(step * at, 9)), "end"))
    return top, marks


def _along(labels: Sequence[str], step: float) -> Iterator[str]:
    every = max(1, math.ceil(len(labels) / _LABELS))
    for at in range(0, len(labels), every):
        yield _text(_LEFT + step * (at + 0.5), _HEIGHT - 8, labels[at], "middle")


def _legend(series: Sequence[Series]) -> Iterator[str]:
    x = float(_LEFT)
    for one in series:
        yield f'<rect class="{one.tone}" x="{_n(x)}" y="6" width="11" height="11"/>'
        yield _text(x + 16, 16, one.name, "start")
        x += 34 + 6.4 * len(one.name)


def _runs(points: Iterable[tuple[float, float] | None]) -> Iterator[list[tuple[float, float]]]:
    run: list[tuple[float, float]] = []
    for point in points:
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _told(labels: Sequence[str], series: Sequence[Series]) -> str:
    if not labels:
        return "nothing"
    sums = (f"{one.name} at most {figure(max((value or 0 for value in one.values), default=0))}" for one in series)
    return f"{labels[0]} to {labels[-1]}: {', '.join(sums)}"


def _shade(count: int, most: int) -> int:
    """0 for nothing, else 1 to 6, by the root: the busiest hour does not make everything else look empty."""
    if count <= 0 or most <= 0:
        return 0
    return max(1, math.ceil(_SHADES * math.sqrt(count / most)))
