"""The sample issuer's sign-in: OpenID Connect's code flow with PKCE, behind a list of people instead of passwords.

As a real provider does, it takes people back to addresses of known clients only, gives a code that counts once and for
a minute, to whoever holds its verifier, and lets those who signed in a while ago pass without asking again.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLIENT: Final = "phigate-console"
REDIRECT: Final = re.compile(r"http://127\.0\.0\.1:[0-9]{1,5}/desk/callback", re.ASCII)
"""Where people are taken back to: the console of a gateway on this machine."""
COOKIE: Final = "sample-person"
SECONDS: Final = 60.0
_WORD: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)  # RFC 7636, 4.1

type Answered = tuple[int, dict[str, str], str]
"""Status, headers, body."""


@dataclass(frozen=True, slots=True)
class _Code:
    person: str
    redirect: str
    challenge: str
    nonce: str | None
    until: float


class CodeFlow:
    """`issuer` is its own name, `people` those who may be chosen; `give` makes (access token, ID token) for one."""

    def __init__(
        self,
        issuer: Callable[[], str],
        people: Callable[[], list[str]],
        give: Callable[[str, str | None], tuple[str, str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer, self._people, self._give, self._clock = issuer, people, give, clock
        self._codes: dict[str, _Code] = {}

    def authorize(self, asked: Mapping[str, str], query: str, cookie: str) -> Answered:
        """Ask who it is, unless they said so a while ago (`cookie`) and nobody wants to know again."""
        fault = _fault(asked)
        if fault:
            return _page(HTTPStatus.BAD_REQUEST, f"<h1>Not here</h1><p>{html.escape(fault)}</p>")
        if asked.get("prompt") != "login" and cookie in self._people():
            return self.chosen(asked, cookie)
        if asked.get("prompt") == "none":
            return self._back(asked, error="login_required")
        buttons = "".join(
            f'<p><button name="person" value="{html.escape(person)}">{html.escape(person)}</button></p>'
            for person in self._people()
        )
        to = html.escape(f"/authorize?{query}")
        form = (
            f'<form method="post" action="{to}">{buttons}<p><button name="person" value="">nobody</button></p></form>'
        )
        return _page(HTTPStatus.OK, f"<h1>Sample sign-in</h1><p>Who are you?</p>{form}")

    def chosen(self, asked: Mapping[str, str], person: str) -> Answered:
        """Take somebody back with a code, or without one where they are nobody."""
        fault = _fault(asked)
        if fault:
            return _page(HTTPStatus.BAD_REQUEST, f"<h1>Not here</h1><p>{html.escape(fault)}</p>")
        if person not in self._people():
            return self._back(asked, error="access_denied")
        code, until = secrets.token_urlsafe(32), self._clock() + SECONDS
        self._codes[code] = _Code(person, asked["redirect_uri"], asked["code_challenge"], asked.get("nonce"), until)
        status, headers, body = self._back(asked, code=code)
        headers["set-cookie"] = f"{COOKIE}={person}; Path=/authorize; HttpOnly; SameSite=Lax"
        return status, headers, body

    def redeem(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Give the tokens for a code (RFC 6749, 4.1.3): status and document."""
        if form.get("grant_type") != "authorization_code":
            return HTTPStatus.BAD_REQUEST, {"error": "unsupported_grant_type"}
        if form.get("client_id") != CLIENT:
            return HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}
        known = self._codes.pop(form.get("code", ""), None)
        if known is None or known.until <= self._clock() or known.redirect != form.get("redirect_uri"):
            return HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"}
        if _challenge(form.get("code_verifier", "")) != known.challenge:
            return HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"}
        access, identity = self._give(known.person, known.nonce)
        return HTTPStatus.OK, {"access_token": access, "id_token": identity, "token_type": "Bearer"}

    def _back(self, asked: Mapping[str, str], **said: str) -> Answered:
        query = urlencode({**said, "state": asked.get("state", ""), "iss": self._issuer()})
        return HTTPStatus.SEE_OTHER, {"location": f"{asked['redirect_uri']}?{query}"}, ""


def _fault(asked: Mapping[str, str]) -> str:
    """Why nobody is taken anywhere; empty where all is well."""
    if asked.get("client_id") != CLIENT or not REDIRECT.fullmatch(asked.get("redirect_uri", "")):
        return "No such client, or not its address."
    if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
        return "Only the code flow of OpenID Connect is known here."
    if asked.get("code_challenge_method") != "S256" or not _WORD.fullmatch(asked.get("code_challenge", "")):
        return "PKCE with S256 is needed."
    return ""


def _challenge(verifier: str) -> str | None:
    if not _WORD.fullmatch(verifier):
        return None
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _page(status: int, body: str) -> Answered:
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sample sign-in</title>'
    return status, {"content-type": "text/html; charset=utf-8"}, f"{head}<main>{body}</main></html>"
