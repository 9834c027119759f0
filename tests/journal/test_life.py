"""Each record about a file's own life is a line of the journal."""

from datetime import UTC, datetime

import pytest

from phigate.journal import chain, life


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("opened", life.opened_record("0.1", "f.jsonl", None, chain.ZEROS)),
        ("closed", life.closed_record("stopped")),
        ("recovered", life.interrupted_record("ex-1", "f.jsonl")),
        ("recovered", life.recovered_record({"f.jsonl": 3}, 1)),
    ],
)
def test_each_kind_makes_a_line(kind: chain.Kind, fields: life.Fields) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    line = chain.line_of(seq=0, prev=chain.ZEROS, now=now, instance="gw", kind=kind, fields=fields)
    assert chain.parse(line) is not None
