"""KServe's protocol: tensors whole, Triton's generate whole and streamed at any split, and what is refused."""

import itertools
import struct

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phigate.dialect import kserve
from phigate.dialect.codecs import JSON
from phigate.dialect.known import ROUTES
from phigate.dialect.routes import Match, RouteTable
from phigate.dialect.tensors import BYTES, TENSORS, Unread, joined
from phigate.masking.answer import MaskedStream, failure, whole
from phigate.masking.evidence import Hit
from tests.dialect.managed import meant, read_as
from tests.dialect.test_tensors import binary, tensor
from tests.masking.test_answer import cut, sight
from tests.traffic import CANARY_MRN, CANARY_NAME, CANARY_TEXT, leaks

TABLE = RouteTable(ROUTES)


def infer(*outputs, **more):
    return {"model_name": "ward", "model_version": "1", "outputs": list(outputs), **more}


def masked(tree, **more):
    """The JSON that the caller gets for a whole answer, and what bystanders see."""
    body, fields, shown, _ = whole(orjson.dumps(tree), sight(), kserve.DIALECT, TENSORS, {}, **more)
    assert fields == [(b"content-type", b"application/json")]
    return orjson.loads(body), shown


# -- tensors --------------------------------------------------------------------------------------------------------

CHANNELS = [
    ("a tensor of any name", infer(tensor(BYTES, 1, name="OUT__7", data=[CANARY_TEXT]))),
    ("nested", infer(tensor(BYTES, 2, 1, data=[["fine"], [CANARY_TEXT]]))),
    ("by its name", infer(tensor(BYTES, 1, name="mrn", data=[CANARY_MRN]))),
    ("JSON in it", infer(tensor(BYTES, 1, data=[orjson.dumps({"mrn": CANARY_MRN, "note": CANARY_TEXT}).decode()]))),
    ("parameters", infer(parameters={"note": CANARY_TEXT})),
    ("parameters of a tensor", infer(tensor(BYTES, 1, data=["fine"], parameters={"deep": [CANARY_TEXT]}))),
    ("the id", infer(id=CANARY_TEXT)),
    ("a member that nobody knows", infer(novel={"deep": [CANARY_TEXT]})),
    ("a member of a tensor that nobody knows", infer(tensor(BYTES, 1, data=["a"], novel=CANARY_TEXT))),
    ("the name of a tensor", infer(tensor(BYTES, 1, name=CANARY_NAME, data=[CANARY_TEXT]))),
    ("an error beside it", infer(error=CANARY_TEXT)),
]


@pytest.mark.parametrize(("sentence", "tree"), CHANNELS, ids=[case[0] for case in CHANNELS])
def test_no_channel_of_a_whole_answer_leaks(sentence, tree):
    caller, shown = masked(tree)
    assert leaks(orjson.dumps(caller)) == []
    assert leaks(orjson.dumps(shown)) == []
    assert caller["model_version"] == "1"


def test_what_is_no_identifier_stays():
    tree = infer(
        tensor(BYTES, 2, name="text_output", data=["furosemide 40 mg", "0.93:1:sepsis"]),
        tensor("FP32", 2, name="scores", data=[0.07, 0.93]),
        tensor("INT64", 1, name="label", data=[1]),
        tensor("BOOL", 2, name="flags", data=[True, False]),
        id="request-17",
    )
    assert masked(tree)[0] == tree


def test_text_among_bytes_is_masked_and_counted_anew():
    text = "Patient: Zebulon Quartermaine, furosemide 40 mg"
    content, head = binary(
        (tensor("FP32", 2, name="scores"), struct.pack("<2f", 0.25, 0.75)),
        (tensor(BYTES, 2, name="note"), joined([text.encode(), b"fine"])),
        model_name="ward",
    )
    body, fields, shown, _ = whole(content, sight(), kserve.DIALECT, TENSORS, head)
    assert leaks(body) == leaks(orjson.dumps(shown)) == []
    scores, note = TENSORS.read(body, dict(fields))["outputs"]
    assert scores["data"].content == struct.pack("<2f", 0.25, 0.75)
    assert note["data"][0].endswith("furosemide 40 mg")
    assert note["data"][1] == "fine"


OPAQUE = [
    ("pickles", tensor(BYTES, 1), joined([b"\x80\x04\x95"])),
    ("UTF-16", tensor(BYTES, 1), joined([CANARY_TEXT.encode("utf-16-le")])),
    ("token ids", tensor("INT64", 12), struct.pack("<12q", *range(100, 112))),
    ("letters as octets", tensor("UINT8", 20), b"Zebulon Quartermaine"),
    ("letters as floats", tensor("FP32", 20), struct.pack("<20f", *b"Zebulon Quartermaine")),
    ("somebody's number", tensor("INT64", 1), struct.pack("<q", int(CANARY_MRN))),
]


@pytest.mark.parametrize(("sentence", "named", "raw"), OPAQUE, ids=[case[0] for case in OPAQUE])
def test_what_nobody_can_read_passes_only_where_the_rule_says_so(sentence, named, raw):
    content, head = binary((named, raw))
    with pytest.raises(ValueError, match="cannot be read"):
        whole(content, sight(), kserve.DIALECT, TENSORS, head)
    body, fields, shown, _ = whole(content, sight(), kserve.DIALECT, TENSORS, head, opaque=True)
    assert body.endswith(raw)
    assert TENSORS.read(body, dict(fields)) == TENSORS.read(content, head)
    assert leaks(orjson.dumps(shown)) == []


IDS = list(range(100, 112))


@pytest.mark.parametrize(
    ("sentence", "tree"),
    [
        ("inputs told again", {"inputs": [tensor("INT64", 12, data=IDS)]}),
        ("beside the tensors", infer(tensor(BYTES, 1, data=["fine"]), ids_of_my_own=IDS)),
        ("parameters", infer(tensor(BYTES, 1, data=["fine"]), parameters={"ids": IDS})),
        ("parameters of a tensor", infer(tensor(BYTES, 1, data=["fine"], parameters={"ids": IDS}))),
        ("pieces of a text", infer(tensor(BYTES, 3, name="output_tokens", data=["536-", "22-", "8145"]))),
        ("a text with signs that no text has", infer(tensor(BYTES, 1, data=["fine"]), novel="5\x003\x006")),
        ("numbers among texts", infer(tensor(BYTES, 12, data=IDS))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_no_other_place_carries_what_nobody_can_read(sentence, tree):
    with pytest.raises(ValueError, match="cannot be read"):
        masked(tree)


def test_a_tensor_of_nothing_says_nothing_by_its_shape():
    assert masked(infer(tensor("FP32", 1, 0, 6, data=[])))[0] == infer(tensor("FP32", 1, 0, 6, data=[]))
    with pytest.raises(ValueError, match="shape"):
        masked(infer(tensor("FP32", 5, 3, 6, 0, data=[])))


def test_numbers_in_json_that_may_be_text_are_refused_too():
    with pytest.raises(ValueError, match="cannot be read"):
        masked(infer(tensor("INT32", 9, data=[5, 3, 6, 2, 2, 8, 1, 4, 5])))
    tree = infer(tensor("INT32", 1, data=[int(CANARY_MRN)]))
    assert masked(tree, opaque=True)[0] == tree


# -- generate -------------------------------------------------------------------------------------------------------


def generated(text, **more):
    return {"model_name": "ward", "model_version": "1", "text_output": text, **more}


def stream_of(*events):
    return b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in events)


def streamed(parts):
    stream = MaskedStream(sight(), kserve.DIALECT, kserve.STREAM)
    out = b"".join(map(stream.feed, parts)) + stream.finish()
    return [orjson.loads(line.removeprefix("data: ")) for line in out.decode().split("\n") if line]


EXPECTED = masked(generated(CANARY_TEXT))[0]["text_output"]


def pieces(text, step):
    return [text[at : at + step] for at in range(0, len(text), step)]


@given(step=st.integers(1, 40), places=st.lists(st.integers(0, 20_000), max_size=10))
def test_pieces_come_together_to_what_the_whole_answer_says(step, places):
    data = stream_of(*map(generated, pieces(CANARY_TEXT, step)))
    events = streamed(cut(data, places))
    assert "".join(event["text_output"] for event in events) == EXPECTED
    assert {event["model_name"] for event in events} == {"ward"}


@given(step=st.integers(1, 40), places=st.lists(st.integers(0, 40_000), max_size=10))
def test_a_text_that_grows_never_changes_and_ends_as_the_whole(step, places):
    so_far = itertools.accumulate(pieces(CANARY_TEXT, step))
    told = [event["text_output"] for event in streamed(cut(stream_of(*map(generated, so_far)), places))]
    assert told[-1] == EXPECTED
    assert all(after.startswith(before) for before, after in itertools.pairwise(told))


@pytest.mark.parametrize(("name", "text", "end"), [("note", CANARY_TEXT, "furosemide 40 mg."), ("mrn", CANARY_MRN, "")])
def test_tensors_in_a_stream(name, text, end):
    told = streamed([stream_of(*(infer(tensor(BYTES, 1, name=name, data=[each])) for each in pieces(text, 3)))])
    texts = "".join(event["outputs"][0]["data"][0] for event in told)
    assert texts.endswith(end)
    assert leaks(texts) == []
    with pytest.raises(ValueError, match="cannot be read"):
        streamed([stream_of(infer(tensor("INT64", 12, data=list(range(100, 112)))))])


def test_at_every_split_of_the_bytes():
    data = stream_of(*map(generated, pieces(CANARY_TEXT, 9)))
    for at in range(0, len(data), 7):
        assert "".join(event["text_output"] for event in streamed([data[:at], data[at:]])) == EXPECTED


def test_a_number_is_no_piece_of_a_text():
    with pytest.raises(ValueError, match="cannot be read"):
        streamed([stream_of(generated(536), generated("-22-"), generated(8145))])


@pytest.mark.parametrize("key", ["text_output", "OUTPUT", "unheard_of"])
def test_an_output_of_any_name_is_masked_in_a_stream(key):
    told = streamed([stream_of(*({"model_name": "w", key: piece} for piece in pieces(CANARY_TEXT, 5)))])
    assert "furosemide 40 mg" in "".join(event.get(key, "") for event in told)
    assert leaks("".join(event.get(key, "") for event in told)) == []


def test_a_list_of_texts_is_kept_apart():
    told = streamed([stream_of(*({"text_output": [piece, "x"]} for piece in pieces(CANARY_TEXT, 5)))])
    texts = [event["text_output"][0] for event in told if event["text_output"][0] != "x"]
    assert leaks("".join(texts)) == []


@pytest.mark.parametrize("name", ["name", "state", "version", "platform"])
def test_an_output_of_generate_is_text_whatever_it_is_called(name):
    seen, table = sight(), TABLE.find("POST", "/v2/models/ward/generate").route.table
    seen.names.learn([Hit(0, len(CANARY_NAME), "PERSON", "test", 1.0)], CANARY_NAME)
    surname = CANARY_NAME.split()[-1]
    body, _, shown, _ = whole(orjson.dumps(generated("fine", **{name: surname})), seen, table, JSON, {})
    assert surname.encode() not in body
    assert surname not in str(shown)
    assert orjson.loads(body)["model_name"] == "ward"


def test_token_ids_are_left_out_and_others_refused():
    ids = list(range(100, 120))
    assert streamed([stream_of(generated("fine", output_ids=ids, token_id=17))]) == [generated("fine")]
    with pytest.raises(ValueError, match="cannot be read"):
        streamed([stream_of(generated("fine", ids_of_my_own=ids))])
    with pytest.raises(ValueError, match="cannot be read"):
        masked(generated("fine", ids_of_my_own=ids))


def test_an_error_in_a_stream_is_the_last_event_and_masked():
    told = streamed([stream_of(generated("Patient: Zebu"), {"error": CANARY_TEXT}, generated("lon Quartermaine"))])
    assert list(told[-1]) == ["error"]
    assert "furosemide" in told[-1]["error"]
    assert leaks(orjson.dumps(told)) == []


@pytest.mark.parametrize(
    "data",
    [
        b"data: []\n\n",
        b"data: 1\n\n",
        b"data: {\n\n",
        b'data: {"text_output": ' + b'"a' * 3_000_000,
        b"data: [DONE]\n\n",
    ],
)
def test_a_stream_that_is_none_is_broken_off(data):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 -- what it carries is looked at
        streamed([data])
    assert leaks(str(raised.value)) == []


def test_our_errors_are_as_triton_tells_them():
    assert orjson.loads(kserve.error_body(403, "no-rule", "No.", {"ticket": "t"})) == {
        "error": "No.",
        "code": "no-rule",
        "ticket": "t",
    }
    assert kserve.failure("x", "Broken off.") == ("", {"error": "Broken off."})


def test_an_upstreams_error_is_masked():
    body, _ = failure(orjson.dumps({"error": CANARY_TEXT}), 400, sight(), kserve.DIALECT)
    assert "furosemide" in orjson.loads(body)["error"]
    assert leaks(body) == []


# -- about models ---------------------------------------------------------------------------------------------------

ABOUT = [
    {"name": "triton", "version": "2.41.0", "extensions": ["classification", "binary_tensor_data"]},
    {
        "name": "ward",
        "versions": ["1", "2"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "IN", "datatype": "FP32", "shape": [-1, 50257]}],
        "outputs": [{"name": "OUT", "datatype": "BYTES", "shape": [-1]}],
    },
    {"model_stats": [{"name": "ward", "version": "1", "inference_stats": {"success": {"count": 9, "ns": 536228145}}}]},
    [{"name": "ward", "version": "1", "state": "READY", "reason": ""}],
]  # fmt: skip


@pytest.mark.parametrize("tree", ABOUT)
def test_what_is_said_of_models_stays(tree):
    body, *_ = whole(orjson.dumps(tree), sight(), kserve.ABOUT, JSON, {})
    assert orjson.loads(body) == tree


# -- requests -------------------------------------------------------------------------------------------------------


def asked(*inputs, **more):
    return TENSORS.read(orjson.dumps({"inputs": list(inputs), **more}), {})


TEXT = tensor(BYTES, 1, name="text_input", data=["hello"])


@pytest.mark.parametrize(
    ("sentence", "request_", "expected"),
    [
        ("text", asked(TEXT, id="1", parameters={"priority": 1}, outputs=[{"name": "x"}]), False),
        ("measurements", asked(tensor("FP32", 9, data=[63, 1, 145, 233, 150, 2, 0, 6, 70])), False),
        ("flags", asked(tensor("INT32", 20, data=[0, 1] * 10)), False),
        ("token ids", asked(tensor("INT64", 12, data=list(range(100, 112)))), True),
        ("few that are called so", asked(tensor("INT64", 2, name="input_ids", data=[101, 2198])), True),
        ("a picture", asked(tensor("UINT8", 64, data=list(range(64)))), True),
        ("no text", asked({**tensor(BYTES, 1), "data": ["\0"]}), True),
        ("a member that nobody knows", {"inputs": [], "files": []}, True),
        ("token ids where answers are asked for", asked(TEXT, outputs=[tensor("INT64", 12, data=IDS)]), True),
        ("token ids as outputs alone", TENSORS.read(orjson.dumps(infer(tensor("INT64", 12, data=IDS))), {}), True),
        ("token ids as parameters", asked(TEXT, parameters={"ids": IDS}), True),
        ("a member of a tensor that nobody knows", asked({**TEXT, "uri": "s3://x"}), True),
        ("to generate", {"text_input": "hello", "parameters": {"max_tokens": 100, "stream": True}}, False),
        ("a picture to generate from", {"text_input": "hello", "image": "aGk="}, True),
        ("token ids to generate from", {"text_input": "", "ids": list(range(100, 112))}, True),
        ("files to load", {"parameters": {"config": "{}", "file:1/model.onnx": "aGk="}}, True),
        ("nothing", {}, False),
        ("no object", [], True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_requests_that_hide_text(sentence, request_, expected):
    assert kserve.unreadable(request_) is expected


def test_bytes_that_are_no_text_are_seen():
    assert kserve.unreadable({"inputs": [{**TEXT, "data": [Unread(BYTES, 1, b"\xff")]}]})


LIMIT = tensor("INT32", 1, 1, name="request_output_len", data=[[1]])
SAMPLING = tensor(BYTES, 1, name="sampling_parameters", data=['{"max_tokens": 1, "guided_choice": ["a"]}'])


def formed(**text):
    return {"response_format": {"schema": {"properties": {"a": {"type": "string", **text}}}}}


@pytest.mark.parametrize(
    ("sentence", "request_", "expected"),
    [
        ("nothing", asked(TEXT), ()),
        ("a limit of one", {"text_input": "x", "max_tokens": 1}, ("max_tokens",)),
        ("among the parameters", {"text_input": "x", "parameters": {"max_tokens": 2}}, ("max_tokens",)),
        ("a sensible limit", {"text_input": "x", "max_tokens": 200, "bad_words": "", "stop_words": ["x"]}, ()),
        ("a bias", {"text_input": "x", "parameters": {"logit_bias": {"17": 100}}}, ("logit_bias",)),
        ("no bias", {"text_input": "x", "parameters": {"logit_bias": {}}}, ()),
        ("a limit as a tensor", asked(TEXT, LIMIT), ("request_output_len",)),
        ("a limit in a list of lists", {"text_input": "x", "max_tokens": [[1]]}, ("max_tokens",)),
        ("a limit as a text", asked(TEXT, tensor(BYTES, 1, 1, name="max_tokens", data=[["1"]])), ("max_tokens",)),
        ("parameters as a text", asked(TEXT, SAMPLING), ("guided_choice", "max_tokens")),
        ("a schema of certain texts", formed(enum=["b"]), ("response_format", "schema")),
        ("a schema of any text", formed(), ()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_steers(sentence, request_, expected):
    assert kserve.steers(request_) == expected


SHARED = {"shared_memory_region": "r", "shared_memory_byte_size": 9}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (asked(TEXT), False),
        (asked(TEXT, outputs=[{"name": "x", "parameters": SHARED}]), True),
        (asked({"name": "x", "datatype": BYTES, "shape": [1], "parameters": SHARED}), True),
    ],
)
def test_shared_memory_is_what_the_server_keeps(request_, expected):
    assert kserve.stored(request_) is expected


def test_every_text_of_a_request_is_reached():
    tree = asked(
        tensor(BYTES, 1, name="mrn", data=[CANARY_MRN]),
        tensor(BYTES, 1, name="text_input", data=[CANARY_TEXT], parameters={"note": CANARY_TEXT}),
        id=CANARY_TEXT,
        parameters={"user": CANARY_TEXT},
    )
    seen = sight()
    seen.study(tree, kserve.REQUEST)
    out, fields = TENSORS.write(seen.tree_for_caller(tree, kserve.REQUEST))
    assert leaks(out) == []
    assert TENSORS.read(out, dict(fields))["inputs"][1]["data"][0].endswith("furosemide 40 mg.")


# -- routes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v2/models/ward/infer", "kserve-infer"),
        ("POST", "/v2/models/ward/versions/2/infer", "kserve-infer-version"),
        ("POST", "/v2/models/ward/versions/2/generate_stream", "kserve-generate-stream-version"),
        ("GET", "/v2/models/stats", "kserve-statistics"),
        ("GET", "/v2/models/ward/config", "kserve-model-config"),
        ("GET", "/v2", "kserve-server"),
        ("POST", "/v2/repository/models/ward/load", "kserve-load"),
    ],
)
def test_routes(method, path, name):
    found = TABLE.find(method, path)
    assert isinstance(found, Match)
    assert found.route.name == name
    assert found.model == ("ward" if "ward" in path else None)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/systemsharedmemory/status",
        "/v2/systemsharedmemory/region/r/register",
        "/v2/cudasharedmemory/unregister",
        "/v2/cudasharedmemory/region/r/register",
        "/metrics",
        "/v2/repository/models/ward/load/x",
    ],
)
def test_what_reaches_past_a_mask_is_unknown(path):
    assert TABLE.find("GET", path) is None
    assert TABLE.find("POST", path) is None


CHANGES = [
    ("repository/index", b"", None),
    ("repository/index", {"ready": True}, None),
    ("repository/index", {"repository": "r"}, "member-unknown"),
    ("repository/models/ward/load", b"", "ward"),
    ("repository/models/ward/load", {"parameters": {"config": "{}", "file:1/model.onnx": "aGk="}}, "ward"),
    ("repository/models/ward/load", {"parameters": {"file:../x": "aGk="}}, "malformed"),
    ("repository/models/ward/load", {"parameters": {"shared_memory": "r"}}, "malformed"),
    ("repository/models/ward/load", {"model": "other"}, "member-unknown"),
    ("repository/models/ward/unload", {"parameters": {"unload_dependents": True}}, "ward"),
    ("repository/models/ward/unload", {"parameters": {"unload_dependents": "x"}}, "malformed"),
    ("logging", {"log_verbose_level": 1, "log_info": False, "log_format": "ISO8601"}, None),
    ("logging", {"log_file": "/tmp/x"}, "member-unknown"),
    ("trace/setting", {"trace_level": ["TIMESTAMPS"], "trace_rate": "100", "trace_count": "-1"}, None),
    ("models/ward/trace/setting", {"trace_level": "OFF"}, "ward"),
    ("models/ward/trace/setting", {"trace_level": ["TIMESTAMPS", "TENSORS"]}, "malformed"),
    ("trace/setting", {"trace_file": "/tmp/x"}, "member-unknown"),
]


@pytest.mark.parametrize(("path", "body", "expected"), CHANGES)
def test_a_change_holds_what_is_known_and_names_the_model_that_is_changed(path, body, expected):
    assert meant("POST", f"/v2/{path}", body) == expected


def test_files_that_come_with_a_load_are_read_by_nobody():
    load = "/v2/repository/models/ward/load"
    assert not read_as("POST", load, {"parameters": {"config": "{}", "file:1/model.onnx": "aGk="}}).readable
    assert read_as("POST", load, {"parameters": {"config": "{}"}}).readable


@pytest.mark.parametrize("path", ["/v2/logging", "/v2/trace/setting", "/v2/models/ward/trace/setting"])
def test_what_the_server_writes_down_is_told_to_who_may_manage_it(path):
    found = TABLE.find("GET", path)
    assert isinstance(found, Match)
    assert found.route.action == "manage-models"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"inputs": [], "parameters": {"sequence_id": 7, "sequence_start": False}}, True),
        ({"text_input": "x", "parameters": {"sequence_id": "ward-7"}}, True),
        ({"text_input": "x", "sequence_id": 7}, True),
        ({"inputs": [], "parameters": {"sequence_id": 0}}, False),
    ],
)
def test_a_sequence_that_the_server_remembers_is_not_gone_on_with(request_, expected):
    assert kserve.stored(request_) is expected
