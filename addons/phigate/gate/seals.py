"""Names of what a server keeps for one caller (a session, a place in a stream), so that no other caller can use them.

To the server all callers are one: the gateway. What it is asked to go on with is therefore told to its caller with a
seal, and taken from nobody else: `NAME.SEAL`, where the seal is 128 bits of a keyed hash in base64url (RFC 4648, 5).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PURPOSE = "seal"
_BYTES = 16


@dataclass(frozen=True, slots=True)
class Seal:
    """One caller's; `digests` are the keyed hashes that a seal may have been made with, the one in use first."""

    owner: tuple[str, str]
    digests: tuple[Callable[..., bytes], ...] = field(repr=False)

    def tell(self, name: str) -> str:
        """The name as its owner is told it."""
        return f"{name}.{self._of(self.digests[0], name)}"

    def read(self, told: str) -> str | None:
        """The server's own name; None where it was told to somebody else, or to nobody."""
        name, _, seal = told.rpartition(".")
        known = any(hmac.compare_digest(self._of(digest, name).encode(), seal.encode()) for digest in self.digests)
        return name if known and seal else None

    def _of(self, digest: Callable[..., bytes], name: str) -> str:
        return urlsafe_b64encode(digest(_PURPOSE, *self.owner, name)[:_BYTES]).decode().rstrip("=")
