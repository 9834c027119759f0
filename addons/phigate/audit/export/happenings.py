"""What happened, for those who read it elsewhere: the exchanges and the other records of the index, in order of time.

An id is made of what a record is, never of where the index keeps it: the same journal gives the same ids again, so that
an export which is repeated is one export. Memory holds CHUNK exchanges, however many there are.
"""

from __future__ import annotations

import heapq
import uuid
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import orjson

from phigate.audit.export.clean import line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

EXCHANGE: Final = "exchange"
"""The kind of a happening that is no single record."""
CHUNK: Final = 500
_IDS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:phigate:record")
SERVED: Final = ("permit", "break_glass")
"""Verbs that a model's answer follows."""
_ENDS: Final = ("shutdown", "removed")
_NO: Final = ("deny", "reject", "rejected")

type Row = Mapping[str, Any]
type Found = Mapping[str, Mapping[str, int]]


class Rows(Protocol):
    """What is asked of the index."""

    def rows(self, sql: str, params: Sequence[Any] = ()) -> Iterator[Any]: ...


class Named(NamedTuple):
    """One keyed identifier: `side` is in (the prompt) or out (the answer); `revealed` is None where nothing says so."""

    entity: str
    digest: str
    side: str
    revealed: bool | None


@dataclass(frozen=True, slots=True)
class Happening:
    """An exchange (its columns are `row`) or another record (its members are `fields`).

    `at` is in seconds since the epoch, `found` counts findings by side and entity.
    """

    id: str
    kind: str
    at: float
    instance: str
    row: Row
    fields: Row = field(default_factory=dict)
    found: Found = field(default_factory=dict)
    named: tuple[Named, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected of it."""
        over = self.row.get("outcome") is not None or self.row.get("verb") not in SERVED
        return self.kind != EXCHANGE or over

    @property
    def turn(self) -> str | None:
        """`start` or `stop` where a record tells of a gateway's; a file that follows another is neither."""
        if self.kind == "opened" and self.fields.get("started") is True and not self.instance.endswith(".cli"):
            return "start"
        return "stop" if self.kind == "closed" and self.fields.get("reason") in _ENDS else None

    @property
    def went_well(self) -> bool:
        """Whether a record that is about no exchange tells of a success."""
        if self.kind == "policy":
            return self.fields.get("accepted") is True
        return self.kind != "refused" and self.fields.get("decision") not in _NO

    @property
    def by(self) -> dict[str, str]:
        """Whoever read the journal at a command line: `login` and `host`, or nothing."""
        return _by(self.fields.get("by"))


def stable_id(*parts: object) -> str:
    """A UUID (RFC 9562 version 5) that these always give."""
    return str(uuid.uuid5(_IDS, "\n".join(map(str, parts))))


def _by(said: object) -> dict[str, str]:
    """Who a command line's record says it was, by login and host."""
    who = said if isinstance(said, dict) else {}
    login, host = line(who.get("login")) or line(who.get("uid")), line(who.get("host"))
    return {"login": login, "host": host or "unknown"} if login else {}


def identified(happening: Happening, side: str) -> list[str]:
    """The keyed identifiers (`ENTITY:digest`) found on one side."""
    return [line(f"{each.entity}:{each.digest}") for each in happening.named if each.side == side]


def revealed(happening: Happening, side: str) -> list[str]:
    """Those of them that went on as they were."""
    return [line(f"{each.entity}:{each.digest}") for each in happening.named if each.side == side and each.revealed]


def counted(happening: Happening, side: str) -> dict[str, int]:
    """How many of each entity were found on one side."""
    return {line(entity): n for entity, n in happening.found.get(side, {}).items()}


def merged(*streams: Iterable[Happening]) -> Iterator[Happening]:
    """Several, each in order of time, in order of time."""
    return heapq.merge(*streams, key=lambda happening: (happening.at, happening.id))


def exchanges(index: Rows, rows: Iterable[Any]) -> Iterator[Happening]:
    """Happenings of rows of `exchange`, with what was found in them."""
    for chunk in batched(rows, CHUNK, strict=False):
        ids = [row["id"] for row in chunk]
        found, named = _found(index, ids), _named(index, ids)
        for row in chunk:
            about = dict(row)
            number = about["id"]
            yield Happening(
                stable_id(EXCHANGE, about["exchange"]),
                EXCHANGE,
                about["at"] or 0.0,
                about["instance"] or "",
                about,
                found=found.get(number, {}),
                named=tuple(named.get(number, ())),
            )


def events(
    index: Rows,
    since: float | None = None,
    until: float | None = None,
    subject: str | None = None,
    issuer: str | None = None,
) -> Iterator[Happening]:
    """Happenings of records that are about no exchange, in order of time; None is any."""
    asked = {"at >= ?": since, "at < ?": until, "subject = ?": subject, "issuer = ?": issuer}
    tests = [test for test, value in asked.items() if value is not None]
    sql = (
        "SELECT event.*, file.name AS file FROM event JOIN file ON file.id = event.file_id"  # noqa: S608 -- our own names
        f" WHERE {' AND '.join(f'event.{test}' for test in tests) or '1'} ORDER BY at, event.id"
    )
    for row in index.rows(sql, [value for value in asked.values() if value is not None]):
        about = dict(row)
        fields = orjson.loads(about["fields"])
        where = str(about["file"]).removesuffix(".zst")
        yield Happening(
            stable_id("record", where, about["offset"]),
            about["kind"],
            about["at"] or 0.0,
            about["instance"] or "",
            about,
            fields if isinstance(fields, dict) else {},
        )


def _found(index: Rows, ids: Sequence[int]) -> dict[int, dict[str, dict[str, int]]]:
    sql = f"SELECT exchange_id, side, entity, n FROM found WHERE exchange_id IN ({_marks(ids)}) ORDER BY side, entity"  # noqa: S608 -- marks only
    found: dict[int, dict[str, dict[str, int]]] = {}
    for number, side, entity, n in map(tuple, index.rows(sql, ids)):
        found.setdefault(number, {}).setdefault(side, {})[entity] = n
    return found


def _named(index: Rows, ids: Sequence[int]) -> dict[int, list[Named]]:
    sql = f"SELECT exchange_id, value, side, revealed FROM identifier WHERE exchange_id IN ({_marks(ids)}) ORDER BY side, value"  # noqa: S608, E501 -- marks only
    named: dict[int, list[Named]] = {}
    for number, value, side, revealed in map(tuple, index.rows(sql, ids)):
        entity, _, digest = value.partition(":")
        named.setdefault(number, []).append(Named(entity, digest, side, None if revealed is None else bool(revealed)))
    return named


def _marks(ids: Sequence[int]) -> str:
    return ", ".join("?" * len(ids))
