"""The requests and answers of a benchmark, as bytes; the prompt's first word tells the upstream what to answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Final

import patients

MODEL: Final = "ward-assistant"
PADDING: Final = "She slept well, ate half of her breakfast and walked the length of the corridor with help. "


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of exchange; `pause` is seconds between the events of a stream, `seconds` the least a turn takes."""

    name: str
    title: str
    connections: tuple[int, ...]
    head: bytes
    parts: tuple[bytes, ...] = field(repr=False)
    streamed: bool = False
    pause: float = 0.0

    @property
    def seconds(self) -> float:
        return 3 * self.pause * len(self.parts)

    def body(self) -> bytes:
        messages = [{"role": "user", "content": f"{self.name} How is she today?"}]
        return json.dumps({"model": MODEL, "messages": messages, "stream": self.streamed}).encode()

    def request(self, bearer: str) -> bytes:
        """Return the whole request, ready to send, as an OpenAI client would make it."""
        body = self.body()
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {bearer}\r\n"
            f"User-Agent: bench\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def text_of(size: int) -> str:
    """Return a chart of about so many characters: one patient's identifiers, then prose, again and again."""
    one = patients.told(patients.CHART, patients.ASHDOWN) + " " + PADDING * 2
    return (one * (size // len(one) + 1))[:size]


def whole(name: str, title: str, size: int, connections: tuple[int, ...]) -> Case:
    tree = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1767225600,
        "model": MODEL,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 120, "total_tokens": 129},
    }
    empty = len(json.dumps(tree))
    tree["choices"][0]["message"]["content"] = text_of(size - empty)  # type: ignore[index]  # a literal just above
    body = json.dumps(tree).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return Case(name, title, connections, head.encode(), (body,))


def events(name: str, title: str, size: int, connections: tuple[int, ...], pause: float = 0.0) -> Case:
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1767225600, "model": MODEL}
    said = re.findall(r"\s?\w{1,4}|\s?[^\w\s]|\s", text_of(size))
    deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in said), {}]
    trees = [{**chunk, "choices": [{"index": 0, "delta": d, "finish_reason": None if d else "stop"}]} for d in deltas]
    datas = [b"data: %b\n\n" % json.dumps(tree).encode() for tree in trees] + [b"data: [DONE]\n\n"]
    parts = tuple(b"%x\r\n%b\r\n" % (len(data), data) for data in datas)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return Case(name, title, connections, head, (*parts, b"0\r\n\r\n"), streamed=True, pause=pause)


CASES: Final = (
    whole("small", "JSON, 1 KB", 1024, (1, 16, 64)),
    whole("large", "JSON, 100 KB", 100 * 1024, (1, 16, 64)),
    events("stream", "SSE, as fast as it goes", 400, (1, 16, 64)),
    events("paced", "SSE, an event every 10 ms", 200, (1, 16), pause=0.010),
)
