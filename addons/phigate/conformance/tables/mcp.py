"""The Model Context Protocol over streamable HTTP: JSON-RPC answers, whole or as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import TURN, WHOLE, Ask, Case, in_base64

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECT: Final = "mcp"
_HEADERS: Final = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}


def _ask(method: str, **params: Any) -> Ask:
    return Ask("/mcp", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}, headers=_HEADERS)


def _result(**result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": result}


_CALL: Final = _ask("tools/call", name="chart", arguments={"question": TURN})
_READ: Final = _ask("resources/read", uri="chart://1")
_PROMPT: Final = _ask("prompts/get", name="handover", arguments={})
_LIST: Final = _ask("tools/list")
_WITNESS: Final = {"type": "text", "text": probe.WITNESS}
_RESOURCE: Final = {"uri": "chart://1", "mimeType": "text/plain"}


def _content(**block: Any) -> dict[str, Any]:
    return _result(content=[_WITNESS, block], isError=False)


_ANSWERS: Final = (
    ("tool text", _CALL, _content(type="text", text=WHOLE)),
    ("tool structuredContent", _CALL, _result(content=[_WITNESS], structuredContent=WHOLE.written(cases.as_object))),
    ("tool resource text", _CALL, _content(type="resource", resource=_RESOURCE | {"text": WHOLE})),
    ("tool resource blob", _CALL, _content(type="resource", resource=_RESOURCE | {"blob": WHOLE.written(in_base64)})),
    ("tool resource_link", _CALL, _content(type="resource_link", uri="chart://1", name="chart", description=WHOLE)),
    ("tool image", _CALL, _content(type="image", mimeType="image/png", data=WHOLE.written(in_base64))),
    ("tool content nobody knows", _CALL, _content(type="novel", note=WHOLE)),
    ("tool error", _CALL, _result(content=[_WITNESS, {"type": "text", "text": WHOLE}], isError=True)),
    ("_meta", _CALL, _result(content=[_WITNESS], _meta={"note": WHOLE})),
    ("resource text", _READ, _result(contents=[_RESOURCE | {"text": WHOLE}, _RESOURCE | {"text": probe.WITNESS}])),
    ("resource blob", _READ, _result(contents=[_RESOURCE | {"blob": WHOLE.written(in_base64)}], note=probe.WITNESS)),
    (
        "prompt",
        _PROMPT,
        _result(description=probe.WITNESS, messages=[{"role": "user", "content": {"type": "text", "text": WHOLE}}]),
    ),
    ("prompt description", _PROMPT, _result(description=WHOLE, messages=[{"role": "user", "content": _WITNESS}])),
    (
        "tool description",
        _LIST,
        _result(tools=[{"name": "chart", "description": WHOLE, "inputSchema": {}}], note=probe.WITNESS),
    ),
)


def _answers() -> Iterator[Case]:
    for channel, ask, body in _ANSWERS:
        ends = (("result", None),)
        yield Case(DIALECT, channel, ask, "json", (body,), ends=ends)
        yield Case(DIALECT, channel, ask, "sse", (body,), ends=ends)
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": WHOLE}}
    data = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "no", "data": {"note": WHOLE}}}
    for channel, body in (("error message", error), ("error data", data)):
        yield Case(DIALECT, channel, _CALL, "json", (body,))
        yield Case(DIALECT, channel, _CALL, "sse", (body,))


def _events() -> Iterator[Case]:
    """What a server sends before its answer, in the same stream: each of it a message of its own, and whole."""
    last = _result(content=[_WITNESS], isError=False)
    ends = (("result", None),)
    message = {"role": "user", "content": {"type": "text", "text": WHOLE}}
    told: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("notifications/progress", "notifications/progress", {"progressToken": 1, "progress": 1, "message": WHOLE}),
        ("notifications/message", "notifications/message", {"level": "info", "data": WHOLE}),
        ("notifications/message, nested", "notifications/message", {"level": "info", "data": {"deep": [WHOLE]}}),
        ("a notification nobody knows", "notifications/novel", {"note": WHOLE}),
    )
    for channel, method, params in told:
        event = {"jsonrpc": "2.0", "method": method, "params": params}
        yield Case(DIALECT, channel, _CALL, "sse", (event, last), ends=ends)
    whole: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("sampling request", "sampling/createMessage", {"messages": [message], "maxTokens": 10}),
        ("elicitation request", "elicitation/create", {"message": WHOLE, "requestedSchema": {}}),
    )
    for channel, method, params in whole:
        asked = {"jsonrpc": "2.0", "id": 9, "method": method, "params": params}
        yield Case(DIALECT, channel, _CALL, "sse", (asked, last), ends=ends)


CASES: Final = tuple(each for part in (_answers, _events) for each in part())
