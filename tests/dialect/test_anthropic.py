"""Anthropic messages: every block masked alike whole and streamed, what cannot be read refused."""

import itertools
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.dialect import anthropic
from phigate.dialect.anthropic import DIALECT, STREAM
from phigate.masking.answer import MaskedStream, broken_off, failure
from phigate.masking.structure.paths import Paths
from tests.dialect.reading import asked, cut, events_in, pieces, sight, sse, streamed, traces, whole
from tests.traffic import CANARY_MRN, CANARY_NAME, CANARY_SSN, CANARY_TEXT

FIELDS = {"patient_name": CANARY_NAME, "mrn": int(CANARY_MRN), "notes": [{"ssn": CANARY_SSN}, CANARY_TEXT]}
RESOURCE = {"resourceType": "Patient", "name": [{"family": "Quartermaine", "given": ["Zebulon"]}]}
CITATION = {"type": "char_location", "cited_text": CANARY_TEXT, "document_index": 0, "document_title": CANARY_TEXT}
FOUND = {"type": "web_search_result", "url": "https://a.example", "title": CANARY_TEXT, "encrypted_content": "Zg=="}
BLOCKS = [
    ("thinking", {"type": "thinking", "thinking": f"Let me look. {CANARY_TEXT}", "signature": "EqQBCkYIARgCKkA5"}),
    ("text", {"type": "text", "text": CANARY_TEXT, "citations": [CITATION]}),
    ("a tool call", {"type": "tool_use", "id": "toolu_5362281450", "name": "send", "input": FIELDS}),
    ("a resource in a tool call", {"type": "tool_use", "id": "toolu_2", "name": "send", "input": RESOURCE}),
    ("a server's tool", {"type": "server_tool_use", "id": "srvtoolu_1", "name": "search", "input": {"q": CANARY_TEXT}}),
    ("its results", {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [FOUND]}),
    ("hidden thinking", {"type": "redacted_thinking", "data": "WmVidWxvbg=="}),
    ("a kind nobody knows", {"type": "novel", "words": {"deep": [CANARY_TEXT]}, "text": "All is well."}),
]
USAGE = {"input_tokens": 20177, "output_tokens": 12}
GROWS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def message(*blocks):
    frame = {"id": "msg_1", "type": "message", "role": "assistant", "model": "ward-assistant"}
    return frame | {"content": list(blocks), "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE}


def events(answer, step=4, first=0):
    """An answer as a stream: texts and inputs in pieces, the first of a text's characters where its block starts."""
    yield {"type": "message_start", "message": answer | {"content": [], "stop_reason": None}}
    for index, block in enumerate(answer["content"]):
        start, deltas = dict(block), []
        for key, (kind, name) in GROWS.items():
            if text := start.get(key):
                start[key] = text[:first]
                deltas += [{"type": kind, name: piece} for piece in pieces(text[first:], step)]
        if "input" in start:
            start["input"] = {}
            deltas += [
                {"type": "input_json_delta", "partial_json": piece}
                for piece in pieces(json.dumps(block["input"]), step)
            ]
        for citation in start.pop("citations", []):
            deltas.append({"type": "citations_delta", "citation": citation})
        if "signature" in start:
            deltas.append({"type": "signature_delta", "signature": start["signature"]})
            start["signature"] = ""
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "ping"}
        yield from ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": answer["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": answer["usage"]}
    yield {"type": "message_stop"}


def gathered(raw):
    """What a client makes of a stream."""
    made, parts = {}, {}
    for name, event in events_in(raw):
        assert name == event["type"]
        match event:
            case {"type": "message_start", "message": made}:
                pass
            case {"type": "content_block_start", "index": index, "content_block": block}:
                assert index == len(made["content"])
                made["content"].append(block)
            case {"type": "content_block_delta", "index": index, "delta": {"partial_json": piece}}:
                parts[index] = parts.get(index, "") + piece
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                add(made["content"][index], delta)
            case {"type": "message_delta", "delta": delta, "usage": usage}:
                made |= delta | {"usage": usage}
            case _:
                assert name in {"content_block_stop", "message_stop", "ping"}
    for index, text in parts.items():
        made["content"][index]["input"] = json.loads(text)
    return made


def add(block, delta):
    match delta:
        case {"type": "citations_delta", "citation": citation}:
            block.setdefault("citations", []).append(citation)
        case {"type": "signature_delta", "signature": signature}:
            block["signature"] = signature
        case {"type": "text_delta", "text": piece}:
            block["text"] += piece
        case {"type": "thinking_delta", "thinking": piece}:
            block["thinking"] += piece
        case _:
            pytest.fail("a piece that no client knows")


@pytest.mark.parametrize("block", [block for _, block in BLOCKS], ids=[sentence for sentence, _ in BLOCKS])
@pytest.mark.parametrize(("step", "first"), [(1, 0), (4, 0), (9, 17), (400, 400)])
def test_every_kind_of_block_is_masked_alike_whole_and_streamed(block, step, first):
    caller, shown, usage = whole(message(block), DIALECT)
    raw, bystanders = streamed([sse(*events(message(block), step, first))], DIALECT, STREAM)
    assert gathered(raw) == caller
    assert usage == {"input": 20177, "output": 12}
    for seen in (caller, shown, raw, bystanders):
        assert traces(seen) == []
    assert (CANARY_TEXT in json.dumps(block)) <= ("furosemide 40 mg" in json.dumps(caller) and "mg" in bystanders)


ALL = message(*(block for _, block in BLOCKS))
CALLER = whole(ALL, DIALECT)[0]


def test_in_single_bytes():
    raw, _ = streamed([bytes([byte]) for byte in sse(*events(ALL, 3, 2))], DIALECT, STREAM)
    assert gathered(raw) == CALLER


@settings(max_examples=15, deadline=None)
@given(step=st.integers(1, 60), first=st.integers(0, 60), places=st.lists(st.integers(0, 20_000), max_size=30))
def test_in_any_chunking(step, first, places):
    raw, _ = streamed(cut(sse(*events(ALL, step, first)), places), DIALECT, STREAM)
    assert gathered(raw) == CALLER


def test_blocks_that_interleave_are_kept_apart():
    one, two = (
        {"type": "text", "text": CANARY_TEXT},
        {"type": "tool_use", "id": "toolu_1", "name": "a", "input": FIELDS},
    )
    start, *middle, delta, stop = events(message(one, two), 5)
    starts, stops = ([event for event in middle if event["type"].endswith(kind)] for kind in ("start", "stop"))
    deltas = [[event for event in middle if "delta" in event and event["index"] == index] for index in (0, 1)]
    woven = [event for pair in itertools.zip_longest(*deltas) for event in pair if event]
    raw, _ = streamed([sse(start, *starts, *woven, *stops, delta, stop)], DIALECT, STREAM)
    assert gathered(raw) == whole(message(one, two), DIALECT)[0]


@pytest.mark.parametrize(
    ("path", "entity"),
    [
        ("$.content[*].text", "LOCATION"),
        ("$.content[0].thinking", "LOCATION"),
        ("$.content[*].input.notes[*].ssn", "MRN"),
        ("$.content[*].citations[*].document_title", "PERSON"),
        ("$.content[*].content[*].title", "LOCATION"),
        ("$..patient_name", "UNIQUE_ID"),
    ],
)
def test_the_fields_of_a_policy_mean_the_same_whole_and_streamed(path, entity):
    caller, _, _ = whole(ALL, DIALECT, Paths([(path, entity)]))
    raw, shown = streamed([sse(*events(ALL, 5))], DIALECT, STREAM, Paths([(path, entity)]))
    assert gathered(raw) == caller != CALLER
    assert f"[{entity}]" in shown


def test_tokens_are_counted_where_a_stream_tells_of_them():
    masked = MaskedStream(sight(), DIALECT, STREAM)
    start, *_ = events(message() | {"usage": {"input_tokens": 20177, "output_tokens": 1}})
    masked.feed(sse(start, {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 12}}))
    assert masked.usage == {"input": 20177, "output": 12}


def test_what_the_model_stopped_at_is_not_told():
    stopped = message({"type": "text", "text": "SSN "}) | {"stop_reason": "stop_sequence", "stop_sequence": "5"}
    assert whole(stopped, DIALECT)[0]["stop_sequence"] is None
    ending = {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "5"}, "usage": USAGE}
    raw, _ = streamed([sse(ending)], DIALECT, STREAM)
    assert events_in(raw)[0][1]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": None}


def test_the_rest_of_a_text_comes_before_the_end_of_its_block():
    raw, _ = streamed([sse(*events(message({"type": "text", "text": "SSN 536-22-8145"}), 3))], DIALECT, STREAM)
    kinds = [name for name, _ in events_in(raw)]
    assert kinds.index("content_block_stop") > max(at for at, kind in enumerate(kinds) if kind == "content_block_delta")


@pytest.mark.parametrize(
    ("sentence", "event"),
    [
        ("a kind nobody knows", {"type": "novel", "text": CANARY_TEXT}),
        ("no kind", {"text": CANARY_TEXT}),
        ("a kind that is no text", {"type": ["ping"]}),
        ("a list", [CANARY_TEXT]),
        ("text before any block", {"type": "message_start", "message": message({"type": "text", "text": "536-22-"})}),
        (
            "text after its block",
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "8"}},
        ),
        ("an index that is text", {"type": "content_block_delta", "index": "1", "delta": {"text": "536-22-"}}),
        ("an index below nothing", {"type": "content_block_delta", "index": -1, "delta": {"text": "536-22-"}}),
        (
            "a text that is none",
            {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": 5}},
        ),
        ("an event of 4 MB", {"type": "content_block_delta", "index": 1, "delta": {"text": "x" * 4 * 1024 * 1024}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_stream_that_goes_on_like_no_other_is_an_error(sentence, event):
    begun = list(events(message({"type": "text", "text": "SSN 536-22-"})))[:-2]
    name = event.get("type") if isinstance(event, dict) else None
    more = b"event: %b\ndata: %b\n\n" % (str(name).encode(), orjson.dumps(event))
    with pytest.raises(ValueError) as raised:  # noqa: PT011 -- of whichever layer
        streamed([sse(*begun), more], DIALECT, STREAM)
    assert traces(str(raised.value)) == []


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_start", "index": 0},
        {"type": "content_block_delta", "index": 0},
        {"type": "content_block_delta"},
        {"type": "content_block_stop"},
        {"type": "message_delta"},
        {"type": "message_start"},
    ],
)
def test_an_event_without_its_member_says_nothing(event):
    raw, shown = streamed([sse(event)], DIALECT, STREAM)
    assert events_in(raw) == [(event["type"], event)]
    assert shown == ""


def test_an_upstreams_error_is_masked_whole_and_in_a_stream_and_nothing_follows_it():
    told = {"type": "error", "error": {"type": "overloaded_error", "message": f"cannot read: {CANARY_TEXT}"}}
    body, shown = failure(orjson.dumps(told), 529, sight(), DIALECT)
    error = json.loads(body)["error"]
    assert (error["type"], error["code"]) == ("overloaded_error", "upstream-refused")
    late = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "late"}}
    raw, bystanders = streamed([sse(told, late)], DIALECT, STREAM)
    [(name, event)] = events_in(raw)
    assert (name, event["error"]["type"]) == ("error", "overloaded_error")
    assert "cannot read" in event["error"]["message"]
    for seen in (body, shown, raw, bystanders):
        assert traces(seen) == []


def test_a_stream_that_is_broken_off_ends_in_an_error_that_clients_raise():
    [(name, event)] = events_in(broken_off(STREAM, "stream-broken-off", "Broken off."))
    assert name == event["type"] == "error"
    assert event["error"] == {"type": "api_error", "message": "Broken off.", "code": "stream-broken-off"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (415, "invalid_request_error"),
        (503, "api_error"),
    ],
)
def test_errors_have_the_shape_that_clients_show(status, kind):
    tree = json.loads(anthropic.error_body(status, "no-rule", "No.", {"ticket": "t-1"}))
    assert tree == {"type": "error", "error": {"type": kind, "message": "No.", "code": "no-rule", "ticket": "t-1"}}


# -- requests -------------------------------------------------------------------------------------------------------

TOOL = {"name": "send", "description": CANARY_TEXT, "input_schema": {"properties": {"a": {"enum": [CANARY_TEXT]}}}}
REQUEST = {
    "model": "ward-assistant",
    "max_tokens": 500,
    "system": [{"type": "text", "text": CANARY_TEXT, "cache_control": {"type": "ephemeral"}}],
    "metadata": {"user_id": CANARY_NAME},
    "stop_sequences": [CANARY_TEXT],
    "tools": [TOOL],
    "messages": [
        {"role": "user", "content": CANARY_TEXT},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": CANARY_TEXT},
                {"type": "document", "title": CANARY_TEXT, "source": {"type": "text", "data": CANARY_TEXT}},
                {"type": "document", "context": CANARY_TEXT, "source": {"type": "content", "content": CANARY_TEXT}},
                {
                    "type": "search_result",
                    "source": CANARY_TEXT,
                    "title": CANARY_TEXT,
                    "content": [{"type": "text", "text": CANARY_TEXT}],
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": CANARY_TEXT, "signature": ""},
                {"type": "tool_use", "id": "toolu_5362281450", "name": "send", "input": FIELDS},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_5362281450", "content": CANARY_TEXT},
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": CANARY_TEXT}]},
            ],
        },
    ],
}


def test_a_masked_prompt_is_masked_in_every_place_and_keeps_its_form():
    onward = asked(REQUEST, DIALECT.request)
    assert traces(onward) == []
    assert not anthropic.unreadable(onward)
    assert onward["messages"][2]["content"][1]["id"] == "toolu_5362281450"
    assert (onward["model"], onward["max_tokens"]) == ("ward-assistant", 500)


def with_block(**block):
    return {"messages": [{"role": "user", "content": [block]}]}


@pytest.mark.parametrize(
    ("sentence", "request_", "expected"),
    [
        ("everything that is text", REQUEST, False),
        ("no messages", {"model": "m"}, False),
        ("an image", with_block(type="image", source={"type": "base64", "data": "QUJD"}), True),
        ("a document in bytes", with_block(type="document", source={"type": "base64", "data": "QUJD"}), True),
        ("a document elsewhere", with_block(type="document", source={"type": "url", "url": "https://a"}), True),
        (
            "an image in a document",
            with_block(type="document", source={"type": "content", "content": [{"type": "image"}]}),
            True,
        ),
        ("an image in a tool's result", with_block(type="tool_result", content=[{"type": "image"}]), True),
        ("hidden thinking", with_block(type="redacted_thinking", data="QUJD"), True),
        ("a kind nobody knows", with_block(type="novel"), True),
        ("no kind", with_block(text="a"), True),
        ("a member nobody knows", with_block(type="text", text="a", image="QUJD"), True),
        ("a block that is no object", {"messages": [{"content": ["a"]}]}, True),
        ("content that is no text", {"messages": [{"content": {"type": "image"}}]}, True),
        ("a message with more", {"messages": [{"content": "a", "images": ["QUJD"]}]}, True),
        ("an image in the system prompt", {"system": [{"type": "image"}], "messages": []}, True),
        ("servers of tools", {"mcp_servers": [{"url": "https://a"}], "messages": []}, True),
        ("the caller's tools", {"tools": [{"name": "a"}, {"type": "custom"}, {"type": "bash_20250124"}]}, False),
        ("no tools", {"tools": None}, False),
        ("a search that the server makes", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, True),
        ("code that the server runs", {"tools": [{"type": "code_execution_20250522"}]}, True),
        ("a tool whose kind is none", {"tools": [{"type": ["custom"]}]}, True),
        ("a tool that is no object", {"tools": ["a"]}, True),
        ("tools that are no list", {"tools": {"type": "custom"}}, True),
        ("messages that are no list", {"messages": "a"}, True),
        ("no object", [], True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_content_that_hides_text(sentence, request_, expected):
    assert anthropic.unreadable(request_) is expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (REQUEST, False),
        ({"container": "c-1"}, True),
        ({"diagnostics": {"previous_message_id": "msg_1"}}, True),
        (with_block(type="document", source={"type": "file", "file_id": "file_1"}), True),
        (with_block(type="tool_result", content=[{"type": "image", "source": {"file_id": "file_1"}}]), True),
        (with_block(type="tool_use", input={"file_id": "mine"}), False),
        ([], False),
    ],
)
def test_what_the_server_keeps_is_not_reached(request_, expected):
    assert anthropic.stored(request_) is expected


CHOICE = {"input_schema": {"properties": {"a": {"enum": ["1", "2"]}}}}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (REQUEST, ()),
        ({"max_tokens": 1}, ("max_tokens",)),
        ({"max_tokens": 3}, ()),
        ({"output_config": {"format": {"schema": {"const": "a"}}}}, ("output_config",)),
        ({"output_config": {"format": {"schema": {"type": "object"}}}}, ()),
        ({"output_format": {"schema": {"pattern": "a"}}}, ("output_format",)),
        ({"tools": [CHOICE]}, ()),
        ({"tools": [CHOICE], "tool_choice": {"type": "auto"}}, ()),
        ({"tools": [CHOICE], "tool_choice": {"type": "any"}}, ("tools",)),
        ({"tools": [CHOICE | {"strict": True}]}, ("tools",)),
        ({"tools": "a"}, ()),
        (None, ()),
    ],
)
def test_what_steers_an_answer_piece_by_piece(request_, expected):
    assert anthropic.steers(request_) == expected
