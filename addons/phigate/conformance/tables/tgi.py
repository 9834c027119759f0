"""Hugging Face's text-generation-inference: its own routes (its OpenAI ones are OpenAI's)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import PIECE, TURN, WHOLE, Ask, Case, each_token

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECT: Final = "tgi"


def _ask(path: str, **parameters: Any) -> Ask:
    return Ask(path, {"inputs": TURN, "parameters": {"details": True, **parameters}})


def _token(text: Any, at: int = 5) -> dict[str, Any]:
    return {"id": at, "text": text, "logprob": -0.3, "special": False}


_DETAILS: Final = {"finish_reason": "eos_token", "generated_tokens": 2, "seed": None, "prefill": [], "tokens": []}
_TOKENS: Final = WHOLE.written(each_token(_token))
_ENDS: Final = (("generated_text", None),)


def _wholes() -> Iterator[Case]:
    body = {"generated_text": WHOLE, "details": _DETAILS}
    yield Case(DIALECT, "generated_text", _ask("/generate"), "json", (body,), ends=_ENDS)
    array = (("0.generated_text", None),)
    yield Case(DIALECT, "generated_text, in a list", _ask("/"), "json", ([body],), ends=array)
    other: dict[str, Any] = {
        "generated_text": WHOLE,
        "finish_reason": "length",
        "generated_tokens": 2,
        "prefill": [],
        "tokens": [],
    }
    spelt: dict[str, dict[str, Any]] = {
        "details.tokens": {"tokens": _TOKENS},
        "details.tokens ids": {"tokens": WHOLE.written(lambda text: [_token("?", at) for at in cases.ids(text)])},
        "details.prefill": {"prefill": _TOKENS},
        "details.top_tokens": {"top_tokens": WHOLE.written(each_token(lambda token: [_token(token)]))},
        "details.best_of_sequences": {"best_of_sequences": [other]},
        "details.best_of_sequences tokens": {"best_of_sequences": [other | {"generated_text": "", "tokens": _TOKENS}]},
        "details, a field nobody knows": {"novel": {"note": WHOLE}},
    }
    for channel, details in spelt.items():
        said = {"generated_text": probe.WITNESS, "details": _DETAILS | details}
        yield Case(DIALECT, channel, _ask("/generate"), "json", (said,), ends=_ENDS)
    error = {"error": WHOLE, "error_type": "validation"}
    yield Case(DIALECT, "error", _ask("/generate"), "json", (error,), status=422)
    chat = Ask("/chat_tokenize", {"model": "tgi", "messages": [{"role": "user", "content": TURN}]})
    pieces = {"tokenize_response": [{"id": 5, "text": "The", "start": 0, "stop": 3}], "templated_text": WHOLE}
    yield Case(DIALECT, "chat_tokenize", chat, "json", (pieces,))
    listed = WHOLE.written(each_token(lambda token: {"id": 5, "text": token, "start": 0, "stop": 3}))
    tokenize = Ask("/tokenize", {"inputs": TURN})
    yield Case(DIALECT, "tokenize", tokenize, "json", ([{"id": 0, "text": probe.WITNESS}, listed],))


def _event(token: Any, **more: Any) -> dict[str, Any]:
    return {"index": 1, "token": token, "generated_text": None, "details": None, **more}


def _streams() -> Iterator[Case]:
    ask = _ask("/generate_stream")
    special = _token("", 2) | {"special": True}
    last = _event(special, generated_text=WHOLE, details=_DETAILS)
    each = (_event(_token(PIECE)),)
    yield Case(DIALECT, "token.text", ask, "sse-tight", (), each, (last,), ends=_ENDS, agree=True)
    root = Ask("/", {"inputs": TURN, "stream": True, "parameters": {"details": True}})
    yield Case(DIALECT, "token.text, at the root", root, "sse-tight", (), each, (last,), ends=_ENDS, agree=True)
    begin, end = _event(_token(probe.WITNESS)), _event(special, generated_text=probe.WITNESS, details=_DETAILS)
    tops = PIECE.written(lambda text: [_token(token) for token in cases.tokens(text)])
    for channel, event in (
        ("top_tokens", _event(_token(""), top_tokens=tops)),
        ("token ids", _event(PIECE.written(lambda text: _token("", ord(text[0]) if text else 0)))),
        ("a field nobody knows", _event(_token(""), novel={"note": PIECE})),
    ):
        letters = channel == "token ids"
        yield Case(DIALECT, channel, ask, "sse-tight", (begin,), (event,), (end,), ends=_ENDS, letters=letters)
    prefill = _event(special, generated_text=probe.WITNESS, details=_DETAILS | {"prefill": _TOKENS})
    yield Case(DIALECT, "details.prefill", ask, "sse-tight", (begin, prefill), ends=_ENDS)
    error = {"error": WHOLE, "error_type": "generation"}
    yield Case(DIALECT, "error in stream", ask, "sse-tight", (_event(_token("The")), error))


CASES: Final = tuple(each for part in (_wholes, _streams) for each in part())
