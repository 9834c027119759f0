from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.identity.bearer import check, extract, extract_from
from phigate.identity.outcome import Believed, KeysNeeded, Reason, Refused
from phigate.identity.strict import to_base64url
from tests.identity import forge
from tests.identity.forge import NOW, Rule, claims, header, jwk_of, mint, private_key, published, with_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from phigate.identity.jwks import KeySet

RULE = Rule()
OTHER = Rule(issuer=forge.OTHER_ISSUER, audience=("research-gateway",))


def settle(bearer: str, rule: Rule = RULE, keys: KeySet | None = None, now: float = NOW) -> Any:
    return check(bearer, (rule, OTHER), {rule.issuer: keys or published(), OTHER.issuer: other_keys()}, now)


def other_keys() -> KeySet:
    return forge.keyset(jwk_of("rsa-other"))


def pem(kind: serialization.PublicFormat = serialization.PublicFormat.SubjectPublicKeyInfo) -> bytes:
    return bytes(private_key("rsa").public_key().public_bytes(serialization.Encoding.PEM, kind))


def der() -> bytes:
    return bytes(
        private_key("rsa")
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def segment(bearer: str, which: int, change: Callable[[str], str]) -> str:
    parts = bearer.split(".")
    parts[which] = change(parts[which])
    return ".".join(parts)


def nested(depth: int) -> bytes:
    return with_text('"ward-staff"', "[" * depth + "]" * depth)


HMAC = header("HS256", kid="rsa")

HOSTILE: list[tuple[str, Reason, Callable[[], str]]] = [
    # the algorithm is never the bearer's choice
    ("alg none, unsigned", "malformed", lambda: mint(head=header("none", kid="rsa"), signature=b"")),
    ("alg none with a signature", "alg-not-allowed", lambda: mint(head=header(alg="none", kid="rsa"))),
    ("alg None in capitals", "alg-not-allowed", lambda: mint(head=header(alg="None", kid="rsa"))),
    ("alg in lower case", "alg-not-allowed", lambda: mint(head=header(alg="rs256", kid="rsa"))),
    ("alg a part of an allowed name", "alg-not-allowed", lambda: mint(head=header(alg="S256", kid="rsa"))),
    ("alg empty", "alg-not-allowed", lambda: mint(head=header(alg="", kid="rsa"))),
    ("alg a number", "alg-not-allowed", lambda: mint(head=header() | {"alg": 256})),
    ("alg a list", "alg-not-allowed", lambda: mint(head=header() | {"alg": ["RS256"]})),
    ("alg an object", "alg-not-allowed", lambda: mint(head=header() | {"alg": {}})),
    ("alg missing", "alg-missing", lambda: mint(head={"typ": "JWT", "kid": "rsa"})),
    ("header empty", "alg-missing", lambda: mint(head={})),
    ("hmac with the public key's pem", "alg-not-allowed", lambda: mint(head=HMAC, alg="HS256", key=pem())),
    ("hmac with the pem's body", "alg-not-allowed", lambda: mint(head=HMAC, alg="HS256", key=pem()[27:-26])),
    ("hmac with the public key's der", "alg-not-allowed", lambda: mint(head=HMAC, alg="HS256", key=der())),
    ("hmac with an empty-looking secret", "alg-not-allowed", lambda: mint(head=HMAC, alg="HS256", key=b"\0")),
    ("es256k", "alg-not-allowed", lambda: mint(head=header(alg="ES256K", kid="ES256"))),
    # the key is the one named, and for this algorithm
    ("another key's kid", "key-mismatch", lambda: mint(head=header(kid="ES256"))),
    ("another issuer's key under our kid", "signature-invalid", lambda: mint(key=private_key("rsa-other"))),
    ("another issuer's bearer in our name", "signature-invalid", lambda: mint(key=private_key("rsa-other"))),
    ("es256 by a p-384 key", "key-mismatch", lambda: mint(head=header("ES256", kid="ES384"), signature=b"1" * 96)),
    ("es256 by a p-521 key", "key-mismatch", lambda: mint(head=header("ES256", kid="ES512"), signature=b"1" * 132)),
    ("eddsa with an rsa key", "key-mismatch", lambda: mint(head=header("EdDSA", kid="rsa"), signature=b"1" * 64)),
    ("kid missing, many keys", "kid-missing", lambda: mint(head=header(kid=None))),
    ("kid empty", "kid-invalid", lambda: mint(head=header(kid=""))),
    ("kid a number", "kid-invalid", lambda: mint(head=header(kid=1))),
    ("kid null", "kid-invalid", lambda: mint(head=header() | {"kid": None})),
    ("kid a list", "kid-invalid", lambda: mint(head=header(kid=["rsa"]))),
    ("kid of 300 letters", "kid-invalid", lambda: mint(head=header(kid="k" * 300))),
    ("kid with a line break", "kid-invalid", lambda: mint(head=header(kid="rsa\nrsa"))),
    ("kid of 100 KB", "too-large", lambda: mint(head=header(kid="k" * 100_000))),
    # signatures
    ("signature of zeros", "signature-invalid", lambda: mint(signature=b"\0" * 256)),
    ("signature cut short", "signature-invalid", lambda: mint(signature=b"\1" * 255)),
    ("signature of one byte", "signature-invalid", lambda: mint(signature=b"\1")),
    ("ecdsa signature of zeros (CVE-2022-21449)", "signature-invalid", lambda: mint(alg="ES256", signature=b"\0" * 64)),
    ("ecdsa signature as der", "signature-invalid", lambda: mint(alg="ES256", signature=b"0D" + b"\2" * 70)),
    ("rs256 signature called ps256", "signature-invalid", lambda: mint(head=header("PS256", kid="rsa"))),
    ("rs256 signature called rs512", "signature-invalid", lambda: mint(head=header("RS512", kid="rsa"))),
    (
        "claims changed after signing",
        "signature-invalid",
        lambda: ".".join([mint().split(".")[0], mint(claims(sub="root")).split(".")[1], mint().split(".")[2]]),
    ),
    (
        "header changed after signing",
        "signature-invalid",
        lambda: ".".join([mint(head=header(typ="JWT")).split(".")[0], *mint().split(".")[1:]]),
    ),
    # encoding: one spelling only
    ("empty", "malformed", lambda: ""),
    ("one segment", "malformed", lambda: "abc"),
    ("two segments", "malformed", lambda: mint().rpartition(".")[0]),
    ("four segments", "malformed", lambda: mint() + ".AAAA"),
    ("five segments, a jwe", "encrypted", lambda: mint() + ".AAAA.AAAA"),
    ("no signature segment", "malformed", lambda: mint().rpartition(".")[0] + "."),
    ("dots only", "malformed", lambda: ".."),
    ("a space in a segment", "not-canonical", lambda: segment(mint(), 1, lambda s: s[:4] + " " + s[4:])),
    ("a line break at the end", "not-canonical", lambda: mint() + "\n"),
    ("padding", "not-canonical", lambda: segment(mint(), 2, lambda s: s + "==")),
    ("letters of plain base64", "not-canonical", lambda: segment(mint(), 2, lambda s: "+/" + s[2:])),
    ("a zero-width space", "not-canonical", lambda: segment(mint(), 0, lambda s: s + "\u200b")),
    ("a letter outside latin", "not-canonical", lambda: segment(mint(), 0, lambda s: "\uff45" + s[1:])),
    ("a lone surrogate", "not-canonical", lambda: segment(mint(), 0, lambda s: s + "\udc80")),
    ("other spare bits", "not-canonical", lambda: forge.other_last_letter(mint())),
    ("a length no bytes have", "not-canonical", lambda: segment(mint(), 0, lambda s: s[: len(s) // 4 * 4] + "A")),
    ("10 MB", "too-large", lambda: "A" * 10_000_000),
    ("17 KB of claims", "too-large", lambda: mint(claims(padding="x" * 17_000))),
    ("5 KB of header", "too-large", lambda: mint(head=header(kid="k" * 5_000))),
    ("2 KB of signature", "too-large", lambda: mint(signature=b"\1" * 2_000)),
    # JSON: one reading only
    ("claims not json", "json-invalid", lambda: mint(b"{")),
    ("claims empty of text", "json-invalid", lambda: mint(b" ")),
    ("header not json", "json-invalid", lambda: mint(head=b"alg: RS256")),
    ("claims a list", "json-not-object", lambda: mint(b"[]")),
    ("claims a number", "json-not-object", lambda: mint(b"1")),
    ("header a string", "json-not-object", lambda: mint(head=b'"RS256"')),
    ("header null", "json-not-object", lambda: mint(head=b"null")),
    ("claims not utf-8", "not-utf8", lambda: mint(with_text("dr.okafor", "x").replace(b'"x"', b'"\xff"'))),
    ("claims in utf-16", "not-utf8", lambda: mint(json.dumps(claims()).encode("utf-16"))),
    ("a byte order mark", "json-invalid", lambda: mint(b"\xef\xbb\xbf" + json.dumps(claims()).encode())),
    ("claims with a tail", "json-invalid", lambda: mint(json.dumps(claims()).encode() + b"{}")),
    ("sub twice", "json-duplicate-name", lambda: mint(with_text('"sub"', '"sub": "root", "sub"'))),
    ("sub twice, once escaped", "json-duplicate-name", lambda: mint(with_text('"sub"', '"\\u0073ub": "root", "sub"'))),
    ("alg twice", "json-duplicate-name", lambda: mint(head=b'{"alg":"none","alg":"RS256","kid":"rsa"}')),
    ("twice, further in", "json-duplicate-name", lambda: mint(with_text('"jti"', '"act": {"a": 1, "a": 2}, "jti"'))),
    ("exp NaN", "json-number", lambda: mint(with_text(str(NOW + 600), "NaN"))),
    ("exp Infinity", "json-number", lambda: mint(with_text(str(NOW + 600), "Infinity"))),
    ("half a character in sub", "json-surrogate", lambda: mint(with_text("dr.okafor", "\\ud800"))),
    ("half a character in a name", "json-surrogate", lambda: mint(with_text('"jti"', '"\\udfff"'))),
    ("17 arrays deep", "json-too-deep", lambda: mint(nested(17))),
    ("5,000 arrays deep", "json-too-deep", lambda: mint(nested(5_000))),
    ("100,000 arrays deep in the header", "too-large", lambda: mint(head=b"[" * 100_000)),
    ("2,000 arrays deep in the header", "json-too-deep", lambda: mint(head=b"[" * 2_000)),
    ("deep behind a quote", "json-too-deep", lambda: mint(b'{"a\\"":' * 500)),
    ("a number of 5,000 digits", "json-invalid", lambda: mint(with_text(str(NOW + 600), "9" * 5_000))),
    # header: a closed set
    ("crit exp", "header-forbidden", lambda: mint(head=header(crit=["exp"], exp=1))),
    ("crit empty", "header-forbidden", lambda: mint(head=header(crit=[]))),
    ("crit a string", "header-forbidden", lambda: mint(head=header(crit="b64"))),
    ("crit null", "header-forbidden", lambda: mint(head=header() | {"crit": None})),
    ("b64 false", "header-forbidden", lambda: mint(head=header(b64=False))),
    ("zip", "header-forbidden", lambda: mint(head=header(zip="DEF"))),
    ("cty JWT", "header-forbidden", lambda: mint(head=header(cty="JWT"))),
    (
        "its own key (CVE-2018-0114)",
        "header-forbidden",
        lambda: mint(head=header(jwk=jwk_of("rsa-other")), key=private_key("rsa-other")),
    ),
    ("its own key's address", "header-forbidden", lambda: mint(head=header(jku="https://evil.example/jwks"))),
    ("a certificate's address", "header-forbidden", lambda: mint(head=header(x5u="https://evil.example/x"))),
    ("a certificate", "header-forbidden", lambda: mint(head=header(x5c=["AAAA"]))),
    ("an unknown member", "header-unknown", lambda: mint(head=header(note="hello"))),
    ("p2c, the cost of a password", "header-unknown", lambda: mint(head=header(p2c=2**31))),
    *(
        (f"typ {typ!r}", "typ-not-allowed", lambda typ=typ: mint(head=header() | {"typ": typ}))
        for typ in (
            "logout+jwt",
            "dpop+jwt",
            "secevent+jwt",
            "token-introspection+jwt",
            "oauth-authz-req+jwt",
            "JWE",
            "jwt ",
            "",
            7,
            None,
            ["JWT"],
        )
    ),
    # whose and for whom
    ("iss missing", "issuer-missing", lambda: mint(claims(iss=None))),
    ("iss a list", "issuer-missing", lambda: mint(claims(iss=[forge.ISSUER]))),
    ("iss unknown", "issuer-unknown", lambda: mint(claims(iss="https://evil.example"))),
    ("iss with a slash more", "issuer-unknown", lambda: mint(claims(iss=forge.ISSUER + "/"))),
    ("iss in other case", "issuer-unknown", lambda: mint(claims(iss=forge.ISSUER.upper()))),
    ("iss a part of ours", "issuer-unknown", lambda: mint(claims(iss=forge.ISSUER[:-1]))),
    ("aud missing", "aud-missing", lambda: mint(claims(aud=None))),
    ("aud another's", "aud-mismatch", lambda: mint(claims(aud="billing"))),
    ("aud a longer name", "aud-mismatch", lambda: mint(claims(aud="phigate-admin"))),
    ("aud a part of ours", "aud-mismatch", lambda: mint(claims(aud="phi"))),
    ("aud an empty list", "aud-invalid", lambda: mint(claims(aud=[]))),
    ("aud a number", "aud-invalid", lambda: mint(claims(aud=7))),
    ("aud an object", "aud-invalid", lambda: mint(claims(aud={"phigate": 1}))),
    ("aud a mixed list", "aud-invalid", lambda: mint(claims(aud=["phigate", 7]))),
    ("aud 101 names", "aud-invalid", lambda: mint(claims(aud=["phigate"] * 101))),
    # when
    ("exp missing", "exp-missing", lambda: mint(claims(exp=None))),
    ("exp now", "expired", lambda: mint(claims(exp=NOW))),
    ("exp past", "expired", lambda: mint(claims(exp=NOW - 1))),
    ("exp zero", "expired", lambda: mint(claims(exp=0))),
    ("exp a string", "exp-invalid", lambda: mint(claims(exp=str(NOW + 600)))),
    ("exp true", "exp-invalid", lambda: mint(claims(exp=True))),
    ("exp null", "exp-invalid", lambda: mint(claims() | {"exp": None})),
    ("exp huge", "exp-invalid", lambda: mint(claims(exp=10**400))),
    ("exp a float without end", "exp-invalid", lambda: mint(with_text(str(NOW + 600), "1e999"))),
    ("exp negative", "exp-invalid", lambda: mint(claims(exp=-1))),
    ("exp in ten years", "lifetime-too-long", lambda: mint(claims(exp=NOW + 10 * 365 * 86400))),
    ("exp in two days", "lifetime-too-long", lambda: mint(claims(exp=NOW + 2 * 86400))),
    ("nbf to come", "not-yet-valid", lambda: mint(claims(nbf=NOW + 1))),
    ("nbf a string", "nbf-invalid", lambda: mint(claims(nbf="0"))),
    ("nbf false", "nbf-invalid", lambda: mint(claims(nbf=False))),
    ("iat missing", "iat-missing", lambda: mint(claims(iat=None))),
    ("iat to come", "iat-future", lambda: mint(claims(iat=NOW + 3600))),
    ("iat a string", "iat-invalid", lambda: mint(claims(iat="yesterday"))),
    # who
    ("sub missing", "sub-missing", lambda: mint(claims(sub=None))),
    ("sub empty", "sub-invalid", lambda: mint(claims(sub=""))),
    ("sub a number", "sub-invalid", lambda: mint(claims(sub=7))),
    ("sub with a NUL", "sub-invalid", lambda: mint(claims(sub="dr.okafor\0"))),
    ("sub with a line break", "sub-invalid", lambda: mint(claims(sub="dr.okafor\nroot"))),
    ("sub turned around", "sub-invalid", lambda: mint(claims(sub="dr\u202eokafor"))),
    ("sub with a blank behind", "sub-invalid", lambda: mint(claims(sub="dr.okafor "))),
    ("sub of 256 letters", "sub-invalid", lambda: mint(claims(sub="x" * 256))),
    ("sub of 100 KB", "too-large", lambda: mint(claims(sub="x" * 100_000))),
    ("jti a number", "jti-invalid", lambda: mint(claims(jti=7))),
    ("jti empty", "jti-invalid", lambda: mint(claims(jti=""))),
    # groups
    ("groups a string", "groups-invalid", lambda: mint(claims(groups="ward-staff"))),
    ("groups an object", "groups-invalid", lambda: mint(claims(groups={"ward-staff": True}))),
    ("groups nested", "groups-invalid", lambda: mint(claims(groups=[["ward-staff"]]))),
    ("a group a number", "groups-invalid", lambda: mint(claims(groups=["ward-staff", 7]))),
    ("a group empty", "groups-invalid", lambda: mint(claims(groups=["ward-staff", ""]))),
    ("1,001 groups", "groups-too-many", lambda: mint(claims(groups=["g"] * 1001))),
    ("groups left out for their number", "groups-overage", lambda: mint(claims(_claim_names={"groups": "src1"}))),
    ("hasgroups", "groups-overage", lambda: mint(claims(groups=None, hasgroups=True))),
    # something else than an access token
    ("bound to a key by dpop", "proof-missing", lambda: mint(claims(cnf={"jkt": "x"}))),
    ("bound to a certificate", "proof-missing", lambda: mint(claims(cnf={"x5t#S256": "x"}))),
    ("cnf null", "proof-missing", lambda: mint(claims() | {"cnf": None})),
    ("an id token by at_hash", "id-token", lambda: mint(claims(at_hash="x"), header(typ="JWT"))),
    ("an id token by nonce", "id-token", lambda: mint(claims(nonce="x"), header(typ="JWT"))),
    ("an id token of cognito", "id-token", lambda: mint(claims(token_use="id"), header(typ="JWT"))),
    ("an id token of keycloak", "id-token", lambda: mint(claims(typ="ID"), header(typ="JWT"))),
    ("a refresh token of keycloak", "not-for-access", lambda: mint(claims(typ="Refresh"), header(typ="JWT"))),
    ("a logout token", "security-event", lambda: mint(claims(events={"urn:logout": {}}), header(typ="JWT"))),
    ("a dpop proof", "not-for-access", lambda: mint(claims(htm="POST", htu="https://x"), header(typ="JWT"))),
]


@pytest.mark.parametrize(("reason", "forged"), [pytest.param(r, f, id=name) for name, r, f in HOSTILE])
def test_a_hostile_bearer_is_refused_for_its_reason(reason: Reason, forged: Callable[[], str]) -> None:
    assert settle(forged()) == Refused(reason)


def test_the_table_is_long_and_no_sentence_stands_twice() -> None:
    assert len(HOSTILE) >= 150
    assert len({name for name, _, _ in HOSTILE}) == len(HOSTILE)


HONEST: list[tuple[str, Rule, Callable[[], str]]] = [
    *((f"signed with {alg}", RULE, lambda alg=alg: mint(alg=alg)) for alg in forge.ALL),
    ("typ JWT", RULE, lambda: mint(head=header(typ="JWT"))),
    ("typ jwt in lower case", RULE, lambda: mint(head=header(typ="jwt"))),
    ("typ with application/", RULE, lambda: mint(head=header(typ="application/at+jwt"))),
    ("no typ (Okta, Google)", RULE, lambda: mint(head=header(typ=None))),
    ("a thumbprint beside the kid (Entra ID)", RULE, lambda: mint(head=header(x5t="abc"))),
    ("several audiences", RULE, lambda: mint(claims(aud=["account", "phigate"]))),
    ("no jti", RULE, lambda: mint(claims(jti=None))),
    ("dates with fractions", RULE, lambda: mint(claims(exp=NOW + 60.5, iat=NOW - 0.5, nbf=NOW - 1.5))),
    ("valid for a whole day", RULE, lambda: mint(claims(exp=NOW + 86_400))),
    ("just expired, within the leeway", Rule(leeway=timedelta(minutes=1)), lambda: mint(claims(exp=NOW - 59))),
    ("a clock ahead, within the leeway", Rule(leeway=timedelta(minutes=1)), lambda: mint(claims(iat=NOW + 59))),
    ("young enough", Rule(max_age=timedelta(hours=1)), lambda: mint(claims(iat=NOW - 3599))),
    ("nonce and scope (older Keycloak)", RULE, lambda: mint(claims(nonce="x", scope="openid"), header(typ="JWT"))),
    ("says itself it is for access", RULE, lambda: mint(claims(typ="Bearer", token_use="access"))),
    ("a name in another script", RULE, lambda: mint(claims(sub="Søren Ærø"))),
    ("1,000 groups", RULE, lambda: mint(claims(groups=["g"] * 1000))),
    ("escaped letters", RULE, lambda: mint(with_text("dr.okafor", "dr.\\u006fkafor"))),
    ("brackets in strings", RULE, lambda: mint(with_text('"jti"', f'"note": "{"[{" * 50}", "jti"'))),
]


@pytest.mark.parametrize(("rule", "minted"), [pytest.param(r, m, id=name) for name, r, m in HONEST])
def test_an_honest_bearer_is_believed(rule: Rule, minted: Callable[[], str]) -> None:
    believed = settle(minted(), rule)
    assert isinstance(believed, Believed), believed
    assert believed.issuer == forge.ISSUER
    assert believed.groups in {("ward-staff",), ("g",)}


def test_what_is_believed_is_what_was_said() -> None:
    assert settle(mint()) == Believed(forge.ISSUER, "dr.okafor", ("ward-staff",), NOW + 600, NOW - 10, "j-1")


def test_an_algorithm_off_the_issuers_list_is_refused_though_the_key_could() -> None:
    assert settle(mint(alg="PS256"), Rule(algorithms=("RS256",))) == Refused("alg-not-allowed")


def test_without_a_kid_the_only_key_is_meant() -> None:
    alone = forge.keyset(jwk_of("rsa"))
    assert isinstance(settle(mint(head=header(kid=None)), keys=alone), Believed)
    assert settle(mint(alg="ES256", head=header("ES256", kid=None)), keys=alone) == Refused("key-mismatch")


def test_a_key_for_another_algorithm_of_its_kind_is_not_used() -> None:
    keys = forge.keyset(jwk_of("rsa", alg="RS512"))
    assert settle(mint(), keys=keys) == Refused("key-mismatch")
    assert isinstance(settle(mint(alg="RS512"), keys=keys), Believed)


@pytest.mark.parametrize("kid", ["new", "../../etc/passwd", "rsa' or 1=1 --", "https://evil.example/key"])
def test_an_unknown_kid_asks_for_keys_and_never_for_another_address(kid: str) -> None:
    assert settle(mint(head=header(kid=kid))) == KeysNeeded(forge.ISSUER, kid)


def test_keys_are_asked_for_when_there_are_none_of_this_issuer() -> None:
    assert check(mint(), (RULE,), {OTHER.issuer: published()}, NOW) == KeysNeeded(forge.ISSUER, "rsa")


def test_the_keys_of_two_issuers_are_never_merged() -> None:
    crossed = mint(claims(iss=OTHER.issuer, aud="research-gateway"))
    assert settle(crossed) == KeysNeeded(OTHER.issuer, "rsa")


def test_an_issuer_that_stands_twice_in_the_policy_is_believed_by_neither_rule() -> None:
    twice = (RULE, replace(RULE, audience=("research",)))
    assert check(mint(), twice, {RULE.issuer: published()}, NOW) == Refused("issuer-ambiguous")


def test_without_issuers_nothing_is_believed() -> None:
    assert check(mint(), (), {RULE.issuer: published()}, NOW) == Refused("issuer-unknown")


def test_a_fault_of_our_own_refuses() -> None:
    class Broken:
        def get(self, _: str) -> KeySet:
            raise RecursionError

    assert check(mint(), (RULE,), Broken(), NOW) == Refused("check-broke")  # type: ignore[arg-type]  # broken on purpose


EXTRACTED: list[tuple[str, list[str], list[str], str | Refused]] = [
    ("the usual header", ["Bearer a.b.c"], [], "a.b.c"),
    ("the scheme in any case", ["bEARER a.b.c"], [], "a.b.c"),
    ("several spaces", ["Bearer   a.b.c"], [], "a.b.c"),
    ("the client's own header", [], ["a.b.c"], "a.b.c"),
    ("nothing", [], [], Refused("bearer-missing")),
    ("scheme only", ["Bearer"], [], Refused("bearer-missing")),
    ("scheme and a space", ["Bearer "], [], Refused("bearer-missing")),
    ("own header empty", [], [""], Refused("bearer-missing")),
    ("two Authorization headers", ["Bearer a", "Bearer a"], [], Refused("two-credentials")),
    ("one of each", ["Bearer a"], ["a"], Refused("two-credentials")),
    ("own header twice", [], ["a", "a"], Refused("two-credentials")),
    ("basic", ["Basic YTpi"], [], Refused("scheme-not-bearer")),
    ("dpop", ["DPoP a.b.c"], [], Refused("scheme-not-bearer")),
    ("no scheme", ["a.b.c"], [], Refused("scheme-not-bearer")),
    ("empty", [""], [], Refused("malformed")),
    ("a tab between", ["Bearer\ta.b.c"], [], Refused("malformed")),
    ("a space in front", [" Bearer a.b.c"], [], Refused("malformed")),
    ("a line break", ["Bearer a.b.c\n"], [], Refused("malformed")),
    ("too long", ["Bearer " + "a" * 20_000], [], Refused("too-large")),
]


@pytest.mark.parametrize(
    ("authorization", "own", "found"), [pytest.param(a, o, f, id=name) for name, a, o, f in EXTRACTED]
)
def test_exactly_one_credential_is_taken(authorization: list[str], own: list[str], found: str | Refused) -> None:
    assert extract(authorization, own) == found


def test_two_bearers_merged_into_one_header_are_not_believed() -> None:
    merged = extract([f"Bearer {mint()}, Bearer {mint()}"])
    assert isinstance(merged, str)
    assert isinstance(settle(merged), Refused)


def test_header_names_have_no_case_and_only_the_clients_own_one_counts() -> None:
    fields = [(b"Host", b"x"), (b"AUTHORIZATION", b"Bearer a.b.c"), (b"X-Api-Key", b"k")]
    assert extract_from(fields) == "a.b.c"
    assert extract_from(fields, "x-api-key") == Refused("two-credentials")
    assert extract_from(fields[2:], "x-api-key") == "k"
    assert extract_from(fields[2:], "api-key") == Refused("bearer-missing")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
HEADER_NAMES = st.sampled_from(["alg", "typ", "kid", "x5t", "crit", "jwk", "b64", "note"])
CLAIM_NAMES = st.sampled_from([*claims(), "nbf", "cnf", "events", "nonce", "hasgroups", "_claim_names", "typ"])


def foreseen(bearer: str) -> bool:
    outcome = settle(bearer)
    return isinstance(outcome, Believed | KeysNeeded) or (outcome.reason != "check-broke")


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text(alphabet='AZaz09-_.=+/ {}[]"\\\0', max_size=60))
def test_no_text_surprises_the_check(bearer: str) -> None:
    assert foreseen(bearer)
    assert isinstance(extract([bearer]), str | Refused)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=60))
def test_no_bytes_in_segments_surprise_the_check(head: bytes, said: bytes, signature: bytes) -> None:
    assert foreseen(".".join(to_base64url(part) for part in (head, said, signature)))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(CLAIM_NAMES, ANYTHING, max_size=4), st.dictionaries(HEADER_NAMES, ANYTHING, max_size=2))
def test_no_signed_claims_surprise_the_check(changes: dict[str, Any], head: dict[str, Any]) -> None:
    assert foreseen(mint(claims() | changes, header("EdDSA") | head, alg="EdDSA"))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_changed_character_is_believed(data: st.DataObject) -> None:
    honest = mint(alg="EdDSA")
    at = data.draw(st.integers(0, len(honest) - 1))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz0189-_.=").filter(lambda chosen: chosen != honest[at]))
    assert not isinstance(settle(honest[:at] + letter + honest[at + 1 :]), Believed)
