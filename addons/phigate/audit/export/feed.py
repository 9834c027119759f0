"""A feed of AuditEvents that goes on where it ended: what was sent is written down after each batch.

Rules of this file:

- Only what is settled is sent. An exchange whose answer is still to come is remembered by its id and asked for again
  the next time; one that is open for longer than OLD goes out as it stands.
- What is younger than SETTLE is left for the next time, since another instance's record of the same moment may come.
- A state belongs to one repository and one question: with another it is refused, not mixed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

import orjson

from phigate.audit.export.fhir import resources
from phigate.audit.export.happenings import EXCHANGE, Happening, exchanges, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from phigate.audit.export.fhir import Resource
    from phigate.audit.export.fhir_post import Repository
    from phigate.audit.export.happenings import Rows

SETTLE: Final = 10.0
"""Seconds."""
OLD: Final = 24 * 3600.0
"""Seconds."""
VERSION: Final = 1
_ASKED: Final = 500
_MOST: Final = 1000
"""Happenings that are held until there are enough resources for a batch."""


class StateFault(Exception):  # noqa: N818 -- a fault of a file that somebody named
    """A state that cannot be used; the message says why."""


@dataclass(slots=True)
class State:
    """How far a feed is: all up to `through` (seconds since the epoch), of that very moment those in `last`."""

    question: dict[str, Any]
    through: float | None = None
    last: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def take(self, happening: Happening) -> None:
        """Count it as dealt with."""
        if happening.at != self.through:
            self.through, self.last = happening.at, []
        self.last.append(happening.id)

    def knows(self, happening: Happening) -> bool:
        return happening.at == self.through and happening.id in self.last


def read(path: Path, question: dict[str, Any]) -> State:
    """The state of a feed, or a new one; raises StateFault."""
    try:
        said = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return State(question)
    except (OSError, ValueError):
        raise StateFault(f"{path}: not the state of a feed") from None
    if not isinstance(said, dict) or said.get("version") != VERSION or said.get("question") != question:
        raise StateFault(f"{path}: of another repository, or of another question")
    through, last, open_ = (said.get(name) for name in ("through", "last", "open"))
    if not isinstance(through, float | None) or not isinstance(last, list) or not isinstance(open_, list):
        raise StateFault(f"{path}: not the state of a feed")
    return State(question, through, last, open_)


def write(path: Path, state: State) -> None:
    """Whole or not at all, and on the disk before anything more is sent."""
    said = {"version": VERSION, "question": state.question, "through": state.through}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            file.write(orjson.dumps(said | {"last": state.last, "open": state.open}, option=orjson.OPT_APPEND_NEWLINE))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as fault:
        raise StateFault(f"{path}: {(fault.strerror or 'cannot be written').lower()}") from None
    finally:
        part.unlink(missing_ok=True)


def waiting(index: Rows, state: State) -> Iterator[Happening]:
    """The exchanges that were open the last time."""
    streams = []
    for chunk in batched(state.open, _ASKED, strict=False):
        sql = f"SELECT * FROM exchange WHERE exchange IN ({', '.join('?' * len(chunk))}) ORDER BY at, id"  # noqa: S608 -- marks only
        streams.append(exchanges(index, index.rows(sql, chunk)))
    return merged(*streams)


def run(
    happenings: Iterable[Happening],
    again: Iterable[Happening],
    repository: Repository,
    state: State,
    *,
    now: float,
    disclosures: bool = True,
    keep: Callable[[State], None] = lambda _state: None,
) -> None:
    """Send what is settled, first `again` (those that were open), then the rest; `keep` is told after each batch.

    Raises what `repository.send` raises; what `keep` was told last is then still true.
    """
    due = (each for each in again if _due(each, now))
    for chunk in _chunks(due, repository.batch, now, disclosures=disclosures):
        _send(repository, chunk)
        gone = {str(each.row["exchange"]) for each, _ in chunk}
        state.open = [name for name in state.open if name not in gone]
        keep(state)
    fresh = (each for each in happenings if not state.knows(each))
    for chunk in _chunks(fresh, repository.batch, now, disclosures=disclosures):
        _send(repository, chunk)
        for each, _ in chunk:
            state.take(each)
            if not _due(each, now):
                state.open.append(str(each.row["exchange"]))
        keep(state)


def _due(happening: Happening, now: float) -> bool:
    return happening.settled or happening.kind != EXCHANGE or now - happening.at > OLD


def _chunks(
    happenings: Iterable[Happening], size: int, now: float, *, disclosures: bool
) -> Iterator[list[tuple[Happening, list[Resource]]]]:
    """Happenings with their resources (none, where it is too early) until there are enough for a batch."""
    chunk: list[tuple[Happening, list[Resource]]] = []
    count = 0
    for happening in happenings:
        found = list(resources(happening, disclosures=disclosures)) if _due(happening, now) else []
        chunk.append((happening, found))
        count += len(found)
        if count >= size or len(chunk) >= _MOST:
            yield chunk
            chunk, count = [], 0
    if chunk:
        yield chunk


def _send(repository: Repository, chunk: list[tuple[Happening, list[Resource]]]) -> None:
    found = (resource for _, each in chunk for resource in each)
    for batch in batched(found, repository.batch, strict=False):
        repository.send(batch)
