"""Any function of the chain may raise while a WebSocket is open: nothing passes that nobody looked at.

As tests/live/test_broken.py does for requests: one real mitmdump, in which each function is made to raise in turn.
"""

import contextlib
import json
import os

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from processes import HOST
from tests.live.realtime import Model, ask, opened, spoken
from tests.live.test_broken import SECRET, Breakable
from tests.traffic import CANARY_TEXT, leaks, records

pytestmark = pytest.mark.live

OPENING = [
    "phigate.gate.addon:Refuse.requestheaders",
    "phigate.identity.addon:Identity.request",
    "phigate.access.addon:Access.request",
    "phigate.masking.addon:Masking.request",
    "phigate.capture.addon:Capture.request",
    "phigate.gate.addon:Release.request",
    "phigate.gate.addon:Refuse.responseheaders",
    "phigate.gate.addon:Refuse.response",
    "phigate.masking.addon:Masking.response",
    "phigate.gate.addon:Release.response",
    "phigate.gate.addon:Refuse.websocket_start",
    "phigate.gate.handshake:answered",
]
SPEAKING = [
    "phigate.gate.addon:Refuse.websocket_message",
    "phigate.identity.addon:Identity.websocket_message",
    "phigate.access.addon:Access.websocket_message",
    "phigate.masking.addon:Masking.websocket_message",
    "phigate.masking.conversation:Conversation.hear",
    "phigate.capture.addon:Capture.websocket_message",
    "phigate.gate.addon:Release.websocket_message",
    "phigate.gate.sentinel:Sentinel.websocket_message",
    "phigate.flows:may_say",
    "phigate.flows:handed",
    "phigate.host.connections.sockets:Socket._message",
]
AROUND = [
    "phigate.gate.sentinel:Sentinel.websocket_start",
    "phigate.gate.sentinel:Sentinel.websocket_end",
    "phigate.masking.addon:Masking.websocket_end",
    "phigate.capture.addon:Capture.websocket_end",
]


@pytest.fixture(scope="module")
def talking():
    with Model() as running:
        yield running


@pytest.fixture(scope="module")
def breakable(talking, policy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("breakable") / "run"
    with Breakable(f"http://{HOST}:{talking.port}", policy, folder) as running:
        yield running


def converse(gateway, bearer):
    """Everything that a caller hears, and whether it was the whole answer."""
    got = []
    with (
        contextlib.suppress(ConnectionClosed, InvalidHandshake, OSError, TimeoutError),
        opened(gateway, bearer) as wire,
    ):
        wire.send(json.dumps(ask(CANARY_TEXT)))
        wire.send(json.dumps({"type": "response.create"}))
        while '"response.done"' not in "".join(got[-1:]):
            got.append(wire.recv(timeout=3))
        return got, True
    return got, False


def turn(gateway, talking, bearers):
    """One conversation of somebody with rights and one of somebody without: (heard, whole, said to the model)."""
    talking.forget()
    talking.script = lambda said: spoken(step=9) if said["type"] == "response.create" else []
    heard, whole = converse(gateway, bearers["dr.okafor"])
    reached = list(talking.seen)
    refused = converse(gateway, bearers["lee.castellano"])
    assert refused == ([], False)
    came = {head["X-Request-Id"] for head in talking.heads}
    on_record = {record["exchange"] for record in permitted(gateway)}
    assert came <= on_record, "the model heard of a caller without rights, or of one that is not on record"
    assert leaks("".join(heard)) == []
    assert SECRET not in "".join(heard)
    return heard, whole, reached


def permitted(gateway):
    found = records(gateway.journal)
    return [each for each in found if each["kind"] == "request" and each["decision"]["verb"] == "permit"]


def test_unbroken_it_works(breakable, talking, bearers):
    heard, whole, reached = turn(breakable, talking, bearers)
    assert whole
    assert "furosemide 40 mg" in "".join(heard)
    assert len(reached) == 2


@pytest.mark.parametrize("name", OPENING)
def test_what_raises_while_it_is_opened_opens_nothing(breakable, talking, bearers, name):
    breakable.break_(name)
    assert turn(breakable, talking, bearers) == ([], False, [])
    assert breakable.raised >= 1
    breakable.break_("")


@pytest.mark.parametrize("name", SPEAKING)
def test_what_raises_while_it_is_open_lets_nothing_through(breakable, talking, bearers, name):
    breakable.break_(name)
    heard, whole, reached = turn(breakable, talking, bearers)
    assert breakable.raised >= 1
    assert not whole
    assert heard == []
    assert reached == [] or name.endswith("hear")
    breakable.break_("")


@pytest.mark.parametrize("name", AROUND)
def test_what_raises_around_it_changes_nothing_of_that(breakable, talking, bearers, name):
    breakable.break_(name)
    turn(breakable, talking, bearers)
    assert breakable.raised >= 1
    breakable.break_("")


@pytest.mark.timeout(600)
def test_any_function_at_all_may_raise(breakable, talking, policy, tmp_path, bearers):
    """Some of the functions that a conversation runs; all with PHIGATE_THOROUGH=1, which takes some minutes.

    One that takes the gateway down gets a new one.
    """
    breakable.called()  # those of the start
    turn(breakable, talking, bearers)
    names = breakable.called()[:: 1 if os.environ.get("PHIGATE_THOROUGH") else 25]
    tried, gateway = 0, breakable
    with contextlib.ExitStack() as started:
        while names:
            name = names.pop()
            gateway.break_(name)
            try:
                turn(gateway, talking, bearers)
            except AssertionError as error:
                raise AssertionError(f"{name} raised") from error
            tried += bool(gateway.raised)
            gateway.break_("")
            log = gateway.said()
            assert SECRET not in log
            assert leaks(log) == []
            if names and not converse(gateway, bearers["dr.okafor"])[1]:
                new = Breakable(f"http://{HOST}:{talking.port}", policy, tmp_path / name.partition(":")[2])
                gateway = started.enter_context(new)
    assert tried > 8, f"only {tried} functions raised: this tests too little"


def test_no_exception_ever_speaks(breakable, bearers):
    """Comes last: what all of the above left in the log and in the journal."""
    log = breakable.said()
    assert "BrokenError at" in log
    for text in (log, json.dumps(records(breakable.journal))):
        assert SECRET not in text
        assert leaks(text) == []
        assert not any(bearer in text for bearer in bearers.values())
