"""Both sides of an upgrade, checked field by field (RFC 6455, 4)."""

import base64

import pytest

from phigate.gate import handshake

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
"""The one of RFC 6455, 1.3."""
ASKED = {
    b"connection": b"keep-alive, Upgrade",
    b"upgrade": b"WebSocket",
    b"sec-websocket-version": b"13",
    b"sec-websocket-key": KEY,
}


def test_a_key_is_answered_as_the_standard_says():
    assert handshake.accept_of(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_an_honest_upgrade_is_one():
    assert handshake.asked_fault(b"HTTP/1.1", ASKED) is None


@pytest.mark.parametrize(
    ("sentence", "version", "changed", "status"),
    [
        ("HTTP/1.0", b"HTTP/1.0", {}, 426),
        ("HTTP/2", b"HTTP/2.0", {}, 426),
        ("no upgrade", b"HTTP/1.1", {b"upgrade": b""}, 426),
        ("two protocols", b"HTTP/1.1", {b"upgrade": b"websocket, h2c"}, 426),
        ("an old version", b"HTTP/1.1", {b"sec-websocket-version": b"8"}, 426),
        ("no connection", b"HTTP/1.1", {b"connection": b"keep-alive"}, 400),
        ("a short key", b"HTTP/1.1", {b"sec-websocket-key": base64.b64encode(b"short")}, 400),
        ("a long key", b"HTTP/1.1", {b"sec-websocket-key": base64.b64encode(b"k" * 17)}, 400),
        ("no key", b"HTTP/1.1", {b"sec-websocket-key": b""}, 400),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_upgrade_is(sentence, version, changed, status):
    found = handshake.asked_fault(version, ASKED | changed)
    assert found is not None
    assert found[0] == status


def test_protocols_are_read_from_all_fields_and_only_tokens_are():
    fields = [(b"Sec-WebSocket-Protocol", b"realtime, mine"), (b"sec-websocket-protocol", b'x"y, ,other')]
    assert handshake.protocols_of(fields) == ["realtime", "mine", "other"]


def test_bearers_among_protocols_are_found():
    assert handshake.bearers_among(["realtime", "openai-insecure-api-key.a.b-c"]) == ["a.b-c"]
    assert handshake.bearers_among(["realtime"]) == []


def test_the_upstream_is_asked_for_nothing_of_the_callers():
    names = {name for name, _ in handshake.onward(b"k" * 16, [])}
    assert names == {b"Connection", b"Upgrade", b"Sec-WebSocket-Version", b"Sec-WebSocket-Key"}
    assert handshake.onward(b"k" * 16, ["realtime"])[-1] == (b"Sec-WebSocket-Protocol", b"realtime")


RAW = b"k" * 16
OPENS = [
    (b"Upgrade", b"websocket"),
    (b"Connection", b"upgrade"),
    (b"Sec-WebSocket-Accept", handshake.accept_of(base64.b64encode(RAW))),
]


def test_an_upstream_that_answers_opens():
    assert handshake.answered(OPENS, RAW, [])
    assert handshake.answered([*OPENS, (b"Sec-WebSocket-Protocol", b"realtime")], RAW, ["realtime"])


@pytest.mark.parametrize(
    ("sentence", "fields"),
    [
        ("says nothing", []),
        ("answers another key", [*OPENS[:2], (b"Sec-WebSocket-Accept", handshake.accept_of(b"other"))]),
        ("answers twice", [*OPENS, OPENS[2]]),
        ("upgrades to something else", [(b"Upgrade", b"h2c"), *OPENS[1:]]),
        ("does not say so in Connection", [OPENS[0], OPENS[2]]),
        ("adds an extension", [*OPENS, (b"Sec-WebSocket-Extensions", b"permessage-deflate")]),
        ("chooses what nobody asked for", [*OPENS, (b"Sec-WebSocket-Protocol", b"mine")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_upstream_opens_nothing_that(sentence, fields):
    assert not handshake.answered(fields, RAW, ["realtime"])


def test_the_callers_side_is_opened_with_the_answer_to_its_own_key():
    assert dict(handshake.opened(KEY, None))[b"sec-websocket-accept"] == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert (b"sec-websocket-protocol", b"realtime") in handshake.opened(KEY, "realtime")
