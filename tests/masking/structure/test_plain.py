"""Other JSON: members whose names say what they are."""

from __future__ import annotations

import orjson
import pytest

from phigate.dialect.tree import TreeError
from phigate.masking.structure import plain
from tests.masking.structure.eyes import HIDING, SEEING, SHOWING, listening

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
    ("a key and its value", {"key": "mrn", "value": "7731"}, {"key": "mrn", "value": "[MRN]"}),
    ("a field and a number", {"field": "ssn", "value": 536}, {"field": "ssn", "value": "[US_SSN]"}),
    (
        "members that are one person together",
        [{"name": "mrn", "value": "7"}, {"name": "name", "value": "jane"}, {"name": "pulse", "value": "37.2"}],
        [
            {"name": "mrn", "value": "[MRN]"},
            {"name": "name", "value": "[PERSON]"},
            {"name": "pulse", "value": "37.2"},
        ],
    ),
    ("a kind", {"phone": {"type": "home", "value": "555"}}, {"phone": {"type": "home", "value": "[PHONE_NUMBER]"}}),
    (
        "pairs",
        [["mrn", "7"], ["last_name", "roe"], ["pulse", 72]],
        [["mrn", "[MRN]"], ["last_name", "[PERSON]"], ["pulse", 72]],
    ),
    (
        "columns and rows",
        {"columns": ["name", "mrn", "pulse"], "rows": [["jane", 7, 72], ["ann", 8, 80]]},
        {
            "columns": ["name", "mrn", "pulse"],
            "rows": [["[PERSON]", "[MRN]", 72], ["[PERSON]", "[MRN]", 80]],
        },
    ),
    ("one row", {"headers": ["mrn", "x"], "values": [7, 8]}, {"headers": ["mrn", "x"], "values": ["[MRN]", 8]}),
    ("a row of names", [["mrn", "dob", "x"], [7, "3/1", 5]], [["mrn", "dob", "x"], ["[MRN]", "[DATE_TIME]", 5]]),
    ("rows by number", {"mrn": {"0": "7", "1": "8"}}, {"mrn": {"0": "[MRN]", "1": "[MRN]"}}),
    ("arguments", ["--mrn", "77310"], ["--mrn", "[MRN]"]),
    (
        "a day in parts",
        {"dob": {"year": 1962, "month": 3, "day": 14}, "when": {"year": "2024", "month": "March", "day": "2"}},
        {
            "dob": {"year": 1962, "month": "[DATE_TIME]", "day": "[DATE_TIME]"},
            "when": {"year": "2024", "month": "[DATE_TIME]", "day": "[DATE_TIME]"},
        },
    ),
    ("a span in parts", {"stay": {"year": 0, "month": 3, "day": 14}, "every": {"day": 1}}, None),
    ("a measurement", [{"key": "temperature", "value": "37.2"}, {"name": "wbc", "value": "4500-11000"}], None),
    ("results", {"columns": ["test", "result"], "rows": [["platelets", 250000], ["sodium", "140"]]}, None),
    ("results in pairs", [["platelets", "250000"], ["sodium", "140"], ["dose", "500 mg"]], None),
    ("names alone", ["mrn", "name", "dob"], None),
    (
        "a value that is a word of names",
        {"key": "last_name", "value": "Street"},
        {"key": "last_name", "value": "[PERSON]"},
    ),
    ("a choice", {"options": [{"label": "City", "value": "city"}, {"label": "Phone", "value": "phone"}]}, None),
    ("a form", {"label": "Phone", "text": "Enter your number"}, None),
    ("an explanation", {"title": "Hospital", "content": "A hospital is " + "a place where people are " * 9}, None),
    ("nobody beside a name", {"key": "mrn", "value": "unknown"}, None),
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


def test_a_value_is_read_with_what_it_is_called_and_then_with_its_own_name():
    heard = []
    plain.rewrite({"key": "note", "value": "x"}, listening(heard))
    assert [text for text in heard if text.endswith("x")] == ["note: x", "x", "value: x", "x"]


def test_every_other_text_and_every_name_is_scanned():
    assert plain.rewrite({"Jane Doe": ["x"]}, SHOWING) == {"<Jane Doe>": ["<x>"]}


def test_a_long_number_is_scanned():
    assert plain.rewrite({"n": 123456789, "m": 7}, SHOWING) == {"<n>": "<123456789>", "<m>": 7}


def test_a_tree_that_is_nested_too_deep_is_refused():
    node = orjson.loads('{"a":' * 150 + "1" + "}" * 150)
    with pytest.raises(TreeError):
        plain.rewrite(node, HIDING)
