"""The report's figures about traffic: what was asked and answered, when, how fast, and which files say so."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from phigate.audit.report_parts import Course, Coverage, Instance, Retention
from phigate.audit.report_sql import IN_PERIOD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.audit.report_sql import Asking

NO_ANSWER = "(no answer on record)"


def coverage(asking: Asking) -> Coverage:
    verbs, outcomes, missing, orphans = Counter[str](), Counter[str](), 0, 0
    for verb, outcome, count in asking.rows(
        f"SELECT verb, outcome, COUNT(*) FROM exchange WHERE {IN_PERIOD} GROUP BY 1, 2"  # noqa: S608 -- our own words
    ):
        if verb is None:
            orphans += count
            continue
        verbs[verb] += count
        if verb in ("permit", "break_glass"):
            outcomes[outcome or NO_ANSWER] += count
            missing += 0 if outcome else count
    return Coverage(
        exchanges=verbs.total(),
        permitted=verbs["permit"] + verbs["break_glass"],
        held=verbs["hold"],
        denied=verbs["deny"],
        break_glass=verbs["break_glass"],
        missing=missing,
        orphans=orphans,
        outcomes=outcomes.most_common(),
        instances=list(_instances(asking)),
    )


def _instances(asking: Asking) -> Iterator[Instance]:
    lives: dict[str, Counter[str]] = {}
    for instance, kind, count in asking.rows(
        "SELECT instance, kind, COUNT(*) FROM event WHERE kind IN ('opened', 'closed', 'recovered') GROUP BY 1, 2"
    ):
        lives.setdefault(instance, Counter())[kind] += count
    files = asking.rows("SELECT instance, name, first_seq, lines FROM file ORDER BY instance, first_seq, name")
    for name, own in itertools.groupby(files, key=lambda row: str(row[0])):
        gaps: list[str] = []
        count, records, due = 0, 0, None
        for _, file, seq, lines in own:
            if due is not None and seq != due:
                gaps.append(f"{file} begins with record {seq}, not {due}")
            count, records, due = count + 1, records + lines, seq + lines
        life = lives.get(name, Counter())
        yield Instance(name, count, records, tuple(gaps), life["opened"], life["closed"], life["recovered"])


def course(asking: Asking) -> Course:
    verbs = _by_verb(asking)
    week = [[0] * 24 for _ in range(7)]
    day, hour = asking.period.weekday("at"), asking.period.hour("at")
    for weekday, at, count in asking.rows(
        f"SELECT {day}, {hour}, COUNT(*) FROM exchange WHERE {IN_PERIOD} AND verb IS NOT NULL GROUP BY 1, 2"  # noqa: S608 -- our own words
    ):
        week[weekday][at] = count
    p50, p95 = _percentiles(asking, "total", 50, 95)
    (own,) = _percentiles(asking, "gateway", 95)
    shown, hidden = _identifiers(asking)
    permitted = [plain + broken for plain, broken in zip(verbs["permit"], verbs["break_glass"], strict=True)]
    return Course(permitted, verbs["hold"], verbs["deny"], p50, p95, own, shown, hidden, week)


def _by_verb(asking: Asking) -> dict[str, list[int]]:
    verbs = {verb: [0] * len(asking.period.bars) for verb in ("permit", "hold", "deny", "break_glass")}
    for at, verb, count in asking.rows(
        f"SELECT {asking.period.bar('at')}, verb, COUNT(*) FROM exchange WHERE {IN_PERIOD} GROUP BY 1, 2"  # noqa: S608 -- our own words
    ):
        if verb in verbs:
            verbs[verb][at] += count
    return verbs


def _identifiers(asking: Asking) -> tuple[list[int], list[int]]:
    """Of answers, by bar: shown as they were, hidden."""
    shown, hidden = ([0] * len(asking.period.bars) for _ in range(2))
    for at, revealed, count in asking.rows(
        f"SELECT {asking.period.bar('at')}, revealed, COUNT(*)"  # noqa: S608 -- our own words
        " FROM exchange JOIN identifier ON exchange_id = exchange.id AND side = 'out' AND revealed IS NOT NULL"
        f" WHERE {IN_PERIOD} GROUP BY 1, 2"
    ):
        (shown if revealed else hidden)[at] += count
    return shown, hidden


def _percentiles(asking: Asking, column: str, *wanted: int) -> list[list[float | None]]:
    """Of each bar, by nearest rank; one bar's values are in memory at a time."""
    found: list[list[float | None]] = [[None] * len(asking.period.bars) for _ in wanted]
    rows = asking.rows(
        f"SELECT {asking.period.bar('at')}, {column} FROM exchange"  # noqa: S608 -- our own words
        f" WHERE {IN_PERIOD} AND {column} IS NOT NULL ORDER BY 1, 2"
    )
    for at, group in itertools.groupby(rows, key=lambda row: int(row[0])):
        values = [value for _, value in group]
        for each, percent in zip(found, wanted, strict=True):
            each[at] = values[-(-len(values) * percent // 100) - 1]
    return found


def retention(asking: Asking) -> Retention:
    ((oldest, newest),) = asking.rows("SELECT MIN(at), MAX(at) FROM exchange")
    ((size, records),) = asking.rows("SELECT coalesce(SUM(bytes), 0), coalesce(SUM(lines), 0) FROM file")
    return Retention(
        oldest=None if oldest is None else asking.time(oldest),
        newest=None if newest is None else asking.time(newest),
        bytes=size,
        records=records,
        prunes=asking.count("event WHERE kind = 'prune'"),
        flaws=asking.count("flaw"),
    )
