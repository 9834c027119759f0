"""Every place of an answer in which a model's text can stand, whole and streamed in pieces of one character."""

import json

import pytest

from model_server import Answer
from tests.traffic import CANARY_MRN, CANARY_NAME, CANARY_SSN, CANARY_TEXT, CHAT, chat, leaks

pytestmark = pytest.mark.live

FIELDS = {"patient_name": CANARY_NAME, "mrn": CANARY_MRN, "ssn": CANARY_SSN, "note": CANARY_TEXT}
ARGUMENTS = json.dumps(FIELDS)
NESTED = json.dumps({"body": json.dumps({"note": f"x\nPatient: {CANARY_NAME}\nMRN {CANARY_MRN}", "list": [FIELDS]})})
JSON_MODE = json.dumps({"note": f"Seen.\nPatient: {CANARY_NAME}\nMRN {CANARY_MRN}\nSSN {CANARY_SSN}."})

CHANNELS = [
    ("content", {"content": CANARY_TEXT}),
    ("content that is JSON", {"content": JSON_MODE}),
    ("reasoning", {"reasoning": CANARY_TEXT, "reasoning_content": CANARY_TEXT, "thinking": CANARY_TEXT}),
    ("a refusal", {"refusal": CANARY_TEXT}),
    (
        "a tool call",
        {
            "tool_calls": [
                {"index": 0, "id": "call_1", "type": "function", "function": {"name": "send", "arguments": ARGUMENTS}}
            ]
        },
    ),
    (
        "a tool call within a tool call",
        {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "send", "arguments": NESTED}}]},
    ),
    (
        "arguments that are cut off",
        {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "send", "arguments": JSON_MODE[:-4]}}]},
    ),
    ("an old function call", {"function_call": {"name": "send", "arguments": ARGUMENTS}}),
    ("a field nobody knows", {"novel": {"deep": [CANARY_TEXT]}}),
    ("a transcript", {"audio": {"transcript": CANARY_TEXT, "data": "QUJD"}}),
]


def pieces(node, at=()):
    """A message in many small ones: each string cut into characters, everything else in the first."""
    if isinstance(node, str) and len(node) > 20:
        return [nested(at, letter) for letter in node]
    if isinstance(node, dict):
        return [piece for key, value in node.items() for piece in pieces(value, (*at, key))]
    if isinstance(node, list):
        return [piece for item in node for piece in pieces(item, (*at, "[]"))]
    return []


def nested(path, leaf):
    for step in reversed(path):
        leaf = [{"index": 0, **leaf} if isinstance(leaf, dict) else leaf] if step == "[]" else {step: leaf}
    return leaf


def text_of(node):
    if isinstance(node, dict):
        return "".join(text_of(value) for value in node.values())
    if isinstance(node, list):
        return "".join(map(text_of, node))
    return node if isinstance(node, str) else ""


@pytest.mark.parametrize(("sentence", "message"), CHANNELS, ids=[channel[0] for channel in CHANNELS])
def test_whole(client, model, sentence, message):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    model.script = Answer.json(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    )
    answer = client.post(CHAT, json=chat())
    assert answer.status_code == 200
    assert leaks(answer.content) == []
    for call in answer.json()["choices"][0]["message"].get("tool_calls", []):
        if "cut off" not in sentence:
            json.loads(call["function"]["arguments"])


@pytest.mark.parametrize(("sentence", "message"), CHANNELS, ids=[channel[0] for channel in CHANNELS])
def test_streamed_in_single_characters(client, model, sentence, message):
    deltas = [{"role": "assistant"}, *pieces(message)]
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choices = [
        *({"index": 0, "delta": each, "finish_reason": None} for each in deltas),
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    ]
    events = [b"data: " + json.dumps(frame | {"choices": [choice]}).encode() + b"\n\n" for choice in choices]
    model.script = Answer.events([b"".join(events), b"data: [DONE]\n\n"])
    answer = client.post(CHAT, json=chat(stream=True)).content
    chunks = [json.loads(line.removeprefix(b"data: ")) for line in answer.split(b"\n") if line.startswith(b"data: {")]
    said = "".join(text_of(choice.get("delta", {})) for chunk in chunks for choice in chunk["choices"])
    assert leaks(answer) == []
    assert leaks(said) == []
    assert answer.endswith(b"data: [DONE]\n\n")
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert said or "transcript" in sentence
