"""What one place says is an identifier is found in the text of another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.masking.structure.known import Known
from tests.masking.structure.eyes import hide, mark, same

ROWS = [
    ("a name", ("PERSON", "Stone"), "Mrs Stone's; Stone.", "Mrs [PERSON]'s; [PERSON]."),
    ("not within a word", ("PERSON", "Stone"), "Stones, Gladstone, stone", None),
    ("a name of two letters is not looked for", ("PERSON", "Ng"), "Ng", None),
    (
        "a name in small letters is not either",
        ("PERSON", "will"),
        "she will, Will and WILL",
        "she will, [PERSON] and [PERSON]",
    ),
    ("a name in capitals", ("PERSON", "STONE"), "Stone, STONE, stone", "[PERSON], [PERSON], stone"),
    ("a number is written in one way", ("MRN", "MR77310"), "mr77310", None),
    ("a name in words", ("PERSON", "Anna van Dyke"), "for Anna van Dyke, Anna", "for [PERSON], Anna"),
    ("accents", ("PERSON", "José"), "José's and Josés", "[PERSON]'s and Josés"),
    ("a number", ("MRN", "77-310"), "no 77-310.", "no [MRN]."),
    ("a short number is not looked for", ("MRN", "7731"), "7731", None),
    ("what is in brackets", ("PHONE_NUMBER", "(217) 555-0100"), "at (217) 555-0100", "at ([PHONE_NUMBER]"),
    ("dates are found by what they look like", ("DATE_TIME", "1970-03-12"), "1970-03-12", None),
    ("a place in one word", ("LOCATION", "EMERGENCY"), "Emergency", None),
    ("a street", ("LOCATION", "12 Main St"), "at 12 Main St now", "at [LOCATION] now"),
    ("nothing", ("PERSON", "---"), "---", None),
]


@pytest.mark.parametrize(("sentence", "value", "text", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_a_value_is_found_again(sentence, value, text, expected):
    assert Known([value]).around(same, hide)(text) == (text if expected is None else expected)


def test_the_longest_wins():
    known = Known([("PERSON", "Anna"), ("ORGANIZATION", "Anna Stone Clinic")])
    assert known.around(same, hide)("Anna Stone Clinic, Anna") == "[ORGANIZATION], [PERSON]"


def test_without_values_the_rendering_is_the_same_function():
    assert Known([]).around(mark, hide) is mark


@given(st.text(st.sampled_from("aB1 .-"), max_size=20), st.text(st.sampled_from("aB1 .-"), max_size=30))
def test_where_nothing_is_hidden_the_text_stays(value, text):
    assert Known([("PERSON", value), ("MRN", value)]).around(same, lambda _entity, each: each)(text) == text
