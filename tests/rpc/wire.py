"""Both ends of HTTP/2 connections in the test's own loop: servers that answer as they are told, clients that ask."""

import asyncio
import contextlib
import socket

from phigate.host.connections.doors import Doors
from phigate.rpc import framing
from phigate.rpc.endpoint import Endpoint
from phigate.rpc.link import LaneBroken, Link

HOST = "127.0.0.1"


def open_doors(most=1000, most_strangers=1000):
    """Doors with room for so many."""
    doors = Doors()
    doors.hall.most, doors.hall.most_strangers = most, most_strangers
    return doors


@contextlib.asynccontextmanager
async def served(answer, context=None, doors=None):
    """An endpoint on a free port: gives (endpoint, port)."""
    bound = socket.create_server((HOST, 0))
    endpoint = Endpoint(answer, doors or open_doors())
    await endpoint.start(bound, context)
    try:
        yield endpoint, bound.getsockname()[1]
    finally:
        endpoint.close()


@contextlib.asynccontextmanager
async def connected(port, context=None):
    """A client's connection."""
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    link = Link(reader, writer)
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        link.close()
        await task


@contextlib.asynccontextmanager
async def raw(port):
    """A socket to say anything on."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.close()


def head(path="/x", **more):
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()), (b":authority", b"x")]
    fields += [(b"te", b"trailers"), (b"content-type", b"application/grpc")]
    return [*fields, *((name.replace("_", "-").encode(), value.encode()) for name, value in more.items())]


class Answer:
    """What came back of a call."""

    def __init__(self, fields, messages, trailers):
        self.head, self.messages, self.trailers = dict(fields), messages, dict(trailers)

    @property
    def status(self):
        return int({**self.head, **self.trailers}[b"grpc-status"])

    @property
    def message(self):
        return framing.unquoted({**self.head, **self.trailers}.get(b"grpc-message", b""))


async def answered(lane):
    """Everything that comes on a stream."""
    fields = await lane.headed()
    frames, messages = framing.Frames(1 << 24), []
    while data := await lane.read():
        messages += frames.feed(data)
    assert not frames.partial
    return Answer(fields, messages, lane.trailers)


async def asked(link, *messages, path="/x", fields=None, **more):
    """One call with these messages, sent while the answer is read."""
    lane = link.begin(fields or head(path, **more))
    await link.flushed()

    async def send():
        with contextlib.suppress(LaneBroken):  # one that is refused takes no messages
            for message in messages:
                await lane.send(framing.frame(message))
            await lane.send(b"", end=True)

    return (await asyncio.gather(answered(lane), send()))[0]


async def echo(lane, _address):
    """Answer each call with what it says, as it comes."""
    await lane.send_head([(b":status", b"200"), (b"content-type", b"application/grpc")])
    while data := await lane.read():
        await lane.send(data)
    await lane.send_head([(b"grpc-status", b"0")], end=True)
