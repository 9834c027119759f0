"""[I/O] Whose bearer a command shows that runs for longer than a bearer lives.

- In a job of GitHub Actions that may have one (`id-token: write`) a fresh one is fetched before the last is over.
- Elsewhere it is what the file or the environment holds at that moment: whoever renews it there is followed.
- No bearer, and nothing of an answer that may hold one, is in any message.
"""

from __future__ import annotations

import os
import ssl
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import httpx

from phigate.identity.fetch import trusted
from phigate.identity.outcome import Refused
from phigate.identity.strict import Parts, read_bearer, read_object
from phigate.remote.client import UNREACHABLE, USAGE, Fault, bearer

if TYPE_CHECKING:
    from pathlib import Path

REQUEST_URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
REQUEST_TOKEN: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 -- the name of a variable
SPARE: Final = 60.0
"""Seconds that a bearer still has to live when it is shown."""
SECONDS: Final = 10.0
MOST: Final = 64 * 1024


class Bearers:
    """The bearer of the moment; with an `audience`, and where the job has an issuer at hand, fetched from that."""

    def __init__(self, token_file: Path | None, audience: str | None) -> None:
        self._file, self._audience = token_file, audience
        self._kept: str | None = None
        self._until = 0.0

    @property
    def renews(self) -> bool:
        """Whether another one can be had where one is not believed any more."""
        return self._audience is not None

    def forget(self) -> None:
        self._kept = None

    def now(self) -> str:
        """Raises Fault."""
        if self._kept is not None and (self._until > time.time() or str(self._file) == "-"):
            return self._kept
        found = bearer(self._file) if self._audience is None else _fetched(self._audience)
        parts = read_bearer(found)
        end = parts.claims.get("exp") if isinstance(parts, Parts) else None
        # What tells of no end is asked for anew each time.
        self._kept, self._until = found, float(end) - SPARE if isinstance(end, int | float) else 0.0
        return found


def _fetched(audience: str) -> str:
    url, secret = os.environ.get(REQUEST_URL, ""), os.environ.get(REQUEST_TOKEN, "")
    if not url or not secret:
        raise Fault(f"--audience: {REQUEST_URL} is not set; the job needs the permission `id-token: write`", USAGE)
    if not trusted(url):
        raise Fault(f"{REQUEST_URL}: not an https address (http on this machine only)", USAGE)
    where = f"{url}{'&' if '?' in url else '?'}audience={quote(audience, safe='')}"
    headers = {"authorization": f"Bearer {secret}", "accept": "application/json", "accept-encoding": "identity"}
    # Its provider a runner behind a proxy reaches by that only; the gateway is asked without one.
    client = httpx.Client(trust_env=True, timeout=SECONDS, verify=ssl.create_default_context())
    try:
        with client, client.stream("GET", where, headers=headers) as answer:
            raw = b""
            for piece in answer.iter_raw():
                raw += piece
                if len(raw) > MOST:
                    break
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise Fault(f"{REQUEST_URL}: no answer ({type(error).__name__})", UNREACHABLE) from None
    said = read_object(raw)
    found = None if isinstance(said, Refused) else said.get("value")
    if status != httpx.codes.OK or not isinstance(found, str) or not found.isascii() or not found.isprintable():
        raise Fault(f"{REQUEST_URL}: no bearer was given (status {status})", UNREACHABLE)
    return found
