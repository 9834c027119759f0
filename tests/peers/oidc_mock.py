"""PyPI's oidc-provider-mock as a peer that can fail: its requests counted, its answers held back or spoilt."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import joserfc.jwk
import joserfc.jwt
import oidc_provider_mock  # type: ignore[import-untyped]  # ships no types
from oidc_provider_mock import _server
from oidc_provider_mock import _storage as mock_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

type Fault = Literal["down", "spoilt", "silent"]


class OidcMock:
    """The provider, and what is wrong with it: `fault` is None while nothing is."""

    def __init__(self) -> None:
        self._app = oidc_provider_mock.app()
        self.url = ""
        self.asked: Counter[str] = Counter()
        """How often each path was asked for."""
        self.fault: Fault | None = None
        self.speak = threading.Event()
        """Ends what `silent` holds back."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.asked[environ["PATH_INFO"]] += 1
        if self.fault is None:
            answer: Iterable[bytes] = self._app(environ, start_response)
            return answer
        if self.fault == "silent":
            self.speak.wait(20)
        status = "200 OK" if self.fault == "spoilt" else "503 Service Unavailable"
        start_response(status, [("content-type", "application/json")])
        return [b'{"keys": [']

    def bearer(self, **claims: Any) -> str:
        """Sign an access token with the provider's own current key; those it issues are opaque."""
        now = int(time.time())
        said = {"iss": self.url, "sub": "dr.okafor", "aud": "phigate", "iat": now, "exp": now + 600} | claims
        key = self._key()
        return joserfc.jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": key.kid}, said, key)

    def rotate(self) -> None:
        with self._inside():
            mock_storage.storage.jwk = joserfc.jwk.RSAKey.generate_key(private=True)

    def _key(self) -> joserfc.jwk.RSAKey:
        with self._inside():
            key: joserfc.jwk.RSAKey = mock_storage.storage.jwk
        key.ensure_kid()
        return key

    @contextmanager
    def _inside(self) -> Iterator[None]:
        with self._app.test_request_context():
            self._app.preprocess_request()
            yield

    @contextmanager
    def serving(self) -> Iterator[OidcMock]:
        """Answer on a free loopback port until the block ends."""
        with _server._threaded_server(self) as server:
            self.url = self.url or f"http://localhost:{server.server_port}"
            try:
                yield self
            finally:
                self.speak.set()
