from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.masking.detectors.contact import CONTACT, is_ip, is_phone
from tests.masking.rows import faults

if TYPE_CHECKING:
    from phigate.masking import Detector


@pytest.mark.parametrize("detector", CONTACT, ids=lambda each: each.name)
def test_a_row_finds_its_hits_and_none_of_its_misses(detector: Detector) -> None:
    assert faults(detector) == []


def test_an_address_is_one_that_parses() -> None:
    assert is_ip("2001:db8::1")
    assert not is_ip("10:22:33")


def test_a_phone_number_has_eight_to_fifteen_digits() -> None:
    assert is_phone("+44 20 7946 0958")
    assert not is_phone("+2 34 56")
