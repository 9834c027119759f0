"""[I/O] One message to one receiver: by verified TLS, without redirects and proxies, in SECONDS, its answer unread."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS: float = 15.0
"""From the first byte to the receiver's status."""
CONNECTING: Final = 5.0
_DELAY: Final = re.compile(r"[0-9]{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it: `fault` is None where the receiver took it (2xx), else a kebab-case reason."""

    fault: str | None = None
    wait: float = 0.0
    """Seconds that the receiver asks to be left alone."""


def new_client() -> httpx.AsyncClient:
    """Make the client that tells; it trusts the system's certificate authorities, and keeps no connection."""
    return httpx.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(SECONDS, connect=CONNECTING),
        limits=httpx.Limits(max_keepalive_connections=0),
        verify=ssl.create_default_context(),
    )


async def post(client: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
    """Send one message; never raises but for being cancelled, and nothing of what was answered is told."""
    said = {"content-type": "application/json", "user-agent": "phigate", "accept-encoding": "identity"} | dict(headers)
    try:
        async with asyncio.timeout(SECONDS), client.stream("POST", url, content=body, headers=said) as answer:
            if answer.is_success:
                return Outcome()
            asked = answer.headers.get("retry-after", "")
            return Outcome(f"status-{answer.status_code}", float(asked) if _DELAY.fullmatch(asked) else 0.0)
    except (TimeoutError, httpx.TimeoutException):
        return Outcome("timed-out")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return Outcome("unreachable")
