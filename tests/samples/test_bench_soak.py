"""The soak, in short: everybody is served and on record, and a leak that is made is found. No figure is judged."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from bench import soak
from bench.soaking.acts import ACTS
from bench.soaking.growth import LEAST, LIMITS, judged, line_through
from bench.soaking.records import amiss, journal_of, told_in

if TYPE_CHECKING:
    from pathlib import Path

    from bench.soaking.growth import Line

MANY = 100
"""Small objects that stay of each exchange: what else comes and goes is little beside them, however few exchanges."""
LIMIT = next(limit for limit in LIMITS if limit.name == "blocks")


@pytest.mark.live
def test_every_kind_of_exchange_is_served_and_on_record(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        stage = soak.Stage(tmp_path, soak.Plan(new=0.0, people=100), stack)
        served = stage.load.told({"each": 1})
        slow = [fault for fault in served["faults"] if fault.endswith("503 ledger-unavailable")]  # on a busy machine
        assert list(served["faults"]) == slow
        stage.gateway.wait_until(lambda: stage.inside.look()["kept"] == 0)  # also of those whose callers left
        stage.load.told({"act": "models", "times": 50})  # everybody who is known was here
        assert through(stage, leak=0).slope < MANY / 2
        line = through(stage, leak=MANY)
        assert line.slope == pytest.approx(MANY, rel=0.5)
        assert judged(line, LIMIT, LEAST) == "grows"
        stage.gateway.stop()
        assert "It holds" in soak.verified(stage.gateway)
        told = told_in(stage.rows.read_text().splitlines())
        assert told.acts.keys() == {act.name for act in ACTS}
        assert amiss(told, journal_of(stage.gateway.journal)) == {}


def looked(exchanges: int, count: int) -> dict[str, int]:
    return {"exchanges": exchanges} | {limit.name: count for limit in LIMITS}


def test_a_row_tells_counts_slope_and_verdict() -> None:
    rows = soak.growth_rows([looked(1000 * at, 500 + 2000 * at) for at in range(12)])
    assert rows[0] == [LIMITS[0].title, "500", "8,500", "22,500", "+2.0000", "+2.0000 to +2.0000", "0.1", "grows"]
    assert len(rows) == len(LIMITS)


def test_where_nothing_was_asked_nothing_is_concluded() -> None:
    assert {row[-1] for row in soak.growth_rows([looked(7, 500)] * 12)} == {"unclear"}


def test_what_there_is_more_of_is_told_most_first() -> None:
    assert soak.grown({"a": 1, "b": 5, "c": 2}, {"a": 4, "b": 6, "c": 2, "d": 9}) == [("a", 3), ("b", 1)]


def through(stage: soak.Stage, *, leak: int) -> Line:
    """What is alive while the same request comes again and again, of each of which so many small objects stay."""
    looks = [stage.inside.look(leak=leak)]
    while len(looks) < LEAST:
        stage.load.told({"act": "models", "times": 20})
        looks.append(stage.inside.look())
    return line_through([(look["exchanges"], look["blocks"]) for look in looks])
