"""What keeps the page to whom it was given: its headers, its cookies, and which forms are its own. Pure.

- Nothing is loaded from elsewhere, nothing runs, nobody frames the page, nobody keeps it.
- A form counts that this very sign-in was given (a keyed hash of its bearer's id), sent from the page itself; the
  cookie alone never does.
- Which address is ours the operator says; `Host` is never read.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from phigate.identity.strict import to_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not `no-referrer`: browsers would then send `Origin: null` with the page's own forms (Fetch, 3.2).
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
MOST_FIELDS: Final = 4
LONGEST_COOKIE: Final = 4000
"""Characters of a value; browsers keep 4096 bytes of name, value and attributes (RFC 6265, 6.1)."""
_PURPOSE: Final = "console-form"
_COOKIE: Final = re.compile(r"([\w!#$%&'*+.^`|~-]+)=([!#-+\--:<-\[\]-~]*)", re.ASCII)
"""RFC 6265, 4.1.1. Whoever reads a name more freely takes one for `__Host-` that browsers let others set."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page is, by the console's public address."""

    console: str

    @property
    def origin(self) -> str:
        parts = urlsplit(self.console)
        return f"{parts.scheme}://{parts.netloc}".lower()

    @property
    def base(self) -> str:
        """What stands before each path."""
        return urlsplit(self.console).path

    @property
    def secure(self) -> bool:
        return self.console.startswith("https:")

    def cookie(self, name: str) -> str:
        """A cookie's name: no other host or path can have set one with this prefix (RFC 6265bis, 4.1.3.2)."""
        return f"__Host-{name}" if self.secure else name

    def set(self, name: str, value: str, *, same_site: str, lasts: int | None = None) -> str:
        """The header field that keeps a cookie, for `lasts` seconds or as long as the browser runs."""
        parts = [f"{self.cookie(name)}={value}", "Path=/", "HttpOnly", f"SameSite={same_site}"]
        parts += [f"Max-Age={lasts}"] if lasts is not None else []
        return "; ".join([*parts, "Secure"] if self.secure else parts)

    def own(self, headers: Mapping[str, str]) -> bool:
        """Whether a form was sent from the page itself, by what browsers say and no other page can change."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if site not in {None, "same-origin"}:
            return False
        return origin.lower() == self.origin if origin is not None else site is not None

    def from_elsewhere(self, headers: Mapping[str, str]) -> bool:
        """Whether another page led here, so that the browser kept the page's strict cookie to itself."""
        return headers.get("sec-fetch-site") in {"cross-site", "same-site"}


@dataclass(frozen=True, slots=True)
class Tokens:
    """What stands in the forms of one sign-in; `digests` are keyed hashes, the one in use first."""

    digests: tuple[Callable[..., bytes], ...] = field(repr=False)

    def of(self, jti: str) -> str:
        return _token(self.digests[0], jti)

    def fits(self, jti: str, said: str) -> bool:
        return any(compare_digest(_token(digest, jti).encode(), said.encode()) for digest in self.digests)


def _token(digest: Callable[..., bytes], jti: str) -> str:
    return to_base64url(digest(_PURPOSE, jti)[:24])


def read_cookies(fields: Iterable[str]) -> dict[str, str]:
    """The cookies that a browser sent, none that is said twice."""
    parts = [part.strip(" ") for field_ in fields for part in field_.split(";")]
    pairs = [(found[1], found[2]) for part in parts if (found := _COOKIE.fullmatch(part))]
    many = Counter(name for name, _ in pairs)
    return {name: value for name, value in pairs if many[name] == 1}


def read_fields(raw: bytes) -> dict[str, str] | None:
    """The fields of a form; None where it is none, or says something twice."""
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        return None
    return dict(pairs) if len(dict(pairs)) == len(pairs) else None


def one_line(text: str) -> str:
    """A comment as it is kept: printable, on one line."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
