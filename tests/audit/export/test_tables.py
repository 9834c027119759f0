from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from phigate.audit.export import tables
from phigate.audit.export.happenings import EXCHANGE
from tests.audit.export import happened
from tests.audit.export.happened import DAY, FORMULA, MRN, NAME

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path) -> bytes:
    out = io.BytesIO()
    found = [each for each in happened.happenings(folder) if each.kind == EXCHANGE]
    assert tables.write_csv(found, out) == len(found)
    return out.getvalue()


def rows(folder: Path) -> dict[str, dict[str, str]]:
    text = io.StringIO(written(folder).decode(), newline="")
    return {row["exchange"]: row for row in csv.DictReader(text, strict=True)}


def test_one_row_an_exchange_under_a_header(tmp_path: Path) -> None:
    found = rows(tmp_path)
    asked = {str(fields["exchange"]) for kind, fields in happened.ROWS if kind in ("request", "hold")}
    assert set(found) == asked
    one = found["revealing"]
    assert list(one) == [column.name for column in tables.COLUMNS]
    assert (one["started"], one["ended"]) == ("2026-11-23T15:04:10.123456Z", "2026-11-23T15:04:11.123456Z")
    assert (one["roles"], one["actions"], one["grant"]) == ("clinician", "chat; unmask", "g-1")
    assert (one["status"], one["seconds_total"], one["tokens_in"]) == ("200", "1.25", "120")
    assert (one["held"], one["streamed"]) == ("no", "yes")
    assert one["found_in_answer"] == "DATE_TIME 3; PERSON 1"
    assert one["identifiers_in_prompt"] == f"{MRN}; {NAME}"
    assert one["revealed_to_caller"] == f"{DAY}; {MRN}; {NAME}"


def test_what_is_unknown_is_empty(tmp_path: Path) -> None:
    one = rows(tmp_path)["denied"]
    assert {one[name] for name in ("ended", "status", "outcome", "tokens_in", "seconds_first")} == {""}


def test_no_cell_is_a_formula_and_every_text_is_in_quotes(tmp_path: Path) -> None:
    raw = written(tmp_path).decode()
    quoted = FORMULA.replace('"', '""')
    assert f'"\'{quoted}"' in raw
    assert all(line.startswith('"') and line.endswith('"') for line in raw.split("\r\n")[:-1])
    assert raw.endswith("\r\n")
    for row in rows(tmp_path).values():
        assert [cell for cell in row.values() if cell[:1] in tuple("=+-@")] == []


def test_no_character_that_a_terminal_obeys(tmp_path: Path) -> None:
    text = written(tmp_path).decode().replace("\r\n", "")
    assert [character for character in text if not character.isprintable()] == []
    assert "a\ufffd[31mred\ufffdback" in text


def test_a_row_has_the_types_that_its_columns_say(tmp_path: Path) -> None:
    types = {"text": str, "list": list, "counts": dict, "integer": int, "number": float, "flag": bool}
    for each in (one for one in happened.happenings(tmp_path) if one.kind == EXCHANGE):
        for column in tables.COLUMNS:
            value = tables.row(each)[column.name]
            assert value is None or column.type == "time" or type(value) is types[column.type], column.name


def test_the_documentation_lists_every_column() -> None:
    section = happened.DOCS.read_text().partition("## CSV and Parquet")[2]
    told = [name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert told == [column.name for column in tables.COLUMNS]
