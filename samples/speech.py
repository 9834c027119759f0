"""What the sample model server answers, in the OpenAI API's own shapes: chat, completions, embeddings, models."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import patients
from http1 import Answer, Part, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

type Tree = dict[str, Any]

PIECES: Final = re.compile(r"\s?\w{1,4}|\s?[^\w\s]|\s")
DIMENSIONS: Final = 8
numbers: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Model:
    """What a server is asked to be: the names it serves, and seconds between two pieces of a stream."""

    names: tuple[str, ...]
    delay: float = 0.0


class Wrong(Exception):  # noqa: N818 - the caller's mistake, answered in the API's own shape
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def answer(self) -> Answer:
        kind = "invalid_request_error"
        error = {"message": self.message, "type": kind, "param": None, "code": self.code}
        return Answer.json({"error": error}, self.status)


def respond(request: Request, model: Model) -> Answer:
    """Answer one request; whatever is wrong with it is answered too."""
    try:
        return route_of(request)(request, model)
    except Wrong as wrong:
        return wrong.answer()


def route_of(request: Request) -> Callable[[Request, Model], Answer]:
    path = request.target.partition("?")[0]
    if path.startswith("/v1/models/"):
        path = "/v1/models/*"
    known = {method: answer for (method, route), answer in ROUTES.items() if route == path}
    if not known:
        raise Wrong(404, "unknown_url", "Unknown request URL")
    if request.method not in known:
        raise Wrong(405, "method_not_allowed", "Not allowed to use this method on this URL")
    return known[request.method]


def parsed(request: Request, model: Model) -> Tree:
    try:
        tree = request.json()
    except ValueError:
        raise Wrong(400, "invalid_json", "The body is not JSON") from None
    if not isinstance(tree, dict):
        raise Wrong(400, "invalid_json", "The body is not an object")
    if tree.get("model") not in model.names:
        raise Wrong(404, "model_not_found", "The model does not exist")
    return tree


def pieces(text: str) -> list[str]:
    """Cut a text into what a model would emit at a time: a few characters."""
    return PIECES.findall(text)


def usage(prompt: str, texts: list[str]) -> dict[str, int]:
    asked, said = len(pieces(prompt)), sum(len(pieces(text)) for text in texts)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def header_of(tree: Tree, kind: str, prefix: str) -> Tree:
    return {"id": f"{prefix}-{next(numbers)}", "object": kind, "created": int(time.time()), "model": tree["model"]}


def stream(chunks: Iterator[Tree], delay: float) -> Answer:
    def parts() -> Iterator[Part]:
        for chunk in chunks:
            yield b"data: %b\n\n" % json.dumps(chunk, ensure_ascii=False).encode()
            if delay:
                yield delay
        yield b"data: [DONE]\n\n"

    return Answer.events(parts())


def wants_usage(tree: Tree) -> bool:
    return bool((tree.get("stream_options") or {}).get("include_usage"))


def count_of(tree: Tree) -> int:
    n = tree.get("n") or 1
    if not isinstance(n, int) or not 1 <= n <= 16:
        raise Wrong(400, "invalid_value", "n must be between 1 and 16")
    return n


def variants(text: str, n: int) -> list[str]:
    return [text if i == 0 else f"Choice {i + 1}. {text}" for i in range(n)]


# --- chat completions -------------------------------------------------------------------------------------------------


def asked_of(tree: Tree) -> str:
    """Return the text of the last message of the user."""
    messages = tree.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Wrong(400, "invalid_value", "messages must be a list of at least one")
    content = next((m.get("content") for m in reversed(messages) if m.get("role") == "user"), "")
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content or ""


def chat(request: Request, model: Model) -> Answer:
    tree = parsed(request, model)
    prompt = asked_of(tree)
    tools = [tool.get("function", {}).get("name") for tool in tree.get("tools") or []]
    reply = patients.reply_to(prompt, tools[0] if tools else None)
    texts = [reply.text] * count_of(tree) if reply.tool else variants(reply.text, count_of(tree))
    if tree.get("stream"):
        head = header_of(tree, "chat.completion.chunk", "chatcmpl")
        return stream(chat_chunks(tree, head, reply, texts), model.delay)
    choices = [chat_choice(i, reply, text, tree) for i, text in enumerate(texts)]
    head = header_of(tree, "chat.completion", "chatcmpl")
    return Answer.json({**head, "choices": choices, "usage": usage(prompt, texts)})


def call_of(reply: patients.Reply, arguments: str) -> Tree:
    function = {"name": reply.tool, "arguments": arguments}
    return {"id": f"call_{next(numbers)}", "type": "function", "function": function}


def chat_choice(index: int, reply: patients.Reply, text: str, tree: Tree) -> Tree:
    message: Tree = {"role": "assistant", "content": text}
    if reply.tool:
        message = {"role": "assistant", "content": None, "tool_calls": [call_of(reply, text)]}
    return {
        "index": index,
        "message": message,
        "logprobs": chat_logprobs(pieces(text)) if tree.get("logprobs") else None,
        "finish_reason": "tool_calls" if reply.tool else "stop",
    }


def chat_logprobs(said: list[str]) -> Tree:
    def entry(piece: str, logprob: float) -> Tree:
        return {"token": piece, "logprob": logprob, "bytes": list(piece.encode())}

    content = [{**entry(piece, -0.2), "top_logprobs": [entry(piece, -0.2)]} for piece in said]
    return {"content": content, "refusal": None}


def chat_chunks(tree: Tree, head: Tree, reply: patients.Reply, texts: list[str]) -> Iterator[Tree]:
    def chunk(index: int, delta: Tree, said: str = "", finish: str | None = None) -> Tree:
        logprobs = chat_logprobs([said]) if tree.get("logprobs") and said else None
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return {**head, "choices": [choice], **({"usage": None} if wants_usage(tree) else {})}

    for index in range(len(texts)):
        first: Tree = {"role": "assistant", "content": None if reply.tool else ""}
        if reply.tool:
            first["tool_calls"] = [{"index": 0, **call_of(reply, "")}]
        yield chunk(index, first)
    for step in itertools.zip_longest(*map(pieces, texts)):
        for index, piece in enumerate(step):
            if piece is not None and reply.tool:
                yield chunk(index, {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
            elif piece is not None:
                yield chunk(index, {"content": piece}, piece)
    for index in range(len(texts)):
        yield chunk(index, {}, finish="tool_calls" if reply.tool else "stop")
    if wants_usage(tree):
        yield {**head, "choices": [], "usage": usage(asked_of(tree), texts)}


# --- completions ------------------------------------------------------------------------------------------------------


def complete(request: Request, model: Model) -> Answer:
    tree = parsed(request, model)
    prompt = tree.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise Wrong(400, "invalid_value", "prompt must be a string, or a list of one")
    texts = variants(patients.reply_to(prompt).text, count_of(tree))
    if tree.get("echo"):
        texts = [prompt + text for text in texts]
    head = header_of(tree, "text_completion", "cmpl")
    if tree.get("stream"):
        return stream(completion_chunks(tree, head, prompt, texts), model.delay)
    choices = [completion_choice(i, text, tree, "stop") for i, text in enumerate(texts)]
    return Answer.json({**head, "choices": choices, "usage": usage(prompt, texts)})


def completion_choice(index: int, text: str, tree: Tree, finish: str | None) -> Tree:
    logprobs = completion_logprobs(pieces(text)) if tree.get("logprobs") and text else None
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}


def completion_logprobs(said: list[str]) -> Tree:
    return {
        "tokens": said,
        "token_logprobs": [-0.2] * len(said),
        "top_logprobs": [{piece: -0.2} for piece in said],
        "text_offset": list(itertools.accumulate((len(piece) for piece in said[:-1]), initial=0)),
    }


def completion_chunks(tree: Tree, head: Tree, prompt: str, texts: list[str]) -> Iterator[Tree]:
    for step in itertools.zip_longest(*map(pieces, texts)):
        for index, piece in enumerate(step):
            if piece is not None:
                yield {**head, "choices": [completion_choice(index, piece, tree, None)]}
    for index in range(len(texts)):
        yield {**head, "choices": [completion_choice(index, "", tree, "stop")]}
    if wants_usage(tree):
        yield {**head, "choices": [], "usage": usage(prompt, texts)}


# --- embeddings and models --------------------------------------------------------------------------------------------


def embed(request: Request, model: Model) -> Answer:
    tree = parsed(request, model)
    texts = [tree["input"]] if isinstance(tree.get("input"), str) else tree.get("input")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Wrong(400, "invalid_value", "input must be a string or a list of strings")
    data = [
        {"object": "embedding", "index": i, "embedding": vector(text, tree.get("encoding_format", "float"))}
        for i, text in enumerate(texts)
    ]
    count = sum(len(pieces(text)) for text in texts)
    used = {"prompt_tokens": count, "total_tokens": count}
    return Answer.json({"object": "list", "model": tree["model"], "data": data, "usage": used})


def vector(text: str, encoding: str) -> list[float] | str:
    """Return the same few numbers for the same text, as a list or as little-endian 32-bit floats in base64."""
    digest = hashlib.sha256(text.encode()).digest()
    values = [byte / 128 - 1 for byte in digest[:DIMENSIONS]]
    if encoding == "base64":
        return base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *values)).decode()
    return values


def model_tree(name: str) -> Tree:
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "samples"}


def list_models(_: Request, model: Model) -> Answer:
    return Answer.json({"object": "list", "data": [model_tree(name) for name in model.names]})


def one_model(request: Request, model: Model) -> Answer:
    name = request.target.partition("?")[0].removeprefix("/v1/models/")
    if name not in model.names:
        raise Wrong(404, "model_not_found", "The model does not exist")
    return Answer.json(model_tree(name))


def create(request: Request, model: Model) -> Answer:
    """Ollama's: a model is made from another one, and its progress told line by line."""
    if parsed(request, model).get("from") not in model.names:
        return Answer.json({"error": "the model it is made from does not exist"}, 404)
    told = ("using existing layer", "writing manifest", "success")
    lines = [json.dumps({"status": each}).encode() + b"\n" for each in told]
    return Answer(lines, headers={"content-type": "application/x-ndjson"})


ROUTES: Final[dict[tuple[str, str], Callable[[Request, Model], Answer]]] = {
    ("POST", "/v1/chat/completions"): chat,
    ("POST", "/v1/completions"): complete,
    ("POST", "/v1/embeddings"): embed,
    ("POST", "/api/create"): create,
    ("GET", "/v1/models"): list_models,
    ("GET", "/v1/models/*"): one_model,
}
