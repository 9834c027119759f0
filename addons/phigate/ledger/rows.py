"""The ledger's entries as values; times are seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
"""RFC 7518, 6.2.2, 6.3.2 and 6.4; RFC 8037, 2; `priv` is that of the AKP keys."""


@dataclass(frozen=True, slots=True)
class Revocation:
    """Bearers that are out: all of a subject issued at or before `cut`, or the one with this `jti`.

    Its texts are such as every database keeps: without NUL and surrogates, else ValueError.
    """

    issuer: str
    subject: str | None = field(repr=False)
    jti: str | None = field(repr=False)
    cut: float
    expires: float
    """When the last bearer it is about is over."""
    by: str = field(repr=False)
    reason: str = field(repr=False)
    number: int = 0
    """Its place in the order in which all readers see revocations; the ledger gives it."""

    def __post_init__(self) -> None:
        if (self.subject is None) == (self.jti is None):
            raise ValueError("a revocation is of a subject or of one bearer")
        texts = (self.issuer, self.subject or "", self.jti or "", self.by, self.reason)
        if not all(map(_storable, texts)):
            raise ValueError("a revocation holds a character that cannot be stored")


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """The public half of a key that a gateway signs its own bearers with; ValueError for a private one."""

    kid: str
    instance: str
    public: Mapping[str, Any] = field(repr=False)
    """A JWK (RFC 7517, 4)."""
    active_from: float
    expires: float
    """When the last bearer that it may have signed is over."""

    def __post_init__(self) -> None:
        if not (isinstance(self.public, Mapping) and isinstance(self.public.get("kty"), str)):
            raise ValueError("a gateway's key is published as a JWK")  # noqa: TRY004 -- it may come from the database
        if _PRIVATE & self.public.keys():
            raise ValueError("a private key is never published")


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)
