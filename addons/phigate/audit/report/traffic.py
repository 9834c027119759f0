"""The report's figures about traffic: what was asked and answered, when, how fast, and which files say so."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from phigate.audit.report.parts import Course, Coverage, Instance, Retention
from phigate.audit.report.sql import IN_PERIOD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.audit.report.sql import Asking
    from phigate.audit.report.walk import Walk
    from phigate.policy.schema import Policy

NO_ANSWER = "(no answer on record)"


def coverage(asking: Asking, walk: Walk) -> Coverage:
    verbs, outcomes = Counter[str](), Counter[str]()
    for group in walk.groups:
        verbs[group.verb] += group.exchanges
        if group.ran:
            outcomes[group.outcome or NO_ANSWER] += group.exchanges
    return Coverage(
        exchanges=verbs.total(),
        permitted=verbs["permit"] + verbs["break_glass"],
        held=verbs["hold"],
        denied=verbs["deny"],
        break_glass=verbs["break_glass"],
        missing=outcomes[NO_ANSWER],
        orphans=asking.count(f"exchange WHERE {IN_PERIOD} AND verb IS NULL"),
        outcomes=[(outcome, count) for outcome, count in outcomes.most_common() if count],
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


def course(asking: Asking, walk: Walk) -> Course:
    shown, hidden = _identifiers(asking)
    verbs = walk.verbs
    return Course(
        permitted=[plain + broken for plain, broken in zip(verbs["permit"], verbs["break_glass"], strict=True)],
        held=verbs["hold"],
        denied=verbs["deny"],
        p50=[bar.percentile(50) for bar in walk.total],
        p95=[bar.percentile(95) for bar in walk.total],
        own=[bar.percentile(95) for bar in walk.gateway],
        shown=shown,
        hidden=hidden,
        week=walk.week,
    )


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


def retention(asking: Asking, policy: Policy | None = None) -> Retention:
    ((oldest, newest),) = asking.rows("SELECT MIN(at), MAX(at) FROM exchange")
    ((size, records),) = asking.rows("SELECT coalesce(SUM(bytes), 0), coalesce(SUM(lines), 0) FROM file")
    return Retention(
        oldest=None if oldest is None else asking.time(oldest),
        newest=None if newest is None else asking.time(newest),
        bytes=size,
        records=records,
        prunes=asking.count("event WHERE kind = 'prune'"),
        flaws=asking.count("flaw"),
        keep=policy.capture.retain.days if policy else None,
    )
