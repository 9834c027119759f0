"""What the tests of the glue share: a furnished house, and a mitmproxy that is left as it was found."""

import gc
import logging
import os
import signal
import sys
import threading

import httpx
import pytest
from httpx._transports import default
from hypothesis import settings
from mitmproxy import http, version
from mitmproxy.addons import termlog
from mitmproxy.proxy.layers import websocket
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream, _http1, _http2, _http3
from mitmproxy.proxy.layers.http._http_h2 import BufferedH2Connection
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.utils import asyncio_utils, human

from tests import stage
from tests.postgres import postgres_server, postgres_url  # noqa: F401 -- fixtures for all tests

_made = httpx.create_ssl_context
_known = _made()


def _anchors(verify=True, cert=None, trust_env=True):
    """What httpx reads for each of its clients, plain HTTP or not: 20 ms of the processor, a thousand times over."""
    told = cert is not None or {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys()
    return _known if verify is True and not told else _made(verify, cert, trust_env)


default.create_ssl_context = _anchors

settings.register_profile("house", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("house")


def pytest_configure():
    """Heed the signals that whoever ran this in the background had it ignore, as what it starts would ignore them."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_collection_finish():
    """Keep the collector from walking thousands of tests again and again: each time took a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _umask():
    """A gateway that starts in a test makes files its own for good (host/kernel.py)."""
    os.umask(0o022)
    yield
    os.umask(0o022)


@pytest.fixture
async def context():
    """A mitmproxy in the test's own loop."""
    with stage.mitmproxy() as made:
        yield made


@pytest.fixture
def house(tmp_path, context):
    """A house with a policy in force and a journal, whose observers are those of `context`."""
    made = stage.observed(stage.furnished(tmp_path), context)
    made.ready = True
    yield made
    made.journal.close("test over")


SEAMS = [
    (sys, "excepthook"),
    (sys, "unraisablehook"),
    (threading, "excepthook"),
    (logging, "_logRecordFactory"),
    (version, "MITMPROXY"),
    (_http1, "format_error"),
    (_http2, "format_error"),
    (_http3, "format_error"),
    (_http1, "make_error_response"),
    (_http2.Http2Server, "_handle_event"),
    (_http2.Http2Server, "handle_h2_event"),
    (BufferedH2Connection, "MAX_CLOSED_STREAMS"),
    (BufferedH2Connection, "_receive_frame"),
    (BufferedH2Connection, "stream_window_updated"),
    (BufferedH2Connection, "send_data"),
    (ConnectionHandler, "drain_writers"),
    (_http2.Http2Connection, "protocol_error"),
    (_http1, "ChunkedReader"),
    (_http1.Http1Server, "read_headers"),
    (_http1.Http1Server, "read_body"),
    (_http1.Http1Server, "send"),
    (_http1.Http1Server, "wait"),
    (_http1.Http1Client, "read_headers"),
    (HttpStream, "state_done"),
    *((HttpStream, name) for name in ("handle_protocol_error", "check_invalid", "check_body_size")),
    (ConnectionHandler, "log"),
    (ConnectionHandler, "handle_connection"),
    (http.MessageData, "__post_init__"),
    *((http.Headers, name) for name in ("get_all", "get", "__contains__")),
    (asyncio_utils, "set_task_debug_info"),
    (human, "parse_size"),
    (websocket, "WebsocketLayer"),
    (HttpLayer, "_handle_event"),
    (HttpStream, "state_stream_response_body"),
    (termlog.TermLogHandler, "emit"),
]
"""What the gateway changes of this process when it starts (host/)."""


@pytest.fixture
def seams(monkeypatch):
    """Everything that a starting gateway changes for good, put back after the test."""
    for owner, name in SEAMS:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    chatty = [logging.getLogger(name) for name in ("httpx", "httpcore", "uvicorn")]
    levels, thresholds, turn = [each.level for each in chatty], gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(turn)
    for each, level in zip(chatty, levels, strict=True):
        each.setLevel(level)
