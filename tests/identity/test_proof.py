from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.identity.outcome import Reason, Refused
from phigate.identity.proof import (
    LEEWAY,
    MAX_PROOF,
    PROOF_ALGORITHMS,
    WINDOW,
    Presented,
    Proven,
    certificate_thumbprint,
    check_proof,
    thumbprint,
)
from phigate.identity.strict import to_base64url
from tests.identity import forge
from tests.identity.forge import NOW, jwk_of, key_for, other_last_letter, private_jwk, private_key, sign_with, text

if TYPE_CHECKING:
    from collections.abc import Callable

BEARER = "opaque-or-not.this-is-only.hashed"
URL = "https://gw.hospital.example/v1/chat/completions"
DER = b"a certificate's bytes"
X5T = {"x5t#S256": certificate_thumbprint(DER)}


def public(name: str, **members: Any) -> dict[str, Any]:
    """A key as a proof's header shows it: its own members and no others."""
    return jwk_of(name, **({"kid": None, "use": None} | members))


def jkt(name: str = "ES256") -> dict[str, str]:
    return {"jkt": thumbprint(public(name))}


def ath(bearer: str = BEARER) -> str:
    return to_base64url(sha256(bearer.encode()).digest())


def said(**changes: Any) -> dict[str, Any]:
    """An honest proof's claims with changes; a claim given as None is left out."""
    honest = {"jti": "p-1", "htm": "POST", "htu": URL, "iat": NOW - 1, "ath": ath()}
    return {name: value for name, value in (honest | changes).items() if value is not None}


def head(alg: str = "ES256", **changes: Any) -> dict[str, Any]:
    honest = {"typ": "dpop+jwt", "alg": alg, "jwk": public(key_for(alg))}
    return {name: value for name, value in (honest | changes).items() if value is not None}


def prove(
    claims: Any = None, header: Any = None, *, alg: str = "ES256", key: Any = None, signature: bytes | None = None
) -> str:
    """Sign a proof; header and claims may be bytes, to say what no JSON library would write."""
    parts = (head(alg) if header is None else header, said() if claims is None else claims)
    signed = ".".join(to_base64url(text(part)) for part in parts)
    made = sign_with(key or private_key(key_for(alg)), alg, signed.encode()) if signature is None else signature
    return f"{signed}.{to_base64url(made)}"


def presented(*proofs: str, **changes: Any) -> Presented:
    honest: dict[str, Any] = {"method": "POST", "url": URL, "proof": proofs, "scheme": "dpop"}
    return Presented(**(honest | changes))


def settle(*proofs: str, bound: dict[str, str] | None = None, wanted: str = "as-bound", **changes: Any) -> Any:
    return check_proof(BEARER, jkt() if bound is None else bound, wanted, presented(*proofs, **changes), NOW)


def secret_of(name: str) -> bytes:
    """What an attacker who swaps ES256 for HMAC takes as the secret: the public key's PEM."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(private_key(name).public_key().public_bytes(serialization.Encoding.PEM, kind))


def swapped(proof: str, other: str, which: int) -> str:
    parts, others = proof.split("."), other.split(".")
    parts[which] = others[which]
    return ".".join(parts)


def _with(**members: Any) -> dict[str, Any]:
    return public("ES256") | members


def _private() -> dict[str, Any]:
    return private_jwk("ES256", kid=None, use=None)


def _text(found: str, instead: str) -> bytes:
    honest = json.dumps(said())
    assert found in honest
    return honest.replace(found, instead).encode()


def _another() -> Any:
    return forge.ec.generate_private_key(forge.ec.SECP256R1())


def _by_another() -> str:
    point = (key := _another()).public_key().public_numbers()
    shown = _with(x=forge.number(point.x, 32), y=forge.number(point.y, 32))
    return prove(header=head(jwk=shown), key=key)


def _own(jwk: dict[str, Any], alg: str, key: str | None = None) -> Any:
    """A bearer that is bound to just this key: only the key itself can be at fault."""
    made = prove(header=head() | {"alg": alg, "jwk": jwk}, alg=alg, key=private_key(key or alg))
    return settle(made, bound={"jkt": thumbprint(jwk)})


def _small_order() -> Any:
    # Key and R are the neutral element and S is zero: by the equation alone that is a signature over anything.
    one = b"\1" + bytes(31)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(one)}
    made = prove(header=head() | {"alg": "EdDSA", "jwk": jwk}, signature=one + bytes(32))
    return settle(made, bound={"jkt": thumbprint(jwk)})


def _tls(der: bytes, wanted: str = "as-bound") -> Any:
    return settle(bound=X5T, wanted=wanted, scheme="bearer", certificate=der)


OCT = {"kty": "oct", "k": "c2VjcmV0"}
WEAK = "rsa-1024"

HOSTILE: list[tuple[str, Reason, Callable[[], Any]]] = [
    # RFC 9449 section 4.3, check 1: not more than one DPoP header
    ("4.3-1 no header", "proof-missing", settle),
    ("4.3-1 two headers", "proof-invalid", lambda: settle(prove(), prove(said(jti="p-2")))),
    ("4.3-1 the same header twice", "proof-invalid", lambda: settle(prove(), prove())),
    ("4.3-1 two proofs in one header", "proof-invalid", lambda: settle(f"{prove()}, {prove()}")),
    # check 2: one well-formed JWT
    ("4.3-2 empty", "proof-invalid", lambda: settle("")),
    ("4.3-2 not a jwt", "proof-invalid", lambda: settle("proof")),
    ("4.3-2 two segments", "proof-invalid", lambda: settle(prove().rpartition(".")[0])),
    ("4.3-2 a jwe of five segments", "proof-invalid", lambda: settle(prove() + ".AAAA.AAAA")),
    ("4.3-2 padding (RFC 7515 section 2)", "proof-invalid", lambda: settle(prove() + "==")),
    ("4.3-2 a blank in front", "proof-invalid", lambda: settle(" " + prove())),
    ("4.3-2 other spare bits", "proof-invalid", lambda: settle(other_last_letter(prove()))),
    ("4.3-2 a letter outside ascii", "proof-invalid", lambda: settle(prove() + "\u00e9")),
    ("4.3-2 over 8 KB", "proof-invalid", lambda: settle(prove(said(nonce="n" * MAX_PROOF)))),
    ("4.3-2 1 MB", "proof-invalid", lambda: settle("A" * 1_000_000)),
    ("4.3-2 claims not json", "proof-invalid", lambda: settle(prove(b"{"))),
    ("4.3-2 claims a list", "proof-invalid", lambda: settle(prove(b"[]"))),
    (
        "4.3-2 htm twice (RFC 7519 section 4)",
        "proof-invalid",
        lambda: settle(prove(json.dumps(said()).replace('"htm"', '"htm": "GET", "htm"').encode())),
    ),
    (
        "4.3-2 the key's kty twice",
        "proof-invalid",
        lambda: settle(prove(header=json.dumps(head()).replace('"kty"', '"kty": "RSA", "kty"').encode())),
    ),
    ("4.3-2 deep", "proof-invalid", lambda: settle(prove(b'{"a":' * 100 + b"1" + b"}" * 100))),
    # check 3: every claim there
    *((f"4.3-3 no {name}", "proof-invalid", lambda n=name: settle(prove(said(**{n: None})))) for name in said()),
    ("4.3-3 no claims at all", "proof-invalid", lambda: settle(prove({}))),
    ("4.3-3 jti empty", "proof-invalid", lambda: settle(prove(said(jti="")))),
    ("4.3-3 jti a number", "proof-invalid", lambda: settle(prove(said(jti=7)))),
    ("4.3-3 jti of 256 letters", "proof-invalid", lambda: settle(prove(said(jti="j" * 256)))),
    ("4.3-3 jti with a NUL", "proof-invalid", lambda: settle(prove(said(jti="p\0")))),
    ("4.3-3 htm a list", "proof-invalid", lambda: settle(prove(said(htm=["POST"])))),
    ("4.3-3 htu a list", "proof-invalid", lambda: settle(prove(said(htu=[URL])))),
    ("4.3-3 ath a list", "proof-invalid", lambda: settle(prove(said(ath=[ath()])))),
    # check 4: typ
    *(
        (f"4.3-4 typ {typ!r}", "proof-invalid", lambda t=typ: settle(prove(header=head() | {"typ": t})))
        for typ in ("JWT", "at+jwt", "DPoP+JWT", "application/dpop+jwt", "dpop+jwt ", "", None, ["dpop+jwt"])
    ),
    ("4.3-4 no typ", "proof-invalid", lambda: settle(prove(header=head(typ=None)))),
    # check 5: an asymmetric algorithm of ours
    ("4.3-5 alg none", "proof-invalid", lambda: settle(prove(header=head() | {"alg": "none"}))),
    (
        "4.3-5 alg none, no signature",
        "proof-invalid",
        lambda: settle(prove(header=head() | {"alg": "none"}, signature=b"")),
    ),
    ("4.3-5 no alg", "proof-invalid", lambda: settle(prove(header=head() | {"alg": None}))),
    ("4.3-5 alg a list", "proof-invalid", lambda: settle(prove(header=head() | {"alg": ["ES256"]}))),
    ("4.3-5 alg in lower case", "proof-invalid", lambda: settle(prove(header=head() | {"alg": "es256"}))),
    ("4.3-5 es256k", "proof-invalid", lambda: settle(prove(header=head() | {"alg": "ES256K"}))),
    (
        "4.3-5 hmac with the public key's pem (RFC 8725 section 2.1)",
        "proof-invalid",
        lambda: settle(prove(header=head() | {"alg": "HS256"}, alg="HS256", key=secret_of("ES256"))),
    ),
    (
        "4.3-5 hmac with a secret in the header",
        "proof-invalid",
        lambda: settle(prove(header=head() | {"alg": "HS256", "jwk": OCT}, alg="HS256", key=b"secret")),
    ),
    (
        "4.3-5 an algorithm of another kind of key",
        "proof-invalid",
        lambda: settle(prove(header=head() | {"alg": "RS256"}, alg="RS256")),
    ),
    (
        "4.3-5 an algorithm of another curve",
        "proof-invalid",
        lambda: settle(prove(header=head() | {"alg": "ES384"}, signature=b"\1" * 96)),
    ),
    # check 6: the signature is by that key
    ("4.3-6 by another key", "proof-invalid", lambda: settle(prove(alg="ES256", key=_another()))),
    ("4.3-6 zeros (CVE-2022-21449)", "proof-invalid", lambda: settle(prove(signature=b"\0" * 64))),
    ("4.3-6 one byte", "proof-invalid", lambda: settle(prove(signature=b"\1"))),
    ("4.3-6 no signature", "proof-invalid", lambda: settle(prove().rpartition(".")[0] + ".")),
    ("4.3-6 claims changed", "proof-invalid", lambda: settle(swapped(prove(said(htm="GET")), prove(), 1))),
    (
        "4.3-6 header changed",
        "proof-invalid",
        lambda: settle(swapped(prove(), prove(header=head(jwk=public("ES256", use="sig"))), 0)),
    ),
    # check 7: the key is public, and one we take
    ("4.3-7 a private key", "proof-invalid", lambda: settle(prove(header=head(jwk=_private())))),
    ("4.3-7 a private member that is null", "proof-invalid", lambda: settle(prove(header=head(jwk=_with(d=None))))),
    ("4.3-7 no key", "proof-invalid", lambda: settle(prove(header=head(jwk=None)))),
    ("4.3-7 the key a string", "proof-invalid", lambda: settle(prove(header=head(jwk="ES256")))),
    ("4.3-7 the key a list", "proof-invalid", lambda: settle(prove(header=head(jwk=[public("ES256")])))),
    ("4.3-7 kty missing", "proof-invalid", lambda: settle(prove(header=head(jwk=public("ES256", kty=None))))),
    ("4.3-7 kty a list", "proof-invalid", lambda: settle(prove(header=head(jwk=_with(kty=["EC"]))))),
    ("4.3-7 y missing", "proof-invalid", lambda: settle(prove(header=head(jwk=public("ES256", y=None))))),
    ("4.3-7 x a number", "proof-invalid", lambda: settle(prove(header=head(jwk=_with(x=7))))),
    ("4.3-7 a point off the curve", "proof-invalid", lambda: _own(_with(y=public("ES256")["x"]), "ES256")),
    ("4.3-7 for encryption", "proof-invalid", lambda: _own(_with(use="enc"), "ES256")),
    ("4.3-7 for another algorithm", "proof-invalid", lambda: _own(_with(alg="ES384"), "ES256")),
    ("4.3-7 rsa of 1,024 bits (RFC 7518 section 3.3)", "proof-invalid", lambda: _own(public(WEAK), "RS256", WEAK)),
    ("4.3-7 rsa with e = 3", "proof-invalid", lambda: _own(public("rsa-e3"), "RS256", "rsa-e3")),
    ("4.3-7 a key under which anybody signs (RFC 7748 section 7)", "proof-invalid", _small_order),
    ("4.3-7 kid beside the key (RFC 8725 section 3.10)", "proof-invalid", lambda: settle(prove(header=head(kid="k")))),
    ("4.3-7 crit (RFC 7515 section 4.1.11)", "proof-invalid", lambda: settle(prove(header=head(crit=["exp"])))),
    ("4.3-7 the key's address", "proof-invalid", lambda: settle(prove(header=head(jku="https://evil.example")))),
    ("4.3-7 b64 (RFC 7797)", "proof-invalid", lambda: settle(prove(header=head(b64=False)))),
    # check 8: the method, exactly
    *(
        (f"4.3-8 htm {htm!r}", "proof-mismatch", lambda m=htm: settle(prove(said(htm=m))))
        for htm in ("GET", "post", "POST ", "", "*")
    ),
    # check 9: the address
    *(
        (f"4.3-9 htu {htu!r}", "proof-mismatch", lambda u=htu: settle(prove(said(htu=u))))
        for htu in (
            "https://gw.hospital.example/v1/models",
            "https://gw.hospital.example/v1/chat/completions/",
            "https://gw.hospital.example/v1/chat/Completions",
            "https://gw.hospital.example/v1//chat/completions",
            "https://gw.hospital.example/v1/./chat/completions",
            "https://gw.hospital.example/x/../v1/chat/completions",
            "https://gw.hospital.example/v1/chat%2Fcompletions",
            "https://gw.hospital.example/v1/%63hat/completions",
            "https://gw.hospital.example",
            "http://gw.hospital.example/v1/chat/completions",
            "https://gw.hospital.example:8443/v1/chat/completions",
            "https://gw.hospital.example:80/v1/chat/completions",
            "https://gw.hospital.example:/v1/chat/completions",
            "https://gw.hospital.example:0443/v1/chat/completions",
            "https://gw.hospital.example.:443/v1/chat/completions",
            "https://gw.hospital.example.evil.example/v1/chat/completions",
            "https://evil.example/v1/chat/completions",
            "https://evil.example/?https://gw.hospital.example/v1/chat/completions",
            "https://gw.hospital.example@evil.example/v1/chat/completions",
            "https://user@gw.hospital.example/v1/chat/completions",
            "https:\\\\gw.hospital.example\\v1\\chat\\completions",
            "https:///gw.hospital.example/v1/chat/completions",
            "//gw.hospital.example/v1/chat/completions",
            "/v1/chat/completions",
            " https://gw.hospital.example/v1/chat/completions",
            "https://gw.hospital.example/v1/chat/completions ",
            "https://gw.hospital.example/v1/chat/completions\n",
            "https://gw.hospital.example/v1/\tchat/completions",
            "https://gw.ho\u017fpital.example/v1/chat/completions",
            "https://\uff47w.hospital.example/v1/chat/completions",
            "",
        )
    ),
    # check 11: of now
    ("4.3-11 iat too old", "proof-invalid", lambda: settle(prove(said(iat=NOW - WINDOW - LEEWAY - 1)))),
    ("4.3-11 iat yet to come", "proof-invalid", lambda: settle(prove(said(iat=NOW + LEEWAY + 1)))),
    ("4.3-11 iat in milliseconds", "proof-invalid", lambda: settle(prove(said(iat=NOW * 1000)))),
    ("4.3-11 iat a string", "proof-invalid", lambda: settle(prove(said(iat=str(NOW))))),
    ("4.3-11 iat true", "proof-invalid", lambda: settle(prove(said(iat=True)))),
    ("4.3-11 iat null", "proof-invalid", lambda: settle(prove(said() | {"iat": None}))),
    ("4.3-11 iat huge", "proof-invalid", lambda: settle(prove(said(iat=10**400)))),
    ("4.3-11 iat a float without end", "proof-invalid", lambda: settle(prove(_text(str(NOW - 1), "1e999")))),
    ("4.3-11 iat NaN", "proof-invalid", lambda: settle(prove(_text(str(NOW - 1), "NaN")))),
    ("4.3-11 exp past (RFC 7519 section 4.1.4)", "proof-invalid", lambda: settle(prove(said(exp=NOW - LEEWAY)))),
    ("4.3-11 exp a string", "proof-invalid", lambda: settle(prove(said(exp=str(NOW + 60))))),
    ("4.3-11 exp null", "proof-invalid", lambda: settle(prove(said() | {"exp": None}))),
    ("4.3-11 nbf to come", "proof-invalid", lambda: settle(prove(said(nbf=NOW + LEEWAY + 1)))),
    ("4.3-11 nbf false", "proof-invalid", lambda: settle(prove(said(nbf=False)))),
    # check 12: this bearer, and its key
    ("4.3-12 ath of another bearer", "proof-mismatch", lambda: settle(prove(said(ath=ath("another"))))),
    ("4.3-12 ath empty", "proof-mismatch", lambda: settle(prove(said(ath="")))),
    ("4.3-12 ath padded", "proof-mismatch", lambda: settle(prove(said(ath=ath() + "=")))),
    (
        "4.3-12 ath in hex",
        "proof-mismatch",
        lambda: settle(prove(said(ath=sha256(BEARER.encode()).hexdigest()))),
    ),
    ("4.3-12 ath outside ascii", "proof-mismatch", lambda: settle(prove(said(ath="\u00e9" * 43)))),
    ("4.3-12 an honest proof by another key", "proof-mismatch", lambda: settle(prove(alg="EdDSA"))),
    ("4.3-12 an honest proof by another key of the same kind", "proof-mismatch", lambda: settle(_by_another())),
    ("4.3-12 jkt cut short", "proof-mismatch", lambda: settle(prove(), bound={"jkt": jkt()["jkt"][:-1]})),
    ("4.3-12 jkt empty", "proof-mismatch", lambda: settle(prove(), bound={"jkt": ""})),
    # section 7.2: no way around the DPoP scheme
    ("7.2 bound, sent as a plain bearer", "proof-missing", lambda: settle(scheme="bearer")),
    ("7.2 bound, a plain bearer with its proof", "proof-missing", lambda: settle(prove(), scheme="bearer")),
    ("7.1 dpop with an unbound bearer", "proof-not-bound", lambda: settle(prove(), bound={})),
    ("7.1 dpop with one that is bound to a certificate", "proof-not-bound", lambda: settle(bound=X5T, certificate=DER)),
    ("5.1 no address to compare with", "proof-unverifiable", lambda: settle(prove(), url=None)),
    ("5.1 an address that is none", "proof-unverifiable", lambda: settle(prove(), url="gw.hospital.example")),
    # RFC 8705 section 3
    ("8705 no certificate", "proof-missing", lambda: settle(bound=X5T, scheme="bearer")),
    ("8705 another certificate", "proof-mismatch", lambda: _tls(b"another")),
    ("8705 no bytes", "proof-mismatch", lambda: _tls(b"")),
    ("8705 with a dpop proof instead", "proof-missing", lambda: settle(prove(), bound=X5T | jkt())),
    (
        "8705 both bound, the certificate alone",
        "proof-missing",
        lambda: settle(bound=X5T | jkt(), certificate=DER, scheme="bearer"),
    ),
    (
        "8705 both bound, another certificate",
        "proof-mismatch",
        lambda: settle(prove(), bound=X5T | jkt(), certificate=b"another"),
    ),
    # the policy's `proof`
    ("wanted dpop, unbound", "proof-missing", lambda: settle(bound={}, wanted="dpop", scheme="bearer")),
    ("wanted mtls, unbound", "proof-missing", lambda: settle(bound={}, wanted="mtls", scheme="bearer")),
    (
        "wanted mtls, unbound, with a certificate",
        "proof-missing",
        lambda: settle(bound={}, wanted="mtls", scheme="bearer", certificate=DER),
    ),
    ("wanted dpop, bound to a certificate", "proof-missing", lambda: _tls(DER, wanted="dpop")),
    ("wanted mtls, bound to a key", "proof-missing", lambda: settle(prove(), wanted="mtls")),
    ("wanted what we do not know", "proof-missing", lambda: settle(prove(), wanted="any")),
    ("bound by what we do not know", "cnf-invalid", lambda: settle(prove(), bound=jkt() | {"kid": "k"})),
]


@pytest.mark.parametrize(("reason", "attempt"), [pytest.param(r, a, id=name) for name, r, a in HOSTILE])
def test_what_is_no_proof_is_refused_for_its_reason(reason: Reason, attempt: Callable[[], Any]) -> None:
    assert attempt() == Refused(reason)


def test_no_sentence_stands_twice() -> None:
    assert len({name for name, _, _ in HOSTILE}) == len(HOSTILE) >= 40


@pytest.mark.parametrize("alg", PROOF_ALGORITHMS)
def test_an_honest_proof_of_each_algorithm_holds(alg: str) -> None:
    assert isinstance(settle(prove(alg=alg), bound=jkt(key_for(alg))), Proven)


HONEST: list[tuple[str, Callable[[], Any]]] = [
    ("scheme and host in capitals", lambda: settle(prove(said(htu=URL.replace("https://gw", "HTTPS://GW"))))),
    ("the default port", lambda: settle(prove(said(htu=URL.replace("example/", "example:443/"))))),
    ("a query", lambda: settle(prove(said(htu=URL + "?a=/b")))),
    ("a fragment", lambda: settle(prove(said(htu=URL + "#a?b")))),
    ("a query in the request", lambda: settle(prove(), url=URL + "?stream=true")),
    ("http and its port", lambda: _at("http://127.0.0.1:80/v1/chat", "http://127.0.0.1/v1/chat")),
    ("another port", lambda: _at("http://127.0.0.1:8080/v1/chat", "http://127.0.0.1:8080/v1/chat")),
    ("an IPv6 address", lambda: _at("http://[::1]:8080/v1", "http://[::1]:8080/v1")),
    ("as old as may be", lambda: settle(prove(said(iat=NOW - WINDOW - LEEWAY)))),
    ("as far ahead as may be", lambda: settle(prove(said(iat=NOW + LEEWAY)))),
    ("with a fraction", lambda: settle(prove(said(iat=NOW - 0.25)))),
    ("with exp and nbf", lambda: settle(prove(said(exp=NOW + 30, nbf=NOW - 30)))),
    ("with a nonce, which nobody asked for", lambda: settle(prove(said(nonce="n")))),
    ("with a claim we do not know (RFC 7519 section 4.3)", lambda: settle(prove(said(note="hello")))),
    ("the key as browsers export it", lambda: settle(prove(header=head(jwk=_with(ext=True, key_ops=["verify"]))))),
    ("wanted dpop", lambda: settle(prove(), wanted="dpop")),
    ("both bound, both proven", lambda: settle(prove(), bound=X5T | jkt(), certificate=DER, wanted="mtls")),
]


def _at(url: str, htu: str) -> Any:
    return settle(prove(said(htu=htu)), url=url)


@pytest.mark.parametrize("attempt", [pytest.param(attempt, id=name) for name, attempt in HONEST])
def test_an_honest_proof_holds(attempt: Callable[[], Any]) -> None:
    proven = attempt()
    assert isinstance(proven, Proven), proven
    assert proven.spend is not None
    assert len(proven.spend) == 43


@pytest.mark.parametrize("wanted", ["as-bound", "mtls"])
def test_a_certificate_is_proof_by_itself_and_leaves_nothing_to_spend(wanted: str) -> None:
    assert _tls(DER, wanted) == Proven(None)


def test_an_unbound_bearer_needs_no_proof_and_is_not_helped_by_one() -> None:
    assert settle(bound={}, scheme="bearer") == Proven(None)
    assert settle("no proof at all", bound={}, scheme="bearer", certificate=DER) == Proven(None)


def test_a_proof_is_spent_under_its_key_and_its_name() -> None:
    first, again = settle(prove()), settle(prove(said(iat=NOW, htu=URL + "?again")))
    assert first == again, "the same jti by the same key is the same proof, whatever else it says"
    others = {settle(prove(said(jti="p-2"))).spend, settle(prove(alg="EdDSA"), bound=jkt("EdDSA")).spend}
    assert len({first.spend} | others) == 3


def test_nothing_presented_is_shown_by_a_repr() -> None:
    shown = repr(presented(prove(), certificate=DER))
    assert shown == f"Presented(method='POST', url='{URL}', scheme='dpop')"


def test_a_bearer_outside_ascii_is_refused_without_a_stray_exception() -> None:
    assert check_proof("\u00e9\udc80", jkt(), "as-bound", presented(prove()), NOW) == Refused("check-broke")


# RFC 9449, figures 2, 9, 13 and 14
RFC_KEY = {
    "kty": "EC",
    "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
    "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    "crv": "P-256",
}
RFC_JKT = {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}
RFC_HEADER = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rsc"
    "EJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19"
)
RFC_BEARER = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
RFC_REQUEST = RFC_HEADER + (
    ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0"
    "ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9"
    ".2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
)
RFC_AT_THE_TOKEN_ENDPOINT = RFC_HEADER + (
    ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwi"
    "aWF0IjoxNTYyMjYyNjE2fQ"
    ".2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)


def test_the_rfcs_own_key_has_the_rfcs_own_thumbprint() -> None:
    assert thumbprint(RFC_KEY) == RFC_JKT["jkt"]


def test_the_rfcs_own_proof_holds_for_its_request_at_its_time() -> None:
    request = Presented("GET", "https://resource.example.org/protectedresource", (RFC_REQUEST,), None, "dpop")
    assert isinstance(check_proof(RFC_BEARER, RFC_JKT, "dpop", request, 1562262618.0), Proven)
    assert check_proof(RFC_BEARER, RFC_JKT, "dpop", request, NOW) == Refused("proof-invalid")
    assert check_proof(RFC_BEARER + "x", RFC_JKT, "dpop", request, 1562262618.0) == Refused("proof-mismatch")


def test_the_rfcs_proof_for_a_token_endpoint_opens_nothing_for_it_names_no_bearer() -> None:
    request = Presented("POST", "https://server.example.com/token", (RFC_AT_THE_TOKEN_ENDPOINT,), None, "dpop")
    assert check_proof(RFC_BEARER, RFC_JKT, "dpop", request, 1562262616.0) == Refused("proof-invalid")


def test_the_thumbprint_of_rfc_7638_section_3_1() -> None:
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qM"
        "QvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJ"
        "zKnqDKgw"
    )
    key = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_the_thumbprint_of_rfc_8037_appendix_a_3() -> None:
    key = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("key", [{}, {"kty": "oct", "k": "AA"}, {"kty": "EC", "crv": "P-256", "x": "AA"}, {"kty": []}])
def test_what_is_no_public_key_has_no_thumbprint(key: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not a public key"):
        thumbprint(key)


def test_a_certificates_thumbprint_is_over_its_bytes() -> None:
    # SHA-256 of no bytes (FIPS 180-4), in base64url
    assert certificate_thumbprint(b"") == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def foreseen(outcome: Any) -> bool:
    return isinstance(outcome, Proven) or outcome.reason != "check-broke"


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text(alphabet='AZaz09-_.=+/ {}[]"\\\0', max_size=60))
def test_no_text_surprises_the_check(proof: str) -> None:
    assert settle(proof) == Refused("proof-invalid")


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*said(), "exp", "nbf", "nonce"]), ANYTHING, max_size=3),
    st.dictionaries(st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg", "key_ops"]), ANYTHING, max_size=2),
)
def test_no_claims_and_no_key_surprise_the_check(changes: dict[str, Any], members: dict[str, Any]) -> None:
    assert foreseen(settle(prove(said() | changes, head(jwk=_with(**members)))))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30) | st.from_regex(r"https?://[a-z.@:\[\]]{0,12}(/[!-~]{0,8})?"))
def test_no_address_surprises_the_check(url: str) -> None:
    assert foreseen(settle(prove(said(htu=url)), url=url))
    assert settle(prove(said(htu=url))) in (Refused("proof-mismatch"), Refused("proof-invalid"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_changed_character_of_a_proof_holds(data: st.DataObject) -> None:
    honest, bound = prove(alg="EdDSA"), jkt("EdDSA")
    at = data.draw(st.integers(0, len(honest) - 1))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz0189-_.=").filter(lambda chosen: chosen != honest[at]))
    assert isinstance(settle(honest[:at] + letter + honest[at + 1 :], bound=bound), Refused)
