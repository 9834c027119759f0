"""How odd writing is read, and the way back to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking import Detectors
from phigate.masking.writing import NEAR, Writing, plain, read_as

LONG = "The patient was seen in the clinic today for a visit, and then"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Ada Brandt & son", "Ada Brandt & son"),
        ("A\u200bd\u200ba", "Ada"),
        ("A\x00d\x1f\x7fa\x85", "Ada"),
        ("\u202eAda\u202c \ufeffB", "Ada B"),
        ("Andre\u0301", "Andre"),
        ("André", "André"),
        ("555\u20110147", "555-0147"),
        ("555\u20130147", "555-0147"),
        ("a\u2014b", "a\u2014b"),
        ("５５５－０１４７", "555-0147"),
        ("ＡＤＡ", "ADA"),
        ("٣١٤", "314"),
        ("𝐀𝐝𝐚", "Ada"),
        ("①②③", "123"),
        ("МRN", "MRN"),
        ("Αda", "Ada"),
        ("O’Dell", "O'Dell"),
        ("ﬁle", "file"),
        ("a\u00a0b\u2009c", "a b c"),
        ("&#65;da&nbsp;&amp;&#x42;", "Ada &B"),
        ("&nosuch; &#0; AT&T;", "&nosuch; &#0; AT&T;"),
        ("\\nMRN\\t7", "\nMRN\t7"),
        ("\\u0041da", "Ada"),
        ("\\x41da \\x9f", "Ada \\x9f"),
        ("&#00000000065;da&#x0000042;", "AdaB"),
        ("\\udead", "\\udead"),
        ("\x1b[1mMRN\x1b[0m: \x1b[38;5;196m7\x1b[0m", "MRN: 7"),
        ("\\u001b[31m7\\033[0m \\e[1m7 \\x1B[0m", "7 7 "),
        ("7\x1b[", "7\x1b["),
        ("\x1b7\x1b", "7"),
        ("536\\-22\\-8145 MRN\\: 7", "536-22-8145 MRN: 7"),
        ("\u2474\u278b\u2778", "123"),
        ("MRN:\u20287\u2029\u28008", "MRN: 7  8"),
        ("<b>MRN:</b> <Code >7</code>", "MRN: 7"),
        ("<td>MRN</td><td>7</td><br/>", " MRN  7  "),
        ("7<b>3</b>1", "731"),
        ("<ada> a < b <td class='x'> <b", "<ada> a < b <td class='x'> <b"),
        ("219-09-\n9999", "219-09-9999"),
        ("219-09\n  -9999", "219-09-9999"),
        ("Na 138\nK 4", "Na 138\nK 4"),
        ("Name: Ada\nBrandt", "Name: Ada\nBrandt"),
        (f"{LONG}\nagain", f"{LONG} again"),
        (f"{LONG[:30]}\nagain on May\n5", f"{LONG[:30]} again on May\n5"),
        (f"{LONG[:30]}\nAgain", f"{LONG[:30]}\nAgain"),
        (f"{LONG}\r\n  (again)", f"{LONG} (again)"),
        (f"{LONG}.\nAgain", f"{LONG}.\nAgain"),
        (f"{LONG}\n\nagain", f"{LONG}\n\nagain"),
    ],
)
def test_odd_writing_is_read_plainly(text: str, read: str) -> None:
    assert read_as(text) == read


def test_a_line_that_came_in_pieces_is_as_long_as_it_is() -> None:
    whole, cut = f"{LONG}\nAda", Writing()
    assert "".join(map(cut.feed, whole)) + cut.close() == read_as(whole) == f"{LONG} Ada"


PARTS = st.sampled_from(
    [
        *(
            "Ada",
            "7",
            "-",
            "\n",
            "\r\n",
            "  ",
            "&",
            "&#6",
            "5;",
            "&amp;",
            "\\",
            "\\u00",
            "41",
            "\\n",
            "\u200b",
            "e\u0301",
            "<b>",
            "</td><td>",
            "<str",
            "ong",
            " />",
            "<",
        ),
        *("\x1b", "[3", "1m", "\\033", "\\-", "\x1b[0m", "\u2028"),
        *("\ufb01", "\u2011", "\U0001f600", "\ud83d", "x" * 60, LONG, ",", "(", "&#", "х", "٣", "\t"),
    ]
)
TEXT = st.one_of(st.lists(PARTS, max_size=12).map("".join), st.text(max_size=20))


@settings(max_examples=400, deadline=None)
@given(TEXT, st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_what_is_read_and_the_way_back_do_not_depend_on_the_chunking(text: str, sizes: list[int]) -> None:
    whole, cut = Writing(), Writing()
    expected = whole.feed(text) + whole.close()
    read, at, turn = "", 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        read += cut.feed(text[at : at + size])
        at, turn = at + size, turn + 1
        assert cut._raw >= at - NEAR
    read += cut.close()
    assert read == expected
    places = range(len(read) + 1)
    assert [cut.place(at) for at in places] == [whole.place(at) for at in places]
    assert [cut.after(at) for at in places[1:]] == [whole.after(at) for at in places[1:]]


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_places_rise_and_end_with_the_text(text: str) -> None:
    writing = Writing()
    read = writing.feed(text) + writing.close()
    places = [writing.place(at) for at in range(len(read) + 1)]
    assert places == sorted(places)
    assert writing.after(len(read)) <= places[-1] == len(text) if read else True
    assert all(
        writing.place(at) < writing.after(at + 1) for at in range(len(read)) if text.isascii() and "&" not in text
    )


@given(TEXT)
def test_what_was_forgotten_changes_nothing_behind_it(text: str) -> None:
    one, other = Writing(), Writing()
    read = one.feed(text) + one.close()
    other.feed(text)
    other.close()
    half = len(read) // 2
    other.forget(half)
    assert [one.place(at) for at in range(half, len(read))] == [other.place(at) for at in range(half, len(read))]


@pytest.mark.parametrize("character", ["a", "-", "é", "王", "\n"])
def test_plain_characters_stay(character: str) -> None:
    assert plain(character) == character


@pytest.mark.parametrize(
    "text",
    [
        "SSN 2\u200b19-\u200b09-9\u200b999 x",
        "SSN 219\u201109\u20119999 x",
        "SSN ２１９-０９-９９９９ x",
        "SSN 219&#45;09&#45;9999 x",
        "SSN 219-09-\n9999 x",
        "SSN 2\u200b1\u200b9\u200b-\u200b0\u200b9\u200b-\n9999 x",
        "\u0405\u0405N 219-09-9999 x",
    ],
)
def test_an_identifier_written_oddly_is_masked_as_it_was_written(text: str) -> None:
    (found,) = Detectors().find(text)
    assert found.entity == "US_SSN"
    assert (text[: found.start], text[found.end :]) == (text.partition(" ")[0] + " ", " x")
