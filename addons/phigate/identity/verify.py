"""Who is asking? One bearer in, one Subject with this policy's roles out, or the reason why not.

A bearer that was believed a moment ago is settled without waiting (`cached`); all others take `verify`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

from phigate.exchange import Subject
from phigate.identity.bearer import check, extract_from
from phigate.identity.cache import Cache
from phigate.identity.keys import Keys
from phigate.identity.outcome import Believed, KeysNeeded, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from phigate.identity.keys import KeyStatus
    from phigate.identity.outcome import IssuerRule

__all__ = ["Refused", "Rules", "Unavailable", "Verifier"]


class Rules(Protocol):
    """A policy, as far as identity is concerned."""

    @property
    def issuers(self) -> Sequence[IssuerRule]: ...
    @property
    def folder(self) -> Path: ...
    def roles_of(self, groups: Iterable[str]) -> frozenset[str]: ...


class Verifier:
    """Bearers to subjects under one policy at a time."""

    def __init__(self, policy: Rules, keys: Keys | None = None) -> None:
        self._policy = policy
        self._keys = keys or Keys(policy.issuers, policy.folder)
        self._cache = Cache()
        self._background: asyncio.Task[None] | None = None

    def replace(self, policy: Rules) -> None:
        """Put another policy in force: what was believed under the old one is forgotten."""
        self._policy = policy
        self._keys.replace(policy.issuers, policy.folder)
        self._cache.clear()

    def cached(self, bearer: str, now: float) -> Subject | None:
        """Find who this bearer was a moment ago, without waiting; None says nothing against it."""
        return self._cache.get(bearer, now, self._keys.generations)

    async def verify(
        self, fields: Iterable[tuple[bytes, bytes]], now: float, own: str | None = None
    ) -> Subject | Refused | Unavailable:
        """Take the credential out of a request's header fields (see `extract_from`) and tell who it proves."""
        bearer = extract_from(fields, own)
        return bearer if isinstance(bearer, Refused) else await self.believe(bearer, now)

    async def believe(self, bearer: str, now: float) -> Subject | Refused | Unavailable:
        """Tell who a bearer proves; `now` is in seconds since the epoch."""
        known = self.cached(bearer, now)
        if known is not None:
            return known
        policy, keysets = self._policy, self._keys.current()
        outcome = check(bearer, policy.issuers, keysets, now)
        if isinstance(outcome, KeysNeeded):
            keyset = await self._keys.keyset(outcome.issuer, outcome.kid)
            if self._policy is not policy:  # it changed while we waited: nothing of the old one may be kept
                return await self.believe(bearer, now)
            if isinstance(keyset, Unavailable):
                return keyset
            keysets = {outcome.issuer: keyset}
            outcome = check(bearer, policy.issuers, keysets, now)
        match outcome:
            case Believed():
                subject = _subject(outcome, policy)
                self._cache.put(bearer, subject, now, keysets[outcome.issuer].generation)
                return subject
            case KeysNeeded():
                return Refused("kid-unknown")
            case Refused():
                return outcome

    def status(self) -> tuple[KeyStatus, ...]:
        """How the issuers' keys stand."""
        return self._keys.status()

    @property
    def ready(self) -> bool:
        """Whether bearers of every issuer can be settled, if need be with keys that are `stale`."""
        return all(keys.state != "missing" for keys in self.status())

    @property
    def degraded(self) -> bool:
        """Whether any issuer's keys are older than they should be, or missing."""
        return any(keys.state != "fresh" for keys in self.status())

    def start(self) -> None:
        """Begin to keep the keys fresh, in the running event loop."""
        if self._background is None:
            self._background = asyncio.ensure_future(self._keys.keep_fresh())

    async def close(self) -> None:
        """End the background work."""
        if self._background is not None:
            self._background.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._background
            self._background = None
        await self._keys.close()


def _subject(believed: Believed, policy: Rules) -> Subject:
    return Subject(
        issuer=believed.issuer,
        id=believed.id,
        groups=believed.groups,
        roles=policy.roles_of(believed.groups),
        expires=believed.expires,
        jti=believed.jti,
    )
