"""Clients that cost little and may leave at any moment: HTTP/1, HTTP/2 (gRPC as well) and WebSocket, on asyncio.

Whatever a peer or the network does wrong is an `OSError`, `EOFError` or `Gone`; who calls bounds the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, TextMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

HOST: Final = "127.0.0.1"
READ: Final = 65536
type Headers = Sequence[tuple[str, str]]


class Gone(Exception):  # noqa: N818 -- an end, not an error
    """The peer ended the connection, or the stream."""


@dataclass(slots=True)
class Head:
    """The beginning of an answer; names are lower-case."""

    status: int
    fields: Mapping[str, str]


@dataclass(slots=True)
class Answer:
    """An answer as far as it came; `whole` is whether that was to its end."""

    head: Head
    body: bytes = field(default=b"", repr=False)
    trailers: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False


# --- HTTP/1 -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Wire:
    """One connection of HTTP/1."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    last: bool = False
    """Whether the peer said that it closes."""

    @classmethod
    async def open(cls, port: int) -> Wire:
        return cls(*await asyncio.open_connection(HOST, port, limit=1 << 22))

    def close(self) -> None:
        self.writer.transport.abort()

    async def head(self) -> Head:
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:] if line)
        return Head(int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs})

    async def pieces(self, head: Head) -> AsyncIterator[bytes]:
        if "chunked" in head.fields.get("transfer-encoding", ""):
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                yield (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readuntil(b"\r\n")
        elif length := int(head.fields.get("content-length", "0")):
            yield await self.reader.readexactly(length)

    async def ask(self, request: bytes, answer: Answer | None = None, leave_after: int | None = None) -> Answer:
        """Send a request; `leave_after` so many pieces of its answer the connection is cut."""
        self.writer.write(request)
        await self.writer.drain()
        answer = answer or Answer(Head(0, {}))
        answer.head = await self.head()
        if leave_after == 0:
            self.close()
            return answer
        self.last = answer.head.fields.get("connection") == "close"
        seen = 0
        async for piece in self.pieces(answer.head):
            answer.body += piece
            seen += 1
            if seen == leave_after:
                self.close()
                return answer
        answer.whole = True
        return answer


def request_of(method: str, path: str, headers: Mapping[str, str], body: bytes = b"", *, close: bool = False) -> bytes:
    """A request of HTTP/1, ready to send."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


# --- HTTP/2 -----------------------------------------------------------------------------------------------------------


class Http2:
    """One connection of HTTP/2: many streams, each answered in full or left."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.streams: dict[int, asyncio.Queue[events.Event | None]] = {}
        self.open = True
        self.window = asyncio.Condition()
        self.reading: asyncio.Task[None]

    @classmethod
    async def connect(cls, port: int, *, tls: bool) -> Http2:
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
        made = cls(*await asyncio.open_connection(HOST, port, ssl=context))
        made.h2.initiate_connection()
        made.flush()
        made.reading = asyncio.create_task(made._read())
        return made

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    async def _read(self) -> None:
        with contextlib.suppress(OSError, H2Error):
            while data := await self.reader.read(READ):
                for event in self.h2.receive_data(data):
                    await self._took(event)
                self.flush()
        self.open = False
        for queue in self.streams.values():
            queue.put_nowait(None)
        async with self.window:
            self.window.notify_all()
        self.writer.close()

    async def _took(self, event: events.Event) -> None:
        if isinstance(event, events.ConnectionTerminated):
            self.open = False
        elif isinstance(event, events.WindowUpdated | events.RemoteSettingsChanged):
            async with self.window:
                self.window.notify_all()
        elif (stream := getattr(event, "stream_id", None)) in self.streams:
            self.streams[stream].put_nowait(event)

    async def send(self, stream: int, data: bytes, *, end: bool = True) -> None:
        while data or end:
            async with self.window:
                while self.open and data and not self.h2.local_flow_control_window(stream):
                    await self.window.wait()
            if not self.open:
                raise Gone
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            piece, data = data[:room], data[room:]
            self.h2.send_data(stream, piece, end_stream=end and not data)
            self.flush()
            if not data:
                return

    def begin(self, headers: Headers, *, end: bool = False) -> int:
        """Begin a stream; raises Gone where the connection takes none."""
        if not self.open:
            raise Gone
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, headers, end_stream=end)
        self.streams[stream] = asyncio.Queue()
        self.flush()
        return stream

    async def answer(self, stream: int, answer: Answer, leave_after: int | None = None) -> Answer:
        """Read the answer of a stream; `leave_after` so many pieces of it the stream is reset."""
        try:
            seen = 0
            while (event := await self.streams[stream].get()) is not None:
                if isinstance(event, events.ResponseReceived):
                    fields = _texts(event.headers)
                    answer.head = Head(int(fields[":status"]), fields)
                elif isinstance(event, events.DataReceived):
                    answer.body += event.data or b""
                    self.h2.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                    self.flush()
                    seen += 1
                    if seen == leave_after:
                        self.leave(stream)
                        return answer
                elif isinstance(event, events.TrailersReceived):
                    answer.trailers = _texts(event.headers)
                elif isinstance(event, events.StreamReset):
                    raise Gone
                elif isinstance(event, events.StreamEnded):
                    answer.whole = True
                    return answer
            raise Gone
        finally:
            self.streams.pop(stream, None)

    def leave(self, stream: int) -> None:
        with contextlib.suppress(H2Error):
            self.h2.reset_stream(stream, 8)
            self.flush()

    def close(self) -> None:
        self.open = False
        self.writer.transport.abort()


def _texts(fields: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in fields}


# --- WebSocket --------------------------------------------------------------------------------------------------------


class Talk:
    """A conversation on a WebSocket, of either side, on a connection whose head was read already."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, client: bool) -> None:
        self.reader, self.writer = reader, writer
        self.ws = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)
        self.text = ""

    async def say(self, *told: Mapping[str, Any]) -> None:
        for each in told:
            self.writer.write(self.ws.send(TextMessage(json.dumps(each))))
        await self.writer.drain()

    async def hear(self) -> AsyncIterator[Any]:
        """Each message as JSON until the other side closes; raises Gone where the connection just ends."""
        while data := await self.reader.read(READ):
            self.ws.receive_data(data)
            for event in self.ws.events():
                if isinstance(event, Ping):
                    self.writer.write(self.ws.send(event.response()))
                elif isinstance(event, CloseConnection):
                    with contextlib.suppress(Exception):  # both sides may close at once
                        self.writer.write(self.ws.send(event.response()))
                    return
                elif isinstance(event, BytesMessage):
                    continue
                elif isinstance(event, Message):
                    self.text += event.data
                    if event.message_finished:
                        whole, self.text = self.text, ""
                        yield json.loads(whole)
        raise Gone

    def goodbye(self, code: int = 1000) -> None:
        with contextlib.suppress(Exception):  # it is over already
            self.writer.write(self.ws.send(CloseConnection(code)))
