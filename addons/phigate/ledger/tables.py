"""The ledger's tables, and the steps that lead to them.

- A step that was released is never changed: what comes after it is a further step.
- A step's statements are their own, not made from the tables as they are today; a test compares where they lead.
- They are written such that SQLite and PostgreSQL both understand them.

Alembic would bring a folder, scripts and a configuration of its own for what is a handful of statements here, and the
lock between two gateways that start at once would still be ours to take.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text, text

METADATA: Final = MetaData()

VERSIONS: Final = Table("phigate_version", METADATA, Column("version", Integer, primary_key=True, autoincrement=False))
"""One row for each step that was taken."""

COUNTER: Final = Table(
    "phigate_counter",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("number", Integer, nullable=False),
)
"""The last number given. Whoever gives the next holds this row until the end of the transaction, so that numbers
become visible in their order; those of a sequence would not."""

SPENT: Final = Table(
    "phigate_spent",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("expires", Double, nullable=False, index=True),
)

REVOKED: Final = Table(
    "phigate_revoked",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text),
    Column("jti", Text),
    Column("cut", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

KEYS: Final = Table(
    "phigate_keys",
    METADATA,
    Column("kid", Text, primary_key=True),
    Column("instance", Text, nullable=False),
    Column("public", Text, nullable=False),
    Column("active_from", Double, nullable=False),
    Column("expires", Double, nullable=False),
)

TICKETS: Final = Table(
    "phigate_tickets",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("actions", Text, nullable=False),
    Column("model", Text),
    Column("digest", Text, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("approvers", Text, nullable=False),
    Column("approvals", Integer, nullable=False),
    Column("lasts", Double, nullable=False),
    Column("uses", Integer),
    Column("bound", Integer, nullable=False),
    Column("opened", Double, nullable=False),
    Column("until", Double, nullable=False),
    Column("shown", Text, nullable=False),
    Column("expires", Double, nullable=False, index=True),
    Column("rule_hash", Text),
    Column("telling", Double, index=True),
)
"""Lists are words with blanks between them, `shown` is JSON; `expires` is when the row goes;
`rule_hash` is of the rule as it was then, with all that it names; from `telling` on it is to be told that it lapsed."""
_OPEN: Final = text("state IN ('pending', 'approved')")
Index(
    "ix_phigate_tickets_open",
    *(TICKETS.c[name] for name in ("issuer", "subject", "digest", "rule")),
    unique=True,
    sqlite_where=_OPEN,
    postgresql_where=_OPEN,
)
Index("ix_phigate_tickets_state", TICKETS.c.state, TICKETS.c.opened)
Index("ix_phigate_tickets_subject", TICKETS.c.issuer, TICKETS.c.subject, TICKETS.c.opened)

VERDICTS: Final = Table(
    "phigate_verdicts",
    METADATA,
    Column("ticket", Text, primary_key=True),
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("expires", Double, nullable=False, index=True),
    Column("groups", Text),
    Column("via", Text),
)
"""Its key: nobody is counted twice, whatever happens above. `groups`, a list in JSON, are those of the speaker."""

GRANTS: Final = Table(
    "phigate_grants",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("ticket", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("actions", Text, nullable=False),
    Column("model", Text),
    Column("digest", Text),
    Column("starts", Double, nullable=False),
    Column("expires", Double, nullable=False, index=True),
    Column("uses", Integer),
    Column("revoked", Double),
    Column("rule_hash", Text),
)
"""`uses` are those that are left; a ticket gives one grant, ever."""
Index("ix_phigate_grants_ticket", GRANTS.c.ticket, unique=True)
Index("ix_phigate_grants_subject", GRANTS.c.issuer, GRANTS.c.subject)

USES: Final = Table(
    "phigate_uses",
    METADATA,
    Column("grant_id", Text, primary_key=True),
    Column("exchange", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("expires", Double, nullable=False, index=True),
)

REVIEWS: Final = Table(
    "phigate_reviews",
    METADATA,
    Column("exchange", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("review_by", Text, nullable=False),
    Column("opened", Double, nullable=False),
    Column("shown", Text, nullable=False),
    Column("signed", Double),
    Column("signed_issuer", Text),
    Column("signed_subject", Text),
    Column("signed_verdict", Text),
    Column("signed_comment", Text),
    Column("expires", Double, nullable=False, index=True),
    Column("due", Double),
)
_UNSIGNED: Final = text("signed IS NULL")
Index("ix_phigate_reviews_open", REVIEWS.c.due, sqlite_where=_UNSIGNED, postgresql_where=_UNSIGNED)

OUTBOX: Final = Table(
    "phigate_outbox",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("hook", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("due", Double, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("claimed", Double, nullable=False),
    Column("expires", Double, nullable=False, index=True),
)
"""What is still to be told, one row for each that is told it: not before `due`, and by whoever claimed it until
`claimed`."""
Index("ix_phigate_outbox_due", OUTBOX.c.due)

CODES: Final = Table(
    "phigate_codes",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("ticket", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("groups", Text, nullable=False),
    Column("expires", Double, nullable=False, index=True),
)
"""One-time codes: who may answer a ticket where nobody can show a bearer; `groups` is JSON: the groups, and what
else of the bearer counts (codes.py)."""

COUNTS: Final = Table(
    "phigate_counts",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("requests", LargeBinary, nullable=False),
    Column("places", Text, nullable=False),
    Column("expires", Double, nullable=False, index=True),
)
"""What is counted of one limit for one person, or for all together: the requests of a period, and in JSON how many
exchanges each gateway has under way. Times are the database's."""

LEASES: Final = Table(
    "phigate_leases",
    METADATA,
    Column("gateway", Text, primary_key=True),
    Column("expires", Double, nullable=False),
)
"""Until when the places of a gateway are its own, by the database's clock."""

_FIRST: Final = (
    "CREATE TABLE phigate_counter (name TEXT NOT NULL PRIMARY KEY, number INTEGER NOT NULL)",
    "INSERT INTO phigate_counter (name, number) VALUES ('revoked', 0)",
    """CREATE TABLE phigate_spent (
        kind TEXT NOT NULL,
        digest BYTEA NOT NULL,
        expires DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (kind, digest)
    )""",
    "CREATE INDEX ix_phigate_spent_expires ON phigate_spent (expires)",
    """CREATE TABLE phigate_revoked (
        number INTEGER NOT NULL PRIMARY KEY,
        issuer TEXT NOT NULL,
        subject TEXT,
        jti TEXT,
        cut DOUBLE PRECISION NOT NULL,
        expires DOUBLE PRECISION NOT NULL,
        "by" TEXT NOT NULL,
        reason TEXT NOT NULL
    )""",
    """CREATE TABLE phigate_keys (
        kid TEXT NOT NULL PRIMARY KEY,
        instance TEXT NOT NULL,
        public TEXT NOT NULL,
        active_from DOUBLE PRECISION NOT NULL,
        expires DOUBLE PRECISION NOT NULL
    )""",
)

_SECOND: Final = (
    """CREATE TABLE phigate_tickets (
        id TEXT NOT NULL PRIMARY KEY,
        state TEXT NOT NULL,
        rule TEXT NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        actions TEXT NOT NULL,
        model TEXT,
        digest TEXT NOT NULL,
        exchange TEXT NOT NULL,
        policy TEXT NOT NULL,
        approvers TEXT NOT NULL,
        approvals INTEGER NOT NULL,
        lasts DOUBLE PRECISION NOT NULL,
        uses INTEGER,
        bound INTEGER NOT NULL,
        opened DOUBLE PRECISION NOT NULL,
        until DOUBLE PRECISION NOT NULL,
        shown TEXT NOT NULL,
        expires DOUBLE PRECISION NOT NULL
    )""",
    """CREATE UNIQUE INDEX ix_phigate_tickets_open ON phigate_tickets (issuer, subject, digest, rule)
        WHERE state IN ('pending', 'approved')""",
    "CREATE INDEX ix_phigate_tickets_state ON phigate_tickets (state, opened)",
    "CREATE INDEX ix_phigate_tickets_expires ON phigate_tickets (expires)",
    """CREATE TABLE phigate_verdicts (
        ticket TEXT NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        verdict TEXT NOT NULL,
        comment TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        expires DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (ticket, issuer, subject)
    )""",
    "CREATE INDEX ix_phigate_verdicts_expires ON phigate_verdicts (expires)",
    """CREATE TABLE phigate_grants (
        id TEXT NOT NULL PRIMARY KEY,
        ticket TEXT NOT NULL,
        rule TEXT NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        actions TEXT NOT NULL,
        model TEXT,
        digest TEXT,
        starts DOUBLE PRECISION NOT NULL,
        expires DOUBLE PRECISION NOT NULL,
        uses INTEGER,
        revoked DOUBLE PRECISION
    )""",
    "CREATE UNIQUE INDEX ix_phigate_grants_ticket ON phigate_grants (ticket)",
    "CREATE INDEX ix_phigate_grants_subject ON phigate_grants (issuer, subject)",
    "CREATE INDEX ix_phigate_grants_expires ON phigate_grants (expires)",
    """CREATE TABLE phigate_uses (
        grant_id TEXT NOT NULL,
        exchange TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        expires DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (grant_id, exchange)
    )""",
    "CREATE INDEX ix_phigate_uses_expires ON phigate_uses (expires)",
    """CREATE TABLE phigate_reviews (
        exchange TEXT NOT NULL PRIMARY KEY,
        rule TEXT NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        review_by TEXT NOT NULL,
        opened DOUBLE PRECISION NOT NULL,
        shown TEXT NOT NULL,
        signed DOUBLE PRECISION,
        signed_issuer TEXT,
        signed_subject TEXT,
        signed_verdict TEXT,
        signed_comment TEXT,
        expires DOUBLE PRECISION NOT NULL
    )""",
    "CREATE INDEX ix_phigate_reviews_expires ON phigate_reviews (expires)",
)

_THIRD: Final = (
    "ALTER TABLE phigate_tickets ADD COLUMN rule_hash TEXT",
    "ALTER TABLE phigate_grants ADD COLUMN rule_hash TEXT",
    "ALTER TABLE phigate_verdicts ADD COLUMN groups TEXT",
    "ALTER TABLE phigate_verdicts ADD COLUMN via TEXT",
    "ALTER TABLE phigate_reviews ADD COLUMN due DOUBLE PRECISION",
    "UPDATE phigate_reviews SET due = opened + 259200",
    "CREATE INDEX ix_phigate_reviews_open ON phigate_reviews (due) WHERE signed IS NULL",
    "ALTER TABLE phigate_tickets ADD COLUMN telling DOUBLE PRECISION",
    "UPDATE phigate_tickets SET telling = until WHERE state IN ('pending', 'approved')",
    "CREATE INDEX ix_phigate_tickets_telling ON phigate_tickets (telling)",
    "CREATE INDEX ix_phigate_tickets_subject ON phigate_tickets (issuer, subject, opened)",
    """CREATE TABLE phigate_outbox (
        id TEXT NOT NULL PRIMARY KEY,
        hook TEXT NOT NULL,
        event TEXT NOT NULL,
        body TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        due DOUBLE PRECISION NOT NULL,
        tries INTEGER NOT NULL,
        claimed DOUBLE PRECISION NOT NULL,
        expires DOUBLE PRECISION NOT NULL
    )""",
    "CREATE INDEX ix_phigate_outbox_due ON phigate_outbox (due)",
    "CREATE INDEX ix_phigate_outbox_expires ON phigate_outbox (expires)",
    """CREATE TABLE phigate_codes (
        digest BYTEA NOT NULL PRIMARY KEY,
        ticket TEXT NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        groups TEXT NOT NULL,
        expires DOUBLE PRECISION NOT NULL
    )""",
    "CREATE INDEX ix_phigate_codes_expires ON phigate_codes (expires)",
)

_FOURTH: Final = (
    """CREATE TABLE phigate_counts (
        digest BYTEA NOT NULL PRIMARY KEY,
        requests BYTEA NOT NULL,
        places TEXT NOT NULL,
        expires DOUBLE PRECISION NOT NULL
    )""",
    "CREATE INDEX ix_phigate_counts_expires ON phigate_counts (expires)",
    "CREATE TABLE phigate_leases (gateway TEXT NOT NULL PRIMARY KEY, expires DOUBLE PRECISION NOT NULL)",
)

STEPS: Final[tuple[tuple[str, ...], ...]] = (_FIRST, _SECOND, _THIRD, _FOURTH)
"""STEPS[n] leads from version n to n + 1."""
