"""Stretches of records, and the verdict that findings and notices come to."""

import random
from itertools import pairwise

import pytest

from phigate.journal.proof import KEPT, Finding, Proof, Spans, verdict_of


def spans(*each):
    found = Spans()
    for start, end in each:
        found.add(start, end)
    return found


def test_stretches_merge_where_they_touch():
    assert spans((5, 7), (0, 2), (2, 4), (9, 9)).spans == [(0, 4), (5, 7)]
    assert spans((0, 2), (4, 6), (1, 5)).spans == [(0, 6)]
    assert spans((0, 2)).holds(1)
    assert not spans((0, 2)).holds(2)


@pytest.mark.parametrize(
    ("others", "left"),
    [([], [(0, 10)]), ([(0, 10)], []), ([(2, 4), (6, 8)], [(0, 2), (4, 6), (8, 10)]), ([(5, 99)], [(0, 5)])],
)
def test_what_is_left_of_a_stretch(others, left):
    assert spans((0, 10)).without(others) == left


def test_findings_beyond_a_number_are_counted():
    proof = Proof("gw-1")
    for number in range(KEPT + 3):
        proof.find(Finding("f", number, "wrong-prev"))
    assert (len(proof.findings), proof.more) == (KEPT, 3)


@pytest.mark.parametrize(
    ("proof", "verdict"),
    [
        (Proof("gw-1"), "untold"),
        (Proof("gw-1", key="k"), "holds"),
        (Proof("host.cli"), "holds"),
        (Proof("gw-1", key="k", notices=[Finding("f", 1, "pruned-unsigned")]), "untold"),
        (Proof("gw-1", key="k", notices=[Finding("f", 1, "pruned")]), "holds"),
        (Proof("gw-1", key="k", findings=[Finding("f", 1, "missing")]), "broken"),
    ],
)
def test_the_verdict_on_an_instance(proof, verdict):
    assert proof.verdict == verdict


def test_the_verdict_on_a_folder_is_the_worst():
    holds, untold = Proof("a", key="k"), Proof("b")
    broken = Proof("c", key="k", findings=[Finding("f", 1, "missing")])
    assert verdict_of([]) == "untold"
    assert verdict_of([holds]) == "holds"
    assert verdict_of([holds, untold]) == "untold"
    assert verdict_of([holds, untold, broken]) == "broken"


def test_records_of_commands_alone_prove_nothing():
    assert verdict_of([Proof("host.cli")]) == "untold"
    assert verdict_of([Proof("host.cli"), Proof("a", key="k")]) == "holds"


def test_stretches_merge_as_if_each_number_was_marked():
    chance = random.Random(7)
    for _ in range(50):
        found, marked = Spans(), set()
        for _ in range(20):
            start = chance.randrange(40)
            end = start + chance.randrange(5)
            found.add(start, end)
            marked.update(range(start, end))
        assert [number for number in range(50) if found.holds(number)] == sorted(marked)
        assert all(a[1] < b[0] for a, b in pairwise(found.spans))
