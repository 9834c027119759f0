"""Flows drawn from what a journal holds, for mitmweb, mitmproxy and `mitmdump -nr` to open.

A drawn flow holds what was recorded and nothing else: no header but those that say what is in it, no upstream, no
address but the client's. Where mitmproxy needs a value that nobody recorded it gets an empty one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from mitmproxy import connection, flow, http
from mitmproxy.io import FlowWriter
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto.frame_protocol import Opcode

from phigate.host.recordings.recorded import KEY

if TYPE_CHECKING:
    from typing import BinaryIO

MARKS = {"refused": ":no_entry:", "over": ":white_check_mark:", "waiting": ":hourglass:"}
"""What mitmproxy shows beside a flow."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a WebSocket; `time` in seconds since the epoch."""

    from_caller: bool
    body: Any
    time: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; times in seconds since the epoch."""

    status: int
    body: Any
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """One exchange, as it is to be drawn; bodies are trees of JSON, or text, or None where nothing was kept."""

    exchange: str
    method: str
    path: str
    host: str
    time: float
    body: Any = None
    client: str = ""
    agent: str = ""
    answer: Answer | None = None
    messages: tuple[Message, ...] = ()
    refused: str | None = None
    """Why there was no answer of the model's."""
    comment: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def draw(drawing: Drawing) -> http.HTTPFlow:
    """The flow; its ids are made of the exchange's, so that the same exchange is the same flow."""
    client = connection.Client(
        peername=(drawing.client, 0), sockname=("", 0), timestamp_start=drawing.time, id=f"{drawing.exchange}-client"
    )
    drawn = http.HTTPFlow(client, connection.Server(address=None, id=f"{drawing.exchange}-server"))
    drawn.id, drawn.timestamp_created = drawing.exchange, drawing.time
    fields = {"phi-exchange": drawing.exchange} | ({"user-agent": drawing.agent} if drawing.agent else {})
    drawn.request = http.Request(
        drawing.host,
        80,
        drawing.method.encode(),
        b"http",
        b"",
        drawing.path.encode(),
        b"HTTP/1.1",
        _headers(drawing.body, fields),
        content(drawing.body),
        None,
        drawing.time,
        drawing.time,
    )
    if answer := drawing.answer:
        made = http.Response.make(answer.status, content(answer.body))
        made.headers = _headers(answer.body, {"phi-exchange": drawing.exchange})
        made.timestamp_start, made.timestamp_end = answer.first, answer.last
        drawn.response = made
    if drawing.messages:
        drawn.websocket = WebSocketData(messages=[_message(each) for each in drawing.messages])
        drawn.websocket.timestamp_end = answer.last if answer else None
    if drawing.refused:
        drawn.error = flow.Error(drawing.refused, drawing.time)
    drawn.comment, drawn.metadata = drawing.comment, {KEY: drawing.metadata}
    drawn.marked = MARKS["refused" if drawing.refused else "over" if answer else "waiting"]
    return drawn


def _message(message: Message) -> WebSocketMessage:
    return WebSocketMessage(Opcode.TEXT, message.from_caller, content(message.body), message.time)


def _headers(body: Any, fields: dict[str, str]) -> http.Headers:
    if body is not None:
        fields = {"content-type": "text/plain" if isinstance(body, str) else "application/json"} | fields
    return http.Headers([(name.encode(), _line(value)) for name, value in fields.items()])


def _line(value: str) -> bytes:
    """A value that stays in its header's line, whoever wrote the record that it comes from."""
    return "".join(char if char.isprintable() else "\ufffd" for char in value).encode()


def content(body: Any) -> bytes:
    """A masked body as bytes: a text as it is, a tree as JSON, nothing for None."""
    if body is None:
        return b""
    return body.encode("utf-8", "replace") if isinstance(body, str) else orjson.dumps(body)


def write(file: BinaryIO, drawing: Drawing) -> None:
    """Add one flow to a file that mitmproxy reads."""
    FlowWriter(file).add(draw(drawing))
