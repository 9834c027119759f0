"""What a policy names is known and there, before anything is served by it; each fault names what it is about."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from phigate.capture.seal import text_of
from phigate.policy.load import PolicyFaults
from phigate.serving import CALLS, ProviderFault, auditor_of, providers_of, read_policy, read_served, served
from tests.identity import saml_peer
from tests.stage import policy_in, policy_text

# -- routes and dialects --------------------------------------------------------------------------------------------

ROUTE = "routes: [{name: mine, match: 'POST /triage', action: predict}]\n"


def test_what_is_served_are_the_known_routes_and_the_policys_own(tmp_path):
    path = policy_in(tmp_path, policy_text(tail=ROUTE))
    routes, matches = served(read_policy(path), path)
    assert {route.name for route in routes} < set(matches)
    assert matches["mine"] == "POST /triage"
    assert matches["openai-chat"] == "POST /v1/chat/completions"
    assert CALLS.items() <= matches.items()


UNKNOWN = [
    (
        "a route",
        "fields: [{routes: ['POST /v1/chatt'], hide: {'$.bed': LOCATION}}]\n",
        "fields: no server has the route `POST /v1/chatt`",
    ),
    ("a dialect", "models: {ward: {speaks: [latin]}}\n", "models.ward.speaks: no dialect is called `latin`"),
]


@pytest.mark.parametrize(("sentence", "tail", "said"), UNKNOWN, ids=[case[0] for case in UNKNOWN])
def test_nothing_is_served_by_a_policy_that_names_what_nobody_knows(tmp_path, sentence, tail, said):
    path = policy_in(tmp_path, policy_text(tail=tail))
    with pytest.raises(PolicyFaults) as caught:
        read_served(path)
    assert caught.value.faults == (f"{path}: {said}",)


# -- the auditor's key ----------------------------------------------------------------------------------------------

PEM = (
    X25519PrivateKey.from_private_bytes(b"a" * 32)
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
SEALED_TO = [
    ("its text", None, None),
    ("a file", PEM, None),
    ("a file that is not there", "", "cannot be read: no such file or directory"),
    ("a file that is no key", "hello", "is neither"),
    ("a file that is no text", "\udcff", "cannot be read: it is no text"),
    ("the private half", PEM.replace("PUBLIC", "PRIVATE"), "is a private key: the gateway must not have it"),
]


@pytest.mark.parametrize(("sentence", "content", "fault"), SEALED_TO, ids=[case[0] for case in SEALED_TO])
def test_a_policy_that_seals_names_a_key_that_can_be_sealed_to(tmp_path, sentence, content, fault):
    named = text_of(X25519PrivateKey.generate().public_key()) if content is None else "file:auditor.pub"
    if content:
        (tmp_path / "auditor.pub").write_bytes(content.encode("utf-8", "surrogateescape"))
    path = policy_in(tmp_path, policy_text(tail=f"capture: {{bodies: sealed, seal_to: '{named}'}}\n"))
    if fault is None:
        assert auditor_of(read_policy(path)) is not None
        return
    with pytest.raises(PolicyFaults) as caught:
        read_policy(path)
    (said,) = caught.value.faults
    assert said.startswith(f"{path}:10: capture.seal_to: {fault}")


# -- providers' certificates ----------------------------------------------------------------------------------------

SAML = f"""\
saml:
  - entity_id: {saml_peer.ISSUER}
    certificates: [idp.pem]
    audience: phigate
    groups_from: {saml_peer.GROUPS}
"""


def provided(folder, content):
    if content is not None:
        (folder / "idp.pem").write_text(content)
    return providers_of(read_policy(policy_in(folder, policy_text(tail=SAML))))


def test_a_provider_has_its_certificates(tmp_path):
    (provider,) = provided(tmp_path, saml_peer.certificate("rsa"))
    assert provider.entity_id == saml_peer.ISSUER
    assert provider.certificates == (saml_peer.certificate("rsa"),)


UNUSABLE = [
    ("that is not there", None, "cannot be read (FileNotFoundError)"),
    ("that is none", "no certificate", "holds no certificate with a key that signatures can be checked with"),
    (
        "with a short key",
        saml_peer.certificate("rsa-1024"),
        "holds no certificate with a key that signatures can be checked with",
    ),
]


@pytest.mark.parametrize(("sentence", "content", "said"), UNUSABLE, ids=[case[0] for case in UNUSABLE])
def test_nobody_is_believed_by_a_certificate(tmp_path, sentence, content, said):
    with pytest.raises(ProviderFault) as caught:
        provided(tmp_path, content)
    assert str(caught.value) == f"{tmp_path / 'idp.pem'}: {said}"
