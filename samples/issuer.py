"""A sample OpenID Connect issuer for demos and tests: discovery, keys, bearers, and a sign-in. Never for real use.

It listens on loopback only, its keys live in memory and end with it, and whoever reaches it may be anybody:

    python samples/issuer.py --port 9000
    curl 'http://127.0.0.1:9000/mint?person=dr.okafor'
"""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
import time
import uuid
from collections import Counter
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jose import jwk, jws  # type: ignore[import-untyped]  # python-jose ships no types

from code_flow import CLIENT, COOKIE, CodeFlow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from code_flow import Answered

LOOPBACK: Final = "127.0.0.1"

PEOPLE: Final[Mapping[str, tuple[str, ...]]] = {
    "dr.okafor": ("ward-staff",),
    "sam.lindqvist": ("research",),
    "priya.raman": ("ml-platform",),
    "lee.castellano": ("visitors",),
    "kai.holm": ("privacy",),
    "mara.voss": ("ml-platform",),
    "ines.duarte": ("ml-platform",),
}
"""Invented people and their groups: a clinician, a researcher, operators of models, a visitor, a privacy officer."""
LARGEST: Final = 16 * 1024
"""Bytes of a form."""


class SampleIssuer:
    """An issuer on a loopback port (0: a free one); `with SampleIssuer() as issuer:` serves until the block ends."""

    def __init__(self, port: int = 0, *, audience: str = "phigate", lifetime: int = 3600) -> None:
        self.audience = audience
        self.lifetime = lifetime
        self.down = False
        """Answer everything with 503, as an issuer in an outage does."""
        self.asked: Counter[str] = Counter()
        """How often each path was asked for."""
        self.published: list[dict[str, Any]] = []
        """The key set as JWKs; tests may add to it."""
        self._signing: dict[str, tuple[str, Any]] = {}
        self.rotate()
        self.code_flow = CodeFlow(lambda: self.url, lambda: list(PEOPLE), self._signed_in)
        self._server = ThreadingHTTPServer((LOOPBACK, port), _answering(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The issuer's name, and where its discovery starts."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> Self:
        self._thread.start()
        return self

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def mint(
        self,
        subject: str,
        groups: Sequence[str] | None = (),
        *,
        alg: str = "RS256",
        headers: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """Sign a bearer (RFC 9068) for somebody; a claim given as None is left out."""
        now = int(time.time())
        said = {"iss": self.url, "sub": subject, "aud": self.audience, "iat": now, "exp": now + self.lifetime}
        said |= {"jti": uuid.uuid4().hex, "groups": None if groups is None else list(groups)} | claims
        body = json.dumps({name: value for name, value in said.items() if value is not None})
        kid, key = self._signing[alg]
        bearer: str = jws.sign(body.encode(), key, {"kid": kid, "typ": "at+jwt", **(headers or {})}, alg)
        return bearer

    def mint_for(self, person: str) -> str:
        """Sign a bearer for one of PEOPLE."""
        return self.mint(person, PEOPLE[person])

    def _signed_in(self, person: str, nonce: str | None) -> tuple[str, str]:
        """A bearer and an ID token for somebody who signed in."""
        told: dict[str, Any] = {"aud": CLIENT, "nonce": nonce, "auth_time": int(time.time()), "jti": None}
        return self.mint_for(person), self.mint(person, headers={"typ": "JWT"}, **told)

    def rotate(self, *, keep: bool = False) -> None:
        """Sign with new keys from now on; the old ones stay published only if they are to `keep`."""
        made = {
            "RS256": jwk.construct(rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"),
            "ES256": jwk.construct(ec.generate_private_key(ec.SECP256R1()), "ES256"),
        }
        self._signing = {alg: (f"{alg.lower()}-{uuid.uuid4().hex[:8]}", key) for alg, key in made.items()}
        fresh = [
            {**key.public_key().to_dict(), "kid": kid, "use": "sig", "alg": alg}
            for alg, (kid, key) in self._signing.items()
        ]
        self.published = fresh + (self.published if keep else [])

    def answer(self, target: str, cookie: str = "") -> Answered:
        """Answer a GET."""
        url = urlsplit(target)
        self.asked[url.path] += 1
        if self.down:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "down\n")
        if url.path == "/authorize":
            return self.code_flow.authorize(_first(url.query), url.query, cookie)
        if url.path == "/.well-known/openid-configuration":
            return _json(self._discovery())
        if url.path == "/jwks":
            return _json({"keys": self.published})
        if url.path == "/mint":
            return self._mint_answer(parse_qs(url.query).get("person", [""])[0])
        return _text(HTTPStatus.NOT_FOUND, "not here\n")

    def take(self, target: str, form: str) -> Answered:
        """Answer a POST with a form."""
        url = urlsplit(target)
        self.asked[url.path] += 1
        if self.down:
            return _text(HTTPStatus.SERVICE_UNAVAILABLE, "down\n")
        if url.path == "/authorize":
            return self.code_flow.chosen(_first(url.query), _first(form).get("person", ""))
        if url.path == "/token":
            status, document = self.code_flow.redeem(_first(form))
            return _json(document, status)
        return _text(HTTPStatus.NOT_FOUND, "not here\n")

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "authorization_response_iss_parameter_supported": True,
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted(self._signing),
        }

    def _mint_answer(self, person: str) -> Answered:
        if person in PEOPLE:
            return _text(HTTPStatus.OK, self.mint_for(person))
        return _text(HTTPStatus.NOT_FOUND, f"known people: {', '.join(PEOPLE)}\n")


def _text(status: int, text: str) -> Answered:
    return status, {"content-type": "text/plain"}, text


def _json(document: Mapping[str, Any], status: int = HTTPStatus.OK) -> Answered:
    return status, {"content-type": "application/json"}, json.dumps(document)


def _first(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _answering(issuer: SampleIssuer) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(self._checked(lambda: issuer.answer(self.path, self._person())))

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            size = int(length) if length.isdecimal() else LARGEST + 1
            form = self.rfile.read(size).decode("latin-1") if size <= LARGEST else ""
            self._say(self._checked(lambda: issuer.take(self.path, form)))

        def _person(self) -> str:
            found = SimpleCookie(self.headers.get("cookie", "")).get(COOKIE)
            return found.value if found else ""

        def _say(self, answered: Answered) -> None:
            status, headers, body = answered
            raw = body.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(raw)))
            self.send_header("cache-control", "no-store")
            self.end_headers()
            self.wfile.write(raw)

        def _checked(self, answer: Callable[[], Answered]) -> Answered:
            # A web page that points its own name at loopback must not get a bearer (DNS rebinding).
            if self.headers.get("host") in {f"{name}:{issuer.port}" for name in (LOOPBACK, "localhost")}:
                return answer()
            return _text(HTTPStatus.FORBIDDEN, "on loopback only\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Say nothing: a request's line can hold what it should not."""

    return Answering


def main() -> None:
    options = argparse.ArgumentParser(description="A sample OpenID Connect issuer, on loopback, never for real use.")
    options.add_argument("--port", type=int, default=9000, help="0 takes a free one")
    options.add_argument("--audience", default="phigate")
    given = options.parse_args()
    with SampleIssuer(given.port, audience=given.audience) as issuer, contextlib.suppress(KeyboardInterrupt):
        print(issuer.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
