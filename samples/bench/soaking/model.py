"""The model servers of the soak: OpenAI's, Ollama's and KServe's routes, a WebSocket, gRPC; some answers break off.

Its own process: `python -m bench.soaking.model` prints the ports of HTTP and gRPC and serves until it is ended. What a
prompt's first word says is answered; what is answered is made once, so that it costs next to nothing.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from h2 import events as h2_events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import H2Error

from bench.cases import MODEL, events, text_of, whole
from bench.soaking import proto
from bench.soaking.wires import HOST, Gone, Talk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KB: Final = 1024
PACE: Final = 0.02
"""Seconds between the events of a stream that takes its time."""
CUT: Final = None
"""The connection breaks off here."""
GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""

WORD: Final = re.compile(rb'"(?:content|prompt|input|text_input|data)"\s*:\s*\[?\s*"(\w+) ')
LENGTH: Final = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
KEY: Final = re.compile(rb"\r\nsec-websocket-key:\s*(\S+)", re.IGNORECASE)

type Parts = Sequence[bytes | float | None]
"""Bytes, seconds to wait, or the end of the connection."""


def answered(tree: Any, status: str = "200 OK") -> Parts:
    body = json.dumps(tree).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return [head.encode() + body]


def lines_of(trees: Sequence[Any], kind: str, form: str, pause: float = 0.0) -> Parts:
    """A stream of one JSON value a line, or an event, each in a chunk of its own."""
    out: list[bytes | float | None] = [
        f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    ]
    for tree in trees:
        line = (form % json.dumps(tree)).encode()
        out += [b"%x\r\n%b\r\n" % (len(line), line), *([pause] if pause else [])]
    return [*out, b"0\r\n\r\n"]


def _chat() -> Mapping[bytes, Parts]:
    sizes = {"small": KB, "middle": 10 * KB, "large": 100 * KB}
    made: dict[bytes, Parts] = {
        name.encode(): [(case := whole(name, name, size, ())).head + case.parts[0]] for name, size in sizes.items()
    }
    stream, paced = events("stream", "", 400, ()), events("paced", "", 200, ())
    made[b"stream"] = [stream.head, *stream.parts]
    made[b"paced"] = [paced.head, *(part for piece in paced.parts for part in (piece, PACE))]
    made[b"breaks"] = [stream.head, *stream.parts[:40], 0.02, CUT]
    made[b"shuts"] = [CUT]
    made[b"babbles"] = [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{not json"]
    made[b"fails"] = answered({"error": {"message": text_of(200), "code": "x"}}, "500 Internal Server Error")
    return made


def _ollama() -> Mapping[bytes, Parts]:
    said = re.findall(r"\s?\w{1,4}|\s?[^\w\s]|\s", text_of(300))

    def frame(text: str, done: bool) -> Any:
        message = {"role": "assistant", "content": text}
        told = {"model": MODEL, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": done}
        return told | ({"done_reason": "stop", "eval_count": 9} if done else {})

    frames = [*(frame(piece, False) for piece in said), frame("", True)]
    return {
        b"lines": lines_of(frames, "application/x-ndjson", "%s\n"),
        b"small": answered(frame(text_of(KB), True)),
    }


def _tensors() -> Parts:
    output = {"name": "text_output", "datatype": "BYTES", "shape": [1], "data": [text_of(KB)]}
    return answered({"model_name": MODEL, "model_version": "1", "outputs": [output]})


def _generated() -> Parts:
    frames = [{"model_name": MODEL, "model_version": "1", "text_output": f"{piece} "} for piece in text_of(200).split()]
    return lines_of(frames, "text/event-stream", "data: %s\n\n")


def _vectors() -> Parts:
    data = [{"object": "embedding", "index": 0, "embedding": [each / 128 - 0.7 for each in range(64)]}]
    used = {"prompt_tokens": 9, "total_tokens": 9}
    return answered({"object": "list", "model": MODEL, "data": data, "usage": used})


def _models() -> Parts:
    return answered(
        {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1767225600, "owned_by": "samples"}]}
    )


WORDED: Final[Mapping[bytes, Mapping[bytes, Parts]]] = {b"/v1/chat/completions": _chat(), b"/api/chat": _ollama()}
"""Where the prompt's first word says what is answered."""
ROUTES: Final[Mapping[bytes, Parts]] = {
    b"/v1/embeddings": _vectors(),
    b"/v1/models": _models(),
    b"/v2/models/ward-assistant/infer": _tensors(),
    b"/v2/models/ward-assistant/generate": answered(
        {"model_name": MODEL, "model_version": "1", "text_output": text_of(KB)}
    ),
    b"/v2/models/ward-assistant/generate_stream": _generated(),
}


def spoken(text: str) -> list[dict[str, Any]]:
    """An answer as a realtime server tells it: pieces, the whole, and the whole again."""
    place = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": text}
    item = {"id": "item_1", "type": "message", "role": "assistant", "content": [part]}
    told = {"id": "resp_1", "status": "completed", "output": [item], "usage": {"input_tokens": 7, "output_tokens": 9}}
    pieces = re.findall(r"\s?\w{1,4}|\s?[^\w\s]|\s", text)
    said = [{"type": "response.output_text.delta", **place, "delta": piece} for piece in pieces]
    said.append({"type": "response.output_text.done", **place, "text": text})
    said.append({"type": "response.done", "response": told})
    return [{"event_id": f"event_{number}", **each} for number, each in enumerate(said)]


TEXT: Final = text_of(KB).encode()
SPOKEN: Final = spoken(text_of(250))


async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection of HTTP/1, or of a WebSocket."""
    with contextlib.suppress(OSError, EOFError, Gone):
        again = True
        while again:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            if key := KEY.search(head):
                await conversed(reader, writer, key[1])
                break
            length = LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            again = await written(writer, parts_of(path, body))
    writer.close()


def parts_of(path: bytes, body: bytes) -> Parts:
    if worded := WORDED.get(path):
        word = WORD.search(body)
        return worded.get(word[1] if word else b"", worded[b"small"])
    return ROUTES.get(path) or answered({"error": {"message": "no such route"}}, "404 Not Found")


async def written(writer: asyncio.StreamWriter, parts: Parts) -> bool:
    """Send an answer; tells whether the connection may carry another one."""
    held: list[bytes] = []
    for part in parts:
        if isinstance(part, bytes):
            held.append(part)
            continue
        writer.write(b"".join(held))
        held.clear()
        await writer.drain()
        if part is CUT:
            writer.transport.abort()
            return False
        await asyncio.sleep(part)
    writer.write(b"".join(held))
    await writer.drain()
    return True


async def conversed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: bytes) -> None:
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())  # noqa: S324 -- as the protocol has it
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    talk = Talk(reader, writer, client=False)
    await talk.say({"type": "session.created", "event_id": "e", "session": {}})
    async for said in talk.hear():
        if said.get("type") == "response.create":
            await talk.say(*SPOKEN)
        elif said.get("type") == "input_text.cut":
            writer.transport.abort()


def said(asked: bytes, *, many: bool) -> bytes:
    answer = proto.infer_answer(asked, TEXT, final=many)
    return proto.framed(proto.sized(2, answer) if many else answer)


class Calls(asyncio.Protocol):
    """One connection of gRPC: each message is answered as it comes, the stream ended when the caller ends it."""

    def __init__(self) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False))
        self.held: dict[int, bytearray] = {}
        self.waiting: dict[int, bytearray] = {}
        self.over: set[int] = set()
        self.many: set[int] = set()
        """Streams of many messages."""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.h2.initiate_connection()
        self.transport.write(self.h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        try:
            for event in self.h2.receive_data(data):
                self.took(event)
        except H2Error:
            self.transport.abort()
            return
        for stream in list(self.waiting):
            self.flush(stream)
        self.transport.write(self.h2.data_to_send())

    def took(self, event: h2_events.Event) -> None:
        match event:
            case h2_events.RequestReceived():
                stream = event.stream_id
                if dict(event.headers)[b":path"].endswith(b"ModelStreamInfer"):
                    self.many.add(stream)
                self.held[stream], self.waiting[stream] = bytearray(), bytearray()
                self.h2.send_headers(stream, [(b":status", b"200"), (b"content-type", b"application/grpc")])
            case h2_events.DataReceived(stream_id=int(stream)) if stream in self.held:
                self.held[stream] += event.data or b""
                self.h2.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                for asked in proto.messages(self.held[stream]):
                    self.waiting[stream] += said(asked, many=stream in self.many)
            case h2_events.StreamEnded(stream_id=int(stream)) if stream in self.held:
                self.over.add(stream)
            case h2_events.StreamReset(stream_id=int(stream)):
                self.drop(stream)
            case _:
                pass

    def flush(self, stream: int) -> None:
        held = self.waiting[stream]
        while held and (room := self.h2.local_flow_control_window(stream)):
            piece = bytes(held[: min(room, self.h2.max_outbound_frame_size)])
            del held[: len(piece)]
            self.h2.send_data(stream, piece)
        if not held and stream in self.over:
            self.h2.send_headers(stream, [(b"grpc-status", b"0")], end_stream=True)
            self.drop(stream)

    def drop(self, stream: int) -> None:
        self.over.discard(stream)
        self.many.discard(stream)
        self.held.pop(stream, None)
        self.waiting.pop(stream, None)


async def main() -> None:
    plain = await asyncio.start_server(served, HOST, 0, limit=1 << 22, backlog=512)
    calls = await asyncio.get_running_loop().create_server(Calls, HOST, 0, backlog=512)
    ports = [server.sockets[0].getsockname()[1] for server in (plain, calls)]
    print(json.dumps(ports), flush=True)
    await asyncio.gather(plain.serve_forever(), calls.serve_forever())


if __name__ == "__main__":
    asyncio.run(main())
