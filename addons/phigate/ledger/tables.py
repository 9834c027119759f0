"""The ledger's tables, and the steps that lead to them.

- A step that was released is never changed: what comes after it is a further step.
- A step's statements are their own, not made from the tables as they are today; a test compares where they lead.
- They are written such that SQLite and PostgreSQL both understand them.

Alembic would bring a folder, scripts and a configuration of its own for what is a handful of statements here, and the
lock between two gateways that start at once would still be ours to take.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Double, Integer, LargeBinary, MetaData, Table, Text

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

STEPS: Final[tuple[tuple[str, ...], ...]] = (_FIRST,)
"""STEPS[n] leads from version n to n + 1."""
