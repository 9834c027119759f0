"""Bearers that are bound to a key, against a real gateway: with the proof they open, without it they open nothing."""

import datetime as dt
import hashlib
import ipaddress
import json
import ssl
import time
import uuid

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from model_server import Answer
from phigate.identity.proof import certificate_thumbprint, thumbprint
from phigate.identity.strict import to_base64url
from processes import HOST, Gateway, free_port, settings
from tests.identity.forge import jwk_of, private_key, sign_with
from tests.traffic import CHAT, chat, completion, leaks, records

pytestmark = pytest.mark.live
WARD = ["ward-staff"]


def made(folder, name):
    """A self-signed certificate for loopback: (its bytes, the file of it, the file of its key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(built.public_bytes(pem))
    files[1].write_bytes(secret)
    return built.public_bytes(serialization.Encoding.DER), *files


# -- mutual TLS (RFC 8705) ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(_model, policy, tmp_path_factory):
    """A gateway that speaks TLS and asks for a certificate; its own certificate is whom its clients trust."""
    folder = tmp_path_factory.mktemp("tls")
    _, certificate, key = made(folder, "gateway")
    both = folder / "both.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    port = free_port()
    here = settings(certs=f"*={both}", request_client_cert="true", phi_url=f"https://{HOST}:{port}")
    with Gateway(_model.url, policy, folder / "var", port=port, extra=here) as running:
        yield running, certificate


def over_tls(tls, bearer, own=None):
    gateway, certificate = tls
    context = ssl.create_default_context(cafile=str(certificate))
    if own is not None:
        context.load_cert_chain(*map(str, own))
    with httpx.Client(verify=context, trust_env=False) as client:
        url = f"https://{HOST}:{gateway.port}{CHAT}"
        return client.post(url, json=chat(), headers={"authorization": f"Bearer {bearer}"})


def test_a_bearer_bound_to_a_certificate_opens_with_it_alone(tls, model, issuer, tmp_path):
    model.script = Answer(completion())
    der, *mine = made(tmp_path, "mine")
    _, *other = made(tmp_path, "other")
    bearer = issuer.mint("dr.okafor", WARD, cnf={"x5t#S256": certificate_thumbprint(der)})
    answer = over_tls(tls, bearer, mine)
    assert answer.status_code == 200
    assert leaks(answer.content) == []
    for without in (None, other):
        assert over_tls(tls, bearer, without).status_code == 401
    assert len(model.requests) == 1
    assert over_tls(tls, issuer.mint_for("dr.okafor"), None).status_code == 200


def test_over_plain_http_there_is_no_certificate(gateway, model, issuer, tmp_path):
    der, *_ = made(tmp_path, "mine")
    bearer = issuer.mint("dr.okafor", WARD, cnf={"x5t#S256": certificate_thumbprint(der)})
    answer = httpx.post(gateway.url + CHAT, json=chat(), headers={"authorization": f"Bearer {bearer}"}, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bearer-refused")
    assert model.requests == []


# -- DPoP (RFC 9449) ------------------------------------------------------------------------------------------------

JWK = {name: value for name, value in jwk_of("ES256").items() if name in {"kty", "crv", "x", "y"}}


def proof(bearer, url, **changes):
    ath = to_base64url(hashlib.sha256(bearer.encode()).digest())
    claims = {"jti": uuid.uuid4().hex, "htm": "POST", "htu": url, "iat": int(time.time()), "ath": ath} | changes
    head, body = (
        to_base64url(json.dumps(part).encode()) for part in ({"typ": "dpop+jwt", "alg": "ES256", "jwk": JWK}, claims)
    )
    signed = f"{head}.{body}"
    return f"{signed}.{to_base64url(sign_with(private_key('ES256'), 'ES256', signed.encode()))}"


def bound(issuer):
    return issuer.mint("dr.okafor", WARD, cnf={"jkt": thumbprint(JWK)})


def with_proof(gateway, bearer, *proofs, scheme="DPoP"):
    headers = [("authorization", f"{scheme} {bearer}"), *(("dpop", each) for each in proofs)]
    return httpx.post(gateway.url + CHAT, json=chat(), headers=headers, trust_env=False)


def test_a_bearer_bound_to_a_key_opens_with_a_proof_of_it_and_each_proof_once(gateway, model, issuer):
    model.script = Answer(completion())
    bearer = bound(issuer)
    once = proof(bearer, gateway.url + CHAT)
    assert with_proof(gateway, bearer, once).status_code == 200
    assert with_proof(gateway, bearer, once).status_code == 401
    assert with_proof(gateway, bearer, proof(bearer, gateway.url + CHAT)).status_code == 200
    assert len(model.requests) == 2


HOSTILE = [
    ("no proof", lambda gateway, bearer: ()),
    ("two proofs", lambda gateway, bearer: [proof(bearer, gateway.url + CHAT) for _ in range(2)]),
    ("for another address", lambda gateway, bearer: [proof(bearer, "http://evil.example" + CHAT)]),
    ("for another path", lambda gateway, bearer: [proof(bearer, gateway.url + "/v1/models")]),
    ("for another method", lambda gateway, bearer: [proof(bearer, gateway.url + CHAT, htm="GET")]),
    ("for another bearer", lambda gateway, bearer: [proof("a.b.c", gateway.url + CHAT)]),
    ("of yesterday", lambda gateway, bearer: [proof(bearer, gateway.url + CHAT, iat=int(time.time()) - 86400)]),
]


@pytest.mark.parametrize(("sentence", "proofs"), HOSTILE, ids=[case[0] for case in HOSTILE])
def test_with_anything_else_it_opens_nothing(gateway, model, issuer, sentence, proofs):
    bearer = bound(issuer)
    answer = with_proof(gateway, bearer, *proofs(gateway, bearer))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bearer-refused")
    assert model.requests == []


def test_a_bound_bearer_is_none_under_the_other_scheme(gateway, model, issuer):
    bearer = bound(issuer)
    answer = with_proof(gateway, bearer, proof(bearer, gateway.url + CHAT), scheme="Bearer")
    assert answer.status_code == 401
    assert model.requests == []


def test_neither_proofs_nor_certificates_reach_the_model_or_any_record(gateway, model, issuer):
    model.script = Answer(completion())
    bearer = bound(issuer)
    once = proof(bearer, gateway.url + CHAT)
    assert with_proof(gateway, bearer, once).status_code == 200
    assert once.encode() not in model.received
    assert once not in json.dumps(records(gateway.journal))
    assert once not in gateway.said()
