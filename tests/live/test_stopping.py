"""The gateway ends: told to, told twice, at its start, with its terminal, or killed under load at any moment.

Told to end it says so first, takes nothing new, lets what is under way finish, and cuts off the rest on record. Killed
it loses nothing of which anybody was told.
"""

import contextlib
import fcntl
import os
import pty
import random
import signal
import socket
import subprocess
import termios
import threading
import time

import httpx
import pytest

from phigate.journal import folder, note, read
from processes import HOST, Child, Gateway, listening, settings
from tests.live.wayward import STREAM, Wayward, chunk, stream, usual, whole
from tests.traffic import CANARY_TEXT, CHAT, chat, events, leaks, said

pytestmark = pytest.mark.live

THOROUGH = bool(os.environ.get("PHIGATE_THOROUGH"))
TEXT = "The ward is quiet today. " * 4


@pytest.fixture(scope="module")
def peer():
    with Wayward() as running:
        yield running


@pytest.fixture(autouse=True)
def _as_usual(peer):
    peer.act = usual
    peer.requests.clear()


def headers_of(bearer):
    return {"authorization": f"Bearer {bearer}"}


def caller(gateway, bearer):
    return httpx.Client(base_url=gateway.url, headers=headers_of(bearer), trust_env=False, timeout=20)


def readiness(gateway):
    return httpx.get(f"{gateway.console_url}/readyz", trust_env=False, timeout=5)


def every(gateway):
    """Its records, also of files that are compressed by now."""
    found = (item for file in read.files(gateway.journal) for item in read.entries(file.path))
    return [item.record for item in found if isinstance(item, read.Entry)]


def intact(gateway):
    """Whether the journal proves itself, by the gateway's own key."""
    keys = [note.parse_vkey(gateway.checkpoint_key.read_text().strip())]
    proofs = folder.prove(gateway.journal, keys)
    return [finding for proof in proofs for finding in proof.findings] == [] and len(proofs) == 1


def ends(gateway):
    """How the journal ends, and how its answers did."""
    kept = every(gateway)
    return kept[-1]["kind"], [record["outcome"] for record in kept if record["kind"] == "response"]


class Held:
    """A model that answers once `go` is set, unless that is to be at once; a stream is in the middle by then."""

    def __init__(self):
        self.go = threading.Event()

    def __call__(self, wire, request):
        if b"at once" in request:
            return usual(wire, request)
        if b'"stream":true' not in request:
            self.go.wait(20)
            wire.sendall(whole(CANARY_TEXT))
            return True
        parts = stream(TEXT)
        wire.sendall(STREAM + b"".join(parts[:8]))
        self.go.wait(20)
        wire.sendall(b"".join(parts[8:]))
        return True


class Asking(threading.Thread):
    """A request whose answer is awaited: `begun` is set with its first byte, `got` and `broke` say what came."""

    def __init__(self, gateway, bearer, **more):
        super().__init__(daemon=True)
        self.begun, self.got, self.status, self.broke = threading.Event(), b"", 0, False
        self.fields = httpx.Headers()
        self._ask = gateway.url, bearer, more
        self.start()

    def run(self):
        url, bearer, more = self._ask
        try:
            with httpx.stream(
                "POST", url + CHAT, json=chat(**more), headers=headers_of(bearer), trust_env=False, timeout=30
            ) as answer:
                self.status, self.fields = answer.status_code, answer.headers
                for piece in answer.iter_raw():
                    self.got += piece
                    self.begun.set()
        except httpx.HTTPError:
            self.broke = True

    def over(self, seconds=20):
        self.join(seconds)
        assert not self.is_alive()
        return self


def until(true, seconds=10.0):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
    return found


# -- told to end ----------------------------------------------------------------------------------------------------


def test_balancers_are_told_first_and_whoever_is_under_way_finishes(peer, policy, bearers, tmp_path):
    doctor, peer.act = bearers["dr.okafor"], Held()
    gateway = Gateway(peer.url, policy, tmp_path / "g", extra=settings(phi_leave_after="2.5"))
    with gateway, caller(gateway, doctor) as staying, socket.create_connection((HOST, gateway.port)) as silent:
        assert staying.post(CHAT, json=chat("at once")).status_code == 200
        streaming = Asking(gateway, doctor, stream=True)
        assert streaming.begun.wait(10)
        began = time.monotonic()
        gateway.process.terminate()

        state = until(lambda: (found := readiness(gateway)).status_code == 503 and found.json(), 2)
        assert (state["ready"], state["checks"]["gateway"]) == (False, False)
        assert state["remarks"]["gateway"].startswith("leaving")
        told = staying.post(CHAT, json=chat("at once"))
        assert told.status_code == 200, "who comes before balancers know is served"
        assert told.headers["connection"] == "close"
        assert time.monotonic() - began < 2.5

        until(lambda: not listening(gateway.port))
        assert time.monotonic() - began >= 2.4
        silent.sendall(f"GET /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {doctor}\r\n\r\n".encode())
        silent.settimeout(10)
        refused = b"".join(iter(lambda: silent.recv(65536), b""))
        assert refused.startswith(b"HTTP/1.1 503 ")
        assert b"phi-reason: not-ready\r\n" in refused
        assert b"retry-after: 1\r\n" in refused
        assert b"connection: close\r\n" in refused
        peer.act.go.set()
        assert said(streaming.over().got) == TEXT
        assert gateway.process.wait(10) == 0
    last, outcomes = ends(gateway)
    assert last == "closed"
    assert outcomes == ["complete"] * 3
    assert intact(gateway)


def cut_by_the_limit(_gateway):
    """Nothing more is needed."""


def cut_by_a_second_signal(gateway):
    until(lambda: readiness(gateway).status_code == 503)
    time.sleep(0.6)  # what comes in the moment of the first one is no second
    gateway.process.send_signal(signal.SIGINT)


@pytest.mark.parametrize(("within", "cut"), [("1", cut_by_the_limit), ("60", cut_by_a_second_signal)])
def test_what_is_cut_off_is_on_record_as_broken_off(peer, policy, bearers, tmp_path, within, cut):
    doctor, peer.act = bearers["dr.okafor"], Held()
    with Gateway(peer.url, policy, tmp_path / "g", extra=settings(phi_leave_within=within)) as gateway:
        asked = [Asking(gateway, doctor, stream=True), Asking(gateway, doctor)]
        assert asked[0].begun.wait(10)
        until(lambda: len(peer.requests) == 2)
        gateway.process.send_signal(signal.SIGINT)
        cut(gateway)
        assert gateway.process.wait(10) == 0
        assert [each.over().broke for each in asked] == [True, True]
        assert asked[1].got == b""
    assert ends(gateway) == ("closed", ["interrupted", "interrupted"])
    assert intact(gateway)
    peer.act.go.set()


class AtTerminal(Gateway):
    """A gateway that somebody started in a terminal."""

    def start(self):
        self.terminal, theirs = pty.openpty()

        def take():
            fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

        with contextlib.closing(os.fdopen(theirs, closefd=True)):
            self.process = subprocess.Popen(
                self.command,
                cwd=self.log.parent,
                start_new_session=True,
                preexec_fn=take,  # noqa: PLW1509 -- one call of the system's
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
            )
        self.log.write_bytes(b"")
        threading.Thread(target=self._listen, daemon=True).start()
        self.wait_until(self.ready)
        return self

    def _listen(self):
        with contextlib.suppress(OSError), self.log.open("ab", buffering=0) as log:
            while piece := os.read(self.terminal, 65536):
                log.write(piece)


def test_with_its_terminal_it_ends_in_order(peer, policy, bearers, tmp_path):
    peer.act = Held()
    with AtTerminal(peer.url, policy, tmp_path / "g", extra=["-v"]) as gateway:
        streaming = Asking(gateway, bearers["dr.okafor"], stream=True)
        assert streaming.begun.wait(10)
        os.close(gateway.terminal)
        until(lambda: not listening(gateway.port))
        peer.act.go.set()
        assert said(streaming.over().got) == TEXT
        assert gateway.process.wait(10) == 0
    assert ends(gateway) == ("closed", ["complete"])


def test_at_its_start_it_ends_at_once_and_leaves_nothing_that_stops_the_next(peer, policy, bearers, tmp_path):
    gateway = Gateway(peer.url, policy, tmp_path / "g")
    for begun in (lambda: True, lambda: gateway.journal.exists() and any(gateway.journal.glob("*.jsonl"))):
        Child.start(gateway)
        gateway.wait_until(begun)
        gateway.process.terminate()
        assert gateway.process.wait(20) in {0, -signal.SIGTERM}
        assert not listening(gateway.port)
    with gateway, caller(gateway, bearers["dr.okafor"]) as client:
        assert client.post(CHAT, json=chat()).status_code == 200
    assert intact(gateway)


# -- killed -----------------------------------------------------------------------------------------------------------


class Load:
    """Callers without pause; what each got of which exchange, until the gateway is gone."""

    def __init__(self, gateway, bearer):
        self.whole, self.streamed, self.ended = {}, {}, set()
        self._stop = False
        self._threads = [
            threading.Thread(target=self._ask, args=(gateway, bearer, each % 2 == 1), daemon=True) for each in range(4)
        ]
        for each in self._threads:
            each.start()

    def _ask(self, gateway, bearer, stream):
        with caller(gateway, bearer) as client, contextlib.suppress(httpx.HTTPError):
            while not self._stop:
                with client.stream("POST", CHAT, json=chat(CANARY_TEXT, stream=stream)) as answer:
                    assert answer.status_code == 200, answer.status_code
                    got = self.streamed if stream else self.whole
                    exchange = answer.headers["phi-exchange"]
                    got[exchange] = []
                    for piece in answer.iter_raw():
                        got[exchange].append((time.monotonic(), piece))
                self.ended.add(exchange)

    def over(self):
        self._stop = True
        for each in self._threads:
            each.join(20)
            assert not each.is_alive()


def slow_stream(wire, request):
    if b'"stream":true' not in request:
        return usual(wire, request)
    wire.sendall(STREAM)
    for event in events("All is well on the ward. " * 4, step=8):
        time.sleep(0.02)
        wire.sendall(chunk(event))
    wire.sendall(b"0\r\n\r\n")
    return True


def texts(kept, exchange):
    """What of a stream's text is on record."""
    own = [record for record in kept if record.get("exchange") == exchange]
    return "".join(str(record["body"]) for record in own if record["kind"] == "part")


@pytest.mark.timeout(900)
def test_killed_at_any_moment_under_load_nothing_is_lost_of_which_anybody_was_told(peer, policy, bearers, tmp_path):
    """Twice; fifty with PHIGATE_THOROUGH=1."""
    doctor, chance, told = bearers["dr.okafor"], random.Random(8), 0
    peer.act = slow_stream
    for turn in range(50 if THOROUGH else 2):
        gateway = Gateway(peer.url, policy, tmp_path / "g", console=None)
        peer.requests.clear()
        with gateway:
            load = Load(gateway, doctor)
            until(lambda: len(load.whole) > 1 and load.streamed)  # noqa: B023 -- it is over within its turn
            time.sleep(chance.uniform(0, 0.4))
            killed = time.monotonic()
            gateway.process.kill()
            load.over()
        kept = every(gateway)
        asked = {record["exchange"] for record in kept if record["kind"] == "request"}
        answered = {record["exchange"] for record in kept if record["kind"] == "response"}
        assert {*load.whole, *load.streamed} <= asked, turn
        assert {exchange for exchange, got in load.whole.items() if got} | load.ended <= answered, turn
        for exchange, got in load.streamed.items():
            assert leaks(b"".join(piece for _, piece in got)) == []
            sure = said(b"".join(piece for at, piece in got if at < killed - 0.5))
            if exchange not in answered:
                assert texts(kept, exchange).startswith(sure), turn
        assert sum(record["kind"] == "request" for record in kept) >= told
        told = sum(record["kind"] == "request" for record in kept)
    with Gateway(peer.url, policy, tmp_path / "g") as gateway, caller(gateway, doctor) as client:
        assert client.post(CHAT, json=chat()).status_code == 200
        kept = every(gateway)
        over = {
            record["exchange"]
            for record in kept
            if record["kind"] in {"response", "recovered"} and "exchange" in record
        }
        assert {record["exchange"] for record in kept if record["kind"] == "request"} <= over
    assert intact(gateway)


def test_a_use_that_was_spent_stays_spent(peer, policy, bearers, issuer, tmp_path):
    """The model was asked and never answered: whoever wants it asked again asks people again."""
    once = tmp_path / "once"
    once.mkdir()
    text = policy.read_text()
    assert "    grant: {for: PT30M}\n" in text
    mine = once / "policy.yaml"
    mine.write_text(text.replace("    grant: {for: PT30M}\n", "    grant: {for: PT30M, uses: 1}\n"))
    officer, why = issuer.mint("kai.holm", groups=["privacy"]), {"phi-unmask": "ward round"}

    def ask(gateway):
        with caller(gateway, bearers["dr.okafor"]) as client:
            return client.post(CHAT, json=chat(), headers=why)

    with Gateway(peer.url, mine, tmp_path / "g") as gateway:
        ticket = ask(gateway).json()["error"]["ticket"]
        url = f"{gateway.console_url}/tickets/{ticket}/approve"
        assert httpx.post(url, headers=headers_of(officer), trust_env=False).status_code == 200
        peer.act = lambda _wire, _request: gateway.process.kill()
        with pytest.raises(httpx.HTTPError):
            ask(gateway)
        gateway.process.wait(10)
    peer.act = usual
    with Gateway(peer.url, mine, tmp_path / "g") as gateway:
        again = ask(gateway)
        assert (again.status_code, again.json()["error"]["code"]) == (403, "approval-required")
        assert again.json()["error"]["ticket"] != ticket
    assert len(peer.requests) == 1
