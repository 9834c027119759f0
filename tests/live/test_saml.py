"""A SAML assertion, once, for a bearer of the gateway's own: signed by xmlsec, exchanged and used at a real gateway."""

import json
import time
from base64 import urlsafe_b64encode

import httpx
import pytest

from model_server import Answer
from processes import Gateway
from tests.identity import saml_peer
from tests.traffic import CHAT, as_person, chat, completion, leaks, records

pytestmark = pytest.mark.live
GRANT = "urn:ietf:params:oauth:grant-type:saml2-bearer"
KEY = "rsa.live"


@pytest.fixture
def at_present(monkeypatch):
    monkeypatch.setattr(saml_peer, "NOW", time.time())


@pytest.fixture
def believing(_model, policy, at_present, tmp_path):
    """A gateway that believes the provider."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "idp.pem").write_text(saml_peer.certificate(KEY))
    entry = f"""
saml:
  - entity_id: {saml_peer.ISSUER}
    certificates: [idp.pem]
    audience: phigate
    groups_from: {saml_peer.GROUPS}
"""
    (rules / "policy.yaml").write_text(policy.read_text() + entry)
    with Gateway(_model.url, rules / "policy.yaml", tmp_path / "var") as running:
        yield running


def exchange(gateway, assertion, **more):
    said = urlsafe_b64encode(assertion).decode().rstrip("=")
    form = {"grant_type": GRANT, "assertion": said} | more
    return httpx.post(f"{gateway.console_url}/token", data=form, trust_env=False)


def assertion(console, *groups):
    """An assertion of this moment, for one console."""
    at = saml_peer.at
    return saml_peer.signed(
        KEY,
        issued=at(-10),
        window=f'NotBefore="{at(-10)}" NotOnOrAfter="{at(300)}"',
        authn=f'<saml:AuthnStatement AuthnInstant="{at(-20)}"/>',
        confirmation=saml_peer.confirmation(f'Recipient="{console}/token" NotOnOrAfter="{at(300)}"'),
        attributes=saml_peer.stated(*groups),
    )


def test_an_assertion_is_worth_one_bearer_of_its_subject(believing, model):
    model.script = Answer(completion())
    sent = assertion(believing.console_url, "ward-staff")
    answer = exchange(believing, sent)
    assert answer.status_code == 200, answer.json()
    bearer = answer.json()["access_token"]
    with as_person(believing, bearer) as client:
        chatted = client.post(CHAT, json=chat())
    assert chatted.status_code == 200
    assert leaks(chatted.content) == []
    replayed = exchange(believing, sent)
    assert (replayed.status_code, replayed.json()["error"]) == (400, "invalid_grant")
    kept = records(believing.journal)
    request = next(record for record in kept if record["kind"] == "request")
    assert request["subject"]["issuer"] == saml_peer.ISSUER
    assert request["subject"]["roles"] == ["clinician"]
    issued = [record["decision"] for record in kept if record["kind"] == "token"]
    assert issued[0] == "permit"
    assert bearer not in json.dumps(kept)
    assert urlsafe_b64encode(sent).decode().rstrip("=") not in json.dumps(kept)


def test_a_forged_one_is_worth_nothing(believing):
    forged = assertion(believing.console_url, "ward-staff").replace(b"ward-staff", b"privacy")
    answer = exchange(believing, forged)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_one_for_another_gateway_is_worth_nothing(believing):
    sent = assertion("https://evil.example", "ward-staff")
    assert exchange(believing, sent).status_code == 400
