"""As much of KServe's protocol v2 over gRPC as the soak says: messages of one text, written and read by hand.

Field numbers are those of open-inference-protocol, grpc_predict_v2.proto; a frame is gRPC's, never compressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE: Final = "/inference.GRPCInferenceService"
FINAL: Final = b"triton_final_response"


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def sized(number: int, data: bytes) -> bytes:
    """A field of bytes, a text or a message."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def messages(held: bytearray) -> Iterator[bytes]:
    """Take the whole messages out of what came."""
    while len(held) >= 5 and len(held) >= (end := 5 + int.from_bytes(held[1:5], "big")):
        yield bytes(held[5:end])
        del held[:end]


def texts(data: bytes, number: int) -> list[bytes]:
    """The values of one sized field; other fields at this level are sized or varints."""
    found, at = [], 0
    while at < len(data):
        key, at = _varint(data, at)
        value, at = _varint(data, at)
        if key & 7 == 2:
            if key >> 3 == number:
                found.append(data[at : at + value])
            at += value
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _tensor(name: bytes) -> bytes:
    return sized(1, name) + sized(2, b"BYTES") + sized(3, varint(1))


def _packed(text: bytes) -> bytes:
    return len(text).to_bytes(4, "little") + text


def infer_request(model: str, own: str, text: str) -> bytes:
    """`ModelInferRequest` with an id and one text."""
    parts = sized(1, model.encode()), sized(3, own.encode()), sized(5, _tensor(b"text_input"))
    return b"".join(parts) + sized(7, _packed(text.encode()))


def infer_answer(request: bytes, text: bytes, *, final: bool = False) -> bytes:
    """`ModelInferResponse` to a request, by its model and id."""
    parts = [sized(number, texts(request, number)[0]) for number in (1, 3)]
    if final:  # a map's entry: its key, and InferParameter's bool_param
        parts.append(sized(4, sized(1, FINAL) + sized(2, b"\x08\x01")))
    return b"".join(parts) + sized(5, _tensor(b"text_output")) + sized(6, _packed(text))
