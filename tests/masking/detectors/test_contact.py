from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.masking.detectors.contact import (
    CONTACT,
    is_grouped,
    is_handle,
    is_ip,
    is_phone,
    is_plain_phone,
    is_trunk,
)
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


def test_hours_are_no_phone_numbers() -> None:
    assert is_trunk("020 7946 0958")
    assert not is_trunk("0800 1200 1600")
    assert is_plain_phone("3185550147")
    assert not is_plain_phone("9112345678")


def test_behind_a_label_any_grouping_is_a_number_but_a_date_or_a_decimal() -> None:
    assert is_grouped("98481 55520")
    assert not is_grouped("2024-05-12")
    assert not is_grouped("7.32 45.1")
    assert not is_grouped("4500-11000")


def test_a_handle_is_no_word_of_a_note() -> None:
    assert is_handle("@ada_example")
    assert not is_handle("@bedtime")
