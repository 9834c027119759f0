"""Bodies become trees and bodies again, or are told to be unreadable."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect import codecs
from phigate.dialect.codecs import BARE, JSON, LOOSE, NOTHING, TEXT, media_of


def test_json_is_read_and_written():
    tree = JSON.read(b'{"a": "\xc3\xa9", "a": 1}', {})
    assert JSON.write(tree) == (b'{"a":1}', [(b"content-type", b"application/json")])


def test_text_is_read_and_written():
    assert TEXT.write(TEXT.read("é\n".encode(), {}))[0] == "é\n".encode()


def test_nothing_is_read_and_written():
    assert NOTHING.write(NOTHING.read(b"", {})) == (b"", [])


@pytest.mark.parametrize(
    ("codec", "content"), [(JSON, b"{"), (JSON, b'"\xff"'), (JSON, b"NaN"), (TEXT, b"\xff"), (NOTHING, b"ok")]
)
def test_what_cannot_be_read_is_an_error_that_tells_nothing_of_it(codec, content):
    with pytest.raises(ValueError, match=r"\A[ -~]*\Z"):
        codec.read(content, {})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"application/json", ("application/json", "")),
        (b"Text/Plain; Charset=UTF-8", ("text/plain", "utf-8")),
        (b"", ("", "")),
    ],
)
def test_the_media_type_of_a_head(value, expected):
    assert media_of({b"content-type": value}) == expected


@pytest.mark.parametrize(("content", "tree"), [(b"", {}), (b'{"a":1}', {"a": 1})])
def test_nothing_is_an_object_without_members_where_no_media_type_is_said(content, tree):
    assert BARE.read(content, {}) == tree
    assert BARE.write(tree) == (content or b"{}", [(b"content-type", b"application/json")])


@pytest.mark.parametrize(
    ("content", "tree", "media"),
    [(b"[1]", [1], b"application/json"), (b"[sic] a", "[sic] a", b"text/plain; charset=utf-8"), (b"", "", None)],
)
def test_json_or_text_where_no_media_type_is_said(content, tree, media):
    assert LOOSE.read(content, {}) == tree
    body, head = LOOSE.write(tree)
    assert body == content
    assert media in {None, head[0][1]}


@pytest.mark.parametrize(
    ("sentence", "content", "expected"),
    [
        ("no member", b"[]", False),
        ("members in members", b'{"a":{"a":1},"b":[{"a":1},{"a":2}]}', False),
        ("colons and quotes in texts", b'{"a:b":"\\":\\\\","c":":"}', False),
        ("two members", b'{"a":1,"a":1}', True),
        ("two members of an object in lists", b'[[[{"a":1,"b":2,"a":3}]]]', True),
        ("one that is escaped", b'{"\\u0061":1,"a":2}', True),
        ("one whose value is escaped", b'{"a":"\\u003a","a":"\\u003a"}', True),
        ("two of no name", b'{"":1,"":2}', True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_two_members_of_one_name_are_noticed(sentence, content, expected):
    assert codecs.repeats(content, orjson.loads(content)) is expected


@pytest.mark.parametrize(
    ("sentence", "content", "expected"),
    [
        ("as many as are read", b'{"a":["b","c",1,2,3]}', False),
        ("one text more", b'{"a":["b","c","d"]}', True),
        ("lists and nothing in them", b"[[],[],[],[],[]]", True),
        ("quotes and backslashes in one text", rb'["\"\"\"\"\"\"\"\"\\\"\\"]', False),
        ("numbers", b"[1,2,3,4,5,6,7,8,9]", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_more_values_than_are_read_are_noticed(monkeypatch, sentence, content, expected):
    monkeypatch.setattr(codecs, "MOST_VALUES", 5)
    orjson.loads(content)
    assert codecs.crowded(content) is expected


JSON_TREES = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON_TREES, st.booleans())
def test_no_tree_that_was_written_has_two(tree, ascii_only):
    content = json.dumps(tree, ensure_ascii=ascii_only).encode()
    assert not codecs.repeats(content, orjson.loads(content))
