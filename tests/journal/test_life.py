"""Each record about a file's own life is a line of the journal."""

from datetime import UTC, datetime

import pytest

from phigate.journal import chain, life
from phigate.journal.head import Head
from phigate.journal.tree import Range

KNOWN = life.Known("0.1", "key", "3")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("opened", life.opened_record(KNOWN, "f.jsonl", Head(), started=True)),
        ("closed", life.closed_record("stopped")),
        ("recovered", life.interrupted_record("ex-1", "f.jsonl")),
        ("recovered", life.recovered_record({"f.jsonl": 3}, 1)),
        ("recovered", life.resumed_record("ENOSPC", "2026-11-23T15:04:05Z", {"records": 1}, 2, ["f.jsonl"])),
        ("recovered", life.quarantined_record("f.jsonl", "ab" * 32, 7, "bad block", 12)),
    ],
)
def test_each_kind_makes_a_line(kind: chain.Kind, fields: life.Fields) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    line = chain.line_of(seq=0, prev=chain.ZEROS, now=now, instance="gw", kind=kind, fields=fields)
    assert chain.parse(line) is not None


def test_the_first_record_says_where_the_journal_stood_and_what_stands_behind_that() -> None:
    head = Head(2, "ab" * 32, "before.jsonl", 500, Range([bytes(32)], 2), {"ex-1": "before.jsonl"})
    rest = life.Rest(lines=2, bytes=300, torn=7)
    assert life.opened_record(KNOWN, "f.jsonl", head, rest, started=False) == {
        "software": "0.1",
        "file": "f.jsonl",
        "follows": {"file": "before.jsonl", "hash": "ab" * 32, "torn": 7, "spare": {"lines": 2, "bytes": 300}},
        "open": {"ex-1": "before.jsonl"},
        "tree": ["00" * 32],
        "key": "key",
        "epoch": "3",
        "started": False,
    }


def test_the_first_file_follows_none_and_a_whole_one_leaves_no_rest() -> None:
    assert life.opened_record(KNOWN, "f.jsonl", Head(), started=True)["follows"] is None
    head = Head(1, "ab" * 32, "before.jsonl", 500, Range([bytes(32)], 1))
    fields = life.opened_record(KNOWN, "f.jsonl", head, started=True)
    assert fields["follows"] == {"file": "before.jsonl", "hash": "ab" * 32}
