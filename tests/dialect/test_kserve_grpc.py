"""KServe's messages as Triton's own classes write them, and which of their numbers may be text."""

import json
import struct

import pytest
from tritonclient.grpc import service_pb2 as pb

from phigate.dialect import kserve as kserve_rest
from phigate.dialect import kserve_grpc as kserve
from phigate.dialect import protobuf
from phigate.dialect.protobuf import WireError
from tests.grpc_peer import packed


def request(*tensors, **more):
    """The bytes of a request; each tensor is (name, datatype, shape, contents' field, values)."""
    made = pb.ModelInferRequest(model_name="m", **more)
    for name, datatype, shape, field, values in tensors:
        tensor = made.inputs.add(name=name, datatype=datatype, shape=shape)
        if field:
            getattr(tensor.contents, field).extend(values)
    return made


def read(made, schema=kserve.REQUEST):
    return kserve.infer(protobuf.read(made.SerializeToString(), schema))


def text(*values, name="text", shape=None):
    return name, "BYTES", shape or [len(values)], "bytes_contents", [value.encode() for value in values]


def test_texts_are_found_in_either_form_and_come_back_with_lengths_anew():
    inside = request(text("Ada", "Łukasz"))
    apart = request(("text", "BYTES", [2], "", ()), raw_input_contents=[packed("Ada", "Łukasz")])
    for made in (inside, apart):
        message = read(made)
        assert message.tensors[0].texts == [b"Ada", "Łukasz".encode()]
        message.tensors[0].texts = [b"[PERSON]", b""]
        back = pb.ModelInferRequest.FromString(message.bytes())
        held = list(back.inputs[0].contents.bytes_contents)
        assert (held or list(kserve.infer(protobuf.read(message.bytes(), kserve.REQUEST)).tensors[0].texts)) == [
            b"[PERSON]",
            b"",
        ]
        assert bool(back.raw_input_contents) == (made is apart)


DATATYPES = [
    *(("BOOL", "bool_contents", [True]), ("INT8", "int_contents", [-5]), ("INT16", "int_contents", [300])),
    *(("INT32", "int_contents", [-7]), ("INT64", "int64_contents", [2**40]), ("UINT8", "uint_contents", [255])),
    *(("UINT16", "uint_contents", [65535]), ("UINT32", "uint_contents", [2**32 - 1])),
    *(("UINT64", "uint64_contents", [2**63]), ("FP32", "fp32_contents", [0.5]), ("FP64", "fp64_contents", [0.25])),
]


@pytest.mark.parametrize(("datatype", "field", "values"), DATATYPES, ids=[case[0] for case in DATATYPES])
def test_numbers_of_every_kind_are_read_and_come_back(datatype, field, values):
    message = read(request(("n", datatype, [1], field, values)))
    assert message.tensors[0].count == 1
    assert [value == values[0] for value in message.tensors[0].values()] == [True]
    back = pb.ModelInferRequest.FromString(message.bytes())
    assert list(getattr(back.inputs[0].contents, field)) == values


RAW = [("FP16", "<e", 0.5), ("BF16", "<H", 1.0), ("FP32", "<f", 0.5), ("INT16", "<h", -2), ("UINT8", "<B", 7)]


@pytest.mark.parametrize(("datatype", "form", "value"), RAW, ids=[case[0] for case in RAW])
def test_raw_numbers_are_read(datatype, form, value):
    raw = struct.pack(form, 0x3F80 if datatype == "BF16" else value)
    message = read(request(("n", datatype, [1], "", ()), raw_input_contents=[raw]))
    assert list(message.tensors[0].values()) == [value]
    assert message.tensors[0].shown(None) == {"name": "n", "datatype": datatype, "numbers": 1}


BROKEN = [
    ("a datatype that there is not", request(("n", "TEXT", [1], "", ()))),
    ("contents of another datatype", request(("n", "FP32", [1], "int_contents", [1]))),
    ("text beside the numbers", request(("n", "FP32", [1], "fp32_contents", [1.0]), raw_input_contents=[b"abcd"])),
    ("raw contents of fewer tensors", request(text("a"), text("b", name="o"), raw_input_contents=[packed("a")])),
    ("raw contents of more", request(text("a"), raw_input_contents=[packed("a"), packed("b")])),
    ("another shape", request(text("a", shape=[7]))),
    ("a shape of no size that says something", request(text(shape=[77310042]))),
    ("two tensors of one name", request(text("a"), text("b"))),
    ("a part of a number", request(("n", "FP32", [1], "", ()), raw_input_contents=[b"abc"])),
    ("a length past the end", request(("t", "BYTES", [1], "", ()), raw_input_contents=[b"\x09\0\0\0ab"])),
    ("a part of a length", request(("t", "BYTES", [1], "", ()), raw_input_contents=[packed("a") + b"\x01"])),
    ("too many dimensions", request(text("a", shape=[1] * 17))),
]


@pytest.mark.parametrize(("sentence", "made"), BROKEN, ids=[case[0] for case in BROKEN])
def test_a_message_that_says_two_things_is_none(sentence, made):
    with pytest.raises(WireError):
        read(made)


def floats(*values, name="scores"):
    return name, "FP32", [len(values)], "fp32_contents", values


def whole(*values, name="ids"):
    return name, "INT64", [len(values)], "int64_contents", values


SPELLS = [
    ("scores", floats(0.1, 0.9, 0.0, 1.0, 0.5, 0.25), (), False),
    ("nothing but noughts", floats(*[0.0] * 40), (), False),
    ("a class or two", whole(3, 1), (), False),
    ("a single count", whole(9999), (), False),
    ("token ids", whole(72, 101, 108, 108, 111, 44, 32, 77, 115), (), True),
    ("a few, under a name that says what they are", whole(72, 101, name="token_ids"), (), True),
    ("flags, however many", whole(*[0, 1] * 40), (), False),
    ("the ninth of those that came one by one", whole(111), (72, 101, 108, 108, 111, 44, 32, 77), True),
    ("token ids as floats", floats(72, 101, 108, 108, 111, 44, 32, 77, 115), (), True),
    ("with a number before them that is none", floats(0.5, 72, 101, 108, 108, 111, 44, 32, 77, 115), (), True),
    ("not a number", floats(float("nan"), float("inf"), 0.5), (), False),
    ("a number that somebody has", whole(77310042), (), True),
    ("as a float, too", ("n", "FP64", [1], "fp64_contents", [77310042.0]), (), True),
]


@pytest.mark.parametrize(("sentence", "tensor", "before", "spells"), SPELLS, ids=[case[0] for case in SPELLS])
def test_numbers_that_may_be_text(sentence, tensor, before, spells):
    (found,) = read(request(tensor)).tensors
    assert kserve.spells(found, before) is spells
    if not before and found.datatype not in {"FP32", "FP64"}:
        assert kserve.readable(read(request(tensor))) is not spells


def test_a_request_with_bytes_that_are_no_text_or_fields_that_nobody_knows_is_not_readable():
    assert kserve.readable(read(request(text("a"))))
    assert not kserve.readable(read(request(("image", "BYTES", [1], "bytes_contents", [b"\xff\xd8"]))))
    raw = request(text("a")).SerializeToString() + b"\xa2\x06\x01a"
    assert not kserve.readable(kserve.infer(protobuf.read(raw, kserve.REQUEST)))


def test_shared_memory_is_seen_wherever_it_is_asked_for():
    for where in ("inputs", "outputs"):
        made = request()
        getattr(made, where).add(name="o", **({"datatype": "BYTES", "shape": [0]} if where == "inputs" else {}))
        getattr(made, where)[0].parameters["shared_memory_region"].string_param = "r"
        assert kserve.asks_for_shared_memory(read(made))
    assert not kserve.asks_for_shared_memory(read(request(text("a"))))


def test_all_texts_of_a_request_are_told_in_order_with_their_names():
    made = request(text("Ada", name="patient"), ("image", "BYTES", [1], "bytes_contents", [b"\xff"]))
    made.parameters["note"].string_param = "urgent"
    made.parameters["priority"].int64_param = 1
    assert list(kserve.plain_texts(read(made))) == [("note", "urgent"), ("patient", "Ada")]


def test_of_two_parameters_of_one_name_the_last_one_goes_on():
    one, two = request(), request()
    one.parameters["n"].string_param, two.parameters["n"].bool_param = "text", True
    raw = one.SerializeToString() + two.SerializeToString()
    message = kserve.infer(protobuf.read(raw, kserve.REQUEST))
    assert message.flag("n") is True
    assert message.flag("m") is None
    assert dict(pb.ModelInferRequest.FromString(message.bytes()).parameters) == dict(two.parameters)


def test_nor_does_the_first_one_of_an_output_that_is_asked_for():
    wanted = [request() for _ in range(2)]
    for made, value in zip(wanted, ("first", "last"), strict=True):
        made.outputs.add(name="scores").parameters["n"].string_param = value
    first, last = (made.outputs[0].SerializeToString() for made in wanted)
    both = b"\x32" + protobuf.varint(len(first + last)) + first + last
    message = kserve.infer(protobuf.read(request().SerializeToString() + both, kserve.REQUEST))
    assert list(kserve.plain_texts(message)) == [("n", "last")]
    assert message.wanted == ["scores"]
    assert b"first" not in message.bytes()


def test_the_tables_know_no_call_that_changes_a_server():
    names = {path.rpartition("/")[2] for path in kserve.METHODS}
    known = {method.name for method in pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods}
    assert names <= known
    assert {method.action for method in kserve.METHODS.values()} == {"predict", "list-models"}
    assert not [name for name in names if "Memory" in name or "Repository" in name or "Setting" in name]


@pytest.mark.parametrize(("name", "key"), [("OUTPUT0", "output0"), ("Text_Output", "text_output"), ("MRN", "MRN")])
def test_a_name_that_says_only_text_is_known_in_any_case(name, key):
    assert kserve.key(name) == key


STEERS = [
    ("two tokens", {"max_tokens": 2}, True),
    ("many", {"max_tokens": 200}, False),
    ("a grammar", {"guided_regex": "[0-9]{9}"}, True),
    ("a deadline", {"timeout": 2}, False),
]


@pytest.mark.parametrize(("sentence", "values", "steers"), STEERS, ids=[case[0] for case in STEERS])
def test_a_request_that_decides_word_by_word_is_known_wherever_it_says_so(sentence, values, steers):
    (name, value), made = next(iter(values.items())), request(text("a"))
    if isinstance(value, str):
        made.parameters[name].string_param = value
    else:
        made.parameters[name].int64_param = value
        tensor = (name, "INT32", [1], "int_contents", [value])
        assert kserve.steers(read(request(text("a"), tensor))) is steers
    assert kserve.steers(read(made)) is steers
    assert kserve.steers(read(request(text(json.dumps(values), name="sampling_parameters")))) is steers


def test_texts_that_may_be_one_in_pieces_and_text_with_other_signs():
    assert kserve.pieces(read(request(text("Ze", "bulon", name="tokens"))).tensors[0])
    assert not kserve.pieces(read(request(text("Ze", "bulon", name="texts"))).tensors[0])
    assert kserve.decoded("Zebulon".encode("utf-16-le")) is None


def test_no_other_routes_have_these_names():
    names = {route.name for route in kserve_rest.ROUTES}
    assert names.isdisjoint(method.name for method in kserve.METHODS.values())


def test_answers_of_a_stream_are_told_apart_by_what_is_around_them():
    answer = pb.ModelInferResponse(model_name="m", model_version="1", id="7")
    answer.outputs.add(name="note", datatype="BYTES", shape=[0])
    for inner in (answer, pb.ModelInferResponse(id="7"), pb.ModelInferResponse(raw_output_contents=[b""])):
        data = inner.SerializeToString()
        node, bare = kserve.streamed(data)
        assert (protobuf.write(node.values[2]), bare) == (data, True)
        node, bare = kserve.streamed(pb.ModelStreamInferResponse(infer_response=inner).SerializeToString())
        assert (protobuf.write(node.values[2]), bare) == (data, False)
    node, bare = kserve.streamed(pb.ModelStreamInferResponse(error_message="no").SerializeToString())
    assert (node.text(1), bare) == ("no", False)


HIDDEN = pb.ModelInferResponse(id="7", raw_output_contents=[packed("Zebulon Quartermaine")]).SerializeToString()
MIXED = [
    ("an answer where a version should be", b"\x1a\x01x\x12" + bytes([len(HIDDEN)]) + HIDDEN),
    ("a version that says something", pb.ModelInferResponse(id="7", model_version="Ada Poe").SerializeToString()),
    ("a group", b"\x1b\x1c"),
]


@pytest.mark.parametrize(("sentence", "data"), MIXED, ids=[case[0] for case in MIXED])
def test_a_message_of_both_forms_or_neither_is_an_error(sentence, data):
    with pytest.raises(WireError):
        kserve.streamed(data)


VERSIONS = [("", True), ("1", True), ("2026-11.b_1", True), ("Ada Poe", False), ("1\n", False), ("a" * 65, False)]


@pytest.mark.parametrize(("text", "expected"), VERSIONS)
def test_what_can_be_a_version(text, expected):
    assert kserve.is_version(text) is expected
