"""What a value of JSON is called by what stands beside it."""

from __future__ import annotations

import pytest

from phigate.dialect.beside import cells, columns, is_name, is_naming, listed, members, of_columns


@pytest.mark.parametrize(
    ("sentence", "node", "key", "expected"),
    [
        ("a key and its value", {"key": "mrn", "value": "7"}, "", {"value": ("mrn",)}),
        ("in other words", {"fieldName": "mrn", "string_value": "7"}, "", {"string_value": ("mrn",)}),
        ("two names", {"name": "Record", "code": "mrn", "value": 7}, "", {"value": ("Record", "mrn")}),
        ("its own name first, its kind last", {"type": "home", "value": "7"}, "phone", {"value": ("phone", "home")}),
        ("a kind alone", {"system": "phone", "value": "7"}, "", {"value": ("phone",)}),
        ("a name beats the object's own", {"name": "ward", "value": "7"}, "mrn", {"value": ("ward",)}),
        ("nothing names it", {"value": "7", "unit": "kg"}, "", {}),
        ("the object's own name", {"value": "7"}, "mrn", {"value": ("mrn",)}),
        ("numbered members", {"0": "7", "1": "8"}, "mrn", {"0": ("mrn",), "1": ("mrn",)}),
        ("a number is no name", {"code": "8867-4", "value": "72"}, "", {}),
        ("no value", {"name": "jane", "mrn": "7"}, "", {}),
    ],
)
def test_members_that_others_name(sentence, node, key, expected):
    assert members(node, key) == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"columns": ["name", "mrn"], "rows": []}, ("name", "mrn")),
        ({"fields": [{"name": "mrn", "type": "int"}, {"type": "int"}]}, ("mrn", "")),
        ({"column_names": ["mrn", 7]}, ("mrn", "")),
        ({"columns": 3, "headers": [1, 2]}, ()),
        ({"columns": []}, ()),
        ({"patients": ["jane"]}, ()),
    ],
)
def test_columns_that_stand_beside_their_rows(node, expected):
    assert columns(node) == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("anything", [["a", 1], ["b", 2]], True),
        ("values", ["a", 1], True),
        ("values", ["a"], False),
        ("notes", ["a", 1], False),
        ("rows", "a", False),
        ("rows", [], False),
    ],
)
def test_rows_beside_their_columns(name, value, expected):
    assert of_columns(name, value, ("name", "mrn")) is expected
    assert not of_columns(name, value, ())


@pytest.mark.parametrize(
    ("sentence", "rows", "named", "expected"),
    [
        ("pairs", [["mrn", "773"], ["ward", 7]], (), [[(), ("mrn",)], [(), ("ward",)]]),
        ("a row of names", [["a", "b", "c"], [1, 2, 3]], (), [[(), (), ()], [("a",), ("b",), ("c",)]]),
        ("either", [["a", "b"], ["c", "d"]], (), [[(), ("a",)], [("a",), ("b", "c")]]),
        ("columns", [["x", 1], ["y"]], ("a", "b"), [[("a",), ("b",)], [("a",)]]),
        ("a row that is longer", [["x", 1, 2]], ("a", "b"), [[("a",), ("b",), ()]]),
        ("numbers", [[1, 2], [3, 4]], (), None),
        ("one row of words", [["a", "b", "c"]], (), None),
        ("rows of other widths", [["a", "b"], ["c"]], (), None),
        ("rows that are empty", [[], []], (), None),
        ("no rows", [1, 2], (), None),
        ("nothing", [], (), None),
    ],
)
def test_cells_are_named_by_their_column_or_by_the_first_of_their_pair(sentence, rows, named, expected):
    assert cells(rows, named) == expected


def test_a_number_in_a_list_is_named_by_what_stands_before_it():
    assert listed(["--mrn", "77310", "x", "y", 42]) == [(), ("--mrn",), (), (), ("y",)]
    assert listed([1, 2, 3]) is None
    assert listed(["77310", "77311"]) is None


@pytest.mark.parametrize("name", ["mrn", "Medical record number", "--mrn", "$ssn", "Date of birth:", "zip5"])
def test_what_may_be_a_name(name):
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "77310", "a 77310", "-", "a\nb", "a" * 80, 7, None, "what is it? no"])
def test_what_is_no_name(name):
    assert not is_name(name)


def test_members_that_name():
    assert is_naming("Field_Name")
    assert is_naming("type")
    assert not is_naming("value")
