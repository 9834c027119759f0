"""The journal's disk fails under a real gateway: nothing passes unrecorded, and it goes on by itself.

One mitmdump for all of them, whose disk is broken from outside (see faulty_mitmdump.py), one fault after the other.
"""

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from model_server import Answer
from phigate.journal import chain, read
from processes import Gateway, settings
from tests.traffic import CANARY_TEXT, CHAT, chat, completion, events, leaks

pytestmark = pytest.mark.live

FAULTS = ("ENOSPC", "EIO", "EROFS", "fsync", "short")


class Faulty(Gateway):
    """A gateway of faulty_mitmdump.py: `disk` breaks its journal's disk, or makes it whole again."""

    def __init__(self, url, policy, folder):
        folder.mkdir()
        self.control = folder / "fault"
        self.control.write_text("")
        os.environ["PHIGATE_FAULT"], os.environ["PHIGATE_FAULTY"] = str(self.control), str(folder / "journal")
        launcher = Path(__file__).with_name("faulty_mitmdump.py")
        small = settings(phi_journal_size="64k")
        super().__init__(url, policy, folder, program=str(launcher), prefix=[sys.executable], extra=small)

    def disk(self, fault):
        beside = self.control.with_suffix(".new")
        beside.write_text(fault)
        beside.replace(self.control)

    def readiness(self):
        return httpx.get(f"{self.console_url}/readyz", trust_env=False, timeout=10).json()


@pytest.fixture(scope="module")
def faulty(_model, policy, tmp_path_factory):
    with Faulty(_model.url, policy, tmp_path_factory.mktemp("faulty") / "run") as running:
        yield running


wire = httpx.Client(trust_env=False, timeout=20, limits=httpx.Limits(max_keepalive_connections=0))


def ask(gateway, bearer, text=CANARY_TEXT, **more):
    """Status, and everything that came back, also of an answer that was cut off."""
    got, status = b"", 0
    headers = {"authorization": f"Bearer {bearer}"}
    with (
        contextlib.suppress(httpx.HTTPError),
        wire.stream("POST", gateway.url + CHAT, json=chat(text, **more), headers=headers) as answer,
    ):
        status = answer.status_code
        for piece in answer.iter_raw():
            got += piece
    return status, got


class Slow:
    """A model server's script: whoever says `slow` is answered once `go` is set."""

    def __init__(self):
        self.go = threading.Event()

    def __call__(self, request):
        if b"slow" in request.body:
            assert self.go.wait(20)
        return Answer.events(events()) if request.json().get("stream") else Answer(completion())


def journal(gateway):
    found = (item for file in read.files(gateway.journal) for item in read.entries(file.path))
    return [item.record for item in found if isinstance(item, read.Entry)]


def on_record(gateway):
    return sum(row["kind"] == "request" and row["decision"]["verb"] == "permit" for row in journal(gateway))


def until_it_goes_on(gateway, bearer, seconds=10):
    end = time.monotonic() + seconds
    while (found := ask(gateway, bearer))[0] != 200:
        assert time.monotonic() < end, found
        time.sleep(0.1)


@pytest.mark.parametrize("fault", FAULTS)
def test_while_the_disk_fails_nothing_passes_and_afterwards_it_goes_on(faulty, model, bearers, fault):
    doctor, pid = bearers["dr.okafor"], faulty.pid
    model.script = slow = Slow()
    assert ask(faulty, doctor)[0] == 200
    answered = []
    caller = threading.Thread(target=lambda: answered.append(ask(faulty, doctor, "slow: " + CANARY_TEXT)))
    caller.start()
    model.wait_for(2)
    faulty.disk(fault)

    refused = [ask(faulty, doctor), ask(faulty, doctor, stream=True)]
    slow.go.set()
    caller.join(20)
    refused += [ask(faulty, doctor), *answered]
    assert [status for status, _ in refused] == [503] * 4
    assert all(json.loads(got)["error"]["code"] == "not-recorded" for _, got in refused)
    assert leaks(b"".join(got for _, got in refused)) == []
    assert len(model.requests) == 2, "a request that is not on record reached the model"
    state = faulty.readiness()
    assert (state["ready"], state["checks"]["journal"]) == (False, False)
    assert state["remarks"]["journal"]

    faulty.disk("")
    until_it_goes_on(faulty, doctor)
    assert (faulty.pid, faulty.code) == (pid, None)
    assert faulty.readiness()["ready"]
    records = journal(faulty)
    told = [record for record in records if "fault" in record][-1]
    assert told["unrecorded"]["records"] + told["refused"] >= 3
    slow_one = [record["exchange"] for record in records if "slow" in json.dumps(record.get("body"))][-1]
    end = time.monotonic() + 5
    while not (ends := outcomes(faulty, slow_one)) and time.monotonic() < end:
        time.sleep(0.1)
    assert ends == ["unrecorded"]


def outcomes(gateway, exchange):
    return [
        record["outcome"]
        for record in journal(gateway)
        if record.get("exchange") == exchange and record["kind"] in ("response", "recovered")
    ]


def test_a_stall_of_five_seconds_refuses_those_who_wait_and_goes_on_by_itself(faulty, model, bearers):
    doctor, pid = bearers["dr.okafor"], faulty.pid
    model.script = Slow()
    assert ask(faulty, doctor)[0] == 200
    reached, path = len(model.requests), read.files(faulty.journal)[-1].name
    faulty.disk("stall")
    start = time.monotonic()
    threading.Timer(5, faulty.disk, [""]).start()
    answers = []
    callers = [threading.Thread(target=lambda: answers.append(ask(faulty, doctor))) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert [status for status, _ in answers] == [503] * 3
    assert time.monotonic() - start < 8
    assert len(model.requests) == reached
    until_it_goes_on(faulty, doctor)
    assert (faulty.pid, faulty.code, read.files(faulty.journal)[-1].name) == (pid, None, path)


def test_all_of_it_is_one_chain_and_the_model_heard_nothing_that_is_not_on_it(faulty, model, bearers):
    """Comes last in the file: what all of the above left."""
    model.script = Slow()
    before = on_record(faulty)
    assert [ask(faulty, bearers["dr.okafor"])[0] for _ in range(40)] == [200] * 40
    assert on_record(faulty) - before == 40
    assert len(model.requests) == 40
    heads, last = [], {}
    files = read.files(faulty.journal, "sample")
    for file in files:
        entries = [item for item in read.entries(file.path) if isinstance(item, read.Entry)]
        assert chain.verify_lines([entry.raw for entry in entries]).intact
        head = entries[0].record
        if head["follows"]:
            assert head["prev"] == head["follows"]["hash"] in last[head["follows"]["file"]]
        last[file.name] = {chain.digest(entry.raw) for entry in entries}
        heads.append(head)
    assert sum(not head["started"] for head in heads) >= len(FAULTS)
    assert [head["started"] for head in heads].count(True) == 1
    assert any(file.path.suffix == ".zst" for file in files)
    assert leaks(faulty.said()) == []
