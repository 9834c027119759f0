"""What is kept of bodies: which records a body becomes, and what of it is sealed. Journal and policy are passed in.

Rules of this file:
- A body that is larger than a record should be stands in `part` records before it, in pieces of its JSON; the record
  then holds no body and says how many parts are its own. Nothing of a body is left out.
- What is sealed stands beside what is masked, in the same records, cut into parts the same way.
- A record is on the disk after all its parts, and whoever waits for it has waited for them.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, Literal

import orjson

from phigate.capture.seal import Place
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import NEW, JournalDown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phigate.capture.seal import Auditor
    from phigate.journal.chain import Kind
    from phigate.journal.head import Placed
    from phigate.journal.writer import Journal, Receipt

type Side = Literal["caller", "model"]
type Fields = dict[str, Any]

MOST: Final = 256 * 1024
"""Characters of a body's JSON, and bytes of a sealed original, that one record holds."""
AHEAD: Final = 16
"""Parts that are queued before the disk is waited for, so that a large body does not fill the queue."""


class Keep:
    """What one policy keeps: `none`, `masked`, or `sealed` with the auditor's key."""

    def __init__(self, bodies: str = "masked", auditor: Auditor | None = None) -> None:
        if (bodies == "sealed") != (auditor is not None):
            raise ValueError("sealed bodies need a key, others none")
        self._bodies, self._auditor = bodies, auditor

    @property
    def seals(self) -> bool:
        """Whether originals are wanted; whoever has them gives them up otherwise."""
        return self._auditor is not None

    @property
    def keeps(self) -> bool:
        """Whether anything of a body is."""
        return self._bodies != "none"

    async def record(
        self, journal: Journal, kind: Kind, fields: Fields, *, side: Side, original: bytes = b"", first: int = 0
    ) -> None:
        """Write a record with its parts, which are numbered from `first`; return once all of them are on the disk.

        Raises JournalDown and Unrecordable. The journal is told then that the answer was withheld, or the request
        refused, even if only a part is missing: the record itself may be kept.
        """
        waiting: list[Receipt] = []
        try:
            lines = self._lines(kind, fields, side, original, first)
            _may(journal, kind, lines)
            for at, (each, made) in enumerate(lines, 1):
                waiting.append(journal.append(each, made))
                if at % AHEAD == 0 or at == len(lines):
                    for receipt in waiting:  # each: they may stand in different files
                        await journal.durable(receipt)
                    waiting.clear()
        except BaseException:  # who is cancelled here goes no further either
            journal.given_up(waiting)
            if kind == "response":
                journal.withheld(fields)
            raise

    def queue(
        self, journal: Journal, kind: Kind, fields: Fields, *, side: Side, original: bytes = b"", first: int = 0
    ) -> int:
        """The same without waiting; how many parts there are."""
        lines = self._lines(kind, fields, side, original, first)
        for each, made in lines:
            journal.append(each, made)
        return len(lines) - 1

    def part(self, journal: Journal, exchange: str, number: int, body: str, *, original: bytes = b"") -> None:
        """Queue a piece of an answer that is told in pieces; raises JournalDown and Unrecordable."""
        journal.append(*self._part(exchange, number, "model", body if self.keeps else "", original))

    def _lines(
        self, kind: Kind, fields: Fields, side: Side, original: bytes, first: int
    ) -> list[tuple[Kind, Fields | Placed]]:
        """The parts, if there are any, and the record."""
        body = fields["body"] if self.keeps else None
        bodies = _pieces(_json(body)) if body is not None else []
        originals = _pieces(original) if self.seals else []
        if len(bodies) <= 1:
            bodies = []
        else:
            body = None
        within = b""
        if not bodies and len(originals) == 1:
            (within,), originals = originals, []
        exchange = fields["exchange"]
        parts = [
            self._part(exchange, number, side, told, sealed)
            for number, (told, sealed) in enumerate(zip_longest(bodies, originals), first)
        ]
        fields = fields | {"parts": fields["parts"] + len(parts), "body": body}
        return [*parts, self._sealed(kind, fields, side, within)]

    def _part(
        self, exchange: str, number: int, side: Side, body: str | None, original: bytes | None
    ) -> tuple[Kind, Fields | Placed]:
        fields = {"exchange": exchange, "part": number, "side": side, "body": body or ""}
        return self._sealed("part", fields, side, original or b"", number)

    def _sealed(
        self, kind: Kind, fields: Fields, side: Side, original: bytes, part: int | None = None
    ) -> tuple[Kind, Fields | Placed]:
        auditor = self._auditor
        if auditor is None or not original:
            return kind, fields

        def placed(file: str, seq: int) -> Fields:
            place = Place(file, seq, fields["exchange"], kind, side, part)
            return fields | {"sealed": auditor.seal(original, place)}

        return kind, placed


def _may(journal: Journal, kind: Kind, lines: Sequence[object]) -> None:
    if len(lines) > 1 and kind in NEW and journal.space == "scarce":  # its parts would take what is left
        raise JournalDown("the disk is nearly full")


def _json(body: object) -> str:
    try:
        return orjson.dumps(body).decode()
    except (TypeError, RecursionError) as fault:
        raise Unrecordable(f"not representable as JSON ({type(fault).__name__})") from None


def _pieces[T: (str, bytes)](whole: T) -> list[T]:
    return [whole[at : at + MOST] for at in range(0, len(whole), MOST)]
