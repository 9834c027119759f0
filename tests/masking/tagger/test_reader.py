from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.masking.tagger import tagger

WORDS = st.sampled_from(
    [
        *("the", "of", ",", ".", "\n", ":", "-", "&", "#", "12", "4021", "Dr.", "Mr.", "John", "john", "JOHN", "Smith"),
        *(
            "SMITH's",
            "O'Brien",
            "Zoë",
            "J.",
            "Oak",
            "Street",
            "St.",
            "Apt",
            "Boston, MA",
            "patient",
            "seen by",
            "at",
            "in",
        ),
        *("Mercy Hospital", "hospital", "CLINIC", "denies", "chest pain", "Parkinson's", "Foley", "aspirin", "Xyzzor"),
        *("xyzzor", "may", "May", "Frankfurt am Main"),
    ]
)
TEXTS = st.lists(WORDS, max_size=60).map(" ".join) | st.text(max_size=80)


def hits(text, cuts=()):
    """What is found, fed in pieces; checks that nothing is given before what was settled."""
    reader, found, at, settled = tagger().reader(), [], 0, 0
    for cut in [*sorted(cuts), len(text)]:
        new = reader.feed(text[at:cut])
        assert all(hit.begin >= settled for hit in new)
        assert settled <= reader.settled <= cut
        at, settled = cut, reader.settled
        found += new
    last = reader.close()
    assert all(hit.begin >= settled for hit in last)
    assert reader.settled == len(text)
    return found + last


def found(text):
    return [(text[hit.begin : hit.end], hit.entity) for hit in hits(text) if hit.score >= 0.5]


@settings(max_examples=300)
@given(TEXTS, st.data())
def test_a_stream_gives_what_the_whole_gives(text, data):
    whole = hits(text)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=12))
    assert hits(text, cuts) == whole
    assert hits(text, range(len(text))) == whole


@given(TEXTS)
def test_hits_are_in_order_apart_and_no_blanks_at_their_edges(text):
    end = 0
    for hit in hits(text):
        assert end <= hit.begin < hit.end <= len(text)
        assert not text[hit.begin].isspace()
        assert 0.3 <= hit.score <= 1
        end = hit.end


@pytest.mark.parametrize("word", ["Kowalczyk ", "12 ", "JOHN SMITH, ", "a'", "of the ", "x"])
def test_what_is_undecided_is_bounded(word):
    text = word * 2000
    reader = tagger().reader()
    for at in range(0, len(text), 7):
        reader.feed(text[at : at + 7])
        assert at + 7 - reader.settled <= 190


def test_ordinary_words_are_settled_as_they_come():
    reader = tagger().reader()
    for word in (
        "The",
        "patient",
        "was",
        "given",
        "water",
        "and",
        "then",
        "went",
        "home",
        "after",
        "the",
        "long",
        "visit",
    ):
        reader.feed(word + " ")
    assert reader.settled > 50


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Seen by Dr. Maria Gonzalez.", [("Maria Gonzalez", "PERSON")]),
        (
            "Admitted to Mercy Hospital in Dallas, TX.",
            [("Mercy Hospital in", "ORGANIZATION"), ("Dallas, TX", "LOCATION")],
        ),
        ("Admitted at St. Luke's on Monday.", [("St. Luke's", "ORGANIZATION")]),
        ("Mr. Whitfield's wife, Joan, agrees.", [("Whitfield", "PERSON"), ("Joan", "PERSON")]),
        ("Patient: OKAFOR, CHIDI\nMRN: 12", [("OKAFOR, CHIDI", "PERSON")]),
        ("History of Parkinson's disease; Foley catheter in place.", []),
        ("Start Lasix 40 mg daily and metoprolol.", []),
    ],
)
def test_names_and_places_are_told_by_what_stands_around_them(text, expected):
    assert found(text) == expected
