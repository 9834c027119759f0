"""Any function of the chain may raise: nothing passes that was not permitted and recorded, nothing unmasked comes back.

One real mitmdump with the real chain, in which each function of the rooms is made to raise in turn (see
broken_mitmdump.py). For every function the same things are asked: a permitted exchange whole, one streamed, one of
somebody without rights, one without a bearer.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest

from model_server import Answer
from processes import Gateway
from tests.traffic import CANARIES, CANARY_TEXT, CHAT, chat, completion, events, leaks, records

pytestmark = pytest.mark.live

SECRET = "exception-text-canary-9731"

HOOKS_BEFORE_THE_MODEL = [
    "phigate.gate.addon:Refuse.requestheaders",
    "phigate.gate.addon:Refuse.request",
    "phigate.identity.addon:Identity.request",
    "phigate.access.addon:Access.request",
    "phigate.masking.addon:Masking.request",
    "phigate.approval.addon:Approval.request",
    "phigate.capture.addon:Capture.request",
    "phigate.gate.addon:Release.request",
]
HOOKS_BEHIND_IT = [
    "phigate.gate.addon:Refuse.responseheaders",
    "phigate.gate.addon:Refuse.response",
    "phigate.masking.addon:Masking.responseheaders",
    "phigate.masking.addon:Masking.response",
    "phigate.masking.addon:Guard.__call__",
    "phigate.capture.addon:Capture.response",
    "phigate.gate.addon:Release.responseheaders",
    "phigate.gate.addon:Release.response",
]
SENTINEL = [
    f"phigate.gate.sentinel:Sentinel.{hook}" for hook in ("requestheaders", "request", "responseheaders", "response")
]


class Breakable(Gateway):
    """A gateway of broken_mitmdump.py: `break_` makes one function raise from now on."""

    def __init__(self, url, policy, folder):
        self.control = folder / "turn"
        os.environ["PHIGATE_BREAK"], os.environ["PHIGATE_CANARY"] = str(self.control), SECRET
        folder.mkdir(parents=True)
        self.control.write_text("")
        launcher = Path(__file__).with_name("broken_mitmdump.py")
        super().__init__(url, policy, folder, program=str(launcher), prefix=[sys.executable])

    def break_(self, name):
        self.control.with_suffix(".count").unlink(missing_ok=True)
        self.control.write_text(name)
        os.kill(self.pid, signal.SIGRTMIN)
        time.sleep(0.02)

    @property
    def raised(self):
        count = self.control.with_suffix(".count")
        return count.stat().st_size if count.exists() else 0

    def called(self):
        """The functions that ran since this was last asked."""
        self.control.with_suffix(".called").unlink(missing_ok=True)
        self.break_("?")
        self.break_("")
        return self.control.with_suffix(".called").read_text().split("\n")


@pytest.fixture(scope="module")
def breakable(_model, policy, tmp_path_factory):
    with Breakable(_model.url, policy, tmp_path_factory.mktemp("breakable") / "run") as running:
        yield running


wire = httpx.Client(trust_env=False, timeout=10, limits=httpx.Limits(max_keepalive_connections=0))


def ask(gateway, bearer, **more):
    """Status and everything that came back, also of an answer that was cut off."""
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    got, status = b"", 0
    try:
        with wire.stream("POST", gateway.url + CHAT, json=chat(CANARY_TEXT, **more), headers=headers) as answer:
            status = answer.status_code
            got = repr(sorted(answer.headers.items())).encode()
            for piece in answer.iter_raw():
                got += piece
    except httpx.HTTPError:
        pass
    return status, got


def script(request):
    return Answer.events(events()) if request.json().get("stream") else Answer(completion())


def around(gateway, model, bearers):
    """All the exchanges of one turn: (what came back, how many requests reached the model)."""
    model.forget()
    model.script = script
    doctor, nobody = bearers["dr.okafor"], bearers["lee.castellano"]
    before = len(permitted(gateway))
    permitted_ones = [ask(gateway, doctor), ask(gateway, doctor, stream=True)]
    reached = len(model.requests)
    refused_ones = [ask(gateway, nobody), ask(gateway, None)]
    assert len(model.requests) == reached, "somebody without rights reached the model"
    assert reached <= len(permitted(gateway)) - before, "the model heard of a request that is not on record"
    everything = permitted_ones + refused_ones
    assert leaks(b"".join(got for _, got in everything)) == []
    assert SECRET.encode() not in b"".join(got for _, got in everything)
    return permitted_ones, refused_ones, reached


def permitted(gateway):
    return [
        record
        for record in records(gateway.journal)
        if record["kind"] == "request" and record["decision"]["verb"] == "permit"
    ]


def test_unbroken_everything_works(breakable, model, bearers):
    (whole, streamed), refused, reached = around(breakable, model, bearers)
    assert (whole[0], streamed[0], reached) == (200, 200, 2)
    assert [status for status, _ in refused] == [403, 401]


@pytest.mark.parametrize("name", HOOKS_BEFORE_THE_MODEL)
def test_a_hook_that_raises_before_the_model_keeps_everything_from_it(breakable, model, bearers, name):
    breakable.break_(name)
    answers, refused, reached = around(breakable, model, bearers)
    assert breakable.raised >= 2
    assert reached == 0
    assert {status for status, _ in answers + refused} <= {503, 401, 403}
    breakable.break_("")


@pytest.mark.parametrize("name", HOOKS_BEHIND_IT)
def test_a_hook_that_raises_behind_the_model_lets_nothing_unmasked_back(breakable, model, bearers, name):
    breakable.break_(name)
    answers, _, reached = around(breakable, model, bearers)
    assert breakable.raised >= 1
    assert reached == 2
    assert 503 in {status for status, _ in answers} or any(b"[DONE]" not in got for _, got in answers)
    breakable.break_("")


@pytest.mark.parametrize("name", SENTINEL)
def test_without_the_sentinel_the_gate_still_holds(breakable, model, bearers, name):
    breakable.break_(name)
    answers, refused, _ = around(breakable, model, bearers)
    assert breakable.raised >= 1
    assert all(leaks(got) == [] for _, got in answers + refused)
    breakable.break_("")


@pytest.mark.timeout(600)
def test_any_function_at_all_may_raise(model, policy, tmp_path, bearers):
    """Functions that an exchange runs, whatever they are for; one that takes the gateway down gets a new one.

    Every twentieth of them, all with PHIGATE_THOROUGH=1, which takes some minutes.
    """
    names: list[str] = []
    starts = tried = 0
    while starts == 0 or names:
        starts += 1
        with Breakable(model.url, policy, tmp_path / str(starts)) as gateway:
            if starts == 1:
                gateway.called()  # those of the start
                around(gateway, model, bearers)
                names = gateway.called()[:: 1 if os.environ.get("PHIGATE_THOROUGH") else 20]
            while names:
                name = names.pop()
                gateway.break_(name)
                try:
                    around(gateway, model, bearers)
                except AssertionError as error:
                    raise AssertionError(f"{name} raised") from error
                tried += bool(gateway.raised)
                gateway.break_("")
                if gateway.code is not None or ask(gateway, bearers["dr.okafor"])[0] != 200:
                    break
            log = gateway.said()
            assert SECRET not in log
            assert leaks(log) == []
    # a few ran for the first exchange only: their results are remembered (decisions, bearers, compiled patterns)
    assert tried > 10, f"only {tried} functions raised: this tests too little"


def test_no_exception_ever_speaks(breakable, model, bearers):
    """Comes last in the file: what all of the above left in the log and in the journal."""
    breakable.break_("phigate.masking.addon:Masking.request")
    around(breakable, model, bearers)
    breakable.break_("")
    log = breakable.said()
    assert "BrokenError at" in log
    assert SECRET not in log
    assert leaks(log) == []
    assert not any(canary in json.dumps(records(breakable.journal)) for canary in (*CANARIES, SECRET))
    assert not any(bearer in log for bearer in bearers.values())
