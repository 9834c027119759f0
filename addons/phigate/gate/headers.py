"""What a request must look like on the wire before anybody reads it, and the only headers that go upstream.

Nothing of the caller's headers is passed on: the upstream's are built anew (RFC 9110, 7.6.1 for hop-by-hop fields).
A value is a refusal's (status, reason) or None; nothing of the request is ever part of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Field = tuple[bytes, bytes]
Fields = list[Field]

METHODS = frozenset({b"DELETE", b"GET", b"POST", b"PUT"})
_KNOWN = METHODS | {b"CONNECT", b"HEAD", b"OPTIONS", b"PATCH", b"TRACE"}
VERSIONS = frozenset({b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0"})
ONCE = frozenset(
    {b"host", b"authorization", b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"}
    | {b"upgrade", b"sec-websocket-key", b"sec-websocket-version"}
)
"""Fields that two copies of make ambiguous (RFC 9110, 5.3; RFC 9112, 6.3)."""
REASON_HEADERS = (b"phi-unmask", b"phi-break-glass", b"phi-justification")

_PATH = re.compile(rb"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]{0,511}(?:\?[A-Za-z0-9._=&:@/%-]{1,256})?\Z")
_PLAIN = re.compile(rb"[\x21-\x7e]{1,256}\Z")
_SEGMENT_TRICK = re.compile(rb"//|/\.{1,2}(/|\Z)|%2f|%5c|%2e|%00|;", re.IGNORECASE)
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
_MAX_FIELDS = 100
_MAX_BYTES = 48 * 1024


def head_fault(
    method: bytes, target: bytes, version: bytes, authority: bytes, fields: Iterable[tuple[bytes, bytes]]
) -> tuple[int, str] | None:
    """Why this request's head is refused, (status, reason); None when it may be read on."""
    if version not in VERSIONS:
        return 400, "malformed"
    if method not in METHODS:
        return 405, "method-not-allowed"
    if (authority and version != b"HTTP/2.0") or not _PATH.match(target) or _tricks(target):
        return 404, "route-unknown"
    fields = list(fields)
    return _fields_fault(fields) or _host_fault(version, authority, fields)


def _host_fault(version: bytes, authority: bytes, fields: Fields) -> tuple[int, str] | None:
    """One name of a host and nothing else (RFC 9112, 3.2; RFC 9113, 8.3.1); what it names is nobody's business."""
    named = [value for name, value in fields if name.lower() == b"host"] + [authority] * (authority != b"")
    if not named and version != b"HTTP/1.0":
        return 400, "malformed"
    return None if all(map(_HOST.match, named)) else (400, "malformed")


def _tricks(target: bytes) -> bool:
    path, _, query = target.partition(b"?")
    return bool(_SEGMENT_TRICK.search(path)) or b".." in query


def _fields_fault(fields: Fields) -> tuple[int, str] | None:
    if len(fields) > _MAX_FIELDS or sum(len(name) + len(value) for name, value in fields) > _MAX_BYTES:
        return 431, "headers-too-large"
    seen: set[bytes] = set()
    for name, value in fields:
        lower = name.lower()
        if not _VALUE.match(value) or (lower in ONCE and lower in seen):
            return 400, "malformed"
        if lower == b"transfer-encoding" and value.strip().lower() != b"chunked":  # mitmproxy decodes no other coding
            return 400, "malformed"
        seen.add(lower)
    return None


def shown(method: bytes) -> str:
    """A method as records may hold it: one that nobody knows may be a word about somebody."""
    return method.decode() if method in _KNOWN else "?"


def body_fault(kinds: Mapping[bytes, bytes], readable: Collection[str]) -> tuple[int, str] | None:
    """Why this request's body is not read (fields by lower-case name): only what its route reads, plain and in UTF-8.

    `readable` are media types.
    """
    if kinds.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
        return 415, "encoding-unsupported"
    media, _, parameters = kinds.get(b"content-type", b"").lower().partition(b";")
    if media.strip().decode("latin-1") not in readable:
        return 415, "content-unreadable"
    if media.startswith(b"multipart/"):
        return None
    charset = parameters.strip().removeprefix(b"charset=").strip(b'" ')
    if charset not in {b"", b"utf-8"}:
        return 415, "encoding-unsupported"
    return None


def onward(host: str, *, exchange_id: str, accept: str, credential: Field | None, body: Fields) -> Fields:
    """The whole head of what the upstream receives; `credential` is the model's own, the caller's never goes on.

    `accept` is the media type asked for, `body` the fields that tell of the body, `credential` the field that shows it.
    """
    fields = [
        (b"Host", host.encode("idna" if not host.isascii() else "ascii")),
        (b"User-Agent", b"phigate"),
        (b"Accept", accept.encode()),
        (b"Accept-Encoding", b"identity"),
        (b"X-Request-Id", exchange_id.encode()),
    ]
    return [*fields, *body, *([credential] if credential else [])]


def passing(given: Mapping[bytes, bytes], forms: Mapping[bytes, re.Pattern[bytes]]) -> Fields:
    """The fields of a head (by lower-case name) that go on as they are: plain words of the form that their name has."""
    found = ((name, given[name], form) for name, form in sorted(forms.items()) if name in given)
    return [(name, value) for name, value, form in found if _PLAIN.match(value) and form.fullmatch(value)]


def reason_text(value: bytes) -> str | None:
    """A caller's stated reason, trimmed; None unless it has 3 to 500 printable characters."""
    text = value.decode("utf-8", "replace").strip()
    return text if 3 <= len(text) <= 500 and text.isprintable() else None
