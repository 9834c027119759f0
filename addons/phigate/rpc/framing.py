"""How gRPC writes calls into HTTP/2: messages, statuses, deadlines; bytes in, values out.

Rules of this file: a compressed message is refused, never opened; nothing longer than its limit is kept; a status is
one of ours or none. (grpc/doc/PROTOCOL-HTTP2.md, grpc/doc/statuscodes.md)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

from phigate.gate import replies

if TYPE_CHECKING:
    from phigate.exchange import Exchange, Refusal

type Fields = list[tuple[bytes, bytes]]

OK, CANCELLED, UNKNOWN, INVALID, LATE, NOT_FOUND = range(6)
DENIED, EXHAUSTED, PRECONDITION, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 7, 8, 9, 12, 13, 14, 16
CONTENT_TYPE: Final = b"application/grpc"
_CONTENT: Final = re.compile(rb"application/grpc(\+proto)?\Z")
_TIMEOUT: Final = re.compile(rb"([0-9]{1,8})([HMSmun])\Z")
_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_REASONS: Final = {
    "model-unknown": NOT_FOUND,
    "model-ambiguous": NOT_FOUND,
    "content-unreadable": PRECONDITION,
    "answer-opaque": PRECONDITION,
    "deadline-passed": LATE,
}
"""Where gRPC has a better word than the one for the status of HTTP."""
_HTTP: Final = (200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401)
"""The status of HTTP that records say for a status of gRPC."""
MESSAGE_LENGTH: Final = 1024


class FrameError(ValueError):
    """What came is not a message that is read; `reason` is one of the refusals' words."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def frame(message: bytes) -> bytes:
    """A message as it is sent: never compressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


class Frames:
    """Pieces of a body in, whole messages out, at any chunking; raises FrameError."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()

    @property
    def partial(self) -> bool:
        """Whether the begin of a message waits for its rest."""
        return bool(self._held)

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        self._held += data
        found, at = [], 0
        while len(self._held) - at >= 5:
            flag, size = self._held[at], int.from_bytes(self._held[at + 1 : at + 5], "big")
            if flag == 1:
                raise FrameError(415, "encoding-unsupported")
            if flag:
                raise FrameError(400, "malformed")
            if size > self._limit:
                raise FrameError(413, "too-large")
            if len(self._held) - at - 5 < size:
                break
            found.append(bytes(memoryview(self._held)[at + 5 : at + 5 + size]))
            at += 5 + size
        del self._held[:at]
        return found


def is_grpc(content_type: bytes) -> bool:
    return bool(_CONTENT.match(content_type.partition(b";")[0].strip().lower()))


def timeout(value: bytes) -> float | None:
    """`grpc-timeout` in seconds; None where it is none."""
    found = _TIMEOUT.match(value)
    return int(found[1]) * _UNITS[found[2]] if found else None


def timeout_field(seconds: float) -> bytes:
    """`grpc-timeout` for what is left of a call's time."""
    return b"%dm" % min(max(int(seconds * 1000), 1), 99_999_999)


def status_of(refusal: Refusal) -> int:
    return _REASONS.get(refusal.reason, replies.GRPC.get(refusal.status, UNKNOWN))


def http_status(code: int) -> int:
    return _HTTP[code] if 0 <= code < len(_HTTP) else 500


def quoted(message: str) -> bytes:
    """A status message as it stands in a field: percent-encoded UTF-8."""
    return quote(message[:MESSAGE_LENGTH], safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~").encode()


def unquoted(message: bytes) -> str:
    return unquote_to_bytes(message.decode("latin-1")).decode("utf-8", "replace")


def head(exchange: Exchange) -> Fields:
    """The headers of an answer."""
    marks = [field for field in replies.mark_headers(exchange) if field[0] != b"cache-control"]
    return [(b":status", b"200"), *marks, (b"content-type", CONTENT_TYPE), (b"grpc-accept-encoding", b"identity")]


def trailers(code: int, message: str = "", pushback: int | None = None) -> Fields:
    """`pushback` are the seconds after which a client that tries again does so (grpc/proposal A6)."""
    fields = [(b"grpc-status", b"%d" % code)]
    if pushback is not None:
        fields.append((b"grpc-retry-pushback-ms", b"%d" % (pushback * 1000)))
    return [*fields, (b"grpc-message", quoted(message))] if message else fields


def refused(refusal: Refusal) -> tuple[int, str]:
    """A refusal's status and message."""
    return status_of(refusal), f"{refusal.reason}: {refusal.message}"


def upstream_status(fields: Fields) -> tuple[int, str]:
    """Status and message of a model server's trailers; UNKNOWN where there is none that anybody knows."""
    found = [value for name, value in fields if name == b"grpc-status"]
    message = next((value for name, value in fields if name == b"grpc-message"), b"")
    if len(found) != 1 or not found[0].isdigit() or not 0 <= int(found[0]) < len(_HTTP):
        return UNKNOWN, ""
    return int(found[0]), unquoted(message)
