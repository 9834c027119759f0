"""Sources that listen to an operator give the same at any chunking."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.masking import Detector, Detectors
from phigate.masking.guards import Allowing, Context, Guarded, InContext, phrases
from phigate.masking.search import Patterns

CODE = Detector("code", "UNIQUE_ID", r"\b(?P<id>[A-D]\d{3})\b", 0.9)
NAME = Detector("capital", "PERSON", r"\b(?P<id>[A-Z][a-z]{2,9}(?: [A-Z][a-z]{2,9}){0,2})\b", 0.4)


def hits(source, *chunks):
    reader = source.reader()
    found = []
    for chunk in chunks:
        before = reader.settled
        found += reader.feed(chunk)
        assert reader.settled >= before
        assert all(hit.begin < reader.settled for hit in found)
    return found + reader.close()


def values(source, text):
    return [(text[hit.begin : hit.end], hit.score) for hit in hits(source, text)]


BED = Context(("bed", "room no."), within=12, score=0.8)
CONTEXTS = [
    ("a word before it", "bed A123", True),
    ("any case", "BED: A123", True),
    ("several words", "Room  no. A123", True),
    ("as far as it may be", "bed 23456789 A123", False),
    ("the word begins within", "bed 2345678 A123", True),
    ("part of a word is none", "embed A123", False),
    ("nor is the beginning of one", "beds A123", False),
    ("nor what is glued to it", "bedA123", False),
    ("after it counts not", "A123 bed", False),
    ("beyond ASCII", "Ébed A123", False),
]


@pytest.mark.parametrize(("sentence", "text", "expected"), CONTEXTS, ids=[case[0] for case in CONTEXTS])
def test_context(sentence, text, expected):
    assert BED.before(text, text.index("A123")) is expected


def test_a_guarded_detector_is_as_sure_as_its_context():
    text = "bed A123 and, far from any such word, B222"
    assert values(InContext(Guarded(CODE, BED)), text) == [("A123", 0.8)]
    assert values(InContext(Guarded(CODE, BED, alone=0.4)), text) == [("A123", 0.8), ("B222", 0.4)]


ALLOWED = Patterns((phrases("allow", "OTHER", ["Example Hospital", "St. Elsewhere"], "(?:the )?"),))


def allowing(*, thresholds=None, allowed=ALLOWED, inner=NAME):
    return Allowing(Patterns((inner,)), thresholds or {}, allowed)


def test_what_lies_in_an_allowed_phrase_is_no_finding():
    text = "at EXAMPLE Hospital, Example  Hospital, The Example Hospital and Example Hospital Wing, by Example"
    assert [value for value, _ in values(allowing(), text)] == ["Example Hospital Wing", "Example"]


def test_a_deny_list_is_stronger():
    denied = phrases("deny-person", "PERSON", ["Hospital"])
    assert values(allowing(inner=denied), "Example Hospital") == [("Hospital", 1.0)]


def test_thresholds_are_by_entity_and_for_the_rest():
    for thresholds, expected in (
        ({"PERSON": 0.5}, []),
        ({"PERSON": 0.4}, ["Otto"]),
        ({"OTHER": 0.5}, []),
        ({}, ["Otto"]),
    ):
        assert [value for value, _ in values(allowing(thresholds=thresholds, allowed=None), "Otto")] == expected


PHRASES = [
    ("in any case", "mai linh", True),
    ("over a line's end", "Mai\nLinh", True),
    ("with two blanks", "Mai  Linh", True),
    ("not as a part", "Mai Linhs", False),
    ("with what is no letter", "see st. x, ok", True),
    ("which need not end a word", "(St. X)", True),
    ("beyond ASCII", "Đặng", True),
    ("with a special sign", "a+b", True),
]


@pytest.mark.parametrize(("sentence", "text", "expected"), PHRASES, ids=[case[0] for case in PHRASES])
def test_phrases_are_found(sentence, text, expected):
    row = phrases("deny-person", "PERSON", ["Mai Linh", "St. X", "Đặng", "a+b"])
    assert bool(Detectors((row,)).find(text)) is expected


def test_what_is_left_out_is_explained():
    guarded = InContext(Guarded(CODE, BED))
    sources = [
        Allowing(guarded, {}),
        allowing(),
        allowing(thresholds={"PERSON": 0.5}, allowed=None),
    ]
    text = "Example Hospital, A123"
    said = [(text[each.start : each.end], each.verdict) for each in Detectors((), sources).explain(text)]
    assert said == [
        ("Example Hospital", "allowed"),
        ("Example Hospital", "below its threshold"),
        ("A123", "without its context"),
    ]
    assert Detectors((), [guarded]).explain(text)[0].verdict == "without its context"


SOURCES = [
    InContext(Guarded(CODE, BED)),
    InContext(Guarded(CODE, BED, alone=0.3)),
    allowing(),
    allowing(thresholds={"PERSON": 0.4}),
]
WORDS = st.sampled_from(
    ["bed ", "room no. ", "A123", "B222 ", "Example ", "Hospital", " the ", "Otto ", "é", ", ", "x" * 30]
)


@given(st.lists(WORDS, max_size=14), st.lists(st.integers(0, 120), max_size=6), st.sampled_from(SOURCES))
def test_the_hits_are_the_same_at_every_chunking(words, cuts, source):
    text = "".join(words)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    chunks = [text[start:end] for start, end in itertools.pairwise(places)]
    assert hits(source, *chunks) == hits(source, text) == hits(source, *text)


def test_no_more_text_is_kept_than_context_needs():
    reader = InContext(Guarded(CODE, BED)).reader()
    for _ in range(200):
        reader.feed("nothing to see here. ")
    assert len(reader._text) < 200
