"""Lines of JSON come out whole at any chunking."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect import ndjson
from phigate.dialect.sse import MAX_EVENT, EventError


@given(st.lists(st.integers(0, 30), max_size=6))
def test_lines_are_whole_wherever_they_were_cut(places):
    data = '{"a":"é"}\n\n{"b":2}\r\n{"c":3}'.encode()
    cuts = sorted(min(place, len(data)) for place in places)
    reader, found = ndjson.LineReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        found += reader.feed(data[start:end])
    found += reader.close()
    assert [event.data.strip() for event in found] == ['{"a":"é"}', '{"b":2}', '{"c":3}']


@pytest.mark.parametrize("data", [b"\xff\n", b"x" * (MAX_EVENT + 1)], ids=["no UTF-8", "a line without end"])
def test_what_is_no_line_is_an_error(data):
    with pytest.raises(EventError):
        ndjson.LineReader().feed(data)


def test_a_line_is_written():
    assert ndjson.write(b'{"a":1}') == b'{"a":1}\n'


def test_a_line_that_comes_in_small_pieces_is_looked_at_once():
    """Ten seconds and more if each piece made the reader begin anew."""
    reader, line = ndjson.LineReader(), b'"' + b"a" * 500_000 + b'"'
    assert not any(reader.feed(line[at : at + 16]) for at in range(0, len(line), 16))
    assert [event.data for event in reader.feed(b"\n1\n")] == [line.decode(), "1"]


def test_the_pieces_of_a_line_are_bounded_together():
    reader = ndjson.LineReader()
    with pytest.raises(EventError):
        [reader.feed(b"a" * 64 * 1024) for _ in range(MAX_EVENT // (64 * 1024) + 1)]
