"""The wire format: what is read is what any other parser reads, and what is written is one form of it."""

import time

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as pb

from phigate.dialect import kserve_grpc as kserve
from phigate.dialect import protobuf
from phigate.dialect.protobuf import Field, Kind, Node, Unreadable, WireError, read, write

INNER = {1: Field(Kind.TEXT), 2: Field(Kind.VARINT)}
SCHEMA = {
    1: Field(Kind.TEXT),
    2: Field(Kind.VARINT),
    3: Field(Kind.VARINT, repeated=True),
    4: Field(Kind.MESSAGE, schema=INNER),
    5: Field(Kind.MESSAGE, repeated=True, schema=INNER),
    6: Field(Kind.TEXT, repeated=True),
    7: Field(Kind.FIXED32, repeated=True),
    8: Field(Kind.BYTES),
    9: Field(Kind.TEXT, one_of="choice"),
    10: Field(Kind.FIXED64, one_of="choice"),
}
SAME = [
    ("nothing", b"", b""),
    ("a text", b"\x0a\x02ab", b"\x0a\x02ab"),
    ("of two the last one counts", b"\x0a\x01a\x0a\x01b", b"\x0a\x01b"),
    ("a number longer than it needs to be", b"\x10\x81\x80\x00", b"\x10\x01"),
    ("a tag longer than it needs to be", b"\x90\x80\x00\x01", b"\x10\x01"),
    ("fields in another order", b"\x10\x01\x0a\x01a", b"\x0a\x01a\x10\x01"),
    ("numbers one by one are packed", b"\x18\x01\x18\x02", b"\x1a\x02\x01\x02"),
    ("and those that were stay", b"\x1a\x02\x01\x02\x18\x03", b"\x1a\x03\x01\x02\x03"),
    ("of numbers none at all is nothing", b"\x1a\x00\x0a\x01a", b"\x0a\x01a"),
    ("two halves of a message are one", b"\x22\x03\x0a\x01a\x22\x02\x10\x05", b"\x22\x05\x0a\x01a\x10\x05"),
    ("repeated messages are not", b"\x2a\x03\x0a\x01a\x2a\x02\x10\x05", b"\x2a\x03\x0a\x01a\x2a\x02\x10\x05"),
    ("of a choice the last one counts", b"\x51abcdefgh\x4a\x01x", b"\x4a\x01x"),
    ("whichever that is", b"\x4a\x01x\x51abcdefgh", b"\x51abcdefgh"),
    ("what nobody knows comes last", b"\x7a\x01z\x0a\x01a", b"\x0a\x01a\x7a\x01z"),
]
BROKEN = [
    ("a text that runs past its end", b"\x0a\x05ab"),
    ("a number that does not end", b"\x10" + b"\x80" * 12),
    ("a number that is cut", b"\x10\x80"),
    ("a field without a number", b"\x02\x01a"),
    ("a group", b"\x0b\x0c"),
    ("a wire type that there is not", b"\x0e\x01"),
    ("a text as a number", b"\x08\x01"),
    ("a number as a text", b"\x12\x01a"),
    ("no UTF-8", b"\x0a\x01\xff"),
    ("packed numbers that do not end", b"\x1a\x01\x80"),
    ("a part of a packed number", b"\x3a\x03abc"),
    ("a fixed number that is cut", b"\x51abc"),
    ("a broken message in one", b"\x22\x02\x0a\x05"),
]


def test_a_packed_field_without_numbers_is_no_value():
    assert read(b"\x1a\x00", SCHEMA) == Node(SCHEMA)


@pytest.mark.parametrize(("sentence", "raw", "canonical"), SAME, ids=[case[0] for case in SAME])
def test_there_is_one_form_of_a_message(sentence, raw, canonical):
    assert write(read(raw, SCHEMA)) == canonical
    assert write(read(canonical, SCHEMA)) == canonical


@pytest.mark.parametrize(("sentence", "raw"), BROKEN, ids=[case[0] for case in BROKEN])
def test_what_is_no_message_is_an_error_that_tells_nothing(sentence, raw):
    with pytest.raises(WireError) as error:
        read(raw, SCHEMA)
    assert "abc" not in str(error.value)


def test_a_message_of_too_many_fields_or_levels_is_an_error():
    with pytest.raises(WireError):
        read(b"\x10\x01" * (protobuf.MAX_FIELDS + 1), SCHEMA)
    nested: dict[int, Field] = {}
    nested[1] = Field(Kind.MESSAGE, schema=nested)
    deep = b""
    for _ in range(protobuf.MAX_DEPTH):
        deep = b"\x0a" + protobuf.varint(len(deep)) + deep
    with pytest.raises(WireError):
        read(deep, nested)


def test_numbers_one_by_one_cost_no_more_than_those_before_them_weigh():
    packed = b"\x1a" + protobuf.varint(4_000_000) + bytes(4_000_000)
    began = time.process_time()
    node = read(packed + b"\x18\x01" * 10_000, SCHEMA)
    assert len(node.values[3]) == 4_010_000
    assert time.process_time() - began < 2


NUMBERS = st.integers(0, 2**64 - 1)


@given(NUMBERS)
def test_a_number_comes_back(number):
    assert list(protobuf.varints(protobuf.varint(number) * 2)) == [number, number]
    assert protobuf.count(protobuf.varint(number) * 3) == 3


@pytest.mark.parametrize("number", [0, -1, 5, -(2**63), 2**63 - 1])
def test_negative_numbers_are_those_of_the_format(number):
    packed = pb.ModelInferRequest.InferInputTensor(shape=[number]).SerializeToString()
    (value,) = protobuf.varints(read(packed, kserve.TENSOR).values[3])
    assert protobuf.signed(value) == number
    assert protobuf.varint(number) == protobuf.varint(value)


@st.composite
def requests(draw):
    made = pb.ModelInferRequest(model_name=draw(st.text(max_size=5)), id=draw(st.text(max_size=5)))
    for _ in range(draw(st.integers(0, 2))):
        tensor = made.inputs.add(
            name=draw(st.text(max_size=3)), datatype="INT64", shape=draw(st.lists(st.integers(-9, 9)))
        )
        tensor.contents.int64_contents.extend(draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3)))
        tensor.contents.fp32_contents.extend(draw(st.lists(st.floats(width=32), max_size=3)))
        tensor.contents.bytes_contents.extend(draw(st.lists(st.binary(max_size=5), max_size=3)))
        tensor.parameters["n"].int64_param = draw(st.integers(-5, 5))
        tensor.parameters["d"].double_param = draw(st.floats())
    made.raw_input_contents.extend(draw(st.lists(st.binary(max_size=5), max_size=2)))
    return made


@given(requests(), requests())
def test_another_parser_reads_the_same_out_of_both_forms(one, two):
    raw = one.SerializeToString() + two.SerializeToString()  # concatenated messages are merged
    theirs, ours = pb.ModelInferRequest(), pb.ModelInferRequest()
    theirs.ParseFromString(raw)
    ours.ParseFromString(write(read(raw, kserve.REQUEST)))
    assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)


@given(st.binary(max_size=40))
def test_what_is_read_another_parser_reads_as_well(raw):
    try:
        written = write(read(raw, kserve.ANSWER))
    except WireError:
        return
    theirs, ours = pb.ModelInferResponse(), pb.ModelInferResponse()
    try:
        theirs.ParseFromString(raw)
    except DecodeError:  # one of its strict rules more, such as field numbers that are reserved
        return
    ours.ParseFromString(written)
    theirs.DiscardUnknownFields()
    ours.DiscardUnknownFields()
    assert ours.SerializeToString(deterministic=True) == theirs.SerializeToString(deterministic=True)


# -- what no table knows --------------------------------------------------------------------------------------------


def hide(text):
    return text.replace("Zebulon", "[PERSON]").replace("77310042", "[MRN]")


def looked(raw, opaque=False, schema=None):
    node = read(raw, schema or {})
    protobuf.masked(node, hide, opaque=opaque)
    return write(node)


def sized(number, value):
    return protobuf.varint(number << 3 | 2) + protobuf.varint(len(value)) + value


UNKNOWN = [
    ("a text is masked", sized(3, b"by Zebulon"), sized(3, b"by [PERSON]")),
    ("a text in a message in a message", sized(3, sized(1, sized(2, b"Zebulon \x41"))), None),
    ("a small number stays", b"\x18\x07", b"\x18\x07"),
    ("a negative one, too", b"\x18" + protobuf.varint(-1), b"\x18" + protobuf.varint(-1)),
    ("a number that is an identifier is left out", b"\x18" + protobuf.varint(77310042) + b"\x20\x01", b"\x20\x01"),
    ("nothing stays nothing", sized(3, b""), sized(3, b"")),
    ("a fixed number that is none of text", b"\x19" + b"\0" * 8, b"\x19" + b"\0" * 8),
]


@pytest.mark.parametrize(("sentence", "raw", "expected"), UNKNOWN, ids=[case[0] for case in UNKNOWN])
def test_a_field_that_nobody_knows(sentence, raw, expected):
    out = looked(raw)
    assert b"Zebulon" not in out
    if expected is not None:
        assert out == expected


UNREADABLE = [
    ("bytes that are neither", sized(3, b"\xff\xfe\x00")),
    ("eight letters as a number", b"\x19Zebulon "),
    ("eight letters as a number within what could be a text", sized(3, b"\x19Zebulon ")),
    ("four letters as a number", b"\x1dZebu"),
]


@pytest.mark.parametrize(("sentence", "raw"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_a_field_that_nobody_can_read(sentence, raw):
    with pytest.raises(Unreadable):
        looked(raw)
    assert looked(raw, opaque=True)


def test_known_texts_are_masked_in_their_place_and_known_bytes_are_not_read():
    node = Node(SCHEMA, {1: "Zebulon", 6: ["a", "Zebulon"], 4: Node(INNER, {1: "Zebulon", 2: 5})})
    protobuf.masked(node, hide, opaque=False)
    assert (node.values[1], node.values[6], node.values[4].values) == (
        "[PERSON]",
        ["a", "[PERSON]"],
        {1: "[PERSON]", 2: 5},
    )
    with pytest.raises(Unreadable):
        protobuf.masked(Node(SCHEMA, {8: b"\x01"}), hide, opaque=False)
