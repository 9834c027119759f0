"""Cohere's chat, version 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import MODEL, PIECE, TURN, WHOLE, Ask, Case

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECT: Final = "cohere"
_EMBEDDED: Final = frozenset({"arguments"})
_WITNESS: Final = {"type": "text", "text": probe.WITNESS}
_USAGE: Final = {"billed_units": {"input_tokens": 9, "output_tokens": 12}}


def _ask(**more: Any) -> Ask:
    return Ask("/v2/chat", {"model": MODEL, "messages": [{"role": "user", "content": TURN}], **more})


def _whole(channel: str, message: Any, *, top: Any = None, **more: Any) -> Case:
    said = {"role": "assistant", "content": [_WITNESS], **message}
    body = {"id": "1", "finish_reason": "COMPLETE", "message": said, "usage": _USAGE, **(top or {})}
    ends = (("finish_reason", None),)
    return Case(DIALECT, channel, _ask(), "json", (body,), ends=ends, embedded=_EMBEDDED, **more)


def _event(kind: str, message: Any = None, index: int = 0) -> dict[str, Any]:
    delta = {} if message is None else {"delta": {"message": message}}
    return {"type": kind, "index": index, **delta}


_BEGIN: Final = {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant", "content": []}}}
_END: Final = {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": _USAGE}}


def _block(index: int, kind: str, said: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    begin = _event("content-start", {"content": {"type": kind, kind: ""}}, index)
    return begin, _event("content-delta", {"content": {kind: said}}, index), _event("content-end", None, index)


_FIRST: Final = (_BEGIN, *_block(0, "text", probe.WITNESS))


def _stream(channel: str, head: Any, each: Any, tail: Any, **more: Any) -> Case:
    ends = (("delta.finish_reason", None), ("type", "message-end"))
    made: dict[str, Any] = {"ends": ends, "embedded": _EMBEDDED} | more
    return Case(DIALECT, channel, _ask(stream=True), "sse-typed", head, each, tail, **made)


def _call(arguments: Any, **more: Any) -> dict[str, Any]:
    return {"id": "t_1", "type": "function", "function": {"name": "send_note", "arguments": arguments}, **more}


def _texts() -> Iterator[Case]:
    for kind in ("text", "thinking"):
        witness = [] if kind == "text" else [_WITNESS]
        yield _whole(kind, {"content": [{"type": kind, kind: WHOLE}, *witness]})
        first = (_BEGIN,) if kind == "text" else _FIRST
        begin, each, end = _block(len(first) // 3, kind, PIECE)
        yield _stream(kind, (*first, begin), (each,), (end, _END))
    yield _whole("tool_plan", {"tool_plan": WHOLE})
    yield _stream("tool_plan", _FIRST, (_event("tool-plan-delta", {"tool_plan": PIECE}),), (_END,))
    for channel, spoken in (("arguments", cases.ARGUMENTS), ("arguments, escaped", cases.ESCAPED)):
        yield _whole(f"tool_calls {channel}", {"tool_calls": [_call(WHOLE)]}, spoken=spoken)
        begin = _event("tool-call-start", {"tool_calls": _call("")}, 1)
        each = _event("tool-call-delta", {"tool_calls": {"function": {"arguments": PIECE}}}, 1)
        tail = (_event("tool-call-end", None, 1), _END)
        yield _stream(f"tool_calls {channel}", (*_FIRST, begin), (each,), tail, spoken=spoken)


def _sides() -> Iterator[Case]:
    source = {"type": "document", "id": "d", "document": {"title": WHOLE}}
    output = {"type": "tool", "id": "t", "tool_output": {"rows": [WHOLE]}}
    for channel, citation in (
        ("citation text", {"text": WHOLE, "sources": []}),
        ("citation document", {"text": "", "sources": [source]}),
        ("citation tool output", {"text": "", "sources": [output]}),
    ):
        placed = {"start": 0, "end": 3, **citation}
        yield _whole(channel, {"citations": [placed]})
        events = (_event("citation-start", {"citations": placed}), _event("citation-end"))
        yield _stream(channel, (*_FIRST, *events), (), (_END,))
    scores = {"token_ids": [5], "text": WHOLE, "logprobs": [-0.1]}
    yield _whole("logprobs text", {}, top={"logprobs": [scores]})
    delta = _event("content-delta", {"content": {"text": ""}})
    yield _stream("logprobs text", _FIRST, (delta | {"logprobs": {"token_ids": [5], "text": PIECE}},), (_END,))
    identified = [{"token_ids": WHOLE.written(cases.ids), "text": "", "logprobs": [-0.1]}]
    yield _whole("logprobs token_ids", {}, top={"logprobs": identified})
    yield _stream("debug prompt", (*_FIRST, {"type": "debug", "prompt": WHOLE}), (), (_END,))
    yield _whole("prompt", {}, top={"prompt": WHOLE})
    yield _whole("a field nobody knows", {"novel": {"note": WHOLE}})
    unknown = _event("content-delta", {"content": {"novel": PIECE}})
    yield _stream("a field nobody knows", _FIRST, (unknown,), (_END,))
    yield _stream("an event nobody knows", _FIRST, ({"type": "novel", "note": PIECE},), (_END,))
    yield Case(DIALECT, "error", _ask(), "json", ({"message": WHOLE},), status=400)
    failed = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": WHOLE}}
    yield _stream("error in stream", (_BEGIN, failed), (), (), ends=())


CASES: Final = tuple(each for part in (_texts, _sides) for each in part())
