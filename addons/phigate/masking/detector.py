"""A detector: one row of the tables in `detectors/`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Detector:
    """What finds one kind of identifier: a row of the tables in `detectors/`.

    `hits` are texts in which this detector alone finds exactly what stands in [[ ]]; `misses` are texts in which it
    finds nothing. `check` sees the identifier's text and refuses what only looks like one (check digits, ranges);
    before it `narrow` gives the leading part of the text that stands (empty refuses).
    """

    name: str
    entity: str
    pattern: str
    score: float = 0.9
    check: Callable[[str], bool] | None = None
    narrow: Callable[[str], str] | None = None
    hits: tuple[str, ...] = ()
    misses: tuple[str, ...] = ()
