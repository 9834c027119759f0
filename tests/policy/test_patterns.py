from __future__ import annotations

import time
import tracemalloc
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.policy import patterns
from phigate.policy.patterns import _MARKS_IN_DISGUISE, BadPatternError, Prompt, compile_pattern, readable


def found(pattern: str, *texts: str) -> bool:
    return Prompt(texts).matches((compile_pattern(pattern),))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?=x)", "invalid perl operator"),
        (r"(a)\1", "invalid escape sequence"),
        ("(", "missing"),
        ("(a{1000}){1000}", "repetition"),
        ("\ud800", "not valid Unicode"),
    ],
    ids=["look-ahead", "back-reference", "open group", "too big", "half a character"],
)
def test_what_re2_cannot_run_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(BadPatternError, match=said):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("ｆｕｌｌ", "full"),
        ("e\u0301", "é"),
        ("so\u00adft", "soft"),
        ("ze\u200bro \u2060width", "zero width"),
        ("va\ufe0friant", "variant"),
        ("ﬁne", "fine"),
        ("half \ud800", "half ?"),
    ],
)
def test_a_text_is_compared_as_people_read_it(text: str, seen: str) -> None:
    assert readable(text).decode() == seen


def test_no_text_is_no_match_and_an_empty_text_is_one() -> None:
    assert not found("")
    assert found("^$", "")


def test_each_text_and_both_joins_are_looked_at() -> None:
    assert found("^b$", "a", "b")
    assert found("a b", "a", "b")
    assert found("ab", "a", "b")
    assert not found("a", "b", "c")


def test_combining_marks_do_not_make_normalisation_quadratic() -> None:
    """Unlimited, this text takes minutes; the bound is far above any machine's noise."""
    started = time.process_time()
    assert found("end$", "a" + "\u0316\u0300" * 100_000 + "\uff9e\u0300" * 100_000 + "end")
    assert time.process_time() - started < 5


# what joins across a place where a text could be cut: letters and marks, syllables, ligatures, marks in disguise
JOINING = "ae\u0301\u0327\u0f71\u0f73\uff9e\uff76\u1100\u1161\u11a8\uac00\ufdfa\ufb01\u09c7\u09be\u0b47 \U0001d15e"


@given(st.text(alphabet=JOINING, max_size=60), st.integers(1, 9))
def test_a_long_text_is_normalised_in_pieces_as_it_is_whole(text: str, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patterns, "_PIECE", size)
        assert "".join(map(patterns._normal, patterns._pieces(text))) == unicodedata.normalize("NFKC", text)


def test_no_piece_of_a_long_text_is_long() -> None:
    """What one call normalises keeps the interpreter: of sixteen megabytes of the longest ligature, a minute."""
    for unit in ("\ufdfa", "\uac00", "\u1100\u1161\u11a8", "a\u0301", "\u4e00"):
        assert max(map(len, patterns._pieces(unit * 20_000))) < 5_000


def test_a_word_after_many_marks_is_still_found() -> None:
    assert found("list all", "x" + "\u0300" * 500 + " list all")


def test_every_mark_in_disguise_is_known() -> None:
    odd = [
        point
        for point in range(0x110000)
        if not 0xD800 <= point < 0xE000
        and not unicodedata.combining(chr(point))
        and all(map(unicodedata.combining, unicodedata.normalize("NFKD", chr(point))))
    ]
    assert odd == list(_MARKS_IN_DISGUISE)
    assert not any(unicodedata.combining(chr(point)) for point in range(0x20000, 0x110000))


APART = st.text(
    st.sampled_from("a e \u0301\u0338\u0344\u1100\u1161\u11a8\uac00\uff9e\u0f75\u200b\ud800\ufdfa\u00b4<="), max_size=40
)


@given(st.lists(APART, max_size=5))
def test_each_form_of_a_prompt_is_what_its_text_is_alone(texts: list[str]) -> None:
    joins = [" ".join(texts), "".join(texts)] if len(texts) > 1 else []
    assert [bytes(form) for form in Prompt(tuple(texts)).forms] == [readable(text) for text in (*texts, *joins)]


def test_an_anchor_holds_at_the_edges_of_each_text() -> None:
    assert found("^cd$", "ab", "cd", "ef")
    assert found("^ab cd ef$", "ab", "cd", "ef")
    assert found("^abcdef$", "ab", "cd", "ef")
    assert not found("^b", "ab", "cd", "ef")
    assert not found("c$", "ab", "cd", "ef")


def test_of_signs_that_become_many_no_more_is_held_than_two_joins() -> None:
    texts = ("a", "\ufdfa" * 50_000)
    size = len(readable(texts[1]))
    tracemalloc.start()
    try:
        assert not Prompt(texts).matches((compile_pattern("never"),))
        assert tracemalloc.get_traced_memory()[1] < 2.8 * size
    finally:
        tracemalloc.stop()
