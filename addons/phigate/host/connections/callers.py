"""Whether whoever asked is still there, while a hook of their request runs.

mitmproxy tells nobody of it until the hook is over. It reads on, though: a closed connection is known at once, and what
a client says of one stream (RFC 9113, 5.4.2) lies with that stream until its turn comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitmproxy.connection import ConnectionState
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.layers.http._events import RequestProtocolError

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow
    from mitmproxy.master import Master


def gone(master: Master, flow: HTTPFlow) -> bool:
    """Whether the client closed the flow's connection, or took back its stream."""
    proxyserver = master.addons.get("proxyserver")
    handler = proxyserver.connections.get(flow.client_conn.id) if proxyserver else None
    if handler is None or flow.client_conn.state is ConnectionState.CLOSED:
        return True
    streams = (
        stream
        for layer in handler.layer.context.layers
        if isinstance(layer, HttpLayer)
        for stream in layer.streams.values()
    )
    return any(_taken_back(stream) for stream in streams if getattr(stream, "flow", None) is flow)


def _taken_back(stream: HttpStream) -> bool:
    return any(isinstance(event, RequestProtocolError) for event in stream._paused_event_queue)  # noqa: SLF001 -- as above
