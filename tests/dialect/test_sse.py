"""Events come out whole at any chunking, in any line ending, and only readable ones come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect import sse
from phigate.dialect.sse import Event, EventError, EventReader

CASES = [
    ("line feeds", b"data: a\n\ndata: b\n\n", ["a", "b"]),
    ("carriage return and line feed", b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
    ("carriage returns alone", b"data: a\r\rdata: b\r\r", ["a", "b"]),
    ("no space after the colon", b"data:a\n\n", ["a"]),
    ("only one space is the field's", b"data:  a\n\n", [" a"]),
    ("repeated data lines are joined", b"data: a\ndata: b\n\n", ["a\nb"]),
    ("comments are no data", b": ping\n\ndata: a\n\n", ["a"]),
    ("ids and retries are left out", b"id: 7\nretry: 10\ndata: a\n\n", ["a"]),
    ("a last event without its blank line is read", b"data: a\n\ndata: b", ["a", "b"]),
    ("more than ASCII", "data: Łukasz 病\n\n".encode(), ["Łukasz 病"]),
    ("blank lines alone say nothing", b"\n\n\n", []),
]


def _read(reader: EventReader, pieces: list[bytes]) -> list[str]:
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.close()
    return [event.data for event in events if event.data is not None]


@pytest.mark.parametrize(("sentence", "raw", "expected"), CASES, ids=[case[0] for case in CASES])
def test_events_of_a_whole_stream(sentence, raw, expected):
    assert _read(EventReader(), [raw]) == expected


@pytest.mark.parametrize(("sentence", "raw", "expected"), CASES, ids=[case[0] for case in CASES])
def test_events_of_single_bytes(sentence, raw, expected):
    assert _read(EventReader(), [raw[i : i + 1] for i in range(len(raw))]) == expected


@given(st.lists(st.text(max_size=20), max_size=5), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_chunking_changes_nothing(texts, newline, data):
    texts = [text.replace("\r", "").replace("\n", "") for text in texts]
    raw = "".join(f"data: {text}{newline}{newline}" for text in texts).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert _read(EventReader(), pieces) == texts


def test_a_keep_alive_is_told_apart_from_text():
    assert EventReader().feed(b": any words\n") == [Event(None)]


@pytest.mark.parametrize(
    "raw", [b"data: \xff\xfe\n\n", b"data: " + b"a" * (sse.MAX_EVENT + 1), b"data: aaaa\n" * (sse.MAX_EVENT // 8)]
)
def test_what_is_no_event_stream_is_an_error(raw):
    with pytest.raises(EventError) as error:
        EventReader().feed(raw)
    assert "a" * 4 not in str(error.value)


def test_written_events_are_read_back():
    assert _read(EventReader(), [sse.write(b'{"a":1}'), sse.KEEP_ALIVE]) == ['{"a":1}']


def test_a_line_that_comes_in_small_pieces_is_looked_at_once():
    """Ten seconds and more if each piece made the reader begin anew."""
    reader, line = EventReader(), b"data: " + b"a" * 500_000
    assert not any(reader.feed(line[at : at + 16]) for at in range(0, len(line), 16))
    assert reader.feed(b"\r") == []
    assert reader.feed(b"\n\n") == [Event(line[6:].decode())]


def test_the_pieces_of_a_line_are_bounded_together():
    reader = EventReader()
    with pytest.raises(EventError):
        [reader.feed(b"a" * 64 * 1024) for _ in range(sse.MAX_EVENT // (64 * 1024) + 1)]
