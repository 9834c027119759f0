from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.masking.detectors.dates import DATES, is_date
from tests.masking.rows import faults

if TYPE_CHECKING:
    from phigate.masking import Detector


@pytest.mark.parametrize("detector", DATES, ids=lambda each: each.name)
def test_a_row_finds_its_hits_and_none_of_its_misses(detector: Detector) -> None:
    assert faults(detector) == []


@pytest.mark.parametrize(
    ("text", "possible"),
    [
        ("2024-03-05", True),
        ("3/5/24", True),
        ("25/12/2024", True),
        ("2024-31-12", True),
        ("61-83-49", False),
        ("0/5/24", False),
    ],
)
def test_numbers_that_can_be_a_date(text: str, possible: bool) -> None:
    assert is_date(text) is possible
