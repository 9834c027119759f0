"""The keys of this room, passed in; everything keyed here is HMAC-SHA256 under a purpose of its own."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Secrets:
    """The organisation's masking key (32 bytes or more) and the name of the epoch it belongs to."""

    key: bytes = field(repr=False)
    epoch: str

    def __post_init__(self) -> None:
        if len(self.key) < 32:
            raise ValueError("the masking key is shorter than 32 bytes")

    def digest(self, *parts: str) -> bytes:
        """32 bytes that only this key gives for these parts (each part's length is bound in)."""
        body = b"".join(len(raw).to_bytes(4, "big") + raw for raw in (_bytes(part) for part in parts))
        return hmac.digest(self.key, body, sha256)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
