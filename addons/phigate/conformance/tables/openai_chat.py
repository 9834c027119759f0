"""OpenAI chat completions, as vLLM, SGLang, llama.cpp, Ollama, TGI and others serve them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import MODEL, PIECE, TURN, WHOLE, Ask, Case, Line, each_token, in_base64, octets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.conformance.cases import Said

DIALECT: Final = "openai chat"
PATH: Final = "/v1/chat/completions"
JSON_IN_TEXT: Final = frozenset({"arguments"})


def ask(**more: Any) -> Ask:
    return Ask(PATH, {"model": MODEL, "messages": [{"role": "user", "content": TURN}], **more})


def whole(message: dict[str, Any], *, choice: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    """A whole answer; `choice` and `top` add members beside the message and beside the choices."""
    said = {"role": "assistant", "content": probe.WITNESS, **message}
    one = {"index": 0, "message": said, "finish_reason": "stop", **(choice or {})}
    usage = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
    frame = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL}
    return frame | {"choices": [one], "usage": usage} | top


def chunk(delta: dict[str, Any], *, index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of a stream; `more` adds members to its choice."""
    choice = {"index": index, "delta": delta, "finish_reason": finish, **more}
    frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    return frame | {"choices": [choice]}


BEGIN: Final = (chunk({"role": "assistant", "content": ""}), chunk({"content": probe.WITNESS}))
USAGE: Final = {"usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}}
END: Final = (chunk({}, finish="stop"), chunk({}) | {"choices": []} | USAGE, "[DONE]")
ENDS: Final = (("choices.0.finish_reason", None), ("usage", None), ("", "[DONE]"))
WHOLE_ENDS: Final = (("choices.0.finish_reason", None),)


def case(channel: str, **more: Any) -> Case:
    """A case of this protocol; whole unless it has `each`."""
    shape = (
        {"framing": "sse", "head": BEGIN, "tail": END, "ends": ENDS}
        if "each" in more
        else {"framing": "json", "ends": WHOLE_ENDS}
    )
    made: dict[str, Any] = {"dialect": DIALECT, "channel": channel, "embedded": JSON_IN_TEXT} | shape
    made["ask"] = ask(**({"stream": True, "stream_options": {"include_usage": True}} if "each" in more else {}))
    return Case(**(made | more))


def both(channel: str, message: Any, delta: Any, **more: Any) -> Iterator[Case]:
    """A channel of the message, whole and streamed."""
    yield case(channel, head=(whole(message),), **more)
    yield case(channel, each=(chunk(delta),), **more)


def called(arguments: Said | str, at: int = 0, *, first: bool = True) -> dict[str, Any]:
    """A tool call, or the next piece of one."""
    named = {"id": f"call_{at}", "type": "function"} if first else {}
    function = {"name": "send_note", "arguments": arguments} if first else {"arguments": arguments}
    return {"index": at, **named, "function": function}


def tools(channel: str, spoken: str, **more: Any) -> Iterator[Case]:
    """Arguments of a tool call, whole and in pieces after the call's beginning."""
    yield case(channel, head=(whole({"tool_calls": [called(WHOLE)]}),), spoken=spoken, **more)
    begin = chunk({"tool_calls": [called("") | {"index": 0}]})
    each = chunk({"tool_calls": [called(PIECE, first=False)]})
    yield case(channel, head=(*BEGIN, begin), each=(each,), spoken=spoken, **more)


def scored(name: str, form: Any) -> Iterator[Case]:
    """One channel of the per-token list; the other members of its items say nothing."""
    for channel in ("content", "refusal"):
        listed = {channel: WHOLE.written(form)}
        asked = {"logprobs": True, "top_logprobs": 1}
        yield case(f"logprobs.{channel} {name}", head=(whole({}, choice={"logprobs": listed}),), ask=ask(**asked))
        each = chunk({}, logprobs={channel: PIECE.written(form)})
        yield case(
            f"logprobs.{channel} {name}",
            each=(each,),
            ask=ask(stream=True, **asked),
            tail=(END[0], END[2]),
            ends=(ENDS[0], ENDS[2]),
        )


def beside(channel: str, of_choice: Any, of_chunk: Any, **more: Any) -> Iterator[Case]:
    """A channel beside the message, in its choice."""
    yield case(channel, head=(whole({}, choice=of_choice),), **more)
    yield case(channel, each=(chunk({}, **of_chunk),), **more)


def on_top(channel: str, of_whole: Any, of_chunk: Any, **more: Any) -> Iterator[Case]:
    """A channel beside the choices."""
    yield case(channel, head=(whole({}, **of_whole),), **more)
    yield case(channel, each=(chunk({}) | of_chunk,), **more)


def _texts() -> Iterator[Case]:
    yield case("content", head=(whole({"content": WHOLE}),))
    begin = (BEGIN[0],)
    yield case("content", head=begin, each=(chunk({"content": PIECE}),))
    yield case("content, in escapes", head=(whole({"content": WHOLE}),), escaped=True)
    yield case("content, in escapes", head=begin, each=(chunk({"content": PIECE}),), escaped=True)
    yield case("content, CR LF", head=begin, each=(chunk({"content": PIECE}),), framing="sse-crlf")
    yield case("content, no space", head=begin, each=(chunk({"content": PIECE}),), framing="sse-tight")
    yield case("content, gzip", head=(whole({"content": WHOLE}),), encoding="gzip")
    yield case("content, gzip", head=begin, each=(chunk({"content": PIECE}),), encoding="gzip")
    document: dict[str, Any] = {"spoken": cases.DOCUMENT, "embedded": frozenset({"content"})}
    yield case("content that is JSON", head=(whole({"content": WHOLE}),), **document)
    yield case("content that is JSON", head=begin, each=(chunk({"content": PIECE}),), **document)
    yield from both("content parts", {"content": [_part(WHOLE)]}, {"content": [_part(PIECE)]})
    for name in ("reasoning", "reasoning_content", "thinking", "refusal", "a field nobody knows"):
        yield from both(name, {name: WHOLE}, {name: PIECE})
    yield from both("reasoning_details text", *_details("reasoning.text", "text"))
    yield from both("reasoning_details summary", *_details("reasoning.summary", "summary"))
    yield from both(
        "thinking_blocks", *({"thinking_blocks": [{"type": "thinking", "thinking": said}]} for said in _SAID)
    )
    yield from both("audio.transcript", *({"audio": {"id": "audio_1", "transcript": said}} for said in _SAID))
    data = (WHOLE.written(in_base64), PIECE.written(in_base64))
    yield from both("audio.data", *({"audio": {"id": "audio_1", "data": said}} for said in data))
    for name in ("title", "url"):
        cited = ({"annotations": [{"type": "url_citation", "url_citation": {name: said}}]} for said in _SAID)
        yield from both(f"annotations {name}", *cited)
    yield from both("unknown, nested", *({"novel": {"deep": [[{"note": said}]]}} for said in _SAID))


_SAID: Final = (WHOLE, PIECE)


def _part(said: Said) -> dict[str, Any]:
    return {"type": "text", "text": said}


def _details(kind: str, key: str) -> Iterator[dict[str, Any]]:
    return ({"reasoning_details": [{"type": kind, "index": 0, key: said}]} for said in _SAID)


def _calls() -> Iterator[Case]:
    yield from tools("tool_calls arguments", cases.ARGUMENTS)
    yield from tools("tool_calls arguments, escaped", cases.ESCAPED)
    numbers = ("furosemide 40 mg", "ward round")
    yield from tools("tool_calls arguments, numbers", cases.NUMBERS, innocent=numbers)
    yield from tools("tool_calls arguments, JSON in JSON", cases.NESTED)
    two = whole({"tool_calls": [called(WHOLE), called(WHOLE, 1)]})
    yield case("tool_calls, two at once", head=(two,), spoken=cases.ARGUMENTS, agree=True)
    begin = chunk({"tool_calls": [called(""), called("", 1)]})
    turns = tuple(chunk({"tool_calls": [called(PIECE, at, first=False)]}) for at in (0, 1))
    yield case("tool_calls, two at once", head=(*BEGIN, begin), each=turns, spoken=cases.ARGUMENTS, agree=True)
    name = {"spoken": f"mail_{probe.IDENTIFIERS['e-mail']}", "innocent": ()}
    for said, make in ((WHOLE, whole), (PIECE, chunk)):
        message = make(
            {
                "tool_calls": [
                    {"index": 0, "id": "call_0", "type": "function", "function": {"name": said, "arguments": "{}"}}
                ]
            }
        )
        yield case(
            "tool_calls name",
            **(
                {"head": (message,)}
                if said is WHOLE
                else {"each": (chunk({"tool_calls": [{"index": 0, "function": {"name": PIECE}}]}),)}
            ),
            **name,
        )
    old = ({"function_call": {"name": "send_note", "arguments": WHOLE}}, {"function_call": {"arguments": PIECE}})
    yield from both("function_call arguments", *old, spoken=cases.ARGUMENTS)
    custom = (
        {"tool_calls": [{"index": 0, "id": "call_0", "type": "custom", "custom": {"name": "note", "input": said}}]}
        for said in _SAID
    )
    yield from both("tool_calls custom input", *custom)


def _scores() -> Iterator[Case]:
    quiet: dict[str, Any] = {"logprob": -0.2, "bytes": None, "top_logprobs": []}
    yield from scored("token", each_token(lambda token: quiet | {"token": token}))
    yield from scored("bytes", each_token(lambda token: quiet | {"token": "?", "bytes": octets(token)}))
    other = quiet | {"token": "?"}
    yield from scored(
        "top token",
        each_token(lambda token: other | {"top_logprobs": [{"token": token, "logprob": -1.0, "bytes": None}]}),
    )
    yield from scored(
        "top bytes",
        each_token(lambda token: other | {"top_logprobs": [{"token": "?", "logprob": -1.0, "bytes": octets(token)}]}),
    )


def _sides() -> Iterator[Case]:
    asked = ask(n=2)
    two = whole({"content": WHOLE})
    two["choices"].append(two["choices"][0] | {"index": 1})
    yield case("n of 2", head=(two,), ask=asked, agree=True)
    turns = tuple(chunk({"content": PIECE}, index=index) for index in (0, 1))
    ends = (chunk({}, finish="stop"), chunk({}, index=1, finish="stop"), *END[1:])
    begin = tuple(chunk({"role": "assistant", "content": ""}, index=index) for index in (0, 1))
    yield case("n of 2", head=begin, each=turns, tail=ends, ask=ask(n=2, stream=True), agree=True)
    yield case("stop_reason", head=(whole({}, choice={"stop_reason": WHOLE}),))
    yield case("stop_reason", each=(chunk({}),), tail=(chunk({}, finish="stop", stop_reason=WHOLE), *END[1:]))
    ids = (WHOLE.written(cases.ids), PIECE.written(cases.ids))
    yield from beside("token_ids", *({"token_ids": said} for said in ids))
    yield from on_top("prompt_token_ids", *({"prompt_token_ids": said} for said in ids))
    yield from on_top("prompt_text", *({"prompt_text": said} for said in _SAID))
    yield from on_top("kv_transfer_params", *({"kv_transfer_params": {"note": said}} for said in _SAID))
    form = each_token(lambda token: {"7": {"logprob": -0.1, "rank": 1, "decoded_token": token}})
    scores = (WHOLE.written(form), PIECE.written(form))
    yield from on_top("prompt_logprobs", *({"prompt_logprobs": said} for said in scores))
    yield from on_top("unknown, on top", *({"novel": {"note": said}} for said in _SAID))
    yield case("usage", head=(whole({}, usage=USAGE["usage"] | {"note": WHOLE}),))
    yield case("usage", each=(chunk({}) | {"usage": USAGE["usage"] | {"note": PIECE}},))
    name = {"spoken": f"chatcmpl-{probe.IDENTIFIERS['e-mail']}", "innocent": ()}
    yield case("id", head=(whole({}, id=WHOLE),), **name)
    yield case("id", each=(chunk({}) | {"id": WHOLE},), **name)


def _envelopes() -> Iterator[Case]:
    header = {"x-note": WHOLE, "content-disposition": WHOLE.written(lambda text: f'attachment; filename="{text}"')}
    plain = probe.INNOCENT[1:]
    yield case("response headers", head=(whole({}),), headers=header, innocent=plain)
    yield case("response headers", each=(chunk({}),), headers=header, innocent=plain)
    yield case("SSE comment", each=(Line(": ", PIECE),))
    yield case("SSE id", head=(*BEGIN, Line("id: ", WHOLE, "\n"), chunk({})), each=())
    yield case("SSE event", each=(Line("event: ", PIECE, "\n"), chunk({})))
    yield case("SSE other field", each=(Line("note: ", PIECE, "\n"), chunk({})))
    for status in (400, 500):
        body = {"error": {"message": WHOLE, "type": "invalid_request_error", "param": None, "code": None}}
        yield case(f"error {status}", head=(body,), status=status, ends=())
    detail = {"detail": [{"loc": ["body", "messages"], "msg": "wrong type", "type": "type_error", "input": WHOLE}]}
    yield case("error 422, echo", head=(detail,), status=422, ends=())
    yield case("error 502, plain text", head=(WHOLE,), status=502, ends=(), framing="text")
    broken = chunk({}) | {"error": {"message": WHOLE, "type": "server_error", "code": 500}}
    for channel, event in (("error in stream", {"error": broken["error"]}), ("error in a chunk", broken)):
        yield case(channel, head=(*BEGIN[:1], event), each=(), tail=(), ends=())


CASES: Final = tuple(each for part in (_texts, _calls, _scores, _sides, _envelopes) for each in part())
