"""A model's messages masked: whole and streamed alike, at every place where a text can be cut."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as pb

from phigate.dialect import kserve_grpc as kserve
from phigate.dialect import protobuf
from phigate.dialect.protobuf import WireError
from phigate.dialect.tensors import FEW
from phigate.masking import Detectors, Memory, Secrets, Sight, Transformer
from phigate.masking.structure.paths import Paths
from phigate.policy.masks import Mask, Transform
from phigate.rpc import answers as module
from phigate.rpc.answers import Answers, Asked, Opaque, described, error_text
from tests.grpc_peer import elements, packed
from tests.traffic import CANARY_MRN, CANARY_NAME, CANARY_SSN, CANARY_TEXT, leaks

DETECTORS = Detectors()
SECRETS = Secrets(key=b"k" * 32, epoch="1")
LEAN = Mask("lean", {"PERSON": Transform("surrogate"), "OTHER": Transform("redact")})
SHOWN = Mask("shown", {"OTHER": Transform("redact")})


def sight(paths=None):
    caller, shown = Transformer(LEAN, SECRETS, "ada"), Transformer(SHOWN, SECRETS, "ada")
    return Sight(DETECTORS, SECRETS, caller, shown, Memory(), paths)


def answers(opaque=False, paths=None, **asked):
    return Answers(sight(paths), Asked("mine", "m", **asked), opaque)


def answer(*texts, name="text_output", raw=True, final=None, **more):
    fields = {"model_name": "m", "model_version": "1", "id": "ours"} | more
    made = pb.ModelInferResponse(**fields)
    output = made.outputs.add(name=name, datatype="BYTES", shape=[len(texts)])
    encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
    if raw:
        made.raw_output_contents.append(packed(*encoded))
    else:
        output.contents.bytes_contents.extend(encoded)
    if final is not None:
        made.parameters["triton_final_response"].bool_param = final
    return made


def whole(made, **more):
    masked = answers(**more).whole(made.SerializeToString())
    return pb.ModelInferResponse.FromString(masked.message), masked.shown


def texts_of(response, at=0):
    if response.raw_output_contents:
        return elements(response.raw_output_contents[at])
    return [text.decode() for text in response.outputs[at].contents.bytes_contents]


def part(to, made, final=False):
    """What one message of a stream becomes: the responses, and what bystanders see."""
    streamed = (
        made if isinstance(made, pb.ModelStreamInferResponse) else pb.ModelStreamInferResponse(infer_response=made)
    )
    node = protobuf.read(streamed.SerializeToString(), kserve.STREAMED)
    masked = to.streamed(node, final=final)
    return [pb.ModelStreamInferResponse.FromString(each.message).infer_response for each in masked], [
        each.shown for each in masked
    ]


def streamed(pieces, name="text_output", **more):
    """The text that a caller puts together, and what bystanders see, of a stream in these pieces."""
    to = answers(**more)
    out, shown = [], []
    for piece in pieces:
        responses, told = part(to, answer(piece, name=name))
        out += responses
        shown += told
    responses, told = part(to, pb.ModelInferResponse(model_name="m", id="ours"), final=True)
    out, shown = out + responses, shown + told
    return "".join(text for each in out for text in texts_of(each)), "".join(each for each in shown if each)


@pytest.mark.parametrize("raw", [True, False])
def test_every_text_of_a_whole_answer_is_masked_and_the_rest_stays(raw):
    response, shown = whole(answer(CANARY_TEXT, "Stable.", raw=raw))
    assert leaks(str(response)) == leaks(str(shown)) == []
    assert texts_of(response)[1] == "Stable."
    assert texts_of(response)[0].endswith("Stable on furosemide 40 mg.")
    assert (response.id, response.model_name, list(response.outputs[0].shape)) == ("mine", "m", [2])
    assert shown["outputs"][0]["data"][0].startswith("Patient: [PERSON], MRN [MRN]")


def test_a_tensors_name_is_read_with_its_text():
    alone, _ = whole(answer(CANARY_MRN, name="mrn"))
    assert texts_of(alone) == ["[MRN]"]
    assert streamed([CANARY_MRN[:3], CANARY_MRN[3:]], name="mrn")[0] == "[MRN]"


PHRASES = [
    CANARY_TEXT, f"Patient: {CANARY_NAME}", f", SSN {CANARY_SSN}", " seen 03/05/2024", " MRN: 61-83-49 ", "aged 93. ",
    "furosemide 40 mg", ". ", "\n\n", " \u00e9\u00df\u6a21 ", "\U0001f600", "536-22-", "8145", "Dr. ",
    '{"patient name": "Zebulon Quartermaine"}',
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PHRASES), min_size=1, max_size=5).map("".join)


@settings(max_examples=150)
@given(TEXTS, st.lists(st.integers(0, 2000), max_size=12), st.sampled_from(["text_output", "note", "STREAMED_TOKENS"]))
def test_a_stream_cut_anywhere_says_what_the_whole_answer_says(text, places, name):
    data = text.encode()
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    caller, shown = streamed([data[a:b] for a, b in itertools.pairwise(marks)], name=name)
    response, told = whole(answer(text, name=name))
    assert texts_of(response) == [caller]
    assert shown.removeprefix(" ".join(name.split("_")) + ": ") == told["outputs"][0]["data"][0]


def test_cut_at_every_single_byte_nothing_leaks():
    data = CANARY_TEXT.encode()
    expected = texts_of(whole(answer(CANARY_TEXT))[0])[0]
    for at in range(len(data)):
        assert streamed([data[:at], data[at:]])[0] == expected
    assert streamed([data[at : at + 1] for at in range(len(data))])[0] == expected


def test_nothing_is_held_back_longer_than_it_has_to_be():
    to = answers()
    responses, _ = part(to, answer("The patient is stable on furosemide 40 mg and eats well. "))
    assert texts_of(responses[0])[0].startswith("The patient is stable")


def test_what_is_held_back_is_told_until_it_went_out():
    to = answers()
    text = '{"note": "' + "The ward is quiet. " * 50
    part(to, answer(text))
    assert to.held >= len(text)
    part(to, pb.ModelInferResponse(model_name="m", id="ours"), final=True)
    assert to.held == 0


def test_texts_of_several_elements_and_tensors_grow_apart():
    to = answers()
    out = {}
    for piece in ("Patient: Zebulon ", "Quarter", "maine. Fine."):
        made = answer(piece, "Plain text. " + piece)
        made.outputs.add(name="other", datatype="BYTES", shape=[1])
        made.raw_output_contents.append(packed(piece))
        for response in part(to, made)[0]:
            for at, output in enumerate(response.outputs):
                for number, text in enumerate(texts_of(response, at)):
                    out[output.name, number] = out.get((output.name, number), "") + text
    for each in to.finish():
        response = pb.ModelStreamInferResponse.FromString(each.message).infer_response
        for at, output in enumerate(response.outputs):
            for number, text in enumerate(texts_of(response, at)):
                out[output.name, number] += text
    assert len(out) == 3
    assert leaks(str(out)) == []
    assert all(text.endswith("Fine.") for text in out.values())


def test_the_last_message_carries_what_was_held_back_itself():
    to = answers()
    part(to, answer("Patient: Zebulon Quar", raw=False))
    responses, _ = part(to, answer("termaine", raw=False, final=True), final=True)
    assert len(responses) == 1
    assert responses[0].parameters["triton_final_response"].bool_param
    assert leaks(texts_of(responses[0])[0]) == []


def test_whoever_asked_to_be_told_the_end_is_told_after_what_was_held_back():
    to = answers(wants_final=True)
    part(to, answer("Patient: Zebulon Quartermaine"))
    empty = pb.ModelInferResponse(model_name="m", id="ours")
    empty.parameters["triton_final_response"].bool_param = True
    responses, _ = part(to, empty, final=True)
    assert [len(each.outputs) for each in responses] == [1, 0]
    assert responses[1].parameters["triton_final_response"].bool_param
    assert "triton_final_response" not in responses[0].parameters


def test_answers_that_come_bare_go_out_bare_also_what_was_held_back():
    to, out = answers(), []
    for at in range(0, len(CANARY_TEXT), 7):
        node, bare = kserve.streamed(answer(CANARY_TEXT[at : at + 7], raw=False).SerializeToString())
        out += to.streamed(node, final=False, bare=bare)
    responses = [pb.ModelInferResponse.FromString(each.message) for each in [*out, *to.finish()]]
    assert {(each.id, each.model_name, each.outputs[0].name) for each in responses[:-1]} == {
        ("mine", "m", "text_output")
    }
    text = "".join(texts_of(each)[0] for each in responses)
    assert text == texts_of(whole(answer(CANARY_TEXT))[0])[0]


def test_an_error_comes_after_what_was_held_back_and_without_names():
    to = answers()
    part(to, answer("Patient: Zebu"))
    made = pb.ModelStreamInferResponse(error_message=f"no such patient: {CANARY_NAME}")
    masked = to.streamed(protobuf.read(made.SerializeToString(), kserve.STREAMED), final=True)
    rest, error = (pb.ModelStreamInferResponse.FromString(each.message) for each in masked)
    assert texts_of(rest.infer_response)[0]
    assert error.error_message.startswith("no such patient: ")
    assert error.infer_response.id == "mine"
    assert leaks(error.error_message) == []
    assert error_text("a" * 5000, sight())[0] == "The model server refused the request."


HIDDEN = [
    ("the model's name", answer("a", model_name=CANARY_MRN)),
    ("its version", answer("a", model_version="SSN 536-22-8145")),
    ("an id that is not the caller's", answer("a", id=CANARY_NAME)),
    ("a tensor's name", answer("a", name="z.q@example.org")),
]


@pytest.mark.parametrize(("sentence", "made"), HIDDEN, ids=[case[0] for case in HIDDEN])
def test_nothing_of_a_message_but_numbers_is_passed_unseen(sentence, made):
    response, _ = whole(made)
    assert leaks(response.SerializeToString()) == []
    assert "z.q@" not in str(response)
    assert response.model_name == "m"


def test_parameters_are_masked_or_left_out():
    made = answer("a")
    made.parameters["note"].string_param = f"Patient: {CANARY_NAME}"
    made.parameters["mrn"].int64_param = int(CANARY_MRN)
    made.parameters["queue"].uint64_param = 3
    made.outputs[0].parameters["who"].string_param = f"Patient: {CANARY_NAME}"
    response, _ = whole(made)
    assert leaks(str(response)) == []
    assert set(response.parameters) == {"note", "queue"}
    assert response.parameters["queue"].uint64_param == 3


def test_a_field_that_nobody_knows_is_masked_or_refused():
    data = answer("a").SerializeToString() + b"\xa2\x06" + bytes([len(CANARY_TEXT)]) + CANARY_TEXT.encode()
    assert leaks(answers().whole(data).message) == []
    with pytest.raises(Opaque):
        answers().whole(answer("a").SerializeToString() + b"\xa2\x06\x02\xff\x00")


def ids(*values):
    made = pb.ModelInferResponse(model_name="m", id="ours")
    made.outputs.add(name="numbers", datatype="INT32", shape=[len(values)]).contents.int_contents.extend(values)
    return made


HELLO = (72, 101, 108, 108, 111, 44, 32, 77, 115)


def test_numbers_that_may_be_text_need_a_rule_also_one_by_one():
    with pytest.raises(Opaque):
        whole(ids(*HELLO))
    assert whole(ids(*HELLO), opaque=True)[0].outputs[0].contents.int_contents[4] == 111
    to = answers()
    for number in HELLO[:-1]:
        part(to, ids(number))
    with pytest.raises(Opaque):
        part(to, ids(HELLO[-1]))


def test_a_text_in_pieces_of_one_tensor_needs_a_rule():
    with pytest.raises(Opaque):
        whole(answer("Zebu", "lon", name="tokens"))
    with pytest.raises(Opaque):
        part(answers(), answer("Zebulon".encode("utf-16-le")))


def test_bytes_that_are_no_text_need_a_rule():
    image = answer(b"\xff\xd8\xff", "Patient: Zebulon Quartermaine")
    with pytest.raises(Opaque):
        whole(image)
    masked = answers(opaque=True).whole(image.SerializeToString())
    assert b"\xff\xd8\xff" in masked.message
    assert leaks(masked.message) == []
    assert masked.shown["outputs"][0]["data"][0] == {"opaque": 3}
    with pytest.raises(Opaque):
        part(answers(), answer(b"\xff\xd8"))
    to = answers(opaque=True)
    held, _ = part(to, answer("Patient: Zebulon Quarter"))
    raw, _ = part(to, answer(b"\xff\xd8"))
    assert b"\xff\xd8" in raw[0].raw_output_contents[0]
    assert leaks(str(held) + str(raw)) == []


def test_a_text_that_ends_within_a_sign_is_no_text():
    to = answers()
    part(to, answer("é".encode()[:1]))
    with pytest.raises(Opaque):
        to.finish()


BROKEN = [
    ("neither an answer nor an error", pb.ModelStreamInferResponse()),
    ("contents in shared memory", None),
]


@pytest.mark.parametrize(("sentence", "made"), BROKEN, ids=[case[0] for case in BROKEN])
def test_what_is_no_answer_is_an_error(sentence, made):
    if made is None:
        made = pb.ModelStreamInferResponse(infer_response=answer("a"))
        made.infer_response.outputs[0].parameters["shared_memory_offset"].int64_param = 1
    with pytest.raises(WireError):
        part(answers(), made)


def test_places_that_a_policy_names_are_hidden_whole_and_streamed():
    paths = Paths([("$.outputs[0].data[*]", "MRN")])
    response, shown = whole(answer("plain words"), paths=paths)
    assert texts_of(response) == ["[MRN]"]
    assert shown["outputs"][0]["data"] == ["[MRN]"]
    assert streamed(["plain ", "words"], paths=paths)[0] == "[MRN]"


def test_what_describes_a_model_is_masked_wherever_it_says_something():
    made = pb.ModelMetadataResponse(name="m", platform=f"Patient: {CANARY_NAME}", versions=["1"])
    masked = described(made.SerializeToString(), kserve.METADATA, sight(), opaque=False)
    assert leaks(masked.message) == leaks(str(masked.shown)) == []
    assert pb.ModelMetadataResponse.FromString(masked.message).name == "m"
    with pytest.raises(Opaque):
        described(b"\xa2\x06\x02\xff\x00", kserve.METADATA, sight(), opaque=False)


PIECES = ("Zebu", "lon Quar", "termaine")


def test_a_parameter_that_tells_a_text_in_pieces_is_read_by_nobody():
    def told(to):
        for piece in PIECES:
            made = answer("x")
            made.parameters["note"].string_param = piece
            yield part(to, made)[0][0].parameters["note"].string_param

    with pytest.raises(Opaque):
        list(told(answers()))
    assert tuple(told(answers(opaque=True))) == PIECES


def test_a_parameter_may_say_the_same_each_time_and_change_its_word():
    to = answers()
    for text, state in (("for the ward", "runs"), ("for the ward", "runs"), ("for the ward", "done")):
        made = answer("x")
        made.parameters["note"].string_param, made.parameters["state"].string_param = text, state
        ((out,), _) = part(to, made)
        assert out.parameters["state"].string_param == state


def test_a_float_is_a_number_of_somebodys_as_well():
    made = answer("x")
    made.parameters["mrn"].double_param, made.parameters["score"].double_param = 536228145.0, 0.25
    assert set(whole(made)[0].parameters) == {"score"}


def test_a_parameter_that_tells_a_text_sign_by_sign_is_left_out_in_time():
    to, told = answers(), ""
    for sign in CANARY_NAME:
        made = answer("x")
        made.parameters["code"].int64_param, made.parameters["left"].int64_param = ord(sign), 3
        ((out,), _) = part(to, made)
        assert out.parameters["left"].int64_param == 3
        told += chr(out.parameters["code"].int64_param) if "code" in out.parameters else ""
    assert told == CANARY_NAME[: len(told)]
    assert len(told) <= FEW


@pytest.mark.parametrize(
    "write",
    [
        lambda sign: protobuf.varint(99 << 3) + protobuf.varint(ord(sign)),
        lambda sign: protobuf.varint(99 << 3 | 5) + ord(sign).to_bytes(4, "little"),
        lambda sign: protobuf.varint(99 << 3 | 2) + b"\2\x08" + bytes([ord(sign)]),
    ],
    ids=["numbers", "fixed ones", "messages of them"],
)
def test_numbers_of_a_field_that_nobody_knows_spell_nothing(write):
    raw = answer("x").SerializeToString()
    spelled = raw + b"".join(map(write, CANARY_NAME))
    with pytest.raises(Opaque):
        answers().whole(spelled)
    to = answers()
    parts = (part(to, pb.ModelInferResponse.FromString(raw + write(sign))) for sign in CANARY_NAME)
    with pytest.raises(Opaque):
        list(parts)
    assert answers(opaque=True).whole(spelled).message
    assert answers().whole(raw + write("Z")).message


def test_names_without_end_end_the_stream(monkeypatch):
    monkeypatch.setattr(module, "MOST_ELEMENTS", 8)
    to = answers()

    def told(name):
        made = pb.ModelInferResponse(model_name="m", id="ours")
        made.outputs.add(name=name, datatype="BYTES", shape=[0])
        return part(to, made)

    with pytest.raises(WireError):
        list(map(told, (f"output_{at}" for at in range(20))))
