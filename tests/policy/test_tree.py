from __future__ import annotations

import pytest

from phigate.policy.tree import MAX_BYTES, MAX_DEPTH, read


def test_every_plain_word_is_the_text_that_was_written() -> None:
    words = "[yes, No, null, ~, 0777, 1_000, 1e3, 12:30, 2026-01-01, .inf, 1]"
    assert read(words.encode()).value == words[1:-1].split(", ")


def test_lines_are_those_of_the_keys_and_of_the_items() -> None:
    tree = read(b"a:\n  b:\n    - x\n    - y\nc: 1\n")
    assert {path: tree.line(path) for path in [("a",), ("a", "b"), ("a", "b", 1), ("c",)]} == {
        ("a",): 1,
        ("a", "b"): 2,
        ("a", "b", 1): 4,
        ("c",): 5,
    }


def test_the_line_of_what_is_not_there_is_that_of_the_place_above() -> None:
    assert read(b"x: 1\na:\n  b: 1\n").line(("a", "missing", 7)) == 2


def test_the_first_of_two_keys_stands_and_the_second_is_a_fault() -> None:
    tree = read(b"a: 1\nb: 2\na: {a: 3}\n")
    assert tree.value == {"a": "1", "b": "2"}
    assert tree.faults == ((3, ("a",), "stands twice, first on line 1"),)


def test_an_alias_is_never_followed() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{key}: &{key} [*a, *a]\n" for key in "bcdef")
    tree = read(bomb.encode())
    assert tree.value["f"] == ["", ""]
    assert ("f", 0) in tree.unreadable


def test_what_stands_under_a_key_that_is_none_is_read_past() -> None:
    tree = read(b"? {a: [b, {c: d}]}\n: {e: [f]}\ng: h\n")
    assert tree.value == {"g": "h"}
    assert [fault.text for fault in tree.faults] == ["a key must be plain text"]


def test_an_empty_file_is_an_empty_text() -> None:
    assert read(b"").value == read(b"# nothing\n").value == ""


def test_the_largest_and_the_deepest_file_are_read() -> None:
    assert read(b"a: 1 #" + b"x" * (MAX_BYTES - 6)).value == {"a": "1"}
    assert read(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH).faults == ()
    assert read(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)).value is None


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"\x80", b'"\\ud800"', b'"\\0"', b"%YAML 9.9\n---\na", b"*x", b"!!binary x", b"? ? ?", b"[", b"}"],
)
def test_nothing_a_file_holds_is_an_exception(data: bytes) -> None:
    assert read(data).faults
