from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.masking.detectors.places import PLACES, is_australian, is_round, is_street, is_titled, is_uk, is_zip
from tests.masking.rows import faults

if TYPE_CHECKING:
    from phigate.masking import Detector


@pytest.mark.parametrize("detector", PLACES, ids=lambda each: each.name)
def test_a_row_finds_its_hits_and_none_of_its_misses(detector: Detector) -> None:
    assert faults(detector) == []


def test_what_is_no_street() -> None:
    assert is_street("12 example street")
    assert not is_street("5 miles down the road")
    assert is_titled("12 Avenue of the Oaks")
    assert not is_titled("2 Dr")


def test_a_postcode_is_of_its_state() -> None:
    assert is_australian("NSW 2831")
    assert is_australian("Tasmania, 7031")
    assert not is_australian("WA 2019")


def test_round_numbers_are_quantities() -> None:
    assert is_zip("40417")
    assert not is_zip("50000")
    assert is_zip("50000-1234")
    assert is_round("16527")
    assert not is_round("25500")


def test_ordinals_end_no_postcode() -> None:
    assert is_uk("SW1A 1AA")
    assert not is_uk("S1 2ND")
