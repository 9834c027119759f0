"""The fields of the records about a file's own life: values in, plain JSON values out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

type Fields = dict[str, Any]


def opened_record(software: str, file: str, follows: str | None, last: str, epoch: str | None = None) -> Fields:
    """`opened`: the first record of a file; `follows` names the file before and the hash of its last whole line.

    `epoch` is that of the key which the file's identifiers are made with.
    """
    link = {"file": follows, "hash": last} if follows else None
    return {"software": software, "file": file, "follows": link, "epoch": epoch}


def closed_record(reason: str) -> Fields:
    """`closed`: the last record of a file whose gateway stopped in order."""
    return {"reason": reason}


def interrupted_record(exchange: str, file: str) -> Fields:
    """`recovered`, of one exchange: its request stands in `file`, its answer was never recorded."""
    return {"exchange": exchange, "outcome": "interrupted", "file": file}


def recovered_record(torn: Mapping[str, int], interrupted: int) -> Fields:
    """`recovered`, of files: settled now; `torn` is the size of an unfinished last line, which nobody was told of."""
    return {"files": [{"file": file, "torn": size} for file, size in torn.items()], "interrupted": interrupted}
