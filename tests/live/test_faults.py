"""What a gateway asks fails: identity providers, the ledger, the clock. The rows of docs/faults.md, from outside.

One gateway for most of it, whose clock a test puts (see stepped_mitmdump.py): a fault is made, seen, and taken away.
"""

import datetime as dt
import json
import os
import resource
import socket
import sqlite3
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from model_server import Answer
from people import policy_for
from phigate.journal import chain, read
from processes import HOST, Child, Gateway, NotReady, free_port
from tests.identity import forge
from tests.postgres import execute
from tests.traffic import CHAT, chat, completion, leaks, records

pytestmark = pytest.mark.live

SOON = 12.0
"""Seconds within which a gateway that goes on by itself has gone on, with what a busy machine takes of them."""
HOUR, YEARS = 3600, 10 * 365 * 86_400
FAULTS = ("silent", "drips", "html", "broken", "redirects", "endless", "liar", "strange")
WIRE = httpx.Client(trust_env=False, timeout=SOON, limits=httpx.Limits(max_keepalive_connections=0))
KEYS = {"keys": [forge.jwk_of("rsa")]}


# -- identity providers ---------------------------------------------------------------------------------------------


class Providers(ThreadingHTTPServer):
    """Several issuers on one port, told apart by the start of the path; each fails as its name says, while told to."""

    daemon_threads = True

    def __init__(self):
        super().__init__((HOST, 0), Provider)
        self.failing, self.over = True, threading.Event()
        self.url = f"http://{HOST}:{self.server_port}"

    def handle_error(self, request, client_address):
        """Whoever hangs up on an endless answer is no error."""


class Provider(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        _, name, *rest = self.path.split("/")
        issuer = f"{self.server.url}/{name}"
        if self.server.failing and (fault := getattr(self, name, None)) is not None:
            fault()
            return
        wrong = "/else" if self.server.failing and name == "liar" else ""
        keys = {"keys": [forge.jwk_of("rsa-other", kid="rsa")]} if self.server.failing and name == "strange" else KEYS
        document = {"issuer": issuer + wrong, "jwks_uri": f"{issuer}/keys"}
        self.say(json.dumps(document if ".well-known" in rest else keys).encode())

    def do_POST(self):
        """Introspection (RFC 7662)."""
        self.do_GET()

    def say(self, body, status=200, **headers):
        self.send_response(status)
        for field, value in {"content-type": "application/json", "content-length": str(len(body)), **headers}.items():
            self.send_header(field.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def silent(self):
        self.server.over.wait(30)

    def drips(self):
        self.send_response(200)
        self.end_headers()
        while not self.server.over.wait(0.3):
            self.wfile.write(b" ")
            self.wfile.flush()

    def endless(self):
        self.send_response(200)
        self.end_headers()
        while not self.server.over.is_set():
            self.wfile.write(b" " * 65_536)

    def html(self):
        self.say(b"<html>Quartermaine</html>", content_type="text/html")

    def broken(self):
        self.say(b'{"keys": []}', 500)

    def redirects(self):
        self.say(b"", 302, location=f"{self.server.url}/good/keys")


@pytest.fixture(scope="module")
def providers():
    with Providers() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


class Stepped(Gateway):
    """A gateway of stepped_mitmdump.py."""

    def __init__(self, url, policy, folder, **more):
        folder.mkdir()
        self.folder, self.control = folder, folder / "step"
        self.control.write_text("0")
        os.environ["PHIGATE_STEP"] = str(self.control)
        launcher = str(Path(__file__).with_name("stepped_mitmdump.py"))
        super().__init__(url, policy, folder, program=launcher, prefix=[sys.executable], **more)

    def start(self):
        """Wait longer than others do: some of its issuers never answer."""
        Child.start(self)
        try:
            self.wait_until(self.ready, 60)
        except BaseException:
            self.stop()
            raise
        return self

    def put(self, seconds):
        """The clock, all told, and wait until it knows of it."""
        steps = self.metric("phigate_clock_steps_total")
        beside = self.control.with_suffix(".new")
        beside.write_text(str(seconds))
        beside.replace(self.control)
        until(lambda: self.metric("phigate_clock_steps_total") > steps)

    def readiness(self):
        """What it says of itself, at once: whatever else stands still."""
        start = time.monotonic()
        answer = WIRE.get(f"{self.console_url}/readyz")
        assert time.monotonic() - start < 2
        return answer.status_code, answer.json()

    def remarks(self):
        return self.readiness()[1].get("remarks", {})

    def metric(self, name, **labels):
        """The sum of a metric's samples that have these labels."""
        text = WIRE.get(f"{self.console_url}/metrics").text
        found = [each for family in text_string_to_metric_families(text) for each in family.samples]
        return sum(each.value for each in found if each.name == name and labels.items() <= each.labels.items())


def until(true, seconds=SOON):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.1)
    return found


def ask(gateway, bearer, **headers):
    """Status, reason, Retry-After, and the seconds that it took."""
    start = time.monotonic()
    said = {"authorization": f"Bearer {bearer}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    answer = WIRE.post(gateway.url + CHAT, json=chat(), headers=said)
    assert leaks(answer.content) == []
    told = answer.headers
    return answer.status_code, told.get("phi-reason"), told.get("retry-after"), time.monotonic() - start


def answered(gateway, bearer, **headers):
    return ask(gateway, bearer, **headers)[:2]


GOOD, ASKED = (200, None), {"phi_unmask": "ward round"}
HELD, DOWN = (403, "approval-required"), (503, "ledger-unavailable")


@pytest.fixture(scope="module")
def named(providers):
    """All issuers by name, one that nobody ever answers for among them."""
    return {name: f"{providers.url}/{name}" for name in ("good", *FAULTS)} | {"down": f"http://{HOST}:{free_port()}"}


@pytest.fixture(scope="module")
def believing(named, providers, tmp_path_factory):
    """The policy that ships, which believes all of these issuers, and asks one of them about opaque bearers."""
    path = policy_for(named["good"], tmp_path_factory.mktemp("believing"))
    text = path.read_text()
    start, end = text.index("  - issuer: "), text.index("# How approvers sign in")
    block = text[start:end].rstrip()
    every = [block.replace(named["good"], url) for url in named.values()]
    os.environ["PHIGATE_ASKS"] = "not-a-secret"
    where = f"{{url: {providers.url}/silent/asked, client_id: phigate, credential: 'env:PHIGATE_ASKS'}}"
    every[0] += f"\n    introspect: {where}"
    hour = [dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes) for minutes in (30, 90)]
    window = 'hours: {{from: "{:%H:%M}", to: "{:%H:%M}", zone: UTC}}'.format(*hour)
    late = f"  - {{name: not-then, deny: ['*'], to: [chat], models: [later], {window}}}\n"
    text = text.replace("rules:\n", "rules:\n" + late, 1)
    start, end = text.index("  - issuer: "), text.index("# How approvers sign in")
    path.write_text(text[:start] + "\n".join(every) + "\n\n" + text[end:])
    return path


@pytest.fixture(scope="module")
def gateway(_model, believing, tmp_path_factory):
    with Stepped(_model.url, believing, tmp_path_factory.mktemp("faults") / "run") as running:
        yield running


@pytest.fixture
def answering(model):
    model.script = Answer(completion())
    return model


@pytest.fixture
def mint(named):
    def made(name="good", *, lasts=1800, **changes):
        now = int(time.time())
        said = {"iss": named[name], "iat": now, "exp": now + lasts, "jti": os.urandom(8).hex()}
        return forge.mint(forge.claims(**(said | changes)))

    return made


SAYS = {
    "silent": "timed-out",
    "drips": "timed-out",
    "html": "discovery-not-json",
    "broken": "status-not-200",
    "redirects": "redirected",
    "endless": "too-large",
    "liar": "discovery-issuer-differs",
    "down": "unreachable",
}


def test_an_issuer_that_fails_from_the_start_keeps_out_its_own_people_and_nobody_else(
    gateway, answering, mint, named, providers
):
    """Comes first in the file: nobody has had these issuers' keys yet."""
    with ThreadPoolExecutor(len(SAYS) + 2) as threads:
        failing = {name: threads.submit(ask, gateway, mint(name)) for name in (*SAYS, "strange")}
        opaque = threads.submit(ask, gateway, "an-opaque-bearer-that-its-issuer-is-asked-about")
        others = [ask(gateway, mint(sub=f"somebody-{number}")) for number in range(5)]
    assert [each[:2] for each in others] == [GOOD] * 5
    assert max(each[3] for each in others) < 3
    found = {name: each.result() for name, each in failing.items()}
    assert found.pop("strange")[:2] == (401, "bearer-refused")
    assert {name: each[:2] for name, each in found.items()} == dict.fromkeys(SAYS, (503, "keys-unavailable"))
    assert all(1 <= int(each[2]) <= 30 and each[3] < 8 for each in found.values()), found
    assert opaque.result()[:2] == (503, "introspection-unavailable")

    status, said = gateway.readiness()
    assert (status, said["checks"]["keys"]) == (200, True)
    remarks = {name: said["remarks"][f"issuer {named[name]}"] for name in SAYS}
    assert remarks == {
        name: f"its keys cannot be had ({why}): bearers of its people are not believed" for name, why in SAYS.items()
    }
    assert said["remarks"][f"introspection {named['good']}"] == "it cannot be asked about bearers (timed-out)"
    assert [gateway.metric("phigate_issuer_up", issuer=named[name]) for name in ("good", "strange", *SAYS)] == [
        1,
        1,
    ] + [0] * 8
    for name, why in SAYS.items():
        assert gateway.metric("phigate_issuer_faults_total", issuer=named[name], of="keys", why=why) >= 1
    assert gateway.metric("phigate_issuer_faults_total", of="introspection", why="timed-out") == 1
    refused = [record["reasons"] for record in records(gateway.journal) if record["kind"] == "refused"]
    assert all("Quartermaine" not in str(each) for each in refused)

    providers.failing = False
    providers.over.set()
    for name in FAULTS:
        if name != "strange":  # whose keys were had, and are asked for again when a new one is named
            until(lambda name=name: answered(gateway, mint(name)) == GOOD, 40)
            assert gateway.metric("phigate_issuer_up", issuer=named[name]) == 1
    assert answered(gateway, mint("down"))[0] == 503


# -- the ledger, SQLite ---------------------------------------------------------------------------------------------


@contextmanager
def held(gateway):
    """Another process writes, and does not end."""
    with closing(sqlite3.connect(gateway.folder / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def full(gateway):
    """No file may grow beyond a size that the ledger's log has already, and no other of the gateway's."""
    log, most = gateway.folder / "ledger.db-wal", resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE)
    with closing(sqlite3.connect(gateway.folder / "ledger.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE filling (a)")
        other.execute("INSERT INTO filling VALUES (zeroblob(2000000))")
        resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (log.stat().st_size, most[1]))
        try:
            yield
        finally:
            resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, most)
            other.execute("DROP TABLE filling")


@pytest.mark.parametrize(("fault", "why"), [(held, "held"), (full, "failed")], ids=["held", "full"])
def test_a_ledger_that_cannot_be_written_refuses_what_would_have_to_be_kept_and_nothing_else(
    gateway, answering, mint, fault, why
):
    officer = mint(sub=f"kai.{why}")
    assert answered(gateway, officer) == GOOD
    before = gateway.metric("phigate_ledger_faults_total", why=why)
    with fault(gateway):
        status, reason, later, took = ask(gateway, mint(sub=f"ada.{why}"), **ASKED)
        assert ((status, reason), later) == (DOWN, "1")
        assert took < 5
        assert answered(gateway, mint(sub=f"eve.{why}")) == answered(gateway, officer) == GOOD
        assert why in gateway.remarks()["ledger"]
        assert gateway.metric("phigate_ledger_faults_total", why=why) > before
    until(lambda: answered(gateway, mint(sub=f"ada.{why}"), **ASKED) == HELD)
    last = [record for record in records(gateway.journal) if record["kind"] == "request"][-4:]
    assert DOWN[1] in json.dumps(last)


@contextmanager
def moved(gateway):
    """The database's files are somewhere else."""
    files = sorted(gateway.folder.glob("ledger.db*"))
    away = gateway.folder / "away"
    away.mkdir()
    for file in files:
        file.rename(away / file.name)
    try:
        yield
    finally:
        for file in gateway.folder.glob("ledger.db*"):
            file.unlink()
        for file in away.iterdir():
            file.rename(gateway.folder / file.name)
        away.rmdir()


@contextmanager
def replaced(gateway):
    """Somebody put an empty database there."""
    with moved(gateway):
        with closing(sqlite3.connect(gateway.folder / "ledger.db")) as other:
            other.execute("CREATE TABLE other (a)")
        yield


@contextmanager
def damaged(gateway):
    with moved(gateway):
        (gateway.folder / "ledger.db").write_bytes(b"Quartermaine " * 1000)
        yield


@pytest.mark.parametrize(
    ("fault", "why"),
    [(moved, "gone"), (replaced, "failed"), (damaged, "damaged")],
    ids=["moved", "replaced", "damaged"],
)
def test_without_its_ledger_nobody_is_let_in_until_it_is_there_again(gateway, answering, mint, fault, why):
    bearer, pid = mint(), gateway.pid
    assert answered(gateway, bearer) == GOOD
    before = gateway.metric("phigate_ledger_faults_total", why=why)
    with fault(gateway):
        until(lambda: answered(gateway, bearer) == DOWN)
        assert answered(gateway, mint(sub="somebody-new")) == DOWN
        assert ask(gateway, bearer)[2] == "1"
        exchanged = WIRE.post(f"{gateway.console_url}/token", data=token_of(bearer))
        assert (exchanged.status_code, exchanged.json()["error"]) == (503, "temporarily_unavailable")
        status, said = gateway.readiness()
        assert (status, said["checks"]["ledger"]) == (503, False)
        assert why in said["remarks"]["ledger"]
        assert gateway.metric("phigate_ledger_up") == 0
        assert gateway.metric("phigate_ledger_faults_total", why=why) > before
    until(lambda: answered(gateway, bearer) == GOOD)
    assert (gateway.pid, gateway.code) == (pid, None)
    assert gateway.metric("phigate_ledger_up") == 1


def token_of(bearer):
    kinds = "urn:ietf:params:oauth"
    return {
        "grant_type": f"{kinds}:grant-type:token-exchange",
        "subject_token": bearer,
        "subject_token_type": f"{kinds}:token-type:access_token",
    }


# -- the clock, where the ledger has none of its own ----------------------------------------------------------------


def test_a_bearer_that_was_believed_lives_no_longer_where_the_clock_is_put_back(gateway, answering, mint):
    """Leeway is a minute: this one has two seconds of it left."""
    short, long = mint(lasts=-58, iat=int(time.time()) - 600), mint()
    assert answered(gateway, short) == answered(gateway, long) == GOOD
    began = time.monotonic()
    gateway.put(-HOUR)
    assert answered(gateway, long) == GOOD  # believed before, and not over
    assert answered(gateway, mint()) == (401, "bearer-refused")  # issued in what is the future now
    until(lambda: time.monotonic() - began > 3)
    assert answered(gateway, short) == (401, "bearer-refused")
    gateway.put(0)
    assert answered(gateway, short) == (401, "bearer-refused")
    assert answered(gateway, long) == answered(gateway, mint()) == GOOD


def test_hours_are_those_of_the_clock_as_it_is_put(gateway, answering, mint):
    said = {"authorization": f"Bearer {mint(lasts=2 * HOUR)}"}

    def later():
        return WIRE.post(gateway.url + CHAT, json=chat(model="later"), headers=said).status_code

    assert later() == 200
    gateway.put(HOUR)
    assert later() == 403
    gateway.put(0)
    assert later() == 200


@pytest.mark.parametrize("seconds", [HOUR, YEARS, -YEARS])
def test_a_step_is_on_record_counted_told_and_nothing_lasts_of_it(gateway, answering, mint, seconds):
    bearer = mint()
    assert answered(gateway, bearer) == GOOD
    gateway.put(seconds)
    forward = seconds > 0
    status, said = gateway.readiness()
    assert (status, said["checks"]["clock"]) == (200, True)  # nobody can tell which time is right
    assert said["remarks"]["clock"] == f"it was put {'forward' if forward else 'back'} by {abs(seconds)} s"
    assert answered(gateway, bearer)[0] == (401 if forward else 200)
    gateway.put(0)
    assert answered(gateway, bearer) == GOOD
    assert answered(gateway, mint()) == GOOD
    steps = [record for record in journal(gateway) if record["kind"] == "clock"][-2:]
    assert [round(each["step"]) for each in steps] == [pytest.approx(seconds, abs=1), pytest.approx(-seconds, abs=1)]


def journal(gateway):
    found = (item for file in read.files(gateway.journal) for item in read.entries(file.path))
    return [item.record for item in found if isinstance(item, read.Entry)]


def test_what_was_taken_back_stays_so_and_grants_end_whatever_the_clock_is_put_to(gateway, answering, mint):
    ada, officer = mint(sub="ada"), mint(sub="kai.holm", groups=["privacy"])
    taken = WIRE.post(f"{gateway.console_url}/revoke", data={"token": ada}, headers={"authorization": f"Bearer {ada}"})
    assert taken.status_code == 200
    until(lambda: answered(gateway, ada) == (401, "bearer-refused"))
    for seconds in (YEARS, 0, -YEARS, 0):
        gateway.put(seconds)
        assert answered(gateway, ada) == (401, "bearer-refused")

    asking = mint(sub="eve")
    ticket = WIRE.post(
        gateway.url + CHAT, json=chat(), headers={"authorization": f"Bearer {asking}", "phi-unmask": "ward round"}
    ).json()["error"]["ticket"]
    gateway.put(YEARS)
    late = mint(sub="kai.holm", groups=["privacy"], iat=int(time.time()) + YEARS, exp=int(time.time()) + YEARS + 600)
    yes = WIRE.post(f"{gateway.console_url}/tickets/{ticket}/approve", headers={"authorization": f"Bearer {late}"})
    assert yes.status_code == 409, yes.json()  # it is over by this clock
    gateway.put(0)
    assert officer
    assert answered(gateway, asking, **ASKED) == HELD


def test_the_journal_is_one_chain_and_the_next_start_goes_on_behind_its_time(gateway, answering, mint):
    """Comes last of what is about this gateway."""
    gateway.put(-HOUR)
    then = {"iat": int(time.time()) - HOUR, "exp": int(time.time()) - HOUR + 600}
    assert answered(gateway, mint(**then)) == GOOD
    gateway.stop()
    gateway.start()
    assert answered(gateway, mint(sub="somebody-else", **then)) == GOOD
    lines = [item for file in read.files(gateway.journal) for item in read.entries(file.path)]
    assert chain.verify_lines([line.raw for line in lines]).intact
    times = [line.record["ts"] for line in lines]
    assert times != sorted(times)
    assert [line.record["seq"] for line in lines] == list(range(len(lines)))


# -- the ledger, PostgreSQL -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database(postgres_server):
    with postgres_server.database() as name:
        yield postgres_server.url(name)


@pytest.fixture(scope="module")
def remote(_model, policy, database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("remote") / "run"
    with Stepped(_model.url, policy, folder, ledger=database) as running:
        yield running


@contextmanager
def locked(url, *tables, seconds):
    """Another connection locks tables for so long: whoever asks for anything in them waits."""
    statement = f"DO $$ BEGIN LOCK TABLE {', '.join(tables)}; PERFORM pg_sleep({seconds}); END $$"
    thread = threading.Thread(target=execute, args=(url, statement))
    thread.start()
    time.sleep(0.5)
    try:
        yield
    finally:
        thread.join()


def test_who_needs_a_slow_ledger_waits_a_moment_and_nobody_else_does(remote, answering, issuer, database):
    doctor, other = issuer.mint_for("dr.okafor"), issuer.mint("eve", ["ward-staff"])
    assert answered(remote, doctor) == GOOD
    before = remote.metric("phigate_ledger_faults_total", why="timed-out")
    with locked(database, "phigate_tickets", "phigate_grants", seconds=6), ThreadPoolExecutor(12) as threads:
        waiting = [threads.submit(ask, remote, doctor, **ASKED) for _ in range(10)]
        calm = [ask(remote, other) for _ in range(5)]
        remote.readiness()
        slow = [each.result() for each in waiting]
    assert [each[:2] for each in calm] == [GOOD] * 5
    assert max(each[3] for each in calm) < 2
    assert [each[:3] for each in slow] == [(*DOWN, "1")] * 10
    assert max(each[3] for each in slow) < 6, slow
    assert remote.metric("phigate_ledger_faults_total", why="timed-out") > before
    until(lambda: answered(remote, doctor, **ASKED) == HELD)


def test_a_ledger_that_tells_nobody_who_is_out_lets_nobody_in(remote, answering, issuer, database):
    bearer = issuer.mint_for("dr.okafor")
    assert answered(remote, bearer) == GOOD
    with locked(database, "phigate_revoked", seconds=9):
        until(lambda: answered(remote, bearer) == DOWN, 9)
        status, said = remote.readiness()
        assert (status, said["checks"]["ledger"]) == (503, False)
        assert "timed-out" in said["remarks"]["ledger"]
    until(lambda: answered(remote, bearer) == GOOD)
    assert remote.readiness()[0] == 200


def test_a_ledger_that_stands_still_holds_nothing_up(remote, answering, issuer, postgres_server):
    bearer = issuer.mint_for("dr.okafor")
    with postgres_server.frozen():
        until(lambda: answered(remote, bearer) == DOWN)
        taken = [ask(remote, bearer), ask(remote, bearer, **ASKED)]
        assert [each[:2] for each in taken] == [DOWN] * 2
        assert max(each[3] for each in taken) < 4
        start = time.monotonic()
        exchanged = WIRE.post(f"{remote.console_url}/token", data=token_of(bearer))
        assert (exchanged.status_code, exchanged.json()["error"]) == (503, "temporarily_unavailable")
        assert time.monotonic() - start < 8
        remote.readiness()
    until(lambda: answered(remote, bearer) == GOOD)


def test_a_gateway_does_not_start_with_a_ledger_that_says_nothing(model, policy, tmp_path):
    with socket.create_server((HOST, 0)) as silent:
        url = f"postgresql+asyncpg://phigate@{HOST}:{silent.getsockname()[1]}/phigate"
        gateway = Gateway(model.url, policy, tmp_path / "gateway", ledger=url)
        Child.start(gateway)
        try:
            with pytest.raises(NotReady, match=r"ended with code 1.*option `phi_ledger`.* does not answer"):
                gateway.wait_until(gateway.ready, 60)
        finally:
            gateway.stop()


# -- the clock, where the ledger has one of its own -----------------------------------------------------------------


@pytest.mark.parametrize("seconds", [HOUR, -HOUR, YEARS, -YEARS])
def test_by_a_clock_that_is_far_from_the_ledgers_nobody_is_let_in(remote, answering, issuer, database, seconds):
    bearer, officer = issuer.mint_for("dr.okafor"), issuer.mint("kai.holm", groups=["privacy"])
    assert answered(remote, bearer) == GOOD
    gone = {"issuer": issuer.url, "subject": f"gone-{seconds}"}
    said = WIRE.post(f"{remote.console_url}/revoke", data=gone, headers={"authorization": f"Bearer {officer}"})
    assert said.status_code == 200
    rows = "SELECT count(*) FROM phigate_revoked", "SELECT count(*) FROM phigate_keys"
    before = execute(database, *rows)

    remote.put(seconds)
    astray = (503, "clock-astray")
    until(lambda: answered(remote, bearer) == astray)
    assert answered(remote, officer) == astray
    assert WIRE.post(f"{remote.console_url}/token", data=token_of(bearer)).status_code == 503
    status, said = remote.readiness()
    assert (status, said["checks"]["clock"], said["checks"]["ledger"]) == (503, False, False)
    assert said["remarks"]["clock"] == f"it and the ledger's are {abs(seconds)} s apart: nobody is let in by it"
    assert remote.metric("phigate_clock_ahead_seconds") == pytest.approx(seconds, abs=5)
    assert execute(database, *rows) == before

    remote.put(0)
    until(lambda: answered(remote, bearer) == GOOD)
    assert remote.readiness()[0] == 200
