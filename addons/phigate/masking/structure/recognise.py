"""Whether a text is, or holds, something with a structure; and how it is rewritten then.

Rules of this file:
- Looking never raises, whatever the text is, and takes time in proportion to its length.
- What is not surely a structure is text. What is one is parsed, never patched: the result parses again.
- A structure in which nothing was hidden leaves as it came.
"""

from __future__ import annotations

import io
import json
import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from phigate.dialect import tree
from phigate.masking.structure import dicom, fhir, hl7, plain, table
from phigate.masking.structure.known import Known
from phigate.masking.structure.treatment import Masker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    type Render = Callable[[str], str]
    type Hide = Callable[[str, str], str]

LARGEST = 64 * 1024 * 1024
"""Characters of a text that is parsed at all."""
LARGEST_MIXED = 4 * 1024 * 1024
"""Characters of a text in which structures are looked for."""
MOST_TRIES = 64
"""Places at which a JSON value is tried in a text."""
NESTED = 3
"""How deep documents within documents are read; below they are text."""

_HINT = re.compile(r"[{\[\r\n]")
"""Without one of these a text is at most one segment of a message."""
_BEGINS = re.compile(r'\{\s{0,100}"|\[\s{0,100}[\[{"]')
_FENCE = re.compile(r"^[ \t]{0,3}(?P<mark>`{3,10}|~{3,10})[^\n`]{0,100}\n", re.MULTILINE)
_MESSAGE = re.compile(r"^\x0b?(?:MSH|FHS|BHS)[^\w\s]{4,6}", re.MULTILINE | re.ASCII)
_NEWLINE = re.compile(r"\r\n|\r|\n")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Structure:
    """A text of a known kind: `fhir`, `dicom`, `hl7`, `csv`, `markdown`, `ndjson` or any other `json`."""

    kind: str
    made: Callable[[Masker], str]

    def rewrite(self, render: Render, hide: Hide) -> str:
        """The text with all that identifies hidden, of the same kind and valid; raises what `render` raises.

        What one of its fields hides is hidden in its free text as well.
        """
        return self.made(masker(Known(self.known()).around(render, hide), hide))

    def known(self) -> list[tuple[str, str]]:
        """What its fields say are identifiers: (entity, value), before any text is scanned."""
        found: list[tuple[str, str]] = []

        def note(entity: str, text: str) -> str:
            found.append((entity, text))
            return text

        self.made(masker(_same, note))
        return found


class Part(NamedTuple):
    """A structure within a text, [begin, end) in characters."""

    begin: int
    end: int
    structure: Structure


def masker(render: Render, hide: Hide, depth: int = 0) -> Masker:
    def document(text: str) -> str:
        found = structured(text) if depth < NESTED else None
        return found.made(masker(render, hide, depth + 1)) if found else render(text)

    return Masker(render, hide, document)


def structured(text: str) -> Structure | None:
    """What a whole text is, if it is anything but prose."""
    if len(text) > LARGEST:
        return None
    start = len(text) - len(text.lstrip(" \t\r\n\ufeff\x0b"))
    first = text[start : start + 1]
    if first in ("{", "["):
        return _json(text)
    if first in ("M", "F", "B") and hl7.is_message(text[start:]):
        return Structure("hl7", lambda eyes: hl7.rewrite(text, eyes))
    if "\n" in text[:100_000] or "\r" in text[:100_000]:
        return _markdown(text) or _table(text)
    return None


def parts(text: str) -> list[Part]:
    """The structures in a text, in order; one part for a text that is one as a whole."""
    if not _HINT.search(text) and not hl7.is_message(text[:40]):
        return []
    whole = structured(text)
    if whole:
        return [Part(0, len(text), whole)]
    if len(text) > LARGEST_MIXED:
        return []
    found: list[Part] = []
    for look in (_messages, _fenced, _values, _tables):
        for part in look(text):
            at = bisect_left(found, part.begin, key=_begin)
            before, after = found[at - 1 : at], found[at : at + 1]
            if not (before and before[0].end > part.begin) and not (after and after[0].begin < part.end):
                found.insert(at, part)
    return found


def _begin(part: Part) -> int:
    return part.begin


def rewrite(text: str, render: Render, hide: Hide) -> str:
    """A text of any kind with all that identifies hidden: its structures by what they are, the rest by `render`."""
    found = parts(text)
    if not found:
        return render(text)
    known = Known(pair for part in found for pair in part.structure.known())
    eyes = masker(known.around(render, hide), hide)
    out, at = [], 0
    for part in found:
        out += [_rendered(text[at : part.begin], eyes), part.structure.made(eyes)]
        at = part.end
    return "".join([*out, _rendered(text[at:], eyes)])


def _rendered(text: str, eyes: Masker) -> str:
    return eyes.render(text) if text and not text.isspace() else text


def _same(text: str) -> str:
    return text


# -- JSON -----------------------------------------------------------------------------------------------------------


def _json(text: str) -> Structure | None:
    try:
        node = orjson.loads(text.lstrip("\ufeff"))
    except ValueError:
        return _lines(text)
    if not isinstance(node, dict | list) or tree.too_deep(node):
        return None
    kind, walk = _kind(node)
    return Structure(kind, lambda eyes: _dumped(text, node, walk(node, eyes)))


def _kind(node: Any) -> tuple[str, Callable[[Any, Masker], Any]]:
    """What a tree is: by its first object, if it is a list."""
    sample = next((item for item in node if isinstance(item, dict)), None) if isinstance(node, list) else node
    if fhir.is_resource(sample):
        return "fhir", _each(fhir.is_resource, fhir.rewrite)
    if dicom.is_dataset(sample):
        return "dicom", _each(dicom.is_dataset, dicom.rewrite)
    return "json", _any


def _each(fits: Callable[[Any], bool], walk: Callable[[Any, Masker], Any]) -> Callable[[Any, Masker], Any]:
    def all_of(node: Any, eyes: Masker) -> Any:
        if isinstance(node, list):
            return [walk(item, eyes) if fits(item) else _any(item, eyes) for item in node]
        return walk(node, eyes)

    return all_of


def _any(node: Any, eyes: Masker) -> Any:
    return plain.rewrite(node, eyes, special=_special)


def _special(node: Any, eyes: Masker) -> Any:
    """A resource or data set somewhere in other JSON (`{"patient": {"resourceType": ...}}`); None for all else."""
    if fhir.is_resource(node):
        return fhir.rewrite(node, eyes)
    return dicom.rewrite(node, eyes) if dicom.is_dataset(node) else None


def _dumped(text: str, before: Any, after: Any) -> str:
    """The tree as text, indented where it was; the very text where nothing changed and all of it was seen."""
    if after == before and not plain.says_twice(text):
        return text
    body = text.strip()
    option = orjson.OPT_INDENT_2 if "\n" in body[:200] else 0
    lead = text[: len(text) - len(text.lstrip())]
    return lead + orjson.dumps(after, option=option).decode() + text[len(text.rstrip()) :]


def _lines(text: str) -> Structure | None:
    """JSON Lines: two values at least, each on a line of its own."""
    lines = text.splitlines(keepends=True) if "\n" in text else []
    filled = [line for line in lines if line.strip()]
    if len(filled) < 2 or not all(line.lstrip()[:1] in ("{", "[") for line in filled[:3]):
        return None
    first = _one_line(filled[0])
    if first is None or _one_line(filled[1]) is None:
        return None
    return Structure("ndjson", lambda eyes: "".join(_line(line, eyes) for line in lines))


def _one_line(line: str) -> Any:
    try:
        node = orjson.loads(line)
    except ValueError:
        return None
    return node if isinstance(node, dict | list) and not tree.too_deep(node) else None


def _line(line: str, eyes: Masker) -> str:
    node = _one_line(line)
    if node is None:
        return _rendered(line, eyes)
    return _dumped(line, node, _kind(node)[1](node, eyes))


# -- tables ---------------------------------------------------------------------------------------------------------


def _table(text: str) -> Structure | None:
    mark = table.delimiter_of(text)
    if mark is None:
        return None
    return Structure("csv", lambda eyes: "".join(table.rewrite(io.StringIO(text, newline=""), mark, eyes, near=False)))


def _markdown(text: str) -> Structure | None:
    if "|" not in text[:4000]:
        return None
    lines = text.strip("\r\n").splitlines(keepends=True)
    lead = text[: len(text) - len(text.lstrip("\r\n"))]
    trail = text[len(text.rstrip("\r\n")) :]
    if len(lines) < 3 or not table.is_rule(lines[1]) or not all("|" in line for line in lines):
        return None
    body = "".join(lines)
    return Structure("markdown", lambda eyes: lead + table.rewrite_markdown(body, eyes) + trail)


# -- structures within a text ---------------------------------------------------------------------------------------


def _messages(text: str) -> Iterator[Part]:
    """HL7 messages that begin a line and go on as long as lines are segments."""
    at = 0
    while found := _MESSAGE.search(text, at):
        head = hl7.HEAD.match(text, found.start())
        if not head:
            at = found.end()
            continue
        mark, end = head["field"], len(text)
        at = found.start()
        while at < len(text):
            newline = _NEWLINE.search(text, at)
            line_end = newline.start() if newline else len(text)
            segment = hl7.SEGMENT.match(text, at, line_end)
            if not segment or (segment.end() < line_end and text[segment.end()] != mark):
                break
            end = line_end
            at = newline.end() if newline else len(text)
        body = text[found.start() : end]
        yield Part(found.start(), end, Structure("hl7", partial(hl7.rewrite, body)))
        at = max(end, found.end())


def _fenced(text: str) -> Iterator[Part]:
    """Fenced blocks (CommonMark 4.5) that are structures as a whole; an open one ends with the text."""
    at = 0
    while found := _FENCE.search(text, at):
        close = text.find(f"\n{found['mark']}", found.end() - 1)
        end = close if close >= 0 else len(text)
        inside = structured(text[found.end() : end]) if end > found.end() else None
        if inside:
            yield Part(found.end(), end, inside)
        at = max(end + 1 + len(found["mark"]), found.end()) if close >= 0 else len(text)


def _values(text: str) -> Iterator[Part]:
    """JSON values, wherever they stand."""
    at, tries, spent = 0, 0, 0
    while tries < MOST_TRIES and spent <= 4 * len(text) and (found := _BEGINS.search(text, at)):
        start = found.start()
        at = start + 1
        tries += 1
        try:
            _, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            spent += error.pos - start
            continue
        except (ValueError, RecursionError):
            spent += len(text) // 8
            continue
        inside = _json(text[start:end])
        if inside and end - start > 8:
            tries -= 1
            yield Part(start, end, inside)
        at = end


def _tables(text: str) -> Iterator[Part]:
    """Markdown tables: a header, a line of dashes, rows."""
    if "|" not in text or "--" not in text:
        return
    lines = text.splitlines(keepends=True)
    starts, total = [], 0
    for line in lines:
        starts.append(total)
        total += len(line)
    starts.append(total)
    at = 1
    while at < len(lines):
        if not table.is_rule(lines[at]) or "|" not in lines[at - 1]:
            at += 1
            continue
        last = at + 1
        while last < len(lines) and "|" in lines[last]:
            last += 1
        body = "".join(lines[at - 1 : last])
        if last > at + 1:
            yield Part(
                starts[at - 1],
                starts[last],
                Structure("markdown", partial(table.rewrite_markdown, body)),
            )
        at = last + 1
