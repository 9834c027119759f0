"""Protocol Buffers' wire format, read by a table of what is known and written anew from what was read.

Rules of this file: what is written is canonical, so that two parsers cannot read it differently (each field once, in
the order of its number; of a field that came several times the last one counts, messages are merged, as the format
says); what the table does not know is kept apart, as it came, for whoever decides about it; groups, wrong wire types
and whatever runs past its end are errors. (protobuf.dev/programming-guides/encoding)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

type Schema = dict[int, Field]

MAX_FIELDS: Final = 200_000
"""Fields of one message, those inside it counted: reading them must not take forever."""
MAX_DEPTH: Final = 32
"""Levels of messages in messages."""
_LONG_NUMBER: Final = 10_000
"""From here on a number may be an identifier."""
_UNENDED: Final = re.compile(rb"[\x80-\xff]{10}")
_VARINT, _FIXED64, _SIZED, _FIXED32 = 0, 1, 2, 5
_SIZES: Final = {_FIXED64: 8, _FIXED32: 4}


class Kind(Enum):
    """What a field holds, and by its value the wire type that it comes as."""

    VARINT = "varint"
    FIXED32 = "fixed32"
    FIXED64 = "fixed64"
    TEXT = "text"
    BYTES = "bytes"
    MESSAGE = "message"


_WIRE: Final = {
    Kind.VARINT: _VARINT,
    Kind.FIXED32: _FIXED32,
    Kind.FIXED64: _FIXED64,
    Kind.TEXT: _SIZED,
    Kind.BYTES: _SIZED,
    Kind.MESSAGE: _SIZED,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One row of a table; `one_of` names the fields of which only the last one that came is set."""

    kind: Kind
    repeated: bool = False
    schema: Schema = field(default_factory=dict)
    one_of: str = ""


class Unknown(NamedTuple):
    """A field that the table does not have: a number, or the bytes of one with a size or of a fixed one."""

    number: int
    wire: int
    value: int | bytes


@dataclass(slots=True)
class Node:
    """A message: `values` by field number.

    A number is an int (a fixed one its bytes), a text a str, bytes are bytes, a message is a Node; of a repeated field
    a list of them, but of numbers their packed bytes.
    """

    schema: Schema
    values: dict[int, Any] = field(default_factory=dict)
    unknown: list[Unknown] = field(default_factory=list)

    def text(self, number: int) -> str:
        return str(self.values.get(number, ""))

    def nodes(self, number: int) -> list[Node]:
        return list(self.values.get(number, ()))


class WireError(ValueError):
    """Bytes that are no message of this table; carries nothing of them."""


class Unreadable(WireError):  # noqa: N818 -- what the field is
    """A field whose content cannot be told: it may be anything."""


def read(data: bytes, schema: Schema) -> Node:
    """The message that these bytes are; raises WireError."""
    node = Node(schema)
    _read(memoryview(data), node, [MAX_FIELDS], MAX_DEPTH)
    return node


def write(node: Node) -> bytes:
    """The one form of a message."""
    out = bytearray()
    for number in sorted(node.values):
        row, value = node.schema[number], node.values[number]
        if row.repeated and row.kind in _NUMBERS:
            if value:
                _sized(out, number, value)
        else:
            for each in value if row.repeated else (value,):
                _one(out, number, row.kind, each)
    for number, wire, value in node.unknown:
        if isinstance(value, int):
            out += varint(number << 3 | wire) + varint(value)
        elif wire == _SIZED:
            _sized(out, number, value)
        else:
            out += varint(number << 3 | wire) + value
    return bytes(out)


def varint(value: int) -> bytes:
    """A number of at most 64 bits (negative ones as the format has them), seven bits a byte."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> int:
    """A 64-bit number as int32 and int64 mean it."""
    return value - (1 << 64) if value >> 63 else value


def varints(packed: bytes) -> Iterator[int]:
    """The numbers that are packed into these bytes."""
    view, at = memoryview(packed), 0
    while at < len(view):
        value, at = _varint(view, at)
        yield value


def count(packed: bytes) -> int:
    """How many numbers are packed into these bytes: each ends with a byte below 128."""
    return len(packed.translate(None, _GOES_ON))


_GOES_ON: Final = bytes(range(0x80, 0x100))
_NUMBERS: Final = frozenset({Kind.VARINT, Kind.FIXED32, Kind.FIXED64})


# -- reading --------------------------------------------------------------------------------------------------------


def _read(view: memoryview, node: Node, left: list[int], depth: int) -> None:
    if depth == 0:
        raise WireError("nested too deep")
    at, end = 0, len(view)
    while at < end:
        left[0] -= 1
        if left[0] < 0:
            raise WireError("too many fields")
        key, at = _varint(view, at)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise WireError("no field has this number")
        value: int | memoryview
        if wire == _VARINT:
            value, at = _varint(view, at)
        else:
            size, at = _varint(view, at) if wire == _SIZED else (_SIZES.get(wire, -1), at)
            if size < 0 or size > end - at:
                raise WireError("runs past its end")
            value, at = view[at : at + size], at + size
        row = node.schema.get(number)
        if row is None:
            node.unknown.append(Unknown(number, wire, value if isinstance(value, int) else bytes(value)))
        else:
            _take(node, number, row, wire, value, left, depth)


def _take(  # noqa: PLR0917 -- one row's value on its way into a message
    node: Node, number: int, row: Field, wire: int, value: Any, left: list[int], depth: int
) -> None:
    if row.one_of:
        for other, another in node.schema.items():
            if another.one_of == row.one_of and other != number:
                node.values.pop(other, None)
    if row.repeated and row.kind in _NUMBERS:
        if packed := _packed(row.kind, wire, value):  # none at all is as if the field were not there
            node.values.setdefault(number, bytearray()).extend(packed)
        return
    if wire != _WIRE[row.kind]:
        raise WireError("not of its kind")
    if row.kind is Kind.MESSAGE:
        inner = Node(row.schema) if row.repeated else node.values.get(number) or Node(row.schema)
        _read(value, inner, left, depth - 1)
        value = inner
    elif row.kind is Kind.TEXT:
        value = _text(value)
    elif row.kind is not Kind.VARINT:
        value = bytes(value)
    if row.repeated:
        node.values.setdefault(number, []).append(value)
    else:
        node.values[number] = value


def _packed(kind: Kind, wire: int, value: Any) -> bytes:
    """Numbers of a repeated field, one or many: a reader must take both."""
    if wire == _WIRE[kind]:
        return varint(value) if kind is Kind.VARINT else bytes(value)
    if wire != _SIZED:
        raise WireError("not of its kind")
    packed = bytes(value)
    if kind is Kind.VARINT:
        if (packed and packed[-1] > 0x7F) or _UNENDED.search(packed):
            raise WireError("a number that does not end")
    elif len(packed) % _SIZES[_WIRE[kind]]:
        raise WireError("a part of a number")
    return packed


def _text(value: memoryview) -> str:
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise WireError("no text") from None


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    for at_now in range(at, min(at + 10, len(view))):
        byte = view[at_now]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at_now + 1
        shift += 7
    raise WireError("a number that does not end")


# -- writing --------------------------------------------------------------------------------------------------------


def _one(out: bytearray, number: int, kind: Kind, value: Any) -> None:
    if kind is Kind.VARINT:
        out += varint(number << 3) + varint(value)
    elif kind in _NUMBERS:
        out += varint(number << 3 | _WIRE[kind]) + value
    elif kind is Kind.MESSAGE:
        _sized(out, number, write(value))
    else:
        _sized(out, number, value.encode() if isinstance(value, str) else value)


def _sized(out: bytearray, number: int, value: bytes) -> None:
    out += varint(number << 3 | _SIZED)
    out += varint(len(value))
    out += value


# -- what no table knows --------------------------------------------------------------------------------------------


def masked(node: Node, render: Callable[[str], str], *, opaque: bool) -> None:
    """Render every text of a message and of those inside it, in its place, whether the table knows it or not.

    Raises Unreadable for bytes that may be anything, unless `opaque` lets them through.
    """
    for number, value in node.values.items():
        row = node.schema[number]
        each = value if row.repeated and row.kind not in _NUMBERS else [value]
        if row.kind is Kind.MESSAGE:
            for inner in each:
                masked(inner, render, opaque=opaque)
        elif row.kind is Kind.TEXT:
            rendered = [render(text) for text in each]
            node.values[number] = rendered if row.repeated else rendered[0]
        elif row.kind is Kind.BYTES and any(each) and not opaque:
            raise Unreadable("bytes that may be anything")
    unknown(node, render, opaque=opaque)


def unknown(node: Node, render: Callable[[str], str], *, opaque: bool, few: Few | None = None) -> None:
    """The same for the fields that the table does not have, of this message alone.

    A number that is an identifier is left out. Of numbers, which may spell a text together, pass as many as `few` says.
    """
    looking = _Looking(render, opaque, few or Few(MAX_FIELDS))
    node.unknown = looking.at(node.unknown, MAX_DEPTH)


@dataclass(slots=True)
class Few:
    """Numbers that may still pass."""

    left: int

    def take(self, value: int | bytes) -> bool:
        """Whether this one does; yes, no and padding always do."""
        self.left -= value not in {0, 1, 2**64 - 1, bytes(4), bytes(8)}
        return self.left >= 0


class _Looking(NamedTuple):
    render: Callable[[str], str]
    opaque: bool
    few: Few

    def at(self, fields: list[Unknown], depth: int) -> list[Unknown]:
        looked = (_looked(each, self, depth) for each in fields)
        return [each for each in looked if each is not None]


def _looked(each: Unknown, looking: _Looking, depth: int) -> Unknown | None:
    """What may be read as text is: a number could be eight of its signs. A message of nothing but texts is one."""
    (number, wire, value), (render, opaque, few) = each, looking
    if wire != _SIZED and not few.take(value) and not opaque:
        raise Unreadable("numbers that may be text")
    if isinstance(value, int):
        return each if abs(signed(value)) < _LONG_NUMBER or render(str(value)) == str(value) else None
    if not value:
        return each
    if wire != _SIZED:  # eight bytes of text are a number, too
        if _plain(value) is not None and not opaque:
            raise Unreadable("a number that may be text")
        return each
    text, inner = _plain(value), _message(value, depth)
    if text is not None and not (inner is not None and all(one.wire == _SIZED for one in inner.unknown)):
        rendered = render(text)
        if rendered != text and inner is not None and not opaque:  # as a message it would be broken
            raise Unreadable("text or a message")
        return Unknown(number, wire, rendered.encode())
    if inner is None:
        if not opaque:
            raise Unreadable("neither text nor a message")
        return each
    inner.unknown = looking.at(inner.unknown, depth - 1)
    return Unknown(number, wire, write(inner))


def _plain(value: bytes) -> str | None:
    """The text that these bytes are; None for what has signs that no text has."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if all(sign.isprintable() or sign in "\n\r\t" for sign in text) else None


def _message(value: bytes, depth: int) -> Node | None:
    try:
        node = Node({})
        _read(memoryview(value), node, [MAX_FIELDS], depth)
    except WireError:
        return None
    return node
