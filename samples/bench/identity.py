"""What it costs to believe a bearer: our check, cold and remembered, beside the libraries an application would call.

Each library is called as its own documentation says, with the issuer's keys read before and with audience and issuer
given, in turns with ours in one run. They check less: an ID token passes all of them, a missing `aud` python-jose.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from jose import jwt as jose_jwt  # type: ignore[import-untyped]  # python-jose ships no types
from rich.console import Console

from bench.gateway import processor, table_of
from phigate.exchange import Subject
from phigate.identity.bearer import check
from phigate.identity.follow import Follow
from phigate.identity.jwks import KeySet, parse_jwks
from phigate.identity.outcome import Believed
from phigate.identity.own import Own
from phigate.identity.proof import Presented
from phigate.identity.strict import to_base64url
from phigate.identity.verify import Verifier
from phigate.ledger import Revocation
from phigate.policy.load import parse_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from phigate.ledger import GatewayKey
    from phigate.policy.schema import Policy

ISSUER: Final = "https://idp.example"
AUDIENCE: Final = "phigate"
ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
LIBRARIES: Final = ("python-jose", "joserfc", "PyJWT")
TARGET: Final = 5.0
"""Microseconds a remembered bearer may cost."""
REVOKED: Final = 1000
"""Revocations in force while we measure."""
POLICY: Final = f"""\
version: 1
issuers:
  - issuer: {ISSUER}
    audience: {AUDIENCE}
    algorithms: [{", ".join(ALGORITHMS)}]
    keys: file:keys.json
    groups_from: groups
roles: {{clinician: [ward-staff]}}
rules:
  - {{name: care, permit: [clinician], to: [chat], models: ["*"], mask: all}}
masks: {{all: {{OTHER: redact}}}}
"""
PLAIN: Final = Presented("POST")

type Work = Callable[[int], float]
"""Does something so many times, and says how many seconds it took."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure: rounds of so many seconds a turn."""

    rounds: int = 5
    seconds: float = 0.5


# -- an issuer ------------------------------------------------------------------------------------------------------


def _number(value: int) -> str:
    return to_base64url(value.to_bytes((value.bit_length() + 7) // 8))


class Signer:
    """One key pair of the issuer."""

    def __init__(self, alg: str) -> None:
        self.alg = alg
        self._key: Any = {
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
        }.get(alg, lambda: rsa.generate_private_key(65537, 2048))()

    def jwk(self) -> dict[str, str]:
        public = self._key.public_key()
        made = {"kid": self.alg, "use": "sig", "alg": self.alg}
        if self.alg == "EdDSA":
            return made | {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(public.public_bytes_raw())}
        numbers = public.public_numbers()
        if self.alg == "ES256":
            x, y = (to_base64url(value.to_bytes(32)) for value in (numbers.x, numbers.y))
            return made | {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        return made | {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}

    def sign(self, claims: dict[str, Any]) -> str:
        head = {"alg": self.alg, "typ": "at+jwt", "kid": self.alg}
        signed = ".".join(to_base64url(json.dumps(part).encode()) for part in (head, claims))
        return f"{signed}.{to_base64url(self._signature(signed.encode()))}"

    def _signature(self, message: bytes) -> bytes:
        sha = hashes.SHA256()
        if self.alg == "EdDSA":
            return bytes(self._key.sign(message))
        if self.alg == "ES256":
            r, s = utils.decode_dss_signature(self._key.sign(message, ec.ECDSA(sha)))
            return r.to_bytes(32) + s.to_bytes(32)
        pad = padding.PKCS1v15() if self.alg == "RS256" else padding.PSS(padding.MGF1(sha), sha.digest_size)
        return bytes(self._key.sign(message, pad, sha))


def bearer_of(signer: Signer, **changes: Any) -> str:
    """Sign an access token as issuers write them (RFC 9068), for the next hour; a claim given as None is left out."""
    now = int(time.time())
    claims = {"iss": ISSUER, "sub": "dr.okafor", "aud": AUDIENCE, "iat": now, "exp": now + 3600, "jti": "5f0c2b7e9d"}
    claims |= {"groups": ["ward-staff", "physicians"], "client_id": "ward-app", "scope": "openid"}
    return signer.sign({name: value for name, value in (claims | changes).items() if value is not None})


# -- the ways -------------------------------------------------------------------------------------------------------


def repeated(once: Callable[[], object]) -> Work:
    def work(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            once()
        return time.perf_counter() - start

    return work


def cold(bearer: str, policy: Policy, keys: KeySet) -> Callable[[], bool]:
    keysets = {ISSUER: keys}
    return lambda: isinstance(check(bearer, policy.issuers, keysets, time.time()), Believed)


def jose(bearer: str, alg: str, jwks: dict[str, Any]) -> Callable[[], bool] | None:
    if alg in {"PS256", "EdDSA"}:
        return None  # python-jose has neither
    keys = {key["kid"]: key for key in jwks["keys"]}  # it reads no `kid`, and breaks at the first key of another kind

    def once() -> bool:
        key = keys[jose_jwt.get_unverified_header(bearer)["kid"]]
        return bool(jose_jwt.decode(bearer, key, algorithms=[alg], audience=AUDIENCE, issuer=ISSUER))

    return once


def joserfc(bearer: str, alg: str, jwks: dict[str, Any]) -> Callable[[], bool] | None:
    try:
        from joserfc import jwt  # noqa: PLC0415 -- measured where it is installed
        from joserfc.jwk import KeySet as Keys  # noqa: PLC0415 -- the same
    except ImportError:
        return None
    keys = Keys.import_key_set(jwks)  # type: ignore[arg-type]  # its own type for the same dict
    wanted = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}, exp={"essential": True}
    )

    def once() -> bool:
        found = jwt.decode(bearer, keys, algorithms=[alg])
        wanted.validate(found.claims)
        return True

    return once


def pyjwt(bearer: str, alg: str, jwks: dict[str, Any]) -> Callable[[], bool] | None:
    try:
        import jwt  # noqa: PLC0415 -- measured where it is installed
    except ImportError:
        return None
    keys = jwt.PyJWKSet.from_dict(jwks)

    def once() -> bool:
        key = keys[jwt.get_unverified_header(bearer)["kid"]]
        return bool(jwt.decode(bearer, key, algorithms=[alg], audience=AUDIENCE, issuer=ISSUER))

    return once


WAYS: Final = {"python-jose": jose, "joserfc": joserfc, "PyJWT": pyjwt}


def believes(once: Callable[[], bool]) -> bool:
    try:
        return once()
    except Exception:  # noqa: BLE001 -- each library refuses by exceptions of its own
        return False


# -- the remembered bearer ------------------------------------------------------------------------------------------


class QuietLedger:
    """A ledger with revocations of others in it, and no key."""

    async def revocations(self, after: int, now: float) -> list[Revocation]:
        entries = [(f"someone-{number}", f"jti-{number}", number + 1) for number in range(REVOKED // 2)]
        subjects = [Revocation(ISSUER, who, None, now, now + 9999, "bench", "", number) for who, _, number in entries]
        bearers = [Revocation(ISSUER, None, jti, now, now + 9999, "bench", "", number) for _, jti, number in entries]
        return [] if after else [*subjects, *bearers]

    async def keys(self, now: float) -> list[GatewayKey]:  # noqa: ARG002 -- as a ledger has it
        return []


class Remembered:
    """A verifier as the gateway has it: what it believed a moment ago, and the ledger's revocations."""

    def __init__(self, policy: Policy) -> None:
        self._follow = Follow()
        own = Own("https://console.example", ("https://gateway.example",))
        self._verifier = Verifier(policy, own=own, follow=self._follow)

    async def believe(self, bearer: str) -> bool:
        await self._follow.look(QuietLedger(), time.time())  # type: ignore[arg-type]  # all of a ledger that it reads
        return isinstance(await self._verifier.present(bearer, PLAIN, time.time()), Subject)

    async def close(self) -> None:
        await self._verifier.close()

    async def work(self, bearer: str, times: int) -> float:
        present, now = self._verifier.present, time.time()
        start = time.perf_counter()
        for _ in range(times):
            await present(bearer, PLAIN, now)
        return time.perf_counter() - start


# -- measuring ------------------------------------------------------------------------------------------------------


def rate_of(work: Work, seconds: float) -> float:
    """Return how often a second; the first call finds out how many fit into the time."""
    batch, took = 1, work(1)
    while took < seconds / 20:
        batch *= 2
        took = work(batch)
    done, spent = batch, took
    while spent < seconds:
        spent += work(batch)
        done += batch
    return done / spent


def measure(ways: Sequence[Work | None], plan: Plan) -> list[list[float]]:
    """Return the rates of each way by round; who begins a round alternates, and a way that is None has none."""
    rates: list[list[float]] = [[] for _ in ways]
    for round_ in range(plan.rounds):
        order = [(index, way) for index, way in enumerate(ways) if way is not None]
        for index, way in reversed(order) if round_ % 2 else order:
            rates[index].append(rate_of(way, plan.seconds))
    return rates


def shown(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f}" if rates else "-"


def ratio(ours: list[float], theirs: list[float]) -> str:
    """Return the median, least and greatest of the rounds' own ratios, ours to theirs."""
    values = [one / other for one, other in zip(ours, theirs, strict=True)] if theirs else []
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})" if values else "-"


def describe(out: Console, plan: Plan) -> None:
    """Print what was measured where, so that the figures can be had again."""
    versions = []
    for name in ("cryptography", *LIBRARIES):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} is not installed: `scripts/setup test` brings it")
    out.print(f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}; {', '.join(versions)}")
    out.print(f"{plan.rounds} round(s), turns alternating, {plan.seconds:g} s a turn; one thread")


TITLE: Final = "bearers verified a second; ratio: our cold check to theirs, median of rounds (least-greatest)"
COLUMNS: Final = ("", "ours, cold", *(word for name in LIBRARIES for word in (name, "ratio")), "remembered", "us")


def run(plan: Plan) -> None:
    """Measure and print."""
    out = Console(width=max(Console().width, 152), highlight=False)
    describe(out, plan)
    with tempfile.TemporaryDirectory(prefix="phigate-bench-") as folder, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "EdDSA is deprecated")  # joserfc on the name of RFC 8037 (RFC 9864)
        rows = _rows(Path(folder), plan)
    out.print(table_of(TITLE, COLUMNS, [row for row, _ in rows]))
    worst = max(cost for _, cost in rows)
    met = "within" if worst < TARGET else "not within"
    out.print(f"a remembered bearer costs up to {worst:.2f} us, {met} the target of {TARGET:g} us")


def _rows(folder: Path, plan: Plan) -> Sequence[tuple[list[str], float]]:
    signers = {alg: Signer(alg) for alg in ALGORITHMS}
    jwks = {"keys": [signer.jwk() for signer in signers.values()]}
    (folder / "keys.json").write_text(json.dumps(jwks))
    policy = parse_policy(POLICY.encode(), "policy.yaml", folder)
    keys = parse_jwks(json.dumps(jwks).encode())
    assert isinstance(keys, KeySet)
    with asyncio.Runner() as loop:
        made = Remembered(policy)
        rows = []
        for alg, signer in signers.items():
            bearer = bearer_of(signer)
            ways = [cold(bearer, policy, keys), *(way(bearer, alg, jwks) for way in WAYS.values())]
            if not all(believes(way) for way in ways if way) or not loop.run(made.believe(bearer)):
                raise SystemExit(f"bench: an honest bearer ({alg}) is not believed")

            def remembered(times: int, bearer: str = bearer) -> float:
                loop.run(made.believe(bearer))  # also looks at the ledger, as the gateway does each second
                return loop.run(made.work(bearer, times))

            works = [*(repeated(way) if way else None for way in ways), remembered]
            ours, *theirs, kept = measure(works, plan)
            pairs = [word for rates in theirs for word in (shown(rates), ratio(ours, rates))]
            cost = 1e6 / statistics.median(kept)
            rows.append(([alg, shown(ours), *pairs, shown(kept), f"{cost:.2f}"], cost))
        loop.run(made.close())
    return rows
