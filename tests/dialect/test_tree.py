"""Every string of a message that is not the protocol's own is text, wherever it stands."""

import json
import re
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect.openai import ANSWER, REQUEST
from phigate.dialect.tree import (
    DIGEST,
    TIME,
    Fields,
    TreeError,
    document,
    embedded,
    labelled,
    one_of,
    rewrite,
    shouts,
    texts,
    values,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def mark(text):
    return f"<{text}>" if text else text


CASES = [
    ("content is text", {"choices": [{"message": {"content": "a"}}]}, {"choices": [{"message": {"content": "<a>"}}]}),
    (
        "parts of content are text",
        {"content": [{"type": "text", "text": "a"}]},
        {"content": [{"type": "text", "text": "<a>"}]},
    ),
    ("reasoning and refusal are text", {"reasoning": "a", "refusal": "b"}, {"reasoning": "<a>", "refusal": "<b>"}),
    ("an invented field is text", {"brand_new": {"deep": ["a"]}}, {"brand_new": {"deep": ["<a>"]}}),
    ("a key that is no name is text", {"Jane Doe": 1}, {"<Jane Doe>": 1}),
    ("constants stay", {"id": "c-1", "object": "chat.completion", "created": 1, "role": "assistant"}, None),
    ("a constant that reads like a sentence is text", {"id": "Jane was here"}, {"id": "<Jane was here>"}),
    ("a constant that holds a tree is text", {"role": {"x": "a"}}, {"role": {"x": "<a>"}}),
    (
        "an id that begins with its kind stays",
        {"id": "call_5362281450", "tool_call_id": "call-123e4567-e89b-12d3"},
        None,
    ),
    ("an address is no id", {"id": "chatcmpl-jane@x.example"}, {"id": "chatcmpl-<jane@x.example>"}),
    ("a number that is written for people is no id", {"id": "chatcmpl-536-22-8145"}, {"id": "chatcmpl-<536-22-8145>"}),
    ("a model may be of a date", {"model": "ward-4-2024-05-13"}, None),
    ("per-token lists are left out", {"content": "a", "logprobs": {"content": [{"token": "a"}]}}, {"content": "<a>"}),
    ("token ids are left out", {"prompt_token_ids": [1, 2], "token_ids": [3]}, {}),
    ("a vector stays", {"embedding": [0.1, 0.2, 3]}, None),
]


@pytest.mark.parametrize(("sentence", "tree", "expected"), CASES, ids=[case[0] for case in CASES])
def test_answers(sentence, tree, expected):
    assert rewrite(tree, ANSWER, mark) == (tree if expected is None else expected)


def test_json_in_a_string_is_rendered_inside_and_stays_json():
    arguments = orjson.dumps({"to": 'jane\n"x"', "n": 3, "ssn": 123456789, "list": ["a", True]}).decode()
    rendered = rewrite({"arguments": arguments}, ANSWER, mark)["arguments"]
    assert orjson.loads(rendered) == {
        "<to>": '<jane\n"x">',
        "<n>": 3,
        "<ssn>": "<123456789>",
        "<list>": ["<a>", True],
    }


@given(JSON)
def test_a_value_is_rendered_as_if_a_string_held_it(tree):
    assert document(tree, mark) == json.loads(embedded(json.dumps(tree), mark))


def test_a_value_is_seen_as_a_whole_first():
    def hide(text: str) -> str:
        return text.replace('"jane"', '"[PERSON]"') if '"kind":"person"' in text else text

    assert document({"kind": "person", "name": "jane"}, hide) == {"kind": "person", "name": "[PERSON]"}


def test_a_value_deeper_than_anybody_reads_is_an_error():
    deep: list = []
    for _ in range(400):
        deep = [deep]
    with pytest.raises(TreeError):
        document(deep, mark)


def test_a_string_that_holds_no_json_is_text():
    assert embedded("to jane", mark) == "<to jane>"


def test_a_number_that_nothing_is_found_in_stays_a_number():
    assert embedded('{"a":123456}', lambda text: text) == '{"a":123456}'


@given(JSON)
def test_rendering_nothing_changes_nothing(tree):
    assert rewrite(tree, REQUEST, lambda text: text) == tree


@given(JSON)
def test_texts_are_what_would_be_rendered(tree):
    seen: list[str] = []

    def keep(text: str) -> str:
        seen.append(text)
        return text

    rewrite(tree, ANSWER, keep)
    assert list(texts(tree, ANSWER)) == seen


def test_what_has_the_server_s_own_form_is_kept_and_everything_else_under_its_key_is_text():
    fields = replace(ANSWER, forms={"created_at": TIME, "digest": DIGEST})
    kept = {"created_at": "2026-01-01T00:00:00.123456789Z", "digest": "sha256:" + "8e" * 32}
    assert rewrite({"a": [kept]}, fields, mark) == {"a": [kept]}
    for value in ("2026-01-01", "2026-01-01T00:00:00Z jane", "", "8e", " " + kept["digest"]):
        made = rewrite({"created_at": value, "digest": value}, fields, str.upper)
        assert made == {"created_at": value.upper(), "digest": value.upper()}
    assert not fields.formed("created_at", 7)
    assert rewrite({"digest": [kept["digest"]]}, fields, mark) == {"digest": [kept["digest"]]}
    assert rewrite({"digest": [kept["digest"], "jane"]}, fields, str.upper)["digest"][1] == "JANE"
    assert not fields.formed("text", kept["digest"])


def test_what_is_named_beside_it_is_read_together_with_its_name():
    fields = Fields(frozenset({"name"}), frozenset(), frozenset(), prose=frozenset({"text"}), named={"data": "name"})

    def hide(text):
        return text.replace("mrn: 7731", "mrn: [MRN]").replace("7731", "7731?")

    tree = [{"name": name, "data": [["7731"], 0.5]} for name in ("mrn", "Text", None)]
    assert [each["data"] for each in rewrite(tree, fields, hide)] == [
        [["[MRN]"], 0.5],
        [["7731?"], 0.5],
        [["7731?"], 0.5],
    ]


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"model": "M", "messages": [{"role": "user", "content": "Hi"}], "x_1": None}, False),
        ({"tools": [{"function": {"parameters": {"properties": {"patientName": {}}}}}]}, False),
        ({"messages": [{"tool_calls": [{"function": {"arguments": {"To": "x"}}}]}], "format": {"anyOf": []}}, False),
        ({"model": "a", "Model": "b"}, True),
        ({"messages": [{"content": "see", "Images": ["aGk="]}]}, True),
        ({"format": {}, "Format": {"enum": [1]}}, True),
        ({"\u212aeep_alive": 1}, True),
        ({"me\u017f\u017fages": []}, True),
        ([[{"A": 1}]], True),
    ],
)
def test_a_name_that_some_server_reads_in_another_case_shouts(tree, expected):
    assert shouts(tree) is expected


def test_what_a_member_lists_is_read_together_with_its_key():
    def hide(text):
        return text.replace("mrn: 7731", "mrn: [MRN]")

    tree = {"mrn": ["7731", ["7731", {"deep": ["7731"]}]], "content": ["7731"]}
    expected = {"mrn": ["[MRN]", ["[MRN]", {"deep": ["7731"]}]], "content": ["7731"]}
    assert rewrite(tree, ANSWER, hide) == expected


SOMEBODYS = Fields(frozenset({"id"}), frozenset({"tokens"}), frozenset(), document=True)


def test_a_message_that_is_somebodys_json_has_nothing_of_a_protocol():
    tree = {"id": "a", "tokens": ["b", 1, [0.5, 2]], "Jane": None}
    assert rewrite(tree, SOMEBODYS, mark) == {"<id>": "<a>", "<tokens>": ["<b>", 1, [0.5, 2]], "<Jane>": None}


def test_such_a_message_is_read_as_a_whole_and_its_vectors_are_not():
    seen = []

    def look(text):
        seen.append(text)
        return text.replace('"family":"Roe"', '"family":"[PERSON]"')

    kept = object()
    tree = {"family": "Roe", "vector": [0.5] * 9, "kept": kept}
    assert rewrite(tree, SOMEBODYS, look) == {"family": "[PERSON]", "vector": [0.5] * 9, "kept": kept}
    assert seen[0] == '{"family":"Roe","vector":null,"kept":null}'


def named(text):
    return text.replace("Jane", "[A]").replace("Okonkwo", "[B]").replace("5368145", "[C]")


NAMES = [
    ("a tool's name", "get_weather", "get_weather"),
    ("a person's", "Okonkwo", "[B]"),
    ("a person's in one word", "JaneOkonkwo", "[A]_[B]"),
    ("a person's among others", "send-to_Okonkwo2", "send_to_[B]"),
    ("a number", "find_5368145", "find_[C]"),
]


@pytest.mark.parametrize(("sentence", "name", "expected"), NAMES, ids=[case[0] for case in NAMES])
def test_the_words_of_a_name_are_looked_at(sentence, name, expected):
    words = re.compile(r"\b(?:Jane|Okonkwo)\b|5368145")
    seen = rewrite({"name": name, "id": name}, ANSWER, lambda text: words.sub(lambda found: named(found[0]), text))
    assert seen["name"] == expected
    assert seen["id"] == (name if "5368145" not in name else "find_5368145")


def telling(text):
    """Hides a short number only where its label stands before it."""
    return re.sub(r'(?<=mrn: )([\["]*)[0-9]+', r"\1#", text)


BRACKETS = [
    ("a value in brackets", "[77310]", "[#]"),
    ("one with blanks before it", " [77310]", " [77310]"),
    ("one that is no JSON", "[77310", "[#"),
    ("a list", '["77310"]', '["#"]'),
]


@pytest.mark.parametrize(("sentence", "text", "expected"), BRACKETS, ids=[case[0] for case in BRACKETS])
def test_a_bracket_does_not_part_a_text_from_its_key(sentence, text, expected):
    assert labelled("mrn", text, telling) == expected


def test_a_string_that_holds_json_is_read_together_with_its_key():
    got = rewrite({"arguments": {"mrn": "[77310]", "note": "[77310]", "other": {"mrn": "[77310"}}}, ANSWER, telling)
    assert got["arguments"] == {"mrn": '["#"]', "note": "[77310]", "other": {"mrn": "[#"}}


@pytest.mark.parametrize(
    ("value", "expected"), [("a", True), ("b", False), ("", False), (None, False), ([], False), ({}, False), (7, False)]
)
def test_what_is_no_text_is_none_of_some_words(value, expected):
    assert one_of(value, {"a"}) is expected
    assert one_of(value, frozenset({"a"})) is expected


@pytest.mark.parametrize(
    ("sentence", "tree"),
    [
        ("a key and its value", [{"key": "mrn", "value": "77310042"}]),
        ("pairs", [["mrn", "77310042"], ["pulse", "72"]]),
        ("columns and rows", {"columns": ["mrn", "pulse"], "rows": [[77310042, 72]]}),
        ("one row", {"columns": ["mrn", "pulse"], "values": ["77310042", 72]}),
        ("a flat list", ["mrn", 77310042]),
    ],
)
def test_a_value_is_read_together_with_what_others_call_it(sentence, tree):
    def hide(text):
        return text.replace("mrn: 77310042", "mrn: [MRN]")

    assert json.dumps(values(tree, hide)) == json.dumps(tree).replace('"77310042"', '"[MRN]"').replace(
        "77310042", '"[MRN]"'
    )
