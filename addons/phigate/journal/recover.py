"""[I/O] What earlier files of an instance leave behind for the next one: where the chain goes on, and what never ended.

A file is settled once a later file holds the `recovered` record that names it; that record ends a recovery and stands
at the head of its file, before anything else but `opened` and the recovery itself. So only the newest files, back to
the first with such a head, are read whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phigate.journal import chain, read

if TYPE_CHECKING:
    from phigate.journal.read import Entry, JournalFile

_HEAD = ("opened", "recovered")


class JournalFault(Exception):  # noqa: N818 - a fault of the operator's folder, told in the operator's words
    """The journal cannot be opened as it stands; the message names the file and the remedy."""


@dataclass(slots=True)
class Legacy:
    """What the files before leave: the last record's file, number and hash; requests without an answer; torn bytes."""

    file: str | None = None
    seq: int = -1
    last: str = chain.ZEROS
    open: dict[str, str] = field(default_factory=dict)
    """Exchange: the file that holds its request."""
    torn: dict[str, int] = field(default_factory=dict)
    """File: the bytes of its torn last line, 0 when it is whole. These files are settled by this recovery."""


def legacy(files: list[JournalFile]) -> Legacy:
    """Read what is not settled of one instance's files (in order); JournalFault on damage that is no torn end."""
    left = Legacy()
    for file in _unsettled(files):
        left.torn[file.path.name] = 0
        for item in read.entries(file.path):
            if isinstance(item, read.Entry):
                _take(left, item)
            elif item.reason == "torn":
                left.torn[item.file] = item.size
            else:
                raise JournalFault(f"{file.path}:{item.line}: {item.reason}; keep this file for an auditor elsewhere")
    return left


def _unsettled(files: list[JournalFile]) -> list[JournalFile]:
    for index in range(len(files) - 1, -1, -1):
        if _ends_a_recovery(files[index]):
            return files[index:]
    return files


def _ends_a_recovery(file: JournalFile) -> bool:
    for item in read.entries(file.path):
        if not isinstance(item, read.Entry) or item.record["kind"] not in _HEAD:
            return False
        if "files" in item.record:
            return True
    return False


def _take(left: Legacy, entry: Entry) -> None:
    record = entry.record
    left.file, left.seq, left.last = entry.file, record["seq"], chain.digest(entry.raw)
    exchange = record.get("exchange")
    if not isinstance(exchange, str):
        return
    if record["kind"] == "request":
        decision = record.get("decision")
        if isinstance(decision, dict) and decision.get("verb") in ("permit", "break_glass"):
            left.open[exchange] = entry.file
    elif record["kind"] in ("response", "recovered"):
        left.open.pop(exchange, None)
