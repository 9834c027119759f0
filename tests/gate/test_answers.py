"""Which answers of an upstream can be read."""

import pytest

from phigate.gate.answers import plan

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}


@pytest.mark.parametrize(
    ("sentence", "status", "headers", "expected"),
    [
        ("a JSON answer", 200, JSON, "whole"),
        ("a stream", 200, EVENTS, "stream"),
        ("an error of the caller", 422, JSON, "error"),
        ("an error of the server", 500, {}, "error"),
        ("no type", 200, {}, None),
        ("text", 200, {"content-type": "text/plain"}, None),
        ("compressed JSON", 200, JSON | {"content-encoding": "gzip"}, "whole"),
        ("a compressed error", 500, JSON | {"content-encoding": "br"}, "error"),
        ("JSON compressed twice", 200, JSON | {"content-encoding": "gzip, br"}, None),
        ("an encoding that nobody knows", 200, JSON | {"content-encoding": "lz4"}, None),
        ("chunks", 200, JSON | {"transfer-encoding": "Chunked"}, "whole"),
        ("compressed chunks", 200, JSON | {"transfer-encoding": "gzip, chunked"}, None),
        ("an error without a length", 500, JSON | {"transfer-encoding": "identity"}, None),
        ("created", 201, JSON, None),
        ("a part", 206, JSON, None),
        ("not modified", 304, {}, None),
        ("a redirect", 302, JSON, None),
        ("early hints", 103, {}, None),
        ("a switch of protocols", 101, {"upgrade": "websocket"}, None),
        ("no status at all", 700, JSON, None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_plan(sentence, status, headers, expected):
    assert plan(status, headers, answers={"application/json"}, stream="text/event-stream") == expected


def test_a_route_without_a_stream_has_none():
    assert plan(200, EVENTS, answers={"application/json"}, stream=None) is None


@pytest.mark.parametrize(("status", "expected"), [(202, "whole"), (204, None), (200, "whole"), (404, "error")])
def test_what_a_route_is_done_with_is_whole(status, expected):
    assert plan(status, JSON, answers={"application/json"}, stream=None, done={202}) == expected
