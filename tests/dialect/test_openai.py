"""What the OpenAI dialect says of chat and completions: every text of theirs, and what is refused."""

import json

import orjson
import pytest

from phigate.dialect import openai
from tests.dialect.seen import ARGUMENTS, NOTE, framed, hidden, letters, onward, told, whole


def test_errors_have_the_shape_that_clients_show():
    error = orjson.loads(openai.error_body(403, "no-rule", "No rule permits this.", {"ticket": "t-1"}))["error"]
    assert error == {
        "message": "No rule permits this.",
        "type": "permission_error",
        "param": None,
        "code": "no-rule",
        "ticket": "t-1",
    }


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "authentication_error"), (400, "invalid_request_error"), (503, "gateway_error")]
)
def test_the_error_type_follows_the_status(status, kind):
    assert orjson.loads(openai.error_body(status, "x", "y"))["error"]["type"] == kind


def test_usage():
    assert openai.DIALECT.used({"usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}) == {
        "input": 3,
        "output": 4,
    }
    assert openai.DIALECT.used({"usage": None}) == {}
    assert openai.DIALECT.used([]) == {}


# -- answers --------------------------------------------------------------------------------------------------------

TOKENS = [{"token": "Quartermaine", "bytes": [81], "logprob": -0.1, "top_logprobs": [{"token": "Zebulon"}]}]
CUSTOM = {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "note", "input": NOTE}}
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "send", "arguments": ARGUMENTS}}
CITED = {"type": "url_citation", "url_citation": {"title": NOTE, "url": "https://x.example/?mrn=77310042"}}
CHANNELS = {
    "content": {"content": NOTE},
    "content in parts": {"content": [{"type": "text", "text": NOTE}]},
    "a refusal": {"refusal": NOTE},
    "reasoning": {"reasoning": NOTE},
    "reasoning by its older name": {"reasoning_content": NOTE},
    "reasoning in parts": {"reasoning_details": [{"type": "reasoning.text", "text": NOTE, "signature": NOTE}]},
    "a summary of reasoning": {"reasoning_details": [{"type": "reasoning.summary", "summary": NOTE}]},
    "thinking": {"thinking": NOTE},
    "thinking in blocks": {"thinking_blocks": [{"type": "thinking", "thinking": NOTE, "signature": NOTE}]},
    "a function call": {"function_call": {"name": "send", "arguments": ARGUMENTS}},
    "a tool call": {"tool_calls": [CALL]},
    "a custom tool's input": {"tool_calls": [CUSTOM]},
    "an annotation": {"annotations": [CITED]},
    "a transcript": {"audio": {"id": "audio_1", "expires_at": 1730000000, "data": "WmVidWxvbg==", "transcript": NOTE}},
    "a field nobody knows": {"novel": {"deep": [NOTE]}},
}


def answer(message, **more):
    return {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "stop", **more}]}


def delta(finish=None, more=None, **message):
    choice = {"index": 0, "delta": message, "finish_reason": finish, **(more or {})}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def in_pieces(node, at=()):
    """A message as deltas: each long text in threes of letters, everything else at once."""
    if isinstance(node, str):
        return [nested(at, part) for part in (letters(node) if len(node) > 20 else [node])]
    if isinstance(node, dict):
        return [piece for key, value in node.items() for piece in in_pieces(value, (*at, key))]
    if isinstance(node, list):
        return [piece for number, item in enumerate(node) for piece in in_pieces(item, (*at, number))]
    return [nested(at, node)]


def nested(path, leaf):
    for step in reversed(path):
        leaf = [{"index": step, **leaf} if isinstance(leaf, dict) else leaf] if isinstance(step, int) else {step: leaf}
    return leaf


def joined(node, into):
    """A message as clients put it together."""
    for key, value in node.items():
        if isinstance(value, dict):
            joined(value, into.setdefault(key, {}))
        elif isinstance(value, list):
            items = into.setdefault(key, [])
            for item in value:
                if isinstance(item, dict):
                    bare = {name: inner for name, inner in item.items() if name != "index"}
                    items.append({}) if not items else None
                    joined(bare, items[0])
                else:
                    items[:] = ["".join([*items, item])]
        else:
            known = into.get(key)
            constant = key in {"id", "type", "name", "data"}
            into[key] = known + value if isinstance(value, str) and known and not constant else value
    return into


@pytest.mark.parametrize("message", CHANNELS.values(), ids=CHANNELS)
@pytest.mark.parametrize("step", [0, 1, 7])
def test_every_text_of_a_message_is_masked_alike_whole_and_streamed(message, step):
    at_once = whole(openai.DIALECT, answer(message))["choices"][0]["message"]
    chunks = [delta(role="assistant", content="") if "content" not in message else delta(role="assistant")]
    chunks += [delta(**piece) for piece in in_pieces(message)]
    sent, shown = told(openai.DIALECT, openai.STREAM, framed(openai.STREAM, [*chunks, delta("stop")]), step=step)
    made = {}
    for chunk in sent:
        for choice in chunk["choices"]:
            joined(choice["delta"], made)
    made.pop("role")
    expected = joined(at_once, {})
    assert {key: value for key, value in made.items() if value != ""} == expected
    assert hidden(at_once, made, shown)
    assert "furosemide 40 mg" in json.dumps(at_once)
    assert sent[-1]["choices"][0]["finish_reason"] == "stop"


def test_sound_is_left_out_beside_its_transcript():
    audio = whole(openai.DIALECT, answer(CHANNELS["a transcript"]))["choices"][0]["message"]["audio"]
    assert (audio["data"], audio["expires_at"], audio["id"]) == ("", 1730000000, "audio_1")


@pytest.mark.parametrize(
    "more",
    [
        {"logprobs": {"content": TOKENS, "refusal": TOKENS}},
        {"logprobs": {"tokens": ["Quartermaine"], "top_logprobs": [{"Zebulon": -0.1}], "text_offset": [0]}},
        {"stop_reason": "Quartermaine"},
        {"token_ids": [77310042], "prompt_logprobs": [{"7": {"decoded_token": "Zebulon"}}]},
    ],
    ids=["logprobs", "logprobs of completions", "the text it stopped at", "tokens"],
)
def test_what_repeats_the_text_in_pieces_is_left_out(more):
    at_once = whole(openai.DIALECT, answer({"content": "Well."}, **more))
    sent, shown = told(openai.DIALECT, openai.STREAM, framed(openai.STREAM, [delta(more=more, content="Well.")]))
    assert hidden(at_once, sent, shown)
    assert at_once["choices"][0]["message"] == {"content": "Well."}
    assert "Well." in json.dumps(sent)


def test_what_stands_beside_the_choices_is_masked():
    beside = {
        "prompt_text": NOTE,
        "metadata": {"note": NOTE},
        "prompt_token_ids": [7],
        "kv_transfer_params": {"a": "b"},
    }
    made = whole(openai.DIALECT, answer({"content": "Well."}) | beside)
    sent, shown = told(openai.DIALECT, openai.STREAM, framed(openai.STREAM, [delta(content="Well.") | beside]))
    assert hidden(made, sent, shown)
    assert "furosemide" in made["prompt_text"]
    assert not {"prompt_token_ids", "kv_transfer_params"} & made.keys()


def test_completions_are_masked_with_the_prompt_that_they_echo():
    made = whole(openai.DIALECT, {"choices": [{"index": 0, "text": NOTE}, {"index": 1, "text": NOTE}]})
    events = [{"choices": [{"index": at, "text": part}]} for part in letters(NOTE, 1) for at in (0, 1)]
    sent, _ = told(openai.DIALECT, openai.STREAM, framed(openai.STREAM, events))
    texts = ["", ""]
    for event in sent:
        for choice in event["choices"]:
            texts[choice["index"]] += choice["text"]
    assert texts == [choice["text"] for choice in made["choices"]]
    assert hidden(texts)


# -- requests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "request_", "expected"),
    [
        ("plain messages", {"messages": [{"role": "user", "content": "hello"}]}, False),
        ("text parts", {"messages": [{"content": [{"type": "text", "text": "a"}]}]}, False),
        ("no content at all", {"messages": [{"role": "assistant", "tool_calls": []}]}, False),
        ("an image", {"messages": [{"content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]}, True),
        ("audio", {"messages": [{"content": [{"type": "input_audio"}]}]}, True),
        ("a kind nobody knows", {"messages": [{"content": [{"type": "new"}]}]}, True),
        ("a part that is no object", {"messages": [{"content": ["text"]}]}, True),
        ("prompts as text", {"prompt": ["a", "b"]}, False),
        ("a prompt as token ids", {"prompt": [1, 2]}, True),
        ("prompts as lists of token ids", {"prompt": [[1], [2]]}, True),
        ("input as token ids", {"input": [1]}, True),
        ("text asked for", {"modalities": ["text"]}, False),
        ("sound asked for", {"modalities": ["text", "audio"]}, True),
        ("a predicted text", {"prediction": {"type": "content", "content": [{"type": "text", "text": "a"}]}}, False),
        ("a predicted image", {"prediction": {"type": "content", "content": [{"type": "image_url"}]}}, True),
        ("the caller's tools", {"tools": [{"type": "function"}, {"type": "custom"}, {}]}, False),
        ("no tools", {"tools": None}, False),
        ("a tool whose server the caller names", {"tools": [{"type": "mcp", "server_url": "https://x.example"}]}, True),
        ("a tool of no kind", {"tools": [{"type": None}]}, True),
        ("tools that are no list", {"tools": {"type": "function"}}, True),
        ("a search that the server makes", {"web_search_options": {}}, True),
        ("token ids in place of the messages", {"messages": [], "input_ids": [1, 2]}, True),
        ("code that chooses the tokens", {"messages": [], "custom_logit_processor": "80049536"}, True),
        ("no object", [], True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_content_that_hides_text(sentence, request_, expected):
    assert openai.unreadable(request_) is expected


@pytest.mark.parametrize(
    ("sentence", "request_", "expected"),
    [
        ("plain messages", {"messages": [{"role": "user", "content": "hello"}]}, False),
        (
            "a file's name on the server",
            {"messages": [{"content": [{"type": "file", "file": {"file_id": "f"}}]}]},
            True,
        ),
        ("a sound of an earlier answer", {"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, True),
        ("a tool that has files", {"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, True),
        (
            "a tool's parameter of such a name",
            {"tools": [{"function": {"parameters": {"properties": {"file_id": {"type": "string"}}}}}]},
            False,
        ),
        ("a caller's own word", {"metadata": {"container": "c"}}, False),
        ("a session of the server's", {"messages": [], "session_params": {"id": "s"}}, True),
        ("another server's cache", {"messages": [], "bootstrap_host": "10.0.0.1", "bootstrap_room": 0}, True),
        ("no session", {"messages": [], "session_params": None}, False),
        ("no object", [], False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_server_keeps(sentence, request_, expected):
    assert openai.stored(request_) is expected


ENUM = {"type": "object", "properties": {"digit": {"type": "string", "enum": ["4", "5"]}}}
PLAIN = {"type": "object", "properties": {"pattern": {"type": "string"}}}


def schema(inner):
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": inner}}


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"max_tokens": 500, "stop": ["\n"], "n": 2, "temperature": 0}, ()),
        ({"max_tokens": 1}, ("max_tokens",)),
        ({"max_completion_tokens": 2}, ("max_completion_tokens",)),
        ({"max_tokens": 0, "echo": True}, ()),
        ({"logit_bias": {"7": 100}}, ("logit_bias",)),
        ({"logit_bias": {}, "guided_choice": None}, ()),
        ({"guided_choice": ["a"], "guided_regex": "[0-9]"}, ("guided_choice", "guided_regex")),
        ({"structured_outputs": {"regex": "[0-9]"}}, ("structured_outputs",)),
        ({"response_format": {"type": "json_object"}}, ()),
        ({"response_format": schema(PLAIN)}, ()),
        ({"response_format": schema(ENUM)}, ("response_format",)),
        ({"response_format": {"type": "structural_tag"}}, ("response_format",)),
        ({"tools": [{"function": {"parameters": ENUM}}]}, ()),
        ({"tools": [{"function": {"parameters": ENUM}}], "tool_choice": "auto"}, ()),
        ({"tools": [{"function": {"parameters": ENUM}}], "tool_choice": "required"}, ("tools",)),
        ({"tools": [{"function": {"parameters": ENUM, "strict": True}}]}, ("tools",)),
        ({"functions": [{"parameters": ENUM}], "function_call": {"name": "x"}}, ("functions",)),
        ({"tools": [{"type": "custom", "custom": {"name": "x", "format": {"type": "grammar"}}}]}, ("tools",)),
        ({"tools": [{"type": "namespace", "tools": [{"parameters": ENUM, "strict": True}]}]}, ("tools",)),
        ({"n_predict": 1}, ("n_predict",)),
        ([], ()),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else "",
)
def test_what_decides_word_by_word_what_a_model_writes(request_, expected):
    assert openai.steers(request_) == expected


REQUESTS = {
    "a message": {"messages": [{"role": "user", "content": NOTE}]},
    "a message in parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": NOTE}]}]},
    "a system message": {"messages": [{"role": "system", "content": NOTE}]},
    "a tool call of before": {"messages": [{"role": "assistant", "tool_calls": [CALL]}]},
    "a custom tool call of before": {"messages": [{"role": "assistant", "tool_calls": [CUSTOM]}]},
    "a tool's answer": {"messages": [{"role": "tool", "tool_call_id": "call_1", "content": ARGUMENTS}]},
    "reasoning of before": {"messages": [{"role": "assistant", "reasoning_content": NOTE}]},
    "who speaks": {"messages": [{"role": "user", "name": "Zebulon-Quartermaine", "content": NOTE}]},
    "a prompt": {"prompt": [NOTE, NOTE]},
    "a suffix": {"prompt": "a", "suffix": NOTE},
    "a tool's description": {"tools": [{"type": "function", "function": {"name": "f", "description": NOTE}}]},
    "a tool's parameters": {"tools": [{"function": {"parameters": {"properties": {"a": {"enum": [NOTE]}}}}}]},
    "a predicted text": {"prediction": {"type": "content", "content": NOTE}},
    "a form": {"response_format": schema({"description": NOTE})},
    "who asks": {"user": NOTE},
    "metadata": {"metadata": {"note": NOTE}},
    "where to stop": {"stop": [NOTE]},
    "documents": {"documents": [{"title": NOTE, "text": NOTE}]},
    "a template": {"chat_template_kwargs": {"note": NOTE}},
    "what nobody knows": {"novel": [{"a": NOTE}]},
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_every_text_of_a_request_is_masked_where_the_model_is_not_told(request_):
    made = onward(openai.DIALECT, request_)
    assert hidden(made)
    assert "furosemide 40 mg" in json.dumps(made)


def test_names_of_tools_stay_what_they_are():
    request = {"tools": [{"type": "function", "function": {"name": "lookup_patient_by_mrn", "parameters": PLAIN}}]}
    assert onward(openai.DIALECT, request) == request
