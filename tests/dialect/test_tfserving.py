"""TensorFlow Serving's answers: text in tensors, bytes in base64, and what stays as it is."""

import base64

import orjson
import pytest

from phigate.dialect import tfserving
from phigate.dialect.codecs import JSON
from phigate.dialect.known import ROUTES, spoken
from phigate.dialect.routes import Match, RouteTable
from phigate.dialect.tensors import BYTES, Unread
from phigate.masking.answer import failure, whole
from tests.masking.test_answer import sight
from tests.traffic import CANARY_MRN, CANARY_TEXT, leaks

CODEC = tfserving.Encoded()
TABLE = RouteTable(ROUTES)


def b64(content):
    return {"b64": base64.b64encode(content).decode()}


def masked(tree, **more):
    body, _, shown, _ = whole(orjson.dumps(tree), sight(), tfserving.DIALECT, CODEC, {}, **more)
    assert leaks(orjson.dumps(shown)) == []
    return orjson.loads(body)


@pytest.mark.parametrize(
    ("sentence", "tree"),
    [
        ("predictions", {"predictions": [CANARY_TEXT]}),
        ("nested", {"predictions": [{"note": [[CANARY_TEXT]]}]}),
        ("outputs by name", {"outputs": {"mrn": [CANARY_MRN], "note": CANARY_TEXT}}),
        ("labels", {"results": [[[CANARY_TEXT, 0.9], ["fine", 0.1]]]}),
        ("a member that nobody knows", {"predictions": [], "novel": {"deep": CANARY_TEXT}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_channel_leaks(sentence, tree):
    assert leaks(orjson.dumps(masked(tree))) == []


def test_text_in_base64_is_masked_and_encoded_again():
    (made,) = masked({"predictions": [b64(CANARY_TEXT.encode())]})["predictions"]
    text = base64.b64decode(made["b64"], validate=True).decode()
    assert text.endswith("furosemide 40 mg.")
    assert leaks(text) == []


@pytest.mark.parametrize(
    "tree",
    [
        {"predictions": [[0.1, 0.9], [0.5, 0.5]]},
        {"predictions": [{"classes": [3, 1], "scores": [0.9, 0.1]}]},
        {"outputs": {"text": "furosemide 40 mg", "bytes": b64(b"fine")}},
        {"results": [["sepsis", 0.9]]},
    ],
)
def test_what_is_no_identifier_stays(tree):
    assert masked(tree) == tree


def test_what_is_told_of_a_model_stays():
    signature = {"inputs": {"ids": {"dtype": "DT_INT64", "tensor_shape": {"dim": [{"size": "-1", "name": ""}] * 20}}}}
    tree = {"model_spec": {"name": "ward", "version": "3"}, "metadata": {"signature_def": {"serving": signature}}}
    found = TABLE.find("GET", "/v1/models/ward/metadata")
    assert isinstance(found, Match)
    assert orjson.loads(whole(orjson.dumps(tree), sight(), spoken(found.route), JSON, {})[0]) == tree


@pytest.mark.parametrize(
    "value", [b64(b"\x89PNG\0"), list(range(100, 112)), [[5], [3], [6], [2], [2], [8], [1], [4], [5]]]
)
def test_what_nobody_can_read_passes_only_where_the_rule_says_so(value):
    with pytest.raises(ValueError, match="cannot be read"):
        masked({"predictions": [value]})
    assert masked({"predictions": [value]}, opaque=True) == {"predictions": [value]}


@pytest.mark.parametrize(
    "content", [b'{"a": {"b64": "?"}}', b'{"a": {"b64": 1}}', b'{"a":' * 300 + b"1" + b"}" * 300, b"{"]
)
def test_what_cannot_be_read(content):
    with pytest.raises(ValueError, match=r"\A[ -~]*\Z"):
        CODEC.read(content, {})


@pytest.mark.parametrize(
    ("sentence", "tree", "expected"),
    [
        ("text", {"signature_name": "x", "instances": ["hello", {"t": "x"}]}, False),
        ("measurements", {"instances": [[6.0, 148.0, 72.0, 35.0, 0.0, 33.0, 50.0, 1.0, 7.0]]}, False),
        ("text in base64", {"instances": [b64(b"hello")]}, False),
        ("a picture", {"instances": [b64(b"\x89PNG\0")]}, True),
        ("token ids", {"inputs": {"ids": list(range(100, 112))}}, True),
        ("a member that nobody knows", {"instances": [], "files": []}, True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_requests_that_hide_text(sentence, tree, expected):
    assert tfserving.unreadable(CODEC.read(orjson.dumps(tree), {})) is expected


def test_a_prompt_is_masked_in_base64_too():
    tree = CODEC.read(orjson.dumps({"instances": [b64(CANARY_TEXT.encode()), {"mrn": [CANARY_MRN]}]}), {})
    seen = sight()
    seen.study(tree, tfserving.REQUEST)
    out = orjson.loads(CODEC.write(seen.tree_for_caller(tree, tfserving.REQUEST))[0])
    assert leaks(base64.b64decode(out["instances"][0]["b64"])) == leaks(orjson.dumps(out)) == []


def test_bytes_that_are_no_text_go_on_as_they_came():
    tree = CODEC.read(orjson.dumps({"a": b64(b"\xff\0")}), {})
    assert tree == {"a": {"b64": Unread(BYTES, 2, b"\xff\0")}}
    assert orjson.loads(CODEC.write(tree)[0]) == {"a": b64(b"\xff\0")}


def test_errors():
    assert orjson.loads(tfserving.error_body(403, "no-rule", "No.")) == {"error": "No.", "code": "no-rule"}
    body, _ = failure(orjson.dumps({"error": f"bad: {CANARY_TEXT}"}), 400, sight(), tfserving.DIALECT)
    assert orjson.loads(body)["error"].startswith("bad: ")
    assert leaks(body) == []


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1/models/ward:predict", "tfserving-predict"),
        ("POST", "/v1/models/ward/versions/3:classify", "tfserving-classify-version"),
        ("GET", "/v1/models/ward/metadata", "tfserving-metadata"),
        ("GET", "/v1/models/ward/versions/3", "tfserving-version"),
        ("GET", "/v1/models/ward", "openai-model"),
    ],
)
def test_routes(method, path, name):
    found = TABLE.find(method, path)
    assert isinstance(found, Match)
    assert (found.route.name, found.model) == (name, "ward")


def test_what_reaches_past_a_mask_is_unknown():
    assert TABLE.find("GET", "/monitoring/prometheus/metrics") is None
    assert TABLE.find("POST", "/v1/models/ward:reload") is False
