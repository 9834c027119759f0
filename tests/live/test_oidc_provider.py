"""Bearers of an OpenID-certified provider: what it signs, what it is asked about, what it binds to a key."""

import json
import time
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from model_server import Answer
from people import policy_for
from phigate.cli import app
from phigate.exchange import Subject
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.proof import Presented
from phigate.identity.verify import Verifier
from phigate.policy.load import load_policy
from processes import Gateway
from tests.peers.oidc_provider import ALGORITHMS, CLIENTS, GATEWAY, Key, OidcProvider
from tests.traffic import CHAT, as_person, chat, completion, leaks, records

pytestmark = pytest.mark.live

HERE = "https://gateway.hospital.example/v1/chat/completions"
CREDENTIAL = "PHIGATE_TEST_INTROSPECTION"


@pytest.fixture(scope="module")
def provider():
    with OidcProvider() as running:
        yield running


@pytest.fixture(scope="module")
def policy_file(provider, tmp_path_factory):
    """The shipped policy, whose one issuer is this provider, asked about bearers that are no JWT."""
    path = policy_for(provider.url, tmp_path_factory.mktemp("policy"))
    asked = f"introspect: {{url: '{provider.introspection}', client_id: {GATEWAY}, credential: 'env:{CREDENTIAL}'}}"
    text = path.read_text()
    listed = text.replace("algorithms: [RS256, ES256]", f"algorithms: [{', '.join(ALGORITHMS)}]\n    {asked}")
    assert listed != text
    path.write_text(listed)
    return path


@pytest.fixture(scope="module", autouse=True)
def _credential():
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(CREDENTIAL, CLIENTS[GATEWAY].secret)
        yield


@pytest.fixture
async def verifier(policy_file):
    spent = set()

    async def spend(kind, key, expires, now):
        fresh = (kind, key) not in spent
        spent.add((kind, key))
        return fresh

    made = Verifier(load_policy(policy_file), spend=spend)
    yield made
    await made.close()


def presented(*proofs, url=HERE):
    return Presented("POST", url, proofs, None, "dpop" if proofs else "bearer")


def bearer_field(bearer, scheme="Bearer"):
    return [(b"authorization", f"{scheme} {bearer}".encode())]


async def settle(verifier, bearer, *proofs, scheme=None, url=HERE):
    fields = bearer_field(bearer, scheme or ("DPoP" if proofs else "Bearer"))
    return await verifier.verify(fields, replace(presented(*proofs, url=url), scheme="bearer"), time.time())


# -- what it signs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_a_signed_bearer_is_believed_and_its_groups_give_roles(verifier, provider, alg):
    subject = await settle(verifier, provider.bearer(alg))
    assert isinstance(subject, Subject)
    assert (subject.issuer, subject.id) == (provider.url, "dr.okafor")
    assert (subject.groups, subject.roles) == (("ward-staff",), frozenset({"clinician"}))
    assert 500 < subject.expires - time.time() <= 600
    assert subject.jti


async def test_groups_that_the_policy_does_not_name_give_no_role(verifier, provider):
    subject = await settle(verifier, provider.bearer("ES256", "lee.castellano"))
    assert (subject.groups, subject.roles) == (("visitors",), frozenset())


async def test_a_bearer_for_somebody_else_is_refused(verifier, provider):
    assert await settle(verifier, provider.bearer("elsewhere")) == Refused("aud-mismatch")


@pytest.mark.parametrize("alg", ALGORITHMS)
async def test_an_algorithm_that_the_policy_does_not_list_is_refused(policy_file, provider, alg):
    policy = load_policy(policy_file)
    others = tuple(other for other in ALGORITHMS if other != alg)
    (rule,) = policy.issuers
    narrow = policy.model_copy(update={"issuers": (rule.model_copy(update={"algorithms": others}),)})
    made = Verifier(narrow)
    assert await settle(made, provider.bearer(alg)) == Refused("alg-not-allowed")
    await made.close()


async def test_a_changed_claim_is_refused(verifier, provider):
    one, other = (provider.bearer("ES256", name).split(".") for name in ("dr.okafor", "lee.castellano"))
    mixed = ".".join([other[0], one[1], other[2]])
    assert await settle(verifier, mixed) == Refused("signature-invalid")


async def test_the_providers_own_keys_are_all_read(verifier, provider):
    await settle(verifier, provider.bearer("RS256"))
    (status,) = verifier.status()
    assert (status.state, status.keys, dict(status.dropped)) == ("fresh", len(ALGORITHMS), {})


# -- what it is asked about -----------------------------------------------------------------------------------------


async def test_an_opaque_bearer_is_asked_about(verifier, provider):
    subject = await settle(verifier, provider.bearer("opaque"))
    assert isinstance(subject, Subject)
    assert (subject.issuer, subject.id, subject.roles) == (provider.url, "dr.okafor", frozenset({"clinician"}))


async def test_an_opaque_bearer_that_was_taken_back_is_inactive(verifier, provider):
    bearer = provider.bearer("opaque")
    provider.revoke(bearer)
    assert await settle(verifier, bearer) == Refused("inactive")


async def test_an_invented_opaque_bearer_is_inactive(verifier):
    assert await settle(verifier, "an-invented-bearer-of-more-than-twenty-letters") == Refused("inactive")


async def test_with_a_wrong_credential_of_ours_nobody_is_refused_for_it(policy_file, provider, monkeypatch):
    monkeypatch.setenv(CREDENTIAL, "wrong")
    made = Verifier(load_policy(policy_file))
    outcome = await settle(made, provider.bearer("opaque"))
    assert outcome == Unavailable(provider.url, 1, "introspection-unavailable")
    await made.close()


# -- what it binds to a key -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["ES256", "RS256", "opaque"])
@pytest.mark.parametrize("holds", ["ES256", "EdDSA"])
async def test_a_bound_bearer_is_believed_with_its_proof(verifier, provider, form, holds):
    key = Key(holds)
    bearer = provider.bearer(form, key=key)
    subject = await settle(verifier, bearer, key.proof(HERE, bearer))
    assert isinstance(subject, Subject)
    assert dict(subject.bound) == {"jkt": key.thumbprint}


@pytest.mark.parametrize("form", ["ES256", "opaque"])
async def test_a_bound_bearer_without_its_proof_is_refused(verifier, provider, form):
    key, other = Key("ES256"), Key("EdDSA")
    bearer = provider.bearer(form, key=key)
    assert await settle(verifier, bearer) == Refused("proof-missing")
    assert await settle(verifier, bearer, scheme="DPoP") == Refused("proof-missing")
    assert await settle(verifier, bearer, key.proof(HERE, bearer), scheme="Bearer") == Refused("proof-missing")
    assert await settle(verifier, bearer, other.proof(HERE, bearer)) == Refused("proof-mismatch")
    assert await settle(verifier, bearer, key.proof(HERE + "/other", bearer)) == Refused("proof-mismatch")
    another = provider.bearer(form, key=key)
    assert await settle(verifier, bearer, key.proof(HERE, another)) == Refused("proof-mismatch")


async def test_a_proof_counts_once(verifier, provider):
    key = Key()
    bearer = provider.bearer("ES256", key=key)
    proof = key.proof(HERE, bearer)
    assert isinstance(await settle(verifier, bearer, proof), Subject)
    assert await settle(verifier, bearer, proof) == Refused("proof-replayed")


async def test_an_unbound_bearer_is_not_made_better_by_a_proof(verifier, provider):
    bearer = provider.bearer("ES256")
    assert await settle(verifier, bearer, Key().proof(HERE, bearer)) == Refused("proof-not-bound")


# -- through a live gateway -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gateway(_model, policy_file, _credential, tmp_path_factory):
    with Gateway(_model.url, policy_file, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def asked(gateway, bearer, *proofs):
    headers = [("authorization", f"{'DPoP' if proofs else 'Bearer'} {bearer}"), *(("dpop", proof) for proof in proofs)]
    with as_person(gateway) as client:
        return client.post(CHAT, json=chat(), headers=headers)


@pytest.mark.parametrize("form", [*ALGORITHMS, "opaque"])
def test_the_gateway_answers_who_is_believed(gateway, model, provider, form):
    model.script = Answer(completion())
    bearer = provider.bearer(form)
    answer = asked(gateway, bearer)
    assert (answer.status_code, answer.headers["phi-rule"]) == (200, "clinicians-chat")
    assert leaks(answer.content) == []
    assert bearer.encode() not in model.received
    subject = next(each for each in reversed(records(gateway.journal)) if each["kind"] == "request")["subject"]
    assert (subject["issuer"], subject["id"], subject["roles"]) == (provider.url, "dr.okafor", ["clinician"])


@pytest.mark.parametrize("form", ["elsewhere", "revoked", "invented"])
def test_the_gateway_refuses_who_is_not(gateway, model, provider, form):
    bearer = provider.bearer("opaque" if form == "revoked" else "elsewhere")
    if form == "revoked":
        provider.revoke(bearer)
    answer = asked(gateway, "an-invented-bearer-of-more-than-twenty-letters" if form == "invented" else bearer)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bearer-refused")
    assert model.connections == 0


@pytest.mark.parametrize("form", ["EdDSA", "opaque"])
def test_the_gateway_asks_for_the_proof_of_a_bound_bearer(gateway, model, provider, form):
    model.script = Answer(completion())
    key = Key()
    bearer, url = provider.bearer(form, key=key), f"{gateway.url}{CHAT}"
    proof = key.proof(url, bearer)
    assert asked(gateway, bearer, proof).status_code == 200
    refused = [
        asked(gateway, bearer),
        asked(gateway, bearer, proof),
        asked(gateway, bearer, key.proof(f"{gateway.url}/v1/completions", bearer)),
        asked(gateway, bearer, key.proof(url, bearer), key.proof(url, bearer)),
        asked(gateway, bearer, Key("EdDSA").proof(url, bearer)),
    ]
    assert [answer.status_code for answer in refused] == [401] * 5
    assert len(model.requests) == 1


# -- and through the command ----------------------------------------------------------------------------------------


def phigate(*words, stdin):
    return CliRunner().invoke(app, [str(word) for word in words], input=stdin)


@pytest.mark.parametrize("form", ["PS256", "opaque"])
def test_the_command_explains_what_the_gateway_believes(policy_file, provider, form):
    done = phigate("whoami", "--policy", policy_file, stdin=provider.bearer(form))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "clinician, by ward-staff" in done.stdout
    refused = phigate("whoami", "--policy", policy_file, stdin=provider.bearer("elsewhere"))
    assert (refused.exit_code, refused.stdout.splitlines()[-1]) == (1, "refused: aud-mismatch")


@pytest.mark.parametrize("form", ["EdDSA", "opaque"])
def test_the_command_gets_a_gateway_token_for_it(gateway, model, provider, form):
    model.script = Answer(completion())
    wanted = ["--scope", "model:ward-assistant action:chat", "--lifetime", "PT1M", "--once", "--claims"]
    bearer = provider.bearer(form)
    done = phigate("token", "--console", gateway.console_url, *wanted, stdin=bearer)
    assert done.exit_code == 0, done.stderr
    claims = json.loads(done.stderr)
    assert (claims["idp"], claims["sub"], claims["uses"]) == (provider.url, "dr.okafor", 1)
    assert claims["exp"] - claims["iat"] <= 60
    assert bearer not in done.output
    assert asked(gateway, done.stdout.strip()).status_code == 200
    assert asked(gateway, done.stdout.strip()).status_code == 401


def test_the_command_tells_why_there_is_none(gateway, provider):
    done = phigate("token", "--console", gateway.console_url, stdin=provider.bearer("elsewhere"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "The subject_token is not believed. (invalid_request)\n"
