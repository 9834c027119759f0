"""Signed heads of a journal's tree: what the checkpoints beside a file, and those kept elsewhere, say. Pure.

A checkpoint counts when a key that the caller was given vouches for it; the key that a journal names itself proves
nothing, since whoever rewrites a journal writes that as well.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phigate.journal import note
from phigate.journal.note import Checkpoint, NoteFault
from phigate.journal.proof import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from phigate.journal.note import Piece, Vkey

_CARRIED = re.compile(rb"note=([A-Za-z0-9+/]{8,}={0,2})")
"""A note within a line of a log: what an anchor sends to a syslog server."""
_TORN = re.compile(
    r"(?P<origin>[^\n]*)(?:\n(?P<size>[0-9]*)(?:\n[A-Za-z0-9+/=]{0,44}(?:\n(?:[a-z][^\n]*\n)*"
    r"(?:[a-z][^\n]*|\n(?:\u2014?|\u2014 [^\n ]*(?: [A-Za-z0-9+/=]{0,92})?))?)?)?)?"
)
"""What a crash may leave of a checkpoint of ours."""


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint that holds, and the place where it stands."""

    size: int
    root: bytes
    where: str
    line: int
    time: str | None
    anchor: bool = False


@dataclass(slots=True)
class Heads:
    """What was read of some checkpoints; `unchecked` counts those of which no key was given."""

    heads: list[Head] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notices: list[Finding] = field(default_factory=list)
    unchecked: int = 0


def beside(raw: bytes, where: str, file: str, origin: str, keys: Sequence[Vkey]) -> Heads:
    """Read the checkpoints that stand in `where`, beside the journal's `file`; `keys` are those of its origin."""
    found = Heads()
    pieces = list(note.pieces(raw))
    for piece in pieces:
        if piece.whole:
            _take(found, piece, _judged(piece, origin, keys), where, file)
        elif piece is pieces[-1] and _torn(piece.raw, origin):
            found.notices.append(Finding(where, piece.line, "torn-checkpoint"))
        else:
            found.findings.append(Finding(where, piece.line, "not-a-note"))
    return found


def _take(found: Heads, piece: Piece, judged: Checkpoint | str, where: str, file: str) -> None:
    if judged == "unchecked":
        found.unchecked += 1
    elif isinstance(judged, str):
        found.findings.append(Finding(where, piece.line, judged))
    elif judged.told("file") != file:
        found.findings.append(Finding(where, piece.line, "wrong-file"))
    else:
        found.heads.append(Head(judged.size, judged.root, where, piece.line, judged.told("time")))


def elsewhere(raw: bytes, where: str, keys: Mapping[str, Sequence[Vkey]]) -> dict[str, Heads]:
    """Read what an anchor kept, by origin; `keys` are those that were given for each.

    Others' notes, and whatever else stands in such a file, are passed over: they are no evidence about these origins.
    """
    every = {origin: Heads() for origin in keys}
    for piece in (*note.pieces(raw), *_carried(raw)):
        origin = piece.raw.partition(b"\n")[0].decode(errors="replace")
        if not piece.whole or origin not in every:
            continue
        judged = _judged(piece, origin, keys[origin])
        if isinstance(judged, Checkpoint):
            head = Head(judged.size, judged.root, where, piece.line, judged.told("time"), anchor=True)
            every[origin].heads.append(head)
        elif judged != "unchecked":
            every[origin].findings.append(Finding(where, piece.line, judged))
    return every


def _carried(raw: bytes) -> Iterator[Piece]:
    line, at = 1, 0
    for match in _CARRIED.finditer(raw):
        line, at = line + raw.count(b"\n", at, match.start()), match.start()
        try:
            carried = base64.b64decode(match[1], validate=True)
        except binascii.Error:
            continue
        yield note.Piece(line, carried, whole=True)


def _judged(piece: Piece, origin: str, keys: Sequence[Vkey]) -> Checkpoint | str:
    try:
        read = note.parse(piece.raw)
        checkpoint = note.parse_checkpoint(read.text)
    except NoteFault:
        return "not-a-note"
    if not keys:
        return "unchecked"
    signers = {(name, ident) for name, ident, _ in read.signatures}
    known = [key for key in keys if (key.name, key.id) in signers]
    if not known or checkpoint.origin != origin:
        return "unknown-key"
    return checkpoint if all(note.holds(read, key) for key in known) else "false-signature"


def _torn(raw: bytes, origin: str) -> bool:
    """Whether these bytes are the beginning of a checkpoint; a sign that was cut in its bytes counts as absent."""
    match = _TORN.fullmatch(raw.decode(errors="ignore"))
    if match is None:
        return False
    return origin == match["origin"] if match["size"] is not None else origin.startswith(match["origin"])
