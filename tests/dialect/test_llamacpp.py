"""llama.cpp's completions: pieces by index, the prompt and the settings told again at the end, tokens never."""

import json

import pytest

from phigate.dialect.llamacpp import DIALECT, REQUEST, ROUTES, STREAM
from phigate.dialect.tree import rewrite
from tests.dialect.managed import meant, written
from tests.seen import LEAN, REDACT, framed, pieces, spelled, streamed, told, unframed, whole
from tests.traffic import CANARY_NAME, CANARY_SSN, CANARY_TEXT

PROBS = [{"id": 5, "token": piece, "bytes": list(piece.encode()), "top_logprobs": []} for piece in pieces(CANARY_TEXT)]
ECHO = {
    "prompt": CANARY_TEXT,
    "stopping_word": CANARY_TEXT,
    "generation_settings": {"stop": [CANARY_TEXT], "seed": 2**32 - 1},
}
SPELT = {"tokens": [1, 2], "completion_probabilities": PROBS, "probs": PROBS}


def piece(text, index=0, **more):
    return {
        "index": index,
        "content": text,
        "tokens": [450],
        "stop": False,
        "id_slot": 0,
        "tokens_predicted": 3,
        **more,
    }


def last(text="", index=0, **more):
    ends = {
        "stop": True,
        "stop_type": "eos",
        "model": "m",
        "tokens_predicted": 12,
        "tokens_evaluated": 9,
        "truncated": False,
    }
    return (
        piece(text, index) | ends | ECHO | SPELT | {"timings": {"predicted_per_second": 52.1, "predicted_n": 12}} | more
    )


def said(events, index=0):
    return "".join(event["content"] for event in events if event.get("index") == index)


def test_a_whole_answer_keeps_counts_and_hides_people():
    got = whole(DIALECT, last(CANARY_TEXT))
    assert spelled(got) == []
    for text in (got["content"], got["prompt"], got["generation_settings"]["stop"][0]):
        assert "furosemide 40 mg" in text
    assert got.keys().isdisjoint(SPELT)
    assert got["stopping_word"] == ""
    assert (got["generation_settings"]["seed"], got["stop_type"], got["tokens_predicted"]) == (2**32 - 1, "eos", 12)


def test_several_prompts_have_several_answers():
    first, second = whole(DIALECT, [last(CANARY_TEXT), last("well", 1)])
    assert spelled(first) == []
    assert (second["index"], second["content"]) == (1, "well")


@pytest.mark.parametrize("mask", [REDACT, LEAN])
@pytest.mark.parametrize("step", [1, 2, 5, 13, 200])
def test_a_stream_in_any_pieces_says_what_the_whole_says(mask, step):
    events = told(DIALECT, STREAM, [*map(piece, pieces(CANARY_TEXT, step)), last()], mask)
    expected = whole(DIALECT, last(CANARY_TEXT), mask)
    assert said(events) == expected["content"]
    assert spelled(events) == []
    assert {key: events[-1][key] for key in ECHO} == {key: expected[key] for key in ECHO}
    assert all(event.keys().isdisjoint(SPELT) for event in events)
    assert [event["stop"] for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1]["timings"] == {"predicted_per_second": 52.1, "predicted_n": 12}


def test_a_text_cut_in_two_anywhere_says_what_the_whole_says():
    expected = whole(DIALECT, last(CANARY_TEXT))["content"]
    for at in range(len(CANARY_TEXT)):
        given = [piece(CANARY_TEXT[:at]), piece(CANARY_TEXT[at:]), last()]
        assert said(told(DIALECT, STREAM, given)) == expected


def test_bytes_cut_in_two_anywhere_give_the_same():
    events = [{"index": 0, "content": "Frau Müller, SSN 536-22-8145"}, {"index": 0, "content": "", "stop": True}]
    data = framed(STREAM, events).replace(b"\n\n", b"\n\n: ping 536-22-8145\n\n", 1)
    expected = streamed(DIALECT, STREAM, data)
    assert b"[US_SSN]" in expected
    assert expected.endswith(b"data: [DONE]\n\n")
    assert CANARY_SSN.encode() not in expected
    assert all(streamed(DIALECT, STREAM, data, [at]) == expected for at in range(len(data)))


def test_several_texts_at_once_are_kept_apart():
    both = zip(pieces(CANARY_TEXT), pieces(CANARY_TEXT[::-1]), strict=True)
    given = [event for one, other in both for event in (piece(one), piece(other, 1))]
    events = told(DIALECT, STREAM, [*given, last("", 0, **dict.fromkeys(ECHO)), last("", 1, **dict.fromkeys(ECHO))])
    assert said(events) == whole(DIALECT, last(CANARY_TEXT))["content"]
    assert said(events, 1) == whole(DIALECT, last(CANARY_TEXT[::-1]))["content"]


def test_an_error_in_a_stream_is_masked_and_ends_it():
    error = {"error": {"code": 500, "message": CANARY_TEXT, "type": "server_error"}}
    events = told(DIALECT, STREAM, [piece("Zebulon"), error, piece("more")])
    assert spelled(events) == []
    assert "furosemide" in events[-1]["error"]["message"]


HOSTILE = [
    ("text after the end", [last(), piece(CANARY_TEXT)]),
    ("no object", [[CANARY_TEXT]]),
    ("an index that is a text", [piece(CANARY_TEXT, CANARY_TEXT)]),
    ("an event as long as nobody reads", [piece(CANARY_TEXT * 60_000)]),
    ("a key that speaks", [piece("a", **{CANARY_NAME: "x"})]),
    ("settings in pieces", [piece("", generation_settings={"a": part}) for part in (CANARY_TEXT, CANARY_TEXT)]),
    ("wrong types", [{"content": {"a": CANARY_TEXT}, "stop": CANARY_SSN, "index": 0}]),
    ("a reason in pieces", [piece("", stop_type=part) for part in ("536-22", "-8145")]),
    ("no end", [piece(CANARY_TEXT)]),
    (
        "an echo in pieces",
        [piece("", prompt=part, stopping_word=part, timings={"a": part}) for part in pieces(CANARY_TEXT)],
    ),
]


@pytest.mark.parametrize(("sentence", "given"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_a_server_that_misbehaves_gives_nothing_away(sentence, given):
    assert spelled(unframed(STREAM, streamed(DIALECT, STREAM, framed(STREAM, given)))) == []


UNREADABLE = [
    ("a text", {"prompt": "hi", "content": "hi"}, False),
    ("texts", {"prompt": ["hi", "there"]}, False),
    ("files", {"input_prefix": "a", "input_suffix": "b", "input_extra": [{"filename": "a.py", "text": "x"}]}, False),
    ("messages", {"messages": [{"role": "user", "content": "hi"}]}, False),
    (
        "an image in a message",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        True,
    ),
    ("token ids", {"prompt": [1, 2]}, True),
    ("token ids among texts", {"prompt": ["hi", 12]}, True),
    ("token ids of one of several", {"prompt": ["hi", [12]]}, True),
    ("images with a prompt", {"prompt": {"prompt_string": "hi", "multimodal_data": ["aGk="]}}, True),
    ("images beside a prompt", {"prompt": "hi", "image_data": [{"data": "aGk=", "id": 1}]}, True),
    ("token ids to embed", {"content": [1, 2]}, True),
    ("tokens", {"tokens": [1, 2]}, True),
    ("files that are none", {"input_extra": ["x"]}, True),
    ("files with something in them", {"input_extra": [{"filename": "a", "text": [1]}]}, True),
    ("no object", [], True),
]


@pytest.mark.parametrize(("sentence", "request_", "expected"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_what_is_no_text_is_unreadable(sentence, request_, expected):
    assert DIALECT.unreadable(request_) is expected


STEERS = [
    ({"n_predict": 128, "stop": ["x"], "grammar": "", "logit_bias": [], "json_schema": {"type": "object"}}, ()),
    ({"n_predict": 1}, ("n_predict",)),
    ({"max_tokens": 2}, ("max_tokens",)),
    ({"grammar": "root ::= x", "logit_bias": [[1, 5.0]]}, ("grammar", "logit_bias")),
    ({"json_schema": {"enum": ["a"]}}, ("json_schema",)),
    (None, ()),
]


@pytest.mark.parametrize(("request_", "expected"), STEERS)
def test_what_decides_the_answer_is_told(request_, expected):
    assert DIALECT.steers(request_) == expected


def test_every_text_of_a_request_is_reached():
    request: dict[str, object] = {
        "prompt": ["T"],
        "input_prefix": "T",
        "input_suffix": "T",
        "stop": ["T"],
        "grammar": "T",
    }
    request |= {"input_extra": [{"filename": "T", "text": "T"}], "content": "T", "json_schema": {"description": "T"}}
    request |= {"messages": [{"role": "user", "content": "T"}], "query": "T"}
    changed = json.dumps(rewrite(request, REQUEST, lambda text: text.replace("T", "<hidden>")))
    assert '"T"' not in changed
    assert changed.count("<hidden>") == 11


def test_what_shows_other_exchanges_is_no_route_and_what_shows_settings_administers():
    actions = {(route.method, route.path): route.action for route in ROUTES}
    assert actions["GET", "/props"] == "manage-models"
    paths = {path for _, path in actions}
    assert not {"/slots", "/slots/{id}", "/metrics", "/tokenize", "/detokenize", "/tools"} & paths
    assert actions["GET", "/lora-adapters"] == "manage-models"


CHANGES = [
    ("models/load", {"model": "ward:Q4_K_M"}, "ward:Q4_K_M"),
    ("models/load", {}, "model-missing"),
    ("models/unload", {"model": "ward", "extra_args": ["--x"]}, "member-unknown"),
    ("props", {}, None),
    ("props", {"system_prompt": "a"}, "member-unknown"),
    ("slots/0?action=save", {"filename": "a.bin"}, None),
    ("slots/12?action=restore", {"filename": "a.bin", "model": "ward"}, "ward"),
    ("slots/0?action=restore", {"filename": "../a.bin"}, "malformed"),
    ("slots/0?action=erase", b"", None),
    ("slots/0?action=erase", {"filename": "a.bin"}, "member-unknown"),
    ("lora-adapters", [{"id": 0, "scale": 0.2}, {"id": 1, "scale": 1}], None),
    ("lora-adapters", [{"id": 0, "path": "/a"}], "malformed"),
    ("lora-adapters", {"id": 0}, "malformed"),
]


@pytest.mark.parametrize(("path", "body", "expected"), CHANGES)
def test_a_change_holds_what_is_known_and_names_the_model_that_is_changed(path, body, expected):
    assert meant("POST", f"/{path}", body) == expected


def test_adapters_go_on_as_the_list_that_they_are():
    assert json.loads(written("POST", "/lora-adapters", [{"id": 0, "scale": 0.2}])) == [{"id": 0, "scale": 0.2}]


def test_usage():
    assert DIALECT.used(last()) == {"input": 9, "output": 12}
