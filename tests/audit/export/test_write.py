from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from phigate.audit.export import write as export
from phigate.audit.export.happenings import EXCHANGE
from phigate.audit.export.write import Question
from phigate.audit.index.exchanges import Wanted
from tests.audit.export import fhir_rules, happened

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, format_: str, **wanted: Any) -> tuple[int, bytes]:
    out = io.BytesIO()
    with happened.asked(folder) as index:
        question = Question(Wanted(**wanted), events=format_ not in export.ROWS)
        return export.write(format_, question.happenings(index), out), out.getvalue()


@pytest.mark.parametrize("format_", ["fhir", "ocsf", "ecs"])
def test_json_lines_are_counted(tmp_path: Path, format_: str) -> None:
    count, raw = written(tmp_path, format_)
    lines = raw.splitlines()
    assert len(lines) == count > 30
    for line in lines:
        assert isinstance(orjson.loads(line), dict)
    assert raw.endswith(b"\n")


def test_fhir_lines_are_audit_events(tmp_path: Path) -> None:
    for line in written(tmp_path, "fhir")[1].splitlines():
        fhir_rules.check(orjson.loads(line))


def test_an_export_is_the_same_when_it_is_made_again(tmp_path: Path) -> None:
    assert written(tmp_path, "fhir") == written(tmp_path, "fhir")


def test_rows_are_of_exchanges_alone(tmp_path: Path) -> None:
    count, raw = written(tmp_path, "csv")
    assert len(list(csv.DictReader(io.StringIO(raw.decode(), newline="")))) == count == 11


@pytest.mark.parametrize(
    ("wanted", "exchanges"),
    [
        ({"verb": "deny"}, ["denied"]),
        ({"role": "privacy-officer"}, ["broke"]),
        ({"entity": "MRN", "outcome": "interrupted"}, ["lost"]),
        ({"rule": "see-identifiers"}, ["revealing", "held"]),
    ],
)
def test_filters_of_exchanges_leave_other_records_out(
    tmp_path: Path, wanted: dict[str, Any], exchanges: list[str]
) -> None:
    with happened.asked(tmp_path) as index:
        question = Question(Wanted(**wanted))
        assert not question.of_records
        found = list(question.happenings(index))
        assert question.count(index) == len(exchanges)
    assert [each.row["exchange"] for each in found] == exchanges


def test_filters_that_fit_all_records_keep_them(tmp_path: Path) -> None:
    with happened.asked(tmp_path) as index:
        kinds = {each.kind for each in Question(Wanted(subject="eve")).happenings(index)}
        assert "revocation" in kinds
        assert {each.kind for each in Question(Wanted(), events=False).happenings(index)} == {EXCHANGE}


def test_a_question_may_begin_later_and_end_earlier(tmp_path: Path) -> None:
    with happened.asked(tmp_path) as index:
        every = list(Question(Wanted()).happenings(index))
        middle = every[10].at
        assert list(Question(Wanted()).before(middle).happenings(index)) == [each for each in every if each.at < middle]
        assert list(Question(Wanted()).happenings(index, middle)) == [each for each in every if each.at >= middle]
