"""How long an answer, and a connection on which nothing is asked, may last: from outside, over each protocol."""

import contextlib
import socket
import sys
import threading
import time
from pathlib import Path

import grpc
import httpx
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from model_server import Answer, ModelServer
from people import policy_for
from processes import HOST, Gateway, free_port, settings
from tests.grpc_peer import Peer, answer, packed
from tests.live.hostile import wire
from tests.traffic import CHAT, as_person, chat, completion, events, leaks, records, said

pytestmark = pytest.mark.live

STAGE = str(Path(__file__).with_name("brief_mitmdump.py"))
LONGEST = 2.0
"""Seconds that an answer may take, and nothing may be asked, at this stage; looked at once a second."""


@pytest.fixture(scope="module")
def server():
    with ModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def peer():
    with Peer() as running:
        yield running


@pytest.fixture(scope="module")
def brief(server, peer, issuer, tmp_path_factory):
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("brief-policy"))
    policy.write_text(policy.read_text().replace("to: [chat, complete, embed]\n", "to: [chat, complete, predict]\n"))
    port = free_port()
    more = settings(phi_grpc=f"{HOST}:{port}", phi_grpc_upstream=peer.url)
    folder = tmp_path_factory.mktemp("brief")
    with Gateway(server.url, policy, folder, program=STAGE, prefix=[sys.executable], extra=more) as running:
        running.grpc = port
        yield running


def outcomes(brief, route):
    """What became of the answers of a route."""
    lines = records(brief.journal)
    asked = {line["exchange"] for line in lines if line["kind"] == "request" and line["route"] == route}
    return [line["outcome"] for line in lines if line["kind"] == "response" and line["exchange"] in asked]


def without_end(told):
    """Events that go on and on, for as long as somebody reads them; those that were read are counted."""
    for _ in range(150):
        told.append(None)
        yield from [b"".join(events("All is well. ", done=False)[:-1]), 0.1]


def read(stream, got):
    """Keep what comes until it ends, well or not."""
    for piece in stream.iter_raw():
        got.append(piece)


def test_a_stream_of_events_is_broken_off_though_it_goes_on(brief, server, issuer):
    told, pieces = [], []
    server.script = Answer.events(without_end(told))
    began = time.monotonic()
    with (
        as_person(brief, issuer.mint("listens", ["ward-staff"])) as client,
        client.stream("POST", CHAT, json=chat(stream=True)) as stream,
        pytest.raises(httpx.RemoteProtocolError),  # it has no end, as where the model server breaks off
    ):
        read(stream, pieces)
    got = b"".join(pieces)
    assert LONGEST <= time.monotonic() - began < LONGEST + 8
    assert said(got).startswith("All is well. ")
    assert b"[DONE]" not in got
    assert leaks(got) == []
    brief.wait_until(lambda: outcomes(brief, "openai-chat") == ["interrupted"])
    time.sleep(0.4)  # a server finds out that nobody reads when it says the next thing, or the one after
    far = len(told)
    time.sleep(0.4)
    assert len(told) == far, "the model server is still read"


def test_a_grpc_stream_and_a_call_are_broken_off_as_well(brief, peer, issuer):
    going = threading.Event()

    def for_ever(requests):
        (request,) = requests
        while not going.wait(0.1):
            yield answer(request, "All is well. ")

    def late(request):
        going.wait(15)
        return answer(request, "late")

    peer.streams, peer.says = for_ever, late
    bearer = [("authorization", f"Bearer {issuer.mint('calls', ['ward-staff'])}")]
    request = service_pb2.ModelInferRequest(model_name="ward-assistant", id="1")
    request.inputs.add(name="text_input", datatype="BYTES", shape=[1])
    request.raw_input_contents.append(packed("How is she?"))
    try:
        with grpc.insecure_channel(f"{HOST}:{brief.grpc}") as channel:
            stub, began, heard = service_pb2_grpc.GRPCInferenceServiceStub(channel), time.monotonic(), []
            other = stub.ModelInfer.future(request, metadata=bearer, timeout=15)
            with pytest.raises(grpc.RpcError) as told:
                heard.extend(stub.ModelStreamInfer(iter([request]), metadata=bearer, timeout=15))
            with pytest.raises(grpc.RpcError) as as_well:
                other.result()
            assert LONGEST <= time.monotonic() - began < LONGEST + 8
            codes = {told.value.code(), as_well.value.code()}
            assert codes == {grpc.StatusCode.UNAVAILABLE}
            assert "upstream-broke" in told.value.details()
            assert peer.cancelled.wait(10)
    finally:
        going.set()
    kinds = ("kserve-grpc-stream-infer", "kserve-grpc-infer")
    brief.wait_until(lambda: [outcomes(brief, kind) for kind in kinds] == [["interrupted"]] * 2)


def states(brief):
    lines = httpx.get(f"{brief.console_url}/metrics", trust_env=False).text.splitlines()
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines if line.startswith("phigate_connections{")}


def test_whoever_asks_for_nothing_more_is_left(brief, server, issuer):
    """On the one port and on the other, though both were believed."""
    server.script = Answer(completion())
    bearer = issuer.mint("rests", ["ward-staff"])
    with grpc.insecure_channel(f"{HOST}:{brief.grpc}") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        told = [("authorization", f"Bearer {bearer}")]
        with contextlib.suppress(grpc.RpcError):
            stub.ServerLive(service_pb2.ServerLiveRequest(), metadata=told, timeout=10)
        body = httpx.Request("POST", brief.url, json=chat()).read()
        head = f"POST {CHAT} HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {bearer}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection((HOST, brief.port), 20) as open_:
            open_.sendall(head.encode() + body)
            got = open_.recv(65536)
            began = time.monotonic()
            brief.wait_until(lambda: states(brief) == {"believed": 2.0, "strangers": 0.0}, 5)
            while piece := open_.recv(65536):
                got += piece
                began = time.monotonic()
        assert LONGEST - 1 <= time.monotonic() - began < LONGEST + 8
        ((status, _, _),), _ = wire.answers_in(got)
        assert status == 200
        brief.wait_until(lambda: states(brief) == {"believed": 0.0, "strangers": 0.0}, 10)
