"""Tensors are read and written: inline, as bytes behind the JSON, and what of them is no text stays apart."""

import struct

import orjson
import pytest

from phigate.dialect.tensors import BYTES, TENSORS, Unread, apart, elements, joined, spelled, spells, text_of, unread


def binary(*tensors, key="outputs", **more):
    """A body of (tensor, bytes) pairs and its head."""
    listed = [{**tensor, "parameters": {"binary_data_size": len(raw)}} for tensor, raw in tensors]
    text = orjson.dumps({key: listed, **more})
    return text + b"".join(raw for _, raw in tensors), {b"inference-header-content-length": b"%d" % len(text)}


def tensor(datatype="BYTES", *shape, name="out", **more):
    return {"name": name, "datatype": datatype, "shape": list(shape), **more}


NOTE = tensor(BYTES, 2, name="note")
SCORES = tensor("FP32", 2, name="scores")
BOTH = ((NOTE, joined([b"one", "zw\u00f6lf".encode()])), (SCORES, struct.pack("<2f", 0.25, 0.75)))


def test_elements_are_behind_their_lengths():
    raw = joined([b"", b"a", b"bc\0"])
    assert raw == b"\0\0\0\0\1\0\0\0a\3\0\0\0bc\0"
    assert elements(raw) == [b"", b"a", b"bc\0"]


@pytest.mark.parametrize("raw", [b"\0", b"\1\0\0\0", b"\2\0\0\0a", b"\xff\xff\xff\xff"])
def test_lengths_that_do_not_add_up(raw):
    with pytest.raises(ValueError, match=r"\Ahalf "):
        elements(raw)


@pytest.mark.parametrize("element", [b"\xff", b"\x80\x04\x95", "Jane".encode("utf-16-le"), b"a\0", b"\x08"])
def test_what_is_no_text_stays_apart(element):
    assert text_of(element) == Unread(BYTES, len(element), element)


def test_what_is_text_is_text():
    assert text_of("Zo\u00eb\r\n\t\x1b[0m".encode()) == "Zo\u00eb\r\n\t\x1b[0m"


def test_a_body_with_bytes_is_read_and_written():
    content, head = binary(*BOTH, id="7")
    tree = TENSORS.read(content, head)
    assert [each["data"] for each in tree["outputs"]] == [["one", "zw\u00f6lf"], Unread("FP32", 2, BOTH[1][1])]
    tree["outputs"][0]["data"] = ["[PERSON]", "zw\u00f6lf"]
    out, fields = TENSORS.write(tree)
    assert fields[0] == (b"content-type", b"application/octet-stream")
    again = TENSORS.read(out, dict(fields))
    assert again["outputs"][0]["data"] == ["[PERSON]", "zw\u00f6lf"]
    assert again["outputs"][0]["parameters"] == {"binary_data_size": 4 + 8 + 4 + 6}
    assert again["outputs"][1]["data"].content == BOTH[1][1]
    assert again["id"] == "7"


def test_a_body_without_bytes_is_json():
    body = {
        "outputs": [
            tensor(BYTES, 2, 1, data=[["a"], ["b"]]),
            tensor("INT64", 2, data=[1, 2]),
            tensor("BOOL", 1, data=[True]),
        ]
    }
    tree = TENSORS.read(orjson.dumps(body), {})
    assert tree["outputs"][0]["data"] == [["a"], ["b"]]
    assert list(tree["outputs"][1]["data"].numbers()) == [1, 2]
    out, fields = TENSORS.write(tree)
    assert orjson.loads(out) == body
    assert fields == [(b"content-type", b"application/json")]


def test_what_it_holds_is_in_no_message():
    assert "Jane" not in repr(Unread(BYTES, 4, b"Jane"))


def test_a_record_shows_of_numbers_only_how_many():
    tree = TENSORS.read(*binary((SCORES, b"\xff" * 8)))
    assert orjson.loads(orjson.dumps(tree["outputs"][0]["data"])) == {"datatype": "FP32", "size": 2}


@pytest.mark.parametrize("inputs", ["a", ["a", "b"], []])
def test_texts_of_that_name_are_no_tensors(inputs):
    assert orjson.loads(TENSORS.write(TENSORS.read(orjson.dumps({"inputs": inputs}), {}))[0]) == {"inputs": inputs}


def test_a_tensor_that_is_only_asked_for_has_no_data():
    body = {"inputs": [tensor(BYTES, 1, data=["a"])], "outputs": [{"name": "x", "parameters": {"binary_data": True}}]}
    assert orjson.loads(TENSORS.write(TENSORS.read(orjson.dumps(body), {}))[0]) == body


@pytest.mark.parametrize(
    ("datatype", "raw", "expected"),
    [
        ("UINT8", b"\xff", [255]),
        ("INT16", b"\xff\xff", [-1]),
        ("UINT64", b"\1" + b"\0" * 7, [1]),
        ("FP16", struct.pack("<e", 1.5), [1.5]),
        ("BF16", struct.pack("<f", 1.5)[2:], [1.5]),
        ("FP64", struct.pack("<d", 0.1), [0.1]),
        (BYTES, b"\xff", []),
    ],
)
def test_numbers_of_a_kind(datatype, raw, expected):
    assert list(Unread(datatype, 1, raw).numbers()) == expected


def size(count):
    return {"parameters": {"binary_data_size": count}}


@pytest.mark.parametrize(
    ("sentence", "content", "head"),
    [
        ("no object", b"[]", {}),
        ("too deep", b'{"a":' * 300 + b"1" + b"}" * 300, {}),
        ("tensors that are no list", b'{"outputs": {}}', {}),
        ("a tensor that is no object", b'{"outputs": ["a", {}]}', {}),
        ("parameters that are none", orjson.dumps({"outputs": [tensor(BYTES, 1, data=["a"], parameters=[])]}), {}),
        ("no data that is a list", orjson.dumps({"outputs": [tensor(BYTES, 1, data="a")]}), {}),
        ("text as numbers", orjson.dumps({"outputs": [tensor("FP32", 1, data=["Jane"])]}), {}),
        ("a null as a number", orjson.dumps({"outputs": [tensor("FP32", 1, data=[None])]}), {}),
        ("more numbers than it says", orjson.dumps({"outputs": [tensor("FP32", 1, data=[1.0, 2.0])]}), {}),
        ("a datatype that nobody knows", orjson.dumps({"outputs": [tensor("TEXT", 1, data=["a"])]}), {}),
        ("no datatype", orjson.dumps({"outputs": [{"name": "a", "shape": [1], "data": ["a"]}]}), {}),
        ("no shape", orjson.dumps({"outputs": [{"name": "a", "datatype": "BYTES", "data": ["a"]}]}), {}),
        ("a shape of text", orjson.dumps({"outputs": [tensor(BYTES, "1", data=["a"])]}), {}),
        ("a shape below nothing", orjson.dumps({"outputs": [tensor(BYTES, -1, data=["a"])]}), {}),
        ("bytes without a head that says so", orjson.dumps({"outputs": [tensor(BYTES, 1, **size(0))]}), {}),
        ("bytes and data", *binary((tensor(BYTES, 1, data=["a"]), joined([b"a"])))),
        ("fewer bytes than it says", b"{}", {b"inference-header-content-length": b"3"}),
        ("more bytes than tensors", b"{}x", {b"inference-header-content-length": b"2"}),
        ("a length that is no number", b"{}", {b"inference-header-content-length": b"+2"}),
        ("numbers that do not fit", *binary((SCORES, b"1234567"))),
        ("more elements than it says", *binary((tensor(BYTES, 1), joined([b"a", b"b"])))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read(sentence, content, head):
    with pytest.raises(ValueError, match=r"\A[ -~]*\Z") as raised:
        TENSORS.read(content, head)
    assert "Jane" not in str(raised.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"data": ["[US_SSN]"]},
        {"shape": ["[US_SSN]"]},
    ],
)
def test_numbers_that_were_hidden_are_not_written(changed):
    tree = TENSORS.read(*binary((SCORES, b"\0" * 8)))
    tree["outputs"][0] |= changed
    with pytest.raises(ValueError, match=r"\A(numbers|shape)"):
        TENSORS.write(tree)


@pytest.mark.parametrize(
    ("sentence", "name", "numbers", "expected"),
    [
        ("a class", "label", [812], False),
        ("the best five classes", "classes", [3, 17, 22, 80, 999], False),
        ("yes and no for many", "flags", [0, 1] * 200, False),
        ("a scale for many", "level", [1, 2, 3, 4, 5, -1] * 50, False),
        ("a scale of tokens", "token_type_ids", [0, 1] * 50, False),
        ("nothing", "out", [], False),
        ("a number of somebody's", "out", [77310042], True),
        ("an identifier's digits", "out", [5, 3, 6, 2, 2, 8, 1, 4, 5], True),
        ("token ids", "out", list(range(20, 40)), True),
        ("few that are called tokens", "output_ids", [7554, 4176], True),
        ("one that is called so", "next_token", [7554], True),
        ("a negative number of somebody's", "out", [-77310042], True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whole_numbers_that_may_be_text(sentence, name, numbers, expected):
    assert spells(name, numbers) is expected
    assert spells(name, map(float, numbers), floats=True) is expected


@pytest.mark.parametrize("numbers", [[0.5] + [700.0] * 100, [700.0] * 100 + [0.5], [float("nan")], [float("inf")]])
def test_measurements_are_no_text(numbers):
    assert not spells("out", numbers, floats=True)


@pytest.mark.parametrize(
    ("sentence", "tree", "expected"),
    [
        ("texts", {"a": ["x"] * 20}, False),
        ("measurements", {"a": [[63, 1, 145, 233, 2.3, 0, 150, 0, 7, 9]]}, False),
        ("labels of a few", {"predictions": [12, 7]}, False),
        ("token ids", {"out": [{"ids": [[101, 2198, 3044, 2003, 1037, 3899, 102, 0, 0]]}]}, True),
        ("a list at the root", [77310042], True),
        ("a number at the root", 77310042, True),
        ("a label at the root", 3, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lists_of_numbers_in_a_tree(sentence, tree, expected):
    assert spelled(tree) is expected


def test_whole_measurements_are_text_in_an_answer_only():
    data = Unread("FP32", 9, [float(digit) for digit in range(9)])
    assert unread(tensor("FP32", 9, data=data), answer=True)
    assert not unread(tensor("FP32", 9, data=data), answer=False)
    assert unread(tensor("INT32", 9, data=Unread("INT32", 9, list(range(9)))), answer=False)


@pytest.mark.parametrize(("data", "expected"), [(["a"], False), ([["a", Unread(BYTES, 1, b"\xff")]], True)])
def test_elements_that_are_no_text(data, expected):
    assert unread(tensor(BYTES, 1, data=data), answer=True) is expected


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"a": ["x", 1, None]}, False),
        ({"a": [{"b": Unread(BYTES, 1, b"\xff")}]}, True),
        ({"a": ["5\0003\0006"]}, True),
        ({"5\0003": 1}, True),
    ],
)
def test_whether_anything_stays_apart(tree, expected):
    assert apart(tree) is expected
