"""[I/O] The issuers' keys as they are now: fetched ahead of need, shared by all who wait, and old ones kept if need be.

- Fresh for ten minutes, fetched again in the background after about eight.
- An unknown key id starts one fetch that everybody waits for, then at most one in thirty seconds an issuer.
- If fetching fails, the last set serves for up to 24 hours (`stale`, so not ready for more than that).
- A key that is gone from a fetched set is dead at once: the set's generation is a new one.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from phigate.identity.fetch import Fault, fetch_keys, new_client
from phigate.identity.outcome import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import httpx

    from phigate.identity.jwks import KeySet
    from phigate.identity.outcome import IssuerRule

FRESH: Final = 600.0
REFRESH: Final = (0.75, 0.85)
"""Parts of FRESH between which the background refresh falls: 80 % with jitter, so that instances spread."""
STALE: Final = 24 * 3600.0
UNKNOWN_KID: Final = 30.0
LONGEST_RETRY: Final = 30.0
LOOK: Final = 2.0
"""Seconds between two looks at what is due."""


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """How one issuer's keys stand, for health and readiness."""

    issuer: str
    state: Literal["fresh", "stale", "missing"]
    keys: int
    age: float | None
    """Seconds since the last successful fetch."""
    fault: str | None
    """Why the last fetch failed, if it did."""
    dropped: Mapping[str, int]
    """Published keys that are not used, by reason."""
    faults: Mapping[str, int]
    """How many fetches failed, by reason."""


@dataclass(slots=True, eq=False)
class _Source:
    rule: IssuerRule
    folder: Path
    keyset: KeySet | None = None
    fetched: float = -math.inf
    due: float = -math.inf
    asked_unknown: float = -math.inf
    failures: int = 0
    fault: str | None = None
    faults: Counter[str] = field(default_factory=Counter)
    fetching: asyncio.Task[None] | None = field(default=None, repr=False)

    def usable(self, now: float) -> KeySet | None:
        held = self.keyset is not None and self.keyset.keys and now - self.fetched < STALE
        return self.keyset if held else None

    def settled(self, now: float) -> bool:
        """Whether the set may serve without asking again: it is fresh, or asking again has just failed."""
        return now - self.fetched < FRESH or self.failures > 0


class Keys:
    """The key sets of the policy's issuers; times are of `clock`, seconds that only grow."""

    def __init__(
        self,
        issuers: Sequence[IssuerRule],
        folder: Path,
        *,
        client: Callable[[], httpx.AsyncClient] = new_client,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._make_client = client
        self._client: httpx.AsyncClient | None = None
        self._clock = clock
        self._chance = chance
        self._numbers = itertools.count(1)
        self._sources: dict[str, _Source] = {}
        self.generations: dict[str, int] = {}
        """The set now in force, by issuer; an issuer without usable keys is not in it."""
        self.replace(issuers, folder)

    def replace(self, issuers: Sequence[IssuerRule], folder: Path) -> None:
        """Follow a changed policy: sets of issuers whose place of keys is the same stay, all others go."""
        old, self._sources = self._sources, {}
        for rule in issuers:
            known = old.get(rule.issuer)
            same = known is not None and (known.rule.keys, known.folder) == (rule.keys, folder)
            self._sources[rule.issuer] = known if known is not None and same else _Source(rule, folder)
        self.generations = {}
        for source in self._sources.values():
            self._announce(source)

    def current(self) -> dict[str, KeySet]:
        """The sets that may serve right now, by issuer; those whose time has come are fetched behind the caller's back.

        To be called in the event loop.
        """
        now = self._clock()
        for source in self._sources.values():
            if source.usable(now) and now >= source.due:
                self._fetch(source)
        sets = {issuer: source.usable(now) for issuer, source in self._sources.items() if source.settled(now)}
        return {issuer: keyset for issuer, keyset in sets.items() if keyset is not None}

    async def keyset(self, issuer: str, kid: str | None) -> KeySet | Unavailable:
        """Get an issuer's keys, asking it first where they are missing, out of date, or do not know `kid`."""
        source = self._sources.get(issuer)
        if source is None:
            return Unavailable(issuer, 1)
        if self._worth_asking(source, kid):
            # Shielded: whoever gives up waiting must not end the fetch that others wait for.
            await asyncio.shield(self._fetch(source))
        now = self._clock()
        wait = source.due - now
        return source.usable(now) or Unavailable(issuer, max(1, math.ceil(wait)) if math.isfinite(wait) else 1)

    async def refresh_due(self) -> None:
        """Fetch every set whose time has come, and take out of force what became too old."""
        await asyncio.gather(*map(asyncio.shield, self._begin_due()))
        self._announce_all()

    async def keep_fresh(self) -> None:
        """Refresh in the background until cancelled; no issuer waits for another's answer."""
        while True:
            self._begin_due()
            self._announce_all()
            await asyncio.sleep(LOOK)

    def _begin_due(self) -> list[asyncio.Task[None]]:
        now = self._clock()
        return [self._fetch(source) for source in self._sources.values() if now >= source.due]

    def _announce_all(self) -> None:
        for source in self._sources.values():
            self._announce(source)

    def status(self) -> tuple[KeyStatus, ...]:
        """How the keys of each issuer stand; anything but `fresh` throughout is degraded."""
        now = self._clock()
        return tuple(_status(source, now) for source in self._sources.values())

    async def close(self) -> None:
        """End what is under way and the connections."""
        tasks = [source.fetching for source in self._sources.values() if source.fetching]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _worth_asking(self, source: _Source, kid: str | None) -> bool:
        now = self._clock()
        if source.fetching is not None:
            return True
        keyset = source.usable(now)
        if keyset is None or not source.settled(now):
            return now >= source.due
        if keyset.knows(kid) or now - source.asked_unknown < UNKNOWN_KID:
            return False
        source.asked_unknown = now
        return True

    def _fetch(self, source: _Source) -> asyncio.Task[None]:
        if source.fetching is None:
            source.fetching = asyncio.ensure_future(self._refresh(source))
        return source.fetching

    async def _refresh(self, source: _Source) -> None:
        try:
            outcome = await fetch_keys(source.rule, source.folder, self._shared_client)
        except Exception:  # noqa: BLE001  # the fetch is shared: an unforeseen fault must reach nobody as an exception
            outcome = Fault("fetch-broke")
        finally:
            source.fetching = None
        if isinstance(outcome, Fault):
            self._failed(source, outcome)
        else:
            self._arrived(source, outcome)

    def _failed(self, source: _Source, fault: Fault) -> None:
        source.fault = fault.reason
        source.faults[fault.reason] += 1
        source.failures += 1
        source.due = self._clock() + min(LONGEST_RETRY, 2.0 ** min(source.failures, 10))

    def _arrived(self, source: _Source, keyset: KeySet) -> None:
        changed = source.keyset is None or set(source.keyset.keys) != set(keyset.keys)
        generation = next(self._numbers) if changed or source.keyset is None else source.keyset.generation
        source.keyset = replace(keyset, generation=generation)
        source.fetched = self._clock()
        source.failures, source.fault = 0, None
        low, high = REFRESH
        source.due = source.fetched + FRESH * (low + (high - low) * self._chance())
        self._announce(source)

    def _announce(self, source: _Source) -> None:
        issuer = source.rule.issuer
        if self._sources.get(issuer) is not source:
            return  # the policy dropped this issuer while its keys were on their way
        keyset = source.usable(self._clock())
        if keyset is None:
            self.generations.pop(issuer, None)
        else:
            self.generations[issuer] = keyset.generation

    def _shared_client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = self._make_client()
        return self._client


def _status(source: _Source, now: float) -> KeyStatus:
    keyset = source.usable(now)
    age = now - source.fetched if math.isfinite(source.fetched) else None
    state: Literal["fresh", "stale", "missing"] = "missing"
    if keyset is not None:
        state = "fresh" if age is not None and age < FRESH else "stale"
    dropped = source.keyset.dropped if source.keyset else {}
    held = len(keyset.keys) if keyset else 0
    return KeyStatus(source.rule.issuer, state, held, age, source.fault, dropped, source.faults)
