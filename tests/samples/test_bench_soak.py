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

pytestmark = pytest.mark.live

LIMIT = next(limit for limit in LIMITS if limit.name == "blocks")


def test_every_kind_of_exchange_is_served_and_on_record(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        stage = soak.Stage(tmp_path, soak.Plan(new=0.0), stack)
        served = stage.load.told({"each": 1})
        assert served["faults"] == {}
        assert stage.inside.look()["kept"] == 0
        stage.load.told({"act": "models", "times": 100})  # everybody who is known was here
        assert through(stage, leak=False).slope < 0.5
        line = through(stage, leak=True)
        assert line.slope == pytest.approx(1.0, abs=0.5)
        assert judged(line, LIMIT, LEAST) == "grows"
        stage.gateway.stop()
        assert "It holds" in soak.verified(stage.gateway)
        told = told_in(stage.rows.read_text().splitlines())
        assert told.acts.keys() == {act.name for act in ACTS}
        assert amiss(told, journal_of(stage.gateway.journal)) == {}


def through(stage: soak.Stage, *, leak: bool) -> Line:
    """What is alive while the same request comes again and again, of each of which one small object stays or not."""
    looks = [stage.inside.look(leak=leak)]
    while len(looks) < LEAST:
        stage.load.told({"act": "models", "times": 50})
        looks.append(stage.inside.look(leak=leak))
    return line_through([(look["exchanges"], look["blocks"]) for look in looks])
