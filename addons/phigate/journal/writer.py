"""[I/O] The journal of one gateway instance: the only writer of its files.

- `<instance>.lock` is held as long as the journal is open. A file is begun once and never reopened.
- `append` settles number, link, line and file at once: the order of the calls is the order in the files.
- A journal that opened has proven that it can write: its `opened` record is on the disk.
- What earlier files left without an answer is recorded before anything new is.
- A file that is large enough, or of another day, is closed, and the next one names its last record.
- After a fault of the disk nothing is written to that file again. Once the disk passes a test (`inspect`, beside the
  traffic) a new file goes on behind the last record that was acknowledged, and tells of the fault and of what was lost.
- Whoever is told that a record is not kept withholds what it was about; should it be kept after all, or later, then so
  is that it was withheld.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from phigate import __version__
from phigate.journal import chain, disk, life, quarantine, read
from phigate.journal.commit import GroupCommit, JournalDown
from phigate.journal.course import Course
from phigate.journal.disk import JournalFault, Limits, Space
from phigate.journal.gone import all_there
from phigate.journal.hand import Hand
from phigate.journal.head import Receipt, Snapshot, lost, told_already
from phigate.journal.owed import Owed
from phigate.journal.pack import Packer
from phigate.journal.recover import legacy, rest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from phigate.journal.head import Fields, Head

__all__ = ["Journal", "JournalDown", "JournalFault", "Limits", "Receipt", "open_journal"]

logger = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds that start and stop give the disk."""
NEW: Final = frozenset({"request", "hold", "token"})
"""Kinds of records that begin something: what is turned away first when space runs out."""


class Journal:
    """Records of one instance, in order; made by `open_journal`."""

    def __init__(
        self,
        folder: Path,
        instance: str,
        head: Head,
        *,
        clock: Callable[[], datetime],
        limits: Limits,
        known: life.Known,
        lock: int,
    ) -> None:
        """Begin a file behind `head`, empty yet; raises OSError."""
        self.folder: Final = folder
        self.instance: Final = instance
        self.limits: Final = limits
        self.space: Space = "enough"
        self.free: int | None = None
        """Bytes that were left on the disk when it was last asked."""
        self.faults = 0
        """How often nothing could be recorded since the start."""
        self._clock, self._lock, self._known = clock, lock, known
        self._order = threading.RLock()
        self._closed = False
        self._owed = Owed()
        self._hand = Hand("journal-again")
        self._spoiled: set[str] = set()
        """Files of which no record counts, and that could not be removed."""
        self._down_since: str | None = None
        self._told = ""
        self._refused = 0
        self._course = self._begun(head)
        self.packer = Packer()
        self.sign: Callable[[Snapshot], None] = lambda _end: None
        """Called with the end of each file that is closed, once it is on the disk; must not raise."""

    @property
    def path(self) -> Path:
        """The file that the next record goes to, unless it begins another one."""
        return self._course.path

    @property
    def healthy(self) -> bool:
        return self.fault is None

    @property
    def fault(self) -> str | None:
        """Why nothing can be recorded, without any content; None while it can."""
        return "the journal is closed" if self._closed else self._course.commit.fault

    def remarks(self) -> dict[str, str]:
        """What an operator should see to, without any content; empty when there is nothing."""
        said = {}
        if (fault := self.fault) is not None:
            said["journal"] = fault
        if self.space != "enough" and self.free is not None:
            said["journal-space"] = f"{self.space}: {self.free >> 20} MB are left"
        if self.packer.failed:
            said["journal-compression"] = f"the last closed file stays plain ({self.packer.failed})"
        return said

    # -- records ------------------------------------------------------------------------------------------------------

    def append(self, kind: chain.Kind, fields: Fields) -> Receipt:
        """Queue one record; JournalDown when it cannot be kept, chain.Unrecordable when its fields are no line.

        Fields that depend on where the record stands are given as what makes them of its file's name and its number.
        """
        with self._order:
            course = self._course
            try:
                if self._closed or course.commit.fault is not None or self.space == "scarce":
                    self._may(kind)
                now = self._clock()
                course.settle()
                if course.full(now, self.limits.size):
                    course.turn(now, self._turned)
                return course.put(kind, fields, now)
            except JournalDown:
                self._refused += 1
                if kind == "response":
                    self.withheld(course.made(fields))
                raise

    def _turned(self, closed: Path, end: Snapshot) -> None:
        self.sign(end)
        self.packer.add(closed)

    def _may(self, kind: chain.Kind) -> None:
        if (fault := self.fault) is not None:
            raise JournalDown(fault)
        if self.space == "scarce" and kind in NEW:
            raise JournalDown("the disk is nearly full")

    async def durable(self, receipt: Receipt) -> None:
        """Return once the record is on the disk; JournalDown when it is not in time, or will never be."""
        receipt.awaited = True
        try:
            await receipt.commit.durable(receipt.place)
        except JournalDown:
            self._owe(receipt)
            raise

    def wait(self, receipt: Receipt, timeout: float = PATIENCE) -> None:
        """Block until the record is on the disk, where no loop runs; JournalDown after `timeout` seconds."""
        receipt.awaited = True
        try:
            if not receipt.done:
                receipt.commit.wait(receipt.place, timeout)
        except JournalDown:
            self._owe(receipt)
            raise

    def withheld(self, response: Mapping[str, Any]) -> None:
        """An answer was withheld, since this record of it, or a part of it, is not kept: that is recorded soon."""
        with self._order:
            self._owed.withheld(response)

    def given_up(self, receipts: Iterable[Receipt]) -> None:
        """Nobody waits any longer for these, and what they tell of does not happen: that is recorded once it can be."""
        for receipt in receipts:
            self._owe(receipt)

    def _owe(self, receipt: Receipt) -> None:
        receipt.awaited = True
        with self._order:
            if receipt.kind == "response":
                self._owed.withheld(receipt.fields)
            elif receipt.kind == "request":
                self._owed.refused(receipt)

    def oldest_pending_seconds(self, now_monotonic: float) -> float:
        """Age of the oldest record not yet on the disk, by `time.monotonic`; 0.0 when there is none."""
        return self._course.commit.oldest_pending_seconds(now_monotonic)

    def gather_for(self, crowd: Callable[[], int]) -> None:
        """Let commits serve several exchanges at once while `crowd` says that many are under way."""
        self._course.commit.crowd = crowd

    def snapshot(self) -> Snapshot:
        """What is on the disk now; nothing that is still on its way counts."""
        with self._order:
            self._course.settle()
            kept = self._course.kept
            return Snapshot(kept.seq, kept.last, kept.file or self.path.name, kept.tree.copy())

    # -- now and then -------------------------------------------------------------------------------------------------

    def inspect(self) -> None:
        """See to file and disk, record what is owed, and try again after a fault; to be asked once a second."""
        if self._closed:
            return
        self._course.commit.inspect()
        self._look_at_space()
        if self._course.commit.fault is None:
            self._pay()
        elif not self._hand.busy:
            if self._down_since is None:
                self._down_since = chain.stamp(self._clock())
                self.faults += 1
                logger.error("nothing is recorded, and nothing let through: %s", self._course.commit.fault)
            self._hand.give(self._try_again)

    def _look_at_space(self) -> None:
        with suppress(OSError):  # the next write says what is wrong with the disk
            self.free = disk.free(self.folder)
            was, self.space = self.space, disk.space(self.free, self.limits)
            if self.space != was:
                level = logging.INFO if self.space == "enough" else logging.WARNING
                logger.log(level, "space for the journal is %s: %d MB are left", self.space, self.free >> 20)

    def _pay(self) -> None:
        """Record, of exchanges whose answer was withheld since a record was late, that it was."""
        with self._order, suppress(JournalDown):
            self._course.settle()
            self._owed.pay(self._course, self._clock())

    def _try_again(self) -> None:
        """Go on in a new file, if the disk can be trusted again; in a thread of its own, at most once a second."""
        try:
            disk.private(self.folder)  # it may be another one than at the start
            disk.probe(self.folder, self.instance)
            if self._course.commit.stop(1.0):  # else its thread is still in a call that may change the file
                self._resume()
        except (OSError, JournalDown):
            return  # as bad as before
        except JournalFault as fault:
            if self._told != str(fault):  # once, not each second
                self._told = str(fault)
                logger.error("the journal cannot go on: %s", fault)
        except Exception as fault:  # noqa: BLE001 - told as what it kept from going on
            logger.error("the journal cannot go on (%s)", type(fault).__name__)

    def _resume(self) -> None:
        old = self._course
        with self._order:
            old.settle()
        gone, fault = list(old.pending), old.commit.fault  # what is down takes no more
        rest = rest_of(self.folder, old.kept)
        self._spoiled = set(disk.remove(self.folder, (self._spoiled | {each.file for each in gone}) - {old.kept.file}))
        new = self._begun(old.kept)
        try:
            first = new.begin(rest, self._clock(), started=False)
            new.commit.wait(first.place, PATIENCE)
            with self._order:
                told = fault or "", self._since(), lost(gone), self._refused, sorted(self._spoiled)
                self._enter(new, life.resumed_record(*told), gone)
        except BaseException:
            if new.commit.stop(PATIENCE):
                new.commit.close()
            self._spoiled |= set(disk.remove(self.folder, {new.path.name}))
            raise
        self._spoiled.clear()
        old.commit.close()
        self.packer.add_left(self.folder, self.instance, old.kept.seq)
        logger.warning("the journal goes on in a new file")

    def _enter(self, new: Course, resumed: life.Fields, gone: list[Receipt]) -> None:
        if self._closed:
            raise JournalDown("the journal is closed")
        now = self._clock()
        new.put("recovered", resumed, now)
        for receipt in told_already(gone):
            new.again(receipt, now)
        new.commit.crowd = self._course.commit.crowd
        self._course, self._down_since, self._refused = new, None, 0

    def _since(self) -> str:
        return self._down_since or chain.stamp(self._clock())

    def _begun(self, head: Head) -> Course:
        """A new file behind `head`, and what writes to it; raises OSError."""
        now = self._clock()
        path = disk.free_path(self.folder, self.instance, now, head.seq)
        commit = GroupCommit(disk.create(path), path)
        return Course(commit, path, instance=self.instance, head=head.copy(), known=self._known, now=now)

    # -- start and end ------------------------------------------------------------------------------------------------

    def begin(self, torn: Mapping[str, int]) -> None:
        """Record what a start finds, before anything else; raises JournalDown, and OSError and JournalFault."""
        now, head = self._clock(), self._course.kept.copy()
        rest = life.Rest(torn=torn.get(head.file or "", 0))
        self.wait(self._course.begin(rest, now, started=True))
        for aside in quarantine.untold(self.folder, self.instance):
            record = life.quarantined_record(aside.file, aside.sha256, aside.bytes, aside.reason, aside.until)
            self.wait(self._course.put("recovered", record, now))
            quarantine.told(self.folder, aside)
        for exchange, file in head.open.items():
            self._course.put("recovered", life.interrupted_record(exchange, file), now)
        if torn:
            self.wait(self._course.put("recovered", life.recovered_record(torn, len(head.open)), now))

    def close(self, reason: str) -> None:
        """Write `closed`, sync, end the threads and free the instance; a second call does nothing."""
        if self._closed:
            return
        self._hand.join(PATIENCE)
        with suppress(JournalDown):  # then the missing record says it
            if self._course.commit.fault is None:
                self._pay()
            self.append("closed", life.closed_record(reason))
        if self._end():
            self.sign(self.snapshot())

    def give_up(self) -> None:
        """End without a word: the start failed."""
        self._end()

    def _end(self) -> bool:
        """Whether the disk let go: else whatever asks it for something more would wait as well."""
        with self._order:
            self._closed = True
        self.packer.stop(1.0)
        if not self._course.commit.stop(PATIENCE) or self._hand.busy:
            return False
        self._course.commit.close()
        os.close(self._lock)
        return True


def open_journal(
    folder: Path,
    instance: str,
    clock: Callable[[], datetime],
    *,
    limits: Limits | None = None,
    key: str | None = None,
    epoch: str | None = None,
) -> Journal:
    """Start the instance's next file, or say in a JournalFault what the operator must change.

    `key` is the public key of the checkpoints (a C2SP vkey), `epoch` that of the key which identifiers are made with:
    both stand at the head of each file. Blocks: it waits for the disk, and reads what earlier files left unsettled.
    """
    if not chain.INSTANCE.fullmatch(instance):
        raise JournalFault("an instance's name is 1 to 64 letters, digits, `.`, `_` and `-`, the first no sign")
    try:
        disk.prepare(folder)
        known = life.Known(__version__, key, epoch)
        return _opened(folder, instance, clock=clock, limits=limits or Limits(), known=known)
    except OSError as fault:
        raise JournalFault(f"{folder}: {fault.strerror or fault}") from None
    except (JournalDown, chain.Unrecordable) as fault:
        raise JournalFault(f"{folder}: {fault}") from None


def _opened(
    folder: Path, instance: str, *, clock: Callable[[], datetime], limits: Limits, known: life.Known
) -> Journal:
    lock = disk.locked(folder, instance)
    try:
        all_there(folder, instance)
        left = legacy(read.files(folder, instance), quarantine.files(folder, instance))
        disk.settle(folder, left.torn, PATIENCE)
        journal = Journal(folder, instance, left.head, clock=clock, limits=limits, known=known, lock=lock)
    except BaseException:
        os.close(lock)
        raise
    try:
        journal.begin(left.torn)
    except BaseException:
        journal.give_up()
        raise
    journal.packer.add_left(folder, instance, left.head.seq)
    return journal
