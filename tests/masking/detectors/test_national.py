from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.masking.detectors.national import NATIONAL, is_birth, is_kvnr, is_medicare_card, is_ramq, is_resident
from tests.masking.rows import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.masking import Detector


@pytest.mark.parametrize("detector", NATIONAL, ids=lambda each: each.name)
def test_a_row_finds_its_hits_and_none_of_its_misses(detector: Detector) -> None:
    assert faults(detector) == []


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (is_kvnr, "A123456780", "A123456781"),
        (is_medicare_card, "2123 45670 1", "2123 45671 1"),
        (is_resident, "11010519491231002X", "110105194912310021"),
        (is_ramq, "EXEA 8051 1512", "EXEA 8099 1512"),
        (is_birth, "070761-4285", "996199-1234"),
        (is_birth, "610707-4285", "009907-4285"),
    ],
)
def test_check_digits_and_days(check: Callable[[str], bool], good: str, bad: str) -> None:
    assert check(good)
    assert not check(bad)
