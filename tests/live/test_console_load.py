"""Whatever somebody does at the console's port, chats go on, and probes from elsewhere are answered."""

import contextlib
import socket
import threading
import time

import httpx
import pytest

from model_server import Answer
from processes import HOST
from tests.traffic import CHAT, chat, completion

pytestmark = pytest.mark.live

ELSEWHERE = "127.0.0.2"
ASKED = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
MANY = 60


class Hammer:
    """MANY connections from an address of their own that send something again and again, reading what comes."""

    def __init__(self, port, sent, *, again):
        self.port, self.sent, self.again = port, sent, again
        self.over, self.opened, self.read = threading.Event(), 0, 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(MANY)]

    def _run(self):
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                self._once()
            time.sleep(0.001)

    def _once(self):
        with socket.create_connection((HOST, self.port), 5, (ELSEWHERE, 0)) as wire:
            self.opened += 1
            wire.sendall(self.sent)
            while not self.over.is_set() and (got := wire.recv(65536)):
                self.read += got.count(b"alive")
                if not self.again:
                    return
                wire.sendall(self.sent)

    def __enter__(self):
        try:
            with socket.socket() as probe:
                probe.bind((ELSEWHERE, 0))
        except OSError:
            pytest.skip(f"{ELSEWHERE} is no address here")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self._threads:
            thread.join(10)


HAMMERS = [
    ("pipelined requests", ASKED * 50, True),
    ("requests one after another", ASKED, True),
    ("a connection for each request", ASKED, False),
    ("requests that never end", ASKED[:-2] + b"x: " + b"a" * 100, False),
    ("bodies in pieces of a byte", b"POST /token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     + b"1\r\na\r\n" * 20000, False),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "sent", "again"), HAMMERS, ids=[case[0] for case in HAMMERS])
def test_chats_and_probes_are_answered_in_spite_of(gateway, client, model, sentence, sent, again):
    model.script = Answer(completion())
    with Hammer(gateway.console, sent, again=again) as hammer:
        time.sleep(0.5)
        chats = [client.post(CHAT, json=chat()).status_code for _ in range(20)]
        probes = [httpx.get(f"{gateway.console_url}/healthz", trust_env=False).status_code for _ in range(10)]
    assert set(chats) == set(probes) == {200}
    assert hammer.opened >= MANY // 2
