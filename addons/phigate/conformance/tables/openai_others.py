"""OpenAI's other routes: embeddings, speech to text, moderation, stored files and batches, models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from phigate.conformance import cases, probe
from phigate.conformance.cases import MODEL, PIECE, TURN, WHOLE, Ask, Case, each_token

if TYPE_CHECKING:
    from collections.abc import Iterator

EMBEDDINGS: Final = "openai embeddings"
AUDIO: Final = "openai audio"
STORED: Final = "openai stored"
OTHERS: Final = "openai others"


def _embeddings() -> Iterator[Case]:
    ask = Ask("/v1/embeddings", {"model": MODEL, "input": TURN})
    vector = {"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}
    frame = {"object": "list", "data": [vector], "model": MODEL, "usage": {"prompt_tokens": 9}, "note": probe.WITNESS}
    ends = (("data.0.embedding", None),)
    yield Case(EMBEDDINGS, "input echoed", ask, "json", (frame | {"input": WHOLE},), ends=ends)
    echoed = frame | {"data": [vector | {"text": WHOLE}]}
    yield Case(EMBEDDINGS, "input echoed beside its vector", ask, "json", (echoed,), ends=ends)
    ids = frame | {"data": [vector | {"prompt_token_ids": WHOLE.written(cases.ids)}]}
    yield Case(EMBEDDINGS, "prompt_token_ids", ask, "json", (ids,), ends=ends)
    yield Case(EMBEDDINGS, "error", ask, "json", ({"error": {"message": WHOLE, "type": "x"}},), status=400)


_BOUNDARY: Final = "probe-boundary"


def _recording(path: str = "/v1/audio/transcriptions", **fields: str) -> Ask:
    """A multipart form (RFC 7578) with half a second of nothing."""
    parts = [f'content-disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    silent = "content-type: audio/wav\r\n\r\nRIFF\0\0\0\0WAVE"
    parts.append(f'content-disposition: form-data; name="file"; filename="visit.wav"\r\n{silent}')
    body = "".join(f"--{_BOUNDARY}\r\n{part}\r\n" for part in parts) + f"--{_BOUNDARY}--\r\n"
    return Ask(path, body.encode(), headers={"content-type": f"multipart/form-data; boundary={_BOUNDARY}"})


def _audio() -> Iterator[Case]:
    named = {"model": "{model}"}
    plain = _recording(**named)
    yield Case(AUDIO, "json text", plain, "json", ({"text": WHOLE},), ends=(("text", None),))
    translated = _recording("/v1/audio/translations", **named)
    yield Case(AUDIO, "translation", translated, "json", ({"text": WHOLE},), ends=(("text", None),))
    scored = {
        "text": probe.WITNESS,
        "logprobs": WHOLE.written(each_token(lambda token: {"token": token, "logprob": -0.1})),
    }
    yield Case(AUDIO, "json logprobs", plain, "json", (scored,), ends=(("text", None),))
    verbose = _recording(**named, response_format="verbose_json")
    segment = {"id": 0, "start": 0.0, "end": 1.0, "text": probe.WITNESS, "tokens": [5, 6]}
    frame = {"task": "transcribe", "language": "english", "duration": 1.0, "text": probe.WITNESS, "segments": [segment]}
    words = each_token(lambda token: {"word": token, "start": 0.0, "end": 0.1})
    for channel, said in (
        ("text", {"text": WHOLE}),
        ("segments text", {"segments": [segment | {"text": WHOLE}]}),
        ("segments in pieces", {"segments": WHOLE.written(each_token(lambda token: segment | {"text": token}))}),
        ("segments tokens", {"segments": [segment | {"tokens": WHOLE.written(cases.ids)}]}),
        ("words", {"words": WHOLE.written(words)}),
        ("a field nobody knows", {"novel": {"note": WHOLE}}),
    ):
        yield Case(AUDIO, f"verbose_json {channel}", verbose, "json", (frame | said,), ends=(("text", None),))
    for kind, text in (
        ("text", WHOLE),
        ("srt", WHOLE.written(lambda text: f"1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n")),
        ("vtt", WHOLE.written(lambda text: f"WEBVTT\n\n00:00.000 --> 00:01.000\n{text}\n\n")),
    ):
        yield Case(AUDIO, kind, _recording(**named, response_format=kind), "text", (text,))
    stream = _recording(**named, stream="true")
    delta = {"type": "transcript.text.delta", "delta": PIECE}
    done = {"type": "transcript.text.done", "text": WHOLE}
    ends = (("type", "transcript.text.done"),)
    yield Case(AUDIO, "transcript", stream, "sse-typed", (), (delta,), (done,), ends=ends, agree=True)
    begin, end = (
        {"type": f"transcript.text.{kind}", key: probe.WITNESS} for kind, key in (("delta", "delta"), ("done", "text"))
    )
    scores = PIECE.written(each_token(lambda token: {"token": token, "logprob": -0.1, "bytes": []}))
    quiet = {"type": "transcript.text.delta", "delta": "", "logprobs": scores}
    yield Case(AUDIO, "transcript logprobs", stream, "sse-typed", (begin,), (quiet,), (end,), ends=ends)
    yield Case(AUDIO, "error", plain, "json", ({"error": {"message": WHOLE, "type": "x"}},), status=400)


def _stored() -> Iterator[Case]:
    def get(path: str) -> Ask:
        return Ask(f"/v1/{path}", method="GET")

    line = {
        "id": "b_1",
        "custom_id": "1",
        "response": {"status_code": 200, "body": {"choices": [{"message": {"content": WHOLE}}]}},
    }
    yield Case(STORED, "file content", get("files/file-1/content"), "lines", (line, {"id": probe.WITNESS}))
    file = {"id": "file-1", "object": "file", "purpose": "batch", "filename": WHOLE, "status_details": probe.WITNESS}
    yield Case(STORED, "file name", get("files/file-1"), "json", (file,))
    yield Case(STORED, "file list", get("files"), "json", ({"object": "list", "data": [file]},))
    batch = {"id": "batch_1", "object": "batch", "status": "failed", "input_file_id": "file-1", "note": probe.WITNESS}
    errors = {"errors": {"object": "list", "data": [{"code": "x", "message": WHOLE, "line": 1}]}}
    yield Case(STORED, "batch errors", get("batches/batch_1"), "json", (batch | errors,))
    yield Case(STORED, "batch metadata", get("batches/batch_1"), "json", (batch | {"metadata": {"note": WHOLE}},))
    chat = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": MODEL}
    kept = chat | {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": WHOLE}, "finish_reason": "stop"}]
    }
    yield Case(STORED, "chat", get("chat/completions/chatcmpl-1"), "json", (kept,))
    asked = {"object": "list", "data": [{"id": "1", "role": "user", "content": WHOLE}], "note": probe.WITNESS}
    yield Case(STORED, "chat messages", get("chat/completions/chatcmpl-1/messages"), "json", (asked,))
    yield Case(STORED, "thread messages", get("threads/thread_1/messages"), "json", (asked,))


def _others() -> Iterator[Case]:
    moderate = Ask("/v1/moderations", {"model": MODEL, "input": TURN})
    result = {"flagged": False, "categories": {}, "category_scores": {}}
    frame = {"id": "modr-1", "model": MODEL, "results": [result], "note": probe.WITNESS}
    ends = (("results", None),)
    echoed = frame | {"results": [result | {"input": WHOLE}]}
    yield Case(OTHERS, "moderation, input echoed", moderate, "json", (echoed,), ends=ends)
    model = {"id": MODEL, "object": "model", "created": 1, "owned_by": "us", "note": probe.WITNESS}
    listed = {"object": "list", "data": [model | {"description": WHOLE}]}
    yield Case(OTHERS, "models, a field nobody knows", Ask("/v1/models", method="GET"), "json", (listed,))
    one = Ask("/v1/models/{model}", method="GET")
    yield Case(OTHERS, "model, a field nobody knows", one, "json", (model | {"description": WHOLE},))


CASES: Final = tuple(each for part in (_embeddings, _audio, _stored, _others) for each in part())
