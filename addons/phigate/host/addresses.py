"""Where the gateway is reached from outside: said by the operator, or plain on loopback; never taken from `Host`.

A caller chooses its Host header, and with it could choose for whom a proof was made or where a bearer is sent.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

METADATA = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Base addresses without a slash at the end; None where nobody said them and they cannot be known."""

    url: str | None = None
    console: str | None = None

    @property
    def metadata(self) -> str | None:
        """Where the protected resource describes itself (RFC 9728, 3)."""
        return self.url + METADATA if self.url else None


class AddressFault(ValueError):  # noqa: N818 -- the operator's fault, told in the operator's words
    """An option is no base address; the message is the operator's."""


def addresses(options: Mapping[str, Any]) -> Addresses:
    """Read `phi_url` and `phi_console_url`, or work them out where both sides are on this machine."""
    mode = next(iter(options.get("mode") or ()), "")
    host, port = options.get("listen_host") or "", options.get("listen_port")
    _, at, place = mode.rpartition("@")
    if at and "/" not in place:  # mitmproxy's own: `reverse:URL@HOST:PORT`
        own_host, _, own_port = place.rpartition(":")
        host, port = own_host or host, int(own_port) if own_port.isdecimal() else port
    console_host, _, console_port = (options.get("phi_console") or "").rpartition(":")
    return Addresses(
        _said("phi_url", options.get("phi_url")) or _plain(host, port or 8080),
        _said("phi_console_url", options.get("phi_console_url")) or _plain(console_host, console_port),
    )


def _said(option: str, url: Any) -> str | None:
    if not url:
        return None
    try:
        parts = urlsplit(url)
        sane = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        sane = False
    if not sane or parts.query or parts.fragment or not url.isascii() or any(each.isspace() for each in url):
        raise AddressFault(f"option `{option}`: not a base address such as `https://phigate.hospital.example`")
    if parts.scheme == "http" and not _loopback(parts.hostname or ""):
        raise AddressFault(f"option `{option}`: must be https (http is for loopback only)")
    return str(url).rstrip("/")


def _plain(host: str, port: int | str) -> str | None:
    bare = host.strip("[]")
    if not _loopback(bare) or not str(port).isdecimal() or int(port) == 0:
        return None
    return f"http://{f'[{bare}]' if ':' in bare else bare}:{port}"


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
