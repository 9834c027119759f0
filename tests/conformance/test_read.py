"""What is read of an answer, and what can be put together from it."""

import json
import struct

import pytest

from phigate.conformance import probe, read
from phigate.conformance.read import Message, Unreadable

JSON = {"content-type": "application/json; charset=utf-8"}
SSE = {"content-type": "text/event-stream"}

READ = [
    ("JSON", "json", JSON, b'{"a":1}', [Message({"a": 1})]),
    ("an error where a stream was expected", "sse", JSON, b'{"error":1}', [Message({"error": 1})]),
    ("events", "sse", SSE, b'data: {"a":1}\n\ndata:[DONE]\n\n', [Message({"a": 1}), Message("[DONE]")]),
    ("an event with a name", "sse", SSE, b'event: t\r\ndata: {"a":1}\r\n\r\n', [Message({"a": 1}, "t")]),
    ("data in two lines", "sse", SSE, b'data: {"a":\ndata: 1}\n\n', [Message({"a": 1})]),
    ("comments", "sse", SSE, b': ping\n\ndata: {"a":1}\n\n', [Message({"a": 1})]),
    ("lines", "ndjson", {}, b'{"a":1}\n\n{"b":2}\n', [Message({"a": 1}), Message({"b": 2})]),
    ("NUL between", "nul", {"content-type": "text/plain"}, b'{"a":1}\0', [Message({"a": 1})]),
    ("text", "text", {}, b"hello", [Message("hello")]),
]


@pytest.mark.parametrize(("sentence", "framing", "headers", "body", "expected"), READ, ids=[row[0] for row in READ])
def test_messages(sentence, framing, headers, body, expected):
    assert read.messages(framing, headers, body) == expected


@pytest.mark.parametrize(
    ("framing", "body"), [("json", b"{"), ("sse", b"data: {\n\n"), ("ndjson", b"{}\nx\n"), ("text", b"\xff")]
)
def test_what_is_not_readable_is_told_without_its_text(framing, body):
    with pytest.raises(Unreadable, match=r"\A(?:invalid JSON|not UTF-8)\Z"):
        read.messages(framing, {}, body)


def tensors(data, *, size=None, head=None):
    tree = {"outputs": [{"name": "t", "datatype": "BYTES", "parameters": {"binary_data_size": size or len(data)}}]}
    first = json.dumps(tree).encode()
    return read.messages("tensors", {"inference-header-content-length": head or str(len(first))}, first + data)


def test_tensors_are_put_back():
    (message,) = tensors(struct.pack("<I", 2) + b"hi")
    assert message.data["outputs"][0]["data"] == ["hi"]


@pytest.mark.parametrize(
    ("sentence", "arguments", "fault"),
    [
        ("cut off", {"data": b"\x02\0\0\0hi", "size": 9}, "cut off"),
        ("an element too long", {"data": b"\x09\0\0\0hi"}, "longer than its tensor"),
        ("bytes left", {"data": b"\x02\0\0\0hi", "size": 4}, "longer than its tensor|after the last"),
        ("no size", {"data": b"", "head": "x"}, "wrong size"),
    ],
)
def test_tensors_whose_lengths_are_wrong(sentence, arguments, fault):
    with pytest.raises(Unreadable, match=fault):
        tensors(**arguments)


def messages(*trees):
    return [Message(tree) for tree in trees]


def test_channels_are_told_apart_by_index():
    found = messages(*({"choices": [{"index": at, "text": text}]} for at, text in ((0, "a"), (1, "x"), (0, "b"))))
    assert sorted(read.channels(found).values()) == ["ab", "x"]


def test_channels_are_told_apart_by_type_and_item():
    found = messages({"type": "t.delta", "item_id": "1", "d": "a"}, {"type": "t.delta", "item_id": "1", "d": "b"})
    found += messages({"type": "t.done", "item_id": "1", "d": "ab"})
    said = {path[-1:] + path[:1]: text for path, text in read.channels(found).items() if path[-1] == "d"}
    assert said == {("d", "t.delta"): "ab", ("d", "t.done"): "ab"}


MAIL = probe.IDENTIFIERS["e-mail"]
TOGETHER = [
    ("letters in a list", [{"tokens": list(MAIL)}]),
    ("letters in the items of a list", [{"tokens": [{"text": letter} for letter in MAIL]}]),
    ("letters in events", [{"delta": letter} for letter in MAIL]),
    ("keys", [{"top": [{letter: -0.1} for letter in MAIL]}]),
    ("keys in events", [{"top": {letter: -0.1}} for letter in MAIL]),
    ("octets", [{"bytes": list(MAIL.encode())}]),
    ("octets in events", [{"token": {"bytes": [octet]}} for octet in MAIL.encode()]),
    ("code points", [{"ids": [ord(letter) for letter in MAIL]}]),
    ("code points in events", [{"token": {"id": ord(letter)}} for letter in MAIL]),
    ("base64 in events", [{"data": text} for text in ("amFuZS5k", "b2VAZXhh", "bXBsZS5jb20=")]),
    ("places that change", [{f"place {at}": letter} for at, letter in enumerate(MAIL)]),
]


@pytest.mark.parametrize(("sentence", "trees"), TOGETHER, ids=[row[0] for row in TOGETHER])
def test_what_can_be_put_together_is_found(sentence, trees):
    assert probe.found(read.together(messages(*trees))) == {"e-mail"}


def test_a_long_number_is_a_text():
    assert probe.found(read.together(messages({"mrn": 77310042}))) == {"MRN"}


def test_other_fields_of_a_stream_are_joined():
    body = b"id: jane.\ndata: 1\n\nid: doe@example.com\n: a\n: b\n\n"
    assert read.asides("sse", SSE, body) == ["jane.doe@example.com", "ab"]
    assert read.asides("json", JSON, b"{}") == []
