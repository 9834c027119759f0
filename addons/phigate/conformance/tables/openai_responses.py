"""OpenAI's Responses: items of an output, and streams that say the same text up to five times."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import MODEL, PIECE, TURN, WHOLE, Ask, Case, each_token, in_base64, octets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from phigate.conformance.cases import Said

DIALECT: Final = "openai responses"
PATH: Final = "/v1/responses"
_EMBEDDED: Final = frozenset({"arguments"})


def _ask(**more: Any) -> Ask:
    return Ask(PATH, {"model": MODEL, "input": TURN, **more})


def _message(text: Any, **more: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], **more}
    return {"id": "msg_0", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


_WITNESS: Final = _message(probe.WITNESS)


def _response(*output: Any, status: str = "completed", **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 9, "output_tokens": 12, "total_tokens": 21}
    frame = {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": MODEL}
    return frame | {"output": list(output), "usage": usage, "error": None, "incomplete_details": None} | more


def _whole(channel: str, *output: Any, top: Any = None, **more: Any) -> Case:
    made: dict[str, Any] = {"embedded": _EMBEDDED, "ends": (("status", None),), "ask": _ask()} | more
    return Case(DIALECT, channel, framing="json", head=(_response(*output, **(top or {})),), **made)


# -- items, whole -----------------------------------------------------------------------------------------------------


def _item(kind: str, said: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "item_1", "type": kind, "status": "completed", **said}


def _refusal(said: Said) -> dict[str, Any]:
    return _WITNESS | {"id": "msg_1", "content": [{"type": "refusal", "refusal": said}]}


_TOKEN: Final = {"logprob": -0.1, "bytes": [], "top_logprobs": []}
_SPELT: Final = {
    "logprobs token": lambda token: _TOKEN | {"token": token},
    "logprobs bytes": lambda token: _TOKEN | {"token": "?", "bytes": octets(token)},
    "logprobs top": lambda token: _TOKEN | {"token": "?", "top_logprobs": [{"token": token, "logprob": -1.0}]},
}

ITEMS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("output_text", _message(WHOLE)),
    ("refusal", _refusal(WHOLE)),
    ("reasoning content", _item("reasoning", {"summary": [], "content": [{"type": "reasoning_text", "text": WHOLE}]})),
    ("reasoning summary", _item("reasoning", {"summary": [{"type": "summary_text", "text": WHOLE}]})),
    ("reasoning encrypted_content", _item("reasoning", {"summary": [], "encrypted_content": WHOLE.written(in_base64)})),
    ("function_call_output", _item("function_call_output", {"call_id": "call_1", "output": WHOLE})),
    ("custom_tool_call input", _item("custom_tool_call", {"call_id": "call_1", "name": "note", "input": WHOLE})),
    ("mcp_call output", _item("mcp_call", {"name": "t", "server_label": "s", "arguments": "{}", "output": WHOLE})),
    ("mcp_call error", _item("mcp_call", {"name": "t", "server_label": "s", "arguments": "{}", "error": WHOLE})),
    ("code_interpreter code", _item("code_interpreter_call", {"container_id": "c", "code": WHOLE, "outputs": []})),
    (
        "code_interpreter logs",
        _item("code_interpreter_call", {"container_id": "c", "code": "", "outputs": [{"type": "logs", "logs": WHOLE}]}),
    ),
    ("shell_call commands", _item("shell_call", {"call_id": "c", "action": {"commands": [WHOLE]}})),
    ("shell_call_output", _item("shell_call_output", {"call_id": "c", "output": [{"stdout": WHOLE, "stderr": ""}]})),
    ("local_shell_call", _item("local_shell_call", {"call_id": "c", "action": {"type": "exec", "command": [WHOLE]}})),
    ("web_search query", _item("web_search_call", {"action": {"type": "search", "query": WHOLE}})),
    ("file_search queries", _item("file_search_call", {"queries": [WHOLE], "results": None})),
    (
        "file_search results",
        _item("file_search_call", {"queries": [], "results": [{"file_id": "f", "filename": "a.txt", "text": WHOLE}]}),
    ),
    ("computer_call typing", _item("computer_call", {"call_id": "c", "action": {"type": "type", "text": WHOLE}})),
    ("image result", _item("image_generation_call", {"result": WHOLE.written(in_base64)})),
    ("an item nobody knows", _item("novel", {"deep": [{"note": WHOLE}]})),
    (
        "annotation title",
        _message("", annotations=[{"type": "url_citation", "title": WHOLE, "url": "https://x.example"}]),
    ),
    ("annotation file name", _message("", annotations=[{"type": "file_citation", "filename": WHOLE, "index": 0}])),
)

ECHOES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("instructions", {"instructions": WHOLE}),
    ("metadata", {"metadata": {"note": WHOLE}}),
    ("tools", {"tools": [{"type": "function", "name": "f", "description": WHOLE, "parameters": {}}]}),
    ("output_text on top", {"output_text": WHOLE}),
    ("incomplete_details", {"incomplete_details": {"reason": WHOLE}}),
    ("error message", {"error": {"code": "server_error", "message": WHOLE}}),
    ("user", {"user": WHOLE}),
    ("a field nobody knows", {"novel": {"note": WHOLE}}),
)


def _wholes() -> Iterator[Case]:
    for channel, item in ITEMS:
        witness = () if channel == "output_text" else (_WITNESS,)
        yield _whole(channel, *witness, item)
    for channel, spoken in _CALLS:
        call = {"call_id": "call_1", "name": "send_note", "arguments": WHOLE}
        yield _whole(f"function_call {channel}", _WITNESS, _item("function_call", call), spoken=spoken)
    call = {"name": "t", "server_label": "s", "arguments": WHOLE, "output": None}
    yield _whole("mcp_call arguments", _WITNESS, _item("mcp_call", call), spoken=cases.ARGUMENTS)
    for channel, form in _SPELT.items():
        yield _whole(channel, _message(probe.WITNESS, logprobs=WHOLE.written(each_token(form))))
    for channel, echo in ECHOES:
        yield _whole(channel, _WITNESS, top=echo)


_CALLS: Final = (("arguments", cases.ARGUMENTS), ("arguments, escaped", cases.ESCAPED))


def _stored() -> Iterator[Case]:
    """Responses that the server keeps, asked for again."""
    stored = Ask(f"{PATH}/resp_1", method="GET")
    yield _whole("stored response", _message(WHOLE), ask=stored)
    listed = {"object": "list", "data": [_message(WHOLE) | {"role": "user"}], "has_more": False}
    items = Ask(f"{PATH}/resp_1/input_items", method="GET")
    yield Case(DIALECT, "stored input", items, "json", head=(listed,), ends=(("data", None),))
    error = {"error": {"message": WHOLE, "type": "invalid_request_error", "param": "input", "code": None}}
    yield Case(DIALECT, "error 400", _ask(), "json", head=(error,), status=400)


# -- items, streamed --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Life:
    """How one kind of text is streamed: its events' name, the member of the last one, its item, its part."""

    event: str
    member: str
    item: dict[str, Any]
    at: dict[str, int] = field(default_factory=dict)
    part: tuple[str, dict[str, Any]] | None = None
    spoken: str = probe.TEXT


def _text(kind: str, member: str) -> dict[str, Any]:
    return {"type": kind, member: WHOLE} | ({"annotations": []} if kind == "output_text" else {})


_CONTENT: Final = {"content_index": 0}
_CALL: Final = {"call_id": "call_1", "name": "send_note", "server_label": "s"}
LIVES: Final = {
    "output_text": Life(
        "output_text", "text", _message(WHOLE), _CONTENT, ("content_part", _text("output_text", "text"))
    ),
    "refusal": Life("refusal", "refusal", _refusal(WHOLE), _CONTENT, ("content_part", _text("refusal", "refusal"))),
    "reasoning content": Life(
        "reasoning_text",
        "text",
        ITEMS[2][1],
        _CONTENT,
        ("content_part", _text("reasoning_text", "text")),
    ),
    "reasoning summary": Life(
        "reasoning_summary_text",
        "text",
        ITEMS[3][1],
        {"summary_index": 0},
        ("reasoning_summary_part", _text("summary_text", "text")),
    ),
    "function_call arguments": Life(
        "function_call_arguments",
        "arguments",
        _item("function_call", _CALL | {"arguments": WHOLE}),
        spoken=cases.ARGUMENTS,
    ),
    "function_call arguments, escaped": Life(
        "function_call_arguments",
        "arguments",
        _item("function_call", _CALL | {"arguments": WHOLE}),
        spoken=cases.ESCAPED,
    ),
    "mcp_call arguments": Life(
        "mcp_call_arguments", "arguments", _item("mcp_call", _CALL | {"arguments": WHOLE}), spoken=cases.ARGUMENTS
    ),
    "custom_tool_call input": Life("custom_tool_call_input", "input", ITEMS[6][1]),
    "code_interpreter code": Life("code_interpreter_call_code", "code", ITEMS[9][1]),
    "shell_call commands": Life("shell_call_command", "command", ITEMS[11][1], {"command_index": 0}),
}
_BARE: Final[dict[str, Any]] = {"status": "in_progress", "content": [], "summary": [], "outputs": [], "action": None}
_EMPTY: Final = ("arguments", "input", "code")


def _beginning(item: dict[str, Any]) -> dict[str, Any]:
    """An item before anything of it was said."""
    bare = {key: _BARE.get(key, "" if key in _EMPTY else value) for key, value in item.items()}
    return bare if bare["type"] != "shell_call" else bare | {"action": {"commands": []}}


def _numbered(events: list[dict[str, Any]], start: int) -> tuple[dict[str, Any], ...]:
    return tuple(event | {"sequence_number": start + at} for at, event in enumerate(events))


def _opening() -> list[dict[str, Any]]:
    return [
        {"type": f"response.{name}", "response": _response(status="in_progress")} for name in ("created", "in_progress")
    ]


_DONE_FIRST: Final[list[dict[str, Any]]] = [
    {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": _WITNESS | {"content": [], "status": "in_progress"},
    },
    {
        "type": "response.content_part.added",
        "item_id": "msg_0",
        "output_index": 0,
        **_CONTENT,
        "part": {"type": "output_text", "text": "", "annotations": []},
    },
    {"type": "response.output_text.delta", "item_id": "msg_0", "output_index": 0, **_CONTENT, "delta": probe.WITNESS},
    {"type": "response.output_text.done", "item_id": "msg_0", "output_index": 0, **_CONTENT, "text": probe.WITNESS},
    {
        "type": "response.content_part.done",
        "item_id": "msg_0",
        "output_index": 0,
        **_CONTENT,
        "part": _WITNESS["content"][0],
    },
    {"type": "response.output_item.done", "output_index": 0, "item": _WITNESS},
]
"""A message that holds nothing to hide, before the item that does."""


def _stream(channel: str, head: Any, each: Any, tail: Any, **more: Any) -> Case:
    made: dict[str, Any] = {"ends": (("type", "response.completed"),), "embedded": _EMBEDDED} | more
    numbered = (_numbered(head, 0), _numbered(each, 20), _numbered(tail, 40))
    return Case(DIALECT, channel, _ask(stream=True), "sse-typed", *numbered, **made)


def _completed(*output: Any, **more: Any) -> dict[str, Any]:
    return {"type": "response.completed", "response": _response(_WITNESS, *output, **more)}


def _life(channel: str, life: Life) -> Case:
    at = {"item_id": life.item["id"], "output_index": 1, **life.at}
    head = [{"type": "response.output_item.added", "output_index": 1, "item": _beginning(life.item)}]
    each = [{"type": f"response.{life.event}.delta", **at, "delta": PIECE}]
    tail = [{"type": f"response.{life.event}.done", **at, life.member: WHOLE}]
    if life.part:
        name, part = life.part
        bare = part | {key: "" for key, value in part.items() if value is WHOLE}
        head.append({"type": f"response.{name}.added", **at, "part": bare})
        tail.append({"type": f"response.{name}.done", **at, "part": part})
    tail.append({"type": "response.output_item.done", "output_index": 1, "item": life.item})
    made = [*_opening(), *_DONE_FIRST, *head], each, [*tail, _completed(life.item)]
    return _stream(channel, *made, agree=True, spoken=life.spoken)


def _streams() -> Iterator[Case]:
    for channel, life in LIVES.items():
        yield _life(channel, life)
    begin = [*_opening(), *_DONE_FIRST]
    at = {"item_id": "item_1", "output_index": 1}
    for channel, event in _SINGLE:
        each = [{"type": f"response.{event[0]}", **at, **event[1]}]
        yield _stream(channel, begin, each, [_completed()])
    for channel, form in _SPELT.items():
        delta = {"type": "response.output_text.delta", **at, **_CONTENT, "delta": ""}
        each = [delta | {"logprobs": PIECE.written(each_token(form))}]
        yield _stream(channel, begin, each, [_completed()])
    note = {"type": "response.output_text.annotation.added", **at, **_CONTENT, "annotation_index": 0}
    cited = note | {"annotation": {"type": "url_citation", "title": WHOLE, "url": "https://x.example"}}
    yield _stream("annotation title", [*begin, cited], [], [_completed()])
    for channel, item in ITEMS:
        if channel not in LIVES and not channel.startswith("annotation"):
            added = {"type": "response.output_item.added", "output_index": 1, "item": _beginning(item)}
            done = {"type": "response.output_item.done", "output_index": 1, "item": item}
            yield _stream(channel, [*begin, added], [], [done, _completed(item)], agree=True)
    for channel, echo in ECHOES:
        opening = [event | {"response": event["response"] | echo} for event in _opening()]
        tail = [_completed(**echo)]
        if "error" in channel:
            tail = [{"type": "response.failed", "response": _response(_WITNESS, status="failed", **echo)}]
        yield _stream(channel, [*opening, *_DONE_FIRST], [], tail, agree=True, ends=(("type", tail[0]["type"]),))
    error = {"type": "error", "code": "server_error", "message": WHOLE, "param": None}
    yield _stream("error in stream", [*_opening(), error], [], [], ends=())


_SINGLE: Final[tuple[tuple[str, tuple[str, dict[str, Any]]], ...]] = (
    (
        "shell_call_output",
        ("shell_call_output_content.delta", {"command_index": 0, "delta": {"stdout": PIECE, "stderr": ""}}),
    ),
    ("audio transcript", ("audio.transcript.delta", {"delta": PIECE})),
    ("audio data", ("audio.delta", {"delta": PIECE.written(in_base64)})),
    ("partial image", ("image_generation_call.partial_image", {"partial_image_b64": PIECE.written(in_base64)})),
    ("an event nobody knows", ("novel.delta", {"delta": PIECE})),
    ("an event nobody knows, nested", ("novel.delta", {"novel": {"deep": [PIECE]}})),
    ("obfuscation", ("output_text.delta", {**_CONTENT, "delta": "", "obfuscation": PIECE})),
)

CASES: Final = tuple(each for part in (_wholes, _stored, _streams) for each in part())
