"""What a backtest found, for people and for programs: a tally in, tables or one JSON value out. Pure.

Roles, models and ids were written by strangers: they reach a terminal through `show.plain` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group as Renderables
from rich.table import Table

from phigate.audit.backtest.tally import KINDS
from phigate.audit.questions.show import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

    from phigate.audit.backtest.tally import Group, Tally

WHY: Final = {
    "prompt-masked": "a rule looks at the prompt, which is kept masked",
    "prompt-not-kept": "a rule looks at the prompt, of which nothing is kept",
    "model-not-recorded": "no model had the name that was asked for, and the name is not on record",
    "model-masked": "the model's name is kept masked",
    "mask-unknown": "how the answer was masked at the time is not known",
    "message-unread": "what was said on an open connection is not kept",
}
_STYLES: Final = {"newly-permitted": "bold red", "newly-shown": "bold red", "newly-denied": "yellow"}
_ID: Final = 27
"""Characters of the id of an exchange."""


def tables(tally: Tally) -> Renderables:
    """The report for a terminal; times, texts and identifiers are not in it."""
    parts: list[RenderableType] = [_summary(tally)]
    if tally.changes:
        parts.append(_changes(tally))
    if tally.masks:
        parts.append(_masks(tally))
    if tally.open:
        parts.append(_open(tally))
    return Renderables(*parts)


def _summary(tally: Tally) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    rows = [
        (tally.exchanges, "recorded requests"),
        (tally.same, "are decided as they were"),
        *((tally.kinds[kind], kind) for kind in KINDS if tally.kinds[kind]),
        (sum(tally.apart.values()), "were refused for what no rule is about: " + _listed(tally.apart)),
        (sum(tally.unreadable.values()), "pieces of the journal are unreadable: " + _listed(tally.unreadable)),
        (sum(tally.broke.values()), "broke the policy on trial: " + _listed(tally.broke)),
    ]
    for number, what in rows:
        if number or what == "are decided as they were":
            table.add_row(plain(f"{number:,}"), plain(what, _STYLES.get(what, "")))
    return table


def _listed(counted: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in sorted(counted.items()))


def _changes(tally: Tally) -> Table:
    table = _table("change", "before -> now; role; model")
    for key, group in _ordered(tally.changes.items()):
        told = (key.before, f"-> {key.after}", key.role, key.model)
        _row(table, "\n".join(key.kinds), told, group, _STYLES.get(key.kinds[0], ""))
    return table


def _masks(tally: Tally) -> Table:
    table = _table("seen by", "kind; before -> now; rule; role; model")
    for key, group in _ordered(tally.masks.items()):
        ways = (f"{key.before} -> {key.after}",) if key.after != "?" else ()
        told = (f"{key.entity} ({group.found:,})", *ways, key.rule, key.role, key.model)
        _row(table, f"{key.kind}\nby the {key.side}", told, group, _STYLES.get(key.kind, ""))
    return table


def _open(tally: Tally) -> Table:
    table = _table("undecided", "as far as it is kept; role; model")
    for key, group in _ordered(tally.open.items()):
        likely = ", ".join(key.likely) or "no change"
        told = (likely,) if key.why in {"prompt-masked", "prompt-not-kept"} else ()
        _row(table, WHY.get(key.why, key.why), (*told, key.role, key.model), group)
    return table


def _table(*columns: str) -> Table:
    """Narrow enough for 80 columns, with the ids in one piece."""
    table = Table(show_lines=True)
    table.add_column("count", justify="right", no_wrap=True)
    for column in columns:
        table.add_column(column, overflow="fold")
    table.add_column("for example", no_wrap=True, min_width=_ID)
    return table


def _row(table: Table, what: str, told: Iterable[str], group: Group, style: str = "") -> None:
    cells = (plain(what, style), plain("\n".join(told)), plain("\n".join(group.examples)))
    table.add_row(plain(f"{group.count:,}"), *cells)


def _ordered[K: Any](items: Iterable[tuple[K, Group]]) -> list[tuple[K, Group]]:
    """What happens most often first."""
    return sorted(items, key=lambda item: (-item[1].count, item[0]))


def as_json(tally: Tally) -> dict[str, Any]:
    """The same as plain values; lists are in the order of the tables."""
    return {
        "exchanges": tally.exchanges,
        "same": tally.same,
        "kinds": {kind: tally.kinds[kind] for kind in KINDS if tally.kinds[kind]},
        "changes": [_fields(key, group) for key, group in _ordered(tally.changes.items())],
        "masks": [{**_fields(key, group), "found": group.found} for key, group in _ordered(tally.masks.items())],
        "undecided": [_fields(key, group) for key, group in _ordered(tally.open.items())],
        "apart": dict(sorted(tally.apart.items())),
        "unreadable": dict(sorted(tally.unreadable.items())),
        "broke": dict(sorted(tally.broke.items())),
    }


def _fields(key: Any, group: Group) -> dict[str, Any]:
    named = {name: getattr(key, name) for name in type(key).__dataclass_fields__}
    return {**named, "count": group.count, "examples": group.examples}
