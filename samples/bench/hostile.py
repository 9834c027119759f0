"""Texts that make a search work hardest: each detector's own samples, cut short, spoilt and said over and over."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.masking import Detector

MARK = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)
CUTS = 8
BETWEEN = ("", " ", "\n")


def hostile(detector: Detector, size: int) -> Iterator[tuple[str, str]]:
    """(what it is, a text of `size` characters) for one row; no text twice."""
    seen: set[str] = set()
    for name, part in _parts(detector):
        for between in BETWEEN:
            unit = part + between
            if unit and unit not in seen:
                seen.add(unit)
                yield f"{detector.name}: {name}, {between!r} between", (unit * (size // len(unit) + 1))[:size]


def _parts(detector: Detector) -> Iterator[tuple[str, str]]:
    for index, sample in enumerate(detector.hits + detector.misses):
        whole = MARK.sub(r"\1", sample)
        yield f"sample {index}", whole
        yield f"sample {index} spoilt at its end", whole[:-1] + "~"
        for cut in range(1, CUTS):
            yield f"sample {index} cut at {cut}/{CUTS}", whole[: max(1, len(whole) * cut // CUTS)]
        if marked := MARK.search(sample):
            yield f"sample {index}, the label alone", sample[: marked.start()]
            yield f"sample {index}, the value alone", marked[1]
            yield f"sample {index}, the label, then half the value", sample[: marked.start()] + marked[1][::2]
