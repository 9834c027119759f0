"""What of a record goes into the index: records in, rows of its tables out.

Records are read from files that may have been changed: a field of another shape than ours counts as missing, and
nothing of a body is ever taken over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from phigate.audit.questions.times import seconds_of
from phigate.journal.chain import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

type Record = Mapping[str, Any]
type Values = dict[str, Any]

SCHEMA: Final = """
CREATE TABLE file(
    id INTEGER PRIMARY KEY, name TEXT UNIQUE, instance TEXT, first_seq INT, bytes INT, lines INT, last TEXT, whole INT,
    tail INT, stat TEXT, until INT, spares TEXT);
CREATE TABLE exchange(
    id INTEGER PRIMARY KEY, exchange TEXT UNIQUE, session TEXT, issuer TEXT, subject TEXT, roles TEXT, groups TEXT,
    ip TEXT, agent TEXT, ts TEXT, at REAL, ended REAL, actions TEXT, model TEXT, dialect TEXT, method TEXT, route TEXT,
    purpose TEXT, verb TEXT, rule TEXT, reason TEXT, ticket TEXT, grant_id TEXT, policy TEXT, bytes INT, status INT,
    outcome TEXT, mask TEXT, streamed INT, total REAL, first REAL, upstream REAL, gateway REAL, tokens_in INT,
    tokens_out INT, held INT, instance TEXT, shadow TEXT);
CREATE TABLE place(
    exchange_id INT, kind TEXT, file_id INT, offset INT, length INT, seq INT,
    PRIMARY KEY(exchange_id, file_id, offset)) WITHOUT ROWID;
CREATE TABLE found(
    exchange_id INT, entity TEXT, side TEXT, n INT, PRIMARY KEY(exchange_id, side, entity)) WITHOUT ROWID;
CREATE TABLE identifier(value TEXT, exchange_id INT, side TEXT, revealed INT);
CREATE TABLE event(
    id INTEGER PRIMARY KEY, kind TEXT, ts TEXT, at REAL, subject TEXT, issuer TEXT, instance TEXT, file_id INT,
    offset INT, length INT, fields TEXT);
CREATE TABLE flaw(file_id INT, line INT, reason TEXT, size INT);
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""
LOOKUPS: Final = """
CREATE INDEX exchange_at ON exchange(at);
CREATE INDEX exchange_session ON exchange(session, at);
CREATE INDEX exchange_subject ON exchange(subject, at);
CREATE INDEX found_entity ON found(entity);
CREATE INDEX identifier_value ON identifier(value);
CREATE INDEX identifier_exchange ON identifier(exchange_id);
CREATE INDEX event_kind ON event(kind, at);
"""
"""Made once the rows are there: sorting them once is cheaper than keeping them sorted."""

COLUMNS: Final = (
    *("exchange", "session", "issuer", "subject", "roles", "groups", "ip", "agent", "ts", "at", "ended", "actions"),
    *("model", "dialect", "method", "route", "purpose", "verb", "rule", "reason", "ticket", "grant_id", "policy"),
    *("bytes", "status", "outcome", "mask", "streamed", "total", "first", "upstream", "gateway", "tokens_in"),
    *("tokens_out", "held", "instance", "shadow"),
)
"""Of `exchange`, without its id."""

ASKS: Final = frozenset({"request", "hold"})
ANSWERS: Final = frozenset({"response", "recovered"})
EVENTS: Final = KINDS - {"request", "hold", "response", "part", "message"}
"""Kinds of records that are rows of their own; `recovered` may be an answer as well."""
_NOT_FIELDS: Final = frozenset({"v", "seq", "prev", "ts", "instance", "kind", "body", "sealed"})
_INTEGERS: Final = range(-(2**63), 2**63)
_NO: Final[Mapping[str, Any]] = {}


def standing(record: Record) -> Values:
    """The columns that any record can say something about."""
    return {"ts": record["ts"], "at": seconds_of(record["ts"]), "instance": record["instance"]}


def asked(record: Record) -> Values:
    """The columns that a `request` or `hold` fills in."""
    subject, client, decision = (part(record, name) for name in ("subject", "client", "decision"))
    return {
        **standing(record),
        "session": _text(record.get("session")),
        "issuer": _text(subject.get("issuer")),
        "subject": _text(subject.get("id")),
        "roles": _names(subject.get("roles")),
        "groups": _names(subject.get("groups")),
        "ip": _text(client.get("ip")),
        "agent": _text(client.get("agent")),
        "actions": _names(record.get("action")),
        "model": _text(record.get("model")),
        "dialect": _text(record.get("dialect")),
        "method": _text(record.get("method")),
        "route": _text(record.get("route")),
        "purpose": _text(record.get("purpose")),
        "verb": _text(decision.get("verb")),
        "rule": _text(decision.get("rule")),
        "reason": _text(decision.get("reason")),
        "ticket": _text(decision.get("ticket")),
        "grant_id": _text(decision.get("grant")),
        "policy": _text(record.get("policy")),
        "bytes": _whole(record.get("bytes")),
        "shadow": _json(record["shadow"]) if record.get("shadow") is not None else None,
    }


def answered(record: Record) -> Values:
    """The columns that a `response`, or what stands for one, fills in."""
    if record["kind"] == "recovered":
        return {"ended": seconds_of(record["ts"]), "outcome": _text(record.get("outcome"))}
    seconds, usage = part(record, "seconds"), part(record, "usage")
    return {
        "ended": seconds_of(record["ts"]),
        "status": _whole(record.get("status")),
        "outcome": _text(record.get("outcome")),
        "mask": _text(record.get("mask")),
        "streamed": int(record.get("streamed") is True),
        "total": _number(seconds.get("total")),
        "first": _number(seconds.get("first")),
        "upstream": _number(seconds.get("upstream")),
        "gateway": _number(seconds.get("gateway")),
        "tokens_in": _whole(usage.get("input")),
        "tokens_out": _whole(usage.get("output")),
    }


def findings(record: Record) -> Iterator[tuple[str, int]]:
    """(entity, how many) of one side."""
    for entity, count in part(record, "findings").items():
        if (n := _whole(count)) is not None:
            yield entity, n


def identifiers(record: Record) -> Iterator[tuple[str, int | None]]:
    """(keyed identifier, whether it was shown as it was: 1, 0, or None where the record does not say) of one side."""
    told = record.get("revealed")
    shown = frozenset(each for each in told if isinstance(each, str)) if isinstance(told, list) else None
    values = record.get("identifiers")
    for value in dict.fromkeys(each for each in values if isinstance(each, str)) if isinstance(values, list) else ():
        yield value, None if shown is None else int(value in shown)


def event(record: Record) -> tuple[Any, ...]:
    """The columns of `event` up to `instance`, then its `fields`."""
    subject = part(record, "subject")
    fields = {name: value for name, value in record.items() if name not in _NOT_FIELDS}
    return (
        record["kind"],
        record["ts"],
        seconds_of(record["ts"]),
        _text(subject.get("id")),
        _text(subject.get("issuer")),
        record["instance"],
        _json(fields),
    )


def part(record: Record, name: str) -> Mapping[str, Any]:
    """A member that is an object, or an empty one."""
    found = record.get(name)
    return found if isinstance(found, dict) else _NO


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    return value if type(value) is int and value in _INTEGERS else None


def _number(value: object) -> float | None:
    return float(value) if type(value) in (int, float) else None  # type: ignore[arg-type] # one of the two


def _names(value: object) -> str:
    return _json([each for each in value if isinstance(each, str)]) if isinstance(value, list) else "[]"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
