"""Whatever somebody does at the console's port, chats go on, and probes from elsewhere are answered."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from model_server import Answer
from tests.traffic import CHAT, chat, completion

pytestmark = pytest.mark.live

ELSEWHERE = "127.0.0.2"
ASKED = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
MANY = 60
SECONDS, PATIENCE = 60, 50
"""After which a hammer ends by itself; how long an answer may take on a busy machine: that it comes is what counts."""


class Hammer:
    """MANY connections from an address of their own, in a process apart (hammer.py)."""

    def __init__(self, port, sent, *, again, folder):
        self.port, self.sent, self.again, self.said = port, sent, again, folder / "opened"

    def __enter__(self):
        try:
            with socket.socket() as probe:
                probe.bind((ELSEWHERE, 0))
        except OSError:
            pytest.skip(f"{ELSEWHERE} is no address here")
        program = str(Path(__file__).with_name("hammer.py"))
        arguments = [str(self.port), ELSEWHERE, str(MANY), str(SECONDS), "again" if self.again else "once"]
        with self.said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, program, *arguments], stdin=subprocess.PIPE, stdout=said, stderr=subprocess.DEVNULL
            )
        self._process.stdin.write(self.sent)
        self._process.stdin.close()
        return self

    @property
    def opened(self):
        return self.said.read_bytes().count(b"\n")

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()


HAMMERS = [
    ("pipelined requests", ASKED * 50, True),
    ("requests one after another", ASKED, True),
    ("a connection for each request", ASKED, False),
    ("requests that never end", ASKED[:-2] + b"x: " + b"a" * 100, False),
    ("bodies in pieces of a byte", b"POST /token HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     + b"1\r\na\r\n" * 20000, False),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "sent", "again"), HAMMERS, ids=[case[0] for case in HAMMERS])
def test_chats_and_probes_are_answered_in_spite_of(gateway, client, model, tmp_path, sentence, sent, again):
    model.script = Answer(completion())
    with Hammer(gateway.console, sent, again=again, folder=tmp_path) as hammer:
        time.sleep(1)
        chats = [client.post(CHAT, json=chat(), timeout=PATIENCE).status_code for _ in range(20)]
        probes = [
            httpx.get(f"{gateway.console_url}/healthz", trust_env=False, timeout=PATIENCE).status_code
            for _ in range(10)
        ]
    assert set(chats) == set(probes) == {200}
    assert hammer.opened >= MANY // 2
