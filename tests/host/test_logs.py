"""No log record of this process can carry content."""

import errno
import io
import logging
import sys
import warnings
from collections import Counter

import pytest
from mitmproxy.addons import termlog

from phigate.host import logs

CANARY = "Jane Q. Canary 123-45-6789"


@pytest.fixture
def lines():
    kept = []

    class Keep(logging.Handler):
        def emit(self, record):
            kept.append(logging.Formatter("%(name)s %(message)s").format(record))

    root, handler, factory = logging.getLogger(), Keep(), logging.getLogRecordFactory()
    level = root.level
    warned = warnings.showwarning
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logs.install()
    yield kept
    logging.setLogRecordFactory(factory)
    root.removeHandler(handler)
    root.setLevel(level)
    warnings.showwarning = warned


def broken():
    raise KeyError(CANARY)


def test_the_text_of_an_exception_is_left_out(lines):
    try:
        broken()
    except KeyError as error:
        logging.getLogger("mitmproxy.addonmanager").error(f"Addon error: {error}", exc_info=True)  # noqa: G004, G201 -- as mitmproxy does
    assert len(lines) == 1
    assert "KeyError at host/test_logs.py:" in lines[0]
    assert "in broken" in lines[0]
    assert "Canary" not in lines[0]


@pytest.mark.parametrize(
    ("message", "args"),
    [
        (f"mitmproxy has crashed! {CANARY}", ()),
        ("Unexpected data from server: %r", (CANARY,)),
        (f"Client closed connection before completing request headers: {CANARY!r}", ()),
        (f"Received {CANARY} from server, refusing to prevent request smuggling attacks.", ()),
        (f"server connect {CANARY}?", ()),
        (f"{CANARY} at 127.0.0.1:80 stopped.", ()),
        (f"reverse proxy to http://127.0.0.1:80/{CANARY} listening at 127.0.0.1:80.", ()),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_the_words_of_others_are_withheld(lines, message, args):
    logging.getLogger("mitmproxy.proxy.server").warning(message, *args)
    logging.getLogger("urllib3").debug(message, *args)
    assert len(lines) == 2
    assert "Canary" not in "".join(lines)
    assert all("message withheld" in line for line in lines)


@pytest.mark.parametrize(
    "message",
    [
        "client connect",
        "server connect 127.0.0.1:8000",
        "HTTP(S) proxy listening at *:8080.",
        "reverse proxy to http://127.0.0.1:8000 listening at 127.0.0.1:9000.",
        "reverse proxy to https://model:8000 listening at *:9000 and [::1]:9000.",
        "reverse proxy to http://127.0.0.1:8000 at 127.0.0.1:9000 stopped.",
    ],
)
def test_addresses_of_hosts_are_not(lines, message):
    logging.getLogger("mitmproxy.proxy.mode_servers").info(message)
    assert lines == [f"mitmproxy.proxy.mode_servers {message}"]


def test_a_warning_is_type_and_place(lines, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = logs._warned
        warnings.warn(CANARY, RuntimeWarning, stacklevel=1)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("phigate: RuntimeWarning at host/test_logs.py:")
    assert "Canary" not in said


def test_our_own_words_stay(lines):
    logging.getLogger("phigate.edits").warning("policy %s is in force", "abc")
    assert lines == ["phigate.edits policy abc is in force"]


class Gone:
    """A terminal that is closed."""

    isatty = lambda _self: False  # noqa: E731 -- as short as it is

    def write(self, _text):
        raise OSError(5, "Input/output error")


def test_a_log_that_cannot_be_written_ends_nothing_and_is_told(lines, monkeypatch):
    sink, record = termlog.TermLogHandler(Gone()), logging.LogRecord(*("phigate.x", 20, "", 1, "hello", None, None))
    with pytest.raises(SystemExit):
        sink.emit(record)
    assert logs.remarks() == {}
    monkeypatch.setattr(termlog.TermLogHandler, "emit", termlog.TermLogHandler.emit)
    monkeypatch.setattr(logs, "_lost", Counter())
    logs.keep_going()
    sink.emit(record)
    sink.emit(record)
    assert logs.remarks() == {"log": "2 lines could not be written"}


def test_each_line_is_written_at_once_and_what_cannot_be_is_no_reason_to_end_badly(monkeypatch):
    class Broken(io.BytesIO):
        def write(self, data):
            raise OSError(errno.EIO, "gone")

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(Broken(), write_through=False))
    logs.keep_going()
    sys.stdout.write("a line\n")
    assert raw.getvalue() == b"a line\n"
    sys.stderr.write("half a line")
    logs._let_go()
    assert sys.stderr is None
    sys.stdout.write("another\n")
