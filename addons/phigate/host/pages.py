"""Our own words in place of mitmproxy's error pages, which echo bytes of the request and of the answer.

The same for what HTTP/2 says with the end of a connection (RFC 9113, 6.8: additional debug data).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from h2.errors import ErrorCodes
from mitmproxy import http, version
from mitmproxy.net.http import http1
from mitmproxy.proxy.layers.http import _http1, _http2, _http3
from mitmproxy.proxy.layers.http._events import (
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mitmproxy.proxy import commands, events

    type Commands = Generator[commands.Command, Any, None]

_WORDS = {
    400: ("malformed", "The request could not be read."),
    408: ("too-slow", "The request did not come in time."),
    413: ("too-large", "The request is larger than this gateway takes."),
    431: ("headers-too-large", "The request's headers are too large."),
    502: ("upstream-failed", "The model server could not be reached or broke its protocol."),
}


def body(status: int) -> bytes:
    """The JSON error of a status, in the shape that OpenAI clients read (and others show)."""
    code, message = _WORDS.get(status, ("refused", "The request could not be served."))
    return orjson.dumps({"error": {"message": message, "type": "gateway_error", "param": None, "code": code}})


def format_error(status_code: int, message: str) -> bytes:  # noqa: ARG001 -- mitmproxy's signature; its words stay unsaid
    return body(status_code)


def make_error_response(status_code: int, message: str = "") -> bytes:  # noqa: ARG001 -- as above
    """The whole answer as HTTP/1 has it; the connection ends with it."""
    made = _page(status_code)
    made.headers["connection"] = "close"
    page: bytes = http1.assemble_response(made)
    return page


def _page(status: int) -> http.Response:
    code, _ = _WORDS.get(status, ("refused", ""))
    headers = http.Headers(
        content_type="application/json", cache_control="no-store", phi_decision="deny", phi_reason=code
    )
    return http.Response.make(status, body(status), headers)


def answering(handle: Callable[[Any, events.Event], Commands]) -> Callable[[Any, events.Event], Commands]:
    """`Http2Server._handle_event`, with our page where mitmproxy would write one of its own into a stream."""

    def handled(layer: _http2.Http2Server, event: events.Event) -> Commands:
        status = event.code.http_status_code() if isinstance(event, ResponseProtocolError) else None
        if not isinstance(event, ResponseProtocolError) or status is None or not _unanswered(layer, event.stream_id):
            yield from handle(layer, event)
            return
        page = _page(status)
        yield from handle(layer, ResponseHeaders(event.stream_id, page))
        yield from handle(layer, ResponseData(event.stream_id, body(status)))
        yield from handle(layer, ResponseEndOfMessage(event.stream_id))

    return handled


def _unanswered(layer: _http2.Http2Server, stream_id: int) -> bool:
    if layer.is_closed(stream_id) or not layer.is_open_for_us(stream_id):
        return False
    return not layer.h2_conn.streams[stream_id].state_machine.headers_sent


def ending(close: Callable[..., Commands]) -> Callable[..., Commands]:
    """`Http2Connection.protocol_error`, without the bytes that broke the protocol."""

    def closed(
        layer: _http2.Http2Connection,
        message: str,  # noqa: ARG001 -- as above
        error_code: int = ErrorCodes.PROTOCOL_ERROR,
    ) -> Commands:
        yield from close(layer, "HTTP/2 protocol error", error_code)

    return closed


def install() -> None:
    """Take the place of mitmproxy's pages; raises AttributeError where this mitmproxy has other seams."""
    for module in (_http1, _http2, _http3):
        module.format_error  # noqa: B018 -- fails loudly at start when mitmproxy moved it
        setattr(module, "format_error", format_error)  # noqa: B010 -- not among the names it exports, for mypy
    _http1.make_error_response  # noqa: B018 -- as above
    _http1.make_error_response = make_error_response
    for owner, name, ours in (
        (_http2.Http2Server, "_handle_event", answering),
        (_http2.Http2Connection, "protocol_error", ending),
    ):
        setattr(owner, name, ours(getattr(owner, name)))
    version.MITMPROXY = "phigate"
