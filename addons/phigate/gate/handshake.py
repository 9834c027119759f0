"""The opening of a WebSocket (RFC 6455, 4), checked on both sides: nothing of either side's head goes on to the other.

A caller in a browser can set no header but `Sec-WebSocket-Protocol`: its bearer may come in there, as OpenAI's clients
send it. It is taken for what it is and never goes on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Fields = list[tuple[bytes, bytes]]

VERSION = b"13"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==\Z")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_BEARER = "openai-insecure-api-key."


def asked_fault(version: bytes, fields: Mapping[bytes, bytes]) -> tuple[int, str] | None:
    """Why a request opens no WebSocket, (status, reason); `fields` by lower-case name."""
    if version != b"HTTP/1.1" or fields.get(b"upgrade", b"").strip().lower() != b"websocket":
        return 426, "upgrade-required"
    if fields.get(b"sec-websocket-version", b"").strip() != VERSION:
        return 426, "upgrade-required"
    if b"upgrade" not in _words(fields.get(b"connection", b"")):
        return 400, "malformed"
    return None if _is_key(fields.get(b"sec-websocket-key", b"").strip()) else (400, "malformed")


def _is_key(key: bytes) -> bool:
    if not _KEY.match(key):
        return False
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except binascii.Error:
        return False


def _words(value: bytes) -> list[bytes]:
    return [word.strip().lower() for word in value.split(b",")]


def protocols_of(fields: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """The subprotocols that a head names, in order."""
    named = b",".join(value for name, value in fields if name.lower() == b"sec-websocket-protocol")
    words = (word.strip() for word in named.decode("latin-1").split(","))
    return [word for word in words if _TOKEN.match(word)]


def bearers_among(protocols: Iterable[str]) -> list[str]:
    """The bearers that a browser's caller put among the subprotocols."""
    return [each.removeprefix(_BEARER) for each in protocols if each.startswith(_BEARER)]


def onward(key: bytes, protocols: Collection[str]) -> Fields:
    """The fields that open the upstream's side; `key` are 16 bytes of chance (RFC 6455, 4.1), no extension is asked."""
    fields = [
        (b"Connection", b"Upgrade"),
        (b"Upgrade", b"websocket"),
        (b"Sec-WebSocket-Version", VERSION),
        (b"Sec-WebSocket-Key", base64.b64encode(key)),
    ]
    return [*fields, *([(b"Sec-WebSocket-Protocol", ", ".join(protocols).encode())] if protocols else [])]


def accept_of(key: bytes) -> bytes:
    """What answers a key as it stands in the head (RFC 6455, 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.strip() + _GUID, usedforsecurity=False).digest())


def answered(fields: Iterable[tuple[bytes, bytes]], key: bytes, protocols: Collection[str]) -> bool:
    """Whether an upstream's head opens what was asked for with `key` (16 bytes): nothing more, nothing twice."""
    found = [(name.lower(), value.strip()) for name, value in fields]
    only = {name: value for name, value in found if name.startswith(b"sec-websocket-") or name == b"upgrade"}
    if len(only) != sum(name in only for name, _ in found):
        return False
    chosen = only.get(b"sec-websocket-protocol")
    return (
        only.get(b"upgrade", b"").lower() == b"websocket"
        and any(b"upgrade" in _words(value) for name, value in found if name == b"connection")
        and only.get(b"sec-websocket-accept") == accept_of(base64.b64encode(key))
        and b"sec-websocket-extensions" not in only
        and (chosen is None or chosen.decode("latin-1") in protocols)
    )


def opened(key: bytes, protocol: str | None) -> Fields:
    """The fields that open the caller's side; `key` as it stood in its head."""
    fields = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket"), (b"sec-websocket-accept", accept_of(key))]
    return [*fields, *([(b"sec-websocket-protocol", protocol.encode())] if protocol else [])]
