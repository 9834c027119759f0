"""Compressed bodies come out plain at any chunking, and what is not whole, or more, or too much is an error."""

import gzip
import os

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect import encodings
from phigate.dialect.encodings import EncodingError, decoded, decoder, known

TEXT = b'{"choices":[{"message":{"content":"Saw her on the ward."}}]}' * 20
ENCODED = {
    "": TEXT,
    "identity": TEXT,
    "gzip": gzip.compress(TEXT),
    "br": brotli.compress(TEXT),
    "zstd": zstandard.compress(TEXT),
}
PACKED = ["gzip", "br", "zstd"]


@pytest.mark.parametrize("encoding", ENCODED)
@given(places=st.lists(st.integers(0, 2000), max_size=6))
def test_any_chunking_comes_out_plain(encoding, places):
    data, reading = ENCODED[encoding], decoder(encoding)
    cuts = sorted(min(place, len(data)) for place in places)
    plain = b"".join(reading.feed(data[a:b]) for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))
    reading.close()
    assert plain == TEXT


@pytest.mark.parametrize("encoding", PACKED)
def test_what_is_cut_off_is_an_error(encoding):
    with pytest.raises(EncodingError):
        decoded(encoding, ENCODED[encoding][:-3])


@pytest.mark.parametrize("encoding", PACKED)
def test_what_follows_the_end_is_an_error(encoding):
    with pytest.raises(EncodingError):
        decoded(encoding, ENCODED[encoding] * 2)


@pytest.mark.parametrize("encoding", PACKED)
def test_what_is_something_else_is_an_error(encoding):
    with pytest.raises(EncodingError):
        decoded(encoding, os.urandom(400))


@pytest.mark.parametrize("encoding", PACKED)
def test_what_grows_too_large_is_an_error(encoding, monkeypatch):
    monkeypatch.setattr(encodings, "MOST", 1000)
    with pytest.raises(EncodingError):
        decoded(encoding, ENCODED[encoding])


@pytest.mark.parametrize(("encoding", "expected"), [("GZIP ", True), ("gzip, br", False), ("deflate", False)])
def test_which_encodings_are_known(encoding, expected):
    assert known(encoding) is expected
    if not expected:
        with pytest.raises(EncodingError):
            decoder(encoding)
