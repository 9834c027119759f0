"""KServe's inference protocol v2 over gRPC, as Triton, KServe and MLServer speak it: its calls and messages as tables.

Rules of this file: a call or a field that stands in no table is unknown; any tensor of BYTES is text; numbers pass only
where they cannot be read as text (see `spells`); a tensor that lies in shared memory does not pass a gateway: whoever
asks for one is refused. (kserve/open-inference-protocol, triton-inference-server/common)
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

import orjson

from phigate.dialect import kserve, protobuf, tensors
from phigate.dialect.protobuf import Field, Kind, Node, Schema, WireError
from phigate.dialect.tree import Fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DIALECT: Final = "kserve-grpc"

_text, _bytes = Kind.TEXT, Kind.BYTES


def _many(kind: Kind) -> Field:
    return Field(kind, repeated=True)


def _all(schema: Schema) -> Field:
    return Field(Kind.MESSAGE, repeated=True, schema=schema)


def _choice(kind: Kind) -> Field:
    return Field(kind, one_of="choice")


# -- messages -------------------------------------------------------------------------------------------------------

BOOL, INTEGER, STRING, DOUBLE, UNSIGNED = 1, 2, 3, 4, 5
PARAMETER: Final[Schema] = {
    BOOL: _choice(Kind.VARINT),
    INTEGER: _choice(Kind.VARINT),
    STRING: _choice(Kind.TEXT),
    DOUBLE: _choice(Kind.FIXED64),
    UNSIGNED: _choice(Kind.VARINT),
}
PARAMETERS: Final = _all({1: Field(_text), 2: Field(Kind.MESSAGE, schema=PARAMETER)})
BYTES_CONTENTS = 8
CONTENTS: Final[Schema] = {
    **{number: _many(Kind.VARINT) for number in (1, 2, 3, 4, 5)},
    6: _many(Kind.FIXED32),
    7: _many(Kind.FIXED64),
    BYTES_CONTENTS: _many(_bytes),
}
TENSOR: Final[Schema] = {
    1: Field(_text),
    2: Field(_text),
    3: _many(Kind.VARINT),
    4: PARAMETERS,
    5: Field(Kind.MESSAGE, schema=CONTENTS),
}
REQUEST: Final[Schema] = {
    1: Field(_text),
    2: Field(_text),
    3: Field(_text),
    4: PARAMETERS,
    5: _all(TENSOR),
    6: _all({1: Field(_text), 2: PARAMETERS}),
    7: _many(_bytes),
}
ANSWER: Final[Schema] = {
    1: Field(_text),
    2: Field(_text),
    3: Field(_text),
    4: PARAMETERS,
    5: _all(TENSOR),
    6: _many(_bytes),
}
STREAMED: Final[Schema] = {1: Field(_text), 2: Field(Kind.MESSAGE, schema=ANSWER)}
MODEL: Final[Schema] = {1: Field(_text), 2: Field(_text)}
FLAG: Final[Schema] = {1: Field(Kind.VARINT)}
ABOUT_TENSOR: Final = _all({1: Field(_text), 2: Field(_text), 3: _many(Kind.VARINT)})
METADATA: Final[Schema] = {1: Field(_text), 2: _many(_text), 3: Field(_text), 4: ABOUT_TENSOR, 5: ABOUT_TENSOR}
SERVER: Final[Schema] = {1: Field(_text), 2: Field(_text), 3: _many(_text)}

MODEL_NAME, VERSION, ID, PARAMETERS_AT, TENSORS = 1, 2, 3, 4, 5
_IS_VERSION: Final = re.compile(r"[A-Za-z0-9._-]{0,64}\Z")
_BARE: Final = ANSWER.keys() - STREAMED.keys()
"""What an answer of a stream has only where no message is around it."""


def _raw_at(node: Node) -> int:
    """Where the contents of all tensors stand, if they stand apart from them."""
    return 7 if node.schema is REQUEST else 6


@dataclass(frozen=True, slots=True)
class Method:
    """One call: its path, the action it stands for, how its messages are read; `infer` carries tensors."""

    name: str
    path: str
    action: str
    request: Schema
    answer: Schema
    infer: bool = False
    streams: bool = False


_SERVICE: Final = "/inference.GRPCInferenceService/"
METHODS: Final = {
    method.path: method
    for method in (
        Method("kserve-grpc-infer", _SERVICE + "ModelInfer", "predict", REQUEST, ANSWER, infer=True),
        Method(
            "kserve-grpc-stream-infer",
            _SERVICE + "ModelStreamInfer",
            "predict",
            REQUEST,
            STREAMED,
            infer=True,
            streams=True,
        ),
        Method("kserve-grpc-server-live", _SERVICE + "ServerLive", "list-models", {}, FLAG),
        Method("kserve-grpc-server-ready", _SERVICE + "ServerReady", "list-models", {}, FLAG),
        Method("kserve-grpc-server-metadata", _SERVICE + "ServerMetadata", "list-models", {}, SERVER),
        Method("kserve-grpc-model-ready", _SERVICE + "ModelReady", "list-models", MODEL, FLAG),
        Method("kserve-grpc-model-metadata", _SERVICE + "ModelMetadata", "list-models", MODEL, METADATA),
        Method("kserve-grpc-model-config", _SERVICE + "ModelConfig", "list-models", MODEL, {1: Field(Kind.MESSAGE)}),
    )
}
"""What is not here (loading and unloading, shared memory, tracing, logging, reflection) is unknown."""
HEALTH: Final = "/grpc.health.v1.Health/Check"
HEALTH_REQUEST: Final[Schema] = {1: Field(_text)}
SERVING: Final = b"\x08\x01"
NOT_SERVING: Final = b"\x08\x02"

TEXTS: Final = Fields(
    constant=frozenset(),
    drop=frozenset(),
    json=frozenset(),
    prose=frozenset(
        {
            *("text_output", "text_input", "text", "output", "outputs", "input", "inputs", "generated_text", "prompt"),
            *("response", "content", "completion", "message", "answer", "result", "prediction", "predictions"),
            *("output_0", "output0", "input_0", "input0", "data"),
        }
    ),
)
"""A tensor's name says what its texts are (`mrn`), but for these names, which only say that they are texts."""


def key(name: str) -> str:
    """What a tensor's or parameter's name says of its texts."""
    return name.lower() if name.lower() in TEXTS.prose else name


PLACED: Final = Fields(
    constant=frozenset({"model_name", "model_version", "name", "datatype", "shape"}),
    drop=frozenset(),
    json=frozenset(),
    prose=frozenset({"data"}),
)
"""The same message as the JSON of the protocol's REST form, in which a policy's `fields` name places."""

# -- tensors --------------------------------------------------------------------------------------------------------

_CONTENTS_OF: Final = {
    "BOOL": 1,
    "INT8": 2,
    "INT16": 2,
    "INT32": 2,
    "INT64": 3,
    "UINT8": 4,
    "UINT16": 4,
    "UINT32": 4,
    "UINT64": 5,
    "FP32": 6,
    "FP64": 7,
    "BYTES": BYTES_CONTENTS,
    "FP16": 0,
    "BF16": 0,
}
"""Datatype to the field of its contents; 0: only as raw contents."""
_FORMAT: Final = {
    "BOOL": "B",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
    "BF16": "H",
}
_FLOATS: Final = tensors.FLOATS
_SHARED: Final = "shared_memory"
FINAL: Final = "triton_final_response"
WANT_FINAL: Final = "triton_enable_empty_final_response"
LETTERS: Final = 32
"""The first whole number that may be a sign of text or a token of some use."""
_MAX_TEXTS: Final = 16_384
_LOOKED_AT: Final = 65_536
"""Numbers of a tensor that are looked at."""
_MAX_RANK: Final = 16
_FLAGS: Final = frozenset({-1, 0, 1})
"""Yes, no and padding: they say nothing, however many there are."""


@dataclass(slots=True)
class Tensor:
    """One tensor: `texts` are the elements of a BYTES one, else `numbers` are the bytes as they came."""

    node: Node
    name: str
    datatype: str
    raw: bool
    texts: list[bytes] | None = None
    numbers: bytes = b""
    parameters: dict[str, Node] = field(default_factory=dict)

    def shown(self, texts: list[Any] | None) -> dict[str, Any]:
        """The tensor for a record: its texts as they are given, of numbers only how many."""
        whole: dict[str, Any] = {"name": self.name, "datatype": self.datatype}
        return whole | ({"data": texts} if texts is not None else {"numbers": self.count})

    @property
    def count(self) -> int:
        """How many numbers it has."""
        if self.raw:
            return len(self.numbers) // struct.calcsize("<" + _FORMAT[self.datatype])
        if self.datatype in _FLOATS:
            return len(self.numbers) // struct.calcsize("<" + _FORMAT[self.datatype])
        return protobuf.count(self.numbers)

    def values(self) -> Iterator[float]:
        """Its numbers, in order."""
        form = _FORMAT[self.datatype]
        if not self.raw and self.datatype not in _FLOATS:
            signed = form in "bhiq"
            return (protobuf.signed(each) if signed else each for each in protobuf.varints(self.numbers))
        if self.datatype == "BF16":
            words = struct.iter_unpack("<H", self.numbers)
            return (struct.unpack("<f", struct.pack("<I", word << 16))[0] for (word,) in words)
        return (value for (value,) in struct.iter_unpack("<" + form, self.numbers))


@dataclass(slots=True)
class Infer:
    """A message that carries tensors, request or answer."""

    node: Node
    tensors: list[Tensor]
    parameters: dict[str, Node]

    @property
    def model(self) -> str:
        return self.node.text(MODEL_NAME)

    @property
    def version(self) -> str:
        return self.node.text(VERSION)

    @property
    def id(self) -> str:
        return self.node.text(ID)

    @property
    def wanted(self) -> list[str]:
        """The names of the outputs that a request asks for."""
        return [each.text(1) for each in self.node.nodes(6)] if self.node.schema is REQUEST else []

    def flag(self, name: str) -> bool | None:
        """A parameter that is yes or no; None where it is not there."""
        found = self.parameters.get(name)
        return None if found is None or BOOL not in found.values else bool(found.values[BOOL])

    def all_parameters(self) -> Iterator[dict[str, Node]]:
        """The message's own, its tensors', and those of the outputs it asks for."""
        yield self.parameters
        for tensor in self.tensors:
            yield tensor.parameters
        if self.node.schema is REQUEST:
            for wanted in self.node.nodes(6):
                yield _parameters(wanted, 2)

    def bytes(self) -> bytes:
        """The message as it goes on: written from what was read, whatever its texts have become."""
        raw_at = _raw_at(self.node)
        raws = []
        for tensor in self.tensors:
            if tensor.raw:
                raws.append(_joined(tensor.texts) if tensor.texts is not None else tensor.numbers)
            elif tensor.texts is not None:
                tensor.node.values[5].values[BYTES_CONTENTS] = tensor.texts
            _put_parameters(tensor.node, 4, tensor.parameters)
        if raws:
            self.node.values[raw_at] = raws
        _put_parameters(self.node, PARAMETERS_AT, self.parameters)
        return protobuf.write(self.node)


def is_version(text: str) -> bool:
    """Whether a text can be a model's version; none is one as well."""
    return _IS_VERSION.match(text) is not None


def streamed(data: bytes) -> tuple[Node, bool]:
    """One message of a stream's answers in Triton's form, and whether it came bare; raises WireError.

    Triton puts an answer or an error into a message of its own, MLServer streams the answers themselves. They are told
    apart by the fields that only the latter have; one without any of them is read as Triton's.
    """
    if _BARE.isdisjoint(field.number for field in protobuf.read(data, {}).unknown):
        return protobuf.read(data, STREAMED), False
    answer = protobuf.read(data, ANSWER)
    if not is_version(answer.text(VERSION)):  # in the other form the answer stands there
        raise WireError("of neither form")
    return Node(STREAMED, {2: answer}), True


def infer(node: Node) -> Infer:
    """The tensors of a message; raises WireError where it is not what the protocol says."""
    raws = node.values.get(_raw_at(node))
    nodes = node.nodes(TENSORS)
    if raws is not None and len(raws) != len(nodes):
        raise WireError("raw contents of another number of tensors")
    tensors = [_tensor(each, None if raws is None else raws[at]) for at, each in enumerate(nodes)]
    if sum(len(tensor.texts) for tensor in tensors if tensor.texts) > _MAX_TEXTS:
        raise WireError("too many texts")
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise WireError("two tensors of one name")
    message = Infer(node, tensors, _parameters(node, PARAMETERS_AT))
    for _ in message.all_parameters():  # those of the outputs it asks for are read only there
        pass
    return message


def _tensor(node: Node, raw: bytes | None) -> Tensor:
    datatype = node.text(2)
    number = _CONTENTS_OF.get(datatype)
    if number is None:
        raise WireError("no such datatype")
    contents: Node | None = node.values.get(5)
    if contents is not None and (contents.unknown or (raw is not None and any(contents.values.values()))):
        raise WireError("contents twice")
    tensor = Tensor(node, node.text(1), datatype, raw is not None, parameters=_parameters(node, 4))
    if raw is None:
        if contents is None:
            contents = node.values[5] = Node(CONTENTS)
        if any(value for at, value in contents.values.items() if at != number):
            raise WireError("contents of another datatype")
        found = contents.values.get(number, [] if datatype == "BYTES" else b"")
        tensor.texts, tensor.numbers = (list(found), b"") if datatype == "BYTES" else (None, found)
    elif datatype == "BYTES":
        tensor.texts = list(_elements(raw))
    else:
        if len(raw) % struct.calcsize("<" + _FORMAT[datatype]):
            raise WireError("a part of a number")
        tensor.numbers = raw
    _check_shape(tensor)
    return tensor


def _check_shape(tensor: Tensor) -> None:
    """What a shape says is how many elements there are, so that it can say nothing else."""
    packed = tensor.node.values.get(3, b"")
    if protobuf.count(packed) > _MAX_RANK:
        raise WireError("too many dimensions")
    size = math.prod(protobuf.signed(each) for each in protobuf.varints(packed))
    if size != (len(tensor.texts) if tensor.texts is not None else tensor.count):
        raise WireError("not of its shape")


def _elements(raw: bytes) -> Iterator[bytes]:
    """The elements of a BYTES tensor's raw contents: each with its length before it, four bytes, the lowest first."""
    at, left = 0, _MAX_TEXTS
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "little")
        at, left = at + 4 + size, left - 1
        if at > len(raw) or left < 0:
            raise WireError("runs past its end")
        yield raw[at - size : at]


def _joined(texts: Iterable[bytes]) -> bytes:
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def _parameters(node: Node, at: int) -> dict[str, Node]:
    """Parameters by name; of two the last one counts."""
    found = {}
    for entry in node.nodes(at):
        if entry.unknown:
            raise WireError("a parameter with more than a value")
        found[entry.text(1)] = entry.values.get(2) or Node(PARAMETER)
    _put_parameters(node, at, found)
    return found


def _put_parameters(node: Node, at: int, parameters: dict[str, Node]) -> None:
    node.values.pop(at, None)
    if parameters:
        schema = PARAMETERS.schema
        node.values[at] = [Node(schema, {1: name, 2: value}) for name, value in parameters.items()]


def parameter(number: int, value: Any) -> Node:
    return Node(PARAMETER, {number: value})


# -- what may be text -----------------------------------------------------------------------------------------------


def asks_for_shared_memory(message: Infer) -> bool:
    return any(name.startswith(_SHARED) for names in message.all_parameters() for name in names)


def has_unknown(node: Node) -> bool:
    """Whether a message, or one in it, has fields that no table has."""
    if node.unknown:
        return True
    for number, value in node.values.items():
        row = node.schema[number]
        if row.kind is Kind.MESSAGE and any(map(has_unknown, value if row.repeated else [value])):
            return True
    return False


def _letters(tensor: Tensor) -> int:
    """How many of a tensor's floats may be token ids or the codes of signs, where most of it may."""
    seen = list(islice(tensor.values(), _LOOKED_AT))
    found = sum(value.is_integer() and abs(value) >= LETTERS for value in seen)
    return found if found * 2 > len(seen) else 0


def spells(tensor: Tensor, before: Iterable[float] = ()) -> bool:
    """Whether a tensor's numbers may be text all the same, after those that came `before` under its name."""
    floats = tensor.datatype in tensors.FLOATS
    if floats and _letters(tensor) > tensors.FEW:
        return True
    values = islice(tensor.values(), _LOOKED_AT) if floats else tensor.values()
    return tensors.spells(tensor.name, chain(before, values), floats=floats)


def kept(tensor: Tensor) -> list[float]:
    """The numbers of a tensor that passed which count when more come under its name."""
    whole = list(islice(tensor.values(), _LOOKED_AT))
    return [] if any(not _is_whole(value) for value in whole) else [each for each in whole if each not in _FLAGS]


def _is_whole(value: float) -> bool:
    return isinstance(value, int) or value.is_integer()


def pieces(tensor: Tensor) -> bool:
    """Whether a tensor's texts may be one text in pieces too small to find anything in."""
    texts: list[Any] = [""] * len(tensor.texts or ())
    return tensors.unread({"name": tensor.name, "data": texts}, answer=True)


def plain_texts(message: Infer) -> Iterator[tuple[str, str]]:
    """(name, text) of every text that a message carries, in order; what is no UTF-8 is passed over."""
    for parameters in message.all_parameters():
        for name, value in parameters.items():
            if STRING in value.values:
                yield name, value.text(STRING)
    for tensor in message.tensors:
        for element in tensor.texts or ():
            text = decoded(element)
            if text is not None:
                yield tensor.name, text


def decoded(element: bytes) -> str | None:
    """An element as text; None where it is none (pictures, UTF-16)."""
    text = tensors.text_of(element)
    return text if isinstance(text, str) else None


def readable(message: Infer) -> bool:
    """Whether everything that a request carries is text or numbers that are none.

    A model that takes measurements takes them as floats, whole or not.
    """
    for tensor in message.tensors:
        if tensor.texts is not None:
            if any(decoded(element) is None for element in tensor.texts):
                return False
        elif tensor.datatype not in tensors.FLOATS and spells(tensor):
            return False
    return not has_unknown(message.node)


def steers(message: Infer) -> bool:
    """Whether a request decides word by word what the model writes, by its parameters or by tensors of such names."""
    tree = {
        "parameters": [{name: value_of(value) for name, value in each.items()} for each in message.all_parameters()],
        "inputs": [{"name": tensor.name, "data": _data(tensor)} for tensor in message.tensors],
    }
    return bool(kserve.steers(tree))


def value_of(parameter: Node) -> Any:
    """A parameter's value; a fixed one is eight bytes."""
    held: Any
    number, held = next(iter(parameter.values.items()), (BOOL, None))
    if number == DOUBLE:
        return struct.unpack("<d", held)[0]
    return protobuf.signed(held) if number == INTEGER else held


def _data(tensor: Tensor) -> list[Any]:
    if tensor.texts is None:
        return list(islice(tensor.values(), _LOOKED_AT))
    texts = [decoded(element) for element in tensor.texts]
    return [*texts, *(loaded for loaded in map(_json, texts) if loaded is not None)]


def _json(text: str | None) -> Any:
    """The JSON object that a text holds (Triton's `sampling_parameters`)."""
    if text is None or not text.lstrip().startswith("{"):
        return None
    try:
        return orjson.loads(text)
    except ValueError:
        return None
