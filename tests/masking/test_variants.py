"""Texts written oddly lead back to the places of the original."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.exchange import Finding
from phigate.masking.variants import CASES, VARIANTS, WRITINGS, write

TEXT = 'Pt "Ida O\'Dell-Marsh", MRN 61-83-49, İstanbul & Straße, a@b.example, seen 2024-03-05 at Cedar Crest.'

WRITTEN = [
    ("lower", "Ida ß", "ida ß"),
    ("upper", "Ida ß", "IDA ß"),
    ("zero-width", "Abcd ef", "Ab\u200bcd ef"),
    ("zero-width", "Abcdef", "Ab\u200bcd\u200cef"),
    ("soft-hyphen", "Abcd", "Abc\u00add"),
    ("nbsp", "a b cd e", "a\u202fb\u202fcd\u00a0e"),
    ("hyphen", "a-b", "a\u2011b"),
    ("curly", "O'D-1", "O\u2019D\u20131"),
    ("fullwidth", "A 1-", "\uff21 \uff11\uff0d"),
    ("fullwidth-digits", "A 1", "A \uff11"),
    ("homoglyph", "ccc", "c\u0441c"),
    ("html", "a& b@cd e", "a&amp; b&#x40;cd&nbsp;e"),
    ("decomposed", "é", "e\u0301"),
]


@pytest.mark.parametrize(("name", "text", "expected"), WRITTEN, ids=[f"{c[0]} {c[1]}" for c in WRITTEN])
def test_a_text_is_written(name, text, expected):
    assert write(text, name).text == expected


def test_lines_are_wrapped_at_their_spaces():
    text = "word " * 40
    written = write(text, "wrapped").text
    assert max(map(len, written.split("\n"))) <= 45
    assert written.split() == text.split()


@pytest.mark.parametrize("name", WRITINGS)
def test_every_place_leads_back(name):
    written = write(TEXT, name)
    assert len(written.starts) == len(TEXT)
    for start, end in ((0, 2), (4, 19), (26, 34), (0, len(TEXT))):
        there = Finding(written.starts[start], (*written.starts, len(written.text))[end], "PERSON", 0.9)
        assert [(each.start, each.end) for each in written.back([there])] == [(start, end)]


def test_what_covers_only_a_filler_covers_nothing():
    written = write("Abcd", "zero-width")
    (found,) = written.back([Finding(2, 3, "PERSON", 0.9)])
    assert found.start == found.end


@given(st.text(max_size=60), st.sampled_from(CASES), st.sampled_from(VARIANTS))
def test_writings_go_one_on_the_other(text, case, variant):
    written = write(text, case, variant)
    assert list(written.starts) == sorted(written.starts)
    assert written.text == write(write(text, case).text, variant).text
    letters = write(text, case).text if variant == "zero-width" else None
    if letters and not any(unicodedata.category(each) == "Cf" for each in text):
        assert "".join(each for each in written.text if unicodedata.category(each) != "Cf") == letters


def test_an_unknown_writing_is_an_error():
    with pytest.raises(KeyError):
        write("a", "mirrored")
