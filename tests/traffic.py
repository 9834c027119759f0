"""What the live tests send, what a model server answers, and how to look for what must not be there."""

import contextlib
import json
from pathlib import Path

import httpx

CANARY_NAME = "Zebulon Quartermaine"
CANARY_SSN = "536-22-8145"
CANARY_MRN = "77310042"
CANARIES = (CANARY_NAME, "Quartermaine", CANARY_SSN, CANARY_MRN)
CANARY_TEXT = f"Patient: {CANARY_NAME}, MRN {CANARY_MRN}, SSN {CANARY_SSN}. Stable on furosemide 40 mg."
"""A text with identifiers that no detector of this gateway misses, so that any trace of it is a leak."""

CHAT = "/v1/chat/completions"


def chat(text="How is the patient?", **more):
    return {"model": "ward-assistant", "messages": [{"role": "user", "content": text}], **more}


def completion(text=CANARY_TEXT):
    """A whole answer of an OpenAI-compatible server."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    tree = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "ward-assistant",
        "choices": [choice],
    }
    return json.dumps(tree | {"usage": {"prompt_tokens": 9, "completion_tokens": 12}}).encode()


def events(text=CANARY_TEXT, step=4, done=True):
    """The same answer as the data of a stream's events."""
    pieces = [text[at : at + step] for at in range(0, len(text), step)]
    deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces), {}]
    frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "ward-assistant"}
    out = []
    for at, delta in enumerate(deltas):
        finish = "stop" if at == len(deltas) - 1 else None
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        out.append(b"data: " + json.dumps(frame | {"choices": [choice]}).encode() + b"\n\n")
    return [*out, b"data: [DONE]\n\n"] if done else out


def said(raw):
    """The text of a stream's answer, put together again."""
    text = ""
    for line in raw.decode().split("\n"):
        if line.startswith("data: {"):
            for choice in json.loads(line.removeprefix("data: ")).get("choices", []):
                text += choice["delta"].get("content") or ""
    return text


def leaks(raw):
    """Which canaries stand in some bytes or text, or in what a stream among them says once it is put together."""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else raw
    together = text + "\n" + "".join(strings_of(text))
    return [canary for canary in CANARIES if canary in together]


def strings_of(text):
    """Every string in the choices of a stream's events, in order."""
    for line in text.split("\n"):
        start = line.find("data: {")
        if start >= 0:
            with contextlib.suppress(ValueError):
                tree, _ = json.JSONDecoder().raw_decode(line[start + len("data: ") :])
                yield from _strings(tree.get("choices", []))


def _strings(node):
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _strings(item)


def records(folder):
    return [
        json.loads(line) for file in sorted(Path(folder).glob("*.jsonl")) for line in file.read_bytes().splitlines()
    ]


@contextlib.contextmanager
def as_person(gateway, bearer=None):
    headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
    with httpx.Client(base_url=gateway.url, headers=headers, trust_env=False, timeout=20) as made:
        yield made
