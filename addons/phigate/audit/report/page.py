"""The report as one HTML file: its parts in, text out.

Rules of this file:

- The page refers to nothing outside and runs no script: `default-src 'none'`, and the one style sheet by its hash.
- Every value is escaped by the template (autoescape), and first freed of characters that move a cursor or turn the
  reading direction; markup are only the style sheet and the charts, which escape for themselves.
- Nobody has to see a colour: what it says stands there as a word or a figure, too.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from phigate.audit.questions.show import plain
from phigate.audit.report import charts
from phigate.audit.report.charts import DAYS, Series, figure
from phigate.audit.report.paragraphs import SECTIONS
from phigate.audit.report.points import points
from phigate.audit.report.tables import tables, thresholds

if TYPE_CHECKING:
    from phigate.audit.report.parts import Report

_HERE: Final = Path(__file__).parent
_NUMBERS: Final = {name: at for at, name in enumerate(["summary", *(each.id for each in SECTIONS), "figures"], 1)}
_PER: Final = {1: "day", 7: "week"}
_REASONS: Final = 10
"""Bars of the chart of refusals."""


def page(report: Report) -> str:
    """The whole file."""
    style, template = _pieces()
    return template.render(
        report=report,
        style=Markup(style),  # noqa: S704 -- our own file
        style_hash=style_hash(style),
        sections=SECTIONS,
        s={section.id: section for section in SECTIONS},
        number_of=lambda section: _NUMBERS[section.id],
        number_at=_NUMBERS.__getitem__,
        period=_period(report),
        zone=_zone(report),
        per=_PER.get(report.period.width, f"{report.period.width} days"),
        made_from=_made_from(report),
        cards=_cards(report),
        points=points(report),
        charts={name: Markup(svg) for name, svg in _charts(report).items()},  # noqa: S704 -- charts escape for themselves
        rows_of=lambda lines: [(line,) for line in lines],
        profiled_used=report.masks.profiled in {policy for policy, *_ in report.masks.policies.rows},
        week_columns=[("Hour", "when"), *((day, "n") for day in DAYS)],
        thresholds=list(thresholds(report)),
        **tables(report),
    )


def style_hash(style: str) -> str:
    """What the page's policy allows (Content Security Policy Level 3, section 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


@cache
def _pieces() -> tuple[str, Template]:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return (_HERE / "report.css").read_text(encoding="utf-8"), environment.get_template("report.html.jinja")


def _printed(value: object) -> object:
    """What stands on the page for a value; it is escaped afterwards."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return figure(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return "\N{EN DASH}" if value is None else plain(value).plain


def _period(report: Report) -> str:
    return f"{report.period.first} to {report.period.last}"


def _zone(report: Report) -> str:
    return str(report.period.zone)


def _made_from(report: Report) -> str:
    gateways = ", ".join(instance.name for instance in report.coverage.instances) or "no gateway"
    return f"{figure(report.retention.records)} records of {gateways}"


def _cards(report: Report) -> list[tuple[str, int]]:
    coverage = report.coverage
    return [
        ("exchanges", coverage.exchanges),
        ("people", report.identities.people.total),
        ("permitted", coverage.permitted),
        ("held", coverage.held),
        ("denied", coverage.denied),
        ("break-glass", report.emergencies.total),
        ("answers with identifiers shown", report.disclosures.answers),
        ("bearers not believed", sum(count for _, count in report.identities.refused)),
    ]


def _charts(report: Report) -> dict[str, str]:
    course, long = report.course, report.period.width > max(_PER)
    labels = [f"{day:%b %Y}" if long else f"{day:%b} {day.day}" for day in report.period.bars]
    refused = [(f"{reason} ({rule})", float(count)) for _, rule, reason, count, _ in report.decisions.others.rows]
    return {
        "course": charts.stacked(
            "course",
            "Exchanges over the time, by decision",
            labels,
            [
                Series("permitted", "good", course.permitted),
                Series("held", "wait", course.held),
                Series("denied", "bad", course.denied),
            ],
        ),
        "seconds": charts.lines(
            "seconds",
            "Seconds an exchange took, over the time",
            labels,
            [Series("half within", "calm", course.p50), Series("nineteen of twenty within", "loud", course.p95)],
        ),
        "shown": charts.stacked(
            "shown",
            "Identifiers in answers over the time",
            labels,
            [Series("hidden", "good", course.hidden), Series("shown as they were", "bad", course.shown)],
        ),
        "refused": charts.bars("refused", "Held and denied, by reason and rule", refused[:_REASONS], tone="bad"),
        "week": charts.heat("week", "Exchanges by weekday and hour", course.week),
    }
