"""`phigate scan` and `phigate mask` over inputs of any size: cut into units, each read on its own, results in order.

Rules of this file:
- A unit is what one text or document is: a line, a paragraph, a JSON line, a message. What is found depends on the unit
  alone, so any number of processes gives the same. Plain text without units is one text, read as it grows.
- A unit that cannot be read is told by its line, never by its content, and left out; the others go on.
- SHAPES is the place for another format: how lines become units, and how a unit is rewritten with two functions.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from phigate.exchange import Finding
from phigate.masking import Piece
from phigate.masking.structure import structured, table
from phigate.masking.structure.recognise import masker
from phigate.workers import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from phigate.masking import Detectors, Evidence, Transformer
    from phigate.streams import Line

BATCH: Final = 64 * 1024
"""Bytes of units that a worker is given at once."""
PARAGRAPH: Final = 1024 * 1024
"""Bytes of a paragraph: a longer one is no paragraph, and `whole` reads it."""
SURE: Final = 1.0
"""The score of what a document's own structure says."""
DOCUMENT: Final = 16 * 1024 * 1024
"""Bytes of a document."""
EVERYTHING: Final = "*"
"""The field that stands for every string of an object."""


class UnitFault(ValueError):  # noqa: N818 -- a fault of the input, as in PolicyFaults
    """A unit that is not what its format says; the message says how, never what stands there."""


class Unit(NamedTuple):
    where: str
    line: int
    raw: bytes
    at: int = 0
    """Characters before it in the input, of plain text."""
    fault: str = ""
    head: bytes = b""
    """What stands before every unit of its input and is no part of it: the names of a table's columns."""


class Eyes(NamedTuple):
    """What a format's rewriting sees with: `render` reads a text for identifiers, `hide` is told that it is one."""

    render: Callable[[str, str], str]
    """(text, name of its field)."""
    hide: Callable[[str, str], str]
    """(entity, text)."""


class Shape(NamedTuple):
    """A format: how lines become units, and how a unit is read and written anew; `rewrite` raises UnitFault."""

    cut: Callable[[Iterable[Line]], Iterator[Unit]]
    rewrite: Callable[[Unit, Eyes, tuple[str, ...]], tuple[dict[str, Any], bytes]]
    """(unit, eyes, fields) -> (what it is called when findings are told, the unit as rewritten)."""
    places: bool = False
    """Each text is read once, as it stands: findings have places in it."""


# -- units ----------------------------------------------------------------------------------------------------------


def each_line(lines: Iterable[Line]) -> Iterator[Unit]:
    at = 0
    for line in lines:
        yield Unit(line.where, line.number, line.raw, at, line.fault)
        at += _characters(line.raw)


def each_record(lines: Iterable[Line]) -> Iterator[Unit]:
    """Lines that are not blank."""
    return (unit for unit in each_line(lines) if unit.fault or unit.raw.strip())


def each_paragraph(lines: Iterable[Line]) -> Iterator[Unit]:
    """What stands between blank lines, with those that follow it."""
    begun: list[Line] = []
    at = 0
    for line in lines:
        if begun and line.raw.strip() and not begun[-1].raw.strip():
            yield (unit := _paragraph(begun, at))
            at += _characters(unit.raw)
            begun = []
        begun.append(line)
    if begun:
        yield _paragraph(begun, at)


def _paragraph(lines: list[Line], at: int) -> Unit:
    raw = b"".join(line.raw for line in lines)
    fault = next((line.fault for line in lines if line.fault), "")
    if len(raw) > PARAGRAPH:
        fault = f"a paragraph of more than {PARAGRAPH} bytes; `--unit whole` reads text without paragraphs"
    return Unit(lines[0].where, lines[0].number, raw, at, fault)


def _characters(raw: bytes) -> int:
    return len(raw) if raw.isascii() else len(raw.decode("utf-8", "replace"))


def batches(units: Iterable[Unit], size: int) -> Iterator[list[Unit]]:
    """Units together, of about so many bytes."""
    batch: list[Unit] = []
    held = 0
    for unit in units:
        batch.append(unit)
        held += len(unit.raw)
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


# -- shapes ---------------------------------------------------------------------------------------------------------


def rewrite_text(unit: Unit, eyes: Eyes, _: tuple[str, ...]) -> tuple[dict[str, Any], bytes]:
    return {}, _encoded(eyes.render(_decoded(unit.raw), ""))


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def rewrite_json(unit: Unit, eyes: Eyes, fields: tuple[str, ...]) -> tuple[dict[str, Any], bytes]:
    """One object; fields are paths such as `text`, `messages.*.content`, or `*` for every string."""
    try:
        item = orjson.loads(unit.raw)
    except orjson.JSONDecodeError:
        raise UnitFault("not JSON") from None
    if not isinstance(item, dict):
        raise UnitFault("not an object")
    for path in fields:
        steps = path.split(".")
        if path == EVERYTHING:
            item = _every(item, eyes, "")
        elif "*" not in steps and not isinstance(_at(item, steps), str):
            raise UnitFault(f"`{path}` is not a string")
        else:
            item = _along(item, steps, eyes, path)
    return {"id": item.get("id")}, orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE)


def _at(node: Any, steps: list[str]) -> Any:
    for step in steps:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def _along(node: Any, steps: list[str], eyes: Eyes, path: str) -> Any:
    if not steps:
        return eyes.render(node, path) if isinstance(node, str) else node
    step, rest = steps[0], steps[1:]
    if isinstance(node, dict):
        return {
            key: _along(value, rest, eyes, path) if step in (key, EVERYTHING) else value for key, value in node.items()
        }
    if isinstance(node, list) and step == EVERYTHING:
        return [_along(value, rest, eyes, path) for value in node]
    return node


def _every(node: Any, eyes: Eyes, path: str) -> Any:
    if isinstance(node, str):
        return eyes.render(node, path)
    if isinstance(node, dict):
        return {key: _every(value, eyes, f"{path}.{key}" if path else key) for key, value in node.items()}
    if isinstance(node, list):
        return [_every(value, eyes, f"{path}.*") for value in node]
    return node


def each_document(lines: Iterable[Line]) -> Iterator[Unit]:
    """JSON: a value a line where the first line is one, else all of it is one value."""
    units = each_record(lines)
    first = next(units, None)
    if first is None:
        return
    if first.fault or _is_json(first.raw):
        yield first
        yield from units
    else:
        yield _together(first, units)


def _together(first: Unit, units: Iterable[Unit]) -> Unit:
    parts, size = [first.raw], len(first.raw)
    for unit in units:
        parts.append(unit.raw)
        size += len(unit.raw)
        if unit.fault or size > DOCUMENT:
            return first._replace(raw=b"", fault=unit.fault or f"a document of more than {DOCUMENT} bytes")
    return first._replace(raw=b"".join(parts))


def _is_json(raw: bytes) -> bool:
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


def each_message(lines: Iterable[Line]) -> Iterator[Unit]:
    """HL7 v2: a message begins with a header segment, at whatever ends the segment before."""
    begun: list[Unit] = []
    for unit in each_line(lines):
        for part in _MESSAGE.split(unit.raw) if not unit.fault else (b"",):
            if begun and (part.lstrip(b"\x0b").startswith(_HEADS) or unit.fault):
                yield _joined(begun)
                begun = []
            if part or unit.fault:
                begun.append(unit._replace(raw=part))
    if begun:
        yield _joined(begun)


def _joined(units: list[Unit]) -> Unit:
    raw = b"".join(unit.raw for unit in units)
    fault = next((unit.fault for unit in units if unit.fault), "")
    return units[0]._replace(
        raw=raw, fault=fault or (f"a message of more than {DOCUMENT} bytes" if len(raw) > DOCUMENT else "")
    )


def each_row(lines: Iterable[Line]) -> Iterator[Unit]:
    """CSV: each row, with the header before it; a quoted cell may go on in the next line."""
    head, begun, size, quotes = b"", list[Unit](), 0, 0
    for unit in each_line(lines):
        begun.append(unit)
        size += len(unit.raw)
        quotes += unit.raw.count(b'"')
        if quotes % 2 and size <= DOCUMENT:
            continue
        row = _joined(begun)
        yield row._replace(head=head)
        head = head or row.raw
        begun, size, quotes = [], 0, 0
    if begun:
        yield _joined(begun)._replace(head=head)


def rewrite_row(unit: Unit, eyes: Eyes, _: tuple[str, ...]) -> tuple[dict[str, Any], bytes]:
    text = _decoded(unit.head + unit.raw)
    first = _decoded(unit.head or unit.raw)
    mark = max(table.DELIMITERS, key=first.count)
    if mark not in first:
        raise UnitFault("no table: the header has one column")
    passed = not unit.head

    def render(text: str) -> str:
        return eyes.render(text, "") if passed else text

    rows = table.rewrite(io.StringIO(text, newline=""), mark, masker(render, eyes.hide))
    if unit.head:
        next(rows, None)
        passed = True
    return {"line": unit.line}, _encoded("".join(rows))


def rewrite_structure(
    unit: Unit, eyes: Eyes, _: tuple[str, ...], kinds: tuple[str, ...]
) -> tuple[dict[str, Any], bytes]:
    """A unit that must be one of these kinds of documents (masking.structure)."""
    found = structured(_decoded(unit.raw))
    if found is None or found.kind not in kinds:
        raise UnitFault(f"not {kinds[0]}")
    return {"line": unit.line}, _encoded(found.rewrite(lambda text: eyes.render(text, ""), eyes.hide))


_HEADS = (b"MSH", b"FHS", b"BHS", b"BTS", b"FTS")
_MESSAGE = re.compile(rb"(?<=[\r\n\x1c])(?=\x0b?(?:MSH|FHS|BHS|BTS|FTS)\W)")
SHAPES: Final[dict[str, Shape]] = {
    "jsonl": Shape(each_record, rewrite_json, places=True),
    "json": Shape(each_document, partial(rewrite_structure, kinds=("json", "fhir", "dicom"))),
    "fhir": Shape(each_document, partial(rewrite_structure, kinds=("fhir",))),
    "dicom": Shape(each_document, partial(rewrite_structure, kinds=("dicom",))),
    "hl7": Shape(each_message, partial(rewrite_structure, kinds=("hl7",))),
    "csv": Shape(each_row, rewrite_row),
}
"""Formats of documents; plain text has units of its own."""
UNITS: Final[dict[str, Callable[[Iterable[Line]], Iterator[Unit]]]] = {"paragraph": each_paragraph, "line": each_line}
TEXT: Final = "text"
WHOLE: Final = "whole"
FORMATS: Final = (TEXT, *SHAPES)


# -- what is done with a unit ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of every unit."""

    shape: Shape
    fields: tuple[str, ...] = ("text",)
    least: float = 0.0
    """The score below which a finding is none, when scanning."""
    explain: bool = False
    show: bool = False
    """Let text into what is told of a scan."""
    named: bool = False
    """Tell the field of every finding."""
    lines: bool = False
    """Tell findings by line and place in the input, one a line: plain text."""


class Told(NamedTuple):
    """What became of a unit: its output, or why there is none."""

    out: bytes
    fault: str = ""


type Work = Callable[[list[Unit]], list[Told]]


def scanning(build: Callable[[], Detectors], order: Order) -> Work:
    """Work for in_order: findings of each unit."""
    detectors = build()
    return lambda units: [_told(unit, lambda unit: _scanned(detectors, order, unit)) for unit in units]


def masking(build: Callable[[], tuple[Detectors, Transformer]], order: Order) -> Work:
    """Work for in_order: each unit as the mask shows it."""
    detectors, transformer = build()

    def render(text: str, _: str) -> str:
        return "".join(map(transformer.render, detectors.pieces(text)))

    eyes = Eyes(render, lambda entity, text: transformer.render(Piece(text, entity, "structure", SURE)))
    return lambda units: [_told(unit, lambda unit: order.shape.rewrite(unit, eyes, order.fields)[1]) for unit in units]


def run(work: Callable[[], Work], units: Iterable[Unit], workers: int) -> Iterator[Told]:
    """All units, in order; `work` is a partial of `scanning` or `masking`."""
    for told in in_order(batches(units, BATCH if workers > 1 else 1), work, workers):
        yield from told


def _told(unit: Unit, work: Callable[[Unit], bytes]) -> Told:
    if unit.fault:
        return Told(b"", f"{unit.where}: {unit.fault}")
    try:
        return Told(work(unit))
    except UnitFault as fault:
        return Told(b"", f"{unit.where}: {fault}")


def _scanned(detectors: Detectors, order: Order, unit: Unit) -> bytes:
    seen = _Seen(detectors, order)
    name, _ = order.shape.rewrite(unit, Eyes(seen.render, seen.hide), order.fields)
    if order.lines:
        return b"".join(orjson.dumps(each) + b"\n" for each in _by_line(seen, unit))
    told = name | {"findings": seen.findings}
    if order.explain:
        told["evidence"] = seen.evidence
    return orjson.dumps(told) + b"\n"


@dataclass(slots=True)
class _Seen:
    """The findings of one unit.

    A document's rewriting may read a value several times, and together with its name: there each value counts once,
    and no places are told.
    """

    detectors: Detectors
    order: Order
    findings: list[dict[str, Any]] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    text: str = ""
    """The last text read."""
    known: set[tuple[str, ...]] = field(default_factory=set)

    def render(self, text: str, name: str) -> str:
        self.text = text
        for found in self.detectors.find(text):
            if found.score >= self.order.least:
                self._note(self.findings, found, text, name)
        if self.order.explain:
            for each in self.detectors.explain(text):
                verdict = "below the threshold" if each.score < self.order.least else each.verdict
                self._note(self.evidence, each, text, name, verdict)
        return text

    def hide(self, entity: str, text: str) -> str:
        self._note(self.findings, Finding(0, len(text), entity, SURE, "structure"), text, "")
        return text

    def _note(
        self, into: list[dict[str, Any]], each: Finding | Evidence, text: str, name: str, verdict: str = ""
    ) -> None:
        order, value = self.order, text[each.start : each.end]
        told: dict[str, Any] = {"field": name} if order.named else {}
        if order.shape.places:
            told |= {"start": each.start, "end": each.end}
        elif (key := (each.entity, value, verdict, each.detector * order.explain)) in self.known:
            return
        else:
            self.known.add(key)
        told |= {"entity": each.entity, "score": each.score}
        if order.explain:
            told["detector"] = each.detector
        if order.show:
            told["text"] = value
        into.append(told | ({"verdict": verdict} if verdict else {}))


def _by_line(seen: _Seen, unit: Unit) -> Iterator[dict[str, Any]]:
    """Findings of plain text, or the evidence for them: their line, and places in the whole input."""
    line, counted = unit.line, 0
    for each in seen.evidence if seen.order.explain else seen.findings:
        line += seen.text.count("\n", counted, each["start"])
        counted = each["start"]
        yield {"line": line} | each | {"start": each["start"] + unit.at, "end": each["end"] + unit.at}


# -- one text, as it grows ------------------------------------------------------------------------------------------


def pieces(detectors: Detectors, chunks: Iterable[str]) -> Iterator[Piece]:
    """A text of any size in pieces: what lies across two reads is found, and only what is undecided is held."""
    scanner = detectors.scanner()
    for chunk in chunks:
        yield from scanner.feed(chunk)
    yield from scanner.close()


def findings(detectors: Detectors, chunks: Iterable[str], order: Order) -> Iterator[bytes]:
    """The findings of such a text, one a line."""
    at, line = 0, 1
    for piece in pieces(detectors, chunks):
        if piece.entity is not None and piece.score >= order.least:
            told = {
                "line": line,
                "start": at,
                "end": at + len(piece.text),
                "entity": piece.entity,
                "score": piece.score,
            }
            yield orjson.dumps(told | ({"text": piece.text} if order.show else {})) + b"\n"
        at += len(piece.text)
        line += piece.text.count("\n")
