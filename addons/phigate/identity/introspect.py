"""[I/O] Bearers that are no JWT: their issuer is asked what they are (RFC 7662), briefly remembered, never flooded.

- The gateway asks under its own credential, by https (http on loopback only): no redirects, five seconds, 64 KB.
- An answer is kept for 30 seconds, and not past the bearer's end; a refusal for five; that there was none, for one.
- Bearers never believed before share a small budget of questions, so that inventing some floods nobody, and have
  their own half of the connections, so that whoever was believed is still answered.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote_plus, urlencode

import httpx

from phigate.identity.claims import from_introspection
from phigate.identity.fetch import new_client, trusted
from phigate.identity.outcome import Believed, Refused, Unavailable
from phigate.identity.strict import read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.identity.outcome import IssuerRule

    type Outcome = Believed | Refused | Unavailable

logger = logging.getLogger(__name__)

SECONDS: Final = 5.0
MAX_BYTES: Final = 64 * 1024
LENGTHS: Final = (20, 4096)
"""Characters; a shorter bearer could be guessed."""
KEPT: Final[Mapping[type, float]] = {Believed: 30.0, Refused: 5.0, Unavailable: 1.0}
"""Seconds an outcome is kept."""
ENTRIES: Final = 10_000
AT_ONCE: Final = 16
"""Questions under way to the issuer about bearers believed before, and as many about others: 32 in all."""
WAIT: Final = 2.0
"""Seconds to wait for one of these to end."""
STRANGERS: Final = 50.0
"""Bearers never believed before that are asked about, a second; as many at once after a rest."""

_B64TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)  # RFC 6750 section 2.1

type Fault = Literal[
    "address-not-trusted",
    "credential-missing",
    "credential-refused",
    "status-not-200",
    "encoded",
    "too-large",
    "answer-not-json",
    "timed-out",
    "unreachable",
    "introspection-broke",
]

_OURS: Final[Mapping[Fault, str]] = {
    "credential-missing": "the environment variable with the gateway's credential for introspection is not set",
    "credential-refused": "the introspection endpoint does not take the gateway's own credential",
    "address-not-trusted": "the introspection endpoint is neither https nor on this machine",
}
"""Faults that last until an operator acts."""


def opaque(bearer: str) -> bool:
    """Tell whether a bearer is not in the three segments of a JWS, so that only its issuer can read it."""
    return bearer.count(".") != 2


@dataclass(frozen=True, slots=True)
class _Kept:
    outcome: Outcome
    until: float


class Introspector:
    """Asks one issuer about bearers; `clock` are seconds that only grow, `environ` holds the gateway's credential."""

    def __init__(
        self,
        rule: IssuerRule,
        *,
        client: Callable[[], httpx.AsyncClient] = new_client,
        clock: Callable[[], float] = time.monotonic,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        if rule.introspect is None:
            raise ValueError("the issuer's rule names no introspection endpoint")
        self._rule, self._where = rule, rule.introspect
        self._make_client, self._clock, self._environ = client, clock, environ
        self._client: httpx.AsyncClient | None = None
        self._believed: dict[bytes, _Kept] = {}
        self._others: dict[bytes, _Kept] = {}
        self._asking: dict[bytes, asyncio.Task[Outcome]] = {}
        self._lanes = {known: asyncio.Semaphore(AT_ONCE) for known in (True, False)}
        self._budget = _Budget(STRANGERS, clock)
        self.fault: Fault | None = None
        """Why the last question had no answer, if it had none."""
        self.faults: Counter[str] = Counter()
        """How many had none, by reason."""

    async def ask(self, bearer: str, now: float) -> Outcome:
        """Tell what a bearer is, by what its issuer says or said a moment ago; `now` is in seconds since the epoch."""
        if not LENGTHS[0] <= len(bearer) <= LENGTHS[1] or not _B64TOKEN.fullmatch(bearer):
            return Refused("malformed")
        digest = sha256(bearer.encode("ascii")).digest()
        kept = self._kept(digest, now)
        if kept is not None:
            return kept
        task = self._asking.get(digest)
        if task is None:
            known = digest in self._believed
            if not known and not self._budget.take():
                return self._unavailable()
            task = asyncio.ensure_future(self._settle(bearer, digest, known=known, now=now))
            self._asking[digest] = task
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        # Unlike awaiting it, this does not end the question that others wait for when one of them gives up.
        await asyncio.wait({task})
        return self._unavailable() if task.cancelled() else task.result()

    @property
    def issuer(self) -> str:
        return self._rule.issuer

    async def close(self) -> None:
        """End what is under way, for those who wait as Unavailable, and the connections."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _kept(self, digest: bytes, now: float) -> Outcome | None:
        for kept in (self._believed.get(digest), self._others.get(digest)):
            if kept is not None and self._clock() < kept.until:
                ended = isinstance(kept.outcome, Believed) and now >= kept.outcome.expires
                return None if ended else kept.outcome
        return None

    def _keep(self, digest: bytes, outcome: Outcome) -> None:
        self._others.pop(digest, None)
        if not isinstance(outcome, Unavailable):  # which says nothing against a bearer that was believed
            self._believed.pop(digest, None)
        entries = self._believed if isinstance(outcome, Believed) else self._others
        while len(entries) >= ENTRIES:
            del entries[next(iter(entries))]
        entries[digest] = _Kept(outcome, self._clock() + KEPT[type(outcome)])

    async def _settle(self, bearer: str, digest: bytes, *, known: bool, now: float) -> Outcome:
        lane, started = self._lanes[known], self._clock()
        try:
            await asyncio.wait_for(lane.acquire(), WAIT)
        except TimeoutError:
            return self._unavailable()
        try:
            answer = await self._answer(bearer)
            outcome = self._outcome(answer, now + self._clock() - started)
        except Exception:  # noqa: BLE001 -- the question is shared: an unforeseen fault must reach nobody as an exception
            outcome = self._failed("introspection-broke")
        finally:
            lane.release()
        self._keep(digest, outcome)
        return outcome

    def _outcome(self, answer: dict[str, Any] | Fault, now: float) -> Outcome:
        if isinstance(answer, str):
            return self._failed(answer)
        self.fault = None
        return from_introspection(answer, self._rule, now)

    def _failed(self, fault: Fault) -> Unavailable:
        if fault in _OURS and fault != self.fault:
            logger.error("%s; bearers that are no JWT are not believed until then", _OURS[fault])
        self.fault = fault
        self.faults[fault] += 1
        return self._unavailable()

    def _unavailable(self) -> Unavailable:
        return Unavailable(self._rule.issuer, 1, "introspection-unavailable")

    async def _answer(self, bearer: str) -> dict[str, Any] | Fault:
        secret = self._environ.get(self._where.credential.removeprefix("env:"))
        if not secret:
            return "credential-missing"
        if not trusted(self._where.url):
            return "address-not-trusted"
        try:
            async with asyncio.timeout(SECONDS):
                raw = await self._post(bearer, basic(self._where.client_id, secret))
        except (TimeoutError, httpx.TimeoutException):
            return "timed-out"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            return "unreachable"
        answer = read_object(raw) if isinstance(raw, bytes) else raw
        return "answer-not-json" if isinstance(answer, Refused) else answer

    async def _post(self, bearer: str, authorization: str) -> bytes | Fault:
        # RFC 7662 section 2.1
        form = urlencode({"token": bearer, "token_type_hint": "access_token"}).encode("ascii")
        headers = {
            "authorization": authorization,
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
            "accept-encoding": "identity",
        }
        if self._client is None:
            self._client = self._make_client()
        url, client = self._where.url, self._client
        async with client.stream("POST", url, content=form, headers=headers, follow_redirects=False) as answer:
            if answer.status_code == httpx.codes.UNAUTHORIZED:  # our own credential (RFC 7662 section 2.3)
                return "credential-refused"
            if answer.status_code != httpx.codes.OK:
                return "status-not-200"
            if answer.headers.get("content-encoding", "identity") != "identity":
                return "encoded"
            raw = bytearray()
            async for chunk in answer.aiter_raw():
                raw += chunk
                if len(raw) > MAX_BYTES:
                    return "too-large"
            return bytes(raw)


class _Budget:
    """So many a second, and no more than that many saved up."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate, self._clock = rate, clock
        self._left, self._seen = rate, clock()

    def take(self) -> bool:
        now = self._clock()
        self._left = min(self._rate, self._left + (now - self._seen) * self._rate)
        self._seen = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def basic(client_id: str, secret: str) -> str:
    """HTTP Basic as OAuth writes it: both halves form-encoded first (RFC 6749 section 2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return "Basic " + b64encode(pair.encode("ascii")).decode("ascii")
