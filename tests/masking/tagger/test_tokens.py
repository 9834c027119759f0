from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.masking.tagger.tokens import LONGEST, cut, split

TEXTS = st.text(alphabet="aBé'’.,- \n\t9\u00a0stdr", max_size=120) | st.text(max_size=60)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Dr. O'Brien's  son", ["Dr.", " O'Brien's", "  son"]),
        ("J.R. Stone, M.D.", ["J.", "R.", " Stone", ",", " M.", "D."]),
        ("12 Main St. Best.", ["12", " Main", " St.", " Best", "."]),
        ("55-year-old", ["55", "-", "year", "-", "old"]),
        ("3rd\nfloor", ["3", "rd", "\n", "floor"]),
        ("Zoë’s", ["Zoë’s"]),
        ("   ", ["   "]),
        ("", []),
    ],
)
def test_words_numbers_and_signs_with_the_blanks_before_them(text, tokens):
    assert split(text) == tokens


@given(TEXTS)
def test_tokens_joined_are_the_text(text):
    assert "".join(split(text)) == text


@given(TEXTS, st.data())
def test_a_growing_text_is_cut_as_the_whole_one(text, data):
    at, rest, tokens = 0, "", []
    while at < len(text):
        size = data.draw(st.integers(1, 20))
        decided, rest = cut(rest + text[at : at + size])
        tokens += decided
        at += size
    assert tokens + split(rest) == split(text)


@pytest.mark.parametrize("character", ["a", "9", " ", "'"])
def test_what_is_left_undecided_is_bounded(character):
    assert len(cut(character * 10_000)[1]) <= 3 * LONGEST + 10
