"""The run of an instance's records through its files: numbers, links, and where one file ends and the next begins.

Not thread-safe: the journal sees to it that one call is over before the next. Nothing here waits for the disk.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC
from typing import TYPE_CHECKING, Any

from phigate.journal import chain, disk, life
from phigate.journal.head import Head, Receipt, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from phigate.journal.commit import GroupCommit
    from phigate.journal.head import Fields


class Course:
    """One file after the other; `kept` is what counts of it, `pending` what is on its way."""

    def __init__(
        self, commit: GroupCommit, path: Path, *, instance: str, head: Head, known: life.Known, now: datetime
    ) -> None:
        self.commit, self.path = commit, path
        self.kept, self.pending = head, deque[Receipt]()
        self._instance, self._known = instance, known
        self._seq, self._prev, self._size, self._day = head.seq, head.last, 0, _day(now)

    def full(self, now: datetime, size: int) -> bool:
        """Whether the next record belongs into another file: this one is of that size, or of another day (UTC)."""
        return self._size >= size or self._day != _day(now)

    def put(self, kind: chain.Kind, fields: Fields, now: datetime) -> Receipt:
        """Queue one record; raises JournalDown and chain.Unrecordable, and then nothing has changed."""
        made = self.made(fields)
        line = self._line(kind, made, now, self._seq, self._prev)
        self.commit.room_for(line)
        return self._queue(kind, line, made, fields)

    def again(self, receipt: Receipt, now: datetime) -> None:
        """Queue the record of a receipt that was lost; for these there is always room, since there was before."""
        made = self.made(receipt.remake)
        line = self._line(receipt.kind, made, now, self._seq, self._prev)
        self._queue(receipt.kind, line, made, receipt.remake)

    def made(self, fields: Fields) -> Mapping[str, Any]:
        """A record's fields, were it the next one."""
        return fields(self.path.name, self._seq) if callable(fields) else fields

    def begin(self, rest: life.Rest, now: datetime, *, started: bool) -> Receipt:
        """Queue the first record of a file that was made for it."""
        head = life.opened_record(self._known, self.path.name, self.kept, rest, started=started)
        return self.put("opened", head, now)

    def settle(self) -> None:
        """Count what arrived."""
        pending, kept = self.pending, self.commit.kept
        while pending and pending[0].place <= kept:
            self.kept.take(pending[0])
            pending.popleft()

    def turn(self, now: datetime, closed: Callable[[Path, Snapshot], None]) -> None:
        """Close this file and begin the next one: all of it, or nothing with JournalDown; `closed` is told its end.

        `closed` is called in another thread, once the old file is whole and the new one is there.
        """
        before, shut = self.kept.after(self.pending), life.closed_record("rotated")
        closing = self._line("closed", shut, now, self._seq, self._prev)
        before.take(self._receipt("closed", closing, shut, shut))
        old, path = self.path, self.path.with_name(disk.name(self._instance, now, before.seq))
        head = life.opened_record(self._known, path.name, before, started=False)
        try:
            opening = self._line("opened", head, now, before.seq, before.last)
        except chain.Unrecordable:  # more exchanges are without an answer than a line can name: this file goes on
            return
        self.commit.room_for(closing + opening)
        end = Snapshot(before.seq, before.last, old.name, before.tree)
        try:
            self._queue("closed", closing, shut, shut)
            self.path, self._size, self._day = path, 0, _day(now)
            self.commit.turn_to(lambda: disk.create(path), lambda: closed(old, end), path)
            self._queue("opened", opening, head, head)
        except BaseException as fault:
            self._give_up(fault)
            raise

    def _line(self, kind: chain.Kind, fields: Mapping[str, Any], now: datetime, seq: int, prev: str) -> bytes:
        return chain.line_of(seq=seq, prev=prev, now=now, instance=self._instance, kind=kind, fields=fields)

    def _receipt(self, kind: chain.Kind, line: bytes, made: Mapping[str, Any], fields: Fields) -> Receipt:
        end = self._size + len(line)
        return Receipt(self._seq, 0, self.commit, kind, chain.sha256(line), self.path.name, end, made, fields)

    def _queue(self, kind: chain.Kind, line: bytes, made: Mapping[str, Any], fields: Fields) -> Receipt:
        receipt = self._receipt(kind, line, made, fields)
        try:  # written out, since this runs once a record
            self._seq, self._prev, self._size = self._seq + 1, receipt.digest.hex(), receipt.end
            receipt.place = self.commit.put(line)
            self.pending.append(receipt)
        except BaseException as fault:
            self._give_up(fault)
            raise
        return receipt

    def _give_up(self, fault: BaseException) -> None:
        """What is cut off half-way by a bug of ours would leave a chain that does not hold: this file is given up."""
        self.commit.give_up(f"the journal's writer broke ({type(fault).__name__})")


def _day(now: datetime) -> int:
    return (now if now.tzinfo is UTC else now.astimezone(UTC)).toordinal()
