"""A model server in threads, of which a test says what each request meets, down to the socket."""

import contextlib
import socket
import struct
import threading

from processes import HOST
from tests.traffic import completion, events

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s\r\n"
STREAM = HEAD % (b"text/event-stream", b"transfer-encoding: chunked\r\n")


def whole(text="All is well."):
    body = completion(text)
    return HEAD % (b"application/json", b"content-length: %d\r\n" % len(body)) + body


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def stream(text, *, done=True):
    """The chunks of a stream, as they go over the wire."""
    return [chunk(event) for event in events(text, done=done)] + ([b"0\r\n\r\n"] if done else [])


def usual(wire, request):
    """Answer as asked."""
    wire.sendall(STREAM + b"".join(stream("All is well.")) if b'"stream":true' in request else whole())
    return True


def reset(wire):
    """End a connection as a process does that dies with something unread."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


class Wayward:
    """The server: `act(wire, request)` answers each request; what it gives back says whether the connection goes on."""

    def __init__(self, wrap=lambda wire: wire, port=0):
        self.act, self.requests, self.connections = usual, [], 0
        self._wrap = wrap
        self._wires = []
        self._server = socket.create_server((HOST, port))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"http://{HOST}:{self.port}"

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._server.accept()
                self.connections += 1
                self._wires.append(wire)
                threading.Thread(target=self._talk, args=(wire,), daemon=True).start()

    def _talk(self, plain):
        with contextlib.suppress(OSError):
            wire = self._wrap(plain)
            while (request := read(wire)) is not None:
                self.requests.append(request)
                if not self.act(wire, request):
                    break
            wire.close()

    def close(self):
        for each in (self._server, *self._wires):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read(wire):
    """One request, head and body; None where there is none."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        if not (piece := wire.recv(65536)):
            return None
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    size = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < size:
        if not (piece := wire.recv(65536)):
            return None
        body += piece
    return head + b"\r\n\r\n" + body
