from __future__ import annotations

from typing import Any

import pytest

from phigate.journal import chain
from phigate.journal.head import MOST_NAMED, Head, Receipt, lost, told_already, unanswered, unrecorded
from phigate.journal.tree import Range
from tests.journal.samples import NOW, request, response


class Commit:
    """As much of a commit as a receipt asks."""

    kept = 0


def receipt(seq: int, kind: chain.Kind, fields: Any, *, awaited: bool = False) -> Receipt:
    made = chain.sha256(b"%d" % seq)
    return Receipt(seq, seq + 1, Commit(), kind, made, "f.jsonl", 100 * seq, fields, fields, awaited)  # type: ignore[arg-type]  # see above


def test_a_receipt_is_done_once_its_place_is_kept() -> None:
    one = receipt(0, "look", {})
    assert not one.done
    one.commit.kept = 1
    assert one.done


def test_a_head_moves_with_what_arrives_and_its_copies_do_not() -> None:
    head = Head()
    before = head.copy()
    rows = [receipt(0, "opened", {}), receipt(1, "request", request("ex-1")), receipt(2, "request", request("ex-2"))]
    ahead = head.after(rows)
    assert head == before == Head()
    for row in rows:
        head.take(row)
    tree = Range()
    for row in rows:
        tree.append(row.digest)
    assert head == ahead == Head(3, rows[-1].digest.hex(), "f.jsonl", 200, tree, {"ex-1": "f.jsonl", "ex-2": "f.jsonl"})


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("response", response("ex-1")),
        ("recovered", {"exchange": "ex-1", "outcome": "interrupted"}),
        ("request", request("ex-1", verb="deny")),
    ],
)
def test_an_exchange_is_open_until_its_end_is_on_record(kind: str, fields: Any) -> None:
    head = Head(open={"ex-1": "f.jsonl", "ex-2": "f.jsonl"})
    head.note(kind, fields, "g.jsonl")
    assert head.open == {"ex-2": "f.jsonl"}


@pytest.mark.parametrize(
    "fields", [{}, {"exchange": 7}, {"exchange": "ex-9"}, {"exchange": "ex-9", "decision": "permit"}]
)
def test_what_is_no_permitted_request_opens_nothing(fields: Any) -> None:
    head = Head()
    head.note("request", fields, "f.jsonl")
    assert head.open == {}


GONE = [
    receipt(1, "request", request("ex-1"), awaited=True),
    receipt(2, "part", {"exchange": "ex-2", "part": 0}),
    receipt(3, "response", response("ex-3"), awaited=True),
    receipt(4, "token", {"subject": None}, awaited=True),
    receipt(5, "refused", {"count": 3}),
    receipt(6, "opened", {}),
]


def test_what_was_lost_is_counted_and_its_exchanges_named() -> None:
    assert lost(GONE) == {
        "records": 6,
        "kinds": {"opened": 1, "part": 1, "refused": 1, "request": 1, "response": 1, "token": 1},
        "exchanges": ["ex-1", "ex-2", "ex-3"],
    }


def test_so_many_that_a_line_could_not_name_them_are_still_counted() -> None:
    many = lost(receipt(number, "part", {"exchange": f"ex-{number}"}) for number in range(MOST_NAMED + 5))
    assert many["records"] == MOST_NAMED + 5
    assert len(many["exchanges"]) == MOST_NAMED


def test_only_what_had_happened_already_is_recorded_again() -> None:
    assert [each.kind for each in told_already(GONE)] == ["part", "refused"]


def test_a_response_that_was_late_was_withheld() -> None:
    whole = response("ex-1") | {"body": "text", "sealed": "AAAA", "revealed": ["MRN:1"], "identifiers": ["MRN:1"]}
    told = unrecorded(whole | {"parts": 3})
    assert told == {
        "exchange": "ex-1",
        "status": 503,
        "outcome": "unrecorded",
        "findings": {"MRN": 2},
        "identifiers": ["MRN:1"],
        "revealed": [],
        "parts": 0,
        "body": None,
    }


def test_of_a_stream_the_caller_had_what_was_released() -> None:
    told = unrecorded(response("ex-1") | {"streamed": True, "revealed": ["MRN:1"]})
    assert (told["status"], told["outcome"], told["revealed"]) == (200, "unrecorded", ["MRN:1"])


def test_a_request_that_was_late_has_an_answer_of_ours() -> None:
    fields = unanswered("ex-1")
    assert chain.line_of(seq=0, prev=chain.ZEROS, now=NOW, instance="gw", kind="response", fields=fields)
    assert (fields["exchange"], fields["status"], fields["outcome"]) == ("ex-1", 503, "unrecorded")
