"""The one spelling of a JWS and of its JSON: whatever can be read in two ways is not read at all.

Sizes and depths are settled before anything is decoded or parsed, so a hostile text costs no more than a look.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Never

from phigate.identity.outcome import Refused

if TYPE_CHECKING:
    from phigate.identity.outcome import Reason

MAX_BEARER: Final = 16 * 1024
MAX_DEPTH: Final = 16
LONGEST: Final = {"header": 4 * 1024, "claims": MAX_BEARER, "signature": 1400}
"""Characters a segment; the longest signature is RSA-8192's 1,024 bytes."""

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
# A string that never closes is eaten to the end: otherwise each of its quotes would start another search.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


@dataclass(frozen=True, slots=True)
class Parts:
    """A JWS in compact form, read but not believed."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    """What the signature is over: the first two segments as sent (RFC 7515 section 5.2)."""
    signature: bytes


def read_bearer(bearer: str) -> Parts | Refused:
    """Take a bearer apart into header, claims and signature; nothing in it is believed by that."""
    segments = _segments(bearer)
    if isinstance(segments, Refused):
        return segments
    raw = [from_base64url(segment) for segment in segments]
    if any(part is None for part in raw):
        return Refused("not-canonical")
    header_bytes, claims_bytes, signature = (part or b"" for part in raw)
    header = read_object(header_bytes)
    if isinstance(header, Refused):
        return header
    claims = read_object(claims_bytes)
    if isinstance(claims, Refused):
        return claims
    return Parts(header, claims, f"{segments[0]}.{segments[1]}".encode("ascii"), signature)


def from_base64url(text: str) -> bytes | None:
    """Decode base64url (RFC 7515 section 2), or None when `text` is not the one spelling of any bytes."""
    if not _SEGMENT.fullmatch(text) or len(text) % 4 == 1:
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    # Spare bits in the last character would give one bearer several spellings (RFC 4648 section 3.5).
    return raw if to_base64url(raw) == text else None


def to_base64url(raw: bytes) -> str:
    """Encode as base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def read_object(raw: bytes) -> dict[str, Any] | Refused:
    """Parse a JSON object that every parser reads alike (I-JSON, RFC 7493), at most MAX_DEPTH deep."""
    if _too_deep(raw):
        return Refused("json-too-deep")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return Refused("not-utf8")
    try:
        value = _DECODER.decode(text)
    except _AmbiguousError as error:
        return Refused(error.reason)
    except ValueError:  # also an integer of more digits than Python converts
        return Refused("json-invalid")
    if not isinstance(value, dict):
        return Refused("json-not-object")
    return Refused("json-surrogate") if "\\u" in text and _has_surrogate(value) else value


def _segments(bearer: str) -> list[str] | Refused:
    if len(bearer) > MAX_BEARER:
        return Refused("too-large")
    dots = bearer.count(".")
    if dots != 2:  # a JWS has three segments, a JWE five
        return Refused("encrypted" if dots == 4 else "malformed")
    segments = bearer.split(".")
    if not all(segments):
        return Refused("malformed")
    if any(len(part) > limit for part, limit in zip(segments, LONGEST.values(), strict=True)):
        return Refused("too-large")
    return segments


def _too_deep(raw: bytes) -> bool:
    # Counting is enough for honest texts; only then look at which brackets stand outside strings.
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for byte in _STRINGS.sub(b"", raw).translate(None, _NOT_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


class _AmbiguousError(ValueError):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise _AmbiguousError("json-duplicate-name")
    return names


def _no_constant(_: str) -> Never:
    raise _AmbiguousError("json-number")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_once_each, parse_constant=_no_constant)


def _has_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
