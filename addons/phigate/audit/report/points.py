"""What a reader of the report should know first: its parts in, a few sentences out, the worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from phigate.audit.report.charts import figure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phigate.audit.report.parts import Report

type Level = Literal["act", "look", "note", "fine"]
_WORDS: Final[dict[Level, str]] = {"act": "act", "look": "look at", "note": "note", "fine": "in order"}


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the summary, and the section that says more."""

    level: Level
    text: str
    section: str

    @property
    def word(self) -> str:
        return _WORDS[self.level]


def points(report: Report) -> list[Point]:
    """What a reader should know first, the worst first."""
    found = [*_integrity(report), *_coverage(report), *_emergencies(report), *_approvals(report), *_activity(report)]
    order: list[Level] = ["act", "look", "note", "fine"]
    return sorted(found, key=lambda point: order.index(point.level))


def _integrity(report: Report) -> Iterable[Point]:
    proof = report.integrity
    if not proof.checked:
        yield Point("look", "The journal was not verified for this report.", "integrity")
    elif proof.verdict == "holds":
        yield Point("fine", "The journal was verified, and holds what was written.", "integrity")
    elif proof.verdict == "untold":
        yield Point("look", "The journal was verified in part: for some of it no key was given.", "integrity")
    else:
        yield Point("act", f"The journal is not what was written: {many(proof.fault_count, 'fault')}.", "integrity")
    if report.retention.flaws:
        yield Point(
            "act", f"{many(report.retention.flaws, 'line')} of the files cannot be read as records.", "retention"
        )


def _coverage(report: Report) -> Iterable[Point]:
    coverage = report.coverage
    outcomes = dict(coverage.outcomes)
    gaps = sum(len(instance.gaps) for instance in coverage.instances)
    if gaps:
        yield Point("act", f"Record numbers do not go on from file to file in {many(gaps, 'place')}.", "coverage")
    if coverage.missing:
        yield Point("look", f"{many(coverage.missing, 'permitted exchange')} without an answer on record.", "coverage")
    elif coverage.permitted:
        text = f"All {figure(coverage.permitted)} permitted exchanges have how they ended on record."
        yield Point("fine", text, "coverage")
    if cut := outcomes.get("interrupted", 0) + outcomes.get("unrecorded", 0):
        text = f"{many(cut, 'exchange')} ended early, since a gateway stopped or a record could not be kept."
        yield Point("note", text, "coverage")
    if coverage.orphans:
        yield Point("note", f"{many(coverage.orphans, 'answer')} without a request in these files.", "coverage")


def _emergencies(report: Report) -> Iterable[Point]:
    open_ = sum(each.reviewed is None for each in report.emergencies.rows) + report.emergencies.more
    if not report.emergencies.total:
        yield Point("note", "Nobody used break-glass.", "emergencies")
    elif open_:
        text = f"Break-glass: {figure(report.emergencies.total)}, of which {figure(open_)} without a review found."
        yield Point("look", text, "emergencies")
    else:
        yield Point("fine", f"Break-glass: {figure(report.emergencies.total)}, all reviewed.", "emergencies")
    if report.reviewing.overdue:
        yield Point("act", f"{many(report.reviewing.overdue, 'review')} of break-glass overdue.", "emergencies")
    if report.reviewing.late:
        yield Point("note", f"{many(report.reviewing.late, 'review')} of break-glass came late.", "emergencies")


def _approvals(report: Report) -> Iterable[Point]:
    if expired := report.approvals.expired:
        yield Point("note", f"{many(expired, 'ticket')} expired before enough people had answered.", "decisions")


def _activity(report: Report) -> Iterable[Point]:
    activity = report.activity
    if activity.told.total:
        yield Point("look", f"Unusual activity: {many(activity.told.total, 'entry', 'entries')}.", "unusual")
    elif activity.judged:
        text = f"Nothing unusual among {many(activity.judged, 'person', 'people')} with enough of a past to tell."
        yield Point("fine", text, "unusual")
    if activity.unjudged:
        text = f"{many(activity.unjudged, 'person', 'people')} with too little past to measure volume and hours by."
        yield Point("note", text, "unusual")


def many(count: int, one: str, more: str = "") -> str:
    return f"{figure(count)} {one if count == 1 else more or one + 's'}"
