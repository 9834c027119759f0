"""The addresses a policy may name.

Keys are fetched over https, or from this very machine: what anybody on the way can change proves nothing. No address
carries userinfo, and a credential is only ever named: a fault never repeats what may be the secret itself.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from phigate.policy.sentences import fault, meant, quoted


def issuer(url: str) -> str:
    """The issuer as it stands in `iss`; without query and fragment (OpenID Connect Discovery 1.0, section 2)."""
    _trusted(url)
    if "?" in url:
        raise fault(f"{quoted(url)} has a query; an issuer has none")
    return url


def keys(value: str) -> str:
    if value == "discover" or (value.startswith("file:") and value != "file:"):
        return value
    if not value.startswith(("http:", "https:")):
        raise fault(f"must be `discover`, an https URL of a JWKS or `file:PATH`{meant(value, ['discover'])}")
    _trusted(value)
    return value


def endpoint(url: str) -> str:
    _trusted(url)
    return url


def upstream(url: str) -> str:
    if _split(url) is None or not re.fullmatch(r"https?://[^/?#]+", url):
        raise fault("must be `http://HOST:PORT` or `https://HOST:PORT` and nothing more")
    return url


def grpc(url: str) -> str:
    if _split(url) is None or not re.fullmatch(r"grpcs?://[^/?#]+:[0-9]+", url):
        raise fault("must be `grpc://HOST:PORT` or `grpcs://HOST:PORT` (TLS) and nothing more")
    return url


def credential(value: str) -> str:
    if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", value, re.ASCII):
        raise fault("must be `env:NAME`, the environment variable that holds the credential")
    return value


def webhook(value: str) -> str:
    """An address that is told something, or `env:NAME` for it; it may hold a secret, and is never repeated."""
    if value.startswith("env:"):
        return credential(value)
    trusted_webhook(value)
    if urlsplit(value).hostname in _SLACK:
        raise fault("is itself a secret, and what the policy says stands in the journal: name it by `env:NAME`")
    return value


def trusted_webhook(url: str) -> None:
    """Raise the fault of an address that nothing is sent to."""
    parts = _split(url)
    secure = parts is not None and (parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname)))
    if not secure or "#" in url:
        raise fault("must be an https URL (http on loopback only), without user name, password and fragment")


_SLACK = {"hooks.slack.com", "hooks.slack-gov.com"}


def _trusted(url: str) -> None:
    parts = _split(url)
    if parts is None or not re.match(r"https?://", url) or "#" in url:
        raise fault("must be an https URL, without user name, password and fragment")
    if parts.scheme == "http" and not _loopback(parts.hostname):
        raise fault(f"{quoted(url)} must be https (http is believed on loopback only)")


def _split(url: str) -> SplitResult | None:
    """None for what is no plain URL."""
    try:
        parts = urlsplit(url)
        sane = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc and not parts.netloc.endswith(":")
    except ValueError:
        return None
    return parts if sane and re.fullmatch(r"[!-\[\]-~]+", url) else None


def _loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
