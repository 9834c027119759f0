"""What decides word by word what a model writes."""

import pytest

from phigate.dialect.steering import narrows, tiny


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(1, True), (2, True), (3, False), (0, False), (-1, False), (True, False), (None, False), ("1", False)],
)
def test_a_limit_of_one_or_two_cuts_an_answer_into_pieces(limit, expected):
    assert tiny(limit) is expected


def of(**text):
    return {"type": "object", "properties": {"note": {"type": "string", **text}}}


@pytest.mark.parametrize(
    ("sentence", "schema", "expected"),
    [
        ("any object", {"type": "object"}, False),
        ("any text", of(), False),
        ("a text of any sensible length", of(maxLength=200), False),
        ("one of some texts", of(enum=["a", "b"]), True),
        ("one text", of(const="a"), True),
        ("a text of a form", of(pattern="^[0-9]$"), True),
        ("one letter", of(maxLength=1), True),
        ("a choice within a choice", {"anyOf": [{"type": "null"}, {"items": of(enum=["a"])}]}, True),
        ("a choice among the definitions", {"$ref": "#/$defs/a", "$defs": {"a": {"enum": ["a"]}}}, True),
        ("a member that is called so", {"properties": {"pattern": {"type": "string"}, "enum": {}}}, False),
        ("no schema", None, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_schema_that_leaves_certain_texts_only_steers(sentence, schema, expected):
    assert narrows(schema) is expected
