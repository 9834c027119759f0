"""Texts of which nothing goes out before they are whole, and texts that are told anew and longer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect.channels import MOST_HELD, ChunkError, Either, Growing, JoinedJson, Labelled
from tests.dialect.test_events import Upper


def twice(make):
    return make(str.upper)


@given(st.data())
def test_json_is_rendered_whole_wherever_it_was_cut(data):
    text = json.dumps({"to": 'ja\u00e9n "x"', "n": [1, "\U0001f600"]})
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    channel = JoinedJson(twice)
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        assert channel.feed(text[start:end]) == ""
    assert json.loads(channel.close()) == {"TO": 'JA\u00c9N "X"', "N": [1, "\U0001f600"]}


def test_a_text_is_read_together_with_its_key():
    channel = Labelled(lambda make: make(lambda text: text.replace("mrn: 7731", "mrn: [MRN]")), "mrn")
    assert channel.feed("77") + channel.feed("31") == ""
    assert channel.close() == "[MRN]"


def test_what_was_given_of_a_growing_text_stays_as_it_was():
    channel = Growing(Upper())
    given_ = [channel.feed(text) for text in ("on", "one t", "one two", "one two three")]
    assert given_ == ["", "ONE ", "ONE ", "ONE TWO "]
    assert channel.close() == "ONE TWO THREE"


def test_a_growing_text_that_changes_what_it_said_is_an_error():
    channel = Growing(Upper())
    channel.feed("one")
    with pytest.raises(ChunkError):
        channel.feed("two")


# -- pieces or growing ----------------------------------------------------------------------------------------------


def told(texts):
    """What each event of a text gives, and its end."""
    channel = Either(Upper())
    return [channel.feed(text) for text in texts], channel.close()


@given(st.lists(st.sampled_from(["a", " ", "ha", "a b", "\ufffd", "\n"]), max_size=12))
def test_pieces_are_given_whole_in_their_order(pieces):
    events, rest = told([*pieces, "!", "?"])
    assert "".join(events) + rest == ("".join(pieces) + "!?").upper()


@given(st.text("ab \u00e9", min_size=3), st.lists(st.integers(3, 40), max_size=8))
def test_what_grows_ends_as_the_whole(text, cuts):
    events, rest = told([text[:cut] for cut in (1, 2, 3, *sorted(cuts), len(text))])
    assert rest == text.upper()
    assert all(rest.startswith(given_) for given_ in events)


@pytest.mark.parametrize(
    ("sentence", "texts", "whole"),
    [
        ("one", ["one"], "ONE"),
        ("two that are the same", ["one", "one"], "ONE"),
        ("one that grew once", ["one", "one two"], "ONE TWO"),
        ("none", [], ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_text_that_ends_undecided_is_told_once(sentence, texts, whole):
    events, rest = told(texts)
    assert "".join(events) == ""
    assert rest == whole


def test_half_a_sign_is_mended_by_the_next_event():
    events, rest = told(["Zo\ufffd", "Zo\u00eb", "Zo\u00eb i", "Zo\u00eb is \ufffd", "Zo\u00eb is h"])
    assert events[-1] == "ZO\u00cb IS "
    assert rest == "ZO\u00cb IS H"


def test_half_a_sign_at_the_end_stays():
    assert told(["a", "ab", "abc", "abcd\ufffd"])[1] == "ABCD\ufffd"


def test_a_text_that_grew_and_changes_is_an_error():
    channel = Either(Upper())
    for text in ("a", "ab", "abc"):
        channel.feed(text)
    assert channel.grows
    with pytest.raises(ChunkError):
        channel.feed("d")


def test_what_stays_undecided_has_a_bound():
    channel = Either(Upper())
    with pytest.raises(ChunkError):
        [channel.feed("a" * 1000) for _ in range(MOST_HELD // 1000 + 1)]


def test_what_stays_undecided_is_not_copied_with_each_piece():
    """Two hundred thousand pieces alike would take minutes if it were."""
    channel, many = Either(Upper()), 200_000
    assert not any(channel.feed("a") for _ in range(many))
    assert channel.feed("b ") == "A" * many + "B "
