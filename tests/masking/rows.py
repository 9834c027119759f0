"""Runs a table's own samples: each detector alone, then beside all the others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from phigate.masking import Detectors

if TYPE_CHECKING:
    from phigate.masking import Detector

MARK = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


def marked(sample: str) -> tuple[str, list[str]]:
    """(the text, what stands between [[ and ]])."""
    return MARK.sub(r"\1", sample), MARK.findall(sample)


def found(detectors: Detectors, text: str) -> list[str]:
    return [text[finding.start : finding.end] for finding in detectors.find(text)]


def faults(detector: Detector) -> list[str]:
    """What a row's samples show to be wrong with it; samples are invented, so they may be named."""
    alone, beside = Detectors((detector,)), Detectors()
    wrong = []
    for sample in detector.hits:
        text, expected = marked(sample)
        wrong += [f"alone: {sample}"] * (found(alone, text) != expected)
        wrong += [f"beside: {sample}"] * (found(beside, text) != expected)
    wrong += [f"finds: {sample}" for sample in detector.misses if found(alone, sample)]
    return wrong
