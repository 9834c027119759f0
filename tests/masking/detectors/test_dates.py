from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.masking import Detectors
from phigate.masking.detectors.dates import DATES, is_no_part, is_no_score, is_off_scale, is_span, spelt
from phigate.masking.patterns import single
from tests.masking.rows import faults, found

if TYPE_CHECKING:
    from phigate.masking import Detector


@pytest.mark.parametrize("detector", DATES, ids=lambda each: each.name)
def test_a_row_finds_its_hits_and_none_of_its_misses(detector: Detector) -> None:
    assert faults(detector) == []


def test_strength_and_pain_are_no_dates() -> None:
    assert is_span("3/14 to 3/21")
    assert is_span("3/5-4/5/2024")
    assert not is_span("3/5-4/5")
    assert is_off_scale("3/14")
    assert not is_off_scale("7/10")


def test_a_part_of_a_whole_is_no_date() -> None:
    assert all(map(is_no_part, ("10/2", "3/04", "03/5", "6/14")))
    assert not any(map(is_no_part, ("3/8", "4/12", "3/15", "1/2")))
    assert is_no_score("3/8")
    assert not is_no_score("7/10")


def test_a_word_is_found_as_it_is_read() -> None:
    assert all(single(spelt("mai ты")).fullmatch(each) for each in ("Mai", "ТЫ", "Tы"))


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("2024-03-05", True),
        ("3/5/24", True),
        ("25/12/2024", True),
        ("2024-31-12", True),
        ("61-83-49", False),
        ("25/25/24", False),
        ("0/5/24", False),
    ],
)
def test_numbers_that_can_be_a_date(text: str, possible: bool) -> None:
    assert bool(found(Detectors(DATES), text)) is possible
