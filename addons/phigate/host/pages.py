"""Our own words in place of mitmproxy's error pages, which echo bytes of the request and of the answer."""

from __future__ import annotations

import orjson
from mitmproxy import http, version
from mitmproxy.net.http import http1
from mitmproxy.proxy.layers.http import _http1, _http2, _http3

_WORDS = {
    400: ("malformed", "The request could not be read."),
    413: ("too-large", "The request is larger than this gateway takes."),
    502: ("upstream-failed", "The model server could not be reached or broke its protocol."),
}


def body(status: int) -> bytes:
    """The JSON error of a status, in the shape that OpenAI clients read (and others show)."""
    code, message = _WORDS.get(status, ("refused", "The request could not be served."))
    return orjson.dumps({"error": {"message": message, "type": "gateway_error", "param": None, "code": code}})


def format_error(status_code: int, message: str) -> bytes:  # noqa: ARG001 -- mitmproxy's signature; its words stay unsaid
    return body(status_code)


def make_error_response(status_code: int, message: str = "") -> bytes:  # noqa: ARG001 -- as above
    code, _ = _WORDS.get(status_code, ("refused", ""))
    headers = http.Headers(
        content_type="application/json",
        connection="close",
        cache_control="no-store",
        phi_decision="deny",
        phi_reason=code,
    )
    page: bytes = http1.assemble_response(http.Response.make(status_code, body(status_code), headers))
    return page


def install() -> None:
    """Take the place of mitmproxy's pages; raises AttributeError where this mitmproxy has other seams."""
    for module in (_http1, _http2, _http3):
        module.format_error  # noqa: B018 -- fails loudly at start when mitmproxy moved it
        setattr(module, "format_error", format_error)  # noqa: B010 -- not among the names it exports, for mypy
    _http1.make_error_response  # noqa: B018 -- as above
    _http1.make_error_response = make_error_response
    version.MITMPROXY = "phigate"
