"""What narrows a model's answer down to pieces too small to find anything in."""

import json

import pytest

from phigate.dialect.steering import few, picks


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        *((count, True) for count in (1, 2, 2.5, "1", True)),
        *((count, False) for count in (3, 0, -1, None, False, "all", [1], {})),
    ],
)
def test_one_or_two_tokens_are_few(count, expected):
    assert few(count) is expected


SCHEMAS = [
    ("any object", {"type": "object"}, False),
    ("nothing", None, False),
    ("named texts", {"properties": {"note": {"type": "string"}}, "required": ["note"]}, False),
    ("a list of answers", {"enum": ["yes", "no"]}, True),
    ("one answer", {"properties": {"a": {"const": 1}}}, True),
    ("a spelling", {"items": {"pattern": "^[A-M]"}}, True),
    ("a spelling of names", {"patternProperties": {"^a": {}}}, True),
    ("choices of choices", {"anyOf": [{"type": "null"}, {"allOf": [{"enum": [1]}]}]}, True),
    ("a member that is named so", {"properties": {"enum": {"type": "string"}, "pattern": {"type": "string"}}}, False),
    ("choices under such a name", {"properties": {"enum": {"enum": ["a"]}}}, True),
    ("a definition", {"$defs": {"x": {"const": "a"}}, "$ref": "#/$defs/x"}, True),
    ("one letter", {"properties": {"note": {"type": "string", "maxLength": 1}}}, True),
    ("any sensible length", {"properties": {"note": {"type": "string", "maxLength": 200}}}, False),
    ("what is no map of names", {"properties": [{"enum": [1]}]}, True),
]


@pytest.mark.parametrize(("sentence", "schema", "expected"), SCHEMAS, ids=[case[0] for case in SCHEMAS])
def test_a_schema_picks_where_it_lists_or_spells(sentence, schema, expected):
    assert picks(schema) is expected
    assert picks(json.dumps(schema)) is expected


@pytest.mark.parametrize("schema", ["{", "root ::= [0-9]"])
def test_what_cannot_be_read_may_pick(schema):
    assert picks(schema)


def test_a_schema_without_a_bottom_picks():
    deep = {}
    for _ in range(200):
        deep = {"items": deep}
    assert picks(deep)
