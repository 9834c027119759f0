"""What the report says, as plain values: each part a section of the page or a table in one.

Nothing of a body, and no reason that a person typed: those may name a patient. What stands here was still written by
strangers (names of subjects, models, programs, rules), and is escaped where it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from phigate.audit.report.periods import Period
    from phigate.audit.report.unusual import Unusual
    from phigate.journal.proof import Verdict


@dataclass(frozen=True, slots=True)
class Listing[Row]:
    """The first rows of a longer table; `total` is how many there are."""

    rows: Sequence[Row] = ()
    total: int = 0

    @property
    def more(self) -> int:
        return self.total - len(self.rows)


@dataclass(frozen=True, slots=True)
class Instance:
    """One gateway's files, all that the folder holds; `gaps` says where record numbers do not go on."""

    name: str
    files: int
    records: int
    gaps: tuple[str, ...]
    opened: int
    closed: int
    recovered: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts of exchanges; `missing` were permitted and have no answer on record, `orphans` have no request."""

    exchanges: int
    permitted: int
    held: int
    denied: int
    break_glass: int
    missing: int
    orphans: int
    outcomes: Sequence[tuple[str, int]]
    instances: Sequence[Instance]


@dataclass(frozen=True, slots=True)
class Course:
    """Over the time, a value for each bar of `Period.bars`; seconds are nearest-rank percentiles of whole exchanges."""

    permitted: Sequence[int]
    held: Sequence[int]
    denied: Sequence[int]
    p50: Sequence[float | None]
    p95: Sequence[float | None]
    own: Sequence[float | None]
    """The 95th percentile of the gateway's own work."""
    shown: Sequence[int]
    hidden: Sequence[int]
    """Identifiers in answers: given to the caller as they were, or hidden."""
    week: Sequence[Sequence[int]]
    """Exchanges by weekday (Monday first) and hour."""


@dataclass(frozen=True, slots=True)
class Person:
    issuer: str
    subject: str
    roles: str
    exchanges: int
    denied: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Identities:
    """`issuers` and `roles`: name, people, exchanges. `refused`: reason, bearers that were not believed."""

    people: Listing[Person]
    issuers: Sequence[tuple[str, int, int]]
    roles: Listing[tuple[str, int, int]]
    sessions: int
    refused: Sequence[tuple[str, int]]
    programs: Listing[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Decisions:
    """`permitted`: rule, exchanges, people. `others`: verb, rule, reason, exchanges, people."""

    permitted: Listing[tuple[str, int, int]]
    others: Listing[tuple[str, str, str, int, int]]


@dataclass(frozen=True, slots=True)
class Emergency:
    """One use of break-glass; `reviewed` is when somebody looked at it, `by` who."""

    at: datetime
    exchange: str
    subject: str
    rule: str
    decided: str
    reviewed: datetime | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Approvals:
    """`rules`: rule, tickets opened, granted, rejected, taken back, expired without enough answers.

    `people`: issuer, subject, how often they said yes, and no. `ways`: where, answers.
    """

    rules: Listing[tuple[str, int, int, int, int, int]]
    people: Listing[tuple[str, str, int, int]]
    ways: Sequence[tuple[str, int]]
    expired: int


@dataclass(frozen=True, slots=True)
class Reviewing:
    """Uses of break-glass by how they were reviewed; `people`: who reviewed, how many in time, how many late."""

    open: int
    overdue: int
    in_time: int
    late: int
    people: Listing[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class Disclosures:
    """Identifiers that were in an answer and reached the caller as they were: in how many answers, how many of them.

    `purposes`: purpose, exchanges, people, distinct identifiers. `kinds`: entity, exchanges, distinct identifiers.
    `recipients`: issuer, subject, purpose, exchanges, distinct identifiers. `models`: the same of prompts, as the model
    got them: model, exchanges, distinct identifiers. `untold` exchanges do not say what was shown.
    """

    answers: int
    distinct: int
    purposes: Sequence[tuple[str, int, int, int]]
    kinds: Sequence[tuple[str, int, int]]
    recipients: Listing[tuple[str, str, str, int, int]]
    models: Listing[tuple[str, int, int]]
    untold: int


@dataclass(frozen=True, slots=True)
class Change:
    """The policy file was read; a faulty one left the one before in force."""

    at: datetime
    policy: str
    was: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class Masks:
    """`rules`: rule, mask, roles, exchanges, people.

    `entities`: rule, entity, answers it was found in, answers that showed
    it. `policies`: hash, first used, last used, exchanges.
    """

    rules: Listing[tuple[str, str, str, int, int]]
    entities: Listing[tuple[str, str, int, int]]
    policies: Listing[tuple[str, datetime, datetime, int]]
    changes: Listing[Change]
    profiled: str = ""
    """The hash of the policy that `profiles` are from: mask, and what it makes of each kind."""
    profiles: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """Something unusual about somebody."""

    issuer: str
    subject: str
    what: Unusual


@dataclass(frozen=True, slots=True)
class Activity:
    """`judged` people had a past to be measured by, `unjudged` had none; `journal` is the first day of any record.

    `addresses`: where bearers came from that were not believed: address, bearers, in the worst minute.
    """

    told: Listing[Told]
    judged: int
    unjudged: int
    journal: date | None
    addresses: Listing[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class Proven:
    """Which records of one instance follow from one another, were signed, are held by an anchor elsewhere."""

    instance: str
    records: int
    chained: str
    signed: str
    signed_at: str | None
    anchored: str


@dataclass(frozen=True, slots=True)
class Integrity:
    """What `phigate verify` said of the folder; not `checked` when nobody gave a key.

    `faults` and `notices`: instance, place, what it is; there are `fault_count` faults.
    """

    checked: bool = False
    verdict: Verdict = "untold"
    proven: Sequence[Proven] = ()
    faults: Sequence[tuple[str, str, str]] = ()
    fault_count: int = 0
    notices: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True, slots=True)
class Looks:
    """Who read the journal: who, with which command, how often, when last."""

    rows: Listing[tuple[str, str, int, datetime]]
    total: int


@dataclass(frozen=True, slots=True)
class Retention:
    """Of the whole folder: the oldest and newest exchange, the size of all lines in bytes, what was pruned."""

    oldest: datetime | None
    newest: datetime | None
    bytes: int
    records: int
    prunes: int
    flaws: int
    keep: int | None = None
    """Days that records are kept, by a policy that was given."""


@dataclass(frozen=True, slots=True)
class Report:
    period: Period
    made: datetime
    software: str
    coverage: Coverage
    course: Course
    identities: Identities
    decisions: Decisions
    emergencies: Listing[Emergency]
    reviews: int
    approvals: Approvals
    reviewing: Reviewing
    disclosures: Disclosures
    masks: Masks
    activity: Activity
    looks: Looks
    retention: Retention
    integrity: Integrity = field(default_factory=Integrity)
