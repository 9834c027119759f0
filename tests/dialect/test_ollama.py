"""Ollama's lines: each channel masked, whole and streamed; nothing of token ids, logprobs and rendered prompts."""

import json

import pytest

from phigate.dialect.ollama import DIALECT, PROGRESS, REQUEST, ROUTES, STREAM
from phigate.dialect.tree import rewrite
from tests.dialect.managed import meant, read_as
from tests.seen import LEAN, framed, pieces, spelled, streamed, told, unframed, whole
from tests.traffic import CANARY_MRN, CANARY_NAME, CANARY_SSN, CANARY_TEXT

WHEN = "2026-01-01T00:00:00.123456789Z"
ENDS = {"done_reason": "stop", "total_duration": 5191566416, "prompt_eval_count": 9, "eval_count": 12}
CALLS = [
    {"id": "call_5362281450", "function": {"name": "send", "arguments": {"patient_name": CANARY_NAME, "mrn": 77310042}}}
]
LOGPROBS = [{"token": piece, "bytes": list(piece.encode()), "top_logprobs": []} for piece in pieces(CANARY_TEXT)]


def line(said, *, chat=True, done=False, **more):
    body = {"message": {"role": "assistant", "content": "", **said}} if chat else {"response": "", **said}
    return {"model": "m", "created_at": WHEN, **body, "done": done, **(ENDS if done else {}), **more}


def lines(key="content", text=CANARY_TEXT, step=3, **how):
    return [*(line({key: piece}, **how) for piece in pieces(text, step)), line({}, done=True, **how)]


def said(events, *path):
    """What a client puts together of a stream, from one place of its lines."""
    text = ""
    for node in events:
        for step in path:
            node = (node or {}).get(step)  # noqa: PLW2901 -- down to the place
        text += node or ""
    return text


# -- whole answers --------------------------------------------------------------------------------------------------


def test_a_whole_answer_keeps_what_is_the_server_s_and_hides_what_is_a_person_s():
    given = line({"content": CANARY_TEXT, "thinking": CANARY_TEXT, "tool_calls": CALLS}, done=True)
    got = whole(DIALECT, given)
    assert spelled(got) == []
    assert "furosemide 40 mg" in got["message"]["content"]
    assert got["message"]["tool_calls"][0]["function"]["name"] == "send"
    assert got["message"]["tool_calls"][0]["id"] == "call_5362281450"
    assert {key: got[key] for key in ("created_at", *ENDS)} == {"created_at": WHEN, **ENDS}


@pytest.mark.parametrize(
    "beside",
    [
        {"context": [1, 2, 3]},
        {"logprobs": LOGPROBS},
        {"_debug_info": {"rendered_template": CANARY_TEXT}},
        {"image": "aGVsbG8="},
    ],
    ids=lambda value: next(iter(value)),
)
def test_what_says_it_again_and_cannot_be_masked_is_left_out(beside):
    assert whole(DIALECT, line({"response": "well"}, chat=False, done=True, **beside)).keys().isdisjoint(beside)
    events = told(DIALECT, STREAM, [line({"response": "well"}, chat=False), line({}, chat=False, done=True, **beside)])
    assert said(events, "response") == "well"
    assert all(event.keys().isdisjoint(beside) for event in events)


@pytest.mark.parametrize("key", ["system", "template", "modelfile", "parameters", "license", "novel"])
def test_what_a_model_was_made_with_is_masked(key):
    got = whole(
        DIALECT, {key: CANARY_TEXT, "messages": [{"role": "user", "content": CANARY_TEXT}], "modified_at": WHEN}
    )
    assert spelled(got) == []
    assert "furosemide 40 mg" in got[key]
    assert got["modified_at"] == WHEN


def test_a_listed_model_has_its_digest_and_its_times():
    model = {"name": "llama3:latest", "digest": "8e" * 32, "modified_at": "2024-06-10T12:30:45.1-07:00", "size": 10**10}
    assert whole(DIALECT, {"models": [model]}) == {"models": [model]}


def test_a_time_that_is_none_is_text():
    assert spelled(whole(DIALECT, {"models": [{"modified_at": f"{WHEN} {CANARY_TEXT}", "digest": CANARY_SSN}]})) == []


def test_vectors_pass():
    answer = {"model": "m", "embeddings": [[0.1, -0.2], [0.3, 0.4]], "prompt_eval_count": 3}
    assert whole(DIALECT, answer) == answer


# -- streams --------------------------------------------------------------------------------------------------------

CHANNELS = [("content", True), ("thinking", True), ("response", False), ("thinking", False)]


@pytest.mark.parametrize(("key", "chat"), CHANNELS)
@pytest.mark.parametrize("mask", [LEAN, None])
def test_a_stream_in_any_pieces_says_what_the_whole_says(key, chat, mask):
    how = {"mask": mask} if mask else {}
    path = ("message", key) if chat else (key,)
    expected = said([whole(DIALECT, line({key: CANARY_TEXT}, chat=chat, done=True), **how)], *path)
    for step in (1, 2, 5, 13, 200):
        events = told(DIALECT, STREAM, lines(key, step=step, chat=chat), **how)
        assert said(events, *path) == expected
        assert events[-1]["done"] is True
        assert [event["done"] for event in events[:-1]] == [False] * (len(events) - 1)
        assert all(event["created_at"] == WHEN for event in events)


def test_a_text_cut_in_two_anywhere_says_what_the_whole_says():
    expected = whole(DIALECT, line({"content": CANARY_TEXT}))["message"]["content"]
    for at in range(len(CANARY_TEXT)):
        given = [line({"content": CANARY_TEXT[:at]}), line({"content": CANARY_TEXT[at:]}), line({}, done=True)]
        assert said(told(DIALECT, STREAM, given), "message", "content") == expected


def test_bytes_cut_in_two_anywhere_give_the_same():
    data = framed(STREAM, [line({"content": "Frau Müller, SSN 536-22-8145"}), line({}, done=True)])
    expected = streamed(DIALECT, STREAM, data)
    assert b"[US_SSN]" in expected
    assert all(streamed(DIALECT, STREAM, data, [at]) == expected for at in range(len(data)))


def test_every_line_of_a_chat_says_who_speaks():
    events = told(DIALECT, STREAM, [*(line({"thinking": piece}) for piece in pieces(CANARY_TEXT)), *lines()])
    assert {event["message"]["role"] for event in events} == {"assistant"}


def test_text_comes_before_the_stream_is_over():
    text = "The ward is quiet today and nobody waits. " * 3
    events = told(DIALECT, STREAM, [line({"content": piece}) for piece in pieces(text)])
    assert len(events) > 10


def test_parallel_tool_calls_stay_apart_and_are_objects():
    given = [line({"tool_calls": CALLS}), line({"tool_calls": [{"function": {"name": "look", "arguments": {}}}]})]
    events = told(DIALECT, STREAM, [*given, line({}, done=True)])
    assert spelled(events) == []
    first, second = (event["message"]["tool_calls"][0]["function"] for event in events[:2])
    assert first["name"] == "send"
    assert CANARY_MRN not in json.dumps(first["arguments"])
    assert second == {"name": "look", "arguments": {}}


def test_the_steps_of_fetching_a_model_are_told_one_by_one():
    given = [{"status": "pulling manifest"}, {"status": f"pulling {CANARY_TEXT}", "total": 5191566416}]
    events = told(DIALECT, PROGRESS, given)
    assert events[0] == given[0]
    assert events[1]["total"] == 5191566416
    assert CANARY_SSN not in json.dumps(events)


def test_an_error_in_a_stream_is_masked_and_ends_it():
    events = told(DIALECT, STREAM, [line({"content": "Zebulon"}), {"error": CANARY_TEXT}, line({"content": "more"})])
    assert spelled(events) == []
    assert "furosemide" in events[-1]["error"]


HOSTILE = [
    ("text after the end", [line({"content": "a"}), line({}, done=True), line({"content": CANARY_NAME})]),
    ("a line that is no object", [[CANARY_TEXT]]),
    ("a name in pieces", [line({"tool_calls": [{"function": {"name": p}}]}) for p in ("536-22", "-8145")]),
    ("a line as long as nobody reads", [line({"content": CANARY_TEXT * 60_000})]),
    ("a place in no list", [line({"tool_calls": [{"index": "0", "function": {"name": "x"}}]})]),
    ("a key that speaks", [line({CANARY_NAME: "x", "content": "a"})]),
    ("wrong types", [{"message": [CANARY_TEXT], "response": {"a": CANARY_TEXT}, "done": CANARY_SSN, "model": {}}]),
    ("no end", lines()[:-1]),
    ("a time that speaks", [line({}) | {"created_at": CANARY_TEXT}]),
]


@pytest.mark.parametrize(("sentence", "given"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_a_server_that_misbehaves_gives_nothing_away(sentence, given):
    raw = streamed(DIALECT, STREAM, framed(STREAM, given))
    assert spelled(unframed(STREAM, raw)) == []


def test_a_stream_that_is_broken_off_says_so_in_a_line_that_clients_know():
    raw = streamed(DIALECT, STREAM, b'{"message": 1\n')
    assert unframed(STREAM, raw) == [{"error": "broken off", "code": "stream-broken-off"}]


# -- requests -------------------------------------------------------------------------------------------------------

UNREADABLE = [
    ("plain", {"prompt": "hi", "input": ["a", "b"]}, False),
    ("nothing of it", {"images": [], "context": None, "messages": None}, False),
    ("messages", {"messages": [{"role": "user", "content": "a", "images": None, "tool_calls": CALLS}]}, False),
    ("no messages", {"messages": "hi"}, True),
    ("a message that is none", {"messages": ["hi"]}, True),
    ("parts", {"messages": [{"content": [{"type": "text"}]}]}, True),
    ("an image", {"messages": [{"content": "see", "images": ["aGk="]}]}, True),
    ("an image beside", {"prompt": "see", "images": ["aGk="]}, True),
    ("an image asked for", {"prompt": "draw", "width": 512}, True),
    ("token ids", {"prompt": "go on", "context": [1, 2]}, True),
    ("a member that nobody knows in a message", {"messages": [{"content": "a", "audio": "b"}]}, True),
    ("numbers to embed", {"input": [1, 2]}, True),
    ("a number to embed", {"input": 7}, True),
    ("a prompt that is no text", {"prompt": [1]}, True),
    ("no object", [], True),
]


@pytest.mark.parametrize(("sentence", "request_", "expected"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_what_is_no_text_is_unreadable(sentence, request_, expected):
    assert DIALECT.unreadable(request_) is expected


STEERS = [
    ({"options": {"num_predict": 100, "stop": ["x"]}, "format": "json"}, ()),
    ({"format": {"type": "object", "properties": {"a": {"type": "string"}}}}, ()),
    ({"options": {"num_predict": 1}}, ("num_predict",)),
    ({"options": {"logit_bias": {"1": 5}, "grammar": "root ::= x"}}, ("logit_bias", "grammar")),
    ({"format": {"enum": ["a", "b"]}}, ("format",)),
    ({"format": "[broken"}, ("format",)),
    ([], ()),
]


@pytest.mark.parametrize(("request_", "expected"), STEERS)
def test_what_decides_the_answer_is_told(request_, expected):
    assert DIALECT.steers(request_) == expected


def test_every_text_of_a_request_is_reached():
    call = {"function": {"name": "send", "arguments": {"to": "T", "n": {"deep": ["T"]}}}}
    tool = {"type": "function", "function": {"name": "send", "description": "T", "parameters": {"required": ["T"]}}}
    request: dict[str, object] = {
        "model": "m",
        "prompt": "T",
        "suffix": "T",
        "system": "T",
        "template": "T",
        "input": ["T"],
        "tools": [tool],
    }
    request |= {"messages": [{"role": "user", "content": "T", "thinking": "T", "tool_calls": [call]}]}
    request |= {"options": {"stop": ["T"]}, "format": {"description": "T"}, "novel": {"deep": "T"}}
    changed = json.dumps(rewrite(request, REQUEST, lambda text: text.replace("T", "<hidden>")))
    assert '"T"' not in changed
    assert changed.count("<hidden>") == 14
    assert '"model": "m"' in changed


# -- errors and routes ----------------------------------------------------------------------------------------------


def test_an_error_is_a_message():
    body = json.loads(DIALECT.error(403, "no-rule", "Not permitted.", {"ticket": "t1"}))
    assert body == {"error": "Not permitted.", "code": "no-rule", "ticket": "t1"}


def test_usage():
    assert DIALECT.used(line({}, done=True)) == {"input": 9, "output": 12}


def test_what_administers_is_no_chat():
    actions = {route.path: route.action for route in ROUTES}
    changes = ("pull", "push", "create", "copy", "delete")
    assert {actions[f"/api/{verb}"] for verb in changes} == {"manage-models"}
    assert not any("blobs" in path for path in actions)


CHANGES = [
    ("pull", {"model": "llama3"}, "llama3"),
    ("pull", {"model": "m", "insecure": False, "username": "", "password": "", "stream": True, "name": ""}, "m"),
    ("pull", {"name": "m", "stream": False}, "m"),
    ("pull", {"model": "m", "name": "other"}, "malformed"),
    ("pull", {"model": "m", "password": "x"}, "malformed"),
    ("pull", {"model": "m", "novel": 1}, "member-unknown"),
    ("pull", {"insecure": True}, "malformed"),
    ("push", {"model": "registry.example/m"}, "registry.example/m"),
    ("create", {"model": "new", "from": "m", "system": "Be brief.", "parameters": {"stop": ["x"], "top_k": 7}}, "new"),
    ("create", {"model": "new", "files": {"Q4.gguf": f"sha256:{'8e' * 32}"}, "quantize": "q4_K_M"}, "new"),
    ("create", {"model": "new", "license": ["a", "b"], "messages": [{"role": "user", "content": "a"}]}, "new"),
    ("create", {"name": "new", "from": "m"}, "new"),
    ("create", {"model": "new", "from": 7}, "malformed"),
    ("create", {"model": "new", "from": ""}, "malformed"),
    ("create", {"model": "new", "files": {"../x": f"sha256:{'8e' * 32}"}}, "malformed"),
    ("create", {"model": "new", "files": {"x.gguf": "/etc/passwd"}}, "malformed"),
    ("create", {"model": "new", "modelfile": "FROM /etc/passwd"}, "member-unknown"),
    ("create", {"model": "new", "from": "m", "remote_host": "https://example.org"}, "member-unknown"),
    ("create", {"model": "new", "messages": [{"role": "user", "content": "a", "images": ["aGk="]}]}, "malformed"),
    ("create", {"model": "new", "parameters": {"stop": {"a": "b"}}}, "malformed"),
    ("copy", {"source": "m", "destination": "new"}, "new"),
    ("copy", {"source": "m"}, "model-missing"),
    ("copy", {"source": ["m"], "destination": "new"}, "malformed"),
    ("delete", {"model": "m", "name": ""}, "m"),
    ("delete", {"name": "m"}, "m"),
    ("delete", {"model": "m", "force": True}, "member-unknown"),
]


@pytest.mark.parametrize(("verb", "body", "expected"), CHANGES)
def test_a_change_holds_what_is_known_and_names_the_model_that_is_changed(verb, body, expected):
    assert meant("DELETE" if verb == "delete" else "POST", f"/api/{verb}", body) == expected


def test_a_model_that_another_is_made_of_is_asked_for_too():
    assert read_as("POST", "/api/create", {"model": "new", "from": "m"}).beside == ("m",)
    assert read_as("POST", "/api/create", {"model": "new", "system": "a"}).beside == ()
    assert read_as("POST", "/api/copy", {"source": "m", "destination": "new"}).beside == ("m",)


def test_steps_are_streamed_unless_they_are_not_wanted():
    assert read_as("POST", "/api/create", {"model": "new", "from": "m"}).streaming
    assert not read_as("POST", "/api/create", {"model": "new", "from": "m", "stream": False}).streaming
    assert not read_as("DELETE", "/api/delete", {"model": "m"}).streaming
