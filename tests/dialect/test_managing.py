"""Forms of members: what each lets through and what not; answers that say little."""

import re

import pytest

from phigate.dialect import managing
from phigate.dialect.managing import ANSWERS, ITEMS, NONE, READS, Listed, fault_of

FORMS = [
    ("a yes or no", managing.flag, [True, False], [1, "true", None]),
    ("a count", managing.count, [0, 7], [-1, True, 1.5, "7", 2**32]),
    ("a number", managing.number, [0, -1.5], [True, "1"]),
    ("a text", managing.text, ["", "a\nb"], [7, None, ["a"], "a" * 65_537]),
    ("a word", managing.word, ["a b", "/models/x"], ["", "a\nb", "\u202ea", 7, "a" * 65_537]),
    ("a file", managing.file, ["a.bin", "Q4_K-M.gguf"], ["", "../a", "a/b", ".a", "a" * 101, 7]),
    ("nothing", managing.nothing, [""], [" ", None, 0]),
    ("any scalar", managing.scalar, [True, 1.5, "a"], [None, [], {}]),
    ("one of some", managing.one_of("a", "b"), ["a"], ["c", ["a"], 7, "ab"]),
    ("one of a form", managing.formed(re.compile("a+")), ["aa"], ["ab", 7]),
    ("a list", managing.listed(managing.flag), [[], [True]], [True, [1], {"a": True}]),
    ("either", managing.either(managing.flag, managing.count), [True, 1], ["a"]),
    ("a map", managing.mapped(managing.file, managing.flag), [{}, {"a": True}], [{"../a": True}, {"a": 1}, []]),
    ("members", managing.member(a=managing.flag), [{}, {"a": True}], [{"b": True}, {"a": 1}, [], None]),
]


@pytest.mark.parametrize(("sentence", "form", "good", "bad"), FORMS, ids=[case[0] for case in FORMS])
def test_a_form_answers_for_each_value(sentence, form, good, bad):
    assert [form(value) for value in good] == [True] * len(good)
    assert [form(value) for value in bad] == [False] * len(bad)


def test_a_member_that_no_table_has_is_told_apart_from_a_value_of_another_form():
    assert fault_of({}, NONE) is None
    assert fault_of({"a": 1}, NONE) == "member-unknown"
    assert fault_of({"a": 1}, {"a": managing.flag}) == "malformed"
    assert fault_of({"a": True}, {"a": managing.flag, "b": managing.flag}) is None


@pytest.mark.parametrize(
    ("media", "content", "expected"),
    [
        ("application/json", b"null", b"{}"),
        ("application/json", b"", b""),
        ("application/json", b'{"success":true}', b'{"success":true}'),
        ("", b"", b""),
        ("", b"Cache flushed.\n", b"Cache flushed.\n"),
        ("text/plain", b"Success.", b"Success."),
    ],
)
def test_an_answer_says_as_little_as_it_did(media, content, expected):
    assert ANSWERS[media].write(ANSWERS[media].read(content, {}))[0] == expected


def test_an_answer_that_is_no_json_is_not_read():
    with pytest.raises(ValueError, match="unexpected"):
        ANSWERS["application/json"].read(b"Cache flushed.", {})


def test_a_body_may_be_left_out():
    assert READS[""].read(b"", {}) == {}


def test_a_list_is_an_object_within():
    assert Listed().read(b"[1]", {}) == {ITEMS: [1]}
    assert Listed().write({ITEMS: [1]}) == (b"[1]", [(b"content-type", b"application/json")])


@pytest.mark.parametrize(("content", "expected"), [(b'[{"id":0}]', False), (b'[{"id":0,"id":1}]', True)])
def test_a_list_that_says_one_name_twice_is_found_out(content, expected):
    assert Listed().doubles(content, Listed().read(content, {})) is expected
