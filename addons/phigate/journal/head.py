"""Where a journal stands: the records that count so far, and what is on its way to the disk. Pure.

A record counts once it is on the disk for certain; everything that outlives a fault of the disk (number, link, tree,
who is without an answer) is told from those alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phigate.journal import chain
from phigate.journal.tree import Range

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phigate.journal.commit import GroupCommit

type Placed = Callable[[str, int], Mapping[str, Any]]
"""Makes a record's fields of the name of its file and its number there."""
type Fields = Mapping[str, Any] | Placed

FORWARDED = frozenset({"permit", "break_glass"})
"""Verbs after which a model is asked, so that an answer has to follow."""
MOST_NAMED = 10_000
"""Exchanges that a record of what was lost names; it counts them all."""


@dataclass(slots=True, eq=False)
class Receipt:
    """A record's number, its place on the way to the disk, and what has to be known of it until it is there."""

    seq: int
    place: int
    commit: GroupCommit
    kind: chain.Kind
    digest: bytes
    file: str
    end: int
    """Plain bytes of its file up to its end."""
    fields: Mapping[str, Any]
    remake: Fields
    """What the fields were made of, for another place."""
    awaited: bool = False
    """Somebody waits for it: what it tells of happens afterwards, or not at all."""

    @property
    def done(self) -> bool:
        """Whether the record is on the disk; cheap, and false for good when the write failed."""
        return self.commit.kept >= self.place


@dataclass(slots=True)
class Head:
    """The records that count: how many, the last one's link, file and end there, the tree, requests without answer."""

    seq: int = 0
    """The number of the next record."""
    last: str = chain.ZEROS
    file: str | None = None
    end: int = 0
    tree: Range = field(default_factory=Range)
    open: dict[str, str] = field(default_factory=dict)
    """Exchange: the file that holds its request."""

    def take(self, receipt: Receipt) -> None:
        """One more record, the next one; what can be done twice comes first, so that it is done once or not at all."""
        self.note(receipt.kind, receipt.fields, receipt.file)
        self.tree.append(receipt.digest)
        self.seq, self.last = receipt.seq + 1, receipt.digest.hex()
        self.file, self.end = receipt.file, receipt.end

    def note(self, kind: str, fields: Mapping[str, Any], file: str) -> None:
        """What this record, which stands in `file`, says of who waits for an answer."""
        exchange = fields.get("exchange")
        if not isinstance(exchange, str):
            return
        if kind == "request":
            decision = fields.get("decision")
            if isinstance(decision, Mapping) and decision.get("verb") in FORWARDED:
                self.open[exchange] = file
            else:  # what was permitted and could not be recorded in time was refused
                self.open.pop(exchange, None)
        elif kind in ("response", "recovered"):
            self.open.pop(exchange, None)

    def copy(self) -> Head:
        """The same head, which does not move with this one."""
        return Head(self.seq, self.last, self.file, self.end, self.tree.copy(), dict(self.open))

    def after(self, pending: Iterable[Receipt]) -> Head:
        """Where it will stand once these have arrived."""
        ahead = self.copy()
        for receipt in pending:
            ahead.take(receipt)
        return ahead


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The records that were on the disk at one moment: how many, the last one's SHA-256 (hex) and file, their tree."""

    size: int
    last: str
    file: str
    tree: Range


def lost(pending: Iterable[Receipt]) -> dict[str, Any]:
    """What is told of records that never arrived: how many of which kind, and the exchanges that they were of."""
    gone = list(pending)
    named = dict.fromkeys(str(each.fields["exchange"]) for each in gone if "exchange" in each.fields)
    kinds = Counter(each.kind for each in gone)
    return {"records": len(gone), "kinds": dict(sorted(kinds.items())), "exchanges": list(named)[:MOST_NAMED]}


def told_already(pending: Iterable[Receipt]) -> list[Receipt]:
    """Those that never arrived though what they tell of had happened, and nobody waited: to be recorded again."""
    return [each for each in pending if not each.awaited and each.kind not in ("request", "opened", "closed")]


def unrecorded(response: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a response whose record did not arrive in time: its answer, or the rest of it, was withheld."""
    fields = {**response, "outcome": "unrecorded", "body": None}
    fields.pop("sealed", None)
    if not response.get("streamed"):
        fields |= {"status": 503, "revealed": [], "parts": 0}
    return fields


def unanswered(exchange: str) -> dict[str, Any]:
    """The response of a request that was refused since its own record did not arrive in time."""
    return {
        "exchange": exchange,
        "status": 503,
        "outcome": "unrecorded",
        "findings": {},
        "identifiers": [],
        "revealed": [],
        "mask": None,
        "streamed": False,
        "usage": {},
        "seconds": {"total": None, "first": None, "upstream": None, "gateway": None},
        "body": None,
    }
