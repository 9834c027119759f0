"""What is done with one value."""

from __future__ import annotations

import pytest

from phigate.masking.structure.recognise import masker
from phigate.masking.structure.treatment import AGE, DATE, KEEP, PROSE, SCAN, named
from tests.masking.structure.eyes import SHOWING, listening, mark, same

ROWS = [
    ("PERSON", "Anna", "[PERSON]"),
    ("PERSON", "", ""),
    ("PERSON", "  ", "  "),
    (KEEP, "final", "final"),
    (KEEP, "a word", "<a word>"),
    (KEEP, "x1970", "<x1970>"),
    (KEEP, "call_5362281450", "call_5362281450"),
    (SCAN, "Anna", "<Anna>"),
    (PROSE, "Anna", "<Anna>"),
    (DATE, "1970-03-12", "[DATE_TIME]"),
    (DATE, "19700312", "[DATE_TIME]"),
    (DATE, "1970-03", "[DATE_TIME]"),
    (DATE, "1970", "1970"),
    (DATE, "08:30:00", "08:30:00"),
    (DATE, "3/12/70", "[DATE_TIME]"),
    (DATE, "soon", "<soon>"),
    (AGE, "89", "89"),
    (AGE, "90", "[AGE]"),
    (AGE, "93 years", "[AGE]"),
    (AGE, "old", "<old>"),
]


@pytest.mark.parametrize(("treatment", "text", "expected"), ROWS)
def test_a_text(treatment, text, expected):
    assert SHOWING.treat(treatment, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-03-12", "1969-12-01"),
        ("1970-03-12T08:30:00Z", "1969-12-01T08:30:00Z"),
        ("1970-03-12T08:30:00.123-06:00", "1969-12-01T08:30:00.123-06:00"),
        ("197003120830", "1969-12-01"),
    ],
)
def test_a_time_stays_beside_a_day_that_is_one_again(text, expected):
    assert masker(same, lambda _entity, _text: "1969-12-01").treat(DATE, text) == expected


def test_a_year_has_no_time():
    assert masker(same, lambda _entity, text: text[:4]).treat(DATE, "1970-03-12T08:30:00Z") == "1970"


@pytest.mark.parametrize(
    ("treatment", "number", "expected"),
    [
        ("MRN", 77310, "[MRN]"),
        (KEEP, 77310, 77310),
        (SCAN, 77310, "<77310>"),
        (SCAN, 7, 7),
        (AGE, 63, 63),
        (AGE, 93, "[AGE]"),
        ("MRN", True, True),
    ],
)
def test_a_number(treatment, number, expected):
    assert SHOWING.number(treatment, number) == expected


def test_a_text_is_scanned_with_its_label():
    seen = []
    eyes = listening(seen)
    eyes.treat(SCAN, "77", "mrnNumber")
    assert seen[0] == "mrn Number: 77"


def test_named():
    assert named({"a": "x y", "b": "z"}) == {"x": "a", "y": "a", "z": "b"}
    assert mark("") == ""
