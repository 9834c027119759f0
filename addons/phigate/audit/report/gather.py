"""What happened in a period: the report's parts, gathered from the index.

Nothing here grows with the number of exchanges: tables are cut and say how many rows there were, people are looked at
one after another, and counting is left to SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.audit.report import activity as report_activity
from phigate.audit.report import approvals as report_approvals
from phigate.audit.report import identifiers as report_identifiers
from phigate.audit.report import people as report_people
from phigate.audit.report import traffic as report_traffic
from phigate.audit.report import walk as report_walk
from phigate.audit.report.parts import Integrity, Report
from phigate.audit.report.sql import Asking

if TYPE_CHECKING:
    from datetime import datetime

    from phigate.audit.report.periods import Period
    from phigate.audit.report.sql import Index
    from phigate.policy.schema import Policy


def gather(
    index: Index,
    period: Period,
    made: datetime,
    software: str,
    *,
    integrity: Integrity | None = None,
    policy: Policy | None = None,
) -> Report:
    """Everything about `period`.

    `integrity` is what the proof of the files said, None when none was made; `policy` is one whose masks are explained.
    """
    with Asking(index, period) as asking:
        walk = report_walk.walk(asking)
        return Report(
            period=period,
            made=made,
            software=software,
            coverage=report_traffic.coverage(asking, walk),
            course=report_traffic.course(asking, walk),
            identities=report_people.identities(asking, walk),
            decisions=report_people.decisions(walk),
            emergencies=report_people.emergencies(asking),
            reviews=report_people.reviews(asking),
            approvals=report_approvals.approvals(asking),
            reviewing=report_approvals.reviewing(asking, made),
            disclosures=report_identifiers.disclosures(asking),
            masks=report_identifiers.masks(asking, walk, policy),
            activity=report_activity.activity(asking),
            looks=report_people.looks(asking),
            retention=report_traffic.retention(asking, policy),
            integrity=integrity or Integrity(),
        )
