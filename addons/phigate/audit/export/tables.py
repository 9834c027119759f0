"""One row an exchange, for spreadsheets and for analytics: CSV (RFC 4180) and the columns of Parquet.

Rules of this file: COLUMNS is the header, in both formats; a cell of CSV is never a formula; a row that was written is
not held.
"""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from phigate.audit.export.clean import cell, instant, line, moment, names
from phigate.audit.export.happenings import counted, identified, revealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from phigate.audit.export.happenings import Happening

type Value = Callable[[Happening], Any]


class Column(NamedTuple):
    """One column: `type` is text, list (of texts), counts (of words), integer, number, flag or time."""

    name: str
    type: str
    value: Value


def _text(name: str) -> Value:
    return lambda happening: line(happening.row[name]) or None


def _same(name: str) -> Value:
    return lambda happening: happening.row[name]


def _list(name: str) -> Value:
    return lambda happening: [line(one) for one in names(happening.row[name])]


def _flag(name: str) -> Value:
    return lambda happening: bool(happening.row[name])


def _ended(happening: Happening) -> Any:
    ended = happening.row["ended"]
    return None if ended is None else moment(ended)


COLUMNS: Final = (
    Column("exchange", "text", _text("exchange")),
    Column("session", "text", _text("session")),
    Column("started", "time", lambda happening: moment(happening.at)),
    Column("ended", "time", _ended),
    Column("issuer", "text", _text("issuer")),
    Column("subject", "text", _text("subject")),
    Column("roles", "list", _list("roles")),
    Column("groups", "list", _list("groups")),
    Column("ip", "text", _text("ip")),
    Column("agent", "text", _text("agent")),
    Column("actions", "list", _list("actions")),
    Column("model", "text", _text("model")),
    Column("dialect", "text", _text("dialect")),
    Column("method", "text", _text("method")),
    Column("route", "text", _text("route")),
    Column("purpose", "text", _text("purpose")),
    Column("verb", "text", _text("verb")),
    Column("rule", "text", _text("rule")),
    Column("reason", "text", _text("reason")),
    Column("ticket", "text", _text("ticket")),
    Column("grant", "text", _text("grant_id")),
    Column("policy", "text", _text("policy")),
    Column("bytes", "integer", _same("bytes")),
    Column("status", "integer", _same("status")),
    Column("outcome", "text", _text("outcome")),
    Column("mask", "text", _text("mask")),
    Column("held", "flag", _flag("held")),
    Column("streamed", "flag", _flag("streamed")),
    Column("seconds_total", "number", _same("total")),
    Column("seconds_first", "number", _same("first")),
    Column("seconds_upstream", "number", _same("upstream")),
    Column("seconds_gateway", "number", _same("gateway")),
    Column("tokens_in", "integer", _same("tokens_in")),
    Column("tokens_out", "integer", _same("tokens_out")),
    Column("found_in_prompt", "counts", lambda happening: counted(happening, "in")),
    Column("found_in_answer", "counts", lambda happening: counted(happening, "out")),
    Column("identifiers_in_prompt", "list", lambda happening: identified(happening, "in")),
    Column("identifiers_in_answer", "list", lambda happening: identified(happening, "out")),
    Column("revealed_to_model", "list", lambda happening: revealed(happening, "in")),
    Column("revealed_to_caller", "list", lambda happening: revealed(happening, "out")),
    Column("instance", "text", lambda happening: line(happening.instance) or None),
)


def row(happening: Happening) -> dict[str, Any]:
    """An exchange's values by column; None is unknown."""
    return {column.name: column.value(happening) for column in COLUMNS}


def write_csv(happenings: Iterable[Happening], out: IO[bytes]) -> int:
    """UTF-8, a header and CRLF (RFC 4180), every text in quotes; the number of rows."""
    text = io.TextIOWrapper(out, "utf-8", newline="", write_through=True)
    try:
        # A text without quotes could be cut by a spreadsheet that separates by something else, and begin with `=`.
        writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow([column.name for column in COLUMNS])
        count = 0
        for count, happening in enumerate(happenings, 1):  # noqa: B007 -- it is the result
            writer.writerow([_cell(column, column.value(happening)) for column in COLUMNS])
        return count
    finally:
        text.detach()


def _cell(column: Column, value: Any) -> Any:
    if value is None:
        return ""
    if column.type in ("integer", "number"):
        return value
    if column.type == "list":
        value = "; ".join(value)
    elif column.type == "counts":
        value = "; ".join(f"{word} {n}" for word, n in value.items())
    elif column.type == "flag":
        value = "yes" if value else "no"
    elif column.type == "time":
        return instant(value.timestamp())
    return cell(value)
