"""Text that comes in chunks of bytes is told in pieces of whole signs."""

import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect.chunks import ChunkReader, write
from phigate.dialect.sse import EventError


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"))), st.lists(st.integers(0, 100)))
def test_any_split_comes_together_to_the_text(text, places):
    data, reader = text.encode(), ChunkReader()
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    events = [each for start, end in itertools.pairwise(marks) for each in reader.feed(data[start:end])]
    assert b"".join(write(str(each.data).encode()) for each in [*events, *reader.close()]) == data


@pytest.mark.parametrize("data", [b"\xff", b"a\xc3\x28", "Jane".encode("utf-16-le")])
def test_what_is_no_text_is_an_error(data):
    with pytest.raises(EventError, match=r"\Ano"):
        ChunkReader().feed(data)


def test_half_a_sign_at_the_end_is_an_error():
    reader = ChunkReader()
    assert reader.feed(b"\xc3") == []
    with pytest.raises(EventError, match="UTF-8"):
        reader.close()


@pytest.mark.parametrize("tree", [{}, {"error": "a"}, {"text": "a", "more": 1}])
def test_an_event_that_carries_more_than_a_piece_is_not_written(tree):
    with pytest.raises(EventError):
        write(orjson.dumps(tree))
