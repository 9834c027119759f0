"""Texts of which nothing goes out before they are whole, and texts that are told anew and longer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect.channels import ChunkError, Growing, JoinedJson, Labelled
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
