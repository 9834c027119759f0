"""What of a journal may be deleted, and deleting it: whole files whose time is over, after that is on record.

- A file may go when another one follows it and its last record was written before the limit.
- Files that a legal hold touches stay, and so do those that tell of deletions or of files that were taken out, since
  the gap would be tampering without them.
- What stands in the next file's head (link, number, tree) is what the record repeats: a reader can prove the gap.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

from phigate.journal import chain, read
from phigate.journal.disk import held, sync_folder
from phigate.journal.tree import parse_range

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from phigate.journal.holds import Hold
    from phigate.journal.read import JournalFile


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file whose time is over; `kept` says why it stays all the same, None when it may go."""

    file: JournalFile
    first: int
    last: int
    since: int
    """The first number that will be missing: that of an earlier gap which this one goes on from."""
    digest: str
    root: str
    begun: str
    ended: str
    """Times (RFC 3339) between which its records were written."""
    kept: str | None


def candidates(folder: Path, before: datetime, holds: Sequence[Hold]) -> list[Candidate]:
    """The files whose last record was written before that time; raises OSError and zst.Damaged.

    The folder must have been proven: its heads are believed.
    """
    found: list[Candidate] = []
    for _, own in groupby(read.files(folder), key=lambda file: file.instance):
        files = [(file, head) for file in own if (head := _head(file)) is not None]
        missing: int | None = None  # where the gap begins that a deleted file would go on from
        end = 0
        for (file, head), (_, after) in pairwise(files):
            if datetime.fromisoformat(head["ts"]) >= before:
                break
            missing = end if missing is None and head["seq"] > end else missing
            one = _candidate(file, head, after, head["seq"] if missing is None else missing, holds)
            if one is None or datetime.fromisoformat(one.ended) >= before:
                break
            found.append(one)
            missing, end = None if one.kept else one.since, after["seq"]
    return found


def _candidate(
    file: JournalFile, head: dict[str, Any], after: dict[str, Any], since: int, holds: Sequence[Hold]
) -> Candidate | None:
    tree = parse_range(after.get("tree"), after["seq"])
    if tree is None:
        return None
    begun, ended, tells = _read(file, head["ts"])
    kept = next((f"legal hold {hold.name}" for hold in holds if hold.touches(begun, ended)), None)
    kept = kept or ("it tells of deletions" if tells else None)
    root = tree.root().hex()
    return Candidate(file, head["seq"], after["seq"] - 1, since, after["prev"], root, begun, ended, kept)


def _head(file: JournalFile) -> dict[str, Any] | None:
    first = next(read.entries(file.path), None)
    return first.record if isinstance(first, read.Entry) and first.record["kind"] == "opened" else None


def _read(file: JournalFile, begun: str) -> tuple[str, str, bool]:
    """The first and the last time of a file's records, and whether any tells of records that are gone.

    Times are compared as text, which all have the same form; a clock that was set back leaves them in no order.
    """
    tells, first, last = False, begun, begun
    for line in read.lines(file.path):
        if (record := chain.parse(line)) is not None:
            tells = tells or record["kind"] == "prune" or (record["kind"] == "recovered" and "quarantined" in record)
            first, last = min(first, record["ts"]), max(last, record["ts"])
    return first, last, tells


def prune_record(candidate: Candidate, reason: str | None, by: dict[str, Any]) -> dict[str, Any]:
    """`prune`: which file goes, and what the next one starts from (`digest`, `root`); all from `since` on is gone then.

    `sha256` is that of the file's plain bytes. Raises OSError and zst.Damaged.
    """
    hashed, records = hashlib.sha256(), 0
    for line in read.lines(candidate.file.path):
        hashed.update(line)
        records += line.endswith(b"\n")
    return {
        "file": candidate.file.name,
        "records": records,
        "since": candidate.since,
        "first": candidate.first,
        "last": candidate.last,
        "digest": candidate.digest,
        "root": candidate.root,
        "begun": candidate.begun,
        "ended": candidate.ended,
        "sha256": hashed.hexdigest(),
        "reason": reason,
        "by": by,
    }


def delete(folder: Path, every: Sequence[Candidate], gone: Callable[[str], None]) -> None:
    """Delete files that are on record as deleted, the oldest first; raises OSError."""
    for candidate in every:
        plain, packed = read.forms(candidate.file.path)
        with suppress(FileNotFoundError), held(plain, wait=True):  # who compresses it would put its copy there
            plain.unlink()
        with suppress(FileNotFoundError):
            packed.unlink()
        with suppress(FileNotFoundError):
            (folder / f"{candidate.file.name.removesuffix('.jsonl')}.checkpoints").unlink()
        sync_folder(folder)
        gone(candidate.file.name)
