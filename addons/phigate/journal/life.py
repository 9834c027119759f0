"""The fields of the records about a file's own life: values in, plain JSON values out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from phigate.journal.head import Head

type Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rest:
    """What stands in a file behind its last record that counts: whole lines, and bytes of an unfinished one."""

    lines: int = 0
    bytes: int = 0
    torn: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What every file of a gateway says of it: its version, the key of its checkpoints, the epoch of its HMACs."""

    software: str
    key: str | None = None
    epoch: str | None = None


def opened_record(known: Known, file: str, before: Head, rest: Rest = Rest(), *, started: bool) -> Fields:
    """`opened`: the first record of a file, which says where the journal stood before it.

    `follows` names the last record that counts by its file and hash, and what stands behind it there: `torn`, the
    bytes of an unfinished line, and `spare`, lines that were written and never acknowledged. `open` are requests
    without an answer on record, `tree` the Merkle tree over all records before as a compact range (hex, largest first).
    """
    follows: Fields | None = {"file": before.file, "hash": before.last} if before.file else None
    if follows is not None and rest.torn:
        follows["torn"] = rest.torn
    if follows is not None and rest.lines:
        follows["spare"] = {"lines": rest.lines, "bytes": rest.bytes}
    return {
        "software": known.software,
        "file": file,
        "follows": follows,
        "open": dict(before.open),
        "tree": before.tree.texts(),
        "key": known.key,
        "epoch": known.epoch,
        "started": started,
    }


def closed_record(reason: str) -> Fields:
    """`closed`: the last record of a file; `rotated` when the next one goes on at once."""
    return {"reason": reason}


def interrupted_record(exchange: str, file: str) -> Fields:
    """`recovered`, of one exchange: its request stands in `file`, its answer was never recorded."""
    return {"exchange": exchange, "outcome": "interrupted", "file": file}


def recovered_record(torn: Mapping[str, int], interrupted: int) -> Fields:
    """`recovered`, of files: settled now; `torn` is the size of an unfinished last line, which nobody was told of."""
    return {"files": [{"file": file, "torn": size} for file, size in torn.items()], "interrupted": interrupted}


def resumed_record(fault: str, since: str, lost: Fields, refused: int, left: Sequence[str]) -> Fields:
    """`recovered`, of a fault of the disk: why nothing could be recorded `since` (RFC 3339), and what was not.

    `unrecorded` counts what had been queued and was never acknowledged, `refused` what was turned away meanwhile;
    `left` are files of which no record counts and that could not be removed.
    """
    return {
        "fault": fault,
        "since": since,
        "unrecorded": lost,
        "refused": refused,
        "files": [{"file": file, "torn": 0, "unacknowledged": True} for file in left],
    }


def quarantined_record(file: str, sha256: str | None, size: int | None, reason: str, until: int | None) -> Fields:
    """`recovered`, of a file that an operator took out of the journal: its SHA-256 and bytes, None when it was gone.

    `until` is the number of the record that the file behind it begins with; None when it was the newest.
    """
    return {"quarantined": {"file": file, "sha256": sha256, "bytes": size, "reason": reason, "until": until}}
