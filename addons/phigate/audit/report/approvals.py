"""The report's figures about yes and no: what became of tickets, who answered and where, how break-glass was reviewed.

A ticket whose end stands there twice (a gateway went away between its record and the ledger) is one. What was used
before records said when its review is due is open or reviewed, and never late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.audit.report.parts import Approvals, Listing, Reviewing
from phigate.audit.report.sql import IN_PERIOD, PERSON, row

if TYPE_CHECKING:
    from datetime import datetime

    from phigate.audit.report.sql import Asking


def _said(name: str) -> str:
    return f"json_extract(fields, '$.{name}')"


_TICKETS: Final = f"event WHERE kind = 'ticket' AND {IN_PERIOD}"
_ANSWERS: Final = f"{_TICKETS} AND {_said('decision')} IN ('approve', 'reject')"
_ENDS: Final = (
    *(f"{_said('decision')} = '{done}'" for done in ("open", "reject", "revoke")),
    f"{_said('decision')} = 'expire' AND {_said('grant')} IS NULL",
)
_NUMBERS: Final = ", ".join(f"COUNT(DISTINCT CASE WHEN {end} THEN {_said('ticket')} END)" for end in _ENDS)
_GRANTED: Final = (
    f"SELECT {_said('rule')}, COUNT(DISTINCT {_said('ticket')}) FROM event"  # noqa: S608 -- our own words
    f" WHERE kind = 'grant' AND {IN_PERIOD} GROUP BY 1"
)
_REVIEWS: Final = f"""
WITH used AS (
    SELECT {_said("exchange")} AS exchange, (julianday({_said("due")}) - 2440587.5) * 86400 AS due
    FROM event WHERE kind = 'break-glass' AND {IN_PERIOD}),
first AS (
    SELECT {_said("exchange")} AS exchange, MIN(at) AS at, coalesce(subject, '-') AS who
    FROM event WHERE kind = 'review' AND {_said("exchange")} IN (SELECT exchange FROM used) GROUP BY 1)
SELECT first.who, COUNT(*), COUNT(first.at), COALESCE(SUM(coalesce(first.at, :made) > due), 0)
FROM used LEFT JOIN first USING (exchange) GROUP BY 1 ORDER BY 2 DESC, 1
"""  # noqa: S608 -- our own words
"""By who reviewed first (NULL is nobody): uses, reviewed ones, late ones."""


def approvals(asking: Asking) -> Approvals:
    """What became of tickets in the period, and of whose answers."""
    granted = {str(rule): int(count) for rule, count in asking.rows(_GRANTED)}

    def made(rule: Any, opened: int, rejected: int, revoked: int, expired: int) -> tuple[str, int, int, int, int, int]:
        return rule, opened, granted.get(rule, 0), rejected, revoked, expired

    return Approvals(
        rules=asking.top(
            f"SELECT coalesce({_said('rule')}, '-'), {_NUMBERS} FROM {_TICKETS} GROUP BY 1 ORDER BY 2 DESC, 1",  # noqa: S608 -- our own words
            made,
        ),
        people=asking.top(
            f"SELECT {PERSON}, SUM({_said('decision')} = 'approve'), SUM({_said('decision')} = 'reject')"  # noqa: S608 -- our own words
            f" FROM {_ANSWERS} GROUP BY 1, 2 ORDER BY COUNT(*) DESC, 1, 2",
            row,
        ),
        ways=[
            (str(way), int(count))
            for way, count in asking.rows(
                f"SELECT coalesce({_said('client.via')}, '-'), COUNT(*) FROM {_ANSWERS} GROUP BY 1 ORDER BY 2 DESC, 1"  # noqa: S608 -- our own words
            )
        ],
        expired=asking.count(f"(SELECT DISTINCT {_said('ticket')} FROM {_TICKETS} AND {_ENDS[-1]})"),  # noqa: S608 -- our own words
    )


def reviewing(asking: Asking, made: datetime) -> Reviewing:
    """How the uses of break-glass in the period were reviewed, by whenever the report is `made`."""
    found = list(asking.rows(_REVIEWS, made=made.timestamp()))
    signed = [(str(who), int(uses - late), int(late)) for who, uses, reviewed, late in found if reviewed]
    waiting = [(int(uses), int(late)) for _, uses, reviewed, late in found if not reviewed]
    return Reviewing(
        open=sum(uses for uses, _ in waiting),
        overdue=sum(late for _, late in waiting),
        in_time=sum(in_time for _, in_time, _ in signed),
        late=sum(late for *_, late in signed),
        people=Listing(signed, len(signed)),
    )
