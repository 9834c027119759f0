"""Sessions and exchanges for a terminal: records in, rich renderables out.

Whatever a record holds was written by strangers. It only ever becomes a `Text` made by `plain`: never markup, and
without the characters that move a cursor, change a colour or turn the reading direction. What is not to be seen, and
is read by a model all the same, is seen to be there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from phigate.audit.bodies import assembled
from phigate.audit.questions.turns import pretty, turns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from phigate.audit.questions.sessions import Summary

type Record = Mapping[str, Any]
type Row = tuple[str, Callable[[Record], str]]

_ID = 27
"""Characters of the id of an exchange or a session."""
_LOST = "\ufffd"
_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
_DIRECTIONS = [0x061C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF]
# Unicode's Default_Ignorable_Code_Point and a blank of Braille; but the two joiners, without which some scripts cannot
# be written, and the two that choose between text and emoji.
_UNSEEN = [
    *(0xAD, 0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x200B, *range(0x2060, 0x2066)),
    *(*range(0x206A, 0x2070), 0x2800, 0x3164, *range(0xFE00, 0xFE0E), 0xFFA0, *range(0xFFF0, 0xFFF9)),
    *(*range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
]
_SHOWN_AS: dict[int, str] = {
    **dict.fromkeys([*_CONTROLS, *_DIRECTIONS, *_UNSEEN, *range(0xD800, 0xE000)], _LOST),
    ord("\n"): "\n",
    ord("\t"): "    ",
    ord("\r"): "",
}
_VERB_STYLES = {"permit": "green", "hold": "yellow", "deny": "red", "break_glass": "bold magenta"}
_VERB_STYLES |= {"approve": "green", "reject": "red", "revoke": "red", "expire": "yellow"}


def plain(text: object, style: str = "") -> Text:
    """Untrusted text, as it may stand in a terminal."""
    return Text(str(text).translate(_SHOWN_AS), style=style)


def sessions_table(summaries: Iterable[Summary]) -> Table:
    """`phigate sessions`: one row a session, latest first; times are UTC."""
    table = _table("session", "first, last (UTC)", "exchanges, found")
    for one in summaries:
        who = (one.session, one.subject, ", ".join(one.roles))
        when = (_moment(one.first)[:16], _moment(one.last)[:16])
        what = (one.exchanges, *map(_counts, (one.decisions, one.outcomes, one.models, one.findings)))
        table.add_row(*map(_stacked, (who, when, what)))
    return table


def exchanges_table(rows: Iterable[tuple[Mapping[str, Any] | sqlite3.Row, Mapping[str, int]]]) -> Table:
    """`phigate show SESSION`: one row an exchange, with what was found in it, in order; times are UTC."""
    table = _table("exchange (UTC)", "asked to, found", "decision, end")
    for one, found in rows:
        asked = (one["exchange"], _moment(one["ts"])[:19])
        what = (f"{_listed(one['actions'])} of {one['model']}" if one["model"] else "", _counts(dict(found)))
        reason = f" because {one['reason']}" if one["reason"] else ""
        decided = (f"{one['verb'] or '?'}{reason}", one["rule"], one["outcome"])
        table.add_row(*map(_stacked, (asked, what, decided)))
    return table


def _listed(column: str) -> str:
    return ", ".join(map(str, orjson.loads(column or "[]")))


def _table(*columns: str) -> Table:
    """Narrow enough for 80 columns, with the ids in one piece."""
    table = Table(show_lines=True)
    for column in columns:
        table.add_column(column, overflow="fold")
    table.columns[0].min_width = _ID
    return table


def _stacked(values: Iterable[object]) -> Text:
    """Values under one another in one cell."""
    return plain("\n".join(str(value).replace("\n", " ") for value in values if value not in (None, "")))


def exchange_view(records: Sequence[Record]) -> Group:
    """`phigate show EXCHANGE`: each record of one exchange in a panel, in order."""
    return Group(*(_panel(record) for record in assembled(records)))


def _panel(record: Record) -> Panel:
    kind = str(record.get("kind", "?"))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in facts(kind, record):
        style = _VERB_STYLES.get(value.split(" ", 1)[0], "") if label == "decision" else ""
        grid.add_row(plain(label), plain(value, style))
    said = [_turn(who, text) for who, text in turns(record.get("body"))]
    title = plain(f"{kind}  {_moment(record.get('ts', ''))} UTC")
    return Panel(Group(grid, *said), title=title, title_align="left")


def facts(kind: str, record: Record) -> list[tuple[str, str]]:
    """What a record says beside its body: (label, value)."""
    rows = _ROWS.get(kind)
    if rows is None:
        return [(name, _compact(value)) for name, value in record.items() if name not in _ENVELOPE]
    found = [(label, value(record)) for label, value in rows]
    return [(label, value) for label, value in found if value]


def _turn(who: str, text: str) -> Text:
    return Text.assemble("\n", plain(who, "bold cyan"), "\n", plain(text))


def _compact(value: object) -> str:
    return value if isinstance(value, str) else pretty(value).replace("\n ", "").replace("\n", "")


def _moment(ts: object) -> str:
    return str(ts).replace("T", " ").removesuffix("Z")[:23]


def _counts(counter: object) -> str:
    if not isinstance(counter, dict):
        return ""
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


def _path(*names: str) -> Callable[[Record], str]:
    def value(record: Record) -> str:
        found: object = record
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return _text(found)

    return value


def _text(found: object) -> str:
    if found is None or found == {}:
        return ""
    if isinstance(found, bool):
        return "yes" if found else "no"
    return ", ".join(map(str, found)) if isinstance(found, list) else str(found)


def _counted(name: str) -> Callable[[Record], str]:
    return lambda record: _counts(record.get(name))


def _joined(*rows: Row) -> Callable[[Record], str]:
    def value(record: Record) -> str:
        found = ((label, one(record)) for label, one in rows)
        return " ".join(f"{label} {text}".lstrip() for label, text in found if text)

    return value


def _people(name: str) -> Callable[[Record], str]:
    """Whom a list of people, or a single one, names."""

    def value(record: Record) -> str:
        found = record.get(name)
        every = [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]
        return ", ".join(f"{_text(each.get('id'))} of {_text(each.get('issuer'))}" for each in every)

    return value


def _named(*names: str) -> Callable[[Record], str]:
    """What an object says, as `name value`."""

    def value(record: Record) -> str:
        found: object = record
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return ", ".join(f"{name} {_text(each)}" for name, each in found.items()) if isinstance(found, dict) else ""

    return value


def _timing(record: Record) -> str:
    seconds = record.get("seconds")
    if not isinstance(seconds, dict):
        return ""
    timed = [(name, value) for name, value in seconds.items() if isinstance(value, int | float)]
    return "  ".join(f"{name} {value:.3f} s" for name, value in timed)


_ENVELOPE = ("v", "seq", "prev", "ts", "instance", "kind")
_ASKED: tuple[Row, ...] = (
    ("exchange", _path("exchange")),
    ("who", _joined(("", _path("subject", "id")), ("of", _path("subject", "issuer")))),
    ("roles", _path("subject", "roles")),
    ("groups", _path("subject", "groups")),
    ("run", _named("subject", "context")),
    ("session", _path("session")),
    ("from", _joined(("", _path("client", "ip")), ("with", _path("client", "agent")))),
    ("asked to", _joined(("", _path("action")), ("of", _path("model")))),
    ("sent", _joined(("", _path("method")), ("", _path("route")), ("as", _path("dialect")))),
    ("deploys", _joined(("", _path("deployment", "version")), ("", _path("deployment", "digest")))),
    ("bytes", _path("bytes")),
    ("purpose", _path("purpose")),
    ("decision", _joined(("", _path("decision", "verb")), ("because", _path("decision", "reason")))),
    ("rule", _path("decision", "rule")),
    ("all rules", _path("decision", "rules")),
    ("ticket", _path("decision", "ticket")),
    ("grant", _path("decision", "grant")),
    ("found", _counted("findings")),
    ("policy", _path("policy")),
    ("record", _joined(("", _path("instance")), ("seq", _path("seq")))),
)
_SETTLED: tuple[Row, ...] = (
    ("exchange", _path("exchange")),
    ("ticket", _path("ticket")),
    ("grant", _path("grant")),
    ("who", _joined(("", _path("subject", "id")), ("of", _path("subject", "issuer")))),
    ("roles", _path("subject", "roles")),
    ("groups", _path("subject", "groups")),
    ("context", _named("subject", "context")),
    ("from", _joined(("", _path("client", "ip")), ("by", _path("client", "via")))),
    ("decision", _path("decision")),
    ("reason", _path("reason")),
    ("asked by", _people("asked_by")),
    ("given to", _people("for")),
    ("given by", _people("by")),
    ("rule", _path("rule")),
    ("asked to", _joined(("", _path("action")), ("of", _path("model")))),
    ("deployment", _named("deployment")),
    ("digest", _path("digest")),
    ("needs", _path("approvals")),
    ("uses", _path("uses")),
    ("since", _path("since")),
    ("until", _path("until")),
    ("review by", _path("review_by")),
    ("due", _path("due")),
    ("record", _joined(("", _path("instance")), ("seq", _path("seq")))),
)
"""Of yes and no: what each of these records has of it."""
_ROWS: dict[str, tuple[Row, ...]] = {
    **dict.fromkeys(("ticket", "grant", "break-glass", "review"), _SETTLED),
    "request": _ASKED,
    "hold": _ASKED,
    "message": (
        ("exchange", _path("exchange")),
        ("from", _path("from")),
        ("refused", _path("refused")),
        ("found", _counted("findings")),
        ("bytes", _path("bytes")),
        ("record", _joined(("", _path("instance")), ("seq", _path("seq")))),
    ),
    "response": (
        ("exchange", _path("exchange")),
        ("outcome", _path("outcome")),
        ("status", _path("status")),
        ("mask", _path("mask")),
        ("found", _counted("findings")),
        ("streamed", _path("streamed")),
        ("tokens", _counted("usage")),
        ("timing", _timing),
        ("record", _joined(("", _path("instance")), ("seq", _path("seq")))),
    ),
}
