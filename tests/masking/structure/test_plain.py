"""Other JSON: members whose names say what they are."""

from __future__ import annotations

import orjson
import pytest

from phigate.dialect.tree import TreeError
from phigate.masking.structure import plain
from tests.masking.structure.eyes import HIDING, SEEING, SHOWING

ROWS = [
    ("a person's name", {"patient_name": "jane roe"}, {"patient_name": "[PERSON]"}),
    ("a name beside a record number", {"name": "jane", "mrn": "7"}, {"name": "[PERSON]", "mrn": "[MRN]"}),
    ("a name beside a sex", {"name": "jane", "gender": "F"}, {"name": "[PERSON]", "gender": "F"}),
    ("a name alone", {"name": "aspirin"}, None),
    ("a name of a tool", {"name": "get_weather", "url": "x"}, {"name": "get_weather", "url": "[URL]"}),
    ("a number", {"mrn": 77310}, {"mrn": "[MRN]"}),
    ("an age", {"age": 93, "dob": "1931-01-02"}, {"age": "[AGE]", "dob": "[DATE_TIME]"}),
    ("an age that many have", {"age": 63}, None),
    ("nobody", {"mrn": "unknown", "ssn": "N/A", "phone": "", "dob": None}, None),
    (
        "a list of names",
        {"patient_names": ["a"], "first_name": ["b", "c"]},
        {"patient_names": ["a"], "first_name": ["[PERSON]", "[PERSON]"]},
    ),
    (
        "an object of names",
        {"address": {"street": "1 Hill Rd", "state": "IL"}},
        {"address": {"street": "[LOCATION]", "state": "IL"}},
    ),
    ("JSON in a text", {"args": '{"dob": "1970-03-12", "n": 1}'}, {"args": '{"dob":"[DATE_TIME]","n":1}'}),
    ("a date with no digit is text", {"discharge_date": "pending"}, None),
    ("constants", {"a": True, "b": None, "c": 1.5}, None),
]


@pytest.mark.parametrize(("sentence", "node", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_a_member_is_what_its_name_says(sentence, node, expected):
    assert plain.rewrite(node, HIDING) == (node if expected is None else expected)
    assert plain.rewrite(node, SEEING) == node


def test_a_member_that_is_there_twice():
    assert plain.says_twice('{"a": {"b": 1, "b": 2}}')
    assert not plain.says_twice('{"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}')
    assert plain.says_twice("no json")


def test_every_other_text_and_every_name_is_scanned():
    assert plain.rewrite({"Jane Doe": ["x"]}, SHOWING) == {"<Jane Doe>": ["<x>"]}


def test_a_long_number_is_scanned():
    assert plain.rewrite({"n": 123456789, "m": 7}, SHOWING) == {"<n>": "<123456789>", "<m>": 7}


def test_a_tree_that_is_nested_too_deep_is_refused():
    node = orjson.loads('{"a":' * 150 + "1" + "}" * 150)
    with pytest.raises(TreeError):
        plain.rewrite(node, HIDING)
