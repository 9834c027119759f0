"""Routes that one server alone has: SGLang, llama.cpp, vLLM, TorchServe, TensorFlow Serving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import MODEL, PIECE, SO_FAR, TURN, WHOLE, Ask, Case, Line, each_token, octets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
SGLANG: Final = "sglang"
LLAMA_CPP: Final = "llama.cpp"
VLLM: Final = "vllm"
TORCHSERVE: Final = "torchserve"
TF_SERVING: Final = "tf-serving"


# -- SGLang -----------------------------------------------------------------------------------------------------------


def _sglang() -> Iterator[Case]:
    def ask(*, stream: bool) -> Ask:
        return Ask("/generate", {"text": TURN, "sampling_params": {"temperature": 0}, "stream": stream})

    going = {"id": "1", "finish_reason": None, "prompt_tokens": 9, "completion_tokens": 12}
    meta = going | {"finish_reason": {"type": "stop", "matched": 2}}
    scores = each_token(lambda token: [-0.1, 5, token])
    tops = each_token(lambda token: [[-0.1, 5, token]])
    ends = (("meta_info", None),)
    streamed = (("meta_info.finish_reason", None), ("", "[DONE]"))

    def frame(about: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"text": probe.WITNESS, "output_ids": [], "meta_info": about, **more}

    def of_meta(name: str, form: Callable[[str], Any]) -> tuple[str, Callable[..., dict[str, Any]]]:
        return name, lambda said, about: frame(about | {name: said.written(form)})

    listed: tuple[tuple[str, Callable[..., dict[str, Any]]], ...] = (
        ("text", lambda said, about: frame(about, text=said)),
        ("output_ids", lambda said, about: frame(about, output_ids=said.written(cases.ids))),
        of_meta("output_token_logprobs", scores),
        of_meta("input_token_logprobs", scores),
        of_meta("output_top_logprobs", tops),
        ("a field nobody knows", lambda said, about: frame(about, novel={"note": WHOLE if said is WHOLE else PIECE})),
    )
    for channel, make in listed:
        yield Case(SGLANG, channel, ask(stream=False), "json", (make(WHOLE, meta),), ends=ends)
        tail = (make(SO_FAR, meta), "[DONE]")
        yield Case(SGLANG, channel, ask(stream=True), "sse", (), (make(SO_FAR, going),), tail, ends=streamed)
    stopped = frame(meta | {"finish_reason": {"type": "stop", "matched": WHOLE}})
    yield Case(SGLANG, "finish_reason matched", ask(stream=False), "json", (stopped,), ends=ends)
    events = (frame(going), stopped, "[DONE]")
    yield Case(SGLANG, "finish_reason matched", ask(stream=True), "sse", events, ends=streamed)
    two = [{"text": WHOLE, "meta_info": meta}, {"text": WHOLE, "meta_info": meta}]
    yield Case(SGLANG, "n of 2", ask(stream=False), "json", (two,), ends=(("0.meta_info", None),), agree=True)
    error = {"error": {"message": WHOLE}}
    yield Case(SGLANG, "error", ask(stream=False), "json", (error,), status=400)
    yield Case(
        SGLANG, "error in stream", ask(stream=True), "sse", ({"text": "The", "meta_info": going}, error, "[DONE]")
    )


# -- llama.cpp --------------------------------------------------------------------------------------------------------


def _llama_cpp() -> Iterator[Case]:
    def ask(path: str = "/completion", **more: Any) -> Ask:
        return Ask(path, {"prompt": TURN, **more})

    settings = {"n_predict": -1, "stop": [], "grammar": ""}
    last = {
        "content": "",
        "tokens": [],
        "stop": True,
        "index": 0,
        "stop_type": "eos",
        "stopping_word": "",
        "prompt": "",
    }
    last |= {"generation_settings": settings, "tokens_predicted": 12}
    first = {"content": probe.WITNESS, "tokens": [], "stop": False, "index": 0}
    ends = (("stop", True),)
    yield Case(LLAMA_CPP, "content", ask(), "json", (last | {"content": WHOLE},), ends=ends)
    piece = first | {"content": PIECE}
    yield Case(LLAMA_CPP, "content", ask(stream=True), "sse", (), (piece,), (last,), ends=ends)
    pings = (Line(": ", "ping"), piece)
    yield Case(LLAMA_CPP, "content, pings between", ask(stream=True), "sse", (), pings, (last,), ends=ends)
    yield Case(LLAMA_CPP, "comment", ask(stream=True), "sse", (first,), (Line(": ", PIECE),), (last,), ends=ends)
    quiet = {"id": 5, "logprob": -0.1, "bytes": [], "top_logprobs": []}
    forms = {
        "completion_probabilities token": each_token(lambda token: quiet | {"token": token}),
        "completion_probabilities bytes": each_token(lambda token: quiet | {"token": "?", "bytes": octets(token)}),
        "completion_probabilities top": each_token(
            lambda token: quiet | {"token": "?", "top_logprobs": [quiet | {"token": token}]}
        ),
        "probs, older": each_token(lambda token: {"content": "?", "probs": [{"tok_str": token, "prob": 0.9}]}),
    }
    asked: dict[str, Any] = {"n_probs": 1}
    for channel, form in forms.items():
        body = last | {"content": probe.WITNESS, "completion_probabilities": WHOLE.written(form)}
        yield Case(LLAMA_CPP, channel, ask(**asked), "json", (body,), ends=ends)
        each = first | {"content": "", "completion_probabilities": PIECE.written(form)}
        yield Case(LLAMA_CPP, channel, ask(stream=True, **asked), "sse", (first,), (each,), (last,), ends=ends)
    ids = [said.written(cases.ids) for said in (WHOLE, PIECE)]
    yield Case(LLAMA_CPP, "tokens", ask(), "json", (last | {"content": probe.WITNESS, "tokens": ids[0]},), ends=ends)
    each = first | {"content": "", "tokens": ids[1]}
    yield Case(LLAMA_CPP, "tokens", ask(stream=True), "sse", (first,), (each,), (last,), ends=ends)
    for channel, said in (
        ("prompt", {"prompt": WHOLE}),
        ("stopping_word", {"stopping_word": WHOLE}),
        ("generation_settings stop", {"generation_settings": settings | {"stop": [WHOLE]}}),
        ("generation_settings grammar", {"generation_settings": settings | {"grammar": WHOLE}}),
        ("reasoning_content", {"reasoning_content": WHOLE}),
        ("a field nobody knows", {"novel": {"note": WHOLE}}),
    ):
        yield Case(LLAMA_CPP, channel, ask(), "json", (last | {"content": probe.WITNESS} | said,), ends=ends)
        yield Case(LLAMA_CPP, channel, ask(stream=True), "sse", (first, last | said), ends=ends)
    infill = Ask("/infill", {"input_prefix": TURN, "input_suffix": ""})
    yield Case(LLAMA_CPP, "infill", infill, "json", (last | {"content": WHOLE},), ends=ends)
    messages = {"messages": [{"role": "user", "content": TURN}]}
    yield Case(LLAMA_CPP, "apply-template", Ask("/apply-template", messages), "json", ({"prompt": WHOLE},))
    pieces = {"tokens": WHOLE.written(each_token(lambda token: {"id": 5, "piece": token}))}
    tokenize = Ask("/tokenize", {"content": TURN, "with_pieces": True})
    yield Case(LLAMA_CPP, "tokenize pieces", tokenize, "json", (pieces,))
    slots = [{"id": 0, "prompt": WHOLE, "state": probe.WITNESS}]
    yield Case(LLAMA_CPP, "slots", Ask("/slots", method="GET"), "json", (slots,))
    error = {"error": {"code": 400, "message": WHOLE, "type": "invalid_request_error"}}
    yield Case(LLAMA_CPP, "error", ask(), "json", (error,), status=400)
    begun = first | {"content": "The"}
    yield Case(LLAMA_CPP, "error in stream", ask(stream=True), "sse", (begun, Line("error: ", '{"code":500}'), error))


# -- vLLM -------------------------------------------------------------------------------------------------------------


def _vllm() -> Iterator[Case]:
    tokenize = Ask("/tokenize", {"model": MODEL, "prompt": TURN})
    counted = {"count": 3, "max_model_len": 4096, "note": probe.WITNESS}
    yield Case(VLLM, "tokenize token_strs", tokenize, "json", (counted | {"token_strs": WHOLE.written(cases.tokens)},))
    yield Case(VLLM, "tokenize tokens", tokenize, "json", (counted | {"tokens": WHOLE.written(cases.ids)},))
    detokenize = Ask("/detokenize", {"model": MODEL, "tokens": [5, 6]})
    yield Case(VLLM, "detokenize prompt", detokenize, "json", ({"prompt": WHOLE},))
    document = {"index": 0, "relevance_score": 0.9, "document": {"text": WHOLE}}
    ranked = {"id": "r-1", "model": MODEL, "results": [document, document | {"document": {"text": probe.WITNESS}}]}
    query = {"model": MODEL, "query": TURN, "documents": ["one", "two"]}
    for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
        ends = (("results", None),)
        yield Case(VLLM, f"{path[1:]} document", Ask(path, query), "json", (ranked,), ends=ends)
    pair = {"model": MODEL, "text_1": TURN, "text_2": "two"}
    scored = {"id": "s-1", "object": "list", "model": MODEL, "data": [{"index": 0, "score": 0.9, "note": WHOLE}]}
    scored["usage"] = {"note": probe.WITNESS}
    for path in ("/score", "/v1/score"):
        yield Case(
            VLLM, f"{path[1:]}, a field nobody knows", Ask(path, pair), "json", (scored,), ends=(("data", None),)
        )
    labelled = {"object": "list", "data": [{"index": 0, "label": WHOLE, "probs": [0.9]}], "note": probe.WITNESS}
    yield Case(VLLM, "classify label", Ask("/classify", {"model": MODEL, "input": TURN}), "json", (labelled,))
    pooled = {"object": "list", "data": [{"index": 0, "data": [[0.1, 0.2]], "note": WHOLE}], "note": probe.WITNESS}
    yield Case(
        VLLM, "pooling, a field nobody knows", Ask("/pooling", {"model": MODEL, "input": TURN}), "json", (pooled,)
    )
    rendered = {"prompt": WHOLE, "note": probe.WITNESS}
    chat = {"model": MODEL, "messages": [{"role": "user", "content": TURN}]}
    yield Case(VLLM, "chat render", Ask("/v1/chat/completions/render", chat), "json", (rendered,))
    ids = {"request_id": "1", "choices": [{"index": 0, "token_ids": WHOLE.written(cases.ids), "finish_reason": "stop"}]}
    generate = Ask("/inference/v1/generate", {"model": MODEL, "token_ids": [5], "sampling_params": {}})
    yield Case(VLLM, "inference token_ids", generate, "json", (ids,))
    old = Ask("/generate", {"prompt": TURN, "stream": True})
    yield Case(VLLM, "demo server, cumulative", old, "nul", (), ({"text": [SO_FAR]},))


# -- predictors -------------------------------------------------------------------------------------------------------


def _predictors() -> Iterator[Case]:
    asked = Ask("/predictions/{model}", {"data": TURN})
    yield Case(TORCHSERVE, "a text", asked, "json", (WHOLE,))
    yield Case(TORCHSERVE, "plain text", asked, "text", (WHOLE,))
    yield Case(TORCHSERVE, "a list", asked, "json", ([probe.WITNESS, WHOLE],))
    yield Case(TORCHSERVE, "an object", asked, "json", ({"answers": [{"text": WHOLE}], "note": probe.WITNESS},))
    yield Case(TORCHSERVE, "keys", asked, "json", (WHOLE.written(lambda text: {text: 0.9, "note": probe.WITNESS}),))
    yield Case(TORCHSERVE, "error", asked, "json", ({"code": 500, "type": "Error", "message": WHOLE},), status=500)
    asked = Ask("/v1/models/{model}:predict", {"instances": [TURN]})
    ends = (("predictions", None),)
    for channel, said in (
        ("predictions", [probe.WITNESS, WHOLE]),
        ("predictions, nested", [{"outputs": [[WHOLE]], "note": probe.WITNESS}]),
        ("predictions in base64", [{"b64": WHOLE.written(cases.in_base64)}, probe.WITNESS]),
    ):
        yield Case(TF_SERVING, channel, asked, "json", ({"predictions": said},), ends=ends)
    outputs = {"outputs": {"text": [WHOLE], "note": [probe.WITNESS]}}
    yield Case(TF_SERVING, "outputs", asked, "json", (outputs,), ends=(("outputs", None),))
    classes = {"results": [[[WHOLE, 0.9], [probe.WITNESS, 0.1]]]}
    classify = Ask("/v1/models/{model}:classify", {"examples": [{"text": TURN}]})
    yield Case(TF_SERVING, "classify labels", classify, "json", (classes,), ends=(("results", None),))
    yield Case(TF_SERVING, "error", asked, "json", ({"error": WHOLE},), status=400)


CASES: Final = tuple(each for part in (_sglang, _llama_cpp, _vllm, _predictors) for each in part())
