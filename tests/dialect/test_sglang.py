"""SGLang's events tell the text anew and longer: what was sent of it never changes."""

import itertools
import json

import pytest

from phigate.dialect.sglang import DIALECT, REQUEST, ROUTES, STREAM
from phigate.dialect.tree import rewrite
from tests.dialect.managed import meant
from tests.seen import LEAN, REDACT, framed, pieces, spelled, streamed, told, unframed, whole
from tests.traffic import CANARY_NAME, CANARY_SSN, CANARY_TEXT

PER_TOKEN = [[-0.1, 450, piece] for piece in pieces(CANARY_TEXT)]
INFO = {"id": "f3a1", "prompt_tokens": 9, "completion_tokens": 12, "cached_tokens": 0, "e2e_latency": 1.25}
SPELT = {"input_token_logprobs": PER_TOKEN, "output_token_logprobs": PER_TOKEN, "output_top_logprobs": [PER_TOKEN]}
SPELT |= {"hidden_states": [[1.0]], "input_token_ids_logprobs": PER_TOKEN, "input_top_logprobs": [PER_TOKEN]}


def told_so_far(text, reason=None, **more):
    return {"text": text, "output_ids": [1, 2, 3], "meta_info": {**INFO, **SPELT, "finish_reason": reason}, **more}


def growing(text=CANARY_TEXT, step=3, reason=None, **more):
    ends = reason or {"type": "stop", "matched": 128009}
    marks = list(range(step, len(text), step))
    return [*(told_so_far(text[:mark], **more) for mark in marks), told_so_far(text, ends, **more)]


def grows(events, index=None):
    """The texts of a stream, each of which must go on from the one before it."""
    texts = [event["text"] for event in events if event.get("index") == index]
    assert all(after.startswith(before) for before, after in itertools.pairwise(texts))
    return texts


def test_a_whole_answer_keeps_counts_and_hides_people():
    got = whole(DIALECT, told_so_far(CANARY_TEXT, {"type": "stop", "matched": CANARY_TEXT}))
    assert spelled(got) == []
    assert "furosemide 40 mg" in got["text"]
    assert got["meta_info"]["finish_reason"] == {"type": "stop"}
    assert "output_ids" not in got
    assert got["meta_info"].keys().isdisjoint(SPELT)
    assert {key: got["meta_info"][key] for key in INFO} == INFO


def test_a_batch_is_a_list():
    first, second = whole(DIALECT, [told_so_far(CANARY_TEXT), told_so_far("well")])
    assert spelled(first) == []
    assert second["text"] == "well"


@pytest.mark.parametrize("mask", [REDACT, LEAN])
@pytest.mark.parametrize("step", [1, 2, 5, 13, 200])
def test_a_stream_in_any_steps_grows_to_what_the_whole_says(mask, step):
    events = told(DIALECT, STREAM, growing(step=step), mask)
    assert grows(events)[-1] == whole(DIALECT, told_so_far(CANARY_TEXT), mask)["text"]
    assert all(spelled(event) == [] for event in events)
    assert events[-1]["meta_info"] == {**INFO, "finish_reason": {"type": "stop"}}
    assert all("output_ids" not in event for event in events)


def test_a_text_cut_in_two_anywhere_says_what_the_whole_says():
    expected = whole(DIALECT, told_so_far(CANARY_TEXT))["text"]
    for at in range(len(CANARY_TEXT)):
        events = told(DIALECT, STREAM, [told_so_far(CANARY_TEXT[:at]), *growing(step=500)])
        assert grows(events)[-1] == expected


def test_bytes_cut_in_two_anywhere_give_the_same():
    texts = ("Frau Mül", "Frau Müller, SSN 536-22", "Frau Müller, SSN 536-22-8145")
    data = framed(STREAM, [{"text": text} for text in texts])
    expected = streamed(DIALECT, STREAM, data)
    assert b"[US_SSN]" in expected
    assert expected.endswith(b"data: [DONE]\n\n")
    assert all(streamed(DIALECT, STREAM, data, [at]) == expected for at in range(len(data)))


def test_the_texts_of_a_batch_grow_apart():
    first, second = growing(index=0), growing(CANARY_TEXT[::-1], index=1)
    given = [event for both in zip(first, second, strict=True) for event in both]
    events = told(DIALECT, STREAM, given)
    assert grows(events, 0)[-1] == whole(DIALECT, told_so_far(CANARY_TEXT))["text"]
    assert grows(events, 1)[-1] == whole(DIALECT, told_so_far(CANARY_TEXT[::-1]))["text"]


def test_a_stream_that_nobody_ended_gives_the_rest_of_its_text():
    events = told(DIALECT, STREAM, growing()[:-1])
    assert grows(events)[-1].endswith("40 m")


def test_text_comes_before_the_stream_is_over():
    events = told(DIALECT, STREAM, growing("The ward is quiet today and nobody waits. " * 3)[:-1])
    assert len({event["text"] for event in events}) > 10


def test_an_error_in_a_stream_is_masked_and_ends_it():
    events = told(DIALECT, STREAM, [told_so_far("Zebulon"), {"error": {"message": CANARY_TEXT}}, told_so_far("more")])
    assert spelled(events) == []
    assert "furosemide" in events[-1]["error"]["message"]


HOSTILE = [
    ("a text that shrinks", [told_so_far(CANARY_TEXT), told_so_far(CANARY_NAME)]),
    ("a text that starts anew", [told_so_far(part) for part in pieces(CANARY_SSN)]),
    ("text after the end", [*growing("well"), told_so_far(CANARY_TEXT)]),
    ("no object", [[CANARY_TEXT]]),
    ("an event as long as nobody reads", [told_so_far(CANARY_TEXT * 60_000)]),
    ("a text that is none", [told_so_far({"a": CANARY_TEXT}), told_so_far([CANARY_TEXT])]),
    ("an index that is a text", [told_so_far("a", index=CANARY_SSN)]),
    ("a reason that speaks", [told_so_far("a", CANARY_TEXT)]),
    ("a reason that tells", [told_so_far("a", {"type": "abort", "message": CANARY_TEXT})]),
    ("a field nobody knows", [told_so_far("a", novel={"note": CANARY_TEXT})]),
    ("a reason in pieces", [told_so_far("", {"type": "stop", "matched": part}) for part in pieces(CANARY_TEXT)]),
    ("a reason that is a list", [told_so_far("", [part]) for part in pieces(CANARY_TEXT)]),
    ("no info", [{"text": CANARY_TEXT, "meta_info": CANARY_TEXT}]),
]


@pytest.mark.parametrize(("sentence", "given"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_a_server_that_misbehaves_gives_nothing_away(sentence, given):
    assert spelled(unframed(STREAM, streamed(DIALECT, STREAM, framed(STREAM, given)))) == []


UNREADABLE = [
    ("a text", {"text": "hi"}, False),
    ("texts", {"text": ["hi", "there"], "image_data": None}, False),
    ("token ids", {"input_ids": [1]}, True),
    ("token ids beside", {"text": "hi", "input_ids": [[1]]}, True),
    ("vectors", {"text": "hi", "input_embeds": [[0.1]]}, True),
    ("an image", {"text": "hi", "image_data": "https://example.org/a.png"}, True),
    ("code", {"text": "hi", "custom_logit_processor": "{}"}, True),
    ("a text that is none", {"text": {"a": 1}}, True),
    ("texts that are none", {"text": ["hi", 1]}, True),
    ("log probabilities", {"text": "hi", "return_logprob": True, "return_prompt_token_ids": False}, False),
    ("the prompt in token ids", {"text": "hi", "return_prompt_token_ids": True}, True),
    ("what nobody knows of an answer", {"text": "hi", "return_novel": [True]}, True),
    ("no object", [], True),
]


@pytest.mark.parametrize(("sentence", "request_", "expected"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_what_is_no_text_is_unreadable(sentence, request_, expected):
    assert DIALECT.unreadable(request_) is expected


def test_going_on_with_what_the_server_keeps_is_told():
    assert DIALECT.stored({"text": "hi", "session_params": {"id": "s"}})
    assert DIALECT.stored({"text": "hi", "bootstrap_room": 0})
    assert not DIALECT.stored({"text": "hi", "session_params": None})


STEERS = [
    (
        {"sampling_params": {"max_new_tokens": 64, "stop": ["x"], "regex": None, "json_schema": '{"type": "object"}'}},
        (),
    ),
    ({"sampling_params": {"max_new_tokens": 1, "regex": "[0-9]"}}, ("max_new_tokens", "regex")),
    (
        {"sampling_params": [{"temperature": 0}, {"ebnf": "root ::= x"}, {"logit_bias": {"5": 1}}]},
        ("ebnf", "logit_bias"),
    ),
    ({"sampling_params": {"json_schema": '{"enum": ["a"]}'}}, ("json_schema",)),
    ({"sampling_params": {"stop_regex": "."}}, ("stop_regex",)),
    ({"sampling_params": "x"}, ()),
    (None, ()),
]


@pytest.mark.parametrize(("request_", "expected"), STEERS)
def test_what_decides_the_answer_is_told(request_, expected):
    assert DIALECT.steers(request_) == expected


def test_every_text_of_a_request_is_reached():
    request = {
        "text": ["T"],
        "sampling_params": {"stop": ["T"], "regex": "T"},
        "custom_labels": {"a": "T"},
        "novel": "T",
    }
    changed = json.dumps(rewrite(request, REQUEST, lambda text: text.replace("T", "<hidden>")))
    assert changed.count("<hidden>") == 5


def test_what_tells_or_changes_the_server_is_no_route():
    paths = {route.path for route in ROUTES if route.action != "manage-models"}
    assert paths == {"/generate", "/encode", "/classify", "/get_model_info", "/model_info"}
    changes = {route.path for route in ROUTES if route.action == "manage-models"}
    assert not {f"/update_weights_from_{how}" for how in ("tensor", "distributed", "ipc")} & changes
    assert "/load_lora_adapter_from_tensors" not in changes


CHANGES = [
    ("update_weights_from_disk", {"model_path": "/models/next", "flush_cache": True, "token_step": 3}, None),
    ("update_weights_from_disk", {"model_path": "/models/next", "manifest": {}}, "member-unknown"),
    ("update_weights_from_disk", {"model_path": 7}, "malformed"),
    ("load_lora_adapter", {"lora_name": "triage", "lora_path": "/adapters/triage", "pinned": True}, "triage"),
    ("load_lora_adapter", {"lora_path": "/adapters/triage"}, "model-missing"),
    ("load_lora_adapter", {"lora_name": "triage", "lora_path": "/a", "lora_id": "x"}, "member-unknown"),
    ("unload_lora_adapter", {"lora_name": "triage"}, "triage"),
    ("flush_cache", b"", None),
    ("flush_cache", {"timeout": 1}, "member-unknown"),
    ("release_memory_occupation", {"tags": ["weights", "kv_cache"]}, None),
    ("release_memory_occupation", {"tags": ["everything"]}, "malformed"),
    ("resume_memory_occupation", {}, None),
]


@pytest.mark.parametrize(("path", "body", "expected"), CHANGES)
def test_a_change_holds_what_is_known_and_names_the_model_that_is_changed(path, body, expected):
    assert meant("POST", f"/{path}", body) == expected


def test_usage():
    assert DIALECT.used(told_so_far("a")) == {"input": 9, "output": 12}
