"""The report's tables that are not just a part's own rows: parts in, rows out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.audit.report.points import many
from phigate.audit.report.unusual import LIMITS, WINDOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from phigate.audit.report.parts import Report
    from phigate.audit.report.unusual import Unusual

type Rows = list[tuple[Any, ...]]

_HASH: Final = 16
"""Characters of a policy's hash that are printed."""
_KINDS: Final = {
    "new-subject": "first seen in this period",
    "odd-hours": "exchanges at hours that are not theirs",
    "volume": "many exchanges",
    "many-patients": "many patients' identifiers shown",
    "repeated-denials": "many denials",
}


def tables(report: Report) -> dict[str, Rows]:
    """By the name that the page gives them."""
    return {
        "coverage": _requests(report),
        "instances": [
            (
                f"{each.name} (commands)" if each.name.endswith(".cli") else each.name,
                each.files,
                each.records,
                each.opened,
                each.closed,
                each.recovered,
                "; ".join(each.gaps) or "none",
            )
            for each in report.coverage.instances
        ],
        "people": [
            (each.subject, each.issuer, each.roles, each.exchanges, each.denied, each.first, each.last)
            for each in report.identities.people.rows
        ],
        "emergencies": [
            (each.at, each.subject, each.rule, each.decided, each.exchange, _reviewed(each.reviewed, each.by))
            for each in report.emergencies.rows
        ],
        "policies": [(policy, *rest) for policy, *rest in report.masks.policies.rows],
        "changes": [
            (each.at, each.policy[:_HASH], each.was[:_HASH], "in force" if each.accepted else "refused: it has faults")
            for each in report.masks.changes.rows
        ],
        "unusual": [
            (
                each.subject,
                each.issuer,
                _kind(each.what),
                each.what.days,
                each.what.worst,
                each.what.count,
                each.what.usual,
            )
            for each in report.activity.told.rows
        ],
        "proven": [
            (each.instance, each.records, each.chained, each.signed, each.signed_at, each.anchored)
            for each in report.integrity.proven
        ],
        "looks": list(report.looks.rows.rows),
        "retention": _kept(report),
        "figures": _figures(report),
        "week": [(f"{hour:02}:00", *(report.course.week[weekday][hour] for weekday in range(7))) for hour in range(24)],
    }


def _requests(report: Report) -> list[tuple[str, int]]:
    coverage = report.coverage
    return [
        ("Requests of known people", coverage.exchanges),
        ("of these permitted, and sent to a model", coverage.permitted),
        ("with how they ended on record", coverage.permitted - coverage.missing),
        ("without, so far", coverage.missing),
        ("held for somebody's yes, and not sent", coverage.held),
        ("denied", coverage.denied),
        ("Answers whose request is in no file of this folder", coverage.orphans),
    ]


def _reviewed(at: datetime | None, by: str | None) -> str:
    return "no review on record" if at is None else f"{at:%Y-%m-%d %H:%M} by {by}"


def _kind(what: Unusual) -> str:
    return _KINDS[what.kind]


def thresholds(report: Report) -> Iterable[str]:
    """The rules of `unusual`, in words, with the figures in force."""
    limits, journal = LIMITS, report.activity.journal
    yield (
        f"Each person is measured against the median of their own active days in the {WINDOW} days before, once there "
        f"are {limits.past} of them: {many(report.activity.judged, 'person', 'people')} in this period. "
        f"{many(report.activity.unjudged, 'person', 'people')} had fewer."
    )
    far = f"at least {limits.ratio:g} times the median, and {limits.score:g} robust deviations above it"
    yield f"Many exchanges: a day with {limits.exchanges} or more, {far}."
    yield (
        f"Many patients: a day on which {limits.patients} or more different names or record numbers were shown, {far}; "
        f"{limits.patients_alone} for who has no such past."
    )
    yield (
        f"Hours that are not theirs: {limits.odd} or more exchanges a day at hours that, with the hour before and "
        f"after, hold less than {limits.odd_share:.0%} of the person's past."
    )
    yield f"Many denials: {limits.denials} or more on a day, and {limits.ratio:g} times the median."
    since = f" (it begins {journal})" if journal else ""
    yield f"First seen: a first exchange at least {limits.young} days after the journal's own beginning{since}."


def _kept(report: Report) -> list[tuple[str, object]]:
    kept = report.retention
    return [
        ("Oldest exchange on record", kept.oldest),
        ("Newest exchange on record", kept.newest),
        ("Records", kept.records),
        ("Size of all records, MB", round(kept.bytes / 1e6, 1)),
        *([("Days that records are kept, by the policy given", kept.keep)] if kept.keep is not None else []),
        ("Removals of old files on record", kept.prunes),
        ("Lines that cannot be read as records", kept.flaws),
    ]


def _figures(report: Report) -> Rows:
    course = report.course
    columns: Sequence[Sequence[Any]] = (
        *(
            course.permitted,
            course.held,
            course.denied,
            course.p50,
            course.p95,
            course.own,
            course.shown,
            course.hidden,
        ),
    )
    return list(zip(report.period.bars, *columns, strict=True))
