"""What earlier files of an instance leave behind for the next one: where the chain goes on, and what never ended.

Every file says at its head where the journal stood before it, so only the newest one is read whole, each line held to
the one before. An unfinished last line is normal after a crash. All
other damage is a JournalFault, which names file, line, reason and remedy: whoever runs the gateway has to know of it
before anything new is written behind it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

from phigate.journal import chain, read, zst
from phigate.journal.disk import JournalFault
from phigate.journal.head import Head
from phigate.journal.life import Rest
from phigate.journal.tree import parse_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from phigate.journal.read import Entry, JournalFile

__all__ = ["JournalFault", "Legacy", "legacy", "rest_of"]


@dataclass(slots=True)
class Legacy:
    """What the files before leave: where the journal stands, and torn bytes."""

    head: Head = field(default_factory=Head)
    torn: dict[str, int] = field(default_factory=dict)
    """File: the bytes of its torn last line, 0 when it is whole. These files were read."""


def legacy(files: Iterable[JournalFile], aside: Iterable[JournalFile] = ()) -> Legacy:
    """Read the newest of one instance's files, or as many as it takes; JournalFault on damage that is no torn end.

    Files that were put `aside` for their damage still count, line by line as they stand: their numbers are never
    given out again.
    """
    lenient = {file.name for file in aside}
    every = sorted([*files, *aside], key=lambda file: (file.seq, file.start))
    left = Legacy()
    unread: list[JournalFile] = []
    for file in reversed(every):
        unread.insert(0, file)
        if (head := _begun(file, lenient=file.name in lenient)) is not None:
            left.head = head
            break
    for file in unread:
        left.torn[file.name] = 0
        _read(left, file, lenient=file.name in lenient)
    return left


def _begun(file: JournalFile, *, lenient: bool) -> Head | None:
    """Where the journal stood before this file, as its head says; None when it cannot say."""
    first = next(read.entries(file.path), None)
    if first is None or (isinstance(first, read.Flaw) and first.reason == "torn"):
        return None
    try:
        return _head_of(file, first)
    except JournalFault:
        if lenient:
            return None
        raise


def _head_of(file: JournalFile, first: Entry | read.Flaw) -> Head | None:
    if isinstance(first, read.Flaw):
        raise _fault(file, 1, first.reason)
    record = first.record
    if record["kind"] != "opened":
        raise _fault(file, 1, "not-opened")
    if (record["seq"], record["instance"], record.get("file")) != (file.seq, file.instance, file.name):
        raise _fault(file, 1, "wrong-name")
    if "tree" not in record:  # an earlier version's
        return None
    follows, open_ = record.get("follows") or {}, record.get("open")
    tree = parse_range(record["tree"], file.seq)
    if tree is None or not _texts(open_) or not isinstance(follows, dict):
        raise _fault(file, 1, "wrong-start")
    before = follows.get("file")
    if record["prev"] != follows.get("hash", chain.ZEROS) or not isinstance(before, str | None):
        raise _fault(file, 1, "wrong-start")
    return Head(file.seq, record["prev"], before, 0, tree, open_)


def _texts(open_: Any) -> TypeGuard[dict[str, str]]:
    return isinstance(open_, dict) and all(isinstance(file, str) for file in open_.values())


def _read(left: Legacy, file: JournalFile, *, lenient: bool) -> None:
    head, end = left.head, 0
    for line, item in _items(file, left, lenient=lenient):
        record: dict[str, Any] = item.record if isinstance(item, read.Entry) else {}
        if not lenient and (record["prev"], record["seq"], record["instance"]) != (head.last, head.seq, file.instance):
            raise _fault(file, line, _why(record, head, file, line))
        raw = item.raw if isinstance(item, read.Entry) else item
        end += len(raw)
        digest = chain.sha256(raw)
        head.tree.append(digest)
        head.seq, head.last, head.file, head.end = head.seq + 1, digest.hex(), file.name, end
        head.note(str(record.get("kind")), record, file.name)


def _items(file: JournalFile, left: Legacy, *, lenient: bool) -> Iterator[tuple[int, Entry | bytes]]:
    """A file's lines, read as records; as bytes where they are none and that is known."""
    if lenient:
        yield from _as_they_stand(file, left)
        return
    for item in read.entries(file.path):
        if isinstance(item, read.Entry):
            yield item.line, item
        elif item.reason == "torn":
            left.torn[file.name] = item.size
        else:
            raise _fault(file, item.line, item.reason)


def _as_they_stand(file: JournalFile, left: Legacy) -> Iterator[tuple[int, Entry | bytes]]:
    number = 1
    for line in read.whole_lines(file.path):
        if not line.endswith(b"\n"):
            left.torn[file.name] = len(line)
            return
        record = chain.parse(line)
        yield number, line if record is None else read.Entry(file.name, number, record, line)
        number += 1


def _why(record: dict[str, Any], head: Head, file: JournalFile, line: int) -> str:
    if record["prev"] != head.last:
        return "wrong-start" if line == 1 else "wrong-prev"
    return "wrong-seq" if record["seq"] != head.seq else f"wrong-instance, not `{file.instance}`"


def _fault(file: JournalFile, line: int, reason: str) -> JournalFault:
    return JournalFault(
        f"{file.path}:{line}: {reason}; this file is damaged or was changed: put it back from a copy, or take it out "
        f"of the journal, and on record, with `phigate quarantine {file.path} --reason TEXT`"
    )


def rest_of(folder: Path, head: Head) -> Rest:
    """What stands in the file of the last record that counts, behind it; nothing of a file that cannot be read."""
    lines = size = torn = 0
    if head.file is not None:
        with suppress(OSError, zst.Damaged), read.opened(folder / head.file) as file:
            file.seek(head.end)
            while piece := file.readline(chain.MAX_LINE):
                torn += len(piece)
                if piece.endswith(b"\n"):
                    lines, size, torn = lines + 1, size + torn, 0
    return Rest(lines, size, torn)
