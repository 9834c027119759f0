"""Anchors against real servers: a file, a syslog server with a certificate, a web server; and all of them gone."""

import base64
import re
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from phigate.journal import anchor, heads, note
from phigate.journal.anchor import Anchor, anchor_record, open_anchors
from phigate.journal.disk import JournalFault
from phigate.journal.note import Checkpoint
from tests.journal.proving import KEY

VKEY = note.vkey_of("phigate/gw-1", KEY)


def checkpoint(size):
    head = Checkpoint("phigate/gw-1", size, bytes([size]) * 32, ("file f", "time t"))
    return head, note.sign(head.text(), VKEY, KEY)


def until(true):
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def sizes(raw):
    """What `phigate verify --anchor` finds in a file."""
    return [head.size for head in heads.elsewhere(raw, "kept", {"phigate/gw-1": [VKEY]})["phigate/gw-1"].heads]


@pytest.fixture
def opened():
    every = []

    def open_(text):
        every.append(open_anchors(text, "gw-1"))
        return every[-1]

    yield open_
    for each in every:
        each.stop()


# -- which there are ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", []),
        (" , ", []),
        ("file:/mnt/log", ["file"]),
        ("syslog+tls://logs.example", ["syslog+tls://logs.example:6514"]),
        ("file:/mnt/a , syslog+tls://logs.example:99", ["file", "syslog+tls://logs.example:99"]),
        ("https://a.example/secret?token=x", ["https://a.example"]),
        ("https://a.example:8443/x", ["https://a.example:8443"]),
        ("http://127.0.0.1:80/x", ["http://127.0.0.1:80"]),
    ],
)
def test_records_name_kind_and_host_only(opened, text, where):
    assert [each.where for each in opened(text).every] == where


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "file:relative",
        "file://host/path",
        "http://a.example/x",
        "https://u:p@a.example/",
        "syslog://h",
        "syslog+tls://",
        "https://",
        "https://a:b/",
        "ftp://a/b",
    ],
)
def test_what_is_no_anchor(text):
    with pytest.raises(JournalFault) as told:
        open_anchors(f"file:/ok,{text}", "gw-1")
    assert "u:p" not in str(told.value)


# -- a file ---------------------------------------------------------------------------------------------------------


def test_a_file_is_appended_to(opened, tmp_path):
    path = tmp_path / "kept"
    anchors = opened(f"file:{path}")
    (one,) = anchors.every
    for size in (3, 5):
        anchors.offer(*checkpoint(size))
        until(lambda size=size: one.size == size)
    assert path.read_bytes() == checkpoint(3)[1] + checkpoint(5)[1]
    assert path.stat().st_mode & 0o777 == 0o600
    assert sizes(path.read_bytes()) == [3, 5]
    assert anchors.remarks() == {}


def test_a_file_that_cannot_be_written_is_said_and_tried_again(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(anchor, "AGAIN", (0.02,))
    path = tmp_path / "gone" / "kept"
    anchors = opened(f"file:{path}")
    anchors.offer(*checkpoint(3))
    until(anchors.remarks)
    assert anchors.remarks() == {"journal-anchor file": "takes no checkpoint (FileNotFoundError)"}
    anchors.offer(*checkpoint(5))
    path.parent.mkdir()
    until(lambda: not anchors.remarks())
    assert sizes(path.read_bytes()) == [5]


# -- a syslog server ------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + private)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


class Syslog(threading.Thread):
    """Reads one frame a connection (RFC 5425), keeps the message as a line, and ends in order."""

    def __init__(self, certificate):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.kept = b""
        self.start()

    def run(self):
        while True:
            try:
                plain, _ = self.socket.accept()
                with self.context.wrap_socket(plain, server_side=True) as secure:
                    raw = b""
                    while piece := secure.recv(65536):
                        raw += piece
                    length, _, message = raw.partition(b" ")
                    assert int(length) == len(message)
                    self.kept += message + b"\n"
                    secure.unwrap()
            except ssl.SSLError:
                continue
            except OSError:
                return


@pytest.fixture
def syslog(certificate):
    server = Syslog(certificate)
    yield server
    server.socket.shutdown(socket.SHUT_RDWR)
    server.socket.close()
    server.join(5)


def test_a_syslog_server_keeps_what_verify_reads(opened, syslog):
    anchors = opened(f"syslog+tls://localhost:{syslog.port}")
    (one,) = anchors.every
    anchors.offer(*checkpoint(7))
    until(lambda: one.size == 7)
    assert re.fullmatch(
        rb"<109>1 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z gw-1 phigate - checkpoint - "
        rb"origin=phigate/gw-1 size=7 root=[A-Za-z0-9+/=]{44} note=[A-Za-z0-9+/=]+\n",
        syslog.kept,
    )
    assert sizes(syslog.kept) == [7]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_certificate_that_does_not_hold_is_told_nothing(opened, syslog, monkeypatch, tmp_path, name):
    if name == "localhost":  # the right name, and nobody vouches for it
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    anchors = opened(f"syslog+tls://{name}:{syslog.port}")
    anchors.offer(*checkpoint(7))
    until(anchors.remarks)
    assert "SSLCertVerificationError" in str(anchors.remarks())
    assert syslog.kept == b""


# -- a web server ---------------------------------------------------------------------------------------------------


@pytest.fixture
def web():
    class Keeper(BaseHTTPRequestHandler):
        kept, status = b"", 200

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.status == 200:
                Keeper.kept += body
            self.send_response(self.status)
            self.send_header("location", "/other")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Keeper)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    server.keeper = Keeper
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_web_server_is_posted_the_note(opened, web):
    anchors = opened(f"http://127.0.0.1:{web.server_port}/keep?x=1")
    anchors.offer(*checkpoint(9))
    until(lambda: anchors.every[0].size == 9)
    assert web.keeper.kept == checkpoint(9)[1]


@pytest.mark.parametrize("status", [302, 401, 500])
def test_a_web_server_that_does_not_take_it(opened, web, status):
    web.keeper.status = status
    anchors = opened(f"http://127.0.0.1:{web.server_port}/keep")
    anchors.offer(*checkpoint(9))
    until(anchors.remarks)
    assert anchors.every[0].size == 0
    assert web.keeper.kept == b""


# -- time -----------------------------------------------------------------------------------------------------------


def test_an_anchor_that_hangs_holds_nobody_up_and_gets_the_newest_then():
    go, sent = threading.Event(), []

    def send(head, _signed):
        sent.append(head.size)
        assert go.wait(5)

    one = Anchor("slow", send)
    started = time.perf_counter()
    for size in range(1, 100):
        one.offer(*checkpoint(size))
    assert time.perf_counter() - started < 1
    until(lambda: sent)
    go.set()
    until(lambda: one.size == 99)
    assert len(sent) < 99
    one.leave()
    one.join(5)


def test_it_is_put_on_record_once_a_minute():
    one = Anchor("there", lambda *_: None)
    assert one.taken(0.0) is None
    one.offer(*checkpoint(3))
    until(lambda: one.size == 3)
    taken = one.taken(0.0)
    assert anchor_record(taken) == {"where": "there", "size": 3, "root": "03" * 32}
    one.offer(*checkpoint(4))
    until(lambda: one.size == 4)
    assert one.taken(59.0) is None
    assert one.taken(60.0).size == 4
    assert one.taken(200.0) is None
    one.leave()
    one.join(5)


def test_the_last_checkpoint_is_given_away_at_the_end(tmp_path):
    anchors = open_anchors(f"file:{tmp_path / 'kept'}", "gw-1")
    anchors.offer(*checkpoint(8))
    anchors.stop()
    assert sizes((tmp_path / "kept").read_bytes()) == [8]


def test_a_message_names_the_root_for_people():
    head, signed = checkpoint(2)
    said = anchor.message("h", head, signed, datetime(2026, 11, 23, tzinfo=UTC))
    assert base64.b64encode(head.root) in said
    assert anchor.frame(b"abc") == b"3 abc"
