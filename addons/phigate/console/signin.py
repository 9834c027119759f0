"""Signing in by OpenID Connect's code flow with PKCE: from a place on the page, to the issuer, and back. Pure.

- Whatever comes back counts in the browser that it was begun in, for the issuer and the client that it was begun with.
- Where an issuer says who answers (`iss`, RFC 9207), it must be the one that was asked.
- People come back to a place of the page, never to an address.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson

from phigate.identity.strict import to_base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.policy.sign_in import SignIn

HOME: Final = "/desk"
CALLBACK: Final = f"{HOME}/callback"
BEGUN: Final = "phi-begun-"
LASTS: Final = 600.0
"""Seconds that somebody may take at their issuer."""
_PLACE: Final = re.compile(rf"{HOME}(?:/(?:tickets|reviews)/[A-Za-z0-9-]{{1,64}})?", re.ASCII)
_CODE: Final = re.compile(r"[\x20-\x7e]{1,4096}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where an issuer takes people who sign in, and where it gives a bearer for their code."""

    authorization: str
    token: str
    says_who: bool = False
    """Whether its answers always name it (RFC 9207, 3)."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in under way, as the browser keeps it, sealed."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    issuer: str
    client_id: str
    place: str
    until: float

    def written(self) -> bytes:
        return orjson.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Back:
    """Somebody came back with a code."""

    begun: Begun
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotBack:
    """Why nobody is signed in (kebab-case, of SENTENCES)."""

    reason: str
    place: str = HOME


SENTENCES: Final[Mapping[str, tuple[int, str]]] = {
    "not-begun": (400, "This sign-in was not begun in this browser, or too long ago."),
    "begun-elsewhere": (400, "The policy was changed while you signed in. Please sign in again."),
    "answer-malformed": (400, "What came back from the sign-in provider cannot be read."),
    "answer-by-another": (400, "The answer is not from the sign-in provider that was asked."),
    "spent": (400, "This sign-in was used already."),
    "declined": (403, "The sign-in provider says that you did not sign in, or are not let in here."),
    "provider-refused": (403, "The sign-in provider did not sign you in."),
    "provider-down": (503, "The sign-in provider cannot be reached at the moment."),
    "code-refused": (403, "The sign-in provider did not take its own code, or not from this console."),
    "token-malformed": (502, "What the sign-in provider gave for the code cannot be used here."),
    "not-believed": (403, "The sign-in provider's bearer is not one that this gateway believes."),
    "too-many-groups": (403, "You hold too many groups for a browser to keep."),
    "unavailable": (503, "This cannot be settled at the moment."),
    "not-set-up": (404, "Sign-in is not set up: the policy has no section `sign_in`."),
}
"""Why somebody is not signed in: status and sentence."""

_OF_ERROR: Final[Mapping[str, str]] = {
    "access_denied": "declined",
    "temporarily_unavailable": "provider-down",
    "server_error": "provider-down",
}


def place_of(said: str | None) -> str:
    """The place of the page that a text names; HOME for anything else, so that nobody is sent anywhere else."""
    return said if said is not None and _PLACE.fullmatch(said) else HOME


def cookie_of(state: str) -> str:
    """The name that a sign-in is kept by: several may be under way in one browser."""
    return f"{BEGUN}{sha256(state.encode()).hexdigest()[:16]}"


def read_begun(raw: bytes | None) -> Begun | None:
    """What the browser kept, once it was opened."""
    return Begun(**orjson.loads(raw)) if raw is not None else None


def authorization(begun: Begun, where: Endpoints, sign_in: SignIn, redirect: str, *, anew: bool = False) -> str:
    """The address to sign in at (OIDC Core, 3.1.2.1; PKCE, RFC 7636, 4.3); `anew` is for whoever signed out."""
    asked = {
        "response_type": "code",
        "client_id": begun.client_id,
        "redirect_uri": redirect,
        "scope": " ".join(sign_in.scopes),
        "state": begun.state,
        "nonce": begun.nonce,
        "code_challenge": to_base64url(sha256(begun.verifier.encode("ascii")).digest()),
        "code_challenge_method": "S256",
    }
    if sign_in.resource is not None:
        asked["resource"] = sign_in.resource
    if anew:
        asked["prompt"] = "login"
    parts = urlsplit(where.authorization)  # RFC 6749, 3.1: a query that is there stays
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, urlencode(asked)]))))


def back(
    answer: Mapping[str, str], begun: Begun | None, sign_in: SignIn, *, says_who: bool, now: float
) -> Back | NotBack:
    """Read what came back (RFC 6749, 4.1.2); `begun` is what this browser kept for its `state`."""
    state = answer.get("state", "")
    if begun is None or not compare_digest(state.encode("utf-8", "replace"), begun.state.encode()):
        return NotBack("not-begun")
    if begun.until <= now:
        return NotBack("not-begun", begun.place)
    if (begun.issuer, begun.client_id) != (sign_in.issuer, sign_in.client_id):
        return NotBack("begun-elsewhere", begun.place)
    if answer.get("iss", begun.issuer) != begun.issuer or (says_who and "iss" not in answer):
        return NotBack("answer-by-another", begun.place)
    if "error" in answer:
        return NotBack(_OF_ERROR.get(answer["error"], "provider-refused"), begun.place)
    code = answer.get("code", "")
    return Back(begun, code) if _CODE.fullmatch(code) else NotBack("answer-malformed", begun.place)


def code_form(came: Back, sign_in: SignIn, redirect: str) -> dict[str, str]:
    """What is asked of the token endpoint (RFC 6749, 4.1.3); a public client names itself there."""
    asked = {
        "grant_type": "authorization_code",
        "code": came.code,
        "redirect_uri": redirect,
        "code_verifier": came.begun.verifier,
    }
    if sign_in.credential is None:
        asked["client_id"] = sign_in.client_id
    if sign_in.resource is not None:
        asked["resource"] = sign_in.resource
    return asked


def tokens_of(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """The bearer and the ID token that the token endpoint gave (OIDC Core, 3.1.3.3); None where one is missing."""
    bearer, id_token, kind = (document.get(name) for name in ("access_token", "id_token", "token_type"))
    if not isinstance(bearer, str) or not isinstance(id_token, str) or not isinstance(kind, str):
        return None
    return (bearer, id_token) if bearer and id_token and kind.lower() == "bearer" else None
