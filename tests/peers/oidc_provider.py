"""npm's oidc-provider, which is OpenID-certified, as a peer: real bearers of a real issuer, over loopback.

Its packages are installed once a checkout, as its lock says, into `var/peers`; what is missing for that skips the test.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest

from phigate.identity.proof import thumbprint
from phigate.identity.strict import to_base64url
from processes import HOST, ROOT, Child, answers, free_port
from tests.identity import forge

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Path(__file__).with_name("oidc_provider")
PACKAGES = ("package.json", "package-lock.json")
CACHE = ROOT / "var" / "peers"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
UNREACHABLE = {
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "ERR_SOCKET_TIMEOUT",
    "E403",
    "E404",
}
"""How npm says that it cannot get a package from where it is told to; anything else is a fault."""

GATEWAY = "gateway"
"""The client that may introspect."""


@dataclass(frozen=True)
class Client:
    secret: str
    groups: tuple[str, ...] = ()
    redirect: str | None = None
    """Where people who sign in by it are taken back to."""


CLIENTS = {
    "dr.okafor": Client("secret-of-the-clinician", ("ward-staff",)),
    "lee.castellano": Client("secret-of-the-visitor", ("visitors",)),
    GATEWAY: Client("secret-of-the-gateway"),
}


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on PATH: npm's oidc-provider cannot be run")
    return found


def installed() -> Path:
    """The folder `node_modules` that the lock asks for, made if it is not there yet."""
    npm = tool("npm")
    made_of = b"".join((SOURCE / name).read_bytes() for name in PACKAGES)
    folder = CACHE / f"oidc-provider-{sha256(made_of).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs in one checkout
        if not (folder / "node_modules").is_dir():
            install(npm, folder)
    return folder / "node_modules"


def install(npm: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as made:
        for name in PACKAGES:
            shutil.copy(SOURCE / name, made)
        command = [
            npm,
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--fetch-retries=1",
            "--fetch-timeout=20000",
        ]
        try:
            done = subprocess.run(command, cwd=made, capture_output=True, text=True, check=False, timeout=90)
        except subprocess.TimeoutExpired:
            pytest.skip("npm cannot get oidc-provider from its registry within 90 s")
        if done.returncode:
            codes = set(re.findall(r"npm (?:error|ERR!) code (\w+)", done.stderr))
            if codes & UNREACHABLE:
                pytest.skip(f"npm cannot get oidc-provider from its registry: {', '.join(sorted(codes))}")
            pytest.fail(f"npm ci: {', '.join(sorted(codes)) or done.returncode}", pytrace=False)
        Path(made).rename(folder)
        Path(made).mkdir()  # what the context manager takes away


class Key:
    """A key pair of somebody who proves that they hold it (RFC 9449)."""

    def __init__(self, alg: str = "ES256") -> None:
        self.alg = alg
        self.jwk = forge.jwk_of(alg, kid=None, use=None)
        self.thumbprint = thumbprint(self.jwk)

    def proof(self, url: str, bearer: str | None = None, **changes: Any) -> str:
        """Sign a proof of now for a POST to `url`, with this bearer if there is one already."""
        said: dict[str, Any] = {"jti": uuid.uuid4().hex, "htm": "POST", "htu": url, "iat": int(time.time())}
        if bearer is not None:
            said["ath"] = to_base64url(sha256(bearer.encode()).digest())
        head = {"typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk}
        return forge.mint(said | changes, head, alg=self.alg, key=forge.private_key(self.alg))


class OidcProvider:
    """The provider on a free port; `with OidcProvider() as issuer:` serves until the block ends."""

    def __init__(self, audience: str = "phigate", clients: Mapping[str, Client] | None = None) -> None:
        self.clients = dict(clients or CLIENTS)
        self.port = free_port()
        self._node, self._packages = tool("node"), installed()
        self._folder = Path(tempfile.mkdtemp(prefix="phigate-peer-"))
        shutil.copy(SOURCE / "server.mjs", self._folder)
        (self._folder / "node_modules").symlink_to(self._packages)
        clients_told = {name: vars(client) for name, client in self.clients.items()}
        told = json.dumps({"port": self.port, "audience": audience, "clients": clients_told})
        self._child = Child("oidc-provider", [self._node, "server.mjs", told], self._folder / "said.log")

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def introspection(self) -> str:
        return f"{self.url}/token/introspection"

    def bearer(self, form: str, client: str = "dr.okafor", *, key: Key | None = None) -> str:
        """Get a bearer of a client: `form` is an algorithm, `opaque` or `elsewhere`; bound to `key` if there is one."""
        asked = {"grant_type": "client_credentials", "resource": f"urn:bearer:{form}", "scope": "chat"}
        headers = {"dpop": key.proof(f"{self.url}/token")} if key else {}
        answer = self._post("/token", asked, client, headers)
        assert answer.status_code == 200, answer.text
        issued = answer.json()
        assert issued["token_type"] == ("DPoP" if key else "Bearer")
        return str(issued["access_token"])

    def revoke(self, bearer: str, client: str = "dr.okafor") -> None:
        assert self._post("/token/revocation", {"token": bearer}, client, {}).status_code == 200

    def _post(self, path: str, form: Mapping[str, str], client: str, headers: Mapping[str, str]) -> httpx.Response:
        known = (client, self.clients[client].secret)
        return httpx.post(f"{self.url}{path}", data=form, auth=known, headers=headers, trust_env=False, timeout=10)

    def __enter__(self) -> Self:
        self._child.start()
        try:
            self._child.wait_until(lambda: answers(f"{self.url}/.well-known/openid-configuration"))
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        self._child.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __exit__(self, *_: object) -> None:
        self.close()
