"""The report's figures about people: who asked, what they were answered, who read the journal."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING

from phigate.audit.report.parts import Decisions, Emergency, Identities, Listing, Looks, Person
from phigate.audit.report.sql import IN_PERIOD, TOP, names, row
from phigate.audit.report.walk import ranked

if TYPE_CHECKING:
    from phigate.audit.report.sql import Asking
    from phigate.audit.report.walk import Group, Walk

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


def identities(asking: Asking, walk: Walk) -> Identities:
    people = _people(asking, walk)
    issuers, known = Counter[str](), Counter[str]()
    for person in people:
        issuers[person.issuer] += person.exchanges
        known[person.issuer] += 1
    roles = ranked(((role,), group) for group in walk.groups for role in names(group.roles))
    most = heapq.nsmallest(TOP, people, key=lambda person: (-person.exchanges, person.issuer, person.subject))
    return Identities(
        people=Listing(most, len(people)),
        issuers=[(name, known[name], count) for name, count in issuers.most_common(TOP)],
        roles=Listing([(role, count, exchanges) for role, exchanges, count in roles[:TOP]], len(roles)),
        sessions=asking.count(_SESSIONS),
        refused=_refused(asking),
        programs=asking.top(f"SELECT agent, COUNT(*) {_PROGRAMS}", row, PROGRAMS),
    )


def _people(asking: Asking, walk: Walk) -> list[Person]:
    by_person: dict[tuple[str, str], list[Group]] = {}
    for group in walk.groups:
        by_person.setdefault(group.person, []).append(group)
    return [
        Person(
            issuer,
            subject,
            ", ".join(sorted({role for group in own for role in names(group.roles)})),
            exchanges=sum(group.exchanges for group in own),
            denied=sum(group.exchanges for group in own if group.verb == "deny"),
            first=asking.time(min(group.first for group in own)),
            last=asking.time(max(group.last for group in own)),
        )
        for (issuer, subject), own in by_person.items()
    ]


def _refused(asking: Asking) -> list[tuple[str, int]]:
    rows = asking.rows(
        "SELECT reason.key, SUM(reason.value) FROM event, json_each(event.fields, '$.reasons') AS reason"  # noqa: S608 -- our own words
        f" WHERE kind = 'refused' AND {IN_PERIOD} AND reason.type = 'integer' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {TOP}"
    )
    return [(str(reason), int(count)) for reason, count in rows]


def decisions(walk: Walk) -> Decisions:
    permitted = ranked(((group.rule,), group) for group in walk.groups if group.ran)
    others = ranked(((group.verb, group.rule, group.reason), group) for group in walk.groups if not group.ran)
    return Decisions(Listing(permitted[:TOP], len(permitted)), Listing(others[:TOP], len(others)))


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
