"""What breaks behind the gateway: model servers, and what the gateway itself stands on.

Each fault is brought about under a real mitmdump with the chain, and asked of it: a bounded time to an answer of ours,
its status and reason, a metric by the policy's name of the model, and a record; and that all goes on when it is over.
"""

import contextlib
import json
import os
import re
import resource
import socket
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from people import policy_for
from phigate.journal import folder, note, read
from phigate.journal.commit import STALL
from processes import HOST, Gateway, free_port, settings
from tests.grpc_peer import certificate
from tests.live.wayward import STREAM, Wayward, reset, stream, usual, whole
from tests.traffic import CANARY_TEXT, CHAT, as_person, chat, leaks, records, said

pytestmark = pytest.mark.live

CONNECT, SILENCE = 2.0, 2.5
"""What the gateway below is told; each answer has to be there that much later, and a little."""
SPARE = 12.0
"""Seconds more on a machine that has other things to do."""
MODELS = ("wayward", "secret", "gone", "unnamed", "slow-named", "deaf", "mute", "steady")


@pytest.fixture(scope="module")
def wayward():
    with Wayward() as running:
        yield running


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    """One that speaks TLS, and one that only seems to be about to."""
    files = certificate(tmp_path_factory.mktemp("certificate"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    with Wayward(lambda wire: context.wrap_socket(wire, server_side=True)) as running:
        running.certificate = files[0]
        yield running


@pytest.fixture(scope="module")
def deaf():
    """An address that takes no connection any more, and does not say so: its queue is full."""
    with contextlib.ExitStack() as stack:
        bound = stack.enter_context(socket.socket())
        bound.bind((HOST, 0))
        bound.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(bound.getsockname())
        yield bound.getsockname()[1]


@pytest.fixture(scope="module")
def mute():
    """One that takes connections and never says a word."""
    with socket.create_server((HOST, 0)) as bound:
        yield bound.getsockname()[1]


@pytest.fixture(scope="module")
def behind(issuer, wayward, secret, deaf, mute, tmp_path_factory):
    place = tmp_path_factory.mktemp("behind")
    gone = free_port()
    with Wayward() as steady:
        urls = {
            "wayward": wayward.url,
            "secret": f"https://localhost:{secret.port}",
            "gone": f"http://{HOST}:{gone}",
            "unnamed": "http://no-such-host.invalid",
            "slow-named": "http://slow.invalid",
            "deaf": f"http://{HOST}:{deaf}",
            "mute": f"https://{HOST}:{mute}",
            "steady": steady.url,
        }
        policy = policy_for(issuer.url, place)
        lines = "".join(f'  {name}: {{url: "{url}"}}\n' for name, url in urls.items())
        policy.write_text(policy.read_text().replace("\nrules:\n", f"\nmodels:\n{lines}\nrules:\n", 1))
        os.environ["PHIGATE_SLOW_NAME"] = "slow.invalid"
        extra = settings(
            phi_upstream_connect=CONNECT,
            phi_upstream_silence=SILENCE,
            ssl_verify_upstream_trusted_ca=secret.certificate,
        )
        launcher = str(Path(__file__).with_name("slow_names_mitmdump.py"))
        with Gateway(steady.url, policy, place / "g", extra=extra, program=launcher, prefix=[sys.executable]) as made:
            made.gone = gone
            yield made


@pytest.fixture
def asks(behind, bearers):
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
    with httpx.Client(base_url=behind.url, headers=headers, trust_env=False, timeout=30) as client:

        def ask(model, **more):
            """Status, fields, everything that came, whether it came to its end, and the seconds that it took."""
            began, got, ended, status, fields = time.monotonic(), b"", True, 0, httpx.Headers()
            try:
                with client.stream("POST", CHAT, json=chat(**more) | {"model": model}) as answer:
                    status, fields = answer.status_code, answer.headers
                    for piece in answer.iter_raw():
                        got += piece
            except httpx.HTTPError:
                ended = False
            return status, fields, got, ended, time.monotonic() - began

        yield ask


def faults(gateway):
    """The counts of what model servers did, by model and why."""
    said = httpx.get(f"{gateway.console_url}/metrics", trust_env=False, timeout=10).text
    found = re.findall(r'^phigate_upstream_faults_total\{model="([^"]+)",why="([^"]+)"\} (\S+)$', said, re.MULTILINE)
    return {(model, why): float(count) for model, why, count in found}


def last_answer(gateway):
    return [record for record in records(gateway.journal) if record["kind"] == "response"][-1]


def nothing(_wire, _request):
    time.sleep(SILENCE + SPARE)
    return False


def head_and_nothing(wire, request):
    wire.sendall(whole()[:60])
    return nothing(wire, request)


def reset_at_once(wire, _request):
    reset(wire)
    return False


def close_at_once(_wire, _request):
    return False


def reset_in_the_body(wire, _request):
    wire.sendall(whole()[:-20])
    reset(wire)
    return False


def tls_cut(wire, _request):
    """The end of TCP without one of TLS (RFC 8446, 6.1: it may be an attacker's)."""
    wire.sendall(whole()[:-20])
    os.close(wire.detach())
    return False


UNREACHABLE, SILENT, BROKE = (502, "upstream-unreachable"), (504, "upstream-silent"), (502, "upstream-broke")
FAULTS = [
    ("gone", None, UNREACHABLE, "unreachable", 0),
    ("unnamed", None, UNREACHABLE, "unresolved", 0),
    ("slow-named", None, UNREACHABLE, "slow-connect", CONNECT),
    ("deaf", None, UNREACHABLE, "slow-connect", CONNECT),
    ("mute", None, UNREACHABLE, "slow-connect", CONNECT),
    ("wayward", nothing, SILENT, "silent", SILENCE),
    ("wayward", head_and_nothing, SILENT, "silent", SILENCE),
    ("wayward", reset_at_once, BROKE, "broke-off", 0),
    ("wayward", close_at_once, BROKE, "broke-off", 0),
    ("wayward", reset_in_the_body, BROKE, "broke-off", 0),
    ("secret", tls_cut, BROKE, "broke-off", 0),
]


@pytest.mark.parametrize(
    ("model", "act", "right", "why", "after"),
    FAULTS,
    ids=[f"{each[0]}{' ' + each[1].__name__ if each[1] else ''}" for each in FAULTS],
)
def test_who_got_nothing_of_an_answer_is_told_in_time(behind, wayward, secret, asks, model, act, right, why, after):
    wayward.act = secret.act = act or usual
    before = faults(behind).get((model, why), 0)
    status, fields, got, ended, seconds = asks(model)
    assert after <= seconds < after + SPARE
    assert ended
    error = json.loads(got)["error"]
    assert (status, error["code"]) == right
    assert fields["phi-reason"] == error["code"]
    assert fields["phi-exchange"] == last_answer(behind)["exchange"]
    reached = right != UNREACHABLE
    assert fields.get("x-should-retry") == ("false" if reached else None), "an SDK would ask the model twice"
    assert (last_answer(behind)["outcome"], last_answer(behind)["status"]) == ("upstream-broke", status)
    assert faults(behind)[model, why] == before + 1
    wayward.act = secret.act = usual
    assert asks("wayward")[0] == asks("secret")[0] == asks("steady")[0] == 200


def stalls(wire, _request):
    wire.sendall(STREAM + b"".join(stream("All is well on the ward today. ")[:8]))
    return nothing(wire, _request)


def dies(wire, _request):
    wire.sendall(STREAM + b"".join(stream("All is well on the ward today. ")[:8]))
    time.sleep(0.3)
    reset(wire)
    return False


@pytest.mark.parametrize(("act", "why", "after"), [(stalls, "silent", SILENCE), (dies, "broke-off", 0)])
def test_a_stream_that_stops_in_the_middle_has_no_end(behind, wayward, asks, act, why, after):
    wayward.act = act
    before = faults(behind).get(("wayward", why), 0)
    status, _, got, ended, seconds = asks("wayward", stream=True)
    assert after <= seconds < after + SPARE
    assert (status, ended) == (200, False)
    assert b"[DONE]" not in got
    assert "All is well on the ward today".startswith(said(got).strip())
    assert (last_answer(behind)["outcome"], last_answer(behind)["streamed"]) == ("upstream-broke", True)
    assert faults(behind)["wayward", why] == before + 1


def test_one_that_says_a_little_now_and_then_is_not_given_up(wayward, asks):
    def little(wire, _request):
        wire.sendall(STREAM)
        for part in stream("All is well."):
            time.sleep(0.6)
            wire.sendall(part)
        return True

    wayward.act = little
    status, _, got, ended, seconds = asks("wayward", stream=True)
    assert (status, ended, said(got)) == (200, True, "All is well.")
    assert seconds > SILENCE


def test_a_connection_that_is_kept_and_goes_between_two_requests_costs_nobody_an_answer(wayward, asks):
    """Another process stands at the address by then, say."""

    def once(wire, request):
        usual(wire, request)
        return False

    wayward.act = once
    before = wayward.connections
    for _ in range(5):
        assert asks("wayward")[0] == 200
        time.sleep(0.1)
    assert wayward.connections == before + 5


def test_one_that_comes_back_is_reached_by_those_who_are_still_connected(behind, asks):
    assert [asks("gone")[0] for _ in range(3)] == [502] * 3
    with Wayward(port=behind.gone) as back:
        assert asks("gone")[0] == 200
        assert len(back.requests) == 1
    assert asks("gone")[0] == 502


def test_while_names_and_servers_hang_everybody_else_is_served_at_once(behind, asks, bearers):
    """Twenty ask for a name that is not found, twenty for one that takes no connection; a large body is masked."""
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
    hanging = []
    with contextlib.ExitStack() as stack:
        for each in range(40):
            wire = stack.enter_context(socket.create_connection((HOST, behind.port)))
            body = json.dumps(chat() | {"model": ("slow-named", "deaf")[each % 2]}).encode()
            head = (
                f"POST {CHAT} HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            )
            wire.sendall(head.encode() + f"Authorization: {headers['authorization']}\r\n\r\n".encode() + body)
            hanging.append(wire)
        began = time.monotonic()
        status = asks("steady", text="All is well. " * 2000)[0]
        took = time.monotonic() - began
        for wire in hanging:
            wire.settimeout(CONNECT + SPARE + 10)
            assert wire.recv(65536).startswith(b"HTTP/1.1 502 ")
    assert status == 200
    assert took < CONNECT


def test_nothing_of_it_is_in_the_log(behind):
    """Comes last of these."""
    assert leaks(behind.said()) == []
    assert "crashed" not in behind.said()


# -- the journal's disk ---------------------------------------------------------------------------------------------


class Shaky(Gateway):
    """A gateway of faulty_mitmdump.py whose journal stands on a small disk of its own, where one can be had."""

    def __init__(self, url, policy, place):
        place.mkdir()
        self.disk, self.control = place / "disk", place / "fault"
        self.disk.mkdir()
        self.control.write_text("")
        self.small = mounted(self.disk, "size=8m,nr_inodes=24,mode=700")
        (self.disk / "journal").mkdir(mode=0o700)
        (place / "journal").symlink_to(self.disk / "journal")
        os.environ["PHIGATE_FAULT"], os.environ["PHIGATE_FAULTY"] = str(self.control), str(self.disk)
        launcher = str(Path(__file__).with_name("faulty_mitmdump.py"))
        extra = settings(phi_journal_size="64k", phi_journal_warn="6m", phi_journal_stop="2m", phi_leave_within="1")
        super().__init__(url, policy, place, program=launcher, prefix=[sys.executable], extra=extra)

    def fault(self, fault):
        beside = self.control.with_suffix(".new")
        beside.write_text(fault)
        beside.replace(self.control)

    def leave(self, megabytes):
        """Fill the disk until so much is left; None gives all of it back."""
        filler = self.disk / "filler"
        filler.unlink(missing_ok=True)
        if megabytes is not None:
            left = os.statvfs(self.disk)
            filler.touch()
            os.posix_fallocate(
                (file := filler.open("wb")).fileno(), 0, left.f_bavail * left.f_frsize - int(megabytes * 2**20)
            )
            file.close()

    def state(self):
        return httpx.get(f"{self.console_url}/readyz", trust_env=False, timeout=10).json()


def mounted(place, options):
    """Whether a disk of memory could be mounted there: not everybody may."""
    tried = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
    )
    return tried.returncode == 0


@pytest.fixture(scope="module")
def shaky(wayward, policy, tmp_path_factory):
    made = Shaky(wayward.url, policy, tmp_path_factory.mktemp("shaky") / "run")
    try:
        with made:
            yield made
    finally:
        if made.small:
            subprocess.run(["umount", "-l", str(made.disk)], check=True)


@pytest.fixture
def small(shaky):
    if not shaky.small:
        pytest.skip("this account may mount no disk of its own")
    return shaky


@pytest.fixture
def doctor(shaky, wayward, bearers):
    wayward.act = usual
    with as_person(shaky, bearers["dr.okafor"]) as client:
        yield client
    shaky.fault("")
    shaky.leave(None)
    until(lambda: shaky.state()["ready"], 20)
    with client_of(shaky, bearers) as client:
        assert client.post(CHAT, json=chat()).status_code == 200, "it does not go on by itself"


def client_of(gateway, bearers):
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
    return httpx.Client(base_url=gateway.url, headers=headers, trust_env=False, timeout=30)


def until(true, seconds=10.0):
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)
    return found


def parts(gateway, exchange):
    """What of a stream's text is on record."""
    found = (item for file in read.files(gateway.journal) for item in read.entries(file.path))
    kept = [item.record for item in found if isinstance(item, read.Entry)]
    return "".join(str(each["body"]) for each in kept if each["kind"] == "part" and each["exchange"] == exchange)


def streamed(client, then):
    """Exchange and text of a stream, up to where it was broken off; `then` is called in the middle of it."""
    got, called = b"", False
    with contextlib.suppress(httpx.HTTPError), client.stream("POST", CHAT, json=chat(stream=True)) as answer:
        exchange = answer.headers["phi-exchange"]
        for piece in answer.iter_raw():
            got += piece
            if not called:
                called = bool(then()) or True
    return exchange, got


def long_stream(wire, _request):
    wire.sendall(STREAM)
    for part in stream("All is well on the ward today, and it is quiet. " * 12):
        time.sleep(0.02)
        wire.sendall(part)
    return True


def refused(answer):
    return answer.status_code, answer.json()["error"]["code"]


NOT_RECORDED = (503, "not-recorded")


def test_each_sync_of_half_a_second_is_waited_for(shaky, doctor, wayward):
    shaky.fault("slow 0.5")
    began = time.monotonic()
    assert doctor.post(CHAT, json=chat()).status_code == 200
    assert time.monotonic() - began >= 1.0, "an answer went out before its record was on the disk"
    wayward.act = long_stream
    exchange, got = streamed(doctor, lambda: None)
    assert b"stream-broken-off" in got, "a stream ran ahead of its record"
    shaky.fault("")
    until(lambda: parts(shaky, exchange).startswith(said(got)))


def test_a_disk_that_never_answers_refuses_in_time(shaky, doctor):
    shaky.fault("stall")
    began = time.monotonic()
    answers = [doctor.post(CHAT, json=chat()) for _ in range(3)]
    assert [refused(each) for each in answers] == [NOT_RECORDED] * 3
    assert time.monotonic() - began < 3 * STALL + SPARE
    assert [each.headers["retry-after"] for each in answers] == ["1"] * 3


def test_what_is_nearly_full_is_told_before_anything_is_refused(small, doctor):
    small.leave(4)
    found = until(lambda: (state := small.state()).get("remarks", {}).get("journal-space") and state)
    assert found["ready"]
    assert found["remarks"]["journal-space"].startswith("low: ")
    assert doctor.post(CHAT, json=chat()).status_code == 200
    small.leave(1)
    found = until(lambda: not (state := small.state())["ready"] and state)
    assert found["remarks"]["journal-space"].startswith("scarce: ")
    assert refused(doctor.post(CHAT, json=chat())) == NOT_RECORDED


def test_a_disk_that_is_full_in_the_middle_of_a_stream_ends_it(small, doctor, wayward):
    wayward.act = long_stream
    exchange, got = streamed(doctor, lambda: small.leave(0))
    assert b"[DONE]" not in got
    assert refused(doctor.post(CHAT, json=chat())) == NOT_RECORDED
    assert re.search("ENOSPC|cut short", small.state()["remarks"]["journal"])
    small.leave(None)
    until(lambda: small.state()["ready"])
    until(lambda: parts(small, exchange).startswith(said(got)))


def test_a_disk_on_which_no_file_can_be_made_any_more_refuses_at_the_next(small, doctor):
    made = []
    with contextlib.suppress(OSError):
        for each in range(100):
            (small.disk / f"more{each}").touch()
            made.append(small.disk / f"more{each}")
    found = [doctor.post(CHAT, json=chat("How is she? " * 700)) for _ in range(20)]
    for each in made:
        each.unlink()
    assert made
    assert refused(found[-1]) == NOT_RECORDED
    assert {each.status_code for each in found} == {200, 503}


def moved(shaky):
    (shaky.disk / "journal").rename(shaky.disk / "elsewhere")
    return lambda: (shaky.disk / "elsewhere").rename(shaky.disk / "journal")


def replaced(shaky):
    back = moved(shaky)
    (shaky.disk / "journal").mkdir(mode=0o755)

    def put_back():
        (shaky.disk / "journal").rmdir()
        back()

    return put_back


@pytest.mark.parametrize("act", [moved, replaced])
def test_a_folder_that_is_gone_or_another_one_is_noticed(shaky, doctor, act):
    put_back = act(shaky)
    try:
        until(lambda: refused(doctor.post(CHAT, json=chat())) == NOT_RECORDED if not shaky.state()["ready"] else False)
        assert shaky.state()["remarks"]["journal"].startswith("the journal's file ")
    finally:
        put_back()


def test_a_file_that_was_cut_is_left_at_once_for_the_next(shaky, doctor):
    """What it held is lost: whoever proves the journal is told."""
    path = read.files(shaky.journal)[-1].path
    os.truncate(path, path.stat().st_size // 2)
    until(lambda: read.files(shaky.journal)[-1].path != path)
    assert doctor.post(CHAT, json=chat()).status_code == 200
    found = [record["fault"] for record in records(shaky.journal) if "fault" in record]
    assert found[-1] == "the journal's file was removed or cut"
    keys = [note.parse_vkey(shaky.checkpoint_key.read_text().strip())]
    (proof,) = folder.prove(shaky.journal, keys)
    assert proof.findings


def test_told_to_end_while_the_disk_never_answers_it_ends_in_time(shaky, bearers):
    """Comes last of these."""
    shaky.fault("stall")
    with client_of(shaky, bearers) as client:
        assert refused(client.post(CHAT, json=chat())) == NOT_RECORDED
    began = time.monotonic()
    shaky.process.terminate()
    shaky.process.wait(60)
    assert time.monotonic() - began < 25 + SPARE
    assert leaks(shaky.said()) == []


# -- memory and descriptors -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tight(wayward, policy, tmp_path_factory):
    """One whose limits a test takes away while it runs, and gives back."""
    small = settings(phi_journal_size="64k")
    with Gateway(wayward.url, policy, tmp_path_factory.mktemp("tight") / "g", extra=small) as running:
        yield running


@contextlib.contextmanager
def limited(gateway, what, most):
    _, hard = was = resource.prlimit(gateway.pid, what)
    resource.prlimit(gateway.pid, what, (most, hard))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(gateway.pid, what, was)


def virtual(process):
    """Bytes of addresses that a process has."""
    said = Path(f"/proc/{process}/status").read_text()
    (found,) = re.findall(r"VmSize:\s+(\d+) kB", said)
    return int(found) * 1024


def large():
    """A request of 15 MB, most of which is blanks, and what must not come back."""
    return json.dumps(chat(CANARY_TEXT)).encode()[:-1] + b" " * 15_000_000 + b"}"


def posted(gateway, bearer, body):
    """Status, and everything that came; 0 where the connection ended without an answer."""
    headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
    with contextlib.suppress(httpx.HTTPError):
        made = httpx.post(gateway.url + CHAT, content=body, headers=headers, trust_env=False, timeout=60)
        return made.status_code, made.content
    return 0, b""


def permitted(gateway):
    found = (item for file in read.files(gateway.journal) for item in read.entries(file.path))
    kept = [item.record for item in found if isinstance(item, read.Entry)]
    return sum(each["kind"] == "request" and each["decision"]["verb"] == "permit" for each in kept)


def test_without_descriptors_nothing_is_forgotten_and_all_goes_on(tight, wayward, bearers):
    doctor, pid = bearers["dr.okafor"], tight.pid
    wayward.act = lambda wire, request: usual(wire, request) and False
    with client_of(tight, bearers) as client:
        assert client.post(CHAT, json=chat()).status_code == 200
        asked, kept = len(wayward.requests), permitted(tight)
        with limited(tight, resource.RLIMIT_NOFILE, 16):
            answer = client.post(CHAT, json=chat())
            assert (answer.status_code, answer.json()["error"]["code"]) == UNREACHABLE
            statuses = [client.post(CHAT, json=chat("How is she? " * 700)).status_code for _ in range(20)]
            assert set(statuses) == {502, 503}, "the journal's next file can be made"
            with socket.create_connection((HOST, tight.port)):
                began = time.monotonic()
        until(lambda: client.post(CHAT, json=chat()).status_code == 200)
        assert posted(tight, doctor, json.dumps(chat()).encode())[0] == 200
    assert time.monotonic() - began < SPARE
    assert (tight.pid, tight.code) == (pid, None)
    assert len(wayward.requests) - asked <= permitted(tight) - kept
    until(tight.ready)


def test_without_memory_nothing_passes_that_is_not_masked_and_on_record(tight, wayward, bearers):
    """Comes last: the gateway goes on, or has ended."""
    doctor, body = bearers["dr.okafor"], large()
    wayward.act = lambda wire, _request: wire.sendall(whole(CANARY_TEXT)) or True
    assert posted(tight, doctor, body)[0] == 200
    asked, kept = len(wayward.requests), permitted(tight)
    with limited(tight, resource.RLIMIT_AS, virtual(tight.pid) + 40 * 2**20), ThreadPoolExecutor(12) as callers:
        answers = list(callers.map(lambda _: posted(tight, doctor, body), range(12)))
        answers += [posted(tight, doctor, json.dumps(chat(CANARY_TEXT)).encode())]
    assert {status for status, _ in answers} - {200}, "there was memory enough"
    assert leaks(b"".join(got for _, got in answers)) == []
    assert len(wayward.requests) - asked <= permitted(tight) - kept
    assert leaks(tight.said()) == []
    until(lambda: tight.code is not None or posted(tight, doctor, body)[0] == 200, 30)
    assert tight.code is not None or tight.ready(), "it is half alive"
