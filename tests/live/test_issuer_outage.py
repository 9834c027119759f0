"""An issuer that is flooded through us, fails, lies or goes silent: what reaches it, and who is still let in."""

import asyncio
import time
from collections import Counter
from datetime import timedelta

import httpx
import pytest

from model_server import Answer
from people import policy_for
from phigate.exchange import Subject
from phigate.identity.keys import FRESH, UNKNOWN_KID, Keys
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.proof import Presented
from phigate.identity.verify import Verifier
from processes import Gateway
from tests.identity import forge
from tests.identity.forge import Rule, Rules
from tests.peers.oidc_mock import OidcMock
from tests.traffic import CHAT, as_person, chat, completion

pytestmark = pytest.mark.live

PLAIN = Presented("POST")
DISCOVERY, JWKS = "/.well-known/openid-configuration", "/jwks"


@pytest.fixture
def issuer():
    with OidcMock().serving() as running:
        yield running


class Time:
    def __init__(self):
        self.passed = 0.0

    def __call__(self):
        return self.passed


@pytest.fixture
def clock():
    return Time()


@pytest.fixture
async def verifier(issuer, clock):
    policy = Rules(issuers=(Rule(issuer=issuer.url, algorithms=("RS256",), leeway=timedelta(seconds=60)),))
    made = Verifier(policy, Keys(policy.issuers, policy.folder, clock=clock))
    yield made
    await made.close()


def unknown(bearer, number):
    """The same bearer, as if by a key that nobody has seen: its signature is looked at only once the key is found."""
    head = forge.text({"alg": "RS256", "typ": "at+jwt", "kid": f"unknown-{number}"})
    return forge.segment(bearer, 0, lambda _: forge.to_base64url(head))


async def flood(verifier, bearer, numbers):
    now = time.time()
    outcomes = await asyncio.gather(*(verifier.present(unknown(bearer, number), PLAIN, now) for number in numbers))
    return Counter(outcomes)


async def test_ten_thousand_unknown_keys_are_one_question_in_thirty_seconds(issuer, verifier, clock):
    bearer = issuer.bearer()
    assert isinstance(await verifier.present(bearer, PLAIN, time.time()), Subject)
    before = issuer.asked.copy()
    assert (before[DISCOVERY], before[JWKS]) == (1, 1)
    assert await flood(verifier, bearer, range(10_000)) == {Refused("kid-unknown"): 10_000}
    assert issuer.asked - before == {DISCOVERY: 1, JWKS: 1}
    clock.passed += UNKNOWN_KID - 1
    await flood(verifier, bearer, range(1_000))
    assert issuer.asked - before == {DISCOVERY: 1, JWKS: 1}
    clock.passed += 1
    await flood(verifier, bearer, range(1_000))
    assert issuer.asked - before == {DISCOVERY: 2, JWKS: 2}
    assert isinstance(await verifier.present(bearer, PLAIN, time.time()), Subject)


async def test_before_its_first_answer_a_failing_issuer_is_asked_ever_more_slowly(issuer, verifier, clock):
    issuer.fault = "down"
    outcomes = await flood(verifier, issuer.bearer(), range(1_000))
    assert outcomes == {Unavailable(issuer.url, 2): 1_000}
    assert issuer.asked.total() == 1
    clock.passed += 1
    await flood(verifier, issuer.bearer(), range(1_000))
    assert issuer.asked.total() == 1


FAULTS = [("down", "status-not-200"), ("spoilt", "discovery-not-json"), ("silent", "timed-out")]


@pytest.mark.parametrize(("fault", "told"), FAULTS, ids=[fault for fault, _ in FAULTS])
async def test_its_last_keys_serve_while_it_fails_and_new_ones_once_it_is_back(issuer, verifier, clock, fault, told):
    assert isinstance(await verifier.present(issuer.bearer(jti="1"), PLAIN, time.time()), Subject)
    issuer.fault = fault
    clock.passed += FRESH
    start = time.monotonic()
    assert isinstance(await verifier.present(issuer.bearer(jti="2"), PLAIN, time.time()), Subject)
    assert time.monotonic() - start < 6
    (status,) = verifier.status()
    assert (status.state, status.fault, verifier.ready, verifier.degraded) == ("stale", told, True, True)
    start = time.monotonic()
    assert isinstance(await verifier.present(issuer.bearer(jti="3"), PLAIN, time.time()), Subject)
    assert time.monotonic() - start < 1  # who comes later does not wait for the same failure
    issuer.fault = None
    issuer.speak.set()
    issuer.rotate()
    clock.passed += UNKNOWN_KID
    assert isinstance(await verifier.present(issuer.bearer(jti="4"), PLAIN, time.time()), Subject)
    assert not verifier.degraded


def test_a_gateway_goes_on_without_its_issuer(model, tmp_path):
    model.script = Answer(completion())
    issuer = OidcMock()
    with issuer.serving():
        policy = policy_for(issuer.url, tmp_path / "policy")
        gateway = Gateway(model.url, policy, tmp_path / "gateway")
        gateway.start()
        bearer = issuer.bearer(groups=["ward-staff"])
        assert asked(gateway, bearer) == 200
    try:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{issuer.url}{DISCOVERY}", trust_env=False)
        assert asked(gateway, bearer) == 200
        assert asked(gateway, issuer.bearer(groups=["ward-staff"], sub="kai.holm")) == 200
        assert asked(gateway, issuer.bearer(groups=["visitors"])) == 403
        assert asked(gateway, unknown(bearer, 1)) == 401
        assert httpx.get(f"{gateway.console_url}/readyz", trust_env=False).status_code == 200
    finally:
        gateway.stop()


def asked(gateway, bearer):
    with as_person(gateway, bearer) as client:
        return client.post(CHAT, json=chat()).status_code
