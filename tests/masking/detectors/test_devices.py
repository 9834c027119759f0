from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.masking.detectors.devices import DEVICES, is_bare_plate, is_plate, is_vin, plate_of
from tests.masking.rows import faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.masking import Detector


@pytest.mark.parametrize("detector", DEVICES, ids=lambda each: each.name)
def test_a_row_finds_its_hits_and_none_of_its_misses(detector: Detector) -> None:
    assert faults(detector) == []


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (is_vin, "1M8GDM9AXKP042788", "1M8GDM9A0KP042788"),
        (is_plate, "47K M19", "A 1"),
        (is_bare_plate, "6-11307K", "12345"),
    ],
)
def test_check_digits_and_shapes(check: Callable[[str], bool], good: str, bad: str) -> None:
    assert check(good)
    assert not check(bad)


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("erg 605", "erg 605"),
        ("705 jdh", "705 jdh"),
        ("47k m19 seen", "47k m19"),
        ("31T-KQCP", "31T-KQCP"),
        ("6 and 3", "6"),
    ],
)
def test_where_a_plate_ends(text: str, plate: str) -> None:
    assert plate_of(text) == plate
