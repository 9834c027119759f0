"""Which exchanges: a question's filters as SQL over the index, and the records of those found, from the files."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from phigate.audit.index import places
from phigate.audit.index.database import Index, IndexFault
from phigate.journal import chain, read, zst

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from sqlite3 import Row


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which exchanges count; None is any. Times are seconds since the epoch: from `since`, before `until`."""

    exchange: str | None = None
    subject: str | None = None
    issuer: str | None = None
    session: str | None = None
    role: str | None = None
    model: str | None = None
    action: str | None = None
    verb: str | None = None
    rule: str | None = None
    reason: str | None = None
    entity: str | None = None
    outcome: str | None = None
    since: float | None = None
    until: float | None = None

    def where(self) -> tuple[str, dict[str, Any]]:
        """A condition on rows of the table `exchange`, and its parameters."""
        asked = [(test, name) for name, test in _TESTS.items() if getattr(self, name) is not None]
        return " AND ".join(test for test, _ in asked) or "1", {name: getattr(self, name) for _, name in asked}


_TESTS = {
    **{
        name: f"exchange.{name} = :{name}"
        for name in ("exchange", "subject", "issuer", "session", "model", "verb", "rule", "reason", "outcome")
    },
    "role": "EXISTS (SELECT 1 FROM json_each(exchange.roles) WHERE value = :role)",
    "action": "EXISTS (SELECT 1 FROM json_each(exchange.actions) WHERE value = :action)",
    "entity": "EXISTS (SELECT 1 FROM found WHERE found.exchange_id = exchange.id AND found.entity = :entity)",
    "since": "exchange.at >= :since",
    "until": "exchange.at < :until",
}
"""By the field of Wanted that gives the parameter."""


def exchanges(index: Index, wanted: Wanted | None = None) -> Iterator[Row]:
    """The rows of `exchange` that are wanted, in order of time."""
    where, params = (wanted or Wanted()).where()
    return index.rows(f"SELECT * FROM exchange WHERE {where} ORDER BY at, id", params)  # noqa: S608 -- our own names


def records(index: Index, exchange: str) -> list[dict[str, Any]]:
    """The records of one exchange in the order in which they were written; empty when the journal knows none."""
    return list(_read(index, "SELECT id FROM exchange WHERE exchange = :exchange", {"exchange": exchange}))


def walk(index: Index, wanted: Wanted | None = None) -> Iterator[list[dict[str, Any]]]:
    """The records of each exchange that is wanted, every file read once; in the order in which they were complete.

    Memory grows with the exchanges that are under way at once.
    """
    where, params = (wanted or Wanted()).where()
    ids = f"SELECT id FROM exchange WHERE {where}"  # noqa: S608 -- our own names
    count = f"SELECT exchange, count(*) FROM place JOIN exchange ON exchange.id = exchange_id WHERE exchange_id IN ({ids}) GROUP BY exchange_id HAVING count(*) > 2"  # noqa: S608, E501 -- our own names
    due = {row[0]: int(row[1]) for row in index.rows(count, params)}
    under_way: dict[str, list[dict[str, Any]]] = {}
    for record in _read(index, ids, params):
        exchange = record["exchange"]
        have = under_way.setdefault(exchange, [])
        have.append(record)
        if len(have) >= due.get(exchange, 2):
            yield under_way.pop(exchange)
    yield from under_way.values()


def _read(index: Index, ids: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The records at the places of these exchanges, file after file."""
    found = index.rows(
        "SELECT file.name, offset, length, exchange.exchange, place.kind FROM place"  # noqa: S608 -- our own names
        " JOIN file ON file.id = file_id JOIN exchange ON exchange.id = exchange_id"
        f" WHERE exchange_id IN ({ids}) ORDER BY file.instance, file.first_seq, file.name, offset",
        params,
    )
    paths = {file.name: file.path for file in read.files(index.folder)}
    for name, rows in groupby(found, key=lambda row: str(row[0])):
        wanted = [tuple(row) for row in rows]
        yield from _lines(name, paths.get(name), wanted)


def _lines(name: str, path: Path | None, wanted: list[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    try:
        if path is None:
            raise FileNotFoundError
        lines = places.lines_at(path, [(offset, length) for _, offset, length, _, _ in wanted])
        for (_, _, _, exchange, kind), line in zip(wanted, lines, strict=True):
            record = chain.parse(line)
            if record is None or (record.get("exchange"), record["kind"]) != (exchange, kind):
                raise IndexFault(_changed(name))
            yield record
    except (OSError, zst.Damaged):
        raise IndexFault(_changed(name)) from None


def _changed(name: str) -> str:
    return f"{name}: not what it was when it was indexed; remove `index.db` and ask again, and `phigate verify` it"
