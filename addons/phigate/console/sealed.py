"""Texts that a browser keeps for us and can neither read nor change (AES-256-GCM). Pure: chance is passed in.

The keys come of the secrets that all instances share, so that any of them opens what another has closed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from phigate.identity.strict import from_base64url, to_base64url

if TYPE_CHECKING:
    from collections.abc import Callable

NONCE: Final = 12
"""Bytes (NIST SP 800-38D, 8.2.2: random ones are good for 2^32 texts under one key)."""
MOST: Final = 4096
"""Characters; no browser keeps a longer one."""
_PURPOSE: Final = "console-cookie"


@dataclass(frozen=True, slots=True)
class Sealed:
    """`digests` are the keyed hashes that a key may come of, the one in use first."""

    digests: tuple[Callable[..., bytes], ...] = field(repr=False)

    def close(self, name: str, text: bytes, nonce: bytes) -> str:
        """Close a text under a name, which it can be opened under only."""
        return to_base64url(nonce + self._ciphers(name)[0].encrypt(nonce, text, name.encode()))

    def open(self, name: str, closed: str) -> bytes | None:
        """Open what was closed under this name; None for anything else."""
        raw = from_base64url(closed) if len(closed) <= MOST else None
        if raw is None or len(raw) <= NONCE:
            return None
        for cipher in self._ciphers(name):
            try:
                return cipher.decrypt(raw[:NONCE], raw[NONCE:], name.encode())
            except InvalidTag:
                continue
        return None

    def _ciphers(self, name: str) -> list[AESGCM]:
        return [AESGCM(digest(_PURPOSE, name)) for digest in self.digests]
