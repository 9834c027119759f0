"""The commands about text: `phigate scan`, `phigate mask`, `phigate evaluate`."""

from __future__ import annotations

import sys
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import orjson
import typer

from phigate import evaluation, filters
from phigate.filters import FORMATS, SHAPES, TEXT, UNITS, WHOLE, Order, Shape, each_line
from phigate.masking import NOTHING, RosterFault, Transformer, default_detectors, load_detectors, load_roster
from phigate.masking.evaluate import WORST, Setting
from phigate.masking.labels import GROUPS, IGNORED, plain_label
from phigate.masking.variants import CASES, VARIANTS
from phigate.options import ROOT
from phigate.policy.load import PolicyFaults
from phigate.policy.schema import REVEAL
from phigate.policy.words import BIASES
from phigate.starting import StartFault, read_secrets
from phigate.streams import Input, StreamFault, leaving_quietly, progress, some
from phigate.streams import output as writing
from phigate.terminal import POLICY, PolicyFile, err, fail, out, policy_of, say

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from phigate.filters import Told, Unit
    from phigate.masking import Detectors
    from phigate.policy.schema import Mask, Policy
    from phigate.streams import Line

RosterFile = Annotated[
    Path | None, typer.Option("--roster", help="Names and numbers to find exactly (CSV, JSON lines, plain lines).")
]
Workers = Annotated[int, typer.Option(min=1, max=256, help="Processes that share the work; the order stays.")]
DetectorsFile = Annotated[Path | None, typer.Option("--detectors", help="Your own detectors, deny and allow lists.")]
Files = Annotated[list[str] | None, typer.Argument(help="Files, one after the other; `-` is standard input.")]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", help="Of JSON lines: a path such as `text` or `messages.*.content`; `*` is every string."),
]
UnitOf = Annotated[
    str | None, typer.Option("--unit", help=f"Of plain text: {WHOLE}, {', '.join(UNITS)}: what is a text of its own.")
]
OutFile = Annotated[Path | None, typer.Option("-o", "--output", help="Write here, when all went well.")]
ShowText = Annotated[bool, typer.Option("--show-text", help="Show the text of what is found.")]


@contextmanager
def _streams() -> Iterator[None]:
    """What can happen to files and processes, told in a line."""
    try:
        with leaving_quietly():
            yield
    except StreamFault as fault:
        raise fail(str(fault)) from None
    except BrokenProcessPool:
        raise fail("a worker process ended before its work was done") from None


def _detectors(roster: Path | None, own: Path | None = None) -> Detectors:
    try:
        return default_detectors(load_roster(roster) if roster else None, load_detectors(own) if own else NOTHING)
    except RosterFault as fault:
        raise fail(str(fault)) from None
    except PolicyFaults as faults:
        raise fail("\n".join(faults.faults)) from None


def scan(
    files: Files = None,
    *,
    kind: Annotated[str, typer.Option("--format", help=f"What the input is: {', '.join(FORMATS)}.")] = "jsonl",
    fields: Fields = None,
    unit: UnitOf = None,
    roster: RosterFile = None,
    detectors: DetectorsFile = None,
    bias: Annotated[str, typer.Option(help=f"What score counts: {', '.join(BIASES)}.")] = "recall",
    workers: Workers = 1,
    output: OutFile = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell what every detector said, and what became of it.")
    ] = False,
    show_text: ShowText = False,
) -> None:
    """Find identifiers: JSON lines `{"id","text"}` in, `{"id","findings":[{"start","end","entity","score"}]}` out.

    Of plain text (`--format text`) each finding is a line of its own; of documents (FHIR, HL7, CSV and so on) each
    value is told once, without its place. Offsets count characters. What cannot be read is
    told on standard error by its line; the rest goes on.
    """
    shape, cut = _format(kind, unit or ("paragraph" if explain and kind == TEXT else None), fields, workers)
    order = Order(
        shape,
        tuple(fields or ("text",)),
        BIASES[_one_of(bias, BIASES, "--bias")],
        explain=explain,
        show=show_text,
        named=bool(fields),
        lines=kind == TEXT,
    )
    build = partial(_detectors, roster, detectors)
    with _streams(), progress(err, "scanning", apart=output is not None) as bar, writing(output) as file:
        source = Input(files or [], bar)
        if cut is None:
            file.writelines(filters.findings(build(), source.pieces(), order))
            return
        bad = _write(filters.run(partial(filters.scanning, build, order), cut(source.lines()), workers), file)
    if bad:
        raise typer.Exit(1)


def _format(
    kind: str, unit: str | None, fields: list[str] | None, workers: int
) -> tuple[Shape, Callable[[Iterable[Line]], Iterator[Unit]] | None]:
    """A format's shape and how its lines are cut, None where all is one text; tells what does not go together."""
    _one_of(kind, FORMATS, "--format")
    if kind != TEXT:
        if unit:
            raise fail(f"--unit is for --format {TEXT}", 2)
        return SHAPES[kind], SHAPES[kind].cut
    if fields:
        raise fail("--field is for JSON lines", 2)
    if _one_of(unit or WHOLE, (WHOLE, *UNITS), "--unit") != WHOLE:
        return Shape(UNITS[unit or ""], filters.rewrite_text, places=True), UNITS[unit or ""]
    if workers > 1:
        raise fail(f"--workers: one text is read by one process; --unit {' or '.join(UNITS)} lets several work", 2)
    return Shape(each_line, filters.rewrite_text, places=True), None


def _write(results: Iterable[Told], file: IO[bytes]) -> bool:
    """Write what there is, tell what there is not; whether anything was told."""
    bad = False
    for told in results:
        if told.fault:
            bad = True
            say(told.fault, err)
        else:
            file.write(told.out)
    return bad


def mask(
    name: Annotated[str, typer.Option("--mask", help="A mask of the policy, by name.")],
    files: Files = None,
    *,
    policy: PolicyFile = POLICY,
    kind: Annotated[str, typer.Option("--format", help=f"What the input is: {', '.join(FORMATS)}.")] = TEXT,
    fields: Fields = None,
    unit: UnitOf = None,
    roster: RosterFile = None,
    detectors: DetectorsFile = None,
    secrets: Annotated[str, typer.Option("--secrets", help="The gateway's keys: file, or env:NAME.")] = str(
        ROOT / "var" / "keys" / "secrets"
    ),
    scope: Annotated[str, typer.Option("--scope", help="Surrogates and date shifts agree within one scope.")] = "cli",
    workers: Workers = 1,
    output: OutFile = None,
) -> None:
    """Mask text as the gateway would mask an answer; `--roster` and `--detectors` replace the policy's own."""
    shape, cut = _format(kind, unit, fields, workers)
    build = partial(_masking, policy, name, secrets, scope, roster=roster, own=detectors)
    with _streams(), progress(err, "masking", apart=output is not None) as bar, writing(output) as file:
        source = Input(files or [], bar)
        if cut is None:
            found, transformer = build()
            for piece in filters.pieces(found, source.pieces()):
                file.write(transformer.render(piece).encode("utf-8", "replace"))
            return
        order = Order(shape, tuple(fields or ("text",)))
        bad = _write(filters.run(partial(filters.masking, build, order), cut(source.lines()), workers), file)
    if bad:
        raise typer.Exit(1)


def _masking(
    policy: Path, name: str, secrets: str, scope: str, *, roster: Path | None, own: Path | None
) -> tuple[Detectors, Transformer]:
    loaded = policy_of(policy)
    try:
        transformer = Transformer(_mask(loaded, name), read_secrets(secrets), scope)
    except StartFault as fault:
        raise fail(str(fault)) from None
    found = _detectors(
        roster or (loaded.folder / loaded.roster if loaded.roster else None),
        own or (loaded.folder / loaded.detectors if loaded.detectors else None),
    )
    return found, transformer


def _mask(policy: Policy, name: str) -> Mask:
    if name == REVEAL.name:
        return REVEAL
    if name not in policy.masks:
        known = ", ".join(sorted(policy.masks)) or "none"
        raise fail(f"no mask of this name in the policy; it has: {known}", 2)
    return policy.masks[name]


# -- how well it finds ------------------------------------------------------------------------------------------------


def evaluate(
    data: Annotated[list[str] | None, typer.Argument(help="Labelled JSON lines; `-` is standard input.")] = None,
    *,
    roster: RosterFile = None,
    detectors: DetectorsFile = None,
    bias: Annotated[str, typer.Option(help=f"What score counts: {', '.join(BIASES)}.")] = "recall",
    case: Annotated[str | None, typer.Option(help=f"Read the texts in {' or '.join(CASES)} case.")] = None,
    variant: Annotated[str | None, typer.Option(help=f"Read them written oddly: {', '.join(VARIANTS)}.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(help=f"LABEL=GROUP, of {', '.join(GROUPS)} or {IGNORED}; repeatable.")
    ] = None,
    workers: Workers = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many texts.")] = None,
    worst: Annotated[int, typer.Option(min=0, help="So many of the worst misses and false positives.")] = WORST,
    show_text: Annotated[bool, typer.Option("--show-text", help="Show what was missed, and what stands around it.")] = (
        False
    ),
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Measure what is found of labelled text: lines `{"id","text","spans":[{"start","end","label"}]}`.

    A span is found when 95 % of its letters and digits are covered. Intervals are 95 %, by texts. Ends with 1 when a
    line could not be read (told by its number, never its content) or when there was none.
    """
    writings = tuple(
        _one_of(word, known, option)
        for option, word, known in (("--case", case, CASES), ("--variant", variant, VARIANTS))
        if word
    )
    setting = Setting(writings, BIASES[_one_of(bias, BIASES, "--bias")], _groups(label or []), show=show_text)
    bad: list[str] = []

    def told(fault: str) -> None:
        bad.append(fault)
        say(fault, err)

    with _streams(), progress(err, "evaluating", apart=True) as bar:
        lines = some(Input(data or [], bar).lines(), limit)
        tally = evaluation.run(
            lines, partial(_detectors, roster, detectors), setting, told, workers=workers, worst=worst
        )
    if not tally.texts:
        raise fail("no text to evaluate")
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(tally.report(), option=orjson.OPT_INDENT_2) + b"\n")
        sys.stdout.buffer.flush()
    else:
        out.print(evaluation.view(tally))
    if bad:
        raise typer.Exit(1)


def _one_of(word: str, known: Collection[str], option: str) -> str:
    if word not in known:
        raise fail(f"{option}: not one of {', '.join(known)}", 2)
    return word


def _groups(pairs: list[str]) -> dict[str, str]:
    split = [pair.rpartition("=") for pair in pairs]
    if any(not name or group not in (*GROUPS, IGNORED) for name, _, group in split):
        raise fail(f"--label: expected LABEL=GROUP, of {', '.join((*GROUPS, IGNORED))}", 2)
    return {plain_label(name): group for name, _, group in split}
