"""What the OpenAI dialect says of responses: the same text told five times becomes the same, wherever it stands."""

import json

import pytest

from phigate.dialect import openai_responses
from phigate.dialect.channels import ChunkError
from phigate.masking.answer import MaskedStream, broken_off
from phigate.masking.structure.paths import Paths
from tests.dialect.seen import ARGUMENTS, NOTE, framed, hidden, letters, onward, sight, told, whole

DIALECT, STREAM = openai_responses.DIALECT, openai_responses.STREAM


def response(*output, status="completed", **more):
    usage = {"input_tokens": 9, "output_tokens": 12, "total_tokens": 21}
    frame = {"id": "resp_1", "object": "response", "created_at": 1730000000, "status": status, "model": "m"}
    return frame | {"output": list(output), "usage": usage, "error": None, "incomplete_details": None} | more


def item(kind, **said):
    return {"id": "item_1", "type": kind, "status": "completed", **said}


def message(text, kind="output_text", member="text", **more):
    return item("message", role="assistant", content=[{"type": kind, member: text, "annotations": [], **more}])


CALL = {"call_id": "call_1", "name": "send_note"}
CONTENT = {"content_index": 0}
LIVES = {
    "a text": ("output_text", "text", message(NOTE), CONTENT, ("content",), "content_part"),
    "a refusal": ("refusal", "refusal", message(NOTE, "refusal", "refusal"), CONTENT, ("content",), "content_part"),
    "reasoning": (
        "reasoning_text",
        "text",
        item("reasoning", summary=[], content=[{"type": "reasoning_text", "text": NOTE}]),
        CONTENT,
        ("content",),
        "content_part",
    ),
    "a summary of reasoning": (
        "reasoning_summary_text",
        "text",
        item("reasoning", summary=[{"type": "summary_text", "text": NOTE}]),
        {"summary_index": 0},
        ("summary",),
        "reasoning_summary_part",
    ),
    "arguments": (
        "function_call_arguments",
        "arguments",
        item("function_call", **CALL, arguments=ARGUMENTS),
        {},
        (),
        "",
    ),
    "arguments of MCP": (
        "mcp_call_arguments",
        "arguments",
        item("mcp_call", name="t", server_label="s", arguments=ARGUMENTS),
        {},
        (),
        "",
    ),
    "a custom tool's input": (
        "custom_tool_call_input",
        "input",
        item("custom_tool_call", **CALL, input=NOTE),
        {},
        (),
        "",
    ),
    "code": (
        "code_interpreter_call_code",
        "code",
        item("code_interpreter_call", container_id="c", code=NOTE, outputs=[]),
        {},
        (),
        "",
    ),
    "a command": (
        "shell_call_command",
        "command",
        item("shell_call", call_id="c", action={"commands": [NOTE]}),
        {"command_index": 0},
        ("action", "commands"),
        "",
    ),
}
FIRST = message("Stable.") | {"id": "msg_0"}


def opening(**more):
    return [
        {"type": f"response.{name}", "response": response(status="in_progress", **more)}
        for name in ("created", "in_progress")
    ]


def life(event, member, made, at, way, part, size=3):
    """The events of one item after another that says nothing of anybody."""
    text = text_of(made, member, way)
    here = {"item_id": made["id"], "output_index": 1, **at}
    bare = blank(made, text)
    yield {"type": "response.output_item.added", "output_index": 1, "item": bare}
    if part:
        yield {"type": f"response.{part}.added", **here, "part": blank(made[way[0]][0], text)}
    for piece in letters(text, size):
        yield {"type": f"response.{event}.delta", **here, "delta": piece, "obfuscation": "Zebulon", "logprobs": [{}]}
    yield {"type": f"response.{event}.done", **here, member: text, "logprobs": [{"token": "Zebulon"}]}
    if part:
        yield {"type": f"response.{part}.done", **here, "part": made[way[0]][0]}
    yield {"type": "response.output_item.done", "output_index": 1, "item": made}


def text_of(made, member, way):
    node = made
    for step in way:
        node = node[step]
    node = node[0] if isinstance(node, list) else node
    return node[member] if isinstance(node, dict) else node


def blank(node, text):
    """The same before anything was said."""
    if isinstance(node, dict):
        return {key: blank(value, text) for key, value in node.items()}
    if isinstance(node, list):
        return [blank(value, text) for value in node]
    return "" if node == text else node


def stream(*events, output=(), opened=None, last="completed", **more):
    made = [*(opening() if opened is None else opened), *events]
    made += [{"type": f"response.{last}", "response": response(*output, **more)}]
    return [event | {"sequence_number": at} for at, event in enumerate(made)]


def streamed(events, **how):
    return told(DIALECT, STREAM, framed(STREAM, events), **how)


@pytest.mark.parametrize("name", LIVES)
@pytest.mark.parametrize(("size", "step"), [(1, 0), (3, 0), (1000, 0), (40, 1), (5, 7)])
def test_the_five_times_that_a_text_is_told_agree_with_each_other_and_with_the_whole(name, size, step):
    event, member, made, _, way, part = LIVES[name]
    at_once = whole(DIALECT, response(FIRST, made))
    expected = text_of(at_once["output"][1], member, way)
    sent, shown = streamed(stream(*life(*LIVES[name], size=size), output=(FIRST, made)), step=step)
    kinds = {}
    for each in sent:
        kinds.setdefault(each["type"].removeprefix("response."), []).append(each)
    assert "".join(each["delta"] for each in kinds[f"{event}.delta"]) == expected
    assert kinds[f"{event}.done"][0][member] == expected
    if part:
        assert kinds[f"{part}.done"][0]["part"][member] == expected
    assert kinds["output_item.done"][0]["item"] == at_once["output"][1]
    assert kinds["completed"][0]["response"] == at_once
    assert hidden(sent, shown, at_once)
    assert "furosemide 40 mg" in expected
    assert json.loads(expected) if member == "arguments" else expected
    assert shown.count("furosemide") == 1


@pytest.mark.parametrize("size", [1, 3])
def test_events_are_numbered_without_gaps_and_carry_what_clients_insist_on(size):
    sent, _ = streamed(stream(*life(*LIVES["a text"], size=size), output=(FIRST, LIVES["a text"][2])))
    assert [each["sequence_number"] for each in sent] == list(range(len(sent)))
    deltas = [each for each in sent if each["type"] == "response.output_text.delta"]
    assert all(each["logprobs"] == [] and each["item_id"] == "item_1" for each in deltas)
    assert all("obfuscation" not in each for each in sent)


def test_two_texts_that_come_by_turns_are_kept_apart():
    at = [{"item_id": f"item_{which}", "output_index": which, **CONTENT} for which in (0, 1)]
    pieces = [{"type": "response.output_text.delta", **here, "delta": part} for part in letters(NOTE) for here in at]
    ends = [{"type": "response.output_text.done", **here, "text": NOTE} for here in at]
    sent, _ = streamed(stream(*pieces, *ends))
    expected = whole(DIALECT, response(message(NOTE)))["output"][0]["content"][0]["text"]
    for which in (0, 1):
        mine = [each for each in sent if each.get("output_index") == which]
        assert "".join(each["delta"] for each in mine if "delta" in each) == expected
        assert mine[-1]["text"] == expected


def test_a_stream_that_tells_nothing_but_pieces_says_all_before_its_end():
    here = {"item_id": "item_1", "output_index": 0, **CONTENT}
    sent, _ = streamed(
        stream(*({"type": "response.output_text.delta", **here, "delta": part} for part in letters(NOTE)))
    )
    text = "".join(each.get("delta", "") for each in sent)
    assert text == whole(DIALECT, response(message(NOTE)))["output"][0]["content"][0]["text"]
    assert sent[-1]["type"] == "response.completed"


WHOLES = {
    "what a tool answered": item("function_call_output", call_id="call_1", output=NOTE),
    "what a custom tool answered": item("custom_tool_call_output", call_id="call_1", output=NOTE),
    "what MCP answered": item("mcp_call", name="t", server_label="s", arguments="{}", output=NOTE, error=NOTE),
    "logs": item("code_interpreter_call", container_id="c", code="", outputs=[{"type": "logs", "logs": NOTE}]),
    "what a shell said": item("shell_call_output", call_id="c", output=[{"stdout": NOTE, "stderr": NOTE}]),
    "a local command": item("local_shell_call", call_id="c", action={"type": "exec", "command": [NOTE]}),
    "a query": item("web_search_call", action={"type": "search", "query": NOTE}),
    "queries": item("file_search_call", queries=[NOTE], results=[{"file_id": "f", "filename": "a.txt", "text": NOTE}]),
    "typing": item("computer_call", call_id="c", action={"type": "type", "text": NOTE}),
    "a patch": item("apply_patch_call", call_id="c", operation={"type": "create_file", "diff": NOTE, "path": "a"}),
    "an item nobody knows": item("novel", deep=[{"note": NOTE}]),
    "a title": message("", annotations=[{"type": "url_citation", "title": NOTE, "url": "https://x.example"}]),
}


@pytest.mark.parametrize("made", WHOLES.values(), ids=WHOLES)
def test_what_an_item_tells_whole_is_masked_alike_whole_and_streamed(made):
    at_once = whole(DIALECT, response(FIRST, made))
    done = {"type": "response.output_item.done", "output_index": 1, "item": made}
    sent, shown = streamed(stream(done, output=(FIRST, made)))
    assert sent[2]["item"] == at_once["output"][1]
    assert sent[-1]["response"] == at_once
    assert hidden(sent, shown, at_once)
    assert "furosemide 40 mg" in json.dumps(at_once)


@pytest.mark.parametrize(
    "made",
    [
        item("reasoning", summary=[], encrypted_content="WmVidWxvbiBRdWFydGVybWFpbmU="),
        item("image_generation_call", result="WmVidWxvbiBRdWFydGVybWFpbmU="),
        message("Stable.", logprobs=[{"token": "Quartermaine", "bytes": [81], "top_logprobs": [{"token": "Zebulon"}]}]),
    ],
    ids=["encrypted reasoning", "an image", "tokens"],
)
def test_what_cannot_be_masked_is_left_out(made):
    at_once = whole(DIALECT, response(FIRST, made))
    sent, _ = streamed(
        stream({"type": "response.output_item.done", "output_index": 1, "item": made}, output=(FIRST, made))
    )
    assert hidden(at_once, sent)
    assert "WmVi" not in json.dumps([at_once, sent])


ECHOES = {
    "instructions": {"instructions": NOTE},
    "metadata": {"metadata": {"note": NOTE}},
    "tools": {"tools": [{"type": "function", "name": "f", "description": NOTE, "parameters": {}}]},
    "the text on top": {"output_text": NOTE},
    "an error": {"error": {"code": "server_error", "message": NOTE}},
    "who asked": {"user": NOTE},
    "a field nobody knows": {"novel": {"note": NOTE}},
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_what_a_response_repeats_of_the_request_is_masked(echo):
    at_once = whole(DIALECT, response(FIRST, **echo))
    last = "failed" if "error" in echo else "completed"
    sent, shown = streamed(stream(output=(FIRST,), opened=opening(**echo), last=last, **echo))
    assert sent[-1]["response"] == at_once
    assert hidden(sent, shown, at_once)
    assert "furosemide 40 mg" in json.dumps(at_once)
    assert shown.count("furosemide") == 1


SAID = {
    "a shell's output": (
        "shell_call_output_content",
        {"command_index": 0},
        lambda part: {"stdout": part, "stderr": ""},
    ),
    "a transcript": ("audio.transcript", {}, lambda part: part),
}


@pytest.mark.parametrize("name", SAID)
def test_other_pieces_are_masked(name):
    event, at, form = SAID[name]
    pieces = [
        {"type": f"response.{event}.delta", "output_index": 1, **at, "delta": form(part)} for part in letters(NOTE)
    ]
    sent, shown = streamed(stream(*pieces))
    deltas = [each["delta"] for each in sent if "delta" in each]
    text = "".join(each if isinstance(each, str) else each.get("stdout", "") for each in deltas)
    assert text.endswith("furosemide 40 mg.")
    assert hidden(sent, shown, text)


def test_an_annotation_is_masked():
    at = {"item_id": "item_1", "output_index": 0, **CONTENT, "annotation_index": 0}
    note = {
        "type": "response.output_text.annotation.added",
        **at,
        "annotation": {"type": "url_citation", "title": NOTE},
    }
    sent, _ = streamed(stream(note))
    assert hidden(sent)
    assert "furosemide" in sent[2]["annotation"]["title"]


def test_usage_is_read_where_the_response_has_it():
    masked = MaskedStream(sight(), DIALECT, STREAM)
    masked.feed(framed(STREAM, stream(output=(FIRST,))))
    assert masked.usage == DIALECT.used(response()) == {"input": 9, "output": 12}


# -- what breaks a stream off ---------------------------------------------------------------------------------------

HERE = {"item_id": "item_1", "output_index": 0, **CONTENT}
PART = {"type": "output_text", "text": "Patient: Zebulon Quarter", "annotations": []}
BREAKS = {
    "an event nobody knows": [{"type": "response.novel.delta", "delta": "Zebulon"}],
    "an event without a kind": [{"delta": "Zebulon"}],
    "a kind that is no text": [{"type": 7}],
    "no object": [["Zebulon"]],
    "text after its end": [
        {"type": "response.output_text.done", **HERE, "text": "Patient: Zebulon"},
        {"type": "response.output_text.delta", **HERE, "delta": " Quartermaine"},
    ],
    "a text told whole that goes on": [
        {"type": "response.content_part.added", **HERE, "part": PART},
        {"type": "response.output_text.delta", **HERE, "delta": "maine"},
    ],
    "an item told whole that goes on": [
        {"type": "response.output_item.added", "output_index": 0, "item": message("Patient: Zebulon Quarter")},
        {"type": "response.output_text.delta", **HERE, "delta": "maine"},
    ],
    "a response told whole that goes on": [
        {"type": "response.in_progress", "response": response(message("Patient: Zebulon Quarter"))},
        {"type": "response.output_text.delta", **HERE, "delta": "maine"},
    ],
    "a place that is a word": [{"type": "response.output_text.delta", **HERE, "output_index": "0", "delta": "x"}],
    "a place that no list has": [{"type": "response.output_text.delta", **HERE, "output_index": -1, "delta": "x"}],
    "sound": [{"type": "response.audio.delta", "delta": "WmVi"}],
    "an image": [{"type": "response.image_generation_call.partial_image", "partial_image_b64": "WmVi"}],
}


@pytest.mark.parametrize("events", BREAKS.values(), ids=BREAKS)
def test_what_no_table_knows_breaks_a_stream_off(events):
    masked, out = MaskedStream(sight(), DIALECT, STREAM), b""
    with pytest.raises(ChunkError):  # noqa: PT012 -- what goes out before counts as well
        for event in events:
            out += masked.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    assert hidden(out.decode())


def test_sound_and_images_pass_where_the_rule_permits_what_cannot_be_read():
    events = [
        {"type": "response.audio.delta", "delta": "UklGRg=="},
        {"type": "response.image_generation_call.partial_image", "output_index": 0, "partial_image_b64": "UklGRg=="},
    ]
    sent, _ = streamed(stream(*events), opaque=True)
    assert json.dumps(sent).count("UklGRg==") == 2


@pytest.mark.parametrize("error", [{"type": "error", "code": "x", "message": NOTE}, {"error": {"message": NOTE}}])
def test_an_error_in_a_stream_is_masked_and_nothing_follows_it(error):
    after = {"type": "response.output_text.delta", **HERE, "delta": "more"}
    sent, shown = (
        streamed([error, after])
        if "type" in error
        else told(DIALECT, STREAM, b"data: " + json.dumps(error).encode() + b"\n\n")
    )
    assert len(sent) == 1
    assert "furosemide" in json.dumps(sent)
    assert hidden(sent, shown)


def test_a_stream_that_is_broken_off_ends_with_an_error_that_clients_raise():
    raw = broken_off(STREAM, "stream-broken-off", "Broken off.")
    assert raw.startswith(b"event: error\n")
    event = json.loads(raw.split(b"data: ")[1])
    assert (event["type"], event["code"], event["error"]["message"]) == ("error", "stream-broken-off", "Broken off.")


# -- the policy's `fields` ------------------------------------------------------------------------------------------

BED = '{"note": "well", "bed": "Fennel 12"}'
NAMED = [
    ("$.output[*].content[*].text", "a text", message("Fennel 12")),
    ("$.output[*].content[*].text.bed", "a text", message(BED)),
    ("$..bed", "a text", message(BED)),
    ("$.output[*].arguments.bed", "arguments", item("function_call", **CALL, arguments=BED)),
    ("$.output[*].input", "a custom tool's input", item("custom_tool_call", **CALL, input="Fennel 12")),
    (
        "$.output[*].action.commands[*]",
        "a command",
        item("shell_call", call_id="c", action={"commands": ["Fennel 12"]}),
    ),
    ("$.output[*].summary", "a summary of reasoning", item("reasoning", summary=[{"type": "t", "text": "Fennel 12"}])),
]


@pytest.mark.parametrize(("path", "name", "made"), NAMED)
def test_a_field_that_the_policy_hides_is_hidden_every_time_it_is_told(path, name, made):
    paths = Paths([(path, "LOCATION")])
    event, member, _, at, way, part = LIVES[name]
    at_once = whole(DIALECT, response(FIRST, made), paths)
    sent, shown = streamed(stream(*life(event, member, made, at, way, part), output=(FIRST, made)), paths=paths)
    assert "Fennel" not in json.dumps([at_once, sent, shown])
    assert sent[-1]["response"] == at_once
    expected = text_of(at_once["output"][1], member, way)
    assert "[LOCATION]" in expected
    assert "".join(each["delta"] for each in sent if "delta" in each) == expected
    assert next(each[member] for each in sent if each["type"].endswith(f"{event}.done")) == expected


def test_a_field_that_the_policy_keeps_is_kept_every_time_and_from_the_caller_only():
    paths = Paths([("$.output[*].content[*].text", "keep"), ("$.instructions", "keep")])
    made = message("SSN 536-22-8145")
    events = stream(*life("output_text", "text", made, CONTENT, ("content",), "content_part"), output=(FIRST, made))
    sent, shown = streamed([*opening(instructions="SSN 536-22-8145"), *events], paths=paths)
    assert json.dumps(sent).count("536-22-8145") == 7
    assert "8145" not in shown


# -- requests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "request_", "expected"),
    [
        ("a text", {"input": "a"}, False),
        ("messages", {"input": [{"role": "user", "content": "a"}]}, False),
        ("text parts", {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}]}, False),
        ("what was answered before", {"input": [message("a", logprobs=[])]}, False),
        ("reasoning of before", {"input": [item("reasoning", summary=[{"type": "summary_text", "text": "a"}])]}, False),
        ("encrypted reasoning", {"input": [item("reasoning", summary=[], encrypted_content="x")]}, True),
        ("calls and answers", {"input": [WHOLES["what a tool answered"], LIVES["arguments"][2]]}, False),
        ("a shell's output", {"input": [WHOLES["what a shell said"]]}, False),
        ("an image", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]}]}, True),
        ("a file", {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "x"}]}]}, True),
        (
            "an answer that is an image",
            {"input": [item("function_call_output", output=[{"type": "input_image"}])]},
            True,
        ),
        ("an item nobody knows", {"input": [{"type": "novel"}]}, True),
        ("a member nobody knows", {"input": [{"role": "user", "content": "a", "novel": "x"}]}, True),
        ("an item that is no object", {"input": ["a"]}, True),
        ("numbers of tokens", {"input": [1, 2]}, True),
        ("a tool that paints", {"input": "a", "tools": [{"type": "image_generation"}]}, True),
        ("a tool that is a function", {"input": "a", "tools": [{"type": "function", "name": "f"}]}, False),
        (
            "tools in a namespace",
            {"input": "a", "tools": [{"type": "namespace", "tools": [{"type": "custom"}]}]},
            False,
        ),
        ("a search in a namespace", {"input": "a", "tools": [{"type": "namespace", "tools": [{"type": "mcp"}]}]}, True),
        ("a server that the caller names", {"tools": [{"type": "mcp", "server_url": "https://x.example"}]}, True),
        ("a search that the server makes", {"tools": [{"type": "web_search"}]}, True),
        ("sound asked for", {"input": "a", "modalities": ["audio"]}, True),
        ("no object", [], True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_content_that_hides_text(sentence, request_, expected):
    assert openai_responses.unreadable(request_) is expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"input": "a", "store": True}, False),
        ({"previous_response_id": "resp_1"}, True),
        ({"previous_response_id": None, "conversation": None, "background": False}, False),
        ({"conversation": {"id": "conv_1"}}, True),
        ({"background": True}, True),
        ({"prompt": {"id": "pmpt_1"}}, True),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, True),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, True),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, True),
        ({"tools": [{"type": "code_interpreter", "container": "c"}]}, True),
        ({"metadata": {"file_id": "f"}}, False),
        ([], False),
    ],
)
def test_what_the_server_keeps(request_, expected):
    assert openai_responses.stored(request_) is expected


ENUM = {"type": "object", "properties": {"digit": {"enum": ["4", "5"]}}}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"max_output_tokens": 16, "text": {"format": {"type": "text"}}}, ()),
        ({"max_output_tokens": 2}, ("max_output_tokens",)),
        ({"structured_outputs": {"choice": ["a"]}}, ("structured_outputs",)),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": ENUM}}}, ("text",)),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}}, ()),
        ({"tools": [{"type": "function", "name": "f", "parameters": ENUM}], "tool_choice": "required"}, ("tools",)),
        ({"tools": [{"type": "custom", "name": "f", "format": {"type": "grammar", "definition": "x"}}]}, ("tools",)),
        ([], ()),
    ],
)
def test_what_decides_word_by_word_what_a_model_writes(request_, expected):
    assert openai_responses.steers(request_) == expected


REQUESTS = {
    "a text": {"input": NOTE},
    "a message": {"input": [{"role": "user", "content": NOTE}]},
    "a message in parts": {"input": [{"role": "user", "content": [{"type": "input_text", "text": NOTE}]}]},
    "instructions": {"instructions": NOTE},
    "what was answered before": {"input": [message(NOTE)]},
    "arguments of before": {"input": [LIVES["arguments"][2]]},
    "what a tool answered": {"input": [WHOLES["what a tool answered"]]},
    "reasoning of before": {"input": [LIVES["a summary of reasoning"][2]]},
    "what a shell said": {"input": [WHOLES["what a shell said"]]},
    "a tool": {"tools": [{"type": "function", "name": "f", "description": NOTE, "parameters": {"enum": [NOTE]}}]},
    "metadata": {"metadata": {"note": NOTE}},
    "who asks": {"user": NOTE, "safety_identifier": "Zebulon Quartermaine"},
    "a form": {"text": {"format": {"type": "json_schema", "schema": {"description": NOTE}}}},
    "what nobody knows": {"novel": NOTE},
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_every_text_of_a_request_is_masked_where_the_model_is_not_told(request_):
    made = onward(DIALECT, request_)
    assert hidden(made)
    assert "furosemide 40 mg" in json.dumps(made)
