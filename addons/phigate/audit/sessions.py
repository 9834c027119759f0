"""Sessions out of records: records in order of time go in, one summary a session comes out.

A session is a subject's exchanges under one bearer (or under the client's own session header). An answer's record
names only its exchange, so the exchanges whose answer is still to come are remembered, up to LIVE of them.
Records are read from files that may have been changed: a field of another shape than ours counts as missing.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phigate.journal import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

type Key = tuple[str, str, str]

LIVE = 65_536
MODELS = 32
"""Names of models a summary keeps apart; the rest count as OTHERS."""
OTHERS = "(others)"
_ANSWERS = ("response", "recovered")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which exchanges count; None is any. Times are compared as the journal writes them (UTC, RFC 3339)."""

    subject: str | None = None
    role: str | None = None
    model: str | None = None
    action: str | None = None
    reason: str | None = None
    since: str | None = None
    until: str | None = None

    def takes(self, record: Mapping[str, Any]) -> bool:
        """Whether a request's (or hold's) record is one of these."""
        subject = _part(record, "subject")
        asked = (
            (self.subject, (subject.get("id"),)),
            (self.role, _names(subject, "roles")),
            (self.model, (record.get("model"),)),
            (self.action, _names(record, "action")),
            (self.reason, (_part(record, "decision").get("reason"),)),
        )
        ts = str(record["ts"])
        timely = (self.since is None or ts >= self.since) and (self.until is None or ts < self.until)
        return timely and all(name is None or name in names for name, names in asked)


@dataclass(slots=True)
class Summary:
    """One session in figures; `first` and `last` as the journal writes times."""

    session: str
    issuer: str
    subject: str
    first: str
    last: str
    roles: tuple[str, ...] = ()
    exchanges: int = 0
    models: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)


class Sessions:
    """The summaries of the `limit` sessions seen last; `only` keeps to the sessions named."""

    def __init__(self, wanted: Wanted, limit: int, only: frozenset[Key] | None = None) -> None:
        self.overflowed = False
        self._wanted, self._limit, self._only = wanted, max(1, limit), only
        self._summaries: OrderedDict[Key, Summary] = OrderedDict()
        self._live: OrderedDict[str, Key] = OrderedDict()

    def add(self, record: Mapping[str, Any]) -> None:
        """Count one record; those of other kinds than an exchange's pass unseen."""
        kind = record["kind"]
        if kind in ("request", "hold"):
            self._ask(record)
        elif kind in _ANSWERS:
            self._answer(record)

    def keys(self) -> frozenset[Key]:
        return frozenset(self._summaries)

    def latest(self) -> list[Summary]:
        """Latest first."""
        return sorted(self._summaries.values(), key=lambda summary: summary.last, reverse=True)

    def _ask(self, record: Mapping[str, Any]) -> None:
        key = _key(record)
        if not self._wanted.takes(record) or (self._only is not None and key not in self._only):
            return
        summary = self._summary(key, str(record["ts"]))
        summary.roles = _names(_part(record, "subject"), "roles")
        summary.decisions[str(_part(record, "decision").get("verb", "?"))] += 1
        summary.exchanges += self._open(str(record.get("exchange")), key)
        model = str(record.get("model") or "-")
        summary.models[model if model in summary.models or len(summary.models) < MODELS else OTHERS] += 1
        _count(summary.findings, record)

    def _answer(self, record: Mapping[str, Any]) -> None:
        key = self._live.pop(str(record.get("exchange")), None)
        if key is None or key not in self._summaries:
            return
        summary = self._summary(key, str(record["ts"]))
        summary.outcomes[str(record.get("outcome", "?"))] += 1
        _count(summary.findings, record)

    def _summary(self, key: Key, ts: str) -> Summary:
        summary = self._summaries.setdefault(key, Summary(key[2], key[0], key[1], ts, ts))
        summary.last = max(summary.last, ts)
        self._summaries.move_to_end(key)
        if len(self._summaries) > self._limit:
            self._summaries.popitem(last=False)
            self.overflowed = True
        return summary

    def _open(self, exchange: str, key: Key) -> bool:
        """Whether this exchange is new: a held one that runs later has two records."""
        new = exchange not in self._live
        self._live[exchange] = key
        if len(self._live) > LIVE:
            self._live.popitem(last=False)
        return new


def latest(
    folder: Path, wanted: Wanted | None = None, limit: int = 1000, note: Callable[[read.Flaw], None] = read.ignore
) -> list[Summary]:
    """The `limit` sessions that were active last, latest first.

    Memory grows with `limit` and with the exchanges in flight, not with the journal: when there were more sessions,
    their names are found in a first pass and their figures in a second.
    """
    first = Sessions(wanted or Wanted(), limit)
    for entry in read.records(folder, note):
        first.add(entry.record)
    if not first.overflowed:
        return first.latest()
    second = Sessions(wanted or Wanted(), limit, only=first.keys())
    for entry in read.records(folder):
        second.add(entry.record)
    return second.latest()


def _key(record: Mapping[str, Any]) -> Key:
    subject = _part(record, "subject")
    return str(subject.get("issuer", "-")), str(subject.get("id", "-")), str(record.get("session") or "-")


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = record.get(name)
    return part if isinstance(part, dict) else {}


def _names(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    names = record.get(name)
    return tuple(item for item in names if isinstance(item, str)) if isinstance(names, list) else ()


def _count(findings: Counter[str], record: Mapping[str, Any]) -> None:
    for entity, count in _part(record, "findings").items():
        if isinstance(count, int):
            findings[entity] += count
