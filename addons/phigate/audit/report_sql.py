"""Asking the index for the report: within a period, by statements of our own words, in bounded memory."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from phigate.audit.report_parts import Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from phigate.audit.periods import Period

TOP: Final = 25
"""Rows of a table that could be long."""
IN_PERIOD: Final = "at >= :since AND at < :until"
RAN: Final = "verb IN ('permit', 'break_glass')"
"""What went on to the model."""
PERSON: Final = "coalesce(issuer, '-'), coalesce(subject, '-')"
PEOPLE: Final = "COUNT(DISTINCT coalesce(issuer, '-') || char(0) || coalesce(subject, '-'))"


class Index(Protocol):
    """What the report needs of one."""

    def rows(self, sql: str, params: dict[str, Any], /) -> Iterable[Sequence[Any]]: ...


class Asking:
    """One index, one period: `:since` and `:until` are known to every statement."""

    def __init__(self, index: Index, period: Period) -> None:
        self._index: Final = index
        self.period: Final = period

    def rows(self, sql: str, **params: object) -> Iterator[Sequence[Any]]:
        return iter(self._index.rows(sql, {"since": self.period.since, "until": self.period.until, **params}))

    def one(self, sql: str, **params: object) -> Sequence[Any] | None:
        return next(self.rows(sql, **params), None)

    def count(self, what: str, **params: object) -> int:
        """How many rows; `what` is a table with its condition."""
        ((found,),) = self.rows(f"SELECT COUNT(*) FROM {what}", **params)  # noqa: S608 -- our own words
        return int(found)

    def top[Row](self, sql: str, make: Callable[..., Row], most: int = TOP) -> Listing[Row]:
        """The first rows of a sorted statement, each made by `make`, and how many there were."""
        walk = self.rows(sql)
        kept = [make(*row) for row in itertools.islice(walk, most)]
        return Listing(kept, len(kept) + sum(1 for _ in walk))

    def time(self, at: float) -> datetime:
        return datetime.fromtimestamp(at, self.period.zone)


def row(*values: Any) -> tuple[Any, ...]:
    """A row as it is."""
    return values


def names(listed: object) -> list[str]:
    """A JSON list of names, as the index keeps one."""
    try:
        found = orjson.loads(str(listed))
    except ValueError:
        return []
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
