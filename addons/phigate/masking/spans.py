"""Span algebra: findings of one text, merged, preferred and clipped.

Rules of this file: findings come in any order and go out sorted by start; a span is [start, end); pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from phigate.exchange import Finding


def prefer(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that stand when no two may overlap: leftmost first, then the longer, then the surer."""
    standing: list[Finding] = []
    for finding in sorted(findings, key=lambda each: (each.start, -each.end, -each.score)):
        if finding.start < finding.end and (not standing or standing[-1].end <= finding.start):
            standing.append(finding)
    return standing


def merge(findings: Iterable[Finding]) -> list[Finding]:
    """The same characters covered with no overlap: overlapping findings become one, named by the surest of them."""
    merged: list[Finding] = []
    for finding in sorted(findings, key=lambda each: (each.start, -each.end, -each.score)):
        if merged and finding.start < merged[-1].end:
            last = merged.pop()
            surest = finding if finding.score > last.score else last
            merged.append(replace(surest, start=last.start, end=max(last.end, finding.end)))
        elif finding.start < finding.end:
            merged.append(finding)
    return merged


def clip(findings: Iterable[Finding], start: int, end: int) -> list[Finding]:
    """What of the findings lies in [start, end), moved so that `start` is 0."""
    return [
        replace(each, start=max(each.start, start) - start, end=min(each.end, end) - start)
        for each in sorted(findings, key=lambda each: (each.start, each.end))
        if max(each.start, start) < min(each.end, end)
    ]
