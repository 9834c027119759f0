"""How the matrix is printed."""

from phigate.conformance import matrix
from phigate.conformance.cases import PIECE, WHOLE, Ask, Case
from phigate.conformance.prober import Cell


def cell(channel, *kinds, streamed=False):
    shape = {"each": ({"a": PIECE},)} if streamed else {"head": ({"a": WHOLE},)}
    made = Cell(Case("some protocol", channel, Ask("/"), "sse" if streamed else "json", **shape))
    for at, kind in enumerate(kinds):
        made.add(kind, f"bytes at byte {at}", "why")
    return made


GOOD = [cell("text", "masked", "masked"), cell("text", "refused", streamed=True)]
BAD = [cell("tokens", "masked", "LEAK", "LEAK", streamed=True), cell("ids", "BROKEN", "dropped")]


def test_the_worst_is_told_with_how_often():
    assert matrix.table([*GOOD, *BAD]).splitlines() == [
        "dialect        channel  over  whole       stream",
        "some protocol  text     http  masked      refused",
        "some protocol  tokens   http  -           LEAK 2/3",
        "some protocol  ids      http  BROKEN 1/2  -",
    ]


def test_markdown():
    assert matrix.markdown(GOOD).splitlines() == [
        "| dialect | channel | over | whole | stream |",
        "| --- | --- | --- | --- | --- |",
        "| some protocol | text | http | masked | refused |",
    ]


def test_faults_are_told_by_their_first_example():
    assert list(matrix.faults([*GOOD, *BAD])) == [
        "some protocol / tokens / stream: LEAK: bytes at byte 1: why",
        "some protocol / ids / whole: BROKEN: bytes at byte 0: why",
    ]


def test_a_leak_or_a_broken_answer_fails():
    assert not matrix.failed(GOOD)
    assert matrix.failed(BAD[:1])
    assert matrix.failed(BAD[1:])


def test_cells_are_counted_by_kind():
    assert matrix.counted([*GOOD, *BAD]) == "1 masked, 1 refused, 1 BROKEN, 1 LEAK"
