"""From a case to bytes."""

import gzip
import json
import struct

import pytest

from phigate.conformance import wire
from phigate.conformance.cases import MODEL, PIECE, SO_FAR, WHOLE, Ask, Case, Line


def case(framing, *events, **more):
    return Case("d", "c", Ask("/"), framing, head=events, spoken="caf\u00e9", **more)


FRAMED = [
    ("JSON", case("json", {"a": WHOLE}), '{"a":"caf\u00e9"}'),
    ("JSON in escapes", case("json", {"a": WHOLE}, escaped=True), r'{"a":"caf\u00e9"}'),
    ("events", case("sse", {"a": WHOLE}, "[DONE]"), 'data: {"a":"caf\u00e9"}\n\ndata: [DONE]\n\n'),
    ("events with a type", case("sse-typed", {"type": "t"}), 'event: t\ndata: {"type":"t"}\n\n'),
    ("events without a space", case("sse-tight", {"a": 1}), 'data:{"a":1}\n\n'),
    ("events with CR LF", case("sse-crlf", {"a": 1}), 'data: {"a":1}\r\n\r\n'),
    ("a comment", case("sse", Line(": ", WHOLE)), ": caf\u00e9\n\n"),
    ("lines", case("ndjson", {"a": 1}, {"b": 2}), '{"a":1}\n{"b":2}\n'),
    ("NUL between", case("nul", {"a": 1}), '{"a":1}\0'),
    ("text", case("text", WHOLE), "caf\u00e9"),
]


@pytest.mark.parametrize(("sentence", "given", "expected"), FRAMED, ids=[row[0] for row in FRAMED])
def test_framing(sentence, given, expected):
    assert wire.answer(given).body.decode() == expected
    assert wire.answer(given).headers["content-type"] == wire.TYPES[given.framing]


def test_the_text_is_cut_into_events():
    streamed = Case(
        "d",
        "c",
        Ask("/"),
        "ndjson",
        head=({"m": MODEL},),
        each=({"p": PIECE, "s": SO_FAR},),
        tail=({"w": WHOLE},),
        spoken="abcd",
    )
    found = [json.loads(part) for part in wire.answer(streamed, at=(1, 3), model="x").parts]
    pieces = [{"p": "a", "s": "a"}, {"p": "bc", "s": "abc"}, {"p": "d", "s": "abcd"}]
    assert found == [{"m": "x"}, *pieces, {"w": "abcd"}]


def test_tensors_are_written_behind_the_json():
    answer = wire.answer(
        case("tensors", {"outputs": [{"name": "t", "datatype": "BYTES", "shape": [1], "data": [WHOLE]}]})
    )
    size = int(answer.headers[wire.SIZE_HEADER])
    assert json.loads(answer.body[:size])["outputs"][0]["parameters"] == {"binary_data_size": 9}
    assert answer.body[size:] == struct.pack("<I", 5) + "caf\u00e9".encode()


def test_an_encoded_body_is_one_part():
    (part,) = wire.answer(case("sse", {"a": 1}, {"b": 2}, encoding="gzip")).parts
    assert gzip.decompress(part) == b'data: {"a":1}\n\ndata: {"b":2}\n\n'


def test_pieces_are_the_events_or_the_cuts():
    assert wire.pieces([b"ab", b"", b"cd"], None) == [b"ab", b"cd"]
    assert wire.pieces([b"ab", b"cd"], (1, 3, 9)) == [b"a", b"bc", b"d"]
