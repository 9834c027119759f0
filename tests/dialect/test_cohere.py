"""Cohere's chat, embeddings and ranking: every place masked alike whole and streamed, what cannot be read refused."""

import itertools
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.dialect import cohere
from phigate.dialect.cohere import DIALECT, STREAM
from phigate.masking.answer import MaskedStream, broken_off, failure
from phigate.masking.structure.paths import Paths
from tests.dialect.reading import asked, cut, events_in, pieces, sight, sse, streamed, traces, whole
from tests.traffic import CANARY_MRN, CANARY_NAME, CANARY_SSN, CANARY_TEXT

FIELDS = {"patient_name": CANARY_NAME, "mrn": int(CANARY_MRN), "notes": [{"ssn": CANARY_SSN}, CANARY_TEXT]}


def call(number, fields):
    return {
        "id": f"send_{number}5362281450",
        "type": "function",
        "function": {"name": "send", "arguments": json.dumps(fields)},
    }


SOURCES = [
    {"type": "document", "id": "doc:0", "document": {"id": "doc:0", "snippet": CANARY_TEXT}},
    {"type": "tool", "id": "send_1:0", "tool_output": {"mrn": CANARY_MRN, "note": CANARY_TEXT}},
]
CITATION = {"start": 0, "end": 91, "text": CANARY_TEXT, "sources": SOURCES, "content_index": 0, "type": "TEXT_CONTENT"}
CHANNELS = [
    ("text", {"content": [{"type": "text", "text": CANARY_TEXT}]}),
    (
        "thinking",
        {"content": [{"type": "thinking", "thinking": f"Look. {CANARY_TEXT}"}, {"type": "text", "text": "Well."}]},
    ),
    ("a plan", {"tool_plan": f"I will send this: {CANARY_TEXT}"}),
    ("tool calls", {"tool_calls": [call(1, FIELDS), call(2, {"again": FIELDS})]}),
    ("citations", {"content": [{"type": "text", "text": CANARY_TEXT}], "citations": [CITATION]}),
    ("what nobody knows", {"content": [{"type": "novel", "novel": {"deep": [CANARY_TEXT]}, "text": "Well."}]}),
]
USAGE = {
    "billed_units": {"input_tokens": 20177, "output_tokens": 12},
    "tokens": {"input_tokens": 20177, "output_tokens": 12},
}
LOGPROBS = [{"text": CANARY_NAME, "token_ids": [7], "logprobs": [-0.1]}]


def answer(message):
    frame = {"id": "c14c80c3", "finish_reason": "COMPLETE", "usage": USAGE, "logprobs": LOGPROBS}
    return frame | {"message": {"role": "assistant", **message}}


def events(whole_answer, step=4, first=0):
    """An answer as a stream; the first of a text's characters where its part or call starts."""
    message = whole_answer["message"]
    yield {
        "type": "message-start",
        "id": whole_answer["id"],
        "delta": {"message": {"role": "assistant", "content": []}},
    }
    for piece in pieces(message.get("tool_plan", ""), step):
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
    for index, part in enumerate(message.get("content", ())):
        key = "thinking" if "thinking" in part else "text"
        start = part | {key: part[key][:first]}
        yield {"type": "content-start", "index": index, "delta": {"message": {"content": start}}}
        for piece in pieces(part[key][first:], step):
            delta = {"message": {"content": {key: piece}}}
            yield {"type": "content-delta", "index": index, "delta": delta, "logprobs": LOGPROBS[0]}
        yield {"type": "content-end", "index": index}
    for index, made in enumerate(message.get("tool_calls", ())):
        text = made["function"]["arguments"]
        start = made | {"function": made["function"] | {"arguments": text[:first]}}
        yield {"type": "tool-call-start", "index": index, "delta": {"message": {"tool_calls": start}}}
        for piece in pieces(text[first:], step):
            delta = {"message": {"tool_calls": {"function": {"arguments": piece}}}}
            yield {"type": "tool-call-delta", "index": index, "delta": delta}
        yield {"type": "tool-call-end", "index": index}
    for index, citation in enumerate(message.get("citations", ())):
        yield {"type": "citation-start", "index": index, "delta": {"message": {"citations": citation}}}
        yield {"type": "citation-end", "index": index}
    yield {"type": "message-end", "id": whole_answer["id"], "delta": {"finish_reason": "COMPLETE", "usage": USAGE}}


def gathered(raw):
    """What a client makes of a stream."""
    made = {}
    for name, event in events_in(raw):
        assert name == event["type"]
        told = event.get("delta", {}).get("message", {})
        message = made.get("message", {})
        match name:
            case "message-start":
                made = {"id": event["id"], "message": {"role": told["role"]}}
            case "content-start" | "tool-call-start" | "citation-start":
                [(key, value)] = told.items()
                assert event["index"] == len(message.setdefault(key, []))
                message[key].append(value)
            case "content-delta":
                [(key, piece)] = told["content"].items()
                message["content"][event["index"]][key] += piece
            case "tool-call-delta":
                function = message["tool_calls"][event["index"]]["function"]
                function["arguments"] += told["tool_calls"]["function"]["arguments"]
            case "tool-plan-delta":
                message["tool_plan"] = message.get("tool_plan", "") + told["tool_plan"]
            case "message-end":
                made |= event["delta"]
            case _:
                assert name in {"content-end", "tool-call-end", "citation-end"}
    return made


@pytest.mark.parametrize("message", [message for _, message in CHANNELS], ids=[sentence for sentence, _ in CHANNELS])
@pytest.mark.parametrize(("step", "first"), [(1, 0), (4, 3), (400, 400)])
def test_every_channel_is_masked_alike_whole_and_streamed(message, step, first):
    caller, shown, usage = whole(answer(message), DIALECT)
    raw, bystanders = streamed([sse(*events(answer(message), step, first)), b"data: [DONE]\n\n"], DIALECT, STREAM)
    assert raw.endswith(b"data: [DONE]\n\n")
    assert gathered(raw.removesuffix(b"data: [DONE]\n\n")) == caller
    assert usage == {"input": 20177, "output": 12}
    assert "furosemide 40 mg" in json.dumps(caller)
    assert "furosemide" in bystanders
    for seen in (caller, shown, raw, bystanders):
        assert traces(seen) == []
    for made in caller["message"].get("tool_calls", ()):
        assert json.loads(made["function"]["arguments"])
        assert made["id"].endswith("5362281450")


ALL = answer({key: value for _, message in CHANNELS for key, value in message.items()})
CALLER = whole(ALL, DIALECT)[0]


def test_in_single_bytes():
    raw, _ = streamed([bytes([byte]) for byte in sse(*events(ALL, 3, 2))], DIALECT, STREAM)
    assert gathered(raw) == CALLER


@settings(max_examples=15, deadline=None)
@given(step=st.integers(1, 60), first=st.integers(0, 60), places=st.lists(st.integers(0, 20_000), max_size=30))
def test_in_any_chunking(step, first, places):
    raw, _ = streamed(cut(sse(*events(ALL, step, first)), places), DIALECT, STREAM)
    assert gathered(raw) == CALLER


def test_contents_and_calls_of_one_index_that_interleave_are_kept_apart():
    told = answer({"content": [{"type": "text", "text": CANARY_TEXT}], "tool_calls": [call(1, FIELDS)]})
    start, *middle, end = events(told, 5)
    starts, stops = ([event for event in middle if event["type"].endswith(kind)] for kind in ("-start", "-end"))
    lanes = [[event for event in middle if event["type"] == kind] for kind in ("content-delta", "tool-call-delta")]
    woven = [event for pair in itertools.zip_longest(*lanes) for event in pair if event]
    raw, _ = streamed([sse(start, *starts, *woven, *stops, end)], DIALECT, STREAM)
    assert gathered(raw) == whole(told, DIALECT)[0]


@pytest.mark.parametrize(
    ("path", "entity"),
    [
        ("$.message.content[*].text", "LOCATION"),
        ("$.message.tool_plan", "LOCATION"),
        ("$.message.tool_calls[*].function.arguments.notes[*].ssn", "MRN"),
        ("$..patient_name", "UNIQUE_ID"),
    ],
)
def test_the_fields_of_a_policy_mean_the_same_whole_and_streamed(path, entity):
    paths = Paths([(path, entity)])
    caller, _, _ = whole(ALL, DIALECT, paths)
    raw, shown = streamed([sse(*events(ALL, 5))], DIALECT, STREAM, paths)
    assert gathered(raw) == caller != CALLER
    assert f"[{entity}]" in shown


def test_tokens_are_counted_where_a_stream_tells_of_them():
    masked = MaskedStream(sight(), DIALECT, STREAM)
    masked.feed(sse(*events(ALL)))
    assert masked.usage == {"input": 20177, "output": 12}


def test_the_echo_of_a_prompt_is_masked():
    raw, shown = streamed([sse({"type": "debug", "prompt": CANARY_TEXT})], DIALECT, STREAM)
    assert traces(raw) == traces(shown) == []
    assert b"furosemide 40 mg" in raw


@pytest.mark.parametrize(
    ("sentence", "event"),
    [
        ("a kind nobody knows", {"type": "novel", "text": CANARY_TEXT}),
        ("no kind", {"delta": {"message": {"content": {"text": CANARY_TEXT}}}}),
        ("a list", [CANARY_TEXT]),
        ("text before any content", {"type": "message-start", "delta": {"message": {"content": ["536-22-"]}}}),
        ("text after its end", {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "8"}}}}),
        ("an index that is text", {"type": "content-delta", "index": "1", "delta": {"message": {"content": "536-"}}}),
        (
            "a text that is none",
            {"type": "content-delta", "index": 1, "delta": {"message": {"content": {"text": ["8"]}}}},
        ),
        ("an event of 4 MB", {"type": "content-delta", "index": 1, "delta": {"message": "x" * 4 * 1024 * 1024}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_stream_that_goes_on_like_no_other_is_an_error(sentence, event):
    begun = list(events(answer({"content": [{"type": "text", "text": "SSN 536-22-"}]})))[:-1]
    with pytest.raises(ValueError) as raised:  # noqa: PT011 -- of whichever layer
        streamed([sse(*begun), b"data: " + orjson.dumps(event) + b"\n\n"], DIALECT, STREAM)
    assert traces(str(raised.value)) == []


@pytest.mark.parametrize("kind", ["content-start", "content-delta", "content-end", "tool-call-delta", "message-end"])
def test_an_event_without_its_member_says_nothing(kind):
    raw, shown = streamed([sse({"type": kind})], DIALECT, STREAM)
    assert events_in(raw) == [(kind, {"type": kind})]
    assert shown == ""


def test_an_upstreams_error_is_masked_whole_and_in_a_stream():
    body, shown = failure(orjson.dumps({"message": f"cannot read: {CANARY_TEXT}"}), 400, sight(), DIALECT)
    assert json.loads(body)["message"].startswith("cannot read: Patient: [PERSON]")
    told = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": f"cannot read: {CANARY_TEXT}"}}
    raw, bystanders = streamed([sse(told)], DIALECT, STREAM)
    assert b"cannot read" in raw
    for seen in (body, shown, raw, bystanders):
        assert traces(seen) == []


def test_a_stream_that_is_broken_off_ends_as_a_message_that_failed():
    [(name, event)] = events_in(broken_off(STREAM, "stream-broken-off", "Broken off."))
    assert name == event["type"] == "message-end"
    assert event["delta"] == {"finish_reason": "ERROR", "error": "Broken off.", "code": "stream-broken-off"}


def test_errors_have_the_shape_that_clients_show():
    tree = json.loads(cohere.error_body(403, "no-rule", "No.", {"ticket": "t-1"}))
    assert tree == {"message": "No.", "code": "no-rule", "ticket": "t-1"}


def test_embeddings_keep_their_numbers_and_echoes_are_masked():
    vectors = {"float": [[0.1, -0.25]], "int8": [[7, -100]]}
    told = {"id": "e-1", "embeddings": vectors, "texts": [CANARY_TEXT], "meta": {"api_version": {"version": "2"}}}
    caller, shown, _ = whole(told, DIALECT)
    assert caller["embeddings"] == vectors
    assert traces(caller) == traces(shown) == []


def test_a_ranking_keeps_its_order_and_echoes_are_masked():
    results = [{"index": 1, "relevance_score": 0.9, "document": {"text": CANARY_TEXT}}]
    caller, shown, _ = whole({"id": "r-1", "results": results, "meta": {"billed_units": {"search_units": 1}}}, DIALECT)
    assert (caller["results"][0]["index"], caller["results"][0]["relevance_score"]) == (1, 0.9)
    assert traces(caller) == traces(shown) == []


# -- requests -------------------------------------------------------------------------------------------------------

PARAMETERS = {"type": "object", "properties": {"to": {"type": "string", "description": CANARY_TEXT}}}
REQUEST = {
    "model": "ward-assistant",
    "messages": [
        {"role": "system", "content": CANARY_TEXT},
        {"role": "user", "content": [{"type": "text", "text": CANARY_TEXT}]},
        {"role": "assistant", "tool_plan": CANARY_TEXT, "tool_calls": [call(1, FIELDS)], "citations": [CITATION]},
        {
            "role": "tool",
            "tool_call_id": "send_15362281450",
            "content": [{"type": "document", "document": {"id": "1", "data": {"note": CANARY_TEXT, **FIELDS}}}],
        },
        {"role": "assistant", "content": [{"type": "thinking", "thinking": CANARY_TEXT}]},
    ],
    "documents": [CANARY_TEXT, {"id": "doc_1", "data": FIELDS}],
    "tools": [{"type": "function", "function": {"name": "send", "description": CANARY_TEXT, "parameters": PARAMETERS}}],
    "stop_sequences": [CANARY_TEXT],
    "response_format": {"type": "json_object", "json_schema": PARAMETERS},
}
EMBED = {"model": "m", "texts": [CANARY_TEXT], "inputs": [{"content": [{"type": "text", "text": CANARY_TEXT}]}]}
RANK = {"model": "m", "query": CANARY_TEXT, "documents": [CANARY_TEXT, CANARY_NAME]}


@pytest.mark.parametrize("request_", [REQUEST, EMBED, RANK])
def test_a_masked_prompt_is_masked_in_every_place_and_keeps_its_form(request_):
    onward = asked(request_, DIALECT.request)
    assert traces(onward) == []
    assert not cohere.unreadable(onward)
    assert onward["model"] == request_["model"]


def with_part(**part):
    return {"messages": [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize(
    ("sentence", "request_", "expected"),
    [
        ("a chat", REQUEST, False),
        ("texts to embed", EMBED, False),
        ("documents to rank", RANK, False),
        ("an image", with_part(type="image_url", image_url={"url": "data:image/png;base64,QUJD"}), True),
        ("a kind nobody knows", with_part(type="novel"), True),
        ("a kind that is no text", with_part(type=["text"]), True),
        ("no kind", with_part(text="a"), True),
        ("a member nobody knows", with_part(type="text", text="a", image="QUJD"), True),
        ("a part that is no object", {"messages": [{"content": ["a"]}]}, True),
        ("content that is no text", {"messages": [{"content": {"type": "image_url"}}]}, True),
        ("a message with more", {"messages": [{"content": "a", "images": ["QUJD"]}]}, True),
        ("messages that are no list", {"messages": "a"}, True),
        ("images to embed", {"images": ["data:image/png;base64,QUJD"]}, True),
        ("an image among inputs", {"inputs": [{"content": [{"type": "image_url"}]}]}, True),
        ("inputs that are no list", {"inputs": {"content": "a"}}, True),
        ("no object", [], True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_content_that_hides_text(sentence, request_, expected):
    assert cohere.unreadable(request_) is expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [(REQUEST, False), ({"conversation_id": "c"}, True), ({"connectors": []}, True), ([], False)],
)
def test_what_the_server_keeps_is_not_reached(request_, expected):
    assert cohere.stored(request_) is expected


CHOICE = {"function": {"parameters": {"properties": {"a": {"enum": ["1", "2"]}}}}}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (REQUEST, ()),
        ({"max_tokens": 2}, ("max_tokens",)),
        ({"max_tokens": 20}, ()),
        ({"response_format": {"json_schema": {"const": "a"}}}, ("response_format",)),
        ({"response_format": {"schema": {"pattern": "a"}}}, ("response_format",)),
        ({"tools": [CHOICE]}, ()),
        ({"tools": [CHOICE], "strict_tools": True}, ("tools",)),
        ({"tools": [CHOICE], "tool_choice": "REQUIRED"}, ("tools",)),
        (None, ()),
    ],
)
def test_what_steers_an_answer_piece_by_piece(request_, expected):
    assert cohere.steers(request_) == expected
