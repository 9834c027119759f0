"""What a client can see of an answer: its messages, and every text that can be put together from them."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from phigate.conformance.wire import SIZE_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LINES: Final = re.compile(r"\r\n|\n|\r")
_PLACES: Final = ("index", "output_index", "content_index", "summary_index", "item_id")
_KINDS: Final = {
    "application/json": "json",
    "application/problem+json": "json",
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/jsonl": "ndjson",
}
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/]{4})+|(?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=)")
_LONG: Final = 10_000
_OCTETS: Final = 256
_POINTS: Final = 0x110000

Path = tuple[str | int, ...]


class Unreadable(ValueError):  # noqa: N818 -- the answer is, and the message says how
    """An answer is not what its form says; never carries any of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event, line or body; `data` is a tree, or text where the form has no JSON."""

    data: Any
    event: str = ""


def messages(framing: str, headers: Mapping[str, str], body: bytes) -> list[Message]:
    """The messages of a body, read as its content type says, or as the case's framing where that says nothing."""
    kind = _KINDS.get(headers.get("content-type", "").partition(";")[0].strip().lower())
    kind = kind or ("sse" if framing.startswith("sse") else framing)
    if SIZE_HEADER in headers:
        return [Message(_tensors(body, headers[SIZE_HEADER]))]
    try:
        return list(_READERS[kind](body))
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None


def _one(body: bytes) -> Iterator[Message]:
    yield Message(_tree(body.decode()))


def _lines(body: bytes) -> Iterator[Message]:
    yield from (Message(_tree(line)) for line in body.decode().split("\n") if line.strip())


def _nul(body: bytes) -> Iterator[Message]:
    yield from (Message(_tree(line)) for line in body.decode().split("\0") if line)


def _text(body: bytes) -> Iterator[Message]:
    yield Message(body.decode())


def _events(body: bytes) -> Iterator[Message]:
    data: list[str] = []
    name = ""
    for line in [*_LINES.split(body.decode()), ""]:
        if not line:
            if data:
                said = "\n".join(data)
                yield Message(said if said == "[DONE]" else _tree(said), name)
            data, name = [], ""
            continue
        field, _, value = line.partition(":")
        if field == "data":
            data.append(value.removeprefix(" "))
        elif field == "event":
            name = value.strip()


def asides(framing: str, headers: Mapping[str, str], body: bytes) -> list[str]:
    """What an event stream says beside its data: each other field, and the comments, joined over the stream."""
    if not framing.startswith("sse") and "event-stream" not in headers.get("content-type", ""):
        return []
    fields: dict[str, list[str]] = defaultdict(list)
    for line in _LINES.split(body.decode("utf-8", "replace")):
        field, _, value = line.partition(":")
        if field != "data":
            fields[field].append(value.removeprefix(" "))
    return ["".join(values) for values in fields.values()]


_READERS: Final = {"json": _one, "sse": _events, "ndjson": _lines, "lines": _lines, "nul": _nul, "text": _text}
_READERS["tensors"] = _one


def _tree(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise Unreadable("invalid JSON") from None


def _tensors(body: bytes, size: str) -> Any:
    """KServe's binary form: BYTES put back as `data`; every length must come out even."""
    if not size.isdigit() or int(size) > len(body):
        raise Unreadable("a wrong size of the JSON")
    tree, raw = _tree(body[: int(size)].decode()), body[int(size) :]
    for output in tree.get("outputs", []):
        length = output.get("parameters", {}).get("binary_data_size")
        if length is not None:
            output["data"] = [item.decode("utf-8", "replace") for item in _elements(raw[:length], length)]
            raw = raw[length:]
    if raw:
        raise Unreadable("bytes after the last tensor")
    return tree


def _elements(raw: bytes, length: int) -> Iterator[bytes]:
    if len(raw) != length:
        raise Unreadable("a tensor that is cut off")
    while raw:
        size = struct.unpack("<I", raw[:4])[0] if len(raw) >= 4 else len(raw)
        if size > len(raw) - 4:
            raise Unreadable("an element longer than its tensor")
        yield raw[4 : 4 + size]
        raw = raw[4 + size :]


# -- texts that can be put together -----------------------------------------------------------------------------------


def channels(found: list[Message]) -> dict[Path, str]:
    """Every text by its place, joined over the messages: what a client of the protocol shows."""
    out: dict[Path, list[str]] = defaultdict(list)
    for message in found:
        top: Path = (message.event,)
        if isinstance(message.data, dict):
            kind = message.data.get("type")
            top = (kind, *_own(message.data)) if isinstance(kind, str) else top
        for path, text in _leaves(message.data, (), stars=False):
            out[top + path].append(text)
    return {path: "".join(texts) for path, texts in out.items()}


def together(found: list[Message]) -> list[str]:
    """Each once: every text that somebody could join: by place, by place in any list, by name, and all of them.

    Keys of objects count as texts; so do lists of numbers that are octets or code points, and base64 in pieces.
    """
    joined: dict[Path, list[str]] = defaultdict(list)
    decoded: dict[Path, list[bytes]] = defaultdict(list)
    numbers: dict[Path, list[int]] = defaultdict(list)
    for message in found:
        for path, text in _leaves(message.data, (), stars=True):
            joined[path].append(text)
            joined["name", *path[-1:]].append(text)
            joined["all",].append(text)
            if _BASE64.fullmatch(text):
                decoded[path].append(_octets(text))
        for path, key in _keys(message.data, ()):
            joined["keys", *path].append(key)
        for path, number in _numbers(message.data, ()):
            numbers[path].append(number)
    out = list(channels(found).values())
    out += ["".join(texts) for texts in joined.values()]
    out += [b"".join(parts).decode("utf-8", "replace") for parts in decoded.values()]
    for values in numbers.values():
        out.append("".join(chr(value) for value in values if value < _POINTS))
        out.append(bytes(value for value in values if value < _OCTETS).decode("utf-8", "replace"))
    return list(dict.fromkeys(filter(None, out)))


def _octets(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError:
        return b""


def _own(node: dict[str, Any]) -> Path:
    return tuple(value for key in _PLACES if isinstance(value := node.get(key), int | str))


def _leaves(node: Any, path: Path, *, stars: bool) -> Iterator[tuple[Path, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, (*path, key), stars=stars)
    elif isinstance(node, list):
        for at, item in enumerate(node):
            own = item.get("index", at) if isinstance(item, dict) else at
            yield from _leaves(item, (*path, "*" if stars else own), stars=stars)
    elif isinstance(node, int | float) and abs(node) >= _LONG:
        yield path, json.dumps(node)


def _keys(node: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield path, key
            yield from _keys(value, (*path, key))
    elif isinstance(node, list):
        for item in node:
            yield from _keys(item, (*path, "*"))


def _numbers(node: Any, path: Path) -> Iterator[tuple[Path, int]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                yield (*path, key), value
            yield from _numbers(value, (*path, key))
    elif isinstance(node, list):
        for item in node:
            if isinstance(item, int) and not isinstance(item, bool) and item >= 0:
                yield (*path, "*"), item
            else:
                yield from _numbers(item, (*path, "*"))
