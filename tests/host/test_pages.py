"""mitmproxy's own error pages say our words and echo nothing."""

import json
from types import SimpleNamespace

import pytest
from mitmproxy.proxy.layers.http import ErrorCode, ResponseProtocolError, _http1, _http2, _http3

from phigate.host import pages


def test_pages_take_mitmproxys_place_and_echo_nothing(seams):
    pages.install()
    raw = _http1.make_error_response(502, "unexpected server response: b'Canary'")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"Canary" not in raw
    assert b"mitmproxy" not in head.lower()
    assert json.loads(body)["error"]["code"] == "upstream-failed"
    page = "format_error"  # looked up by name: neither module says that it exports it
    assert b"Canary" not in getattr(_http2, page)(400, "Canary")
    assert json.loads(getattr(_http3, page)(413, "Canary"))["error"]["code"] == "too-large"


class Speaking:
    """As much of mitmproxy's HTTP/2 layer as its pages need."""

    def __init__(self, *, headers_sent=False, closed=False):
        machine = SimpleNamespace(headers_sent=headers_sent)
        self.h2_conn = SimpleNamespace(streams={1: SimpleNamespace(state_machine=machine)})
        self._closed = closed

    def is_closed(self, _stream_id):
        return self._closed

    def is_open_for_us(self, _stream_id):
        return not self._closed


def handled(layer, event):
    """What mitmproxy's own method would be asked to do."""

    def handle(_layer, each):
        yield each

    return list(pages.answering(handle)(layer, event))


def failed(code):
    return ResponseProtocolError(1, "Canary", code)


def test_a_stream_of_http2_gets_our_page():
    head, content, _ = handled(Speaking(), failed(ErrorCode.REQUEST_VALIDATION_FAILED))
    assert head.response.status_code == 400
    assert head.response.headers["phi-reason"] == "malformed"
    assert "connection" not in head.response.headers
    assert json.loads(content.data)["error"]["code"] == "malformed"


@pytest.mark.parametrize(
    ("layer", "event"),
    [
        (Speaking(headers_sent=True), failed(ErrorCode.GENERIC_SERVER_ERROR)),
        (Speaking(closed=True), failed(ErrorCode.GENERIC_SERVER_ERROR)),
        (Speaking(), failed(ErrorCode.KILL)),
        (Speaking(), object()),
    ],
    ids=["one that has an answer", "one that is closed", "one that has no status", "anything else"],
)
def test_where_there_is_nothing_to_answer_mitmproxy_goes_on(layer, event):
    assert handled(layer, event) == [event]


def test_a_broken_protocol_is_not_repeated_to_whoever_broke_it():
    def close(_layer, message, code):
        yield from (message, code)

    said = list(pages.ending(close)(None, "Invalid header Canary", 1))
    assert said == ["HTTP/2 protocol error", 1]
