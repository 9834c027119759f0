"""Anthropic's messages: content in blocks, each begun, continued and stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import MODEL, PIECE, TURN, WHOLE, Ask, Case, in_base64

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECT: Final = "anthropic"
_HEADERS: Final = {"anthropic-version": "2023-06-01"}
_WITNESS: Final = {"type": "text", "text": probe.WITNESS}


def _ask(**more: Any) -> Ask:
    messages = [{"role": "user", "content": TURN}]
    return Ask("/v1/messages", {"model": MODEL, "max_tokens": 1024, "messages": messages, **more}, headers=_HEADERS)


def _message(*content: Any, **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 9, "output_tokens": 12}
    frame = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": list(content)}
    return frame | {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage} | more


def _whole(channel: str, *content: Any, top: Any = None, **more: Any) -> Case:
    body = _message(*content, **(top or {}))
    return Case(DIALECT, channel, _ask(), "json", head=(body,), ends=(("stop_reason", None),), **more)


def _start(index: int, block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _delta(index: int, delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def _stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


_BEGIN: Final = {"type": "message_start", "message": _message(stop_reason=None)}
_FIRST: Final = (
    _BEGIN,
    _start(0, {"type": "text", "text": ""}),
    {"type": "ping"},
    _delta(0, {"type": "text_delta", "text": probe.WITNESS}),
    _stop(0),
)


def _end(stop: dict[str, Any] | None = None) -> tuple[dict[str, Any], ...]:
    delta = {"stop_reason": "end_turn", "stop_sequence": None} | (stop or {})
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 12}}, {"type": "message_stop"}


_ENDS: Final = (("delta.stop_reason", None), ("type", "message_stop"))


def _stream(channel: str, begin: Any, *deltas: Any, first: Any = _FIRST, **more: Any) -> Case:
    """A block behind the first one, that begins with `begin`."""
    index = sum(event["type"] == "content_block_start" for event in first)
    made: dict[str, Any] = {"ends": _ENDS, "embedded": frozenset({"partial_json"})} | more
    each = tuple(_delta(index, delta) for delta in deltas)
    head = (*first, _start(index, begin))
    return Case(DIALECT, channel, _ask(stream=True), "sse-typed", head, each, (_stop(index), *_end()), **made)


def _texts() -> Iterator[Case]:
    yield _whole("text", {"type": "text", "text": WHOLE})
    yield _stream("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": PIECE}, first=(_BEGIN,))
    yield _whole("thinking", {"type": "thinking", "thinking": WHOLE, "signature": "EqQB"}, _WITNESS)
    begin = {"type": "thinking", "thinking": "", "signature": ""}
    yield _stream("thinking", begin, {"type": "thinking_delta", "thinking": PIECE})
    signed = {"type": "thinking", "thinking": "The dose is right.", "signature": WHOLE.written(in_base64)}
    yield _whole("signature", signed, _WITNESS)
    yield _stream("signature", begin, {"type": "signature_delta", "signature": PIECE.written(in_base64)})
    hidden = {"type": "redacted_thinking", "data": WHOLE.written(in_base64)}
    yield _whole("redacted_thinking", hidden, _WITNESS)
    yield _stream("redacted_thinking", hidden)
    for channel, spoken in (("arguments", cases.ARGUMENTS), ("arguments, escaped", cases.ESCAPED)):
        call: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "send_note", "input": {}}
        json = {"type": "input_json_delta", "partial_json": PIECE}
        yield _stream(f"tool_use {channel}", call, json, spoken=spoken)
    used = {"type": "tool_use", "id": "toolu_1", "name": "send_note", "input": WHOLE.written(cases.as_object)}
    yield _whole("tool_use arguments", used, _WITNESS)
    numbers = {"mrn": 77310042, "ssn": 536228145, "dose": "furosemide 40 mg"}
    held = WHOLE.written(lambda text: {"note": text} | (numbers if probe.IDENTIFIERS["MRN"] in text else {}))
    yield _whole("tool_use arguments, numbers", used | {"input": held}, _WITNESS)


def _blocks() -> Iterator[Case]:
    """Blocks that come whole, and text within them."""
    results = {"type": "web_search_result", "url": "https://x.example", "title": WHOLE, "encrypted_content": ""}
    listed = (
        (
            "tool result",
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": WHOLE}]},
        ),
        ("tool result, a string", {"type": "tool_result", "tool_use_id": "toolu_1", "content": WHOLE}),
        ("server tool", {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": WHOLE}}),
        ("search result", {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [results]}),
        ("MCP result", {"type": "mcp_tool_result", "tool_use_id": "m", "content": [{"type": "text", "text": WHOLE}]}),
        ("a block nobody knows", {"type": "novel", "deep": [{"note": WHOLE}]}),
    )
    for channel, block in listed:
        yield _whole(channel, _WITNESS, block)
        yield _stream(channel, block)
    for name in ("cited_text", "document_title", "title", "url"):
        citation = {"type": "char_location", "document_index": 0, name: WHOLE}
        cited = {"type": "text", "text": probe.WITNESS, "citations": [citation]}
        yield _whole(f"citation {name}", cited)
        delta = {"type": "citations_delta", "citation": citation}
        events = (*_FIRST, _start(1, {"type": "text", "text": ""}), _delta(1, delta))
        yield Case(
            DIALECT, f"citation {name}", _ask(stream=True), "sse-typed", events, (), (_stop(1), *_end()), ends=_ENDS
        )


def _sides() -> Iterator[Case]:
    stop = {"stop_reason": "stop_sequence", "stop_sequence": WHOLE}
    yield _whole("stop_sequence", _WITNESS, top=stop)
    yield Case(DIALECT, "stop_sequence", _ask(stream=True), "sse-typed", _FIRST, (), _end(stop), ends=_ENDS)
    yield _whole("a field nobody knows", _WITNESS, top={"novel": {"note": WHOLE}})
    unknown = {"type": "content_block_delta", "index": 0, "delta": {"type": "novel_delta", "novel": PIECE}}
    first = (*_FIRST[:-1],)
    for channel, each, tail in (
        ("a delta nobody knows", unknown, (_stop(0), *_end())),
        ("a field nobody knows", {"type": "ping", "note": PIECE}, (_stop(0), *_end())),
        ("an event nobody knows", {"type": "novel", "note": PIECE}, (_stop(0), *_end())),
    ):
        yield Case(DIALECT, channel, _ask(stream=True), "sse-typed", first, (each,), tail, ends=_ENDS)
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": WHOLE}, "request_id": "req_1"}
    yield Case(DIALECT, "error", _ask(), "json", head=(error,), status=400)
    yield Case(DIALECT, "error in stream", _ask(stream=True), "sse-typed", (_BEGIN, error))


CASES: Final = tuple(each for part in (_texts, _blocks, _sides) for each in part())
