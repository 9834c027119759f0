"""MLServer behind a gateway: its REST and gRPC with a model of its own kind, asked by Triton's clients and plainly."""

import json
import queue

import grpc
import numpy as np
import pytest
from tritonclient import grpc as triton_grpc  # type: ignore[import-untyped]  # it carries no types
from tritonclient import http as triton
from tritonclient.grpc import service_pb2 as pb  # type: ignore[import-untyped]  # as above
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]  # as above

from processes import HOST, Gateway, free_port, settings
from tests.peers.mlserver_peer import MODEL, MLServer
from tests.traffic import as_person, leaks, records

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def peer():
    with MLServer() as running:
        yield running


@pytest.fixture(scope="module")
def address():
    """Where the gateway listens for gRPC."""
    return f"{HOST}:{free_port()}"


@pytest.fixture(scope="module")
def before(peer, policy, address, tmp_path_factory):
    text = policy.read_text().replace("to: [chat, complete, embed]", "to: [chat, complete, embed, predict]")
    text = text.replace("to: [chat]", "to: [chat, predict]")
    mine = policy.with_name("mlserver.yaml")
    mine.write_text(text)
    both = settings(phi_grpc=address, phi_grpc_upstream=f"grpc://{HOST}:{peer.grpc}")
    with Gateway(peer.url, mine, tmp_path_factory.mktemp("mlserver"), extra=both) as running:
        yield running


@pytest.fixture
def http(before, bearers):
    with as_person(before, bearers["dr.okafor"]) as made:
        yield made


def asked(text="How is she?"):
    return {"inputs": [{"name": "question", "datatype": "BYTES", "shape": [1], "data": [text]}]}


def test_tritons_client(before, bearers):
    client = triton.InferenceServerClient(before.url.removeprefix("http://"))
    headers = {"authorization": f"Bearer {bearers['dr.okafor']}"}
    question = triton.InferInput("question", [1], "BYTES")
    question.set_data_from_numpy(np.array([b"How is she?"], dtype=np.object_), binary_data=False)
    names = ("note", "mrn", "scores", "label")
    wanted = [triton.InferRequestedOutput(name, binary_data=False) for name in names]
    assert client.is_server_live(headers=headers)
    assert client.is_model_ready(MODEL, headers=headers)
    result = client.infer(MODEL, [question], outputs=wanted, headers=headers)
    note, mrn, scores, label = (result.as_numpy(name).ravel().tolist() for name in names)
    assert "furosemide 40 mg. Asked: How is she?" in note[0]
    assert (scores, label) == ([0.25, 0.75], [3])
    assert leaks(f"{note} {mrn}") == []
    question.set_data_from_numpy(np.array([b"break"], dtype=np.object_), binary_data=False)
    with pytest.raises(InferenceServerException, match="cannot read: Patient") as refused:
        client.infer(MODEL, [question], headers=headers)
    assert leaks(str(refused.value)) == []
    client.close()


@pytest.mark.parametrize("way", ["infer", "generate", "versions/1/infer"])
def test_whole(http, way):
    answer = http.post(f"/v2/models/{MODEL}/{way}", json=asked())
    assert answer.status_code == 200
    assert leaks(answer.text) == []
    assert [each["name"] for each in answer.json()["outputs"]] == ["note", "mrn", "scores", "label"]


@pytest.mark.parametrize("way", ["infer_stream", "generate_stream"])
def test_streamed(http, way):
    answer = http.post(f"/v2/models/{MODEL}/{way}", json=asked())
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n") if line]
    assert len(events) > 5
    assert {each["outputs"][0]["name"] for each in events} == {"note"}
    assert all(each["outputs"][0]["shape"] for each in events)
    text = "".join(each["outputs"][0]["data"][0] for each in events)
    assert text.endswith("furosemide 40 mg.")
    assert leaks(text) == []


def test_a_masked_prompt_is_what_the_model_reads(before, bearers):
    with as_person(before, bearers["sam.lindqvist"]) as http:
        answer = http.post(f"/v2/models/{MODEL}/infer", json=asked("Patient: Zebulon Quartermaine, again?"))
    note = answer.json()["outputs"][0]["data"][0]
    assert "again?" in note
    assert leaks(note) == []


def test_token_ids_do_not_pass(http):
    answer = http.post(f"/v2/models/{MODEL}/infer", json=asked("tokens"))
    assert (answer.status_code, answer.json()["code"]) == (502, "answer-unreadable")


def test_what_is_told_of_a_model(http):
    assert http.get(f"/v2/models/{MODEL}").json()["name"] == MODEL
    assert http.get("/v2/docs").status_code == 404
    assert http.post("/v2/repository/index", json={}).status_code == 403


# -- gRPC -----------------------------------------------------------------------------------------------------------

STREAM = "/inference.GRPCInferenceService/ModelStreamInfer"


@pytest.fixture
def client(before, address):
    with triton_grpc.InferenceServerClient(address) as made:
        yield made


def of(bearers, who="dr.okafor"):
    return {"authorization": f"Bearer {bearers[who]}"}


def question(text="How is she?"):
    tensor = triton_grpc.InferInput("question", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode()], dtype=np.object_))
    return [tensor]


def answered(before):
    """The last answer that was recorded."""
    return [line for line in records(before.journal) if line["kind"] == "response"][-1]


def refused(call, *more, **named):
    with pytest.raises(InferenceServerException) as error:
        call(*more, **named)
    return error.value.status().removeprefix("StatusCode."), error.value.message()


def test_tritons_client_over_grpc(client, before, bearers):
    result = client.infer(MODEL, question(), headers=of(bearers), request_id="mine-7")
    note, mrn, scores, label = (result.as_numpy(name).ravel().tolist() for name in ("note", "mrn", "scores", "label"))
    assert "furosemide 40 mg. Asked: How is she?" in note[0].decode()
    assert (mrn[0].startswith(b"MRN_"), scores, label) == (True, [0.25, 0.75], [3])
    assert leaks(str(result.get_response())) == []
    assert result.get_response().id == "mine-7"
    told = answered(before)
    assert (told["outcome"], told["findings"]["US_SSN"]) == ("complete", 1)
    assert leaks(json.dumps(told)) == []


def test_what_is_told_of_server_and_model_over_grpc(client, bearers):
    assert client.is_server_live(headers=of(bearers))
    assert client.is_server_ready(headers=of(bearers))
    assert client.is_model_ready(MODEL, headers=of(bearers))
    assert client.get_server_metadata(headers=of(bearers)).name == "mlserver"
    assert client.get_model_metadata(MODEL, headers=of(bearers)).name == MODEL


def test_the_models_error_over_grpc(client, before, bearers):
    code, message = refused(client.infer, MODEL, question("break"), headers=of(bearers))
    assert (code, leaks(message)) == ("INVALID_ARGUMENT", [])
    assert message.startswith("cannot read: Patient: ")
    assert answered(before)["outcome"] == "refused-by-upstream"


def test_token_ids_do_not_pass_over_grpc(client, bearers):
    assert refused(client.infer, MODEL, question("tokens"), headers=of(bearers))[0] == "FAILED_PRECONDITION"


def test_refusals_over_grpc(client, bearers):
    assert refused(client.infer, MODEL, question())[0] == "UNAUTHENTICATED"
    code, message = refused(client.infer, MODEL, question(), headers=of(bearers, "lee.castellano"))
    assert (code, message.partition(":")[0]) == ("PERMISSION_DENIED", "no-rule")
    assert refused(client.load_model, MODEL, headers=of(bearers))[0] == "UNIMPLEMENTED"


def test_a_masked_prompt_is_what_the_model_reads_over_grpc(client, bearers):
    asking = question("Patient: Zebulon Quartermaine, again?")
    result = client.infer(MODEL, asking, headers=of(bearers, "sam.lindqvist"))
    note = result.as_numpy("note").item().decode()
    assert "again?" in note
    assert leaks(note) == []


def request(text="How is she?"):
    made = pb.ModelInferRequest(model_name=MODEL, id="mine-9")
    made.inputs.add(name="question", datatype="BYTES", shape=[1]).contents.bytes_contents.append(text.encode())
    return made


@pytest.fixture
def talk(before, address, bearers):
    """Stream as MLServer's own stub does, whose answers have no message around them; gives them as they come."""
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(STREAM, pb.ModelInferRequest.SerializeToString, pb.ModelInferResponse.FromString)
        yield lambda *requests: call(iter(requests), metadata=list(of(bearers).items()), timeout=10)


def text_of(answers):
    return b"".join(text for each in answers for text in each.outputs[0].contents.bytes_contents).decode()


def test_streamed_over_grpc(talk, before):
    answers = list(talk(request()))
    assert len(answers) > 5
    assert {(each.id, each.model_name, each.outputs[0].name) for each in answers} == {("mine-9", MODEL, "note")}
    text = text_of(answers)
    assert text.startswith("Patient: ")
    assert text.endswith("furosemide 40 mg.")
    assert leaks(text) == []
    told = answered(before)
    assert (told["outcome"], told["streamed"]) == ("complete", True)
    assert [line for line in records(before.journal) if line["kind"] == "message"][-1]["exchange"] == told["exchange"]


def test_tritons_client_reads_no_more_of_such_a_stream_than_without_the_gateway(client, bearers):
    came = queue.Queue()
    client.start_stream(lambda result, error: came.put((result, error)), headers=of(bearers))
    client.async_stream_infer(MODEL, question())
    result, error = came.get(timeout=10)
    client.stop_stream()
    assert (result, str(error)) == (None, MODEL)  # the model's name, which stands where Triton has an error


def test_several_requests_of_one_stream_over_grpc(talk):
    text = text_of(talk(request(), request()))
    assert text.count("furosemide 40 mg.") == 2
    assert leaks(text) == []


def test_an_error_ends_a_stream_over_grpc(talk, before):
    answers = []
    with pytest.raises(grpc.RpcError) as error:
        answers += talk(request("break"))
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.value.details().startswith("cannot go on: Patient: ")
    assert leaks(error.value.details() + text_of(answers)) == []
    assert answered(before)["outcome"] == "refused-by-upstream"


def test_nothing_of_anybody_is_in_the_log(before):
    assert leaks(before.said()) == []
