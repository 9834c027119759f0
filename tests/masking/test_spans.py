from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from phigate.exchange import Finding
from phigate.masking.spans import clip, merge, prefer

FINDINGS = st.lists(
    st.builds(
        lambda start, size, score: Finding(start, start + size, "X", score),
        st.integers(0, 30),
        st.integers(0, 9),
        st.sampled_from([0.5, 0.9]),
    )
)


def covered(findings: list[Finding]) -> set[int]:
    return {place for each in findings for place in range(each.start, each.end)}


def apart(findings: list[Finding]) -> bool:
    return all(one.end <= other.start for one, other in pairwise(findings))


@given(FINDINGS)
def test_preferred_findings_are_some_of_them_and_apart(findings: list[Finding]) -> None:
    standing = prefer(findings)
    assert apart(standing)
    assert set(standing) <= set(findings)
    assert prefer(standing) == standing


@given(FINDINGS)
def test_merging_covers_the_same_and_leaves_none_overlapping(findings: list[Finding]) -> None:
    merged = merge(findings)
    assert apart(merged)
    assert covered(merged) == covered(findings)
    assert merge(merged) == merged


@given(FINDINGS, st.integers(0, 30), st.integers(0, 30))
def test_clipping_covers_what_lies_inside(findings: list[Finding], start: int, size: int) -> None:
    assert covered(clip(findings, start, start + size)) == {
        place - start for place in covered(findings) if start <= place < start + size
    }


def test_leftmost_then_longer_then_surer_stands() -> None:
    long, short, sure = Finding(0, 5, "A", 0.5), Finding(0, 3, "B", 0.9), Finding(0, 5, "C", 0.9)
    assert prefer([Finding(2, 9, "D", 1.0), short, long]) == [long]
    assert prefer([long, sure]) == [sure]


def test_the_surest_names_a_merged_span() -> None:
    assert merge([Finding(0, 5, "A", 0.5), Finding(3, 8, "B", 0.9)]) == [Finding(0, 8, "B", 0.9)]
