"""[I/O] Getting an issuer's key set: by discovery, from its own address, or from a file.

No redirects, five seconds, one megabyte, https (http on loopback only), and no proxy or credentials from the
environment. A discovery document counts only when its `issuer` is the policy's, byte for byte.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import httpx

from phigate.identity.jwks import JwksFault, KeySet, parse_jwks
from phigate.identity.outcome import Refused
from phigate.identity.strict import read_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from phigate.identity.outcome import IssuerRule

SECONDS: Final = 5.0
MAX_BYTES: Final = 1 << 20
DISCOVERY: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no key set, for the operator (kebab-case)."""

    reason: Literal[
        "address-not-trusted",
        "timed-out",
        "unreachable",
        "redirected",
        "status-not-200",
        "encoded",
        "too-large",
        "discovery-not-json",
        "discovery-issuer-differs",
        "discovery-without-jwks-uri",
        "file-unreadable",
        "fetch-broke",
        "jwks-not-json",
        "jwks-shape",
        "jwks-too-many-keys",
    ]


def new_client() -> httpx.AsyncClient:
    """Make the client that fetches keys; it trusts the system's certificate authorities."""
    return httpx.AsyncClient(
        trust_env=False, follow_redirects=False, timeout=SECONDS, verify=ssl.create_default_context()
    )


async def fetch_keys(rule: IssuerRule, folder: Path, client: Callable[[], httpx.AsyncClient]) -> KeySet | Fault:
    """Get and read an issuer's key set from where the policy says; `folder` is where `file:` paths start."""
    if rule.keys.startswith("file:"):
        raw = _read(folder / rule.keys.removeprefix("file:"))
        return raw if isinstance(raw, Fault) else _parse(raw)
    try:
        async with asyncio.timeout(SECONDS):
            url = await _discover(rule.issuer, client()) if rule.keys == "discover" else rule.keys
            raw = url if isinstance(url, Fault) else await _get(url, client())
    except (TimeoutError, httpx.TimeoutException):
        return Fault("timed-out")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return Fault("unreachable")
    return raw if isinstance(raw, Fault) else _parse(raw)


def trusted(url: str) -> bool:
    """Tell whether keys may come from an address: https, or http that cannot leave this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or parts.username is not None or "#" in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _loopback(host))


async def discovery(issuer: str, client: httpx.AsyncClient) -> dict[str, Any] | Fault:
    """Get what an issuer says of itself (OpenID Connect Discovery 1.0, 4.1 and 4.3); raises what httpx raises."""
    raw = await _get(issuer.removesuffix("/") + DISCOVERY, client)
    if isinstance(raw, Fault):
        return raw
    document = read_object(raw)
    if isinstance(document, Refused):
        return Fault("discovery-not-json")
    if document.get("issuer") != issuer:
        return Fault("discovery-issuer-differs")
    return document


async def _discover(issuer: str, client: httpx.AsyncClient) -> str | Fault:
    document = await discovery(issuer, client)
    if isinstance(document, Fault):
        return document
    url = document.get("jwks_uri")
    if not isinstance(url, str):
        return Fault("discovery-without-jwks-uri")
    return Fault("address-not-trusted") if downgraded(issuer, url) else url


def downgraded(issuer: str, url: str) -> bool:
    """Whether an issuer out there sends us to plain http in here."""
    return issuer.startswith("https:") and not url.startswith("https:")


async def _get(url: str, client: httpx.AsyncClient) -> bytes | Fault:
    if not trusted(url):
        return Fault("address-not-trusted")
    asked = {"accept": "application/json, application/jwk-set+json", "accept-encoding": "identity"}
    async with client.stream("GET", url, headers=asked) as answer:
        if answer.is_redirect:
            return Fault("redirected")
        if answer.status_code != httpx.codes.OK:
            return Fault("status-not-200")
        if answer.headers.get("content-encoding", "identity") != "identity":
            return Fault("encoded")
        return await _bounded(answer)


async def _bounded(answer: httpx.Response) -> bytes | Fault:
    raw = bytearray()
    async for chunk in answer.aiter_raw():
        raw += chunk
        if len(raw) > MAX_BYTES:
            return Fault("too-large")
    return bytes(raw)


def _read(path: Path) -> bytes | Fault:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError:
        return Fault("file-unreadable")
    return raw if len(raw) <= MAX_BYTES else Fault("too-large")


def _parse(raw: bytes) -> KeySet | Fault:
    keyset = parse_jwks(raw)
    return Fault(keyset.reason) if isinstance(keyset, JwksFault) else keyset


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
