from __future__ import annotations

import pytest
import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from phigate.masking.detectors.parts import LINK, code, digits_of, has_digits, is_range, is_snomed, luhn, weak


@pytest.mark.parametrize("link", [": ", " #", "** ", '": "', " is ", " No. ", " number: ", " # is ", "=", ""])
def test_what_stands_between_a_label_and_its_value(link: str) -> None:
    assert re2.fullmatch(LINK, link)


def test_a_word_is_no_code() -> None:
    assert re2.fullmatch(code(5), "RVH-310772")
    assert not re2.fullmatch(code(3), "pending")
    assert not re2.fullmatch(code(5), "7041")


def test_luhn() -> None:
    assert luhn("79927398713")
    assert not luhn("79927398710")


def test_a_bare_year_is_no_record_number() -> None:
    assert not has_digits(4)("2024")
    assert has_digits(4)("A2024")
    assert digits_of("a1-2") == "12"


def test_a_quantity_is_no_record_number() -> None:
    assert not has_digits(3)("500mg")
    assert has_digits(3)("500AB")
    assert not weak(3)("1800")
    assert weak(3)("QRX704")


@pytest.mark.parametrize(
    ("text", "ranges"),
    [("4500-11000", True), ("150-450", True), ("2024-31077", False), ("450-150", False), ("1-100", False)],
)
def test_ranges(text: str, ranges: bool) -> None:
    assert is_range(text) is ranges


def test_concepts_of_snomed() -> None:
    assert is_snomed("73211009")
    assert not is_snomed("73211008")
    assert not is_snomed("12345")
