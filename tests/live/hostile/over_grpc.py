"""Valid calls of KServe's protocol v2 over gRPC, changed: metadata, framing of messages, Protocol Buffers, trailers.

Of a request any byte may change; of an answer all but the text, which a model writes as it likes.
"""

from __future__ import annotations

import contextlib
import gzip
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from google.protobuf.message import DecodeError
from hpack import Encoder
from tritonclient.grpc import service_pb2

from tests.grpc_peer import packed
from tests.live.hostile import h2, mutants
from tests.live.hostile.exchanges import ASKED, CUTS, TEXT
from tests.live.hostile.h2 import Answer
from tests.live.hostile.mutants import Mutant
from tests.traffic import CANARY_TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.hostile.h2 import Asked, Fields

CHANCE = "mutants over grpc 1"
SERVICE = "/inference.GRPCInferenceService/"
CALLS = (("ModelInfer", False), ("ModelInfer", True), ("ModelStreamInfer", False), ("ModelStreamInfer", True))
"""Method, and whether tensors stand in raw contents."""
SEED = "seed"
"""The parameter that says which mutant a request is of."""
PATHS = (
    *("ModelInfer", "ModelStreamInfer", "ModelConfig", "ServerMetadata", "RepositoryModelLoad", "", "x"),
    *("../ModelInfer", "modelinfer", "ModelInfer/", "ModelInfer?x=y", "%4dodelInfer"),
)

ASKED_ABOUT = ("members", "members", "wire format", "message", "prefix", "metadata", "compression", "frames", "bytes")
"""What may change of a request."""
ANSWERED = (
    *("members", "members", "wire format", "message", "message", "prefix", "metadata", "compression"),
    *("trailers", "frames", "frames", "error", "end"),
)
"""What may change of an answer."""
LINES = 6
"""Models of as many addresses: a broken answer breaks no other call's connection."""

SENT: Fields = [
    *((b"te", b"gzip"), (b"grpc-encoding", b"gzip"), (b"grpc-encoding", b"identity"), (b"grpc-timeout", b"1n")),
    *((b"grpc-timeout", b"99999999H"), (b"grpc-timeout", b"-1S"), (b"grpc-accept-encoding", b"gzip, identity")),
    *((b"content-type", b"application/grpc+json"), (b"content-type", b"text/plain"), (b"authorization", b"Bearer x")),
    *((b"content-length", b"5"), (b"phi-unmask", b"her doctor asks"), (b"phi-session", b"s-1"), (b"x-bin", b"!!")),
    *(
        (b"grpc-status", b"0"),
        (b":path", b"/x"),
        (b"X-Upper", b"a"),
        (b"x", b"a\r\nb: c"),
        (b"x", b"\x01"),
        (b"", b"a"),
    ),
    *((b"grpc-trace-bin", b"AAAA"), (b"x-forwarded-for", b"10.0.0.1"), (b"connection", b"close")),
]
TOLD: Fields = [
    *((b"grpc-encoding", b"gzip"), (b"content-type", b"text/html"), (b"content-length", b"3"), (b"x-note", TEXT)),
    *((b"grpc-status", b"0"), (b"grpc-status", b"13"), (b"grpc-message", TEXT.replace(b" ", b"%20")), (b"x", b"\x01")),
    *((b"grpc-message", TEXT), (b"grpc-status", b"99"), (b"grpc-status", TEXT[:20]), (b"X-Upper", TEXT)),
    *((b"grpc-status-details-bin", b"CAMSBXNvbWU"), (b":path", b"/"), (b"set-cookie", TEXT[:40]), (b"te", b"trailers")),
]


# -- messages -------------------------------------------------------------------------------------------------------


def _request(number: int, *, raw: bool) -> Any:
    made = service_pb2.ModelInferRequest(model_name=f"ward-{number % LINES}", id=f"mine-{number}")
    made.parameters[SEED].int64_param = number
    tensor = made.inputs.add(name="text_input", datatype="BYTES", shape=[1])
    if raw:
        made.raw_input_contents.append(packed(ASKED))
    else:
        tensor.contents.bytes_contents.append(ASKED.encode())
    return made


def _answers(request: Any, step: int, *, stream: bool, raw: bool) -> list[Any]:
    """What a model server answers: one message, or pieces of the text and the message that tells their end."""
    pieces = [CANARY_TEXT[at : at + step] for at in range(0, len(CANARY_TEXT), step)] if stream else [CANARY_TEXT]
    made = []
    for piece in pieces:
        each = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
        tensor = each.outputs.add(name="text_output", datatype="BYTES", shape=[1])
        if raw:
            each.raw_output_contents.append(packed(piece))
        else:
            tensor.contents.bytes_contents.append(piece.encode())
        made.append(each)
    if stream:
        made.append(service_pb2.ModelInferResponse(model_name=request.model_name, id=request.id))
        made[-1].parameters["triton_final_response"].bool_param = True
    return made


def _odd(message: Any, chance: random.Random) -> None:
    """Something that fits its schema, and not the protocol."""
    tensors = message.inputs if hasattr(message, "inputs") else message.outputs
    raw = message.raw_input_contents if hasattr(message, "inputs") else message.raw_output_contents
    chosen: list[Callable[[], Any]] = [
        lambda: message.parameters["note"].__setattr__("string_param", CANARY_TEXT),
        lambda: message.parameters["x"].__setattr__("double_param", float("nan")),
        lambda: message.parameters["shared_memory_region"].__setattr__("string_param", "region"),
        lambda: message.parameters["binary_data"].__setattr__("bool_param", True),
        lambda: message.__setattr__("id", chance.choice(("", "other", "x" * 3000))),  # what the caller says comes back
        lambda: message.__setattr__("model_name", chance.choice(("", "other", "../x", CANARY_TEXT))),
        lambda: message.__setattr__("model_version", chance.choice(("1", "latest", "../2"))),
        lambda: raw.append(chance.choice((b"", b"\0\0\0\0", b"\xff\xff\xff\xff", packed("more")))),
        lambda: tensors.add(name="more", datatype=chance.choice(("BYTES", "INT32", "X")), shape=[1]),
    ]
    if tensors:
        first = tensors[0]
        chosen += [
            lambda: first.__setattr__(
                "datatype", chance.choice(("UINT8", "INT8", "FP32", "FP16", "BOOL", "bytes", ""))
            ),
            lambda: first.__setattr__("name", chance.choice(("", "image", CANARY_TEXT))),
            lambda: first.shape.append(chance.choice((0, 1, 2, -1, 2**62))),
            lambda: first.shape.__delitem__(0),
            lambda: first.contents.int_contents.extend([72, 101, 108]),
            lambda: first.contents.bytes_contents.append(CANARY_TEXT.encode()),
            lambda: first.parameters["binary_data_size"].__setattr__("int64_param", 7),
            lambda: tensors.append(first),
        ]
    chance.choice(chosen)()


FIELDS = (
    b"\x08\1",
    b"\xf8\7\1",
    b"\x0a\0",
    b"\x7b\x7c",
    b"\x0b",
    b"\x0c",
    b"\x1d\0\0\0\0",
    b"\xff" * 11,
    b"\x0a\xff\1",
)
"""Fields that are unknown, groups, out of bounds, or of no kind."""


def _wire(raw: bytes, chance: random.Random) -> bytes:
    """A field before or behind the message, or half of it again."""
    field = chance.choice((*FIELDS, b"\xa2\6" + bytes([len(TEXT)]) + TEXT))
    return field + raw if chance.random() < 0.3 else raw + chance.choice((field, field, raw[: len(raw) // 2], raw))


def _around(raw: bytes, chance: random.Random) -> bytes:
    """Changed bytes anywhere but in the text, if it stands there as a whole; else behind what is said."""
    at = raw.find(TEXT)
    if at < 0:
        return raw + chance.choice(FIELDS)
    if chance.random() < 0.6:
        return mutants.bytewise(raw[:at], chance) + raw[at:]
    return raw[: at + len(TEXT)] + mutants.bytewise(raw[at + len(TEXT) :], chance)


def _framed(message: bytes, chance: random.Random) -> bytes:
    """A message with a prefix that is none."""
    size, flag = len(message), 0
    match chance.randrange(4):
        case 0:
            flag = chance.choice((1, 2, 128, 255))
        case 1:
            message, flag = gzip.compress(message, mtime=0), 1
            size = len(message)
        case 2:
            size = chance.choice((0, size - 1, size + 1, 2**31, 2**32 - 1))
        case _:
            return chance.choice((_plain(b"") + _plain(message), b"\0\0" + _plain(message), message))
    return bytes([flag]) + max(size, 0).to_bytes(4) + message


def _plain(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4) + message


# -- calls ----------------------------------------------------------------------------------------------------------


def _fields(path: str, bearer: bytes) -> Fields:
    return [
        *((b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()), (b":authority", b"gateway")),
        *((b"te", b"trailers"), (b"content-type", b"application/grpc"), (b"authorization", b"Bearer " + bearer)),
        *((b"grpc-timeout", b"9S"), (b"user-agent", b"grpc-python/1.70")),
    ]


def _altered(fields: Fields, more: Fields, chance: random.Random) -> Fields:
    fields, at = list(fields), chance.randrange(len(fields))
    name, value = fields[at]
    match chance.randrange(6):
        case 0:
            del fields[at]
        case 1:
            fields.insert(at, fields[at])
        case 2:
            fields[at] = name, mutants.bytewise(value, chance)
        case 3:
            fields[at] = mutants.bytewise(name, chance), value
        case _:
            fields.insert(chance.randrange(len(fields) + 1), chance.choice(more))
    return fields


def _call(number: int, bearer: bytes, chance: random.Random, changes: set[str], *, second: bool) -> tuple[bytes, bool]:
    """What the caller sends, perhaps with a second call, and whether the prompt is whole in it."""
    method, raw = CALLS[number % len(CALLS)]
    messages = [_request(number, raw=raw)] * (2 if method != "ModelInfer" and number % 3 == 0 else 1)
    at, parts = chance.randrange(len(messages)), []
    for place, message in enumerate(messages):
        data, here = message, changes if place == at else ()
        if "members" in here:
            data = type(message).FromString(message.SerializeToString())
            _odd(data, chance)
        data = data.SerializeToString()
        if "wire format" in here:
            data = _wire(data, chance)
        if "message" in here:
            data = mutants.bytewise(data, chance)
        parts.append(_framed(data, chance) if "prefix" in here else _plain(data))
    fields = _fields(SERVICE + method, bearer)
    if "metadata" in changes and chance.random() < 0.3:
        fields[2] = b":path", (SERVICE + chance.choice(PATHS)).encode()
    elif "metadata" in changes:
        fields = _altered(fields, SENT, chance)
    encoder = Encoder()
    frames = h2.head(encoder, fields, 1, chance, broken="compression" in changes)
    frames += h2.body([(each, False) for each in parts], 1, chance, cut=chance.random() < 0.4)
    if second:
        more = h2.head(encoder, _fields(SERVICE + method, bearer), 3, chance)
        more += h2.body([(_plain(messages[0].SerializeToString()), False)], 3, chance, cut=True)
        frames = h2.woven(frames, more, chance)
    if "frames" in changes:
        frames = h2.changed(frames, chance)
    sent = h2.OPENING + h2.written(frames)
    if "bytes" in changes:
        sent = mutants.bytewise(sent, chance)
    return sent, not changes & {"message", "prefix", "frames", "bytes"}


def asked_in(asked: Asked) -> Any:
    """The first message of a call, as a model server reads it."""
    size = int.from_bytes(asked.body[1:5])
    made = service_pb2.ModelInferRequest()
    with contextlib.suppress(DecodeError):
        made.ParseFromString(bytes(asked.body[5 : 5 + size]))
    return made


def answer(asked: Asked, number: int, what: list[str], *, honest: bool) -> Answer:
    """What comes back on a call."""
    _, raw = CALLS[number % len(CALLS)]
    stream, step = asked.fields[b":path"].endswith(b"StreamInfer"), CUTS[number // len(CALLS) % len(CUTS)]

    def frames(encoder: Encoder, lane: int) -> bytes:
        chance = random.Random(f"{CHANCE} {number} answer")
        changes = set() if honest else set(chance.sample(ANSWERED, chance.choice((1, 1, 2))))
        messages = _answers(asked_in(asked), step, stream=stream, raw=raw)
        at, parts = chance.randrange(len(messages)), []
        for place, message in enumerate(messages):
            here, kept = changes if place == at else set[str](), bool(message.outputs)
            parts.append((_told(message, here, chance, stream=stream), kept))
        fields: Fields = [(b":status", b"200"), (b"content-type", b"application/grpc")]
        trailers: Fields = [(b"grpc-status", b"0")]
        if "metadata" in changes:
            fields = _altered(fields, TOLD, chance)
        if "trailers" in changes:
            trailers = _altered(trailers, TOLD, chance)
        made = h2.head(encoder, fields, lane, chance, broken="compression" in changes)
        made += h2.body(parts, lane, chance, end=False)
        if "end" not in changes:
            made += h2.head(encoder, trailers, lane, chance, end=True)
        elif chance.random() < 0.5:
            made += h2.head(encoder, trailers, lane, chance)
        if "frames" in changes:
            made = h2.changed(made, chance)
        what.extend(f"the answer's {each}" for each in sorted(changes))
        return h2.written(made)

    return Answer(frames, changed=not honest, leaving=number % 3 > 0)


def _told(message: Any, changes: set[str], chance: random.Random, *, stream: bool) -> bytes:
    """One message of an answer, with its prefix."""
    if "members" in changes:
        _odd(message, chance)
    if stream:
        message = service_pb2.ModelStreamInferResponse(infer_response=message)
        if "error" in changes:
            message.error_message = f"broke at {CANARY_TEXT}"
    data: bytes = message.SerializeToString()
    if "wire format" in changes:
        data = data + chance.choice(FIELDS) if stream else _wire(data, chance)
    if "message" in changes:
        data = _around(data, chance)
    return _framed(data, chance) if "prefix" in changes else _plain(data)


def mutant(number: int, bearer: bytes) -> Mutant:
    """The mutant of this number; its `answer` says whether that is changed as well."""
    chance = random.Random(f"{CHANCE} {number}")
    kind = chance.choice(("request", "request", "answer", "answer", "both"))
    changes = set() if kind == "answer" else set(chance.sample(ASKED_ABOUT, chance.choice((1, 1, 2))))
    second = chance.random() < 0.2
    sent, text = _call(number, bearer, chance, changes, second=second)
    what = [f"the request's {each}" for each in sorted(changes)]
    name = " ".join(map(str, CALLS[number % len(CALLS)]))
    streams = frozenset({1, 3} if second else {1})
    return Mutant(number, name, sent, kind != "request", what, intact=not changes, text=text, streams=streams)


def messages_in(data: bytes) -> list[bytes]:
    found = []
    while len(data) >= 5:
        size = int.from_bytes(data[1:5])
        found.append(data[5 : 5 + size])
        data = data[5 + size :]
    return found


def texts(heard: h2.Heard) -> str:
    """What the caller reads in an answer: the texts of its messages, put together, and its status message."""
    said, told = list[bytes](), list[bytes]()
    for data in (each for body in heard.bodies.values() for each in messages_in(body)):
        for kind in (service_pb2.ModelInferResponse, service_pb2.ModelStreamInferResponse):
            with contextlib.suppress(DecodeError):
                message: Any = kind.FromString(data)
                inner = getattr(message, "infer_response", message)
                said += [raw[4:] for raw in inner.raw_output_contents]
                said += [text for tensor in inner.outputs for text in tensor.contents.bytes_contents]
    for heads in heard.heads.values():
        told += [unquote_to_bytes(value) for fields in heads for name, value in fields if name == b"grpc-message"]
    return b"\n".join([b"".join(said), *told]).decode(errors="replace")
