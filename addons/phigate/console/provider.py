"""[I/O] The issuer that people sign in at: where it takes them, and what it gives for the code they come back with.

No redirects, five seconds, https (http on loopback only), and no proxy or credentials from the environment. What it
says of itself is asked for once in ten minutes at most; that it said nothing is believed for five seconds.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import httpx

from phigate.console.signin import Endpoints
from phigate.identity.fetch import Fault, discovery, downgraded, new_client, trusted
from phigate.identity.introspect import basic
from phigate.identity.outcome import Refused
from phigate.identity.strict import read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.policy.sign_in import SignIn

logger = logging.getLogger(__name__)

SECONDS: Final = 5.0
MAX_BYTES: Final = 128 * 1024
FRESH: Final = 600.0
FAILED: Final = 5.0
_REFUSALS: Final = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type"),
        *("invalid_scope", "invalid_target"),
    }
)
"""What a token endpoint may say (RFC 6749, 5.2; RFC 8707, 2); a word of anybody else's is not repeated."""


class Provider:
    """Asked by one console; `clock` are seconds that only grow, `environ` holds the console's secret."""

    def __init__(
        self,
        *,
        client: Callable[[], httpx.AsyncClient] = new_client,
        clock: Callable[[], float] = time.monotonic,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._make_client, self._clock, self._environ = client, clock, environ
        self._client: httpx.AsyncClient | None = None
        self._known: tuple[str, Endpoints | None, float] = ("", None, 0.0)
        self._asking = asyncio.Lock()

    async def endpoints(self, issuer: str) -> Endpoints | None:
        """Where an issuer takes people; None while it cannot be asked, or says nothing that can be used."""
        async with self._asking:
            name, found, until = self._known
            if name != issuer or self._clock() >= until:
                found = await self._discovered(issuer)
                self._known = (issuer, found, self._clock() + (FRESH if found else FAILED))
            return found

    async def redeem(self, sign_in: SignIn, where: Endpoints, form: Mapping[str, str]) -> dict[str, Any] | str:
        """What the token endpoint gives for a code, or why it gives nothing (of `signin.SENTENCES`)."""
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
            "accept-encoding": "identity",
        }
        if sign_in.credential is not None:
            secret = self._environ.get(sign_in.credential.removeprefix("env:"))
            if not secret:
                logger.error("sign-in: the environment variable with the console's credential is not set")
                return "unavailable"
            headers["authorization"] = basic(sign_in.client_id, secret)
        try:
            async with asyncio.timeout(SECONDS):
                return await self._post(where.token, urlencode(form).encode("ascii"), headers)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            return "provider-down"

    async def close(self) -> None:
        """End the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _discovered(self, issuer: str) -> Endpoints | None:
        try:
            async with asyncio.timeout(SECONDS):
                document = await discovery(issuer, self._shared())
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            return None
        if isinstance(document, Fault):
            return None
        urls = [document.get(f"{name}_endpoint") for name in ("authorization", "token")]
        if not all(isinstance(url, str) and trusted(url) and not downgraded(issuer, url) for url in urls):
            logger.error("sign-in: the issuer names no endpoints for it that can be trusted")
            return None
        promised = document.get("authorization_response_iss_parameter_supported") is True
        return Endpoints(str(urls[0]), str(urls[1]), promised)

    async def _post(self, url: str, form: bytes, headers: Mapping[str, str]) -> dict[str, Any] | str:
        async with self._shared().stream("POST", url, content=form, headers=dict(headers)) as answer:
            raw = bytearray()
            async for chunk in answer.aiter_raw():
                raw += chunk
                if len(raw) > MAX_BYTES:
                    return "token-malformed"
            document = read_object(bytes(raw))
            if answer.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED}:
                said = "" if isinstance(document, Refused) else document.get("error")
                logger.warning(
                    "sign-in: the token endpoint says %s", said if isinstance(said, str) and said in _REFUSALS else "no"
                )
                return "code-refused"
            if answer.status_code != httpx.codes.OK:
                return "provider-down"
            plain = answer.headers.get("content-encoding", "identity") == "identity"
            return "token-malformed" if isinstance(document, Refused) or not plain else document

    def _shared(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = self._make_client()
        return self._client
