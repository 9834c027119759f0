"""`phigate evaluate`: labelled lines through the detectors, and the tables of what came out."""

from __future__ import annotations

from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from phigate.audit.questions.show import plain
from phigate.masking.evaluate import Judged, RecordFault, Tally, judge, parse
from phigate.workers import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import RenderableType

    from phigate.masking import Detectors
    from phigate.masking.evaluate import Ratio, Setting
    from phigate.streams import Line

BATCH = 32
"""Records that a worker is given at once."""
DETECTORS = 10
"""Lines of the table of false positives."""

type Build = Callable[[], Detectors]
"""Makes the detectors; called in every worker, so a function of the module level or a partial of one."""


def run(
    lines: Iterable[Line], build: Build, setting: Setting, told: Callable[[str], None], *, workers: int, worst: int
) -> Tally:
    """Judge every line; those that are no records are `told`, by file and line, and not counted."""
    tally = Tally(worst)
    for judged in in_order(batched(lines, BATCH), partial(_judging, build, setting), workers):
        for one in judged:
            if isinstance(one, Judged):
                tally.add(one)
            else:
                told(one)
    return tally


def _judging(build: Build, setting: Setting) -> Callable[[Iterable[Line]], list[Judged | str]]:
    find = build().find

    def one(line: Line) -> Judged | str:
        if line.fault:
            return f"{line.where}: {line.fault}"
        try:
            return judge(parse(line.raw, line.number), find, setting)
        except RecordFault as fault:
            return f"{line.where}: {fault}"

    return lambda lines: [one(line) for line in lines if line.fault or line.raw.strip()]


# -- what a person reads --------------------------------------------------------------------------------------------


def view(tally: Tally) -> Group:
    """Everything that a report says, the summary first."""
    return Group(*_parts(tally))


def _parts(tally: Tally) -> Iterator[RenderableType]:
    yield _summary(tally)
    yield _groups(tally)
    if tally.spurious:
        yield _spurious(tally)
    if tally.misses:
        yield _misses(tally)
    if tally.extras:
        yield _extras(tally)


def _table(title: str, *columns: str, left: int = 1) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, name in enumerate(columns):
        table.add_column(name, justify="left" if place < left else "right", overflow="fold")
    return table


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def between(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.4f}-{interval[1]:.4f}"


def _row(ratio: Ratio) -> tuple[str, str, str]:
    return share(ratio.value), between(ratio.interval), f"{ratio.hits:,} of {ratio.of:,}"


def _summary(tally: Tally) -> Table:
    table = _table(f"{tally.texts:,} texts", "", "share", "95 % interval", "count")
    table.add_row("recall", *_row(tally.recall))
    table.add_row("recall of characters", *_row(tally.letters))
    table.add_row("precision", *_row(tally.precision))
    table.add_row("F2", share(tally.f2), between(tally.f2_interval), "")
    table.add_row("masked outside of labels", *_row(tally.masked))
    table.add_row("hard negatives touched", *_row(tally.negatives))
    return table


def _groups(tally: Tally) -> Table:
    table = _table("recall by group and label", "", "", "share", "95 % interval", "count", left=2)
    for group, ratio in tally.by_group.items():
        if ratio.of:
            table.add_row(group, "", *_row(ratio))
    table.add_section()
    for label, ratio in sorted(tally.by_label.items()):
        table.add_row("", plain(label), *_row(ratio))
    return table


def _spurious(tally: Tally) -> Table:
    table = _table("false positives", "entity", "detector", "count", left=2)
    for (entity, detector), count in tally.spurious.most_common(DETECTORS):
        table.add_row(entity, detector, f"{count:,}")
    return table


def _misses(tally: Tally) -> Table:
    shown = tally.misses[0].text is not None
    table = _table(
        "worst misses", "text", "place", "label", "open", "shape", "evidence", *(("content",) * shown), left=7
    )
    for miss in tally.misses:
        table.add_row(
            plain(miss.id),
            f"{miss.start}-{miss.end}",
            plain(miss.label),
            f"{miss.open} of {miss.letters}",
            plain(miss.shape),
            plain("; ".join(miss.evidence) or "none"),
            *((plain(miss.around or ""),) * shown),
        )
    return table


def _extras(tally: Tally) -> Table:
    shown = tally.extras[0].text is not None
    table = _table(
        "worst false positives",
        "text",
        "place",
        "entity",
        "detector",
        "score",
        "shape",
        *(("content",) * shown),
        left=7,
    )
    for extra in tally.extras:
        table.add_row(
            plain(extra.id),
            f"{extra.start}-{extra.end}",
            extra.entity,
            plain(extra.detector),
            f"{extra.score:.2f}",
            plain(extra.shape),
            *((plain(extra.around or ""),) * shown),
        )
    return table
