"""Sessions: a subject's exchanges under one bearer, or under the client's own session header, in figures.

Read from the index, the latest first, and no further than so many of them: what a question costs grows with what is
shown, and with what has to be passed over to find it, not with the journal.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from phigate.audit.index.exchanges import Wanted
from phigate.journal import chain

if TYPE_CHECKING:
    from sqlite3 import Row

    from phigate.audit.index.database import Index

MODELS: Final = 32
"""Names of models a summary keeps apart; the rest count as OTHERS."""
OTHERS: Final = "(others)"
type Key = tuple[str | None, str | None, str | None]
"""Session, issuer, subject."""

_OWN = "exchange.session IS :session_ AND +exchange.issuer IS :issuer_ AND +exchange.subject IS :subject_"
"""The signs keep SQLite to the lookup by session: a subject has many."""


@dataclass(slots=True)
class Summary:
    """One session in figures; `first` and `last` as the journal writes times."""

    session: str
    issuer: str
    subject: str
    first: str
    last: str
    roles: tuple[str, ...] = ()
    exchanges: int = 0
    models: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)


def latest(index: Index, wanted: Wanted | None = None, limit: int = 100) -> tuple[list[Summary], bool]:
    """The `limit` sessions in which something wanted was asked last, latest first, and whether there are more.

    Their figures are those of the exchanges that are wanted.
    """
    wanted = wanted or Wanted()
    keys = _keys(index, wanted, limit + 1)
    found = [_summary(index, wanted, key) for key in keys[:limit]]
    return sorted(found, key=lambda summary: summary.last, reverse=True), len(keys) > limit


def _keys(index: Index, wanted: Wanted, limit: int) -> list[Key]:
    where, params = wanted.where()
    rows = index.rows(
        "SELECT session, issuer, subject FROM exchange"  # noqa: S608 -- our own names
        f" WHERE {where} AND verb IS NOT NULL ORDER BY at DESC, id DESC",  # what is left of a lost request has none
        params,
    )
    keys: dict[Key, None] = {}
    for session, issuer, subject in rows:
        keys[session, issuer, subject] = None
        if len(keys) >= limit:
            break
    return list(keys)


def _summary(index: Index, wanted: Wanted, key: Key) -> Summary:
    where, params = wanted.where()
    params |= dict(zip(("session_", "issuer_", "subject_"), key, strict=True))
    where = f"{_OWN} AND verb IS NOT NULL AND {where}"
    session, issuer, subject = (each or "-" for each in key)
    roles = index.one(f"SELECT roles FROM exchange WHERE {where} ORDER BY at DESC, id DESC LIMIT 1", params)  # noqa: S608 -- our own names
    summary = Summary(session, issuer, subject, "", "", names(roles[0]) if roles else ())
    for row in index.rows(
        "SELECT model, verb, held, outcome, count(*) AS n, min(ts) AS first, max(ts) AS last, max(ended) AS ended"  # noqa: S608 -- our own names
        f" FROM exchange WHERE {where} GROUP BY model, verb, held, outcome",
        params,
    ):
        _count(summary, row)
    found = index.rows(
        "SELECT entity, sum(n) FROM found JOIN exchange ON exchange.id = exchange_id"  # noqa: S608 -- our own names
        f" WHERE {where} GROUP BY entity",
        params,
    )
    summary.findings.update({entity: n for entity, n in found if n})
    return summary


def _count(summary: Summary, row: Row) -> None:
    """Add a group of exchanges that are alike."""
    n, ended = row["n"], row["ended"]
    over = chain.stamp(datetime.fromtimestamp(ended, UTC)) if ended is not None else ""
    summary.first = min(summary.first or row["first"], row["first"])
    summary.last = max(summary.last, row["last"], over)
    summary.exchanges += n
    model = row["model"] or "-"
    summary.models[model if model in summary.models or len(summary.models) < MODELS else OTHERS] += n
    summary.decisions[row["verb"]] += n
    if row["held"] and row["verb"] != "hold":
        summary.decisions["hold"] += n
    if row["outcome"]:
        summary.outcomes[row["outcome"]] += n


def names(listed: Any) -> tuple[str, ...]:
    """A column that is a list."""
    found = orjson.loads(listed or "[]")
    return tuple(map(str, found)) if isinstance(found, list) else ()
