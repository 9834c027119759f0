"""Valid exchanges of several protocols as raw bytes, with the canaries in the prompt and in the answer.

The answer's text comes in one piece or in many, as a model writes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tests.traffic import CANARY_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BEARER = b"@BEARER@"
TEXT = json.dumps(CANARY_TEXT)[1:-1].encode()
CUTS = (len(TEXT), 40, 7)
"""Characters of the text in one event of a stream."""


@dataclass(frozen=True)
class Exchange:
    """`tree` is what is asked, `seed` where it says which mutant it is of; `parts` is what the model server answers.

    `step` is how many characters of the text stand in one event.
    """

    name: str
    path: str
    tree: dict[str, Any]
    media: bytes
    parts: tuple[bytes, ...]
    fields: tuple[bytes, ...] = ()
    seed: tuple[str, ...] = ("seed",)
    step: int = len(CANARY_TEXT)

    @property
    def pieces(self) -> list[bytes]:
        """The text as its events have it; no character of it is escaped in JSON."""
        return [TEXT[at : at + self.step] for at in range(0, len(TEXT), self.step)]

    def holds(self, part: bytes) -> bool:
        """Whether the text stands there, or a piece of it."""
        return TEXT in part or any(b'"%b"' % piece in part for piece in self.pieces)


def _say(tree: Any, text: str = CANARY_TEXT) -> bytes:
    written: str = json.dumps(tree)
    return written.replace("@", json.dumps(text)[1:-1]).encode()


def _stream(
    first: Sequence[Any], each: Any, last: Sequence[Any], form: Callable[[bytes], bytes], step: int
) -> tuple[bytes, ...]:
    pieces = [CANARY_TEXT[at : at + step] for at in range(0, len(CANARY_TEXT), step)]
    events = [*map(_say, first), *(_say(each, piece) for piece in pieces), *map(_say, last)]
    return tuple(map(form, events))


def _data(event: bytes) -> bytes:
    return b"data: " + event + b"\n\n"


def _named(event: bytes) -> bytes:
    kind: str = json.loads(event)["type"]
    return b"event: " + kind.encode() + b"\n" + _data(event)


def _line(event: bytes) -> bytes:
    return event + b"\n"


ASKED = f"How is this one? {CANARY_TEXT}"
CHAT = {
    "model": "ward-assistant",
    "messages": [{"role": "user", "content": ASKED}],
    "temperature": 0.5,
    "max_tokens": 9,
}
OPENAI = {"id": "chatcmpl-1", "created": 1, "model": "ward-assistant"}
USAGE = {"prompt_tokens": 9, "completion_tokens": 12}
WHOLE = {"index": 0, "message": {"role": "assistant", "content": "@"}, "finish_reason": "stop"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "note", "arguments": '{"note": "@"}'}}
BLOCK = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "@"}}
OLLAMA = {"model": "ward-assistant", "created_at": "2026-11-23T15:04:05Z"}
JSON, SSE = b"application/json", b"text/event-stream"


def _exchanges(step: int) -> list[Exchange]:
    delta = {"choices": [{"index": 0, "delta": {"content": "@"}, "finish_reason": None}], **OPENAI}
    ended = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE, **OPENAI}
    text = {"choices": [{"index": 0, "text": "@", "finish_reason": None}], **OPENAI}
    begin = {
        "type": "message_start",
        "message": {"id": "m", "role": "assistant", "content": [], "usage": {"input_tokens": 1}},
    }
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    stop = [{"type": "content_block_stop", "index": 0}, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}]
    item = {"item_id": "i", "output_index": 0, "content_index": 0}
    made = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "ward-assistant"}
    output = [{"type": "message", "id": "i", "role": "assistant", "content": [{"type": "output_text", "text": "@"}]}]
    ask = {"model": "ward-assistant", "input": ASKED, "max_output_tokens": 9, "stream": True}
    claude = {"model": "ward-assistant", "max_tokens": 9, "messages": CHAT["messages"]}
    streamed = CHAT | {"stream": True}
    done = (b"data: [DONE]\n\n",)
    return [
        Exchange(
            "openai chat", "/v1/chat/completions", CHAT, JSON, (_say({"choices": [WHOLE], "usage": USAGE, **OPENAI}),)
        ),
        Exchange(
            "openai tool call",
            "/v1/chat/completions",
            CHAT | {"tools": [{"type": "function", "function": {"name": "note", "parameters": {"type": "object"}}}]},
            JSON,
            (
                _say(
                    {
                        "choices": [
                            {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [CALL]}}
                        ],
                        **OPENAI,
                    }
                ),
            ),
        ),
        Exchange(
            "openai chat stream", "/v1/chat/completions", streamed, SSE, _stream([], delta, [ended], _data, step) + done
        ),
        Exchange(
            "openai completion",
            "/v1/completions",
            {"model": "m", "prompt": ASKED, "stream": True},
            SSE,
            _stream([], text, [ended], _data, step) + done,
        ),
        Exchange(
            "anthropic",
            "/v1/messages",
            claude,
            JSON,
            (_say({"type": "message", "role": "assistant", "content": [{"type": "text", "text": "@"}], "usage": {}}),),
            seed=("metadata", "user_id"),
        ),
        Exchange(
            "anthropic stream",
            "/v1/messages",
            claude | {"stream": True},
            SSE,
            _stream([begin, block], BLOCK, [*stop, {"type": "message_stop"}], _named, step),
            (b"anthropic-version: 2023-06-01\r\n",),
            ("metadata", "user_id"),
        ),
        Exchange(
            "responses stream",
            "/v1/responses",
            ask,
            SSE,
            _stream(
                [{"type": "response.created", "response": made}],
                {"type": "response.output_text.delta", "delta": "@", **item},
                [{"type": "response.completed", "response": made | {"output": output}}],
                _named,
                step,
            ),
        ),
        Exchange(
            "ollama chat",
            "/api/chat",
            {"model": "ward-assistant", "messages": CHAT["messages"]},
            b"application/x-ndjson",
            _stream(
                [],
                OLLAMA | {"message": {"role": "assistant", "content": "@"}, "done": False},
                [OLLAMA | {"done": True, "prompt_eval_count": 1}],
                _line,
                step,
            ),
            seed=("options", "seed"),
        ),
        Exchange(
            "ollama generate",
            "/api/generate",
            {"model": "ward-assistant", "prompt": ASKED, "stream": False},
            JSON,
            (_say(OLLAMA | {"response": "@", "done": True}),),
            seed=("options", "seed"),
        ),
        Exchange(
            "an error",
            "/v1/chat/completions",
            CHAT,
            JSON,
            (_say({"error": {"message": "@", "type": "invalid_request_error"}}),),
        ),
    ]


EXCHANGES = [replace(exchange, step=step) for step in CUTS for exchange in _exchanges(step)]


def asked(exchange: Exchange, tree: bytes) -> tuple[bytes, list[bytes], bytes]:
    fields = [b"Host: gateway\r\n", b"Authorization: Bearer " + BEARER + b"\r\n", b"Content-Type: application/json\r\n"]
    fields += [*exchange.fields, b"Accept: */*\r\n", b"Content-Length: %d\r\n" % len(tree)]
    return b"POST " + exchange.path.encode() + b" HTTP/1.1\r\n", fields, tree


def told(exchange: Exchange, parts: Sequence[bytes]) -> tuple[bytes, list[bytes], list[bytes]]:
    status = b"400 Bad Request" if exchange.name == "an error" else b"200 OK"
    return (
        b"HTTP/1.1 " + status + b"\r\n",
        [b"Content-Type: " + exchange.media + b"\r\n", b"Server: m\r\n"],
        list(parts),
    )


def whole(head: tuple[bytes, list[bytes], list[bytes]], *, chunked: bool) -> bytes:
    """The bytes of an answer; its parts as chunks, or with their length."""
    line, fields, parts = head
    if chunked:
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"
        return line + b"".join(fields) + b"Transfer-Encoding: chunked\r\n\r\n" + body
    body = b"".join(parts)
    return line + b"".join(fields) + b"Content-Length: %d\r\n\r\n" % len(body) + body


def numbered(exchange: Exchange, number: int) -> Any:
    """What is asked, with the number of its mutant where the protocol lets a number by."""
    tree = json.loads(json.dumps(exchange.tree))
    *steps, last = exchange.seed
    node = tree
    for step in steps:
        node = node.setdefault(step, {})
    node[last] = str(number) if last == "user_id" else number
    return tree
