"""What a journal was found to prove: values only. What each word means to a reader stands in the tables here.

A *finding* says that something was changed, removed or damaged. A *notice* says what is as it should be and yet to be
known: torn ends, lines nobody was told of, gaps that were made in order. *Untold* is what could not be judged.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

FINDINGS: Final = {
    "not-a-record": "this line is no record",
    "too-long": "this line is longer than a record may be",
    "not-opened": "a file begins with an `opened` record, and this one does not",
    "second-opened": "a second `opened` record in one file",
    "renamed": "the file's first record names another file",
    "wrong-start": "the file does not follow the one before it: its link, its number or the name it follows differs",
    "wrong-tree": "the tree that the file starts from is not that of the records before it",
    "wrong-prev": "the chain is broken: this line or the one before it was changed",
    "wrong-seq": "records are missing, doubled or out of order before this line",
    "wrong-instance": "the record is of another instance than its file",
    "after-closed": "records after the one that closes the file",
    "wrong-rest": "more stands behind the last acknowledged record than the next file says of it",
    "missing": "records are missing, and nothing accounts for them",
    "wrong-prune": "records were deleted, and what is said of them is not what the next file starts from",
    "unreadable": "the file cannot be read to its end",
    "not-a-note": "this is no checkpoint",
    "false-signature": "the checkpoint's signature does not hold under the key that was given",
    "unknown-key": "the checkpoint is signed by another key than those that were given",
    "wrong-file": "the checkpoint belongs beside another file",
    "wrong-root": "the records up to here are not those that were signed",
    "wrong-root-anchored": "the records up to here are not those of the checkpoint that was kept elsewhere",
    "beyond-the-end": "more records were signed than there are",
    "beyond-the-end-anchored": "more records were kept elsewhere as signed than there are",
    "no-checkpoint": "records of this file were signed when they were written, and the checkpoint is gone",
    "no-records": "a key was given of an instance that has no records here",
}
"""The reason of a finding, and its sentence."""
NOTICES: Final = {
    "torn": "an unfinished last line, as a crash or a running gateway leaves it; nobody was told it was recorded",
    "torn-checkpoint": "an unfinished last checkpoint, as a crash leaves it; those before it count",
    "unacknowledged": "lines that were written while the disk failed; nobody was told they were recorded",
    "pruned": "records deleted in order; a signed record accounts for them, and the next file goes on from their tree",
    "pruned-unsigned": "records deleted; what accounts for them is signed by no key that was given",
    "quarantined": "a damaged file was taken out by an operator; a signed record says so",
    "quarantined-unsigned": "a damaged file was taken out; what says so is signed by no key that was given",
    "copy-differs": "a compressed copy beside the file holds something else; the plain file is the one that counts",
    "unchecked": "checkpoints that no given key can check",
    "unanchored": "checkpoints that were kept elsewhere were given, and none of them covers any of these records",
}
"""The reason of a notice, and its sentence."""
KEPT: Final = 1000
"""Findings kept of one instance; the others are counted."""

type Verdict = Literal["holds", "broken", "untold"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What, and where: `line` counts from 1 (None: the file as a whole), `records` are the numbers it is about."""

    file: str
    line: int | None
    reason: str
    records: tuple[int, int] | None = None


class Spans:
    """Stretches of record numbers, each [start, end), merged where they touch."""

    __slots__ = ("spans",)

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> None:
        """Add one stretch; the stretches come in any order."""
        if start < end:
            first = bisect_left(self.spans, start, key=lambda span: span[1])
            behind = bisect_right(self.spans, end, key=lambda span: span[0])
            if touched := self.spans[first:behind]:
                start, end = min(start, touched[0][0]), max(end, touched[-1][1])
            self.spans[first:behind] = [(start, end)]

    def holds(self, number: int) -> bool:
        place = bisect_right(self.spans, number, key=lambda span: span[0])
        return place > 0 and number < self.spans[place - 1][1]

    def without(self, others: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """What of these stretches lies in none of the others (which are in order)."""
        left = []
        for start, end in self.spans:
            for a, b in others:
                if b > start and a < end:
                    if a > start:
                        left.append((start, a))
                    start = max(start, b)  # noqa: PLW2901 - what is left of this stretch
            if start < end:
                left.append((start, end))
        return left


@dataclass(slots=True)
class Proof:
    """What the files of one instance prove."""

    instance: str
    files: int = 0
    bytes: int = 0
    records: int = 0
    chained: Spans = field(default_factory=Spans)
    """Records whose line follows from the one before."""
    signed: Spans = field(default_factory=Spans)
    """Records that a checkpoint under a given key covers."""
    anchored: Spans = field(default_factory=Spans)
    """Records that a checkpoint kept elsewhere covers."""
    checkpoints: int = 0
    anchors: int = 0
    key: str | None = None
    """The ids of the keys that were given for this instance; None when there was none."""
    signed_at: str | None = None
    anchored_at: str | None = None
    """What the last checkpoint that holds says of its time (RFC 3339)."""
    claims: dict[str, int] = field(default_factory=dict)
    """By anchor, up to which record the journal itself says that it was anchored there."""
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    """Findings that were counted only."""
    notices: list[Finding] = field(default_factory=list)

    def find(self, finding: Finding) -> None:
        """Keep a finding, or count it when there are too many."""
        if len(self.findings) < KEPT:
            self.findings.append(finding)
        else:
            self.more += 1

    @property
    def verdict(self) -> Verdict:
        """`broken` with any finding; `untold` when nothing but the chain could be checked that others sign."""
        if self.findings:
            return "broken"
        unsigned = any(notice.reason == "unanchored" or notice.reason.endswith("-unsigned") for notice in self.notices)
        return "untold" if unsigned or (self.key is None and not self.of_command_line) else "holds"

    @property
    def of_command_line(self) -> bool:
        """Whether these are records of commands, which no gateway signs."""
        return self.instance.endswith(".cli")


def verdict_of(proofs: Iterable[Proof]) -> Verdict:
    """The verdict on a folder: the worst of its instances, and `untold` when no key was given of any of them."""
    every = list(proofs)
    found = {proof.verdict for proof in every}
    if "broken" in found:
        return "broken"
    return "holds" if found == {"holds"} and any(proof.key for proof in every) else "untold"
