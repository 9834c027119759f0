"""Limits that all gateways count together, from outside: two gateways and one PostgreSQL, many people at once."""

import contextlib
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from model_server import Answer, ModelServer
from people import policy_for
from processes import Gateway
from tests import postgres
from tests.traffic import CHAT, as_person, chat, completion, events, leaks

pytestmark = pytest.mark.live

STAGE = str(Path(__file__).with_name("hasty_mitmdump.py"))
PER, MOST, AT_ONCE = 1.0, 5, 3
LIMITS = f"""
limits:
  - {{roles: [researcher], requests: {{per: PT{PER:.0f}S, most: {MOST}}}, exact: true}}
  - {{roles: [clinician], at_once: {AT_ONCE}, exact: true}}

rules:
"""
WARD, LAB = ["ward-staff"], ["research"]
LEASE = 2.0
"""Seconds, at this stage."""


@pytest.fixture(scope="module")
def server():
    with ModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def ledger(postgres_server):
    with postgres_server.database() as name:
        yield postgres_server.url(name)


@pytest.fixture(scope="module")
def pair(server, issuer, ledger, tmp_path_factory):
    """Two gateways with the same secrets, as two behind a balancer have."""
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("exact-policy"))
    policy.write_text(policy.read_text().replace("\nrules:\n", LIMITS, 1))
    with contextlib.ExitStack() as stack:
        made = []
        for name in ("one", "two"):
            folder = tmp_path_factory.mktemp(name)
            (folder / "keys").mkdir(mode=0o700)
            (folder / "keys" / "secrets").write_text(f"1 {'5a' * 32}\n")
            (folder / "keys" / "secrets").chmod(0o600)
            more = {"program": STAGE, "prefix": [sys.executable], "instance": name, "ledger": ledger}
            made.append(stack.enter_context(Gateway(server.url, policy, folder, **more)))
        yield made


@pytest.fixture(autouse=True)
def _as_usual(server):
    server.forget()
    server.script = Answer(completion())


class Eager(threading.Thread):
    """Somebody who asks one gateway again and again for as long as it is told; what was let in, and when at most."""

    def __init__(self, gateway, bearer, seconds):
        super().__init__(daemon=True)
        self._gateway, self._bearer, self._seconds = gateway, bearer, seconds
        self.let_in, self.refused, self.other = [], 0, []

    def run(self):
        end = time.monotonic() + self._seconds
        with as_person(self._gateway, self._bearer) as client:
            while (began := time.monotonic()) < end:
                status = client.post(CHAT, json=chat()).status_code
                if status == 200:
                    self.let_in.append((time.monotonic(), began))
                elif status == 429:
                    self.refused += 1
                    time.sleep(0.05)
                else:
                    self.other.append(status)


def test_in_no_stretch_of_time_does_anybody_get_more_whatever_gateway_they_ask(pair, issuer):
    people = [issuer.mint(f"eager-{at}", LAB) for at in range(2)]
    threads = {bearer: [Eager(pair[at % 2], bearer, 2 * PER + 0.5) for at in range(4)] for bearer in people}
    for thread in (every := [each for some in threads.values() for each in some]):
        thread.start()
    for thread in every:
        thread.join(60)
    assert [thread.other for thread in every if thread.other] == []
    for own in threads.values():
        let_in = sorted(entry for thread in own for entry in thread.let_in)  # by when it was over
        assert len(let_in) >= 2 * MOST
        for at in range(len(let_in) - MOST):
            among = let_in[at : at + MOST + 1]
            assert among[-1][0] - min(began for _, began in among) >= PER
        assert sum(thread.refused for thread in own) > 0


def opened(client):
    """Begin a stream; it is closed where it is none."""
    stream = client.send(client.build_request("POST", CHAT, json=chat(stream=True)), stream=True)
    if stream.status_code != 200:
        stream.close()
    return stream


def test_so_many_at_once_at_both_together(pair, server, issuer):
    bearer = issuer.mint("busy", WARD)
    server.script = Answer.events([events()[0], 1.0, *events()[1:]])
    with as_person(pair[0], bearer) as one, as_person(pair[1], bearer) as two:
        for _ in range(2):
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(opened, (one, two) * 4))
            assert sorted(each.status_code for each in found) == [200] * AT_ONCE + [429] * (8 - AT_ONCE)
            assert {each.headers["retry-after"] for each in found if each.status_code == 429} == {"1"}
            for stream in found:
                if stream.status_code == 200:
                    assert leaks(stream.read()) == []
    with as_person(pair[1], issuer.mint("free", WARD)) as other:
        assert other.post(CHAT, json=chat()).status_code == 200


def test_nobody_is_named_in_what_is_counted(pair, issuer, ledger):
    with as_person(pair[0], issuer.mint("counted-person", LAB)) as client:
        assert client.post(CHAT, json=chat()).status_code == 200
    (rows, leases) = postgres.execute(ledger, "SELECT * FROM phigate_counts", "SELECT * FROM phigate_leases")
    assert rows
    assert len(leases) == 2
    assert not [row for row in rows if "counted" in str(row) or issuer.url in str(row)]


def test_the_places_of_a_gateway_that_is_killed_come_back_and_of_one_that_ends_at_once(pair, server, issuer, ledger):
    """Comes last in the file: neither is there afterwards."""
    bearer = issuer.mint("held-up", WARD)
    server.script = Answer.events([events()[0], 30.0, *events()[1:]])
    first, second = pair
    with as_person(first, bearer) as one, as_person(second, bearer) as two, contextlib.ExitStack() as stack:
        for _ in range(AT_ONCE):
            stream = opened(one)
            stack.callback(stream.close)
            assert stream.status_code == 200
        server.script = Answer(completion())
        end = time.monotonic() + LEASE + 0.5
        while time.monotonic() < end:  # it renews them
            assert two.post(CHAT, json=chat()).status_code == 429
            time.sleep(0.2)
        killed = time.monotonic()
        os.kill(first.pid, signal.SIGKILL)
        while two.post(CHAT, json=chat()).status_code == 429:
            assert time.monotonic() - killed < LEASE + 5
            time.sleep(0.1)
        assert time.monotonic() - killed > LEASE / 2
        assert two.post(CHAT, json=chat()).status_code == 200
    counted = "SELECT count(*) FROM phigate_leases WHERE expires > extract(epoch from clock_timestamp())"
    assert postgres.execute(ledger, counted) == [[(1,)]]
    second.stop()
    assert postgres.execute(ledger, counted) == [[(0,)]]
    with pytest.raises(httpx.HTTPError):
        httpx.get(second.url, trust_env=False)
