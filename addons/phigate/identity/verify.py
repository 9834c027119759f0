"""Who is asking? One bearer in, one Subject with this policy's roles out, or the reason why not.

A bearer that was believed a moment ago is not checked again, and one that was believed once is believed no longer than
it had left then, whatever becomes of the clock on the wall; whether it was taken back, and whether whoever sends it
holds the key it is bound to, is looked at each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from phigate.exchange import Subject
from phigate.identity import own as ours
from phigate.identity.bearer import check, extract_from
from phigate.identity.cache import Cache
from phigate.identity.ends import Ends
from phigate.identity.id_token import check_id_token
from phigate.identity.introspect import Introspector, opaque
from phigate.identity.keys import Keys
from phigate.identity.outcome import Believed, KeysNeeded, Refused, Unavailable
from phigate.identity.proof import bound_as, check_proof
from phigate.ledger import LedgerDown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from phigate.identity.follow import Follow
    from phigate.identity.id_token import SignIn, Unfit
    from phigate.identity.jwks import KeySet
    from phigate.identity.keys import KeyStatus
    from phigate.identity.outcome import IssuerRule
    from phigate.identity.proof import Presented

    type Spend = Callable[[str, str, float, float], Awaitable[bool]]

__all__ = ["Known", "Refused", "Rules", "Unavailable", "Verifier"]

PROOF_SECONDS = 120.0
"""How long a proof's own id is remembered: longer than any proof is taken."""


class Asked(Protocol):
    """An entry of the policy's `saml`, as far as its name is concerned."""

    @property
    def entity_id(self) -> str: ...


class Rules(Protocol):
    """A policy, as far as identity is concerned."""

    @property
    def issuers(self) -> Sequence[IssuerRule]: ...
    @property
    def saml(self) -> Sequence[Asked]: ...
    @property
    def folder(self) -> Path: ...
    def roles_of(self, groups: Iterable[str]) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Known:
    """Who a bearer proves, before its proof of possession: `bound` and `wanted` are what that must satisfy."""

    subject: Subject
    bound: Mapping[str, str]
    wanted: str


class Verifier:
    """Bearers to subjects under one policy at a time.

    `own` is the gateways' own issuer (None issues nothing), `follow` what all instances agree on (None: nothing is
    agreed on, as on the command line), `spend` marks a proof as used (False when it was used before).
    """

    def __init__(
        self,
        policy: Rules,
        keys: Keys | None = None,
        *,
        own: ours.Own | None = None,
        follow: Follow | None = None,
        spend: Spend | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys or Keys(policy.issuers, policy.folder)
        self._own, self._follow, self._spend = own, follow, spend
        self._cache: Cache[Known] = Cache(clock)
        self._ends = Ends(clock)
        self._background: asyncio.Task[None] | None = None
        self._retiring: asyncio.Future[None] | None = None
        self._take(policy)

    def _take(self, policy: Rules) -> None:
        self._policy = policy
        self._issuers: Sequence[IssuerRule] = (*policy.issuers, *((self._own,) if self._own else ()))
        self._names = frozenset(
            [*(rule.issuer for rule in policy.issuers), *(provider.entity_id for provider in policy.saml)]
        )
        asked = [rule for rule in policy.issuers if rule.introspect]
        self._introspector = Introspector(asked[0]) if asked else None

    def replace(self, policy: Rules) -> None:
        """Put another policy in force: what was believed under the old one is forgotten."""
        retired = self._introspector
        self._take(policy)
        if retired is not None:
            self._retiring = asyncio.ensure_future(retired.close())
        self._keys.replace(policy.issuers, policy.folder)
        self._cache.clear()

    async def verify(
        self, fields: Iterable[tuple[bytes, bytes]], presented: Presented, now: float, own: str | None = None
    ) -> Subject | Refused | Unavailable:
        """Take the credential out of a request's header fields (see `extract_from`) and tell who it proves.

        `presented` is what came with it; its scheme is read here. `now` is in seconds since the epoch.
        """
        found = extract_from(fields, own)
        if isinstance(found, Refused):
            return found
        if found.scheme != presented.scheme:
            presented = replace(presented, scheme=found.scheme)
        return await self.present(found.bearer, presented, now)

    async def present(self, bearer: str, presented: Presented, now: float) -> Subject | Refused | Unavailable:
        """Tell who a bearer proves that came in this request: believed, not taken back, proven where it is bound."""
        if self._follow is not None and self._follow.astray:  # what is over by such a clock is not the caller's fault
            return Unavailable("", 1, self._follow.why)
        known = self.cached(bearer, now) or await self.believe(bearer, now)
        if not isinstance(known, Known):
            return known
        subject = known.subject
        if self._follow is not None:
            if not self._follow.current:
                return Unavailable(subject.issuer, 1, self._follow.why)
            if self._follow.revoked.covers(subject):
                return Refused("revoked")
        if not known.bound and known.wanted == "as-bound" and presented.scheme == "bearer":
            return subject
        return await self._prove(bearer, known, presented, now)

    async def _prove(
        self, bearer: str, known: Known, presented: Presented, now: float
    ) -> Subject | Refused | Unavailable:
        proven = check_proof(bearer, known.bound, known.wanted, presented, now)
        if isinstance(proven, Refused):
            return proven
        if proven.spend is not None and self._spend is not None:
            try:
                if not await self._spend("dpop", proven.spend, now + PROOF_SECONDS, now):
                    return Refused("proof-replayed")
            except LedgerDown:
                return Unavailable(known.subject.issuer, 1, "ledger-unavailable")
        return known.subject

    async def still(self, bearer: str, now: float) -> Known | Refused | Unavailable:
        """Tell who a bearer proves that was proven before: by the policy of now, which may want more than there was."""
        known = self.cached(bearer, now) or await self.believe(bearer, now)
        if isinstance(known, Known) and not bound_as(known.bound, known.wanted):
            return Refused("proof-missing")
        return known

    def cached(self, bearer: str, now: float) -> Known | None:
        """Find who this bearer was a moment ago, without waiting; None says nothing against it."""
        return self._cache.get(bearer, now, self._generations())

    async def believe(self, bearer: str, now: float) -> Known | Refused | Unavailable:
        """Tell who a bearer proves by its signature and claims; nothing is known yet of proof and revocation."""
        policy = self._policy
        if self._introspector is not None and opaque(bearer):
            answer = await self._introspector.ask(bearer, now)
            if self._policy is not policy:  # it changed while we waited: nothing of the old one may count
                return await self.believe(bearer, now)
            return self._known(answer)[0] if isinstance(answer, Believed) else answer
        keysets = self._keysets()
        outcome = check(bearer, self._issuers, keysets, now)
        if isinstance(outcome, KeysNeeded) and not (self._own and outcome.issuer == self._own.issuer):
            keyset = await self._keys.keyset(outcome.issuer, outcome.kid)
            if self._policy is not policy:  # it changed while we waited: nothing of the old one may be kept
                return await self.believe(bearer, now)
            if isinstance(keyset, Unavailable):
                return keyset
            keysets = {outcome.issuer: keyset}
            outcome = check(bearer, self._issuers, keysets, now)
        if isinstance(outcome, KeysNeeded):
            return Refused("kid-unknown")
        if isinstance(outcome, Refused):
            return outcome
        known, rule = self._known(outcome)
        if isinstance(known, Known):
            if self._ends.over(bearer, outcome.expires + rule.leeway.total_seconds() - now):
                return Refused("expired")
            issuer, generation = outcome.issuer, keysets[outcome.issuer].generation
            self._cache.put(bearer, known, issuer=issuer, expires=outcome.expires, now=now, generation=generation)
        return known

    async def signed_in(self, id_token: str, wanted: SignIn, now: float) -> str | Unfit | Refused | Unavailable:
        """Tell the subject of an ID token that was issued to us as a client."""
        issuers = self._policy.issuers
        outcome = check_id_token(id_token, issuers, self._keys.current(), wanted, now)
        if isinstance(outcome, KeysNeeded):
            keyset = await self._keys.keyset(outcome.issuer, outcome.kid)
            if isinstance(keyset, Unavailable):
                return keyset
            outcome = check_id_token(id_token, issuers, {outcome.issuer: keyset}, wanted, now)
        return Refused("kid-unknown") if isinstance(outcome, KeysNeeded) else outcome

    def _keysets(self) -> dict[str, KeySet]:
        keysets = self._keys.current()
        if self._own and self._follow:
            keysets[self._own.issuer] = self._follow.keyset
        return keysets

    def _generations(self) -> Mapping[str, int]:
        if self._own and self._follow:
            return {**self._keys.generations, self._own.issuer: self._follow.keyset.generation}
        return self._keys.generations

    def _known(self, believed: Believed) -> tuple[Known | Refused, IssuerRule]:
        rule = next(rule for rule in self._issuers if rule.issuer == believed.issuer)
        speaks = (
            ours.read(believed, self._names)
            if rule is self._own
            else ours.Speaks(believed.issuer, None, None, believed.issued, (), believed.context)
        )
        if isinstance(speaks, Refused):
            return speaks, rule
        subject = Subject(
            issuer=speaks.issuer,
            id=believed.id,
            groups=believed.groups,
            roles=self._policy.roles_of(believed.groups),
            expires=believed.expires,
            jti=believed.jti,
            issued=speaks.issued,
            scope=speaks.scope,
            uses=speaks.uses,
            signed_by=believed.issuer,
            family=speaks.family,
            bound=tuple(sorted(believed.bound.items())),
            context=speaks.context,
        )
        return Known(subject, believed.bound, rule.proof), rule

    def status(self) -> tuple[KeyStatus, ...]:
        """How the issuers' keys stand."""
        return self._keys.status()

    @property
    def ready(self) -> bool:
        """Whether all issuers were asked for their keys, and bearers of one can be settled, if need be with old ones.

        Of several issuers one that fails keeps nobody out but its own people.
        """
        every = self.status()
        asked = all(keys.state != "missing" or keys.fault for keys in every)
        return asked and (not every or any(keys.state != "missing" for keys in every))

    @property
    def degraded(self) -> bool:
        """Whether any issuer's keys are older than they should be, or missing."""
        return any(keys.state != "fresh" for keys in self.status())

    def faults(self) -> Iterator[tuple[str, str, str, int]]:
        """How often what could not be had: issuer, `keys` or `introspection`, reason, times."""
        for keys in self.status():
            yield from ((keys.issuer, "keys", why, times) for why, times in keys.faults.items())
        if (asked := self._introspector) is not None:
            yield from ((asked.issuer, "introspection", why, times) for why, times in asked.faults.items())

    def remarks(self) -> dict[str, str]:
        """What readiness says of issuers that do not answer as they should."""
        said = {f"issuer {keys.issuer}": told for keys in self.status() if (told := _remark(keys))}
        if (asked := self._introspector) is not None and asked.fault is not None:
            said[f"introspection {asked.issuer}"] = f"it cannot be asked about bearers ({asked.fault})"
        return said

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
        if self._retiring is not None:
            await self._retiring
        if self._introspector is not None:
            await self._introspector.close()
        await self._keys.close()


def _remark(keys: KeyStatus) -> str | None:
    if keys.fault is None:
        return None
    if keys.state == "missing":
        return f"its keys cannot be had ({keys.fault}): bearers of its people are not believed"
    return f"its keys cannot be had anew ({keys.fault}), those of {keys.age:.0f} s ago serve"
