from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import joserfc.jwk
import joserfc.jwt
import oidc_provider_mock  # type: ignore[import-untyped]  # ships no types
import pytest
from oidc_provider_mock import _server
from oidc_provider_mock import _storage as mock_storage

from issuer import PEOPLE, SampleIssuer
from phigate.exchange import Subject
from phigate.identity.follow import Follow
from phigate.identity.keys import FRESH, STALE, UNKNOWN_KID, Keys
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.proof import Presented
from phigate.identity.verify import Verifier
from phigate.policy.load import parse_policy
from tests.identity.forge import Rule, Rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    import flask


class Time:
    def __init__(self) -> None:
        self.passed = 0.0

    def __call__(self) -> float:
        return self.passed


def policy_for(url: str, **changes: Any) -> Rules:
    rule = Rule(issuer=url, algorithms=("RS256", "ES256"), leeway=timedelta(seconds=60))
    return Rules(issuers=(replace(rule, **changes),))


def fields(bearer: str) -> list[tuple[bytes, bytes]]:
    return [(b"Host", b"gateway"), (b"Authorization", f"Bearer {bearer}".encode())]


PLAIN = Presented(method="POST", url=None, proof=(), certificate=None, scheme="bearer")


def remembered(verifier: Verifier, bearer: str, now: float) -> Subject | None:
    known = verifier.cached(bearer, now)
    return known.subject if known else None


@pytest.fixture
def issuer() -> Iterator[SampleIssuer]:
    with SampleIssuer() as made:
        yield made


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
async def verifier(issuer: SampleIssuer, clock: Time) -> AsyncIterator[Verifier]:
    policy = policy_for(issuer.url)
    made = Verifier(policy, Keys(policy.issuers, policy.folder, clock=clock))
    yield made
    await made.close()


@pytest.mark.parametrize("person", PEOPLE)
async def test_the_sample_people_are_who_they_are(verifier: Verifier, issuer: SampleIssuer, person: str) -> None:
    subject = await verifier.verify(fields(issuer.mint_for(person)), PLAIN, time.time())
    assert isinstance(subject, Subject)
    assert (subject.issuer, subject.id, subject.groups) == (issuer.url, person, PEOPLE[person])
    assert subject.roles == frozenset(PEOPLE[person])


async def test_a_bearer_is_settled_without_waiting_the_second_time(verifier: Verifier, issuer: SampleIssuer) -> None:
    now, bearer = time.time(), issuer.mint_for("dr.okafor")
    assert verifier.cached(bearer, now) is None
    subject = await verifier.present(bearer, PLAIN, now)
    assert remembered(verifier, bearer, now) is subject
    issuer.down = True
    assert await verifier.present(bearer, PLAIN, now) is subject


async def test_a_bearer_that_was_believed_is_never_believed_for_longer_wherever_the_clock_is_put(
    issuer: SampleIssuer, clock: Time
) -> None:
    policy, now = policy_for(issuer.url), time.time()
    verifier = Verifier(policy, Keys(policy.issuers, policy.folder), clock=clock)
    short, long = (issuer.mint("x", exp=now + left) for left in (600, 5000))
    assert isinstance(await verifier.present(short, PLAIN, now), Subject)
    for put in (3600.0, -3600.0, 0.0):
        assert isinstance(await verifier.present(long, PLAIN, now + put), Subject), put
    assert await verifier.present(short, PLAIN, now + 3600) == Refused("expired")
    assert isinstance(await verifier.present(short, PLAIN, now + 1), Subject)  # no time has passed
    clock.passed += 600 + 60
    assert await verifier.present(short, PLAIN, now) == Refused("expired")
    assert isinstance(await verifier.present(long, PLAIN, now), Subject)
    await verifier.close()


async def test_by_a_clock_that_is_astray_nobody_is_called_over(issuer: SampleIssuer) -> None:
    policy, follow = policy_for(issuer.url), Follow()
    verifier = Verifier(policy, Keys(policy.issuers, policy.folder), follow=follow)
    follow.astray = True
    late = time.time() + 10 * 365 * 86_400
    for bearer in (issuer.mint_for("dr.okafor"), "nobody's"):
        assert await verifier.present(bearer, PLAIN, late) == Unavailable("", 1, "clock-astray")
    assert await verifier.verify([], PLAIN, late) == Refused("bearer-missing")
    await verifier.close()


async def test_a_refused_bearer_is_not_kept(verifier: Verifier, issuer: SampleIssuer) -> None:
    now, bearer = time.time(), issuer.mint("x", aud="billing")
    assert await verifier.present(bearer, PLAIN, now) == Refused("aud-mismatch")
    assert verifier.cached(bearer, now) is None


async def test_without_a_bearer_nobody_is_asked(verifier: Verifier, issuer: SampleIssuer) -> None:
    assert await verifier.verify([], PLAIN, time.time()) == Refused("bearer-missing")
    assert await verifier.verify([(b"authorization", b"Basic YTpi")], PLAIN, time.time()) == Refused(
        "scheme-not-bearer"
    )
    assert not issuer.asked


async def test_the_clients_own_header_carries_a_bearer_where_its_protocol_says_so(
    verifier: Verifier, issuer: SampleIssuer
) -> None:
    sent = [(b"x-api-key", issuer.mint_for("dr.okafor").encode())]
    assert isinstance(await verifier.verify(sent, PLAIN, time.time(), "x-api-key"), Subject)
    assert await verifier.verify(sent, PLAIN, time.time()) == Refused("bearer-missing")


async def test_a_hostile_header_is_refused_before_keys_are_asked_for(verifier: Verifier, issuer: SampleIssuer) -> None:
    assert await verifier.verify(fields("a.b"), PLAIN, time.time()) == Refused("malformed")
    assert await verifier.verify([(b"authorization", b"Bearer \xff\xfe")], PLAIN, time.time()) == Refused("malformed")
    assert not issuer.asked


async def test_rotation_is_followed_and_the_old_keys_bearers_die_with_it(
    verifier: Verifier, issuer: SampleIssuer
) -> None:
    now, old = time.time(), issuer.mint_for("dr.okafor")
    assert isinstance(await verifier.present(old, PLAIN, now), Subject)
    issuer.rotate()
    assert isinstance(await verifier.present(issuer.mint_for("sam.lindqvist"), PLAIN, now), Subject)
    assert verifier.cached(old, now) is None
    assert await verifier.present(old, PLAIN, now) == Refused("kid-unknown")


async def test_a_rotation_that_keeps_the_old_keys_keeps_their_bearers(verifier: Verifier, issuer: SampleIssuer) -> None:
    now, old = time.time(), issuer.mint("x", alg="ES256")
    assert isinstance(await verifier.present(old, PLAIN, now), Subject)
    issuer.rotate(keep=True)
    assert isinstance(await verifier.present(issuer.mint("x", alg="ES256"), PLAIN, now), Subject)
    assert isinstance(await verifier.present(old, PLAIN, now), Subject)


async def test_unknown_kids_do_not_make_us_a_nuisance_to_the_issuer(verifier: Verifier, issuer: SampleIssuer) -> None:
    now = time.time()
    await verifier.present(issuer.mint_for("dr.okafor"), PLAIN, now)
    for number in range(50):
        bearer = issuer.mint("x", headers={"kid": f"unknown-{number}"})
        assert await verifier.present(bearer, PLAIN, now) == Refused("kid-unknown")
    assert issuer.asked["/jwks"] == 2


async def test_an_outage_from_the_start_is_unavailable_and_over_when_it_is_over(
    verifier: Verifier, issuer: SampleIssuer, clock: Time
) -> None:
    now, bearer = time.time(), issuer.mint_for("dr.okafor")
    issuer.down = True
    assert await verifier.present(bearer, PLAIN, now) == Unavailable(issuer.url, retry_after=2)
    assert (verifier.ready, verifier.degraded) == (False, True)
    issuer.down = False
    clock.passed += 2
    assert isinstance(await verifier.present(bearer, PLAIN, now), Subject)
    assert (verifier.ready, verifier.degraded) == (True, False)


async def test_of_two_issuers_one_that_fails_is_told_and_keeps_nobody_out_but_its_own(issuer: SampleIssuer) -> None:
    dead = Rule(issuer="http://127.0.0.1:9", algorithms=("RS256",))
    policy = Rules(issuers=(*policy_for(issuer.url).issuers, dead))
    verifier = Verifier(policy, Keys(policy.issuers, policy.folder))
    assert isinstance(await verifier.present(issuer.mint_for("dr.okafor"), PLAIN, time.time()), Subject)
    assert not verifier.ready  # nobody knows yet how the other one is
    await verifier._keys.refresh_due()
    assert (verifier.ready, verifier.degraded) == (True, True)
    assert list(verifier.faults()) == [(dead.issuer, "keys", "unreachable", 1)]
    said = "its keys cannot be had (unreachable): bearers of its people are not believed"
    assert verifier.remarks() == {f"issuer {dead.issuer}": said}
    await verifier.close()


async def test_in_a_later_outage_the_last_keys_serve_and_that_shows(
    verifier: Verifier, issuer: SampleIssuer, clock: Time
) -> None:
    now = time.time()
    await verifier.present(issuer.mint_for("dr.okafor"), PLAIN, now)
    issuer.down = True
    clock.passed += FRESH
    assert isinstance(await verifier.present(issuer.mint_for("sam.lindqvist"), PLAIN, now), Subject)
    assert (verifier.ready, verifier.degraded) == (True, True)
    said = "its keys cannot be had anew (status-not-200), those of 600 s ago serve"
    assert verifier.remarks() == {f"issuer {issuer.url}": said}


async def test_a_changed_policy_means_new_roles_at_once(verifier: Verifier, issuer: SampleIssuer) -> None:
    now, bearer = time.time(), issuer.mint_for("dr.okafor")
    await verifier.present(bearer, PLAIN, now)
    verifier.replace(policy_for(issuer.url, groups_from=()))
    assert verifier.cached(bearer, now) is None
    subject = await verifier.present(bearer, PLAIN, now)
    assert isinstance(subject, Subject)
    assert subject.roles == frozenset()
    verifier.replace(policy_for(issuer.url, audience=("other",)))
    assert await verifier.present(bearer, PLAIN, now) == Refused("aud-mismatch")
    verifier.replace(policy_for("https://other.example"))
    assert await verifier.present(bearer, PLAIN, now) == Refused("issuer-unknown")


async def test_an_issuer_that_a_changed_policy_adds_is_believed(verifier: Verifier, issuer: SampleIssuer) -> None:
    now = time.time()
    with SampleIssuer() as added:
        assert await verifier.present(added.mint_for("dr.okafor"), PLAIN, now) == Refused("issuer-unknown")
        verifier.replace(Rules(issuers=(*policy_for(issuer.url).issuers, *policy_for(added.url).issuers)))
        assert isinstance(await verifier.present(added.mint_for("dr.okafor"), PLAIN, now), Subject)
        assert isinstance(await verifier.present(issuer.mint_for("dr.okafor"), PLAIN, now), Subject)


async def test_a_policy_that_changes_while_keys_are_fetched_is_the_one_that_counts(issuer: SampleIssuer) -> None:
    class Changing(Keys):
        async def keyset(self, issuer: str, kid: str | None) -> Any:
            found = await super().keyset(issuer, kid)
            if verifier._policy is before:
                verifier.replace(policy_for(issuer, groups_from=()))
            return found

    before = policy_for(issuer.url)
    verifier = Verifier(before, Changing(before.issuers, before.folder))
    now, bearer = time.time(), issuer.mint_for("dr.okafor")
    subject = await verifier.present(bearer, PLAIN, now)
    assert isinstance(subject, Subject)
    assert subject.roles == frozenset()
    assert remembered(verifier, bearer, now) is subject
    await verifier.close()


async def test_the_background_fetches_before_anybody_asks(verifier: Verifier, issuer: SampleIssuer) -> None:
    verifier.start()
    verifier.start()
    deadline = time.monotonic() + 5
    while not verifier.ready and time.monotonic() < deadline:  # noqa: ASYNC110 -- it tells nobody when it is
        await asyncio.sleep(0.01)
    assert verifier.ready
    assert issuer.asked["/jwks"] == 1


async def test_a_real_policy_file_gives_real_roles(issuer: SampleIssuer, tmp_path: Path) -> None:
    text = f"""
version: 1
issuers:
  - issuer: {issuer.url}
    audience: phigate
    algorithms: [RS256, ES256]
    keys: discover
    groups_from: groups
roles:
  clinician: [ward-staff]
rules:
  - {{name: chat, permit: [clinician], to: [chat], models: ["*"], purpose: treatment, mask: all}}
masks:
  all: {{OTHER: redact}}
"""
    verifier = Verifier(parse_policy(text.encode(), "policy.yaml", tmp_path))
    subject = await verifier.present(issuer.mint_for("dr.okafor"), PLAIN, time.time())
    assert isinstance(subject, Subject)
    assert subject.roles == {"clinician"}
    visitor = await verifier.present(issuer.mint_for("lee.castellano"), PLAIN, time.time())
    assert isinstance(visitor, Subject)
    assert visitor.roles == frozenset()
    await verifier.close()


class MockProvider:
    """oidc-provider-mock on a free loopback port: its own discovery, keys and sign-in."""

    def __init__(self, app: flask.Flask, port: int) -> None:
        self.app = app
        self.url = f"http://localhost:{port}"

    def id_token(self) -> str:
        """Sign in as a browser would, and take the ID token, the only JWT this provider issues by itself."""
        query = {"client_id": "phigate", "redirect_uri": "https://app.example/cb", "response_type": "code"}
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            answer = client.post("/oauth2/authorize", params={**query, "scope": "openid"}, data={"sub": "dr.okafor"})
            code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": query["redirect_uri"]}
            answer = client.post("/oauth2/token", data=form, auth=("phigate", "any"))
        return str(answer.json()["id_token"])

    def access_token(self, **claims: Any) -> str:
        """Sign an access token with the provider's own current key; its own ones are opaque."""
        now = int(time.time())
        said = {"iss": self.url, "sub": "dr.okafor", "aud": "phigate", "iat": now, "exp": now + 600, **claims}
        key = self._key()
        return joserfc.jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": key.kid}, said, key)

    def rotate(self) -> None:
        with self._inside():
            mock_storage.storage.jwk = joserfc.jwk.RSAKey.generate_key(private=True)

    def _key(self) -> joserfc.jwk.RSAKey:
        with self._inside():
            key: joserfc.jwk.RSAKey = mock_storage.storage.jwk
        key.ensure_kid()
        return key

    @contextmanager
    def _inside(self) -> Iterator[None]:
        with self.app.test_request_context():
            self.app.preprocess_request()
            yield


@pytest.fixture
def provider() -> Iterator[MockProvider]:
    app = oidc_provider_mock.app()
    with _server._threaded_server(app) as server:
        yield MockProvider(app, server.server_port)


@pytest.fixture
async def at_provider(provider: MockProvider, clock: Time) -> AsyncIterator[Verifier]:
    policy = policy_for(provider.url)
    made = Verifier(policy, Keys(policy.issuers, policy.folder, clock=clock))
    yield made
    await made.close()


async def test_a_foreign_providers_bearer_is_believed(at_provider: Verifier, provider: MockProvider) -> None:
    subject = await at_provider.verify(fields(provider.access_token(groups=["ward-staff"])), PLAIN, time.time())
    assert isinstance(subject, Subject)
    assert (subject.issuer, subject.id, subject.groups) == (provider.url, "dr.okafor", ("ward-staff",))


async def test_a_foreign_providers_id_token_opens_nothing(at_provider: Verifier, provider: MockProvider) -> None:
    # Its audience is the client, which is named like us here: only what it is gives it away.
    id_token = await asyncio.to_thread(provider.id_token)
    assert await at_provider.verify(fields(id_token), PLAIN, time.time()) == Refused("id-token")


async def test_a_foreign_providers_rotation_is_followed(
    at_provider: Verifier, provider: MockProvider, clock: Time
) -> None:
    now, old = time.time(), provider.access_token()
    assert isinstance(await at_provider.present(old, PLAIN, now), Subject)
    provider.rotate()
    new = provider.access_token()
    assert isinstance(await at_provider.present(new, PLAIN, now), Subject)
    assert await at_provider.present(old, PLAIN, now) == Refused("kid-unknown")
    provider.rotate()
    assert await at_provider.present(provider.access_token(), PLAIN, now) == Refused("kid-unknown")
    clock.passed += UNKNOWN_KID
    assert isinstance(await at_provider.present(provider.access_token(), PLAIN, now), Subject)


async def test_a_foreign_providers_outage_is_survived_on_its_last_keys(clock: Time) -> None:
    app, now = oidc_provider_mock.app(), time.time()
    with _server._threaded_server(app) as server:
        provider = MockProvider(app, server.server_port)
        policy = policy_for(provider.url)
        verifier = Verifier(policy, Keys(policy.issuers, policy.folder, clock=clock))
        assert isinstance(await verifier.present(provider.access_token(jti="1"), PLAIN, now), Subject)
    clock.passed += FRESH
    assert isinstance(await verifier.present(provider.access_token(jti="2"), PLAIN, now), Subject)
    assert verifier.status()[0].fault == "unreachable"
    assert (verifier.ready, verifier.degraded) == (True, True)
    clock.passed += STALE
    assert isinstance(await verifier.present(provider.access_token(jti="3"), PLAIN, now), Unavailable)
    await verifier.close()
