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

    from bench.soaking.growth import Verdict

pytestmark = pytest.mark.live

LIMIT = next(limit for limit in LIMITS if limit.name == "blocks")


def test_every_kind_of_exchange_is_served_and_on_record(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        stage = soak.Stage(tmp_path, soak.Plan(new=0.0), stack)
        served = stage.load.told({"each": 1})
        assert served["faults"] == {}
        assert stage.inside.look()["kept"] == 0
        assert verdict(stage, leak=False) != "grows"
        assert verdict(stage, leak=True) == "grows"
        stage.gateway.stop()
        assert "It holds" in soak.verified(stage.gateway)
        told = told_in(stage.rows.read_text().splitlines())
        assert told.acts.keys() == {act.name for act in ACTS}
        assert amiss(told, journal_of(stage.gateway.journal)) == {}


def verdict(stage: soak.Stage, *, leak: bool) -> Verdict:
    """What is concluded of requests that are always the same, where one small object stays of each or not."""
    looks = [stage.inside.look(leak=leak)]
    while len(looks) < LEAST:
        stage.load.told({"act": "models", "times": 50})
        looks.append(stage.inside.look(leak=leak))
    line = line_through([(look["exchanges"], look["blocks"]) for look in looks])
    return judged(line, LIMIT, len(looks))
