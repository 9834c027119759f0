"""[I/O] Sealed originals of one exchange, opened with the auditor's private key.

Whoever opens them is on record before anything is: without a look there is no opening.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from phigate.audit import bodies, look
from phigate.capture.seal import Place, Unopened, opened
from phigate.journal import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

COMMAND = "unseal"
FILE = "file"
"""The member that says in which file a record stands, which the record itself does not."""


@dataclass(frozen=True, slots=True)
class Original:
    """What one side said, as it was: the bytes of a body, or of one message; `faults` say what of it stays closed."""

    side: str
    kind: str
    ts: str
    data: bytes
    faults: tuple[str, ...] = ()


def originals(
    folder: Path,
    exchange: str,
    private: X25519PrivateKey,
    reason: str,
    note: Callable[[read.Flaw], None] = read.ignore,
) -> list[Original]:
    """Record the look, then open what is sealed of an exchange; empty when nothing of it is.

    Raises `look.Unrecorded`, and then nothing was opened.
    """
    look.record(folder, COMMAND, {"exchange": exchange}, reason)
    return list(unsealed(records(folder, exchange, note), private))


def records(folder: Path, exchange: str, note: Callable[[read.Flaw], None] = read.ignore) -> Iterator[dict[str, Any]]:
    """The records of an exchange in the order in which they were written, each with the `file` that holds it."""
    having = orjson.dumps(exchange)
    for file in read.files(folder):
        for item in read.entries(file.path, having):
            if isinstance(item, read.Flaw):
                note(item)
            elif item.record.get("exchange") == exchange:
                yield item.record | {FILE: item.file}


def unsealed(found: Iterable[dict[str, Any]], private: X25519PrivateKey) -> Iterator[Original]:
    """What is sealed in an exchange's records (in order, each with its `file`), as it was; nothing is raised."""
    for one in bodies.told(found):
        last = () if one.record["kind"] == "part" else (one.record,)
        pieces, faults, sealed = [], [], False
        for record in (*one.parts, *last):
            if "sealed" not in record:
                continue
            sealed = True
            try:
                pieces.append(opened(record["sealed"], private, _place(record, one.side)))
            except Unopened as fault:
                faults.append(f"{record[FILE]}: record {record['seq']}: {fault}")
        if sealed:
            yield Original(one.side, _kind(one), str(one.record["ts"]), b"".join(pieces), tuple(faults))


def _place(record: dict[str, Any], side: str) -> Place:
    part = record.get("part") if record["kind"] == "part" else None
    return Place(str(record[FILE]), record["seq"], str(record["exchange"]), record["kind"], side, part)


def _kind(one: bodies.Told[Any]) -> str:
    return "response" if one.record["kind"] == "part" else str(one.record["kind"])
