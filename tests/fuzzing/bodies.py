"""What stands in a body: JSON of every dialect, forms, messages of KServe's gRPC protocol."""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson

from phigate.access.request import Asked, read
from phigate.dialect import kserve_grpc, protobuf
from phigate.dialect.codecs import Json
from phigate.dialect.known import ROUTES, dialect_of, spoken
from phigate.dialect.openai_audio import FORM
from phigate.dialect.protobuf import WireError
from phigate.dialect.routes import Match
from phigate.exchange import Refusal
from phigate.masking import Memory, Sight, Transformer
from phigate.masking.answer import failure, whole
from tests.fuzzing.target import Target, hold
from tests.seen import DETECTORS, REDACT, SECRETS

if TYPE_CHECKING:
    from phigate.dialect.protobuf import Node
    from phigate.dialect.routes import Route

BODIES = [route for route in ROUTES if route.has_body and any(isinstance(each, Json) for each in route.reads.values())]
ANSWERS = [route for route in ROUTES if any(isinstance(each, Json) for each in route.answers.values())]
WORD = re.compile(r"[a-z]+(-[a-z0-9]+)*")
LONG = 600
"""Bytes of a request or an answer from which it is not masked: that is measured elsewhere."""


def _sight(*, answer: bool) -> Sight:
    redact = Transformer(REDACT, SECRETS, "ada")
    return Sight(DETECTORS, SECRETS, redact, redact, Memory() if answer else None)


# -- JSON -----------------------------------------------------------------------------------------------------------


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    hold(len(dict(pairs)) == len(pairs), "two members of one name")
    return dict(pairs)


def _whole(text: str) -> int | float:
    return int(text) if len(text) < 21 and -(2**63) <= int(text) < 2**64 else float(text)


def json_request(data: bytes) -> None:
    """The first byte chooses the route, the rest is the body."""
    route, content = BODIES[data[0] % len(BODIES) if data else 0], data[1:]
    asked = asked_of(route, content)
    if isinstance(asked, Refusal):
        hold(400 <= asked.status < 500 and WORD.fullmatch(asked.reason), "a refusal that is none")
        return
    plain = json.loads(content, object_pairs_hook=once, parse_int=_whole) if content else {}
    kept = {name: value for name, value in plain.items() if name not in asked.route.omits} | dict(asked.route.sets)
    hold(kept == asked.tree, "read otherwise than another parser reads it")
    onward = orjson.dumps(asked.tree)
    hold(asked_of(asked.route, onward) == asked, "what goes on is read otherwise")
    if len(content) < LONG:
        fields, sight = spoken(asked.route).request, _sight(answer=False)
        sight.study(asked.tree, fields)
        sight.tree_for_caller(asked.tree, fields)


def asked_of(route: Route, content: bytes) -> Asked | Refusal:
    """A request as it is read, once it was looked at for what steers its answer."""
    media = next(name for name, each in route.reads.items() if isinstance(each, Json))
    model = "m" if "{model}" in route.path else None
    asked = read(Match((route,), model), content, {b"content-type": media.encode()}, dialect_of)
    if isinstance(asked, Asked):
        spoken(asked.route).steers(asked.tree)
    return asked


def json_answer(data: bytes) -> None:
    """The same for an answer; an uneven byte says that it is an error."""
    route, content = ANSWERS[(data[0] >> 1) % len(ANSWERS) if data else 0], data[1 : LONG + 1]
    dialect, codec = spoken(route), next(each for each in route.answers.values() if isinstance(each, Json))
    if data and data[0] & 1:
        body, _ = failure(content, 500, _sight(answer=True), dialect)
        hold(isinstance(orjson.loads(body), dict), "an error that cannot be read")
        return
    try:
        body, _, _, usage = whole(content, _sight(answer=True), dialect, codec, {})
    except ValueError:
        return
    if body and codec.media:  # some say that they are done by nothing at all
        orjson.loads(body)
    hold(all(isinstance(count, int) for count in usage.values()), "a count that is none")


CHOOSING: list[dict[str, Any]] = [
    {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
        "max_tokens": 9,
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": ["a"]}}},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    },
    {
        "model": "m",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "a"}],
        "output_config": {"format": {}},
        "messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "text", "data": "a"}}]}],
        "tools": [{"type": "custom", "name": "f", "input_schema": {}}],
        "tool_choice": {"type": "tool", "name": "f"},
    },
    {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text"}]}],
        "text": {"format": {"type": "json_schema", "schema": {}}},
        "tools": [{"type": "custom", "name": "f", "format": {"type": "grammar", "syntax": "lark"}}],
        "tool_choice": {"type": "allowed_tools", "tools": [{"type": "function", "name": "f"}]},
    },
    {"model": "m", "messages": [{"role": "user", "content": "a"}], "format": {"type": "object"}, "options": {"n": 1}},
]
"""Requests that say in which words they want their answer."""


def requests() -> list[bytes]:
    chat = {"model": "m", "messages": [{"role": "user", "content": "Hello, Ada Quist"}], "stream": True, "n": 1}
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    bodies = [
        chat,
        chat | {"messages": [{"role": "user", "content": parts}], "tools": [{"type": "function", "function": {}}]},
        {"model": "m", "prompt": ["a", "b"], "suffix": None, "options": {"seed": 1}, "images": []},
        {"model": "m", "input": ["a"], "instructions": "b", "previous_response_id": "r", "store": True},
        {
            "inputs": [{"name": "x", "datatype": "BYTES", "shape": [1], "data": ["a"]}],
            "parameters": {"adapter_id": "a"},
        },
        {"instances": [{"a": "b"}], "signature_name": "s"},
        {"model": "m", "query": "a", "documents": ["b", {"text": "c"}], "top_n": 1},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a", "arguments": {"b": "c"}}},
        *CHOOSING,
    ]
    first = [bytes([at]) + json.dumps(each).encode() for at, each in enumerate(bodies * 3)]
    per_route = [bytes([at]) + json.dumps(bodies[at % len(bodies)]).encode() for at in range(24, len(BODIES))]
    return [
        *first,
        *per_route,
        b'\0{"model":"m","\\u006dodel":1}',
        b'\0{"model":"m","a":1e400,"b":-0.0,"c":18446744073709551616}',
    ]


def answers() -> list[bytes]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Ada Quist, MRN 70418"}, "finish_reason": "stop"}
    calls = {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"mrn":"70418"}'}}]}
    bodies = [
        {"id": "a", "choices": [choice, {"index": 1, "message": calls}], "usage": {"prompt_tokens": 1}},
        {"model": "m", "response": "a", "message": {"content": "b"}, "done": True, "context": [1, 2]},
        {"content": [{"type": "text", "text": "a"}, {"type": "tool_use", "input": {"a": 1}}], "type": "message"},
        {"outputs": [{"name": "x", "datatype": "BYTES", "shape": [1], "data": ["a"]}]},
        {"output": [{"type": "message", "content": [{"type": "output_text", "text": "a"}]}]},
        {"error": {"message": "Ada Quist is unknown", "type": "x"}},
    ]
    made = [json.dumps(body).encode() for body in bodies]
    return [bytes([at]) + made[at // 2 % len(made)] for at in range(min(256, 2 * len(ANSWERS)))]


# -- forms ----------------------------------------------------------------------------------------------------------


def multipart(data: bytes) -> None:
    """The first line is the content type, the rest the form."""
    said, _, content = data.partition(b"\n")
    try:
        tree = FORM.read(content, {b"content-type": said})
    except ValueError:
        return
    body, fields = FORM.write(tree)
    hold(FORM.read(body, dict(fields)) == tree, "what goes on is read otherwise")
    hold(FORM.write(FORM.read(body, dict(fields))) == (body, fields), "what goes on is written otherwise")


def forms() -> list[bytes]:
    head = b"multipart/form-data; boundary=b\n"
    part = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
    file = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/x\r\n\r\nR\r\n'
    whole = file + part % (b"model", b"m") + part % (b"stream", b"true") + part % (b"include[]", b"x") * 2
    return [
        head + whole + b"--b--\r\n",
        head + part % (b"stream", b"2") + b"--b--",
        head.replace(b"=b", b'="b"') + file + b"--b--",
    ]


# -- Protocol Buffers -----------------------------------------------------------------------------------------------

SCHEMAS = (kserve_grpc.REQUEST, kserve_grpc.ANSWER, kserve_grpc.STREAMED, kserve_grpc.MODEL, kserve_grpc.METADATA, {})


def wire(data: bytes) -> None:
    """The first byte chooses the table, the rest is the message."""
    schema, content = SCHEMAS[data[0] % len(SCHEMAS) if data else 0], data[1:]
    try:
        node = protobuf.read(content, schema)
    except WireError:
        return
    written = protobuf.write(node)
    again = protobuf.read(written, schema)
    hold(again == node, "what goes on is read otherwise")
    hold(protobuf.write(again) == written, "what goes on is written otherwise")
    for opaque in (True, False):
        try:
            protobuf.masked(again, str, opaque=opaque)
        except protobuf.Unreadable:
            continue
        protobuf.read(protobuf.write(again), schema)
    if schema in (kserve_grpc.REQUEST, kserve_grpc.ANSWER):
        _tensors(protobuf.read(content, schema))
    try:
        kserve_grpc.streamed(content)
    except WireError:
        return


def _tensors(node: Node) -> None:
    try:
        message = kserve_grpc.infer(node)
    except WireError:
        return
    list(kserve_grpc.plain_texts(message))
    kserve_grpc.readable(message)
    kserve_grpc.steers(message)
    kserve_grpc.asks_for_shared_memory(message)
    for tensor in (each for each in message.tensors if each.texts is None):
        kserve_grpc.spells(tensor)
        kserve_grpc.kept(tensor)
    for tensor in (each for each in message.tensors if each.texts is not None):
        kserve_grpc.pieces(tensor)
    for parameter in chain.from_iterable(each.values() for each in message.all_parameters()):
        kserve_grpc.value_of(parameter)
    written = message.bytes()
    again = kserve_grpc.infer(protobuf.read(written, node.schema))
    hold(again.bytes() == written, "tensors that are written otherwise")
    hold([each.texts for each in again.tensors] == [each.texts for each in message.tensors], "texts that change")


def messages() -> list[bytes]:
    name, one = b"\x0a\x01m", b"\x0a\x01x\x12\x05BYTES\x1a\x01\x01"
    inline, shared = one + b"\x2a\x03\x42\x01a", one + b"\x22\x06\x0a\x02ab\x12\x00"
    numbers = b"\x0a\x01y\x12\x04FP32\x1a\x01\x01\x2a\x06\x32\x04\0\0\x80?"

    def put(number: int, raw: bytes) -> bytes:
        return protobuf.varint(number << 3 | 2) + protobuf.varint(len(raw)) + raw

    raw = put(7, b"\1\0\0\0a")
    request = [name + put(5, inline), name + put(5, one) + raw, name + put(5, shared), name + put(5, numbers), name * 2]
    answer = [name + put(5, inline), name + put(5, one) + put(6, b"\1\0\0\0a")]
    other = [put(2, put(5, inline)), name, put(9, b"hello") + b"\x50\x96\x01" + b"\x59" + bytes(8) + b"\x65abcd"]
    return (
        [b"\0" + each for each in request]
        + [b"\1" + each for each in answer]
        + [bytes([2 + at % 4]) + each for at, each in enumerate(other * 4)]
    )


NAMES = (
    *(b'"model":', b'"messages":', b'"content":', b'"role":', b'"stream":', b'"tools":', b'"input":', b'"prompt":'),
    *(b'"options":', b'"inputs":', b'"data":', b'"shape":', b'"parameters":', b'"text":', b'"type":', b'"image_url":'),
    *(b'"arguments":', b'"function":', b'"name":', b'"documents":', b'"query":', b'"instances":', b'"method":'),
    *(b'"params":', b'"id":', b'"store":', b'"suffix":', b'"choices":', b'"message":', b'"error":', b'"output":'),
)
JSON = Target(
    json_request,
    requests,
    (*NAMES, b"\\u003a", b"\\ud83d\\ude00", b"\\", b'"', b"[[[[", b"1e5", b"null", b"NaN", b"-0"),
    1024,
)
ANSWER = Target(json_answer, answers, (*NAMES, b"\\u003a", b'\\"', b"{}", b"[]", b"1e5", b"null", b"MRN 70418"), 512)
MULTIPART = Target(
    multipart,
    forms,
    (
        *(
            b"--b\r\n",
            b"\r\n--b--\r\n",
            b"\r\n\r\n",
            b"Content-Disposition: form-data; name=",
            b'"model"',
            b'"file"',
            b"filename=",
        ),
        *(
            b"Content-Type: audio/wav",
            b"boundary=",
            b'"',
            b"true",
            b"include[]",
            b"Content-Transfer-Encoding: base64",
            b"\xef\xbb\xbf",
        ),
    ),
)
PROTOBUF = Target(
    wire,
    messages,
    (
        b"BYTES",
        b"FP32",
        b"\x0a",
        b"\x12",
        b"\x2a",
        b"\x42",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"shared_memory",
    ),
)
