"""What was believed a moment ago, so that it need not be checked again: bounded, brief, and never the bearer itself.

An entry is found under the SHA-256 of its bearer, and dies at the bearer's end, after five minutes, when its issuer's
keys change, or with all others when the policy does. Both ends are looked at by two clocks, that on the wall and one
that only grows: an entry lives as long as by both. Refusals are not kept: a key may arrive, a clock may move. Nor is
anything that may change from one request to the next: revocations and proofs are looked at each time.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST: Final = 300.0
"""Seconds."""
ENTRIES: Final = 10_000


class Cache[Value]:
    """Values by bearer; the oldest entry leaves when it is over, or when there are too many.

    `clock` are seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float], entries: int = ENTRIES) -> None:
        self._clock, self._entries = clock, entries
        self._kept: dict[bytes, tuple[Value, str, float, float, int]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, bearer: str, now: float, generations: Mapping[str, int]) -> Value | None:
        """Find what this bearer was; `generations` are the key sets now in force, by issuer."""
        digest = digest_of(bearer)
        entry = self._kept.get(digest)
        if entry is None:
            return None
        value, issuer, dies, over, generation = entry
        if now < dies and self._clock() < over and generations.get(issuer) == generation:
            return value
        del self._kept[digest]
        return None

    def put(self, bearer: str, value: Value, *, issuer: str, expires: float, now: float, generation: int) -> None:
        """Keep what was believed at `now` (seconds since the epoch) by the issuer's keys of `generation`."""
        dies = min(expires, now + LONGEST)
        if dies <= now:
            return
        clock = self._clock()
        while self._kept and (len(self._kept) >= self._entries or self._oldest()[3] <= clock):
            del self._kept[next(iter(self._kept))]
        self._kept[digest_of(bearer)] = (value, issuer, dies, clock + dies - now, generation)

    def _oldest(self) -> tuple[Value, str, float, float, int]:
        return next(iter(self._kept.values()))

    def clear(self) -> None:
        """Forget all: the policy changed, and with it what groups mean."""
        self._kept.clear()


def digest_of(bearer: str) -> bytes:
    """What stands for a bearer in memory."""
    # A lone surrogate can come out of a header; such a text was never believed, but must not raise here.
    return sha256(bearer.encode("utf-8", "surrogatepass"), usedforsecurity=True).digest()
