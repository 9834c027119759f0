"""Large pieces of a stream are masked beside the loop, and only their own stream waits for it.

mitmproxy calls what a streamed answer runs through within the loop, and takes what that returns at once: one event of
megabytes would keep everybody waiting. Here a hook comes before the call where it would take long. A stream whose hook
is not over waits as any stream of mitmproxy's does: what comes for it is kept in order, and nothing more is read from
its model server meanwhile. A caller that left in between gets nothing of that piece.
"""

from __future__ import annotations

import asyncio
import functools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mitmproxy.http import HTTPFlow  # noqa: TC002 -- a dataclass's field
from mitmproxy.proxy import commands
from mitmproxy.proxy.layer import Layer
from mitmproxy.proxy.layers.http import HttpStream
from mitmproxy.proxy.layers.http._events import RequestProtocolError, ResponseData, ResponseEndOfMessage
from mitmproxy.proxy.server import ConnectionHandler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator

    from mitmproxy.connection import Connection
    from mitmproxy.proxy import events

    type Commands = Generator[commands.Command, Any, None]


@dataclass
class StreamPieceHook(commands.StartHook):
    """A piece of a streamed answer that takes long, before the answer's callable is given it."""

    flow: HTTPFlow


_waiting: WeakKeyDictionary[Connection, set[asyncio.Event]] = WeakKeyDictionary()
"""By a model server's connection: what is told when a piece from it is through."""


@contextmanager
def _waited_for(server: Connection) -> Iterator[None]:
    through, waiting = asyncio.Event(), _waiting.setdefault(server, set())
    waiting.add(through)
    try:
        yield
    finally:
        waiting.discard(through)
        through.set()


def beside(
    state: Callable[[HttpStream, events.Event], Commands],
) -> Callable[[HttpStream, events.Event], Commands]:
    """`HttpStream.state_stream_response_body`, waiting for the hook where the callable says that it takes long."""

    @functools.wraps(state)
    def streamed(stream: HttpStream, event: events.Event) -> Commands:
        response = stream.flow.response
        takes_long = getattr(response.stream, "takes_long", None) if response is not None else None
        piece = event.data if isinstance(event, ResponseData) else b""
        if takes_long and isinstance(event, ResponseData | ResponseEndOfMessage) and takes_long(piece):
            with _waited_for(stream.context.server):
                yield StreamPieceHook(stream.flow)
            came = stream._paused_event_queue  # noqa: SLF001 -- mitmproxy itself looks there for callers that left
            left = next((each for each in came if isinstance(each, RequestProtocolError)), None)
            if left is not None:
                came.clear()  # whatever else came is for nobody
                yield from stream.handle_protocol_error(left)
                return
        yield from state(stream, event)

    return streamed


def patient(drain: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """`ConnectionHandler.drain_writers`, for pieces as well: who reads an answer waits until one is through."""

    async def drained(handler: ConnectionHandler) -> None:
        await drain(handler)
        if not _waiting:
            return
        task = asyncio.current_task()
        for connection in [each for each, own in handler.transports.items() if own.handler is task]:
            while waiting := _waiting.get(connection):
                await next(iter(waiting)).wait()

    return drained


def install() -> None:
    """Take the place of mitmproxy's own; raises where this mitmproxy has other seams."""
    state: Any = HttpStream.state_stream_response_body
    calls, keeps = state.__wrapped__.__code__.co_names, Layer.__init__.__code__.co_names
    if "stream" not in calls or "_paused_event_queue" not in keeps:
        raise RuntimeError("mitmproxy streams in another way")
    for owner, name, ours in (
        (HttpStream, "state_stream_response_body", beside),
        (ConnectionHandler, "drain_writers", patient),
    ):
        setattr(owner, name, ours(getattr(owner, name)))
