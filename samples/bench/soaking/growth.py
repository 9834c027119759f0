"""Whether something grows: a line through what was counted at rest, and how sure it is.

Theil and Sen's line (P. K. Sen, J. Am. Stat. Assoc. 63:1379, 1968): the median of the slopes between all pairs of
points, which single outliers and steps do not move, with its interval of 95 %.

- `grows`: the slope is more than what is allowed, and its interval lies above nothing.
- `unclear`: the interval reaches as far as a leak would: the run was too short or too restless to tell.
- `flat`: neither.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Z: Final = 1.96
"""Of the normal distribution, for 95 % on both sides."""
LEAST: Final = 6
"""Points below which nothing is concluded."""

type Verdict = Literal["flat", "grows", "unclear"]


@dataclass(frozen=True, slots=True)
class Line:
    """How much more there is for each exchange; `low` and `high` are the ends of the interval."""

    slope: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Limit:
    """What growth is allowed for each exchange, and what a leak that must not go unseen would show."""

    name: str
    title: str
    allowed: float
    leak: float


LIMITS: Final = (
    Limit("blocks", "objects of any kind (allocated blocks)", 0.1, 1.0),
    Limit("objects", "objects that the collector knows", 0.1, 1.0),
    Limit("traced", "traced memory, bytes", 10.0, 24.0),
    Limit("resident", "resident memory, bytes", 200.0, math.inf),
    Limit("kept", "exchanges that are over and kept", 0.001, 0.01),
    Limit("files", "open descriptors", 0.001, 0.01),
    Limit("threads", "threads", 0.001, 0.01),
    Limit("tasks", "tasks", 0.001, 0.01),
    Limit("connections", "connections of callers", 0.001, 0.01),
)
"""The smallest object is 16 bytes, and 8 more in whatever keeps it. Resident memory is the allocators' as well, which
give back late: it is told, and held to a bound, but finds no small leak."""


def line_through(points: Sequence[tuple[float, float]]) -> Line:
    """The line through (exchanges so far, count); raises ValueError where all points stand on one place."""
    slopes = sorted((y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in combinations(points, 2) if x1 != x0)
    if not slopes:
        raise ValueError("points at different places are needed")
    n, many = len(points), len(slopes)
    spread = Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low, high = (many - spread) / 2, (many + spread) / 2
    return Line(statistics.median(slopes), slopes[max(0, math.floor(low) - 1)], slopes[min(many - 1, math.ceil(high))])


def after_warm_up[T](points: Sequence[T]) -> Sequence[T]:
    """The last two thirds."""
    return points[len(points) // 3 :]


def judged(line: Line, limit: Limit, points: int) -> Verdict:
    if points < LEAST:
        return "unclear"
    if line.slope > limit.allowed and line.low > 0:
        return "grows"
    return "unclear" if line.high >= limit.leak else "flat"
