from __future__ import annotations

import pytest
import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from phigate.masking.detectors.parts import CODE, LINK, digits_of, has_digits, luhn


@pytest.mark.parametrize("link", [": ", " #", "** ", '": "', " is ", " No. ", " number: ", " # is ", "=", ""])
def test_what_stands_between_a_label_and_its_value(link: str) -> None:
    assert re2.fullmatch(LINK, link)


def test_a_word_is_no_code() -> None:
    assert re2.fullmatch(CODE, "RVH-310772")
    assert not re2.fullmatch(CODE, "pending")


def test_luhn() -> None:
    assert luhn("79927398713")
    assert not luhn("79927398710")


def test_a_bare_year_is_no_record_number() -> None:
    assert not has_digits(4)("2024")
    assert has_digits(4)("A2024")
    assert digits_of("a1-2") == "12"
