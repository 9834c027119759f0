"""The report's figures about people: who asked, what they were answered, who read the journal."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from typing import TYPE_CHECKING

from phigate.audit.report_parts import Decisions, Emergency, Identities, Listing, Looks, Person
from phigate.audit.report_sql import IN_PERIOD, PEOPLE, PERSON, RAN, TOP, names, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.audit.report_sql import Asking

PROGRAMS = 10
_EMERGENCY = f"{IN_PERIOD} AND (verb = 'break_glass' OR reason LIKE 'break-glass%')"
_SESSIONS = f"(SELECT DISTINCT session FROM exchange WHERE {IN_PERIOD} AND session IS NOT NULL)"  # noqa: S608 -- our own words
_LOOKS = f"event WHERE kind = 'look' AND {IN_PERIOD}"
_LOGIN = (
    "coalesce(json_extract(fields, '$.by.login'), json_extract(fields, '$.by.uid'))"
    " || '@' || json_extract(fields, '$.by.host')"
)
"""Who used a command, as the machine it ran on knows them."""
_PROGRAMS = f"FROM exchange WHERE {IN_PERIOD} AND agent <> '' GROUP BY agent ORDER BY COUNT(*) DESC, agent"


def identities(asking: Asking) -> Identities:
    asked, known = Counter[str](), Counter[str]()
    by_role, holding = Counter[str](), Counter[str]()
    largest, total = list[tuple[int, int, Person]](), 0
    for total, (person, roles) in enumerate(_people(asking), 1):
        asked[person.issuer] += person.exchanges
        known[person.issuer] += 1
        by_role.update(roles)
        holding.update(dict.fromkeys(roles, 1))
        (heapq.heappush if total <= TOP else heapq.heappushpop)(largest, (person.exchanges, -total, person))
    return Identities(
        people=Listing([person for *_, person in sorted(largest, reverse=True)], total),
        issuers=[(name, known[name], count) for name, count in asked.most_common(TOP)],
        roles=Listing([(name, holding[name], count) for name, count in by_role.most_common(TOP)], len(by_role)),
        sessions=asking.count(_SESSIONS),
        refused=_refused(asking),
        programs=asking.top(f"SELECT agent, COUNT(*) {_PROGRAMS}", row, PROGRAMS),
    )


def _people(asking: Asking) -> Iterator[tuple[Person, dict[str, int]]]:
    """Each person, and in how many exchanges they held which role."""
    rows = asking.rows(
        f"SELECT {PERSON}, roles, COUNT(*), SUM(verb = 'deny'), MIN(at), MAX(at)"  # noqa: S608 -- our own words
        f" FROM exchange WHERE {IN_PERIOD} AND verb IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2"
    )
    for (issuer, subject), group in itertools.groupby(rows, key=lambda each: (str(each[0]), str(each[1]))):
        own = list(group)
        roles = Counter[str]()
        for each in own:
            roles.update(dict.fromkeys(names(each[2]), each[3]))
        yield (
            Person(
                issuer,
                subject,
                ", ".join(sorted(roles)),
                exchanges=sum(each[3] for each in own),
                denied=sum(each[4] for each in own),
                first=asking.time(min(each[5] for each in own)),
                last=asking.time(max(each[6] for each in own)),
            ),
            dict(roles),
        )


def _refused(asking: Asking) -> list[tuple[str, int]]:
    rows = asking.rows(
        "SELECT reason.key, SUM(reason.value) FROM event, json_each(event.fields, '$.reasons') AS reason"  # noqa: S608 -- our own words
        f" WHERE kind = 'refused' AND {IN_PERIOD} AND reason.type = 'integer' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {TOP}"
    )
    return [(str(reason), int(count)) for reason, count in rows]


def decisions(asking: Asking) -> Decisions:
    permitted = (
        f"SELECT coalesce(rule, '-'), COUNT(*), {PEOPLE} FROM exchange"  # noqa: S608 -- our own words
        f" WHERE {IN_PERIOD} AND {RAN} GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    others = (
        f"SELECT verb, coalesce(rule, '-'), coalesce(reason, '-'), COUNT(*), {PEOPLE} FROM exchange"  # noqa: S608 -- our own words
        f" WHERE {IN_PERIOD} AND NOT {RAN} GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3"
    )
    return Decisions(asking.top(permitted, row), asking.top(others, row))


def emergencies(asking: Asking) -> Listing[Emergency]:
    """The latest first; a review counts for the exchange that it names."""

    def made(at: float, exchange: str, subject: str, rule: str, decided: str) -> Emergency:
        review = asking.one(
            "SELECT at, coalesce(subject, '-') FROM event"
            " WHERE kind = 'review' AND json_extract(fields, '$.exchange') = :exchange ORDER BY at LIMIT 1",
            exchange=exchange,
        )
        told = (None, None) if review is None else (asking.time(review[0]), str(review[1]))
        return Emergency(asking.time(at), exchange, subject, rule, decided, *told)

    return asking.top(
        "SELECT at, exchange, coalesce(subject, '-'), coalesce(rule, '-'), coalesce(reason, verb)"  # noqa: S608 -- our own words
        f" FROM exchange WHERE {_EMERGENCY} ORDER BY at DESC",
        made,
    )


def reviews(asking: Asking) -> int:
    return asking.count(f"event WHERE kind = 'review' AND {IN_PERIOD}")


def looks(asking: Asking) -> Looks:
    rows = asking.top(
        f"SELECT coalesce(subject, {_LOGIN}, '-'),"  # noqa: S608 -- our own words
        " coalesce(json_extract(fields, '$.command'), '-'), COUNT(*), MAX(at)"
        f" FROM {_LOOKS} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
        lambda who, command, count, last: (str(who), str(command), count, asking.time(last)),
    )
    return Looks(rows, asking.count(_LOOKS))
