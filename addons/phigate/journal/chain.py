"""The journal's line and its hash chain: values in, bytes or a verdict out.

A record is one line: compact JSON, the keys of ENVELOPE first and in that order, then the fields of its kind, then one
newline. `prev` is the SHA-256 (hex) of the whole line before it, newline included, so that anyone can follow the chain
by hand: `sed -n 12p FILE | sha256sum` is the `prev` of line 13. `seq` counts the records of one instance and goes on
from file to file. The first line of a file is `opened`; its `prev` is the last line of the file it follows (which its
`follows` names), or ZEROS when it follows none.

A chain alone proves every line but the last of a journal: nothing follows that one yet.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal, get_args

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

VERSION = 1
ZEROS = "0" * 64
INSTANCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names of instances: each is the beginning of a file's name."""
MAX_LINE = 16 * 1024 * 1024
"""Bytes of the longest line that is written or read."""

Kind = Literal[
    "request", "response", "part", "message", "hold", "refused",
    "ticket", "grant", "token", "revocation", "break-glass", "review", "deployment", "notice", "look",
    "opened", "closed", "recovered", "anchor", "prune", "policy", "clock",
]  # fmt: skip
KINDS: frozenset[str] = frozenset(get_args(Kind))
ENVELOPE = ("v", "seq", "prev", "ts", "instance", "kind")
_ENVELOPE = frozenset(ENVELOPE)


class Unrecordable(Exception):  # noqa: N818 - named for what the exchange is, in the words of the reply
    """These fields cannot be one line of a journal; the message never quotes them."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line (from 1) that does not hold, and the kebab-case reason; see `verify_lines`."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a chain proved: the records that hold, the hash of the last of them, the first that does not."""

    records: int
    last: str
    broken: Broken | None

    @property
    def intact(self) -> bool:
        return self.broken is None


def stamp(now: datetime) -> str:
    """UTC with microseconds and a `Z` (RFC 3339); a naive time is our own bug."""
    if now.tzinfo is None:
        raise ValueError("a record's time needs a timezone")
    utc = now if now.tzinfo is UTC else now.astimezone(UTC)
    return utc.isoformat(timespec="microseconds")[:26] + "Z"


def sha256(line: bytes) -> bytes:
    """SHA-256 of a whole line, newline included."""
    return hashlib.sha256(line).digest()


def digest(line: bytes) -> str:
    """The same in hex, as `prev` names it."""
    return hashlib.sha256(line).hexdigest()


def line_of(*, seq: int, prev: str, now: datetime, instance: str, kind: Kind, fields: Mapping[str, Any]) -> bytes:
    """One record as its line; Unrecordable when the fields are no JSON, too deep, too long or shadow the envelope."""
    if kind not in KINDS or not _ENVELOPE.isdisjoint(fields):
        raise Unrecordable("unknown kind, or a field named like the envelope's")
    envelope: dict[str, Any] = {
        "v": VERSION,
        "seq": seq,
        "prev": prev,
        "ts": stamp(now),
        "instance": instance,
        "kind": kind,
    }
    try:
        line = orjson.dumps({**envelope, **fields}, option=orjson.OPT_APPEND_NEWLINE)
    except (TypeError, RecursionError) as fault:
        raise Unrecordable(f"not representable as JSON ({type(fault).__name__})") from None
    if len(line) > MAX_LINE or line.find(b"\n") != len(line) - 1:
        raise Unrecordable("longer than a line may be, or more than one line")
    return line


def parse(line: bytes) -> dict[str, Any] | None:
    """The record of one whole line, or None when it is torn or no record of this version."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = orjson.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and _is_record(record) else None


def _is_record(record: dict[str, Any]) -> bool:
    return (
        record.get("v") == VERSION
        and type(record.get("seq")) is int
        and isinstance(record.get("prev"), str)
        and isinstance(record.get("ts"), str)
        and isinstance(record.get("instance"), str)
        and isinstance(record.get("kind"), str)
        and record["kind"] in KINDS
    )


def verify_lines(lines: Iterable[bytes], *, follows: str | None = None) -> Verdict:
    """Walk one file's lines and stop at the first that does not hold.

    `follows` is the hash the first line must name; without it the first line is held to its own `follows` field. The
    reasons: `torn`, `not-a-record`, `not-opened`, `wrong-start`, `wrong-seq`, `wrong-instance`, and `wrong-prev`, which
    means that this line or the one before it was changed. A change to the last line shows only to what follows it: the
    next file, a checkpoint, an anchor.
    """
    count, last = 0, ZEROS
    before: dict[str, Any] | None = None
    for line in lines:
        record = parse(line)
        reason = _misfit(line, record) or _unlinked(record or {}, before, last if before else follows)
        if reason:
            return Verdict(count, last, Broken(count + 1, reason))
        count, last, before = count + 1, digest(line), record
    return Verdict(count, last, None)


def _misfit(line: bytes, record: dict[str, Any] | None) -> str | None:
    if not line.endswith(b"\n"):
        return "torn"
    return "not-a-record" if record is None else None


def _unlinked(record: dict[str, Any], before: dict[str, Any] | None, link: str | None) -> str | None:
    if before is None:
        return _unstarted(record, link)
    if record["prev"] != link:
        return "wrong-prev"
    if record["seq"] != before["seq"] + 1:
        return "wrong-seq"
    return None if record["instance"] == before["instance"] else "wrong-instance"


def _unstarted(record: dict[str, Any], link: str | None) -> str | None:
    if record["kind"] != "opened":
        return "not-opened"
    follows = record.get("follows")
    named = follows.get("hash") if isinstance(follows, dict) else ZEROS
    return None if record["prev"] == named and link in (None, named) else "wrong-start"
