"""A model server behind TLS: whose certificate it has to show, and what it is told of the caller's own greeting."""

import contextlib
import json
import socket
import ssl
import threading

import pytest

from processes import HOST, Gateway, settings
from tests.grpc_peer import certificate
from tests.traffic import CHAT, chat, completion

pytestmark = pytest.mark.live

ANSWER = completion("All is well.")


class Secret:
    """A model server that speaks TLS with one certificate, and keeps by which names it was asked for and how much."""

    def __init__(self, files):
        self.names, self.told = [], 0
        self.show(files)
        self._server = socket.create_server((HOST, 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def show(self, files):
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*files)
        self._tls.sni_callback = lambda _socket, name, _context: self.names.append(name)

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._server.accept()
                with contextlib.suppress(OSError), self._tls.wrap_socket(peer, server_side=True) as wire:
                    self._answer(wire)

    def _answer(self, wire):
        asked = b""
        while not asked.endswith(b"}"):
            if not (piece := wire.recv(65536)):
                return
            asked += piece
            self.told += len(piece)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        wire.sendall(head % len(ANSWER) + ANSWER)

    def close(self):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    files = certificate(tmp_path_factory.mktemp("certificate"))
    with contextlib.closing(Secret(files)) as server:
        server.certificate = files[0]
        yield server


@pytest.fixture(scope="module")
def guarded(secret, policy, tmp_path_factory):
    trusted = settings(ssl_verify_upstream_trusted_ca=secret.certificate)
    url = f"https://localhost:{secret.port}"
    with Gateway(url, policy, tmp_path_factory.mktemp("guarded"), extra=trusted) as running:
        yield running


def ask(gateway, bearer, name=None, *, tls=True):
    """The status of one question, by a caller whose TLS greeting asks for `name`."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    body = json.dumps(chat()).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {bearer}\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/json\r\nConnection: close\r\n\r\n"
    with socket.create_connection((HOST, gateway.port), timeout=10) as plain:
        wire = context.wrap_socket(plain, server_hostname=name) if tls else plain
        with wire:
            wire.sendall(head.encode() + body)
            return int(wire.recv(65536).split(b" ")[1])


@pytest.mark.parametrize("name", ["localhost", "gateway.example", "quartermaine.example", None])
def test_it_shows_the_certificate_of_its_own_name_whatever_the_caller_asks_the_gateway_for(
    guarded, secret, bearers, name
):
    secret.names.clear()
    assert ask(guarded, bearers["dr.okafor"], name) == 200
    assert secret.names == ["localhost"]


def test_it_is_asked_for_by_its_own_name_where_the_caller_speaks_no_tls(guarded, secret, bearers):
    secret.names.clear()
    assert ask(guarded, bearers["dr.okafor"], tls=False) == 200
    assert secret.names == ["localhost"]


def test_one_whose_certificate_nobody_vouches_for_is_told_nothing(guarded, secret, bearers, tmp_path):
    """Comes last: the server has another certificate from here on, of the same name."""
    secret.show(certificate(tmp_path))
    secret.told = 0
    assert ask(guarded, bearers["dr.okafor"], "localhost") == 502
    assert secret.told == 0
