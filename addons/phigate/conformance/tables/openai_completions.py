"""OpenAI's legacy completions, and what vLLM adds to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import MODEL, PIECE, TURN, WHOLE, Ask, Case, each_token

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECT: Final = "openai completions"
_SAID: Final = (WHOLE, PIECE)
_QUIET: Final = {"token_logprobs": [-0.1], "text_offset": [0]}


def _ask(**more: Any) -> Ask:
    return Ask("/v1/completions", {"model": MODEL, "prompt": TURN, **more})


def _frame(*choices: dict[str, Any], **top: Any) -> dict[str, Any]:
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": MODEL, "choices": list(choices), **top}


def _choice(text: Any, *, index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish, **more}


_USAGE: Final = {"usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}}
_END: Final = (_frame(_choice("", finish="stop")), _frame(**_USAGE), "[DONE]")


def _whole(channel: str, *choices: Any, top: Any = None, asked: Any = None, **more: Any) -> Case:
    ends = (("choices.0.finish_reason", None),)
    body = _frame(*choices, **_USAGE, **(top or {}))
    return Case(DIALECT, channel, _ask(**(asked or {})), "json", head=(body,), ends=ends, **more)


def _stream(channel: str, *each: Any, head: Any = (), tail: Any = _END, asked: Any = None, **more: Any) -> Case:
    ask = _ask(stream=True, **(asked or {}))
    ends = (("choices.0.finish_reason", None), ("", "[DONE]"))
    return Case(DIALECT, channel, ask, "sse", head=head, each=each, tail=tail, ends=ends, **more)


def _both(channel: str, whole: Any, piece: Any, *, top: bool = False, asked: Any = None) -> Iterator[Case]:
    """Members beside the text, or (`top`) beside the choices."""
    of_choice = ({}, {}) if top else (whole, piece)
    of_top = (whole, piece) if top else ({}, {})
    yield _whole(channel, _choice(probe.WITNESS, finish="stop", **of_choice[0]), top=of_top[0], asked=asked)
    begin = (_frame(_choice(probe.WITNESS)),)
    yield _stream(channel, _frame(_choice("", **of_choice[1]), **of_top[1]), head=begin, asked=asked)


def _texts() -> Iterator[Case]:
    yield _whole("text", _choice(WHOLE, finish="stop"))
    yield _stream("text", _frame(_choice(PIECE)))
    echo = WHOLE.written(lambda text: f"{text} {probe.WITNESS}")
    yield _whole("echo of the prompt", _choice(echo, finish="stop"), asked={"echo": True})
    rest = (_frame(_choice(f" {probe.WITNESS}")), *_END)
    yield _stream("echo of the prompt", _frame(_choice(PIECE)), tail=rest, asked={"echo": True})
    two = (_choice(WHOLE, index=index, finish="stop") for index in (0, 1))
    yield _whole("n of 2", *two, asked={"n": 2}, agree=True)
    turns = (_frame(_choice(PIECE, index=index)) for index in (0, 1))
    ends = (_frame(*(_choice("", index=index, finish="stop") for index in (0, 1))), *_END[1:])
    yield _stream("n of 2", *turns, tail=ends, asked={"n": 2}, agree=True)
    yield from _both("a field nobody knows", *({"novel": {"note": said}} for said in _SAID))
    yield from _both("reasoning", *({"reasoning": said} for said in _SAID))


def _sides() -> Iterator[Case]:
    asked = {"logprobs": 1}
    split = (said.written(cases.tokens) for said in _SAID)
    yield from _both("logprobs.tokens", *({"logprobs": {"tokens": said, **_QUIET}} for said in split), asked=asked)
    keys = [said.written(each_token(lambda token: {token: -0.1})) for said in _SAID]
    tops = ({"logprobs": {"tokens": ["?"], "top_logprobs": said, **_QUIET}} for said in keys)
    yield from _both("logprobs.top_logprobs keys", *tops, asked=asked)
    form = each_token(lambda token: {"7": {"logprob": -0.1, "rank": 1, "decoded_token": token}})
    scores = ({"prompt_logprobs": said.written(form)} for said in _SAID)
    yield from _both("prompt_logprobs", *scores)
    for name in ("token_ids", "prompt_token_ids"):
        yield from _both(name, *({name: said.written(cases.ids)} for said in _SAID))
    yield from _both("kv_transfer_params", *({"kv_transfer_params": {"note": said}} for said in _SAID), top=True)
    yield from _both("prompt_text", *({"prompt_text": said} for said in _SAID), top=True)
    yield _whole("stop_reason", _choice(probe.WITNESS, finish="stop", stop_reason=WHOLE))
    finish = (_frame(_choice("", finish="stop", stop_reason=WHOLE)), *_END[1:])
    yield _stream("stop_reason", head=(_frame(_choice(probe.WITNESS)),), tail=finish)


def _errors() -> Iterator[Case]:
    error = {"error": {"message": WHOLE, "type": "server_error", "param": None, "code": 400}}
    yield Case(DIALECT, "error", _ask(), "json", head=(error,), status=400)
    begin = _frame(_choice("The"))
    yield Case(DIALECT, "error in stream", _ask(stream=True), "sse", head=(begin, error))


CASES: Final = tuple(each for part in (_texts, _sides, _errors) for each in part())
