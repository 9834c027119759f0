"""Ollama's own API: lines of JSON, streamed unless it is told not to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import MODEL, PIECE, TURN, WHOLE, Ask, Case, each_token, octets

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECT: Final = "ollama"
_SAID: Final = (WHOLE, PIECE)
_WHEN: Final = "2026-01-01T00:00:00Z"
_COUNTS: Final = {"done_reason": "stop", "total_duration": 1, "prompt_eval_count": 9, "eval_count": 12}


def _ask(chat: bool, **more: Any) -> Ask:
    if chat:
        return Ask("/api/chat", {"model": MODEL, "messages": [{"role": "user", "content": TURN}], **more})
    return Ask("/api/generate", {"model": MODEL, "prompt": TURN, **more})


def _line(chat: bool, said: Any, *, done: bool = False, **more: Any) -> dict[str, Any]:
    """One line; `said` is the message (chat) or members of the line itself (generate)."""
    body = {"message": {"role": "assistant", **said}} if chat else said
    return {"model": MODEL, "created_at": _WHEN, **body, "done": done, **(_COUNTS if done else {}), **more}


def _key(chat: bool) -> str:
    return "content" if chat else "response"


def _name(chat: bool, channel: str) -> str:
    return f"{'chat' if chat else 'generate'} {channel}"


def _both(
    chat: bool, channel: str, whole: Any, piece: Any, *, beside: bool = False, asked: Any = None
) -> Iterator[Case]:
    """Members of the message; or (`beside`) of the line."""
    key = _key(chat)
    first, empty = {key: probe.WITNESS}, {key: ""}
    ends = (("done", True),)
    within = (whole, piece) if not beside else ({}, {})
    outside = (whole, piece) if beside else ({}, {})
    body = _line(chat, first | within[0], done=True, **outside[0])
    asked = asked or {}
    yield Case(DIALECT, _name(chat, channel), _ask(chat, stream=False, **asked), "json", (body,), ends=ends)
    each = (_line(chat, empty | within[1], **outside[1]),)
    head = () if key in whole else (_line(chat, first),)
    tail = (_line(chat, empty, done=True),)
    yield Case(DIALECT, _name(chat, channel), _ask(chat, **asked), "ndjson", head, each, tail, ends=ends)


def _at_end(chat: bool, channel: str, said: Any, **more: Any) -> Iterator[Case]:
    """Members that only the last line has."""
    key, ends = _key(chat), (("done", True),)
    last = _line(chat, {key: probe.WITNESS}, done=True, **said)
    yield Case(DIALECT, _name(chat, channel), _ask(chat, stream=False), "json", (last,), ends=ends, **more)
    lines = (_line(chat, {key: probe.WITNESS}), _line(chat, {key: ""}, done=True, **said))
    yield Case(DIALECT, _name(chat, channel), _ask(chat), "ndjson", lines, ends=ends, **more)


def _texts() -> Iterator[Case]:
    for chat in (True, False):
        yield from _both(chat, _key(chat), *({_key(chat): said} for said in _SAID))
        yield from _both(chat, "thinking", *({"thinking": said} for said in _SAID))
        yield from _both(chat, "a field nobody knows", *({"novel": {"note": said}} for said in _SAID))
        quiet = {"logprob": -0.1, "bytes": [], "top_logprobs": []}
        forms = {
            "logprobs token": lambda token: quiet | {"token": token},  # noqa: B023 -- the same in each turn
            "logprobs bytes": lambda token: quiet | {"token": "?", "bytes": octets(token)},  # noqa: B023
            "logprobs top": lambda token: quiet | {"token": "?", "top_logprobs": [{"token": token, "logprob": -1.0}]},  # noqa: B023
        }
        for channel, form in forms.items():
            lists = ({"logprobs": said.written(each_token(form))} for said in _SAID)
            yield from _both(chat, channel, *lists, beside=True, asked={"logprobs": True})
        yield from _at_end(chat, "_debug_info", {"_debug_info": {"rendered_template": WHOLE}})
        yield from _at_end(chat, "done_reason", {"done_reason": WHOLE})
        error = {"error": WHOLE}
        yield Case(DIALECT, _name(chat, "error"), _ask(chat), "json", (error,), status=500)
        lines = (_line(chat, {_key(chat): "The"}), error)
        yield Case(DIALECT, _name(chat, "error in stream"), _ask(chat), "ndjson", lines)
    yield from _at_end(False, "context", {"context": WHOLE.written(cases.ids)})
    yield from _at_end(True, "tool arguments", {"message": _called(WHOLE.written(cases.as_object))})
    number = WHOLE.written(
        lambda text: {"note": text} | ({"mrn": 77310042} if probe.IDENTIFIERS["MRN"] in text else {})
    )
    yield from _at_end(True, "tool arguments, numbers", {"message": _called(number)})


def _called(arguments: Any) -> dict[str, Any]:
    calls = [{"function": {"name": "send_note", "arguments": arguments}}]
    return {"role": "assistant", "content": probe.WITNESS, "tool_calls": calls}


def _others() -> Iterator[Case]:
    show = Ask("/api/show", {"model": MODEL})
    plain = {"license": probe.WITNESS, "details": {"family": "llama"}, "capabilities": ["completion"]}
    for name in ("system", "template", "modelfile", "parameters"):
        yield Case(DIALECT, f"show {name}", show, "json", (plain | {name: WHOLE},))
    messages = plain | {"messages": [{"role": "user", "content": WHOLE}]}
    yield Case(DIALECT, "show messages", show, "json", (messages,))
    embed = Ask("/api/embed", {"model": MODEL, "input": TURN})
    echoed = {"model": MODEL, "embeddings": [[0.1, 0.2]], "note": probe.WITNESS, "input": WHOLE}
    yield Case(DIALECT, "embed echo", embed, "json", (echoed,), ends=(("embeddings", None),))
    running = {"models": [{"name": MODEL, "details": {"family": probe.WITNESS}, "note": WHOLE}]}
    yield Case(DIALECT, "tags, a field nobody knows", Ask("/api/tags", method="GET"), "json", (running,))


CASES: Final = tuple(each for part in (_texts, _others) for each in part())
