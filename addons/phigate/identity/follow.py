"""[I/O] What all instances agree on, followed by looking at the ledger each second: who is out, the gateways' keys.

Where the ledger has not answered for PATIENCE seconds nobody knows who is out, so nobody is let in: a revocation takes
effect everywhere within that time, or everywhere traffic stops.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Literal

import orjson

from phigate.identity.jwks import KeySet, parse_jwks
from phigate.identity.revoked import Revoked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from phigate.identity.jwks import PublicKey
    from phigate.ledger import GatewayKey, Ledger, Revocation

logger = logging.getLogger(__name__)

PATIENCE: Final = 5.0
"""Seconds."""


class Follow:
    """The ledger's state in memory; `clock` is seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._newest: Revocation | None = None
        self._looked = float("-inf")
        self._read: dict[bytes, tuple[PublicKey, ...]] = {}
        self.revoked = Revoked()
        self.keyset = KeySet(())
        """The public keys of all gateways, for the bearers that they issued."""
        self.astray = False
        """Whether the wall clock is not to be believed; whoever compares it sets this."""

    @property
    def current(self) -> bool:
        """Whether the ledger answered a moment ago, and by its clock ours is right."""
        return not self.astray and self._clock() - self._looked < PATIENCE

    @property
    def why(self) -> Literal["clock-astray", "ledger-unavailable"]:
        """Why it is not current, if it is not."""
        return "clock-astray" if self.astray else "ledger-unavailable"

    async def look(self, ledger: Ledger, now: float) -> Sequence[Revocation]:
        """Read what is new, and give the new revocations back; raises LedgerDown.

        `now` is seconds since the epoch, no later than it is: what is over by then is forgotten.
        """
        asked = self._clock()
        entries, newest = await self._read_on(ledger, now)
        self._take_keys(await ledger.keys(now))
        self.revoked.add(entries)
        self.revoked.forget(now)
        self._newest = newest
        self._looked = asked
        return entries

    async def _read_on(self, ledger: Ledger, now: float) -> tuple[Sequence[Revocation], Revocation | None]:
        """Those after the newest that was seen, and which is the newest now.

        Where that one is not in its place any more all are read again: a database that was put back from a copy, or
        taken over by a replica that lagged behind, gives the numbers that were seen to others.
        """
        seen = self._newest
        if seen is not None:
            found = await ledger.revocations(seen.number - 1, now)
            if found and found[0] == seen:
                return found[1:], found[-1]
        found = await ledger.revocations(0, now)
        return found, found[-1] if found else None

    def _take_keys(self, keys: Sequence[GatewayKey]) -> None:
        """Make the keys that are published those that are believed, however many they are.

        Each is read by itself: `parse_jwks` has a limit for sets of others, and one that cannot be read costs no other.
        """
        published = [orjson.dumps({**key.public, "kid": key.kid}, option=orjson.OPT_SORT_KEYS) for key in keys]
        if published == list(self._read):
            return
        read = {each: self._read[each] if each in self._read else _usable(each) for each in published}
        believed = tuple(key for each in read.values() for key in each)
        if len(believed) < len(read):
            logger.error("the gateways publish %d keys that cannot be used", len(read) - len(believed))
        self._read, self.keyset = read, KeySet(believed, self.keyset.generation + 1)


def _usable(published: bytes) -> tuple[PublicKey, ...]:
    found = parse_jwks(b'{"keys":[%b]}' % published)
    return found.keys if isinstance(found, KeySet) else ()
