from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from phigate.masking import Detector, Detectors
from phigate.masking.detectors.numbers import NUMBERS, is_card, is_dea, is_iban, is_npi, is_own_id, is_ssn
from tests.masking.rows import faults, found

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("detector", NUMBERS, ids=lambda each: each.name)
def test_a_row_finds_its_hits_and_none_of_its_misses(detector: Detector) -> None:
    assert faults(detector) == []


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (is_npi, "1234567893", "1234567890"),
        (is_dea, "AB1234563", "AB1234564"),
        (is_iban, "GB82 WEST 1234 5698 7654 32", "GB82 WEST 1234 5698 7654 33"),
        (is_card, "4111 1111 1111 1111", "4111 1111 1111 1112"),
        (is_card, "5500-0055-5555-5559", "0000 0000 0000 0000"),
        (is_ssn, "219-09-9999", "666-45-6789"),
        (is_ssn, "001-01-0001", "001-00-0001"),
        (is_own_id, "VOX-31077", "rs1801133"),
        (is_own_id, "A12-3456", "12345-7"),
    ],
)
def test_check_digits_and_ranges(check: Callable[[str], bool], good: str, bad: str) -> None:
    assert check(good)
    assert not check(bad)


@pytest.mark.parametrize(
    "text",
    [
        "metoprolol 500 mg twice daily",
        "BP 120/80, HR 72, SpO2 98 %, temp 98.6 F",
        "ICD-10 E11.9 and I50.22, CPT 99213, LOINC 718-7",
        "HbA1c 7.2, WBC 12.5, Na 140, creatinine 1.1 mg/dL, CA 125 of 35",
        "strength 3/5, pain 7/10, vision 20/40",
        "Parkinson disease, Foley catheter, Apgar 9 and 10",
        "may return in 2 weeks; no plan to order more",
        "at 10:22 and 14:05:33, in 2019",
        "a 47-year-old man, 90 days, 95 mg, in the 90s",
        "version 1.2.3 of the study; ratio 1:2; page 12 of 30",
    ],
)
def test_clinical_text_without_identifiers(text: str) -> None:
    assert found(Detectors(), text) == []
