"""From a case to bytes: which piece of the text which event carries, and how events are framed."""

from __future__ import annotations

import gzip
import itertools
import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from phigate.conformance.cases import Line, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from phigate.conformance.cases import Case

TYPES: Final = {
    "json": "application/json",
    "sse": "text/event-stream",
    "sse-typed": "text/event-stream",
    "sse-tight": "text/event-stream",
    "sse-crlf": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "lines": "application/jsonl",
    "nul": "text/plain",
    "text": "text/plain; charset=utf-8",
    "tensors": "application/octet-stream",
}
"""Content type by framing."""
SIZE_HEADER: Final = "inference-header-content-length"
"""KServe's binary tensor extension: how many bytes of the body are JSON."""


@dataclass(frozen=True, slots=True)
class Wire:
    """An answer as it is sent; `parts` are its events, or the whole body."""

    status: int
    headers: Mapping[str, str]
    parts: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)


def answer(case: Case, *, at: Sequence[int] = (), model: str = "model", spoken: str | None = None) -> Wire:
    """A case's answer, its text cut at these characters; `spoken` is said in place of the case's own text."""
    text = case.spoken if spoken is None else spoken
    words = {"piece": "", "so far": "", "whole": text, "model": model, "turn": ""}
    events = [fill(event, words) for event in case.head]
    bounds = [0, *(place for place in at if 0 < place < len(text)), len(text)]
    for start, end in itertools.pairwise(bounds):
        now = words | {"piece": text[start:end], "so far": text[:end]}
        events += [fill(event, now) for event in case.each]
    events += [fill(event, words | {"so far": text}) for event in case.tail]
    headers = {"content-type": TYPES[case.framing]}
    headers |= {name: _one_line(fill(value, words)) for name, value in case.headers.items()}
    if case.framing == "tensors":
        head, raw = tensors(events[0])
        headers[SIZE_HEADER] = str(len(head))
        parts = [head + raw]
    else:
        parts = [FRAMINGS[case.framing](event, escaped=case.escaped) for event in events]
    if case.encoding:
        headers["content-encoding"] = case.encoding
        parts = [gzip.compress(b"".join(parts), mtime=0)]
    return Wire(case.status, headers, tuple(parts))


def _one_line(value: str) -> str:
    return value.encode("ascii", "ignore").decode()


def _json(tree: Any, *, escaped: bool) -> bytes:
    return json.dumps(tree, ensure_ascii=escaped, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _event(start: str, end: str) -> Callable[..., bytes]:
    def frame(event: Any, *, escaped: bool) -> bytes:
        if isinstance(event, Line):
            return f"{event.start}{event.text}{event.end}".encode()
        data = event.encode() if isinstance(event, str) else _json(event, escaped=escaped)
        return start.encode() + data + end.encode()

    return frame


def _typed(event: Any, *, escaped: bool) -> bytes:
    name = "" if isinstance(event, Line | str) else f"event: {event.get('type', 'message')}\n"
    return name.encode() + _event("data: ", "\n\n")(event, escaped=escaped)


FRAMINGS: Final[Mapping[str, Callable[..., bytes]]] = {
    "json": _json,
    "sse": _event("data: ", "\n\n"),
    "sse-typed": _typed,
    "sse-tight": _event("data:", "\n\n"),
    "sse-crlf": _event("data: ", "\r\n\r\n"),
    "ndjson": lambda event, *, escaped: _json(event, escaped=escaped) + b"\n",
    "lines": lambda event, *, escaped: _json(event, escaped=escaped) + b"\n",
    "nul": lambda event, *, escaped: _json(event, escaped=escaped) + b"\0",
    "text": lambda event, *, escaped: str(event).encode("ascii", "xmlcharrefreplace") if escaped else event.encode(),
}


def tensors(tree: dict[str, Any]) -> tuple[bytes, bytes]:
    """KServe's binary form of outputs that have `data`: (JSON, what follows it); only BYTES are written."""
    outputs, raw = [], b""
    for output in tree["outputs"]:
        data = b"".join(struct.pack("<I", len(item.encode())) + item.encode() for item in output["data"])
        raw += data
        named = {key: value for key, value in output.items() if key != "data"}
        outputs.append(named | {"parameters": {"binary_data_size": len(data)}})
    return _json(tree | {"outputs": outputs}, escaped=False), raw


def pieces(parts: Iterable[bytes], at: Sequence[int] | None) -> list[bytes]:
    """The transport pieces: one an event, or the whole body cut at these bytes."""
    if at is None:
        return [part for part in parts if part]
    body = b"".join(parts)
    bounds = [0, *(place for place in at if 0 < place < len(body)), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(bounds) if start < end]
