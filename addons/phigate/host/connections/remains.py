"""What mitmproxy keeps, on a connection that lasts, of exchanges that are over: nothing of it is of use to anybody.

- A stream that we ended, or whose body was too large, stays with its flow and all that was read of it.
- A connection to a model server stays once it is closed. HTTP/2 callers have one for each request; and one that could
  not be opened answers all later requests of that caller as it did the first.
- A stream of HTTP/2 stays as a number, as long as its caller ended it before it was answered.
- How each of 65,536 streams of a connection ended stays: 8 MB, of anybody who asks long enough, believed or not.

`HttpLayer` is one caller's connection. The seam is the method through which everything that happens on it goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.layers.http._http2 import Http2Server
from mitmproxy.proxy.layers.http._http_h2 import BufferedH2Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mitmproxy.connection import Connection
    from mitmproxy.proxy import commands

    type Commands = Generator[commands.Command, Any, None]


ENDED: Final = 1_000
"""Streams that ended last, of one connection, gRPC's too: what a peer sent before it heard of an end belongs to one."""


def forgetting(handle: Callable[[HttpLayer, events.Event], Commands]) -> Callable[[HttpLayer, events.Event], Commands]:
    """`HttpLayer._handle_event`, letting go of what is over."""

    def handled(layer: HttpLayer, event: events.Event) -> Commands:
        if isinstance(event, events.ConnectionEvent) and not _known(layer, event.connection):
            return  # its end is told after it was let go: it had already been closed
        before = len(layer.streams)
        yield from handle(layer, event)
        for stream in [each for each in layer.streams.values() if over(each)]:
            del layer.streams[stream.stream_id]
        if isinstance(event, events.ConnectionClosed) or len(layer.streams) < before:
            _let_go(layer)

    return handled


def over(stream: HttpStream) -> bool:
    """Whether a stream ended by something that went wrong, and waits for nobody: mitmproxy keeps only such ones."""
    flow = getattr(stream, "flow", None)
    ended = flow is not None and not flow.live and stream.client_state == stream.state_errored
    return ended and stream._paused is None  # noqa: SLF001 -- mitmproxy has no other word for it


def _known(layer: HttpLayer, connection: Connection) -> bool:
    return connection in layer.connections or connection in {layer.context.client, layer.context.server}


def _let_go(layer: HttpLayer) -> None:
    used = {stream.context.server for stream in layer.streams.values()}
    kept = used | {layer.context.client, layer.context.server} | layer.waiting_for_establishment.keys()
    for connection in layer.connections.keys() - kept:
        if connection.state is ConnectionState.CLOSED:
            del layer.connections[connection]
    speaker = layer.connections.get(layer.context.client)
    if isinstance(speaker, Http2Server):
        for number in [each for each in speaker.streams if speaker.is_closed(each)]:
            del speaker.streams[number]


def install() -> None:
    BufferedH2Connection.MAX_CLOSED_STREAMS = ENDED
    HttpLayer._handle_event = forgetting(  # type: ignore[method-assign,assignment]  # noqa: SLF001 -- the only seam
        HttpLayer._handle_event  # noqa: SLF001 -- as above
    )
