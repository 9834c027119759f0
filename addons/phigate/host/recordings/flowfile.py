"""Flow files, read as plain values and within bounds: whoever made one may have meant harm.

A flow file is typed netstrings one after another, `LENGTH:DATATYPE`, one dictionary a flow. mitmproxy's own reader
allocates whatever length a file claims, recurses as deep as it is nested, and takes HAR files and those of old
versions as well, which it rewrites. Here nothing is made of a file but dictionaries, lists, texts, numbers and bytes.
Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

LONGEST = 64 * 1024 * 1024
"""Bytes of a flow; its request and its answer are bounded by a quarter of that each."""
MOST = 1_000_000
"""Values in a flow."""
DEEPEST = 64
_DIGITS = 12
_PIECE = 1024 * 1024
_NUMBER = re.compile(rb"-?[0-9]{1,18}")
_FLOAT = re.compile(rb"-?[0-9.]{1,32}(?:e[+-]?[0-9]{1,3})?")


class NoFlow(ValueError):  # noqa: N818 -- named for what was read
    """What was read is no flow; the message is a kebab-case reason and holds nothing of the file."""


def flows(file: BinaryIO) -> Iterator[dict[str, Any] | NoFlow]:
    """Each flow's state; NoFlow in place of one that cannot be read, and last where what follows cannot be found."""
    while True:
        try:
            data, kind = _next(file)
        except NoFlow as end:
            if str(end) != "nothing":
                yield end
            return
        try:
            state = _Reader(data).value(kind, 0, len(data), 0)
        except NoFlow as fault:
            yield fault
        else:
            yield state if isinstance(state, dict) else NoFlow("no-flow")


def _next(file: BinaryIO) -> tuple[bytes, int]:
    """The data and the type of the next value."""
    digits = b""
    while (char := file.read(1)).isdigit() and len(digits) < _DIGITS:
        digits += char
    if not digits and not char:
        raise NoFlow("nothing")
    if char != b":" or not digits:
        raise NoFlow("no-flow-file")
    size = int(digits)
    if size > LONGEST:
        raise NoFlow("too-large")
    pieces = []
    while size > 0:
        if not (piece := file.read(min(size, _PIECE))):
            raise NoFlow("cut-off")
        pieces.append(piece)
        size -= len(piece)
    if not (kind := file.read(1)):
        raise NoFlow("cut-off")
    return b"".join(pieces), kind[0]


class _Reader:
    """One flow's bytes; the number of values is bounded over all of it."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = MOST
        self._plain: dict[int, Callable[[bytes], Any]] = {
            ord(","): bytes,
            ord(";"): _text,
            ord("#"): _whole,
            ord("^"): _float,
            ord("!"): _truth,
            ord("~"): _none,
        }

    def value(self, kind: int, start: int, end: int, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise NoFlow("too-many-values")
        if depth > DEEPEST:
            raise NoFlow("too-deep")
        if kind == ord("}"):
            items = iter(self._items(start, end, depth + 1))
            return {_name(name): _second(items) for name in items}
        if kind == ord("]"):
            return list(self._items(start, end, depth + 1))
        read = self._plain.get(kind)
        if read is None:
            raise NoFlow("no-flow")
        return read(self._data[start:end])

    def _items(self, at: int, end: int, depth: int) -> Iterator[Any]:
        while at < end:
            colon = self._data.find(b":", at, min(end, at + _DIGITS))
            digits = self._data[at:colon] if colon > at else b""
            if not digits.isdigit():
                raise NoFlow("no-flow")
            start = colon + 1
            stop = start + int(digits)
            if stop >= end:
                raise NoFlow("no-flow")
            yield self.value(self._data[stop], start, stop, depth)
            at = stop + 1


def _second(items: Iterator[Any]) -> Any:
    for item in items:
        return item
    raise NoFlow("no-flow")


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise NoFlow("no-flow")
    return name


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise NoFlow("no-flow") from None


def _whole(data: bytes) -> int:
    if not _NUMBER.fullmatch(data):
        raise NoFlow("no-flow")
    return int(data)


def _float(data: bytes) -> float:
    if not _FLOAT.fullmatch(data):
        raise NoFlow("no-flow")
    try:
        return float(data)
    except ValueError:
        raise NoFlow("no-flow") from None


def _truth(data: bytes) -> bool:
    if data not in {b"true", b"false"}:
        raise NoFlow("no-flow")
    return data == b"true"


def _none(data: bytes) -> None:
    if data:
        raise NoFlow("no-flow")
