"""Streams of events, cut anywhere: how they are read, and how a dialect's are masked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from phigate.dialect import ndjson, sse
from phigate.dialect.framing import FRAMINGS
from phigate.dialect.known import ROUTES, spoken
from phigate.dialect.sse import EventError
from phigate.masking.answer import MaskedStream
from tests.fuzzing.target import Target, alike, hold
from tests.seen import sight

if TYPE_CHECKING:
    from phigate.dialect.framing import Reader

STREAMS = [route for route in ROUTES if route.stream is not None]


def _read(reader: Reader, pieces: list[bytes]) -> list[sse.Event]:
    return [event for piece in pieces for event in reader.feed(piece)] + reader.close()


def events(data: bytes) -> None:
    found = alike(data, lambda pieces: _read(sse.EventReader(), pieces), EventError)
    for event in found or ():
        if event.data is None or "\n" in event.data:
            continue
        (again,) = _read(sse.EventReader(), [sse.write(event.data.encode(), event.event, event.id)])
        hold(
            again.data == event.data and again.event in {event.event, ""} and again.id in {event.id, ""},
            "written otherwise",
        )


def lines(data: bytes) -> None:
    found = alike(data, lambda pieces: _read(ndjson.LineReader(), pieces), EventError)
    for event in found or ():
        hold(event.data is not None and "\n" not in event.data, "a line that is none")
        hold(_read(ndjson.LineReader(), [ndjson.write(event.data.encode())]) == [event], "written otherwise")


def masked(data: bytes) -> None:
    """The first byte chooses the stream, the rest is what the model server sends."""
    route = STREAMS[data[0] % len(STREAMS) if data else 0]
    assert route.stream is not None
    stream, dialect = route.stream, spoken(route)

    def read(pieces: list[bytes]) -> tuple[bytes, str]:
        made = MaskedStream(sight(), dialect, stream)
        out = b"".join(map(made.feed, pieces)) + made.finish()
        return out, made.take_shown()

    if stream.media == "websocket":
        found = alike(
            data[1:].split(b"\n"), lambda pieces: read([each for piece in pieces for each in piece]), ValueError
        )
    else:
        found = alike(data[1:], read, ValueError)
    if found is not None and stream.media != "text/plain":
        again = _read(
            FRAMINGS[stream.media].reader(), [found[0]] if stream.media != "websocket" else found[0].splitlines()
        )
        for event in again:
            if event.data and event.data != stream.done:
                hold(isinstance(json.loads(event.data), dict), "an event that cannot be read")


def sent() -> list[bytes]:
    def said(*all_: Any, done: bytes = b"") -> bytes:
        return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in all_) + done

    def each(*all_: Any) -> bytes:
        return b"".join(json.dumps(one).encode() + b"\n" for one in all_)

    chat = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in ("Ada ", "Quist, MRN", " 70418")]
    calls = [{"index": 0, "id": "c", "function": {"name": "f", "arguments": text}} for text in ('{"mrn":', '"70418"}')]
    tools = [{"choices": [{"index": 0, "delta": {"tool_calls": [one]}}]} for one in calls]
    over = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1}}
    blocks = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Ada Quist"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ]
    answer = [
        {"type": "response.created", "sequence_number": 0, "response": {"id": "r"}},
        {
            "type": "response.output_text.delta",
            "item_id": "i",
            "output_index": 0,
            "content_index": 0,
            "delta": "Ada Quist",
        },
        {
            "type": "response.output_text.done",
            "item_id": "i",
            "output_index": 0,
            "content_index": 0,
            "text": "Ada Quist",
        },
        {"type": "response.completed", "response": {"output": []}},
    ]
    told = [{"model": "m", "message": {"content": "Ada Quist"}, "done": False}, {"response": "a", "done": True}]
    generated = [
        {"token": {"text": "Ada Quist", "special": False}, "generated_text": None},
        {"text": "a", "text_output": "b"},
    ]
    bodies = [
        said(*chat, over, done=b"data: [DONE]\n\n"),
        said(*tools, over),
        said(*blocks),
        said(*answer),
        each(*told),
        said(*generated),
        each(*answer, *blocks),
        b"plain text of Ada Quist, MRN 70418",
    ]
    return [bytes([at]) + bodies[turn % len(bodies)] for at in range(len(STREAMS)) for turn in (0, at, at + 3)]


WORDS = (
    b"data: ",
    b"data:",
    b"event: ",
    b"id: ",
    b"\n\n",
    b"\r\n",
    b"\r",
    b":",
    b"[DONE]",
    b"retry: 1",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
)
SSE = Target(
    events, lambda: [b"data: a\n\n", b"event: b\r\nid: 1\r\ndata: c\r\ndata: d\r\n\r\n", b": e\n\ndata\n\n"], WORDS
)
NDJSON = Target(lines, lambda: [b'{"a":1}\n{"b":2}', b"\r\n\n 1\n"], (b"\n", b"\r\n", b"{", b'"', b"\xe2\x80\xa8"))
STREAM = Target(
    masked,
    sent,
    (
        *(
            b'data: {"choices":[{"index":0,"delta":{"content":"',
            b'"}}]}\n\n',
            b'"finish_reason":"stop"',
            b"data: [DONE]\n\n",
        ),
        *(
            b'"type":',
            b'"delta":',
            b'"index":',
            b'"text":',
            b'"tool_calls":',
            b'"arguments":',
            b'"done":true',
            b"null",
            b"\\n",
        ),
        *(b"Ada Quist", b"MRN 70418", b"\\u0041", b"<", b"{", b'{\\"', b"MSH|", b"\n"),
    ),
    1024,
)
