"""Proving a journal from its files alone: each line by the chain, each stretch by what was signed. Pure, streaming.

- A line is looked at as bytes: its envelope must be exactly what the chain makes it. Only records about the files
  themselves are parsed.
- Nothing is believed for being written: a file is followed from the one before it *and* from the tree that its first
  record names, and only checkpoints under a given key say which of the two is what was recorded.
- After a finding the walk goes on from what the file says, so that all findings are told, and later files are judged
  by themselves. What lies between a finding and the next file is proven by nothing but its chain.
"""

from __future__ import annotations

import binascii
import hashlib
from datetime import datetime
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, Final

from phigate.journal import chain, heads
from phigate.journal.note import origin_of
from phigate.journal.proof import Finding, Proof
from phigate.journal.source import Aside, Gap, Unreadable, Walked, first_of, pruned_of, uncounted
from phigate.journal.tree import Range, parse_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from phigate.journal.heads import Head
    from phigate.journal.note import Vkey
    from phigate.journal.source import First, Source

SIGNED_WITHIN: Final = 60.0
"""Seconds: what is so much older than the last record of its file was signed, whatever became of the gateway."""
CLAIMS: Final = 100
"""Anchors of which is told what the journal says of them."""
SHARE: Final = 4096
"""Lines after which the progress is told."""
_STAMP: Final = len("2026-11-23T15:04:05.123456Z")
_MATTER: Final = (b'opened"', b'closed"', b'recovered"', b'anchor"', b'prune"')


def walk(
    instance: str,
    sources: Sequence[Source],
    keys: Sequence[Vkey],
    anchored: Sequence[Head] = (),
    progress: Callable[[int], None] = lambda _bytes: None,
) -> Walked:
    """Prove one instance's files, which come in order of their first record; `progress` is told the bytes read."""
    proof = Proof(instance, files=len(sources), key=" ".join(key.id.hex() for key in keys) or None)
    proof.anchors = len(anchored)
    return _Walk(proof, keys, anchored, progress).run(sources)


class _Walk:
    """The state between two lines: number and link that the next must have, and the tree so far."""

    def __init__(
        self, proof: Proof, keys: Sequence[Vkey], anchored: Sequence[Head], progress: Callable[[int], None]
    ) -> None:
        self.proof, self.keys, self.progress = proof, keys, progress
        self.walked = Walked(proof)
        self.anchored = sorted(anchored, key=lambda head: head.size)
        self.seq, self.prev, self.tree = 0, chain.ZEROS.encode(), Range()
        self.basis: int | None = 0
        """The record from which on the tree grew without a finding; None after one."""
        self.linked = 0
        """The record from which on the chain holds."""
        self.good = 0
        """The size up to which a head held."""
        self.envelope = b'","instance":"%s","kind":"' % proof.instance.encode()
        self.before: str | None = None
        self.file, self.number = "", 0
        self.heads: list[Head] = []
        self.stop = -1

    def run(self, sources: Sequence[Source]) -> Walked:
        firsts = {source.name: first_of(source) for source in sources}
        empty = self._empty(sources, firsts)
        after: dict[str, Any] | None = None
        ahead = []
        for source in reversed([source for source in sources if source.name not in empty]):
            ahead.append((source, after))
            if firsts[source.name].begun:
                after = firsts[source.name].opened
        for source, following in reversed(ahead):
            _File(self, source, following).read()
            if firsts[source.name].begun:
                self.before = source.name
        self.proof.chained.add(self.linked, self.seq)
        for head in [head for head in self.anchored if head.size > self.seq][-1:]:
            self.beyond(head)
        return self.walked

    def _empty(self, sources: Sequence[Source], firsts: Mapping[str, First]) -> set[str]:
        """The files of which no record counts; then nobody signed one either."""
        empty = uncounted(sources, firsts)
        for source in (each for each in sources if each.name in empty):
            self.proof.notices.append(Finding(source.name, None, "unacknowledged"))
            origin = origin_of(self.proof.instance)
            own = heads.beside(source.checkpoints(), source.beside, source.name, origin, self.keys)
            for finding in own.findings:
                self.proof.find(finding)
            for head in own.heads[-1:]:
                self.proof.find(Finding(head.where, head.line, "beyond-the-end", (source.seq, head.size - 1)))
        return empty

    def find(self, reason: str, *, line: bool = True, records: tuple[int, int] | None = None) -> None:
        self.proof.find(Finding(self.file, self.number if line else None, reason, records))

    def beyond(self, head: Head) -> None:
        reason = "beyond-the-end-anchored" if head.anchor else "beyond-the-end"
        self.proof.find(Finding(head.where, head.line, reason, (self.seq, head.size - 1)))

    # -- heads ------------------------------------------------------------------------------------------------------

    def expect(self, own: Sequence[Head]) -> None:
        """Take a file's own heads for what comes, beside those kept elsewhere."""
        ahead = [head for head in self.anchored if head.size >= self.seq]
        self.heads = sorted([*own, *ahead], key=lambda head: head.size, reverse=True)
        self.stop = self.heads[-1].size if self.heads else -1

    def settle(self) -> None:
        """Hold the tree against every head of a size that is reached."""
        while self.heads and self.heads[-1].size <= self.seq:
            head = self.heads.pop()
            if head.size == self.seq and self.basis is not None:
                self._hold(head)
        self.stop = self.heads[-1].size if self.heads else -1

    def _hold(self, head: Head) -> None:
        if head.root != self.tree.root():
            reason = "wrong-root-anchored" if head.anchor else "wrong-root"
            start = max(self.good, self.basis or 0)
            self.proof.find(Finding(head.where, head.line, reason, (start, self.seq - 1)))
            self.basis = None
            return
        start = self.basis or 0
        self.good = self.seq
        if head.anchor:
            self.proof.anchored.add(start, self.seq)
            self.proof.anchored_at = head.time
        else:
            self.proof.checkpoints += 1
            self.proof.signed.add(start, self.seq)
            self.proof.signed_at = head.time


class _File:
    """One file on the walk; `after` is the first record of the next one."""

    def __init__(self, walk: _Walk, source: Source, after: dict[str, Any] | None) -> None:
        self.walk, self.source, self.proof = walk, source, walk.proof
        self.closed = self.late = False
        self.closed_at = -1
        self.times = [b"", b""]
        self.records, self.torn, self.spare, self.spare_bytes = 0, 0, 0, 0
        self.next = _follows(after)
        """What the next file says of the end of the one that it follows."""
        spare = self.next.get("spare") if self.next.get("file") == source.name else None
        self.until = after["seq"] if isinstance(spare, dict) and after else None
        """The number at which the records end that somebody was told of."""

    def read(self) -> None:
        walk, source = self.walk, self.source
        walk.file, walk.number = source.name, 0
        origin = origin_of(self.proof.instance)
        own = heads.beside(source.checkpoints(), source.beside, source.name, origin, self.keys)
        for finding in own.findings:
            self.proof.find(finding)
        self.proof.notices += own.notices
        if own.unchecked:
            self.proof.notices.append(Finding(source.beside, None, "unchecked"))
        self.own = own.heads
        try:
            self._lines()
        except Unreadable:
            walk.find("unreadable")
            walk.basis = None
        self._end()
        if source.copy and not _same(source.lines(), source.copy(), self.records):
            self.proof.notices.append(Finding(source.name, None, "copy-differs"))

    @property
    def keys(self) -> Sequence[Vkey]:
        return self.walk.keys

    def _lines(self) -> None:
        walk, size = self.walk, 0
        for line in self.source.lines():
            walk.number += 1
            size += len(line)
            if line[-1:] != b"\n":
                self._unfinished(line)
            elif walk.number == 1:
                self._begin(line)
            elif self.until is not None and walk.seq >= self.until:
                self.spare, self.spare_bytes = self.spare + 1, self.spare_bytes + len(line)
            else:
                self._line(line)
            if not walk.number % SHARE:
                self._read(size)
                size = 0
        self._read(size)

    def _read(self, size: int) -> None:
        self.proof.bytes += size
        self.walk.progress(size)

    def _unfinished(self, line: bytes) -> None:
        if len(line) >= chain.MAX_LINE:
            self.walk.find("too-long")
            self.walk.basis = None
        else:
            self.torn = len(line)

    # -- the first record -------------------------------------------------------------------------------------------

    def _begin(self, line: bytes) -> None:
        walk, record = self.walk, chain.parse(line)
        if record is None or record["kind"] != "opened":
            walk.find("not-opened")
            self._lost(self.source.seq)
            walk.expect(self.own)
            self._add(line, b"")
            return
        if record["instance"] != self.proof.instance:
            walk.find("wrong-instance")
        if record.get("file") != self.source.name or record["seq"] != self.source.seq:
            walk.find("renamed")
        self._link(record)
        walk.expect(self.own)
        walk.settle()
        self._add(line, record["ts"].encode())

    def _link(self, record: dict[str, Any]) -> None:
        """Go on from the file before, or from what this one says it starts from."""
        walk, seq, follows = self.walk, record["seq"], _follows(record)
        told = parse_range(record.get("tree"), seq)
        joined = seq == walk.seq and record["prev"].encode() == walk.prev
        grown = joined and walk.basis is not None
        if seq > walk.seq:
            root = told.root().hex() if told else None
            before = follows["file"] if isinstance(follows.get("file"), str) else None
            walk.walked.gaps.append(Gap(self.source.name, walk.seq, seq, record["prev"], root, before))
        elif not joined or (follows.get("file"), follows.get("hash", chain.ZEROS)) != (walk.before, record["prev"]):
            walk.find("wrong-start")
        if told is None or (grown and told != walk.tree):
            walk.find("wrong-tree")
        if not joined:
            self.proof.chained.add(walk.linked, walk.seq)
            walk.linked = seq
        if told is None:
            walk.basis = None
        elif not grown or told != walk.tree:
            walk.basis = seq
        walk.seq, walk.prev, walk.tree = seq, record["prev"].encode(), told or Range()

    # -- every other record -----------------------------------------------------------------------------------------

    def _line(self, line: bytes) -> None:
        walk = self.walk
        start = b'{"v":1,"seq":%d,"prev":"%s","ts":"' % (walk.seq, walk.prev)
        place = len(start) + _STAMP
        if not (line.startswith(start) and line.startswith(walk.envelope, place)):
            self._misfit(line)
        elif line.startswith(_MATTER, place + len(walk.envelope)):
            self._matters(line)
        if self.closed and not self.late and walk.seq > self.closed_at:
            self.late = True
            walk.find("after-closed")
        self._add(line, line[len(start) : place])

    def _add(self, line: bytes, stamp: bytes) -> None:
        """Count a line as the record that it says it is."""
        walk = self.walk
        digest = hashlib.sha256(line).digest()
        walk.prev = binascii.hexlify(digest)
        walk.tree.append(digest)
        walk.seq += 1
        self.proof.records += 1
        self.records += 1
        self.times[walk.number > 1] = stamp
        if walk.seq == walk.stop:
            walk.settle()

    def _misfit(self, line: bytes) -> None:
        """Say what is wrong with a line, and go on from what it says."""
        walk, record = self.walk, chain.parse(line)
        if record is None:
            walk.find("not-a-record")
            self._lost(walk.seq)
        elif record["instance"] != self.proof.instance:
            walk.find("wrong-instance")
            self._lost(record["seq"])
        elif record["seq"] != walk.seq:
            walk.find("wrong-seq", records=(min(walk.seq, record["seq"]), max(walk.seq, record["seq"]) - 1))
            self._lost(record["seq"])
        else:
            walk.find("wrong-prev", records=(max(walk.seq - 1, 0), walk.seq))
            self._lost(walk.seq)

    def _lost(self, seq: int) -> None:
        walk = self.walk
        self.proof.chained.add(walk.linked, walk.seq)
        walk.basis, walk.seq = None, max(seq, 0)
        walk.linked = walk.seq

    def _matters(self, line: bytes) -> None:
        record = chain.parse(line)
        if record is None:
            self.walk.find("not-a-record")
        elif record["kind"] == "opened":
            self.walk.find("second-opened")
        elif record["kind"] == "closed":
            self.closed, self.closed_at = True, self.walk.seq
        elif record["kind"] == "anchor":
            where, size, claims = record.get("where"), record.get("size"), self.proof.claims
            if isinstance(where, str) and type(size) is int and (where in claims or len(claims) < CLAIMS):
                claims[where] = max(size, claims.get(where, 0))
        elif isinstance(aside := record.get("quarantined"), dict):
            until = aside.get("until") if type(aside.get("until")) is int else None
            self.walk.walked.aside.append(Aside(str(aside.get("file")), until, record["seq"], self.source.name))
        elif record["kind"] == "prune" and (pruned := pruned_of(record, self.source.name)) is not None:
            self.walk.walked.pruned.append(pruned)

    # -- the end ----------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        walk = self.walk
        self._rest()
        for head in [head for head in self.own if head.size > walk.seq][-1:]:
            walk.beyond(head)
        if self.keys and not self.proof.of_command_line and self._unsigned():
            walk.find("no-checkpoint", line=False)

    def _rest(self) -> None:
        """No more may stand behind the last record than the next file says of it, if one follows this.

        Less may: what was never synced can be gone after a power failure.
        """
        told = self.next.get("spare")
        spare = told if isinstance(told, dict) else {}
        sizes = (spare.get("bytes"), self.next.get("torn"))
        most = sum(size for size in sizes if type(size) is int)
        if self.next.get("file") == self.source.name and self.spare_bytes + self.torn > most:
            self.walk.find("wrong-rest")
            return
        for reason, size in (("unacknowledged", self.spare), ("torn", self.torn)):
            if size:
                self.proof.notices.append(Finding(self.source.name, self.walk.number, reason))

    def _unsigned(self) -> bool:
        """Whether a checkpoint must have been written beside this file that is not there."""
        sizes = {head.size for head in self.own}
        if self.closed:
            return self.closed_at + 1 not in sizes
        first, last = map(_seconds, self.times)
        signed = max((_seconds((head.time or "").encode()) for head in self.own), default=0.0)
        return last - max(first, signed) > SIGNED_WITHIN


def _same(lines: Iterator[bytes], others: Iterator[bytes], records: int) -> bool:
    """Whether two forms of a file hold the same records; what stands behind them is nobody's."""
    try:
        return all(line == other for line, other in islice(zip_longest(lines, others), records))
    except Unreadable:
        return False


def _follows(record: dict[str, Any] | None) -> dict[str, Any]:
    follows = record.get("follows") if record else None
    return follows if isinstance(follows, dict) else {}


def _seconds(stamp: bytes) -> float:
    try:
        return datetime.fromisoformat(stamp.decode()).timestamp()
    except ValueError:
        return 0.0
