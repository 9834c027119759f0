"""How much one may take, from outside: connections that say nothing, requests that are too many; others go on.

The gateway of this file loses its patience after four seconds. What that ends is begun first and looked at last.
"""

import contextlib
import json
import socket
import ssl
import sys
from pathlib import Path

import anthropic
import grpc
import httpx
import openai
import pytest

from model_server import Answer, ModelServer
from people import policy_for
from processes import HOST, Gateway, free_port, settings
from tests.live import realtime
from tests.live.hostile import frames, wire
from tests.traffic import CHAT, as_person, chat, completion, events, leaks, records

pytestmark = pytest.mark.live

STAGE = str(Path(__file__).with_name("impatient_mitmdump.py"))
LIMITS = """
limits:
  - {roles: [clinician], requests: {per: PT1M, most: 60}}
  - {roles: [researcher], requests: {per: PT2S, most: 2}}
  - {roles: [auditor], at_once: 2}
  - {roles: [ml-operator], requests: {per: PT1H, most: 3}}

models:
  ward-assistant: {url: "@SERVER@"}
  ward-voice: {url: "@TALKING@"}

rules:
  - {name: operators-listen, permit: [ml-operator], to: [chat], models: ["*"], mask: safe-harbor}
  - {name: audits, permit: [auditor], to: [chat], models: ["*"], mask: safe-harbor}
"""
HALF = b"POST /v1/chat/completions HTTP/1.1\r\nHost: gateway\r\n"
WARD, LAB, AUDIT, OPERATE = ["ward-staff"], ["research"], ["compliance"], ["ml-platform"]
STRANGERS = 40
CALM = b"\0\0\0\x0b"
"""ENHANCE_YOUR_CALM (RFC 9113, 7)."""


@pytest.fixture(scope="module")
def server():
    with ModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def talking():
    with realtime.Model() as running:
        yield running


@pytest.fixture(scope="module")
def door(server, talking, issuer, tmp_path_factory):
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("limits-policy"))
    limits = LIMITS.replace("@SERVER@", server.url).replace("@TALKING@", f"http://{HOST}:{talking.port}")
    policy.write_text(policy.read_text().replace("\nrules:\n", limits, 1))
    grpc_port = free_port()
    few = settings(phi_strangers=STRANGERS, phi_grpc=f"{HOST}:{grpc_port}")
    folder = tmp_path_factory.mktemp("limits")
    with Gateway(server.url, policy, folder, program=STAGE, prefix=[sys.executable], extra=few) as running:
        running.grpc = grpc_port
        yield running


@pytest.fixture(scope="module", autouse=True)
def half_open(door):
    """Connections that were begun before all that follows, and by what they said: nothing, half a head, half a body."""
    greeting = frames.PREFACE + frames.frame(frames.SETTINGS)
    said = {
        "nothing": (door.port, b""),
        "half a head": (door.port, HALF),
        "half a body": (door.port, HALF + b"Content-Length: 1000\r\n\r\n{"),
        "nothing to gRPC": (door.grpc, b""),
        "half a greeting to gRPC": (door.grpc, greeting[:20]),
        "a greeting to gRPC, and then half a head": (
            door.grpc,
            greeting + frames.frame(frames.HEADERS, b"\x82", stream=1, size=50),
        ),
    }
    with contextlib.ExitStack() as stack:
        wires = {}
        for name, (port, words) in said.items():
            wires[name] = stack.enter_context(socket.create_connection((HOST, port), 20))
            wires[name].sendall(words)
        yield wires


@pytest.fixture(autouse=True)
def _as_usual(server):
    server.forget()
    server.script = Answer(completion())


def ended(door):
    """How many connections were ended, by why."""
    lines = httpx.get(f"{door.console_url}/metrics", trust_env=False).text.splitlines()
    told = [line for line in lines if line.startswith("phigate_connections_ended_total{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in told}


def decided(door, who):
    """The decisions on record about somebody, and the bodies of the refused."""
    own = [line for line in records(door.journal) if line["kind"] == "request" and line["subject"]["id"] == who]
    return [line["decision"]["reason"] for line in own], [line["body"] for line in own if line["decision"]["reason"]]


def refused(ask, error):
    """What a client's own error says once it asked too often."""
    for _ in range(30):
        try:
            ask()
        except error as told:
            return told.body
    raise AssertionError("never refused")


# -- of people ------------------------------------------------------------------------------------------------------


def test_the_61st_request_of_a_minute_waits_and_nobody_else_does(door, server, issuer):
    with as_person(door, issuer.mint("eager", WARD)) as eager, as_person(door, issuer.mint("other", WARD)) as other:
        statuses = [eager.post(CHAT, json=chat()).status_code for _ in range(60)]
        assert statuses == [200] * 60
        answer = eager.post(CHAT, json=chat())
        assert (answer.status_code, answer.headers["phi-reason"]) == (429, "too-many-requests")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert "x-should-retry" not in answer.headers
        assert answer.json()["error"]["type"] == "rate_limit_error"
        assert eager.post("/v1/nowhere", content=b"\xff").status_code == 429
        assert other.post(CHAT, json=chat()).status_code == 200
    assert len(server.requests) == 61
    reasons, bodies = decided(door, "eager")
    assert reasons[60:] == ["too-many-requests"] * 2
    assert bodies == [None] * 2


def test_each_protocols_client_reads_that_it_was_too_much(door, server, issuer):
    bearer = issuer.mint("hasty", LAB)
    with (
        openai.OpenAI(base_url=f"{door.url}/v1", api_key=bearer, max_retries=0) as one,
        anthropic.Anthropic(base_url=door.url, api_key=bearer, max_retries=0) as two,
    ):
        asked = {"model": "ward-assistant", "messages": chat()["messages"]}
        told = refused(lambda: one.chat.completions.create(**asked), openai.RateLimitError)
        assert told["code"] == "too-many-requests"
        told = refused(lambda: two.messages.create(max_tokens=400, **asked), anthropic.RateLimitError)
        assert told["error"]["type"] == "rate_limit_error"


def test_a_client_that_repeats_by_itself_waits_as_long_as_it_is_told(door, server, issuer):
    bearer = issuer.mint("patient", LAB)
    with openai.OpenAI(base_url=f"{door.url}/v1", api_key=bearer, max_retries=4) as client:
        for _ in range(3):
            answer = client.chat.completions.create(model="ward-assistant", messages=chat()["messages"])
            assert "furosemide 40 mg" in answer.choices[0].message.content
    assert len(server.requests) == 3


def test_so_many_at_once_and_another_when_one_is_over(door, server, issuer):
    server.script = Answer.events([events()[0], 1.5, *events()[1:]])
    with (
        as_person(door, issuer.mint("busy", AUDIT)) as client,
        as_person(door, issuer.mint("free", AUDIT)) as other,
        contextlib.ExitStack() as stack,
    ):
        open_ = [
            stack.enter_context(client.stream("POST", CHAT, json=chat(stream=True))),
            stack.enter_context(client.stream("POST", CHAT, json=chat(stream=True))),
        ]
        server.wait_for(2)
        answer = client.post(CHAT, json=chat())
        assert (answer.status_code, answer.headers["phi-reason"]) == (429, "too-many-requests")
        assert answer.headers["retry-after"] == "1"
        server.script = Answer(completion())
        assert other.post(CHAT, json=chat()).status_code == 200
        for each in open_:
            assert leaks(each.read()) == []
        assert client.post(CHAT, json=chat()).status_code == 200


def test_each_message_on_a_websocket_is_a_request(door, talking, issuer):
    bearer = issuer.mint("talks", OPERATE)
    with realtime.opened(door, bearer, "/v1/realtime?model=ward-voice") as open_:
        realtime.until(open_, "session.created")
        for _ in range(3):
            open_.send(json.dumps(realtime.ask()))
        (error,), code, reason = realtime.rest(open_)
    assert json.loads(error)["error"]["code"] == "too-many-requests"
    assert (code, reason) == (1008, "too-many-requests")
    assert len(talking.seen) == 2
    with as_person(door, bearer) as client:
        assert client.post(CHAT, json=chat()).status_code == 429


# -- of connections -------------------------------------------------------------------------------------------------


def until_closed(port, pieces):
    """What comes back, and how many bytes could be sent before the connection was closed."""
    got, sent = b"", 0
    with socket.create_connection((HOST, port), timeout=20) as open_:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                open_.sendall(piece)
                sent += len(piece)
        with contextlib.suppress(ConnectionError):
            while piece := open_.recv(65536):
                got += piece
    return got, sent


def test_a_head_of_a_megabyte_is_not_kept(door, server):
    got, _ = until_closed(door.port, [HALF, *[b"X-More: " + b"a" * 8000 + b"\r\n"] * 125])
    found, _ = wire.answers_in(got)
    assert [status for status, _, _ in found] in ([431], [])  # what was sent behind may have cut the answer off
    assert ended(door).get("slow-head", 0) <= 4  # those of `half_open`, on either port
    assert server.requests == []


def test_a_tls_greeting_without_an_end_is_not_kept(door):
    part = b"\x16\x03\x01\x40\x00" + b"\x01\xff\xff\xff" + b"a" * (0x4000 - 4)
    rest = b"\x16\x03\x01\x40\x00" + b"a" * 0x4000
    got, sent = until_closed(door.port, [part, *[rest] * 900])
    assert sent < 900 * len(rest)
    assert leaks(got) == []


def over_http2(port, *sent):
    """What comes back over HTTP/2 until the connection is over."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    trusting.set_alpn_protocols(["h2"])
    got = b""
    with socket.create_connection((HOST, port), timeout=20) as plain, trusting.wrap_socket(plain) as open_:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for each in (frames.PREFACE + frames.frame(frames.SETTINGS), *sent):
                open_.sendall(each)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while piece := open_.recv(65536):
                got += piece
    return got


FLOODS = [
    ("pings", frames.frame(frames.PING, b"12345678") * 5000),
    ("settings", frames.frame(frames.SETTINGS) * 5000),
    ("priorities", frames.frame(frames.PRIORITY, b"\0\0\0\0\x09", stream=1) * 5000),
    (
        "streams that are taken back",
        b"".join(
            frames.frame(frames.HEADERS, b"\x82\x87\x84\x41\x01x", stream=at, flags=5)
            + frames.frame(frames.RESET, b"\0\0\0\x08", stream=at)
            for at in range(1, 2001, 2)
        ),
    ),
    ("a frame that is announced as sixteen megabytes", frames.frame(frames.DATA, stream=1, size=2**24 - 1)),
    (
        "a head that goes on and on",
        frames.frame(frames.HEADERS, b"\x82", stream=1) + frames.frame(frames.MORE, b"a" * 16384, stream=1) * 10,
    ),
]


@pytest.mark.parametrize(("sentence", "flood"), FLOODS, ids=[case[0] for case in FLOODS])
def test_a_flood_over_http2_ends_its_connection(door, server, issuer, sentence, flood):
    before = ended(door).get("flood", 0)
    got = over_http2(door.port, flood)
    (last,) = [payload for kind, _, _, payload in frames.frames_in(got) if kind == frames.GOAWAY] or [b""]
    assert last[4:8] in {CALM, b""}  # where more was on its way the end may not have come through
    assert ended(door)["flood"] == before + 1
    assert server.requests == []
    with as_person(door, issuer.mint(sentence, WARD)) as client:
        assert client.post(CHAT, json=chat()).status_code == 200


def endless(told):
    """A stream of short words that goes on for as long as somebody reads it; what was told of it is counted."""
    part = b"".join(events("fine and well " * 400, step=200, done=False)[:-1])
    for _ in range(4000):
        told.append(len(part))
        yield part


def test_whoever_opens_no_window_does_not_fill_the_gateway(door, server, issuer):
    told = []
    server.script = Answer.events(endless(told))
    body = json.dumps(chat(stream=True)).encode()
    fields = frames.Block(tuple({**frames.HEAD, b"content-length": b"%d" % len(body)}.items()))
    row = frames.Row("", (fields, frames.frame(frames.DATA, body, stream=1, flags=frames.END_STREAM)), 200)
    closed_window = frames.frame(frames.SETTINGS, b"\0\4\0\0\0\0")
    asked = frames.encoded(row, issuer.mint("stuck", WARD)).removeprefix(frames.PREFACE)
    before = ended(door).get("takes-nothing", 0)
    got = over_http2(door.port, closed_window + asked)
    assert not [kind for kind, *_ in frames.frames_in(got) if kind == frames.DATA]
    assert ended(door)["takes-nothing"] == before + 1
    assert 0 < sum(told) < 30_000_000, "read although nobody takes it"
    server.script = Answer(completion())
    with as_person(door, issuer.mint("meanwhile", WARD)) as client:
        assert client.post(CHAT, json=chat()).status_code == 200


def test_of_one_address_strangers_make_room_for_each_other_and_for_whoever_is_none(door, issuer):
    with as_person(door, issuer.mint("calm", WARD)) as client, contextlib.ExitStack() as stack:
        assert client.post(CHAT, json=chat()).status_code == 200
        before = ended(door).get("crowd", 0)
        for _ in range(2 * STRANGERS):
            stack.enter_context(socket.create_connection((HOST, door.port)))
        door.wait_until(lambda: ended(door).get("crowd", 0) >= before + STRANGERS - 5)
        assert client.post(CHAT, json=chat()).status_code == 200
        with as_person(door, issuer.mint("new", WARD)) as other:
            assert other.post(CHAT, json=chat()).status_code == 200


HEALTH = "/grpc.health.v1.Health/Check"


def test_on_the_port_for_grpc_as_well(door, issuer):
    """Where more strangers come than may be there, those that came first go, and calls are answered all the while."""
    bearer = [("authorization", f"Bearer {issuer.mint('calls', WARD)}")]
    with grpc.insecure_channel(f"{HOST}:{door.grpc}") as channel, contextlib.ExitStack() as stack:
        with pytest.raises(grpc.RpcError) as told:  # somebody is known by it, and asks for what is nowhere
            channel.unary_unary("/inference.GRPCInferenceService/ServerLive")(b"", metadata=bearer, timeout=10)
        assert told.value.code() is not grpc.StatusCode.UNAUTHENTICATED
        before = ended(door).get("crowd", 0)
        crowd = [stack.enter_context(socket.create_connection((HOST, door.grpc), 10)) for _ in range(2 * STRANGERS)]
        door.wait_until(lambda: ended(door).get("crowd", 0) >= before + STRANGERS - 5)
        assert until_over(crowd[0])
        assert channel.unary_unary(HEALTH)(b"", timeout=10) == b"\x08\x01"
        with grpc.insecure_channel(f"{HOST}:{door.grpc}", [("grpc.use_local_subchannel_pool", 1)]) as other:
            assert other.unary_unary(HEALTH)(b"", timeout=10) == b"\x08\x01"


def until_over(wire_):
    """Read until the other side closed it."""
    with contextlib.suppress(ConnectionError):
        while wire_.recv(65536):
            pass
    return True


def test_half_open_connections_are_over_by_now(door, half_open, issuer):
    """Comes last in the file: what was begun before all of the above."""
    with as_person(door, issuer.mint("meanwhile", WARD)) as client:
        assert client.post(CHAT, json=chat()).status_code == 200
    for name in ("nothing", "half a head"):
        assert half_open[name].recv(1) == b"", name
    for name, wire_ in half_open.items():
        assert "gRPC" not in name or until_over(wire_)
    answer = half_open["half a body"].recv(65536)
    ((status, fields, body),), _ = wire.answers_in(answer)
    assert (status, dict(fields)["phi-reason"], json.loads(body)["error"]["code"]) == (408, "too-slow", "too-slow")
    assert {"slow-head", "slow-body"} <= ended(door).keys()
    assert "crashed" not in door.said()
