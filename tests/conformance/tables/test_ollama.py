"""Every case of Ollama fails a gateway that lets it through, and passes one that masks."""

import pytest

from phigate.conformance.tables import ollama as table
from tests.conformance import proof

each_case = pytest.mark.parametrize("case", table.CASES, ids=lambda case: case.name)


@each_case
def test_what_lets_everything_through_leaks(case):
    assert proof.passed_on(case) == {"LEAK"}


@each_case
def test_what_hides_identifiers_and_nothing_else_is_masked(case):
    assert proof.masked(case) == {"masked"}


@each_case
def test_a_channel_without_its_text_is_told_from_a_masked_one(case):
    if case.innocent:
        assert proof.emptied(case) in ({"dropped"}, {"emptied"})
    else:
        assert proof.emptied(case) == {"masked"}


@each_case
def test_an_answer_without_its_end_is_broken(case):
    if case.ends:
        assert proof.cut_short(case) == "BROKEN"
