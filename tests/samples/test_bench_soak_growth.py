"""What the soak concludes from what it counted: leaks are found, and noise is none."""

from __future__ import annotations

import math
import random

import pytest

from bench.soaking.growth import LEAST, LIMITS, Limit, after_warm_up, judged, line_through

BLOCKS = next(limit for limit in LIMITS if limit.name == "blocks")
TRACED = next(limit for limit in LIMITS if limit.name == "traced")
TURN = 2000
"""Exchanges between two looks."""


def counts(each: float, noise: float, looks: int = 40, seed: int = 1) -> list[tuple[float, float]]:
    """What is counted where so much stays of each exchange."""
    chance = random.Random(seed)
    return [(at * TURN, 500_000 + each * at * TURN + chance.gauss(0, noise)) for at in range(looks)]


def verdict(points: list[tuple[float, float]], limit: Limit = BLOCKS) -> str:
    return judged(line_through(points), limit, len(points))


@pytest.mark.parametrize("seed", range(5))
def test_one_small_object_an_exchange_is_found_in_noise(seed: int) -> None:
    assert verdict(counts(1.0, noise=5000, seed=seed)) == "grows"
    assert verdict(counts(24.0, noise=100_000, seed=seed), TRACED) == "grows"


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_flat(seed: int) -> None:
    assert verdict(counts(0.0, noise=5000, seed=seed)) == "flat"
    assert verdict(counts(0.0, noise=100_000, seed=seed), TRACED) == "flat"


def test_what_comes_and_goes_is_flat() -> None:
    assert verdict([(at * TURN, 500_000 + 20_000 * (at % 4)) for at in range(40)]) == "flat"


def test_a_step_is_no_growth() -> None:
    assert verdict([(at * TURN, 500_000 + (at > 25) * 30_000) for at in range(40)]) == "flat"


def test_noise_in_which_a_leak_would_drown_is_told() -> None:
    assert verdict(counts(0.0, noise=500_000)) == "unclear"


def test_few_looks_tell_nothing() -> None:
    assert verdict(counts(1.0, 0.0, looks=LEAST - 1)) == "unclear"
    assert verdict(counts(1.0, 0.0, looks=LEAST)) == "grows"


def test_the_line_is_the_median_of_the_slopes_within_its_interval() -> None:
    line = line_through([(0, 0), (1, 2), (2, 4), (3, 6), (4, 100), (5, 10)])
    assert line.slope == 2
    assert line.low <= line.slope <= line.high
    with pytest.raises(ValueError, match="different places"):
        line_through([(1, 1), (1, 2)])


def test_warm_up_is_the_first_third() -> None:
    assert list(after_warm_up(range(9))) == [3, 4, 5, 6, 7, 8]


def test_every_limit_lies_below_the_leak_that_it_must_find() -> None:
    assert all(0 < limit.allowed < limit.leak <= math.inf for limit in LIMITS)
