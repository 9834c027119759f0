"""Records into the index's tables: one exchange's records, wherever they stand, become one row.

An exchange's row is kept in memory until its answer is there (LIVE of them at most) and written with many others at
once. What comes later for a row that was written reads it back first. A connection, its transactions and the places
of the lines are given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from phigate.audit.index import rows
from phigate.audit.index.rows import ANSWERS, ASKS, COLUMNS, EVENTS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from phigate.audit.index.rows import Record, Values

LIVE: Final = 20_000
"""Exchanges in memory."""
BATCH: Final = 5_000
"""Records after which what is complete is written."""

_EXCHANGE: Final = (
    f"INSERT OR REPLACE INTO exchange(id, {', '.join(COLUMNS)}) VALUES({', '.join('?' * (len(COLUMNS) + 1))})"
)
_READ: Final = f"SELECT id, {', '.join(COLUMNS)} FROM exchange WHERE exchange = ?"  # noqa: S608 -- our own names
_PLACE: Final = "INSERT OR REPLACE INTO place VALUES(?, ?, ?, ?, ?, ?)"
_FOUND: Final = "INSERT OR REPLACE INTO found VALUES(?, ?, ?, ?)"
_IDENTIFIER: Final = "INSERT INTO identifier VALUES(?, ?, ?, ?)"
_SHOWN: Final = "UPDATE identifier SET revealed = 1 WHERE exchange_id = ? AND value = ? AND side = 'in'"
_EVENT: Final = (
    "INSERT INTO event(kind, ts, at, subject, issuer, instance, fields, file_id, offset, length)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_EMPTY: Final[dict[str, Any]] = {**dict.fromkeys(COLUMNS), "roles": "[]", "groups": "[]", "actions": "[]", "held": 0}


@dataclass(slots=True)
class _Row:
    id: int
    values: Values
    over: bool = False
    """Its answer is on record: nothing more is expected."""


@dataclass(slots=True)
class _Waiting:
    """Rows that are not written yet."""

    place: list[tuple[Any, ...]] = field(default_factory=list)
    found: list[tuple[Any, ...]] = field(default_factory=list)
    identifier: list[tuple[Any, ...]] = field(default_factory=list)
    shown: list[tuple[Any, ...]] = field(default_factory=list)
    event: list[tuple[Any, ...]] = field(default_factory=list)


class Intake:
    """Takes records in the order of their files; `flush` writes what it has, and belongs before every commit."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        (self._last,) = db.execute("SELECT coalesce(max(id), 0) FROM exchange").fetchone()
        self._live: dict[str, _Row] = {}
        self._waiting = _Waiting()
        self._taken = 0

    def add(self, record: Record, file_id: int, offset: int, length: int, *, again: bool = False) -> None:
        """One record and where its line stands, in bytes of the plain file; `again` when its event is there already."""
        kind, exchange = record["kind"], record.get("exchange")
        about = exchange if isinstance(exchange, str) else None
        if about is not None:
            row = self._row(about)
            if row.values["at"] is None:  # until its request comes, or for good where that is in no file that there is
                row.values |= rows.standing(record)
            self._waiting.place.append((row.id, kind, file_id, offset, length, record["seq"]))
            if kind in ASKS:
                self._ask(row, record)
            elif kind in ANSWERS:
                self._answer(row, record)
            elif kind == "message" and record.get("from") == "caller":  # the model's stand in the response
                self._side(row.id, record, "in")
        if not again and (about is None or kind in EVENTS):
            self._waiting.event.append((*rows.event(record), file_id, offset, length))
        self._taken += 1
        if self._taken % BATCH == 0:
            self._write(everything=len(self._live) > LIVE)

    def flush(self) -> None:
        self._write(everything=True)

    def _ask(self, row: _Row, record: Record) -> None:
        values = row.values
        held = bool(values["held"])  # then its prompt is counted already
        values |= rows.asked(record)
        values["held"] = int(held or record["kind"] == "hold")
        row.over = record["kind"] == "request" and values["verb"] not in ("permit", "break_glass")
        if not held:
            self._side(row.id, record, "in")
        else:  # whether the model got it is known only now
            self._waiting.shown.extend((row.id, value) for value, shown in rows.identifiers(record) if shown)

    def _answer(self, row: _Row, record: Record) -> None:
        row.values |= rows.answered(record)
        row.over = True
        self._side(row.id, record, "out")

    def _side(self, row: int, record: Record, side: str) -> None:
        self._waiting.found.extend((row, entity, side, n) for entity, n in rows.findings(record))
        self._waiting.identifier.extend((value, row, side, shown) for value, shown in rows.identifiers(record))

    def _row(self, exchange: str) -> _Row:
        row = self._live.get(exchange)
        if row is None:
            row = self._live[exchange] = self._known(exchange) or self._new(exchange)
        return row

    def _known(self, exchange: str) -> _Row | None:
        found = self._db.execute(_READ, (exchange,)).fetchone()
        return _Row(found[0], dict(zip(COLUMNS, found[1:], strict=True))) if found else None

    def _new(self, exchange: str) -> _Row:
        self._last += 1
        return _Row(self._last, {**_EMPTY, "exchange": exchange})

    def _write(self, *, everything: bool) -> None:
        waiting, self._waiting = self._waiting, _Waiting()
        self._db.executemany(_EXCHANGE, self._due(everything=everything))
        self._db.executemany(_PLACE, waiting.place)
        self._db.executemany(_FOUND, waiting.found)
        self._db.executemany(_IDENTIFIER, waiting.identifier)
        self._db.executemany(_SHOWN, waiting.shown)
        self._db.executemany(_EVENT, waiting.event)

    def _due(self, *, everything: bool) -> Iterator[tuple[Any, ...]]:
        live, self._live = self._live, {}
        for exchange, row in live.items():
            if everything or row.over:
                yield (row.id, *(row.values[name] for name in COLUMNS))
            else:
                self._live[exchange] = row
