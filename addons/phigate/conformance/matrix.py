"""The matrix: a row a channel, whole beside streamed, and what was found wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from phigate.conformance.judge import BROKEN, KINDS, LEAK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.conformance.prober import Cell

NONE: Final = "-"
"""Where a protocol has no such answer."""
COLUMNS: Final = ("dialect", "channel", "over", "whole", "stream")


@dataclass(frozen=True, slots=True)
class Row:
    dialect: str
    channel: str
    over: str
    whole: str
    stream: str

    def cells(self) -> tuple[str, ...]:
        return (self.dialect, self.channel, self.over, self.whole, self.stream)


def rows(cells: Iterable[Cell]) -> list[Row]:
    """Whole and streamed side by side, in the order in which the tables have the channels."""
    found: dict[tuple[str, str, str], dict[bool, str]] = {}
    for cell in cells:
        case = cell.case
        found.setdefault((case.dialect, case.channel, case.transport), {})[case.streamed] = _said(cell)
    return [Row(*name, both.get(False, NONE), both.get(True, NONE)) for name, both in found.items()]


def _said(cell: Cell) -> str:
    """The worst verdict; with how many of the runs, where there were others."""
    runs, worst = cell.verdicts.total(), cell.verdicts[cell.kind]
    return cell.kind if worst == runs else f"{cell.kind} {worst}/{runs}"


def counted(cells: Iterable[Cell]) -> str:
    """How many cells of each kind, in a line."""
    kinds = Counter(cell.kind for cell in cells)
    return ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind])


def faults(cells: Iterable[Cell]) -> Iterator[str]:
    """A line for each cell that leaks or is broken: where it was cut, and what was seen."""
    for cell in cells:
        for kind in (LEAK, BROKEN):
            if kind in cell.examples:
                yield f"{cell.case.name}: {kind}: {cell.examples[kind]}"


def failed(cells: Iterable[Cell]) -> bool:
    return any(cell.kind in {LEAK, BROKEN} for cell in cells)


def table(cells: list[Cell]) -> str:
    """The matrix for a terminal."""
    lines = [COLUMNS, *(row.cells() for row in rows(cells))]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


def markdown(cells: list[Cell]) -> str:
    """The matrix as a Markdown table."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *(row.cells() for row in rows(cells))]
    return "\n".join(f"| {' | '.join(word.replace('|', chr(92) + '|') for word in line)} |" for line in lines)
