"""Tables: CSV and TSV row by row, and the tables of Markdown. A column is what its name says.

Rules of this file:
- A row in which nothing is hidden leaves as it came, byte for byte; another is written with the quotes it needs.
- A column whose name says nothing is free text, read with its name as label.
- What a row hides in one cell is hidden in its other cells too.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from phigate.dialect.beside import NAMES, VALUES
from phigate.masking.structure.keys import about_a_person, entity_of
from phigate.masking.structure.known import Known

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from phigate.masking.structure.treatment import Masker

DELIMITERS = (",", "\t", ";", "|")
LOOKED_AT = 20
"""Rows that are looked at to see whether a text is a table."""
MOST_LOOKED_AT = 200_000
"""Characters of them at most."""
MOST_COLUMNS = 1000
_HEADER = re.compile(r"[^\W\d][\w .,'/#&%()$+:-]{0,59}")
_RULE = re.compile(r"\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*){0,200}\|?\s*")
_FIELD = frozenset(
    ("field", "item", "attribute", "key", "label", "element", "property", "category", "information", "detail")
)


class Column(NamedTuple):
    label: str
    entity: str | None


def delimiter_of(text: str) -> str | None:
    """What separates the columns of a text that is a table with a header; None where it is none."""
    start = text[:4000].lstrip("\ufeff \t\r\n")
    first = start[: _line_end(start)]
    for mark in sorted(DELIMITERS, key=lambda mark: -first.count(mark)):
        if mark in first and _is_table(text, mark):
            return mark
    return None


def _line_end(text: str) -> int:
    ends = [at for at in (text.find("\n"), text.find("\r")) if at >= 0]
    return min(ends, default=len(text))


def _is_table(text: str, mark: str) -> bool:
    """A header of distinct short names, and rows of the same width: of three columns, unless a name says what it is."""
    rows = []
    try:
        for row in csv.reader(io.StringIO(text[:MOST_LOOKED_AT], newline=""), delimiter=mark):
            if row:
                rows.append(row)
            if len(rows) > LOOKED_AT:
                break
    except csv.Error:
        return False
    if len(rows) < 2 or not 2 <= len(rows[0]) <= MOST_COLUMNS:
        return False
    header, body = rows[0], rows[1:]
    names = [cell.strip().lstrip("\ufeff") for cell in header]
    if len(set(names)) < len(names) or not all(_HEADER.fullmatch(name) and name.count(" ") < 5 for name in names):
        return False
    telling = sum(column.entity is not None for column in columns_of(names))
    cut = len(text) > MOST_LOOKED_AT and len(rows) <= LOOKED_AT
    even = sum(len(row) == len(header) for row in (body[:-1] if cut else body))
    if _are_pairs(names):
        return even == len(body) and any(entity_of(row[0]) for row in body if row)
    if telling > 1:
        return even * 5 >= len(body) * 3
    return even == len(body) and (telling > 0 or (len(names) > 2 and len(body) > 1 and _small(body)))


def _are_pairs(header: list[str]) -> bool:
    """Whether of two columns the first says what the second is (`field,value`)."""
    first, *rest = [name.strip().lstrip("\ufeff").lower() for name in header]
    return len(rest) == 1 and (first in NAMES or first in _FIELD) and rest[0] in VALUES


def _paired(row: list[str]) -> list[Column]:
    """The columns of a row that tells a name and its value."""
    return [Column("", None), Column(row[0], entity_of(row[0], likely=True))]


def _small(body: list[list[str]]) -> bool:
    """Cells, not the clauses of a sentence."""
    cells = [cell for row in body for cell in row]
    return sum(cell.count(" ") < 4 for cell in cells) * 10 >= len(cells) * 9


def columns_of(header: list[str]) -> list[Column]:
    names = [cell.strip().lstrip("\ufeff") for cell in header]
    likely = about_a_person(names)
    return [Column(name, entity_of(name, likely=likely)) for name in names]


def rewrite(lines: Iterable[str], delimiter: str, masker: Masker, *, near: bool = True) -> Iterator[str]:
    """The rows of a table whose first is its header, each as soon as it is there; `lines` keep their ends.

    `near` False: the masker's own rendering knows what the whole table hides.
    """
    taken: list[str] = []
    reader = csv.reader(_taking(lines, taken), delimiter=delimiter)
    columns: list[Column] | None = None
    pairs = False
    while True:
        try:
            row = next(reader, None)
        except csv.Error:
            yield masker.render("".join(taken))
            taken.clear()
            continue
        raw = "".join(taken)
        taken.clear()
        if row is None:
            if raw:
                yield masker.render(raw)
            return
        if not any(row):
            yield masker.render(raw) if raw.strip(f' \t\r\n"{delimiter}') else raw
        elif columns is None:
            columns, pairs = columns_of(row), _are_pairs(row)
            yield _written(raw, row, [masker.render(cell) for cell in row], delimiter)
        else:
            cells = _cells(row, _paired(row) if pairs else columns, masker, near=near)
            yield _written(raw, row, cells, delimiter)


def _taking(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _cells(row: list[str], columns: list[Column], masker: Masker, *, near: bool = True) -> list[str]:
    named = [columns[at] if at < len(columns) else Column("", None) for at in range(len(row))]
    hidden = [(column.entity, cell) for column, cell in zip(named, row, strict=True) if column.entity]
    eyes = masker._replace(render=Known(hidden).around(masker.render, masker.hide)) if near and hidden else masker
    return [_cell(cell, column, eyes) for cell, column in zip(row, named, strict=True)]


def _cell(cell: str, column: Column, masker: Masker) -> str:
    if not cell or cell.isspace():
        return cell
    if column.entity:
        return masker.hidden(column.entity, cell)
    if cell[0] in "{[":
        return masker.document(cell)
    return masker.scan(cell, column.label)


def _written(raw: str, row: list[str], shown: list[str], delimiter: str) -> str:
    if row == shown:
        return raw
    body = raw.rstrip("\r\n")
    lead = "\ufeff" if raw.startswith("\ufeff") and not shown[0].startswith("\ufeff") else ""
    out = io.StringIO()
    all_quoted = body[:1] == '"' and body[-1:] == '"'
    csv.writer(
        out, delimiter=delimiter, quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL, lineterminator=""
    ).writerow(shown)
    return lead + out.getvalue() + raw[len(body) :]


# -- Markdown -------------------------------------------------------------------------------------------------------


def is_rule(line: str) -> bool:
    """The line of dashes below a Markdown table's header (GitHub Flavored Markdown 4.10)."""
    return "--" in line and "|" in line and bool(_RULE.fullmatch(line))


def rewrite_markdown(text: str, masker: Masker) -> str:
    """A Markdown table: header, dashes, rows; of two columns the first may say what the second is."""
    lines = text.splitlines(keepends=True)
    names = [part.strip(" *_`") for part in _parts(lines[0])[1::2]]
    columns = columns_of(names)
    pairs = len(columns) == 2 and (names[0].lower() in _FIELD or not any(column.entity for column in columns))
    out = [_row(lines[0], [Column("", None)] * len(columns), masker), lines[1]]
    for line in lines[2:]:
        if pairs:
            cells = [part.strip(" *_`:") for part in _parts(line)[1::2]]
            name = cells[0] if cells else ""
            out.append(_row(line, [Column("", None), Column(name, entity_of(name, likely=True))], masker))
        else:
            out.append(_row(line, columns, masker))
    return "".join(out)


def _parts(line: str) -> list[str]:
    """A row in turns: what is between cells, a cell, ..."""
    body = line.rstrip("\r\n")
    cells = re.split(r"(?<!\\)\|", body)
    lead = cells.pop(0) + "|" if not cells[0].strip() and len(cells) > 1 else ""
    trail = "|" + cells.pop() if len(cells) > 1 and not cells[-1].strip() else ""
    parts = [lead]
    for at, cell in enumerate(cells):
        parts += [cell, "|" if at + 1 < len(cells) else trail + line[len(body) :]]
    return parts


def _row(line: str, columns: list[Column], masker: Masker) -> str:
    parts = _parts(line)
    cells = parts[1::2]
    plain = [cell.strip(" *_`") for cell in cells]
    shown = _cells(plain, columns, masker)
    for at, (cell, before, after) in enumerate(zip(cells, plain, shown, strict=True)):
        if before != after:
            start = cell.find(before)
            safe = after.replace("\n", " ").replace("|", "\\|")
            parts[1 + 2 * at] = cell[:start] + safe + cell[start + len(before) :]
    return "".join(parts)
