"""What proves who asks: bearers, proofs of possession, key sets, SAML assertions. Anybody may send them."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import Any

from lxml.etree import LxmlError

from phigate.identity.bearer import Credential, extract_from
from phigate.identity.jwks import MAX_KEYS, JwksFault, KeySet, fits_kid, parse_jwks
from phigate.identity.outcome import REASONS, Believed, KeysNeeded, Refused
from phigate.identity.proof import Presented, Proven, check_proof, thumbprint
from phigate.identity.saml import MAX_AGE, Asserted, SamlRefused, decode_assertion
from phigate.identity.saml import REASONS as SAML_REASONS
from phigate.identity.strict import Parts, from_base64url, read_bearer, to_base64url
from tests.fuzzing.target import Target, edited, hold
from tests.identity import forge, saml_peer

RULES = (
    forge.RULE,
    forge.Rule(
        audience_from="client_id",
        groups_from=("groups", "realm_access.roles"),
        groups_as="text",
        required_claims={"tid": ("t-1", "true", "42"), "a.b": ("x",)},
        context_from={"branch": "ref"},
    ),
    forge.Rule(groups_from=("scope", "groups"), groups_as="words"),
)
ALG = "EdDSA"


def _known(outcome: Any, *good: type) -> None:
    hold(isinstance(outcome, (Refused, *good)), "an outcome that is none")
    if isinstance(outcome, Refused):
        hold(outcome.reason in REASONS, "a reason that nobody knows")
        hold(outcome.reason != "check-broke", "the check broke")


def _signed(said: bytes) -> str:
    """A bearer of our own key over this header and, in the next line, these claims."""
    head, _, claims = said.partition(b"\n")
    return forge.mint(claims, head, alg=ALG)


# -- bearers --------------------------------------------------------------------------------------------------------


@cache
def _honest() -> str:
    return forge.mint(alg=ALG)


def bearer(data: bytes) -> None:
    """0: a header field's value; 1: claims under a good signature; 2: an honest bearer, changed."""
    mode, rest = data[:1], data[1:]
    if mode == b"0":
        got = extract_from([(b"Authorization", rest)])
        hold(isinstance(got, Credential | Refused), "neither a credential nor refused")
        text = got.bearer if isinstance(got, Credential) else rest.decode("latin-1")
        parts = read_bearer(text)
        if isinstance(parts, Parts):
            again = [from_base64url(each) for each in text.split(".")]
            hold(".".join(to_base64url(each or b"") for each in again) == text, "two spellings of one bearer")
        outcome = forge.settle(text)
        _known(outcome, KeysNeeded)
    elif mode == b"1":
        text = _signed(rest)
        for rule in RULES:
            outcome = forge.settle(text, rule)
            _known(outcome, Believed, KeysNeeded)
            if isinstance(outcome, Believed):
                claims = json.loads(rest.partition(b"\n")[2])
                hold(claims["iss"] == rule.issuer == outcome.issuer, "believed of another issuer")
                hold(outcome.id == claims["sub"], "believed of somebody else")
                hold(claims["exp"] > forge.NOW, "believed though it is over")
                hold(all(isinstance(each, str) and each for each in outcome.groups), "a group that is no name")
    else:
        text = edited(_honest().encode(), rest).decode("latin-1")
        outcome = forge.settle(text)
        _known(outcome, Believed, KeysNeeded)
        hold(not isinstance(outcome, Believed) or text == _honest(), "believed though it was changed")


def bearers() -> list[bytes]:
    head, claims = forge.header(ALG), forge.claims()
    more = {"nbf": 1, "scope": "a b", "client_id": "phigate", "realm_access": {"roles": ["x"]}, "tid": "t-1"}
    more |= {"a": {"b": "x"}, "ref": "refs/heads/main", "auth_time": 1, "act": {"sub": "b"}, "cnf": {"jkt": "A" * 43}}
    forms = [(head, claims), (head, claims | more), ({"alg": "none"}, {}), (head | {"typ": "JWT", "kid": "rsa"}, more)]
    signed = [b"1" + json.dumps(one).encode() + b"\n" + json.dumps(two).encode() for one, two in forms]
    lists = claims | {"groups": [], "aud": ["phigate", "other"], "_claim_names": {"groups": "src1"}, "exp": 1e300}
    return [
        *signed,
        b"1" + json.dumps(head).encode() + b"\n" + json.dumps(lists).encode(),
        b"0Bearer " + forge.segment(_honest(), 2, lambda _: "AAAA").encode(),
        b"0DPoP a.b.c",
        b"0bearer  a.b.c.d.e",
        b"2\0\0\0\0",
        b"2\0\x10\x05a",
    ]


# -- proofs of possession -------------------------------------------------------------------------------------------

URL = "https://gateway.example/v1/chat/completions"


@cache
def _jwk() -> dict[str, Any]:
    full = forge.jwk_of("ES256")
    return {name: full[name] for name in ("kty", "crv", "x", "y")}


def proof(data: bytes) -> None:
    """A proof's header, of which `@JWK@` is a key, and its claims, in lines, signed by that key."""
    head, _, claims = data.replace(b"@JWK@", json.dumps(_jwk()).encode()).partition(b"\n")
    jkt = thumbprint(_jwk())
    made = forge.mint(claims, head, alg="ES256")
    presented = Presented("POST", URL, (made,), None, "dpop")
    outcome = check_proof("a.b.c", {"jkt": jkt}, "as-bound", presented, forge.NOW)
    _known(outcome, Proven)
    if isinstance(outcome, Proven):
        said = json.loads(claims)
        hold(said["htm"] == "POST" and abs(said["iat"] - forge.NOW) < 1000, "proven for something else")


def proofs() -> list[bytes]:
    head = b'{"typ":"dpop+jwt","alg":"ES256","jwk":@JWK@}'
    ath = to_base64url(hashlib.sha256(b"a.b.c").digest())
    said = {"jti": "j", "htm": "POST", "htu": URL, "iat": forge.NOW, "ath": ath}
    more = said | {"exp": forge.NOW + 60, "nbf": forge.NOW - 60, "htu": "HTTPS://Gateway.example:443/v1?x#y"}
    return [b"\n".join((head, json.dumps(each).encode())) for each in (said, more)]


# -- key sets -------------------------------------------------------------------------------------------------------


def jwks(data: bytes) -> None:
    found = parse_jwks(data)
    hold(isinstance(found, KeySet | JwksFault), "neither keys nor a fault")
    if not isinstance(found, KeySet):
        return
    hold(len(found.keys) <= MAX_KEYS, "too many keys")
    names = [key.kid for key in found.keys if key.kid is not None]
    hold(len(set(names)) == len(names) and all(map(fits_kid, names)), "a name that is none, or that two keys have")
    hold(not any(found.dropped.get(each, 1) <= 0 for each in found.dropped), "counted what is not there")
    for key in found.keys:
        for alg, check in key.checks.items():
            hold(not isinstance(found.pick(alg, key.kid), Refused) or key.kid is None, "a key that is not found")
            hold(not check.verify(b"signed", b"signature"), "anybody's signature holds")


def key_sets() -> list[bytes]:
    keys = [forge.jwk_of(name) for name in ("rsa", "ES256", "ES384", "ES512", "EdDSA")]
    each = [json.dumps({"keys": [key]}).encode() for key in keys]
    more = {"alg": "RS256", "key_ops": ["verify"], "x5t": "a", "x5c": ["b"]}
    low = {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(bytes([1, *bytes(31)])), "kid": "low"}
    weak = forge.jwk_of("rsa-1024")
    sets = [keys[1:], [keys[0] | more, keys[1] | {"use": "enc"}], [keys[4], keys[4]], [low, weak]]
    return each + [json.dumps({"keys": some}).encode() for some in sets]


# -- SAML -----------------------------------------------------------------------------------------------------------


@cache
def _assertion() -> bytes:
    return saml_peer.signed()


def saml(data: bytes) -> None:
    """0: bytes as they come; 1: an assertion that is signed by hand before it is read; 2: an honest one, changed."""
    mode, rest = data[:1], data[1:]
    if mode == b"0":
        raw = decode_assertion(rest.decode("latin-1"))
        if isinstance(raw, bytes):
            hold(base64.urlsafe_b64encode(raw).rstrip(b"=") == rest.rstrip(b"="), "two spellings of one assertion")
        _said(saml_peer.check(rest), may=False)
    elif mode == b"1":
        try:
            raw = saml_peer.sign_by_hand(rest.decode())
        except (ValueError, AttributeError, SyntaxError, TypeError, LxmlError):  # no XML, or nothing in it to sign
            raw = rest
        _said(saml_peer.check(raw), may=True)
    else:
        raw = edited(_assertion(), rest)
        got = saml_peer.check(raw)
        _said(got, may=True)
        hold(isinstance(got, SamlRefused) or got == saml_peer.check(_assertion()), "believed though it was changed")


def _said(got: Asserted | SamlRefused, *, may: bool) -> None:
    if isinstance(got, SamlRefused):
        hold(got.reason in SAML_REASONS, "a reason that nobody knows")
        hold(got.reason != "check-broke", "the check broke")
        return
    hold(may, "believed without a signature")
    hold(got.issuer == saml_peer.ISSUER and got.id and got.id.isprintable(), "believed of nobody")
    hold(all(each and each.isprintable() for each in got.groups), "a group that is no name")
    hold(got.issued - 61 <= saml_peer.NOW and got.expires <= got.issued + MAX_AGE, "believed for too long")
    hold(got.expires > saml_peer.NOW - 61, "believed though it is over")


def assertions() -> list[bytes]:
    peer = saml_peer
    forms = [
        peer.assertion(),
        peer.assertion(attributes=peer.stated("a", name="other") + peer.stated("b")),
        peer.assertion(
            name_id='<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient">x</saml:NameID>'
        ),
        peer.assertion(audience=peer.audience("other") + "<saml:OneTimeUse/>"),
        peer.assertion(signature=""),
    ]
    simple = [b"1" + form.encode() for form in forms]
    markup = b"0<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a><!-- d --><![CDATA[e]]>&b;</a>"
    return [*simple, b"0" + forms[0].encode(), b"0" + peer.response(forms[0]), markup, b"2\0\0\0\0", b"2\1\0\5a"]


BEARER = Target(
    bearer,
    bearers,
    (
        *(
            b'"alg":',
            b'"typ":',
            b'"kid":',
            b'"at+jwt"',
            b'"crit":',
            b'"jwk":',
            b'"EdDSA"',
            b'"none"',
            b'"exp":',
            b'"nbf":',
        ),
        *(b'"iat":', b'"aud":', b'"iss":', b'"sub":', b'"groups":', b'"cnf":', b'"scope":', b'"nonce":', b'"events":'),
        *(b'"hasgroups":', b'"_claim_names":', b'"at_hash":', b'"azp":', b'"token_use":', b"1800000000", b"1e999"),
        *(b"\\ud800", b"\\u0000", b"NaN", b"[[[[[[[[", b'{"":', b"null", b"true", b"-1", b"18446744073709551616"),
    ),
)
PROOF = Target(
    proof, proofs, (b'"jti":', b'"htm":', b'"htu":', b'"ath":', b'"iat":', b"@JWK@", b"dpop+jwt", b"null", b":443")
)
JWKS = Target(
    jwks,
    key_sets,
    (
        *(
            b'"kty":',
            b'"crv":',
            b'"P-256"',
            b'"x":',
            b'"y":',
            b'"n":',
            b'"e":',
            b'"AQAB"',
            b'"use":',
            b'"sig"',
            b'"kid":',
        ),
        *(
            b'"key_ops":',
            b'"alg":',
            b'"d":',
            b'"k":',
            b'"oct"',
            b'"OKP"',
            b'"Ed25519"',
            b"null",
            b"[]",
            b"{}",
            b'"RS256"',
        ),
    ),
    8192,
)
SAML = Target(
    saml,
    assertions,
    (
        *(
            b"<saml:",
            b"</saml:",
            b"Assertion",
            b"Issuer",
            b"Subject",
            b"NameID",
            b"Conditions",
            b"Audience",
            b"/>",
            b"<!--",
        ),
        *(
            b"Attribute",
            b"AuthnStatement",
            b"xmlns:x=''",
            b"<ds:Signature",
            b"ds:Reference",
            b"URI=",
            b"Transform",
            b"&#0;",
        ),
        *(b"NotOnOrAfter=", b"NotBefore=", b"Recipient=", b"OneTimeUse", b"ProxyRestriction", b"xml:id=", b"<![CDATA["),
        *(b"<?", b"&amp;", b"xsi:type=", b"InResponseTo=", b"EncryptedID", b"SessionNotOnOrAfter=", b"xi:include"),
    ),
    8192,
)
