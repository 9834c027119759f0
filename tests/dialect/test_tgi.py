"""TGI tells a text token by token and all of it again at the end: both say the same, and token ids say nothing."""

import json

import pytest

from phigate.dialect.tgi import DIALECT, REQUEST, ROUTES, STREAM
from phigate.dialect.tree import rewrite
from tests.seen import LEAN, REDACT, framed, pieces, spelled, streamed, told, unframed, whole
from tests.traffic import CANARY_TEXT

DETAILS = {"finish_reason": "eos_token", "generated_tokens": 12, "seed": 2**63, "input_length": 9}


def one(text, special=False, number=450):
    return {"id": number, "text": text, "logprob": -0.25, "special": special}


TOKENS = [one(piece) for piece in pieces(CANARY_TEXT)]


def event(token, index=1, **more):
    return {"index": index, "token": token, "generated_text": None, "details": None, **more}


def ended(text=CANARY_TEXT, token=None, **more):
    return event(token or one("</s>", special=True, number=2), generated_text=text, details=DETAILS, **more)


def stream(text=CANARY_TEXT, step=3):
    return [event(one(piece), at) for at, piece in enumerate(pieces(text, step))] + [ended(text)]


def said(events):
    """What clients put together, who leave out marks."""
    return "".join(each["token"]["text"] for each in events if not each["token"]["special"])


def test_a_whole_answer_keeps_counts_and_hides_people():
    other = {"generated_text": CANARY_TEXT, "prefill": TOKENS, "tokens": TOKENS, "top_tokens": [TOKENS]}
    details = DETAILS | {"prefill": TOKENS, "tokens": TOKENS, "top_tokens": [TOKENS], "best_of_sequences": [other]}
    got = whole(DIALECT, {"generated_text": CANARY_TEXT, "details": details})
    assert spelled(got) == []
    assert "furosemide 40 mg" in got["generated_text"]
    (best,) = got["details"].pop("best_of_sequences")
    assert best == {"generated_text": got["generated_text"], "prefill": [], "tokens": []}
    assert got["details"] == DETAILS | {"prefill": [], "tokens": []}


def test_the_root_answers_with_a_list():
    (got,) = whole(DIALECT, [{"generated_text": CANARY_TEXT}])
    assert spelled(got) == []


def test_a_chat_template_is_masked_and_its_pieces_are_none():
    got = whole(DIALECT, {"templated_text": CANARY_TEXT, "tokenize_response": [one(CANARY_TEXT)]})
    assert got["tokenize_response"] == []
    assert "furosemide" in got["templated_text"]
    assert spelled(got) == []


@pytest.mark.parametrize("mask", [REDACT, LEAN])
@pytest.mark.parametrize("step", [1, 2, 5, 13, 200])
def test_a_stream_in_any_pieces_says_what_the_whole_says_and_so_does_its_end(mask, step):
    events = told(DIALECT, STREAM, stream(step=step), mask)
    expected = whole(DIALECT, {"generated_text": CANARY_TEXT}, mask)["generated_text"]
    assert said(events) == events[-1]["generated_text"] == expected
    assert events[-1]["details"] == DETAILS
    assert events[-1]["token"] == {"id": 0, "text": "", "logprob": -0.25, "special": True}
    assert {each["token"]["id"] for each in events} == {0}
    assert spelled(events) == []


def test_a_text_cut_in_two_anywhere_says_what_the_whole_says():
    expected = whole(DIALECT, {"generated_text": CANARY_TEXT})["generated_text"]
    for at in range(len(CANARY_TEXT)):
        events = told(DIALECT, STREAM, [event(one(CANARY_TEXT[:at])), event(one(CANARY_TEXT[at:])), ended()])
        assert said(events) == events[-1]["generated_text"] == expected


def test_a_text_whose_last_token_is_no_mark_ends_in_it():
    last = ended(token=one(CANARY_TEXT[-3:]))
    events = told(DIALECT, STREAM, [*(event(one(piece)) for piece in pieces(CANARY_TEXT[:-3])), last])
    assert said(events) == events[-1]["generated_text"]
    assert events[-1]["token"]["text"]


def test_bytes_cut_in_two_anywhere_give_the_same():
    data = framed(STREAM, stream("Frau Müller, SSN 536-22-8145", 15), done=False).replace(b"data: ", b"data:")
    expected = streamed(DIALECT, STREAM, data)
    assert b"[US_SSN]" in expected
    assert all(streamed(DIALECT, STREAM, data, [at]) == expected for at in range(len(data)))


def test_what_else_is_told_of_a_token_never_goes_out():
    events = told(DIALECT, STREAM, [event(one("well "), top_tokens=TOKENS), ended("well ")])
    assert all("top_tokens" not in each for each in events)


def test_the_rest_of_a_text_comes_with_all_that_clients_need_of_a_token():
    events = told(DIALECT, STREAM, [event(one("well"), index=7), ended("well")])
    assert events[0] == {"index": 7, "token": {"id": 0, "text": "well", "logprob": -0.25, "special": False}}


def test_an_error_in_a_stream_is_masked_and_ends_it():
    given = [event(one("Zebulon")), {"error": CANARY_TEXT, "error_type": "generation"}, event(one("more"))]
    events = told(DIALECT, STREAM, given)
    assert spelled(events) == []
    assert "furosemide" in events[-1]["error"]
    assert events[-1]["error_type"] == "generation"


HOSTILE = [
    ("text after the end", [*stream("well"), event(one(CANARY_TEXT))]),
    ("text in marks", [event(one(piece, special=True)) for piece in pieces(CANARY_TEXT)]),
    ("marks that are not quite", [event(one(piece) | {"special": 1}) for piece in pieces(CANARY_TEXT)]),
    ("a token that is a text", [event(CANARY_TEXT), event([CANARY_TEXT])]),
    ("token ids", [event(one("a", number=ord(letter))) for letter in CANARY_TEXT]),
    ("an id that is a text", [event(one("a", number=piece)) for piece in pieces(CANARY_TEXT)]),
    ("no object", [[CANARY_TEXT]]),
    ("an event as long as nobody reads", [event(one(CANARY_TEXT * 60_000))]),
    ("another text in the end", [event(one("well")), ended(CANARY_TEXT)]),
    ("an end that is no text", [event(one("well")), ended({"a": CANARY_TEXT})]),
    ("a reason that speaks", [ended("a") | {"details": {"finish_reason": CANARY_TEXT}}]),
    ("an end told twice in pieces", [event(one("a"), details={"note": piece}) for piece in (CANARY_TEXT, "a")]),
    ("no end", stream()[:-1]),
    ("an end in pieces", [ended(piece, one("")) for piece in pieces(CANARY_TEXT)]),
    (
        "details in pieces",
        [event(one(""), details={"finish_reason": piece, "a": piece}) for piece in pieces(CANARY_TEXT)],
    ),
]


@pytest.mark.parametrize(("sentence", "given"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_a_server_that_misbehaves_gives_nothing_away(sentence, given):
    events = unframed(STREAM, streamed(DIALECT, STREAM, framed(STREAM, given)))
    assert spelled(events) == []
    assert {each["token"]["id"] for each in events if isinstance(each.get("token"), dict)} <= {0}


UNREADABLE = [
    ("a text", {"inputs": "hi", "parameters": {"details": True}, "stream": False}, False),
    ("messages", {"model": "tgi", "messages": [{"role": "user", "content": "hi"}]}, False),
    ("an image", {"inputs": "![](https://example.org/a.png) what is it?"}, True),
    ("an image in a message", {"messages": [{"content": [{"type": "image_url", "image_url": {}}]}]}, True),
    ("a prompt beside messages", {"messages": [], "inputs": "hi"}, True),
    ("a list", {"inputs": ["hi"]}, True),
    ("a member of another server's", {"inputs": "hi", "input_embeds": [[0.1]]}, True),
    ("no object", [], True),
]


@pytest.mark.parametrize(("sentence", "request_", "expected"), UNREADABLE, ids=[case[0] for case in UNREADABLE])
def test_what_is_no_text_is_unreadable(sentence, request_, expected):
    assert DIALECT.unreadable(request_) is expected


STEERS = [
    ({"parameters": {"max_new_tokens": 64, "stop": ["x"], "grammar": None}}, ()),
    ({"parameters": {"max_new_tokens": 1}}, ("max_new_tokens",)),
    ({"parameters": {"grammar": {"type": "json", "value": {"type": "object"}}}}, ()),
    ({"parameters": {"grammar": {"type": "json", "value": '{"enum": [1]}'}}}, ("grammar",)),
    (
        {"parameters": {"grammar": {"type": "regex", "value": "[0-9]"}, "max_new_tokens": 2}},
        ("max_new_tokens", "grammar"),
    ),
    ({"parameters": {"grammar": "x"}}, ("grammar",)),
    ({"parameters": None}, ()),
    (None, ()),
]


@pytest.mark.parametrize(("request_", "expected"), STEERS)
def test_what_decides_the_answer_is_told(request_, expected):
    assert DIALECT.steers(request_) == expected


def test_every_text_of_a_request_is_reached():
    grammar = {"type": "json", "value": {"description": "T", "properties": {"a": {"title": "T"}}}}
    request = {"inputs": "T", "parameters": {"stop": ["T"], "grammar": grammar}, "messages": [{"content": "T"}]}
    changed = json.dumps(rewrite(request, REQUEST, lambda text: text.replace("T", "<hidden>")))
    assert changed.count("<hidden>") == 5


def test_an_error_has_a_kind_where_clients_know_one():
    assert json.loads(DIALECT.error(403, "no-rule", "No.", {"ticket": "t"})) == {
        "error": "No.",
        "code": "no-rule",
        "ticket": "t",
    }
    assert json.loads(DIALECT.error(422, "upstream-refused", "No.", None))["error_type"] == "validation"


def test_what_answers_in_pieces_alone_is_no_route():
    assert "/tokenize" not in {route.path for route in ROUTES}


def test_usage():
    assert DIALECT.used(ended()) == {"input": 9, "output": 12}
