"""[I/O] Asking the index for the report: within a period, by statements of our own words, in bounded memory.

The report asks much of the same rows, so it makes a table of its own first: `shown`, the identifiers that were given to
a caller or a model as they were. It stands in the connection's temporary database, a file without a name that is gone
with the connection; the index itself is opened to be read only.
"""

from __future__ import annotations

import itertools
import sqlite3
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import orjson

from phigate.audit.index.database import IndexFault
from phigate.audit.report.parts import Listing
from phigate.audit.report.periods import DAY
from phigate.audit.report.unusual import WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from phigate.audit.report.periods import Period

TOP: Final = 25
"""Rows of a table that could be long."""
PAST: Final = WINDOW * DAY
"""Seconds before the period that people are measured by."""
IN_PERIOD: Final = "at >= :since AND at < :until"
PERSON: Final = "coalesce(issuer, '-'), coalesce(subject, '-')"
_SHOWN: Final = """
CREATE TEMP TABLE shown AS
SELECT at, exchange_id, coalesce(issuer, '-') AS issuer, coalesce(subject, '-') AS subject, purpose, rule, model, side,
    value
FROM exchange JOIN identifier ON exchange_id = exchange.id
WHERE revealed = 1 AND at < :until AND (at >= :since OR (at >= :past AND side = 'out'))
"""
_MEMORY: Final = 32 * 1024
"""KB of pages that are kept in memory."""

type Row = tuple[Any, ...]


class Index(Protocol):
    """What the report needs of one: where it is, while somebody holds it open."""

    @property
    def path(self) -> Path: ...


class Asking:
    """One index, one period: `:since`, `:until` and `:past` are known to every statement; to be closed."""

    def __init__(self, index: Index, period: Period) -> None:
        self.period: Final = period
        self._path = index.path
        self._times = {"since": period.since, "until": period.until, "past": period.since - PAST}
        self._db = sqlite3.connect(f"{index.path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        for pragma in ("trusted_schema = OFF", "temp_store = FILE", f"cache_size = -{_MEMORY}"):
            self._db.execute(f"PRAGMA {pragma}")
        next(self.rows(_SHOWN), None)

    def rows(self, sql: str, **params: object) -> Iterator[Row]:
        try:
            yield from self._db.execute(sql, {**self._times, **params})
        except sqlite3.DatabaseError as fault:
            raise IndexFault(f"{self._path}: the index cannot be read ({fault.sqlite_errorname})") from None

    def one(self, sql: str, **params: object) -> Row | None:
        return next(self.rows(sql, **params), None)

    def count(self, what: str, **params: object) -> int:
        """How many rows; `what` is a table with its condition."""
        ((found,),) = self.rows(f"SELECT COUNT(*) FROM {what}", **params)  # noqa: S608 -- our own words
        return int(found)

    def top[Made](self, sql: str, make: Callable[..., Made], most: int = TOP) -> Listing[Made]:
        """The first rows of a sorted statement, each made by `make`, and how many there were."""
        walk = self.rows(sql)
        kept = [make(*each) for each in itertools.islice(walk, most)]
        return Listing(kept, len(kept) + sum(1 for _ in walk))

    def time(self, at: float) -> datetime:
        return self.period.time_at(at)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def row(*values: Any) -> Row:
    """A row as it is."""
    return values


def names(listed: object) -> list[str]:
    """A JSON list of names, as the index keeps one."""
    try:
        found = orjson.loads(str(listed))
    except ValueError:
        return []
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
