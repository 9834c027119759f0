"""Tensors of KServe's inference protocol v2 over REST: bodies with their data inline or as bytes behind the JSON.

Rules of this file: a tensor of BYTES is text, and an element that is no text stays apart as `Unread`; all other
datatypes are numbers, kept as they came and never walked; what is written is counted anew.
(kserve/open-inference-protocol; triton-inference-server/server, extension_binary_data)
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from phigate.dialect.tree import too_deep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from phigate.dialect.codecs import Head

BYTES = "BYTES"
_FORMATS = {
    "BOOL": "B",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "BF16": "H",
    "FP32": "f",
    "FP64": "d",
}
FLOATS = frozenset({"FP16", "BF16", "FP32", "FP64"})
_SIZE = "binary_data_size"
_LENGTH = b"inference-header-content-length"
_MAX_RANK = 16
_MAX_RANK_OF_NOTHING = 3
"""Dimensions of a tensor without elements: its shape could say anything."""
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Signs that no text has: with them between its letters a text reads as something else (UTF-16)."""

FEW = 8
"""Numbers of one tensor that pass whatever they mean: labels of a few cases, the best five classes. An identifier's
digits are more, and so is a sentence of token ids."""
SMALL = 10_000
"""From here on a single number may be somebody's (a ZIP code is the shortest)."""
_FLAGS = range(-1, 6)
"""Numbers that pass in any count: yes and no, padding, the classes of a scale of up to five. No vocabulary has a word
that early, and hardly a number of anybody's is made of these digits alone."""
_TOKENS = re.compile(r"token|sequence|(?:^|_)(?:input|output|prompt|generated|beam)s?_?ids?\b", re.IGNORECASE)
"""Names of tensors whose numbers are text, however few."""
_PIECES = re.compile("token", re.IGNORECASE)
"""Names of tensors whose texts may be pieces of one, too small to find anything in."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Content that is no text, as it came; records show its kind and its size, in bytes or in numbers."""

    datatype: str
    size: int
    _content: Any = field(repr=False)

    @property
    def content(self) -> Any:
        """Bytes, or the JSON list that held them."""
        return self._content

    def numbers(self) -> Iterator[float]:
        """Its numbers in order; none for what is no tensor of numbers."""
        form = _FORMATS.get(self.datatype)
        if not isinstance(self._content, bytes):
            return _leaves(self._content)
        if form is None:
            return iter(())
        found = (value for (value,) in struct.iter_unpack("<" + form, self._content))
        if self.datatype == "BF16":  # the upper half of a float
            return (struct.unpack("<f", struct.pack("<I", word << 16))[0] for word in found)
        return found


def elements(raw: bytes) -> list[bytes]:
    """The elements of a BYTES tensor in its binary form: each behind its length (uint32, little endian).

    Raises ValueError where the lengths do not add up.
    """
    found, at = [], 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise ValueError("half a length")
        end = at + 4 + int.from_bytes(raw[at : at + 4], "little")
        if end > len(raw):
            raise ValueError("half an element")
        found.append(raw[at + 4 : end])
        at = end
    return found


def joined(parts: Iterable[bytes]) -> bytes:
    """The binary form of a BYTES tensor's elements."""
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def is_text(text: str) -> bool:
    """Whether a text has none of the signs that only other things have."""
    return not _NO_TEXT.search(text)


def text_of(element: bytes) -> str | Unread:
    """An element as text, or apart where it is none (pickles, pictures, UTF-16)."""
    try:
        text = element.decode()
    except UnicodeDecodeError:
        text = "\0"
    return Unread(BYTES, len(element), element) if _NO_TEXT.search(text) else text


def spells(name: str, numbers: Iterable[float], *, floats: bool = False) -> bool:
    """Whether whole numbers may be a text in another form: token ids, codes of signs, somebody's number.

    Of `floats`, one with a fraction shows that all are measured. What passes: a few small ones (labels), and any count
    of those that a scale or a flag has.
    """
    count, flags = 0, True
    for number in numbers:
        if floats and not (math.isfinite(number) and number == int(number)):
            return False
        count += 1
        flags = flags and number in _FLAGS
        if not flags and (abs(number) >= SMALL or count > FEW):
            if not floats:
                return True
            flags, count = False, FEW + 1
    return not flags and (count > FEW or bool(_TOKENS.search(name)))


def unread(tensor: Mapping[str, Any], *, answer: bool) -> bool:
    """Whether a tensor holds what nobody can read: elements that are no text, or numbers that may be one.

    A model that takes measurements takes them as floats, whole or not: those of a request are no text.
    """
    data, name = tensor.get("data"), tensor.get("name")
    if isinstance(data, Unread):
        floats = data.datatype in FLOATS
        return (answer or not floats) and spells(name if isinstance(name, str) else "", data.numbers(), floats=floats)
    found = list(_flat(data))
    pieces = answer and len(found) > 1 and isinstance(name, str) and bool(_PIECES.search(name))
    return pieces or any(isinstance(each, Unread) for each in found) or spelled(data)


def spelled(tree: Any, name: str = "", *, floats: bool = True) -> bool:
    """Whether a list of numbers anywhere in a tree may be a text in another form."""
    if isinstance(tree, int | float):
        return spells(name, [tree], floats=isinstance(tree, float))
    stack = [(name, tree)]
    while stack:
        key, node = stack.pop()
        if isinstance(node, dict):
            stack += [(each, value) for each, value in node.items() if isinstance(value, dict | list)]
        elif isinstance(node, list):
            found = list(_flat(node))
            numbers = [item for item in found if isinstance(item, int) or (floats and isinstance(item, float))]
            fractions = any(isinstance(item, float) and item % 1 for item in found)
            if not fractions and spells(key, numbers):
                return True
            stack += [(key, item) for item in found if isinstance(item, dict)]
    return False


def apart(tree: Any) -> bool:
    """Whether anything in a tree is no text: `Unread`, or a string with signs that no text has."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, Unread) or (isinstance(node, str) and not is_text(node)):
            return True
        if isinstance(node, dict):
            stack += [*node, *node.values()]
        elif isinstance(node, list):
            stack += node
    return False


class Tensors:
    """Requests and answers of `infer`: JSON, with the bytes of tensors behind it where its head says so.

    A tree holds a BYTES tensor's elements as texts, numbers as `Unread`; `binary_data_size` marks what is written as
    bytes again.
    """

    media = "application/json"

    def read(self, content: bytes, head: Mapping[bytes, bytes]) -> Any:
        length = head.get(_LENGTH)
        size = len(content) if length is None else _whole(length)
        if size > len(content):
            raise ValueError("shorter than it says")
        tree, rest = orjson.loads(content[:size]), content[size:]
        if not isinstance(tree, dict) or too_deep(tree):
            raise ValueError("no object that is walked")
        for tensor in _tensors(tree):
            rest = _read(tensor, rest, inline=length is None)
        if rest:
            raise ValueError("more bytes than tensors")
        return tree

    def write(self, tree: Any) -> tuple[bytes, Head]:
        raw: list[bytes] = []
        made = {
            key: [_written(each, raw) if isinstance(each, dict) else each for each in value]
            if key in _LISTS and isinstance(value, list)  # else a text of that name
            else value
            for key, value in tree.items()
        }
        body = orjson.dumps(made)
        if not raw:
            return body, [(b"content-type", b"application/json")]
        length = (b"inference-header-content-length", b"%d" % len(body))
        return b"".join([body, *raw]), [(b"content-type", b"application/octet-stream"), length]


TENSORS = Tensors()

_LISTS = ("inputs", "outputs")


def _tensors(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in _LISTS:
        listed = tree.get(key)
        if listed is None or isinstance(listed, str):
            continue
        if isinstance(listed, list) and not any(isinstance(each, dict) for each in listed):
            continue  # texts, where a model's own input is called so
        if not isinstance(listed, list) or any(not isinstance(each, dict) for each in listed):
            raise ValueError("no list of tensors")
        yield from listed


def _read(tensor: dict[str, Any], rest: bytes, *, inline: bool) -> bytes:
    """Put a tensor's data in its place; what is left of the bytes behind the JSON."""
    parameters = tensor.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise ValueError("parameters")
    size = (parameters or {}).get(_SIZE)
    if size is None and "data" not in tensor:  # what is asked for, or lies elsewhere
        return rest
    kind, count = tensor.get("datatype"), _count(tensor.get("shape"))
    if not isinstance(kind, str) or (kind != BYTES and kind not in _FORMATS):
        raise ValueError("a datatype that nobody knows")
    if size is None:
        tensor["data"] = _inline(kind, tensor["data"], count)
        return rest
    if inline or "data" in tensor or type(size) is not int or not 0 <= size <= len(rest):
        raise ValueError(_SIZE)
    tensor["data"] = _binary(kind, rest[:size], count)
    return rest[size:]


def _inline(kind: str, data: Any, count: int) -> Any:
    if not isinstance(data, list):
        raise ValueError("data")  # noqa: TRY004 -- a body that cannot be read is one kind of fault
    if kind == BYTES:
        return _marked(data)
    found = list(_flat(data))
    if len(found) != count or any(not isinstance(each, int | float) for each in found):
        raise ValueError("no numbers, or not as many as it says")
    return Unread(kind, count, data)


def _marked(node: Any) -> Any:
    """The same list with the elements apart that are no text."""
    if isinstance(node, list):
        return [_marked(each) for each in node]
    if isinstance(node, str) and _NO_TEXT.search(node):
        return Unread(BYTES, len(node), node)
    return node


def _binary(kind: str, raw: bytes, count: int) -> Any:
    if kind != BYTES:
        if len(raw) != count * struct.calcsize("<" + _FORMATS[kind]):
            raise ValueError("not as many numbers as it says")
        return Unread(kind, count, raw)
    found = elements(raw)
    if len(found) != count:
        raise ValueError("not as many elements as it says")
    return [text_of(each) for each in found]


def _written(tensor: dict[str, Any], raw: list[bytes]) -> dict[str, Any]:
    """A tensor as it stands in the JSON; its bytes, if it has any, are added to `raw`."""
    if "data" not in tensor:
        return tensor
    data, parameters = tensor["data"], tensor.get("parameters")
    if tensor.get("datatype") != BYTES and not isinstance(data, Unread):
        raise ValueError("numbers that are none any more")
    _count(tensor.get("shape"))
    if not isinstance(parameters, dict) or _SIZE not in parameters:
        return {**tensor, "data": _unmarked(data)}
    content = data.content if isinstance(data, Unread) else joined(map(_element, data))
    raw.append(content)
    made = {**tensor, "parameters": {**parameters, _SIZE: len(content)}}
    del made["data"]
    return made


def _element(each: Any) -> bytes:
    if isinstance(each, Unread):
        return bytes(each.content)
    if not isinstance(each, str):
        raise ValueError("an element that is no text")  # noqa: TRY004 -- as above
    return each.encode()


def _unmarked(node: Any) -> Any:
    if isinstance(node, Unread):
        return node.content
    return [_unmarked(each) for each in node] if isinstance(node, list) else node


def _count(shape: Any) -> int:
    if (
        not isinstance(shape, list)
        or len(shape) > _MAX_RANK
        or any(type(each) is not int or each < 0 for each in shape)
    ):
        raise ValueError("shape")
    count = math.prod(shape)
    if not count and len(shape) > _MAX_RANK_OF_NOTHING:
        raise ValueError("shape")
    return count


def _whole(digits: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,10}", digits.strip()):
        raise ValueError("a length that is no number")
    return int(digits)


def _flat(node: Any) -> Iterator[Any]:
    """The items of nested lists, in order, without recursion."""
    stack = [iter([node])]
    while stack:
        for item in stack[-1]:
            if isinstance(item, list):
                stack.append(iter(item))
                break
            yield item
        else:
            stack.pop()


def _leaves(node: Any) -> Iterator[float]:
    return (item for item in _flat(node) if isinstance(item, int | float))
