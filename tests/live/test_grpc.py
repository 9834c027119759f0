"""Triton's own client through the gateway to a real gRPC server: whole and streamed, refused and broken off."""

import contextlib
import os
import queue
import re
import socket
import threading
import time
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

from phigate.rpc.framing import frame
from processes import HOST, Gateway, free_port, settings
from tests import policies
from tests.grpc_peer import Peer, answer, certificate, packed, texts_of
from tests.traffic import CANARY_NAME, CANARY_TEXT, leaks, records

pytestmark = pytest.mark.live

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"

RULES = (
    "{name: infer, permit: [clinician], to: [predict, list-models], models: ['*'], purpose: treatment, mask: lean}",
    "{name: blind, permit: [researcher], to: [predict], models: ['*'], prompt: lean, mask: years}",
    "{name: pixels, permit: [operator], to: [predict], models: [pixels], mask: lean, opaque: permit}",
    "{name: asks, hold: [operator], to: [predict], models: [held], approvers: [officer], mask: lean}",
    "{name: reviews, permit: [officer], to: [review], mask: lean, models: ['*']}",
    "{name: back, permit: [officer], to: [predict], models: ['*'], prompt: lean, mask: lean, restore: true}",
    "{name: no-bulk, deny: ['*'], to: [predict], when: {prompt_matches: ['(?i)list all patients']}, message: Ask us.}",
)
ROLES = "roles: {clinician: [ward-staff], researcher: [research], operator: [ml-platform], officer: [privacy]}\n"
DOCTOR, RESEARCHER, OPERATOR, VISITOR = "dr.okafor", "sam.lindqvist", "priya.raman", "lee.castellano"


def policy_in(folder, issuer, tail=""):
    """A policy that believes a sample issuer."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "policy.yaml"
    path.write_text(policies.text(*RULES, roles=ROLES, tail=tail).replace("https://idp.example", issuer.url))
    return path


class Front(Gateway):
    """A gateway that speaks gRPC as well."""

    def __init__(self, policy, folder, *, extra=(), **options):
        self.grpc = free_port()
        more = settings(phi_grpc=f"{HOST}:{self.grpc}", **options)
        super().__init__(f"http://{HOST}:9", policy, folder, extra=[*more, *extra])

    @property
    def address(self):
        return f"{HOST}:{self.grpc}"


@pytest.fixture(scope="module")
def _peer():
    with Peer() as running:
        yield running


@pytest.fixture
def peer(_peer):
    _peer.forget()
    yield _peer
    _peer.forget()


@pytest.fixture(scope="module")
def front(_peer, issuer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grpc")
    with Front(policy_in(folder, issuer), folder / "gateway", phi_grpc_upstream=_peer.url) as running:
        yield running


@pytest.fixture
def client(front):
    with triton.InferenceServerClient(front.address) as made:
        yield made


@pytest.fixture
def asks(client, bearers):
    """Ask as somebody; gives the result."""

    def ask(text="How is the patient?", who=DOCTOR, model="ward-assistant", inputs=None, **more):
        return client.infer(model, inputs or [said(text)], headers=as_who(bearers, who), **more)

    return ask


def as_who(bearers, who=DOCTOR):
    return {"authorization": f"Bearer {bearers[who]}"} if who else {}


def said(*texts, name="text_input"):
    tensor = triton.InferInput(name, [len(texts)], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode() for text in texts], dtype=object))
    return tensor


def numbers(values, datatype, name="ids"):
    array = np.array(values, dtype=triton.triton_to_np_dtype(datatype))
    tensor = triton.InferInput(name, list(array.shape), datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def text_of(result, name="text_output"):
    response = result.get_response()
    if not response.raw_output_contents:  # Triton's client has no way of its own to read these
        return b"\n".join(response.outputs[0].contents.bytes_contents).decode()
    return b"\n".join(result.as_numpy(name)).decode()


def refused(call, *more, **named):
    with pytest.raises(InferenceServerException) as error:
        call(*more, **named)
    return error.value.status().removeprefix("StatusCode."), error.value.message()


def recorded(front, kind, exchange):
    (found,) = [line for line in records(front.journal) if line["kind"] == kind and line.get("exchange") == exchange]
    return found


# -- whole ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [True, False], ids=["raw contents", "contents"])
def test_an_answer_is_masked_and_the_callers_own_id_comes_back(peer, asks, front, raw):
    peer.says = lambda request: answer(request, CANARY_TEXT, "Stable.", raw=raw)
    result = asks(request_id="mine-7")
    assert leaks(text_of(result)) == []
    assert re.fullmatch(
        r"Patient: \w+ \w+, MRN \[MRN\], SSN \[US_SSN\]. Stable on furosemide 40 mg.\nStable.", text_of(result)
    )
    assert result.get_response().id == "mine-7"
    (request,) = peer.asked
    assert texts_of(request) == ["How is the patient?"]
    assert recorded(front, "request", request.id)["action"] == ["predict"]
    response = recorded(front, "response", request.id)
    assert (response["outcome"], response["findings"]) == ("complete", {"PERSON": 1, "MRN": 1, "US_SSN": 1})
    assert response["body"]["outputs"][0]["data"][1] == "Stable."


def test_nothing_of_the_callers_headers_reaches_the_model(peer, client, bearers):
    client.infer(
        "ward-assistant", [said("a")], headers=as_who(bearers) | {"x-user": CANARY_NAME, "phi-session": "round"}
    )
    (metadata,) = peer.metadata
    assert set(metadata) <= {"user-agent", "x-request-id", "grpc-accept-encoding"}
    assert metadata["user-agent"].startswith("phigate")


def test_a_prompt_is_masked_before_the_model_sees_it(peer, asks, front):
    peer.says = lambda request: answer(request, "Seen.")
    asks(CANARY_TEXT, who=RESEARCHER, parameters={"note": f"for {CANARY_NAME}"})
    (request,) = peer.asked
    assert leaks(request.SerializeToString()) == []
    assert "furosemide 40 mg" in texts_of(request)[0]
    assert "Quartermaine" not in str(recorded(front, "request", request.id))


def test_scores_pass_and_what_may_be_token_ids_does_not(peer, asks):
    def scores(request, datatype="FP32", values=(0.25, 0.75)):
        made = service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id)
        made.outputs.add(name="scores", datatype=datatype, shape=[len(values)])
        made.raw_output_contents.append(np.array(values, dtype=triton.triton_to_np_dtype(datatype)).tobytes())
        return made

    peer.says = scores
    assert asks().as_numpy("scores").tolist() == [0.25, 0.75]
    ids = (72, 101, 108, 108, 111, 44, 32, 77, 115)
    peer.says = lambda request: scores(request, "INT64", ids)
    assert refused(asks)[0] == "FAILED_PRECONDITION"
    assert asks("a", who=OPERATOR, model="pixels").as_numpy("scores").tolist() == list(ids)
    peer.says = lambda request: scores(request, "FP32", ids)
    assert refused(asks)[0] == "FAILED_PRECONDITION"


def test_inputs_that_may_be_text_that_nobody_can_read_need_a_rule_that_says_so(peer, asks):
    ids = numbers([[3, 17, 99, 4, 12, 70, 71, 72, 73]], "INT32")
    assert refused(asks, inputs=[ids]) == (
        "FAILED_PRECONDITION",
        "content-unreadable: The request holds content that this gateway cannot read.",
    )
    assert peer.asked == []
    asks(inputs=[ids], who=OPERATOR, model="pixels")
    asks(inputs=[numbers([[0.5, 0.25]], "FP32")])
    assert len(peer.asked) == 2


def test_the_models_own_refusal_is_masked_and_keeps_its_status(peer, asks, front):
    peer.says = lambda _request: (grpc.StatusCode.INVALID_ARGUMENT, f"cannot read 'Patient: {CANARY_NAME}, é'")
    code, message = refused(asks)
    assert (code, leaks(message)) == ("INVALID_ARGUMENT", [])
    assert message.startswith("cannot read 'Patient: ")
    assert recorded(front, "response", peer.asked[0].id)["outcome"] == "refused-by-upstream"


def test_what_describes_server_and_model_is_asked_for_and_masked(peer, client, bearers):
    headers = as_who(bearers)
    assert client.is_server_live(headers=headers)
    assert client.is_server_ready(headers=headers)
    assert client.is_model_ready("ward-assistant", headers=headers)
    assert client.get_server_metadata(headers=headers).name == "triton"
    assert client.get_model_metadata("ward-assistant", headers=headers).outputs[0].shape == [-1]
    config = client.get_model_config("ward-assistant", headers=headers).config
    assert (config.platform, config.max_batch_size) == ("python", 8)
    note = config.parameters["note"].string_value
    assert note.startswith("asked by ")
    assert leaks(note) == []


REFUSED = [
    ("nobody", None, "a", "ward-assistant", "UNAUTHENTICATED", "bearer-missing: A bearer is needed."),
    ("somebody without a rule", VISITOR, "a", "ward-assistant", "PERMISSION_DENIED", "no-rule: No rule"),
    ("a prompt that a rule denies", DOCTOR, "List all patients", "ward-assistant", "PERMISSION_DENIED", "Ask us."),
    ("what somebody has to approve", OPERATOR, "a", "held", "PERMISSION_DENIED", "approval-required: "),
    ("a model that is none", DOCTOR, "a", "a model of Ms Poe's", "NOT_FOUND", "model-unknown: "),
]


@pytest.mark.parametrize(
    ("sentence", "who", "text", "model", "code", "message"), REFUSED, ids=[case[0] for case in REFUSED]
)
def test_a_refusal_is_the_clients_own_error(peer, asks, sentence, who, text, model, code, message):
    status, told = refused(asks, text, who=who, model=model)
    assert (status, message in told) == (code, True)
    assert peer.asked == []


@pytest.mark.parametrize("call", ["load_model", "unload_model", "unregister_system_shared_memory"])
def test_no_call_that_changes_the_server_is_known(client, bearers, call):
    assert refused(getattr(client, call), "ward-assistant", headers=as_who(bearers))[0] == "UNIMPLEMENTED"


def test_shared_memory_does_not_pass(peer, asks):
    wanted = triton.InferRequestedOutput("text_output")
    wanted.set_shared_memory("region", 64)
    assert refused(asks, outputs=[wanted])[0] == "FAILED_PRECONDITION"
    assert peer.asked == []


def test_compressed_messages_are_refused_with_the_encoding_that_is_taken(peer, asks):
    code, message = refused(asks, "a" * 4000, compression_algorithm="gzip")
    assert (code, message) == ("UNIMPLEMENTED", "encoding-unsupported: Send messages that are not compressed.")


def test_a_stream_ends_when_what_it_runs_by_is_taken_back(peer, client, bearers, issuer, front):
    def streams(requests):
        for request in requests:
            for _ in range(10_000):
                yield answer(request, "word ", final=False)
                if peer.cancelled.wait(0.01):
                    return

    def say(done):
        url = f"{front.console_url}/tickets/{ticket}/{done}"
        assert httpx.post(url, headers={"authorization": f"Bearer {officer}"}, trust_env=False).status_code == 200

    peer.streams, officer = streams, issuer.mint("kai.holm", groups=["privacy"])
    talk = Talk(client, as_who(bearers, OPERATOR))
    talk.ask("a", model="held")
    with pytest.raises(InferenceServerException, match="approval-required"):
        talk.next()
    client.stop_stream()
    ticket = next(each["ticket"] for each in reversed(records(front.journal)) if each["kind"] == "ticket")
    say("approve")
    talk = Talk(client, as_who(bearers, OPERATOR))
    talk.ask("a", model="held")
    talk.next()
    say("revoke")
    began = time.monotonic()
    with pytest.raises(InferenceServerException, match="grant-revoked"):
        list(iter(talk.next, None))
    assert time.monotonic() - began < 5
    assert peer.cancelled.wait(5)
    assert recorded(front, "response", peer.asked[0].id)["outcome"] == "revoked"
    client.stop_stream()


def test_a_deadline_is_kept_and_passed_on(peer, asks, front):
    held = threading.Event()
    remaining = queue.Queue()

    def slow(request):
        held.wait(10)
        return answer(request, "late")

    peer.says, peer.on_context = slow, lambda context: remaining.put(context.time_remaining())
    assert refused(asks, client_timeout=0.4)[0] == "DEADLINE_EXCEEDED"
    assert remaining.get(timeout=5) <= 0.4
    assert peer.cancelled.wait(5)
    held.set()


def test_anybody_may_ask_whether_it_serves(front):
    with grpc.insecure_channel(front.address) as channel:
        ask = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert ask(b"", timeout=5) == b"\x08\x01"
        with pytest.raises(grpc.RpcError) as error:
            ask(b"\x0a\x01x", timeout=5)
        assert error.value.code() is grpc.StatusCode.NOT_FOUND
        reflect = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        with pytest.raises(grpc.RpcError) as error:
            list(reflect(iter([b""]), timeout=5))
        assert error.value.code() is grpc.StatusCode.UNAUTHENTICATED


# -- streams --------------------------------------------------------------------------------------------------------


class Talk:
    """A stream of Triton's client: what came, in order."""

    def __init__(self, client, headers):
        self._came = queue.Queue()
        client.start_stream(lambda result, error: self._came.put((result, error)), headers=headers)
        self.client = client

    def ask(self, *texts, number="1", model="ward-assistant", **more):
        self.client.async_stream_infer(model, [said(*texts)], request_id=number, **more)

    def next(self):
        result, error = self._came.get(timeout=10)
        if error is not None:
            raise error
        return result

    def text_until_final(self, name="text_output"):
        """(id, text) of one answer, up to what the server says is its end."""
        pieces = []
        while True:
            result = self.next()
            response = result.get_response()
            found = result.as_numpy(name)
            pieces += [] if found is None else [b"".join(found).decode()]
            if response.parameters["triton_final_response"].bool_param:
                return response.id, "".join(pieces)

    def rest(self):
        """What else comes once nothing more is asked: the texts, and the error at the end if there is one."""
        self.client.stop_stream()
        found, error = [], None
        while not self._came.empty():
            result, failed = self._came.get()
            error = failed or error
            found += [] if failed else [b"".join(result.as_numpy("text_output")).decode()]
        return found, error


@pytest.fixture
def talk(client, bearers):
    yield Talk(client, as_who(bearers))
    client.stop_stream()


def ended(request):
    """The empty message by which Triton tells that an answer is over."""
    made = service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id)
    made.parameters["triton_final_response"].bool_param = True
    return made


def in_pieces(size):
    def streams(requests):
        for request in requests:
            for at in range(0, len(CANARY_TEXT), size):
                yield answer(request, CANARY_TEXT[at : at + size], final=False)
            yield ended(request)

    return streams


@pytest.mark.parametrize("size", [1, 3, 11, 40, 200])
def test_a_name_split_over_messages_is_found(peer, talk, front, size):
    peer.streams = in_pieces(size)
    talk.ask("How is she?", number="q-1", enable_empty_final_response=True)
    number, text = talk.text_until_final()
    assert number == "q-1"
    assert leaks(text) == []
    assert re.fullmatch(r"Patient: \w+ \w+, MRN \[MRN\], SSN \[US_SSN\]. Stable on furosemide 40 mg.", text)
    own = peer.asked[0].id
    response = recorded(front, "response", own)
    assert (response["outcome"], response["streamed"]) == ("complete", True)
    told = [line for line in records(front.journal) if line["kind"] == "message" and line["exchange"] == own]
    assert "".join(line["body"] for line in told).endswith("Stable on furosemide 40 mg.")


def test_each_request_of_a_stream_is_decided_recorded_and_answered_apart(peer, talk, front):
    peer.streams = in_pieces(7)
    for number in ("a", "b"):
        talk.ask("How is she?", number=number, enable_empty_final_response=True)
    answers = dict(talk.text_until_final() for _ in range(2))
    assert set(answers) == {"a", "b"}
    assert leaks(str(answers)) == []
    first, second = (request.id for request in peer.asked)
    assert first != second
    assert recorded(front, "request", first)["session"] == recorded(front, "request", second)["session"]


def test_a_caller_that_does_not_ask_for_the_end_is_not_told_and_gets_the_rest(peer, talk):
    peer.streams = in_pieces(7)
    talk.ask("How is she?")
    pieces, error = talk.rest()
    assert error is None
    assert leaks("".join(pieces)) == []
    assert "".join(pieces).endswith("Stable on furosemide 40 mg.")


def test_what_is_held_back_comes_when_the_stream_ends_where_no_server_tells_the_end(peer, talk):
    def streams(requests):
        for request in requests:
            for at in range(0, len(CANARY_TEXT), 7):
                made = answer(request, CANARY_TEXT[at : at + 7])
                made.id = ""
                yield made

    peer.streams = streams
    talk.ask("How is she?")
    pieces, error = talk.rest()
    assert error is None
    assert leaks("".join(pieces)) == []
    assert "".join(pieces).endswith("Stable on furosemide 40 mg.")


def test_what_the_model_was_not_told_is_put_back_for_whoever_asked(peer, front, client, issuer):
    headers = {"authorization": f"Bearer {issuer.mint('carol', groups=['privacy'])}"}
    prompt = f"Patient: {CANARY_NAME}. How is she?"
    peer.says = lambda request: answer(request, f"You said: {texts_of(request)[0]}")

    def streams(requests):
        for request in requests:
            said = f"You said: {texts_of(request)[0]}"
            for at in range(0, len(said), 5):
                yield answer(request, said[at : at + 5], final=False)
            yield ended(request)

    peer.streams = streams
    assert text_of(client.infer("ward-assistant", [said(prompt)], headers=headers)) == f"You said: {prompt}"
    talk = Talk(client, headers)
    talk.ask(prompt, enable_empty_final_response=True)
    assert talk.text_until_final()[1] == f"You said: {prompt}"
    client.stop_stream()
    assert leaks("".join(map(str, peer.asked))) == []


def test_a_denied_message_ends_the_stream_and_the_model_never_hears_it(peer, talk, front):
    peer.streams = in_pieces(20)
    talk.ask("How is she?", enable_empty_final_response=True)
    talk.text_until_final()
    talk.ask("List all patients")
    with pytest.raises(InferenceServerException) as error:
        talk.next()
    assert error.value.status() == "StatusCode.PERMISSION_DENIED"
    assert "Ask us." in error.value.message()
    assert len(peer.asked) == 1
    last = [line for line in records(front.journal) if line["kind"] == "request"][-1]
    assert last["decision"]["rule"] == "no-bulk"


def test_an_error_within_the_stream_is_masked_and_the_stream_goes_on(peer, talk):
    def streams(requests):
        for at, request in enumerate(requests):
            if at == 0:
                response = service_pb2.ModelInferResponse(id=request.id)
                yield service_pb2.ModelStreamInferResponse(
                    error_message=f"no such patient: {CANARY_NAME}", infer_response=response
                )
            else:
                yield answer(request, "Fine.", final=True)

    peer.streams = streams
    talk.ask("a", number="1")
    with pytest.raises(InferenceServerException) as error:
        talk.next()
    assert leaks(error.value.message()) == []
    assert error.value.message().startswith("no such patient: ")
    talk.ask("b", number="2")
    assert text_of(talk.next()) == "Fine."


def test_token_ids_one_by_one_are_no_way_round(peer, talk):
    def streams(requests):
        for request in requests:
            for number in (72, 101, 108, 108, 111, 44, 32, 77, 115):
                made = service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id)
                made.outputs.add(name="number", datatype="INT32", shape=[1]).contents.int_contents.append(number)
                yield made

    peer.streams = streams
    talk.ask("a")
    for _ in range(8):
        talk.next()
    with pytest.raises(InferenceServerException) as error:
        talk.next()
    assert error.value.status() == "StatusCode.FAILED_PRECONDITION"


def test_a_stream_that_the_server_breaks_off_ends_with_its_error_and_is_recorded(peer, talk, front):
    def streams(requests):
        for request in requests:
            yield answer(request, CANARY_TEXT[:30])
            yield grpc.StatusCode.INTERNAL, f"broke at {CANARY_NAME}"

    peer.streams = streams
    talk.ask("a")
    pieces, error = talk.rest()
    assert leaks("".join(pieces)) == []
    assert error.status() == "StatusCode.INTERNAL"
    assert leaks(error.message()) == []
    assert recorded(front, "response", peer.asked[0].id)["outcome"] == "refused-by-upstream"


def test_a_caller_that_leaves_ends_the_models_work(peer, client, bearers, front):
    def streams(requests):
        for request in requests:
            for _ in range(10_000):
                yield answer(request, "word ", final=False)
                if peer.cancelled.wait(0.01):
                    return

    peer.streams = streams
    talk = Talk(client, as_who(bearers))
    talk.ask("a")
    talk.next()
    client.stop_stream(cancel_requests=True)
    assert peer.cancelled.wait(5)
    own = peer.asked[0].id
    wait_for(
        lambda: [each for each in records(front.journal) if each["kind"] == "response" and each["exchange"] == own]
    )
    assert recorded(front, "response", own)["outcome"] == "client-left"


def wait_for(condition, seconds=5.0):
    done = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        done.wait(0.05)
    pytest.fail("waited in vain")


def test_first_text_comes_before_the_model_is_done(peer, talk):
    more = threading.Event()

    def streams(requests):
        for request in requests:
            yield answer(request, "The patient is stable on furosemide 40 mg and eats well. ", final=False)
            more.wait(10)
            yield answer(request, "Good.", final=True)

    peer.streams = streams
    talk.ask("a")
    assert "The patient is stable" in text_of(talk.next())
    more.set()


# -- TLS, models of the policy --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secured(issuer, tmp_path_factory):
    """A gateway with TLS on either side, and a policy that says where its model stands."""
    folder = tmp_path_factory.mktemp("secured")
    cert, key = certificate(folder)
    os.environ["PHI_TEST_MODEL_KEY"] = "model-key"
    with Peer(tls=(cert, key)) as peer:
        tail = (
            "models:\n"
            f"  pixels: {{grpc: '{peer.url}'}}\n  held: {{}}\n  gone: {{grpc: 'grpc://{HOST}:{free_port()}'}}\n"
            f"  ward: {{grpc: '{peer.url}', names: ['llama3*'], credential: 'env:PHI_TEST_MODEL_KEY'}}\n"
        )
        options = {"phi_grpc_cert": cert, "phi_grpc_key": key, "ssl_verify_upstream_trusted_ca": cert}
        with Front(policy_in(folder, issuer, tail), folder / "gateway", **options) as running:
            yield running, peer, cert
    del os.environ["PHI_TEST_MODEL_KEY"]


def test_tls_on_either_side_and_the_models_own_credential(secured, bearers):
    front, peer, cert = secured
    peer.says = lambda request: answer(request, CANARY_TEXT)
    peer.streams = in_pieces(9)
    options = {"ssl": True, "root_certificates": str(cert)}
    with triton.InferenceServerClient(f"localhost:{front.grpc}", **options) as client:
        result = client.infer("llama3:8b", [said("How is she?")], headers=as_who(bearers))
        assert leaks(text_of(result)) == []
        assert peer.metadata[-1]["authorization"] == "Bearer model-key"
        assert refused(client.infer, "mistral", [said("a")], headers=as_who(bearers))[0] == "NOT_FOUND"
        assert refused(client.infer, "held", [said("a")], headers=as_who(bearers))[0] == "UNIMPLEMENTED"
        talk = Talk(client, as_who(bearers))
        talk.ask("How is she?", model="llama3:8b", enable_empty_final_response=True)
        assert leaks(talk.text_until_final()[1]) == []
        client.stop_stream()


def test_a_server_that_is_not_there_is_told_apart(secured, bearers):
    front, _, cert = secured
    with triton.InferenceServerClient(f"localhost:{front.grpc}", ssl=True, root_certificates=str(cert)) as client:
        code, message = refused(client.infer, "gone", [said("a")], headers=as_who(bearers))
    assert (code, message) == ("UNAVAILABLE", "upstream-unreachable: The model server cannot be reached.")
    assert "upstream-broke" in [line.get("outcome") for line in records(front.journal)]


def test_cleartext_is_nothing_to_a_port_with_tls(secured, bearers):
    front, _, _ = secured
    with triton.InferenceServerClient(front.address) as client:
        code, _ = refused(client.is_server_live, headers=as_who(bearers), client_timeout=3)
    assert code in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}


# -- the gateway's own life -----------------------------------------------------------------------------------------


def test_calls_under_way_finish_when_the_gateway_is_told_to_end_and_new_ones_are_refused(issuer, bearers, tmp_path):
    with Peer() as peer, Front(policy_in(tmp_path, issuer), tmp_path / "g", phi_grpc_upstream=peer.url) as leaving:
        asked, more = threading.Event(), threading.Event()

        def slow(request):
            asked.set()
            more.wait(10)
            return answer(request, CANARY_TEXT)

        peer.says = slow
        with triton.InferenceServerClient(leaving.address) as client:
            came = queue.Queue()
            client.async_infer(
                "ward-assistant",
                [said("a")],
                lambda result, error: came.put((result, error)),
                headers=as_who(bearers),
            )
            assert asked.wait(5)
            leaving.process.terminate()
            wait_for(lambda: not httpx_ready(leaving))
            code, _ = refused(client.infer, "ward-assistant", [said("b")], headers=as_who(bearers), client_timeout=3)
            assert code in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
            more.set()
            result, error = came.get(timeout=10)
            assert error is None
            assert leaks(text_of(result)) == []
        assert leaving.process.wait(10) == 0
        assert records(leaving.journal)[-1]["kind"] == "closed"


def httpx_ready(gateway):
    try:
        return httpx.get(f"{gateway.console_url}/readyz", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


HOSTILE = [
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"\xff" * 65_536,
    PREFACE + b"\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678" * 20_000,
    PREFACE + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + b"a" * 500_000,
    PREFACE
    + b"\x00\x40\x00\x01\x00\x00\x00\x00\x01"
    + b"a" * 16_384
    + (b"\x00\x40\x00\x09\x00\x00\x00\x00\x01" + b"a" * 16_384) * 40,
]


def test_peers_that_mean_no_good_are_left_while_others_are_served(peer, asks, front):
    peer.says = lambda request: answer(request, "Fine.")
    before = resident(front.pid)
    for _ in range(10):
        for data in HOSTILE:
            with socket.create_connection((HOST, front.grpc), timeout=10) as bad, contextlib.suppress(ConnectionError):
                bad.sendall(data)
                while bad.recv(65_536):
                    pass
        assert text_of(asks()) == "Fine."
    assert resident(front.pid) - before < 30_000_000


def test_a_caller_that_opens_no_window_gets_nothing_and_costs_little(peer, asks, bearers, front):
    def large(request):
        made = service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id)
        made.outputs.add(name="scores", datatype="FP32", shape=[2_000_000])
        made.raw_output_contents.append(b"\0" * 8_000_000)
        return made

    peer.says = large
    connection = H2Connection()
    connection.local_settings = Settings(client=True, initial_values={SettingCodes.INITIAL_WINDOW_SIZE: 0})
    connection.initiate_connection()
    message = service_pb2.ModelInferRequest(model_name="ward-assistant").SerializeToString()
    fields = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), ("content-type", "application/grpc")]
    fields += [(":path", "/inference.GRPCInferenceService/ModelInfer"), *as_who(bearers).items()]
    connection.send_headers(1, sorted(fields, key=lambda each: each[0][0] != ":"))
    connection.send_data(1, frame(message), end_stream=True)
    with socket.create_connection((HOST, front.grpc), timeout=10) as stuck:
        stuck.sendall(connection.data_to_send())
        wait_for(lambda: peer.asked)
        peer.says = lambda request: answer(request, "Fine.")
        assert text_of(asks()) == "Fine."
        stuck.settimeout(0.5)
        came = b""
        with contextlib.suppress(TimeoutError):
            while piece := stuck.recv(65_536):
                came += piece
        assert len(came) < 2000


def resident(process):
    """Bytes of memory that a process has."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_nothing_of_anybody_is_in_the_log(front):
    assert leaks(front.said()) == []
    assert "broken off" not in front.said()


def test_other_clients_of_the_protocol_are_answered_alike(peer, front, bearers):
    """A plain stub, contents in the message, two tensors of text: every one of them is masked."""

    def two(request):
        made = answer(request, CANARY_TEXT)
        made.outputs.add(name="patient_name", datatype="BYTES", shape=[1])
        made.raw_output_contents.append(packed("Zebulon Quartermaine"))
        return made

    peer.says = two
    with grpc.insecure_channel(front.address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = service_pb2.ModelInferRequest(model_name="ward-assistant")
        tensor = request.inputs.add(name="text_input", datatype="BYTES", shape=[1])
        tensor.contents.bytes_contents.append(b"How is she?")
        call = stub.ModelInfer.with_call(request, metadata=list(as_who(bearers).items()), timeout=5)
        assert leaks(call[0].SerializeToString()) == []
        assert dict(call[1].initial_metadata())["phi-exchange"].startswith("ex-")
