"""Who saw a patient's identifiers: the exchanges in which they stand, and in each what became of them.

An identifier stands in a prompt (then whoever asked had sent it, and the model received it or a masked form), or in an
answer (then whoever asked received it, or a masked form). Records that do not say which are told as such.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import orjson

from phigate.audit.index.exchanges import Wanted
from phigate.audit.questions.patient import entity_of
from phigate.audit.questions.sessions import names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from sqlite3 import Row

    from phigate.audit.index.database import Index

RECEIVED: Final = "received"
MASKED: Final = "received-masked"
UNTOLD: Final = "received-untold"
SENT: Final = "sent"
MODEL: Final = "model-received"
WAYS: Final[dict[str, str]] = {
    RECEIVED: "received it as it was",
    MASKED: "received it masked",
    UNTOLD: "received it, the record does not say how",
    SENT: "sent it themselves",
    MODEL: "had it sent to the model as it was",
}
"""What became of an identifier, as JSON and as people are told."""
_FORWARDED: Final = ("permit", "break_glass")


@dataclass(slots=True)
class Seen:
    """One exchange in which something that was asked for stands; `ways` tells of each way which kinds."""

    row: Row
    ways: dict[str, set[str]] = field(default_factory=dict)
    texts: set[int] = field(default_factory=set)
    """The numbers of the texts that are met."""

    def as_json(self) -> dict[str, Any]:
        row = self.row
        same = ("exchange", "session", "subject", "issuer", "ts", "ip", "model", "purpose", "verb", "rule", "reason")
        return {
            **{name: row[name] for name in (*same, "outcome")},
            "roles": names(row["roles"]),
            "actions": names(row["actions"]),
            "ways": {way: sorted(self.ways[way]) for way in WAYS if way in self.ways},
            "texts": sorted(self.texts),
        }


@dataclass(slots=True)
class Person:
    """What one person saw, in figures, and the latest exchanges."""

    subject: str
    issuer: str
    latest: deque[Seen]
    roles: set[str] = field(default_factory=set)
    ways: Counter[str] = field(default_factory=Counter)
    exchanges: int = 0
    first: str = ""
    last: str = ""


def seen(index: Index, identifiers: dict[str, int], wanted: Wanted | None = None) -> Iterator[Seen]:
    """The exchanges that hold any of the keyed identifiers, in order of time."""
    where, params = (wanted or Wanted()).where()
    rows = index.rows(
        "SELECT exchange.*, value, side, revealed FROM identifier JOIN exchange ON exchange.id = exchange_id"  # noqa: S608 -- our own names
        f" WHERE value IN (SELECT value FROM json_each(:asked_for)) AND {where} ORDER BY exchange.at, exchange.id",
        params | {"asked_for": orjson.dumps(list(identifiers)).decode()},
    )
    for _, same in groupby(rows, key=lambda row: row["id"]):
        found: Seen | None = None
        for row in same:
            found = found or Seen(row)
            found.texts.add(identifiers[row["value"]])
            for way in _ways(row):
                found.ways.setdefault(way, set()).add(entity_of(row["value"]))
        if found is not None:
            yield found


def _ways(row: Row) -> list[str]:
    if row["side"] == "in":
        forwarded = row["revealed"] == 1 and row["verb"] in _FORWARDED
        return [SENT, MODEL] if forwarded else [SENT]
    return [{1: RECEIVED, 0: MASKED}.get(row["revealed"], UNTOLD)]


def people(found: Iterable[Seen], each: int) -> list[Person]:
    """By person, those first who received something as it was; of each the `each` latest exchanges are kept."""
    known: dict[tuple[str, str], Person] = {}
    for one in found:
        row = one.row
        subject, issuer = row["subject"] or "-", row["issuer"] or "-"
        person = known.setdefault((issuer, subject), Person(subject, issuer, deque(maxlen=each), first=row["ts"]))
        person.latest.append(one)
        person.roles.update(names(row["roles"]))
        person.ways.update(one.ways.keys())
        person.exchanges += 1
        person.last = row["ts"]
    return sorted(known.values(), key=lambda one: ([-one.ways[way] for way in WAYS], one.subject))
