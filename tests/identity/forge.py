"""Forging bearers: honest ones of every algorithm, and any hostile shape, byte by byte. Keys are made once a run."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from phigate.identity.bearer import check
from phigate.identity.jwks import KeySet, parse_jwks
from phigate.identity.strict import to_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from phigate.identity.outcome import Introspection

NOW = 1_800_000_000.0
ISSUER = "https://idp.hospital.example/realms/clinical"
OTHER_ISSUER = "https://idp.university.example"
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
NAMES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
ALL = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


@dataclass(frozen=True)
class Rule:
    issuer: str = ISSUER
    audience: tuple[str, ...] = ("phigate",)
    algorithms: tuple[str, ...] = ALL
    keys: str = "discover"
    audience_from: str = "aud"
    groups_from: tuple[str, ...] = ("groups",)
    groups_as: str = "list"
    required_claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    context_from: Mapping[str, str] = field(default_factory=dict)
    max_age: timedelta | None = None
    leeway: timedelta = timedelta(0)
    proof: str = "as-bound"
    introspect: Introspection | None = None


@dataclass(frozen=True)
class Rules:
    """A policy whose roles are named like its groups."""

    issuers: tuple[Rule, ...] = (Rule(),)
    saml: tuple[Any, ...] = ()
    folder: Path = field(default_factory=Path)

    def roles_of(self, groups: Iterable[str]) -> frozenset[str]:
        return frozenset(groups)


@cache
def private_key(name: str) -> Any:
    """Keys by name: `rsa`, `rsa-other`, `rsa-1024`, `rsa-e3`, `ES256` ..., `EdDSA`."""
    if name.startswith("rsa"):
        return rsa.generate_private_key(3 if name == "rsa-e3" else 65537, 1024 if name == "rsa-1024" else 2048)
    return ed25519.Ed25519PrivateKey.generate() if name == "EdDSA" else ec.generate_private_key(CURVES[name])


def key_for(alg: str) -> str:
    return "rsa" if alg[:2] in {"RS", "PS"} else alg


def sign_with(key: Any, alg: str, message: bytes) -> bytes:
    """Sign as an algorithm says, whatever the key; HS256 takes the key's bytes as the secret."""
    if alg.startswith("HS"):
        mac = hmac.HMAC(key, HASHES[alg[2:]])
        mac.update(message)
        return mac.finalize()
    if alg == "EdDSA":
        return bytes(key.sign(message))
    chosen = HASHES[alg[2:]]
    if alg.startswith("ES"):
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(chosen)))
        size = (key.curve.key_size + 7) // 8
        return r.to_bytes(size) + s.to_bytes(size)
    pad = padding.PKCS1v15() if alg.startswith("RS") else padding.PSS(padding.MGF1(chosen), chosen.digest_size)
    return bytes(key.sign(message, pad, chosen))


def jwk_of(name: str, **members: Any) -> dict[str, Any]:
    """The public JWK of a key; members given as None are left out."""
    public = private_key(name).public_key()
    made: dict[str, Any] = {"kid": name, "use": "sig"}
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        made |= {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        size, point = (public.curve.key_size + 7) // 8, public.public_numbers()
        made |= {"kty": "EC", "crv": NAMES[public.curve.name], "x": number(point.x, size), "y": number(point.y, size)}
    else:
        made |= {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(public.public_bytes_raw())}
    return {name: value for name, value in (made | members).items() if value is not None}


def private_jwk(name: str, **members: Any) -> dict[str, Any]:
    secret = private_key(name).private_numbers()
    return jwk_of(name, d=number(secret.d if hasattr(secret, "d") else secret.private_value), **members)


def number(value: int, size: int | None = None) -> str:
    return to_base64url(value.to_bytes(size or (value.bit_length() + 7) // 8))


def keyset(*jwks: Mapping[str, Any]) -> KeySet:
    made = parse_jwks(json.dumps({"keys": jwks}).encode())
    assert isinstance(made, KeySet)
    return made


@cache
def published() -> KeySet:
    """The usual set: one key of each kind, named like it."""
    return keyset(*(jwk_of(name) for name in ("rsa", "ES256", "ES384", "ES512", "EdDSA")))


def claims(**changes: Any) -> dict[str, Any]:
    """Honest claims with changes; a claim given as None is left out."""
    honest = {"iss": ISSUER, "sub": "dr.okafor", "aud": "phigate", "iat": NOW - 10, "exp": NOW + 600}
    honest |= {"jti": "j-1", "groups": ["ward-staff"]}
    return {name: value for name, value in (honest | changes).items() if value is not None}


def header(alg: str = "RS256", **changes: Any) -> dict[str, Any]:
    honest = {"alg": alg, "typ": "at+jwt", "kid": key_for(alg)}
    return {name: value for name, value in (honest | changes).items() if value is not None}


def text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def mint(
    said: Any = None, head: Any = None, *, alg: str = "RS256", key: Any = None, signature: bytes | None = None
) -> str:
    """Sign claims under a header; either may be bytes, to say what no JSON library would write."""
    head = header(alg) if head is None else head
    signed = ".".join(to_base64url(text(part)) for part in (head, claims() if said is None else said))
    made = sign_with(key or private_key(key_for(alg)), alg, signed.encode()) if signature is None else signature
    return f"{signed}.{to_base64url(made)}"


def with_text(found: str, instead: str, *, once: bool = True) -> bytes:
    """Honest claims with a piece of their JSON text replaced."""
    honest = json.dumps(claims())
    assert found in honest
    return honest.replace(found, instead, 1 if once else -1).encode("utf-8", "surrogatepass")


def other_last_letter(bearer: str) -> str:
    """The same bytes spelt with other spare bits in the last character of the signature."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spelt = base64.urlsafe_b64decode(bearer.rsplit(".", 1)[1] + "==")
    for letter in alphabet:
        twin = bearer[:-1] + letter
        if twin != bearer and base64.urlsafe_b64decode(twin.rsplit(".", 1)[1] + "==") == spelt:
            return twin
    raise AssertionError("this signature's length has no spare bits")


RULE = Rule()
OTHER = Rule(issuer=OTHER_ISSUER, audience=("research-gateway",))


def settle(bearer: str, rule: Rule = RULE, keys: KeySet | None = None, now: float = NOW) -> Any:
    """What `check` makes of a bearer under a policy of two issuers, each with keys of its own."""
    return check(bearer, (rule, OTHER), {rule.issuer: keys or published(), OTHER.issuer: other_keys()}, now)


@cache
def other_keys() -> KeySet:
    return keyset(jwk_of("rsa-other"))


def segment(bearer: str, which: int, change: Callable[[str], str]) -> str:
    """A bearer with one of its segments changed."""
    parts = bearer.split(".")
    parts[which] = change(parts[which])
    return ".".join(parts)
