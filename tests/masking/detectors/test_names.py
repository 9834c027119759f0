from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.masking.detectors.names import NAMES, is_name, name_of, titled
from tests.masking.rows import faults

if TYPE_CHECKING:
    from phigate.masking import Detector


@pytest.mark.parametrize("detector", NAMES, ids=lambda each: each.name)
def test_a_row_finds_its_hits_and_none_of_its_misses(detector: Detector) -> None:
    assert faults(detector) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Otto Brandt Admitted", "Otto Brandt"),
        ("Otto A. Brandt", "Otto A. Brandt"),
        ("Denies Pain", ""),
        ("April Jones", "April Jones"),
        ("May", ""),
        ("Will Brandt DOB", "Will Brandt"),
        ("Okafor, Chidi MRN", "Okafor, Chidi"),
    ],
)
def test_a_name_ends_where_other_words_begin(text: str, name: str) -> None:
    assert name_of(text) == name


def test_after_a_title_a_heading_may_be_a_name() -> None:
    assert titled("Street Notes") == "Street"
    assert titled("Said") == ""


def test_capitals_alone_are_no_name() -> None:
    assert not is_name("RN")
    assert is_name("Li")
