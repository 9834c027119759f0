"""What was unusual in a period: each person's days out of the index, one person after another, to `unusual`."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Any

from phigate.audit.report.parts import Activity, Listing, Told
from phigate.audit.report.periods import date_of
from phigate.audit.report.sql import IN_PERIOD, PAST, PERSON, TOP, row
from phigate.audit.report.unusual import LIMITS, Day, of_subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from phigate.audit.report.sql import Asking

_LARGEST = 100
"""Rows of the table of what is unusual."""
_PATIENT = "((value >= 'MRN:' AND value < 'MRN;') OR (value >= 'PERSON:' AND value < 'PERSON;'))"

type Who = tuple[str, str]


def activity(asking: Asking) -> Activity:
    """Judge everybody who asked in the period by the WINDOW before each of their days."""
    first = asking.one("SELECT MIN(at) FROM exchange")
    if first is None or first[0] is None:
        return Activity(Listing(), 0, 0, None, addresses(asking))
    journal, since = asking.period.date_at(first[0]), asking.period.first
    largest, told, judged, unjudged = list[tuple[float, int, Told]](), 0, 0, 0
    for (issuer, subject), began, days in _people(asking):
        if days[-1].day < since:
            continue
        known = sum(day.day < days[-1].day for day in days) >= LIMITS.past
        judged, unjudged = judged + known, unjudged + (not known)
        for each in of_subject(days, since, first=asking.period.date_at(began), journal=journal):
            told += 1
            entry = (each.weight, -told, Told(issuer, subject, each))
            (heapq.heappush if len(largest) < _LARGEST else heapq.heappushpop)(largest, entry)
    rows = [entry for *_, entry in sorted(largest, reverse=True)]
    return Activity(Listing(rows, told), judged, unjudged, journal, addresses(asking))


def _people(asking: Asking) -> Iterator[tuple[Who, float, list[Day]]]:
    """Each person with their first moment ever and their days, of the past and the period."""
    patients = itertools.groupby(_patients(asking), key=_who)
    beginnings = asking.rows(f"SELECT {PERSON}, MIN(at) FROM exchange GROUP BY 1, 2 ORDER BY 1, 2")  # noqa: S608 -- our own words
    waiting, began = next(patients, None), next(beginnings, None)
    for who, rows in itertools.groupby(_hours(asking), key=_who):
        own: dict[int, int] = {}
        while waiting is not None and waiting[0] <= who:
            if waiting[0] == who:
                own = {day: most for *_, day, most in waiting[1]}
            waiting = next(patients, None)
        while began is not None and _who(began) < who:
            began = next(beginnings, None)
        if began is not None:
            yield who, began[2], [_day(day, list(group), own) for day, group in itertools.groupby(rows, _of_day)]


def _hours(asking: Asking) -> Iterator[Sequence[Any]]:
    """Person, day, hour, exchanges, denials; in this order."""
    day, hour = asking.period.day("at", PAST), asking.period.hour("at", PAST)
    return asking.rows(
        f"SELECT {PERSON}, {day}, {hour}, COUNT(*), SUM(verb = 'deny') FROM exchange"  # noqa: S608 -- our own words
        " WHERE at >= :past AND at < :until AND verb IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3",
    )


def _patients(asking: Asking) -> Iterator[Sequence[Any]]:
    """Person, day, distinct patients whose number or name was shown (whichever is more); in this order."""
    return asking.rows(
        "SELECT who, whom, day, MAX(n) FROM ("  # noqa: S608 -- our own words
        f"SELECT issuer AS who, subject AS whom, {asking.period.day('at', PAST)} AS day, COUNT(DISTINCT value) AS n"
        f" FROM shown WHERE side = 'out' AND {_PATIENT} GROUP BY 1, 2, 3, substr(value, 1, 1))"
        " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    )


def _who(found: Sequence[Any]) -> Who:
    return str(found[0]), str(found[1])


def _of_day(found: Sequence[Any]) -> int:
    return int(found[2])


def _day(number: int, hours: list[Sequence[Any]], patients: dict[int, int]) -> Day:
    return Day(
        date_of(number),
        exchanges=sum(each[4] for each in hours),
        denied=sum(each[5] for each in hours),
        patients=patients.get(number, 0),
        hours={each[3]: each[4] for each in hours},
    )


def addresses(asking: Asking) -> Listing[tuple[str, int, int]]:
    """Where bearers that were not believed came from: address, how many, in the worst minute; most first."""
    return asking.top(
        "SELECT coalesce(json_extract(fields, '$.client.ip'), '-'), SUM(n), MAX(n) FROM"  # noqa: S608 -- our own words
        " (SELECT fields, CAST(json_extract(fields, '$.count') AS INT) AS n FROM event"
        f" WHERE kind = 'refused' AND {IN_PERIOD}) GROUP BY 1 ORDER BY 2 DESC, 1",
        row,
        TOP,
    )
