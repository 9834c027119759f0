"""An export: the happenings that are wanted, in one of the formats.

Rules of this file: whatever is written went through clean.py, so an export may be looked at on a terminal; memory holds
some hundred exchanges (a row group, for Parquet), however many there are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import IO, TYPE_CHECKING, Any, Final

import orjson

from phigate.audit.export import ecs, fhir, happenings, ocsf
from phigate.audit.export.parquet import write_parquet
from phigate.audit.export.tables import write_csv
from phigate.audit.index import exchanges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from phigate.audit.export.happenings import Happening
    from phigate.audit.index.database import Index
    from phigate.audit.index.exchanges import Wanted

ROWS: Final = frozenset({"csv", "parquet"})
"""Formats of one row an exchange; the others tell of every record."""
_OF_RECORDS: Final = frozenset({"subject", "issuer", "since", "until"})
"""What is known of records that are about no exchange."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which happenings; `events` are the records that are about no exchange."""

    wanted: Wanted
    events: bool = True

    def happenings(self, index: Index, since: float | None = None) -> Iterator[Happening]:
        """In order of time; `since` takes the place of the question's own."""
        start = self.wanted.since if since is None else since
        about = {name: getattr(self.wanted, name) for name in ("subject", "issuer", "until")}
        rows = exchanges.exchanges(index, replace(self.wanted, since=start))
        found = happenings.exchanges(index, rows)
        if not self.events or not self.of_records:
            return found
        return happenings.merged(found, happenings.events(index, start, **about))

    @property
    def of_records(self) -> bool:
        """Whether records that are about no exchange can answer it at all."""
        asked = {name for name, value in asdict(self.wanted).items() if value is not None}
        return asked <= _OF_RECORDS

    def before(self, until: float) -> Question:
        """The same, of what was before then."""
        return replace(self, wanted=replace(self.wanted, until=until))

    def count(self, index: Index) -> int:
        """How many exchanges there are."""
        where, params = self.wanted.where()
        row = index.one(f"SELECT count(*) FROM exchange WHERE {where}", params)  # noqa: S608 -- our own names
        return int(row[0]) if row else 0


def write(format_: str, found: Iterable[Happening], out: IO[bytes], *, disclosures: bool = True) -> int:
    """Write them; the number of lines or rows. Raises parquet.Missing."""
    if format_ == "csv":
        return write_csv(found, out)
    if format_ == "parquet":
        return write_parquet(found, out)
    count = 0
    for happening in found:
        for document in _documents(format_, happening, disclosures=disclosures):
            out.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def _documents(format_: str, happening: Happening, *, disclosures: bool) -> Iterator[dict[str, Any]]:
    if format_ == "fhir":
        yield from fhir.resources(happening, disclosures=disclosures)
    else:
        yield _ONE[format_](happening)


_ONE: Final[dict[str, Callable[[Happening], dict[str, Any]]]] = {"ocsf": ocsf.event, "ecs": ecs.document}
