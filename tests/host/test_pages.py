"""mitmproxy's own error pages say our words and echo nothing."""

import json

from mitmproxy import version
from mitmproxy.proxy.layers.http import _http1, _http2, _http3

from phigate.host import pages


def test_pages_take_mitmproxys_place_and_echo_nothing(monkeypatch):
    for module in (_http1, _http2, _http3):
        monkeypatch.setattr(module, "format_error", module.format_error)
    monkeypatch.setattr(_http1, "make_error_response", _http1.make_error_response)
    monkeypatch.setattr(version, "MITMPROXY", version.MITMPROXY)
    pages.install()
    raw = _http1.make_error_response(502, "unexpected server response: b'Canary'")
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"Canary" not in raw
    assert b"mitmproxy" not in head.lower()
    assert json.loads(body)["error"]["code"] == "upstream-failed"
    page = "format_error"  # looked up by name: neither module says that it exports it
    assert b"Canary" not in getattr(_http2, page)(400, "Canary")
    assert json.loads(getattr(_http3, page)(413, "Canary"))["error"]["code"] == "too-large"
