"""The sample issuer's sign-in behaves as a real provider's does."""

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from jose import jwt  # type: ignore[import-untyped]  # python-jose ships no types

from code_flow import CLIENT, CodeFlow
from issuer import SampleIssuer

HERE = "http://127.0.0.1:8090/desk/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ASKED = {
    "response_type": "code",
    "client_id": CLIENT,
    "redirect_uri": HERE,
    "scope": "openid",
    "state": "s",
    "nonce": "n",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
FORM = {"grant_type": "authorization_code", "client_id": CLIENT, "redirect_uri": HERE, "code_verifier": VERIFIER}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def flow(clock):
    return CodeFlow(lambda: "http://me", lambda: ["kai.holm"], lambda who, nonce: (f"{who}!", f"{nonce}!"), clock)


def came(answered):
    status, headers, _ = answered
    assert status == 303
    return {name: values[0] for name, values in parse_qs(urlsplit(headers["location"]).query).items()}


def test_somebody_chooses_who_they_are_and_gets_a_code_that_counts_once(flow):
    status, _, body = flow.authorize(ASKED, "x=%3C", "")
    assert status == 200
    assert 'value="kai.holm"' in body
    back = came(flow.chosen(ASKED, "kai.holm"))
    assert (back["state"], back["iss"]) == ("s", "http://me")
    given = {"access_token": "kai.holm!", "id_token": "n!", "token_type": "Bearer"}
    assert flow.redeem(FORM | {"code": back["code"]}) == (200, given)
    assert flow.redeem(FORM | {"code": back["code"]}) == (400, {"error": "invalid_grant"})


def test_who_signed_in_a_while_ago_is_not_asked_again_unless_that_is_wanted(flow):
    assert "code" in came(flow.authorize(ASKED, "", "kai.holm"))
    assert flow.authorize(ASKED | {"prompt": "login"}, "", "kai.holm")[0] == 200
    assert flow.authorize(ASKED, "", "root")[0] == 200
    assert came(flow.authorize(ASKED | {"prompt": "none"}, "", ""))["error"] == "login_required"


def test_nobody_is_taken_back_without_a_code(flow):
    assert came(flow.chosen(ASKED, ""))["error"] == "access_denied"


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "other"},
        {"redirect_uri": "http://evil.example/desk/callback"},
        {"redirect_uri": "http://127.0.0.1:8090/desk/callback/x"},
        {"response_type": "token"},
        {"scope": "profile"},
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
    ],
)
def test_who_asks_wrongly_is_taken_nowhere(flow, changed):
    for status, headers, _ in (
        flow.authorize(ASKED | changed, "", "kai.holm"),
        flow.chosen(ASKED | changed, "kai.holm"),
    ):
        assert (status, "location" in headers) == (400, False)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_id": "other"}, "invalid_client"),
        ({"code": "other"}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:1/desk/callback"}, "invalid_grant"),
        ({"code_verifier": "w" * 43}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
    ],
)
def test_a_code_is_for_whoever_asked_for_it(flow, changed, error):
    code = came(flow.chosen(ASKED, "kai.holm"))["code"]
    assert flow.redeem(FORM | {"code": code} | changed)[1] == {"error": error}


def test_a_code_counts_for_a_minute(flow, clock):
    code = came(flow.chosen(ASKED, "kai.holm"))["code"]
    clock.now = 60.0
    assert flow.redeem(FORM | {"code": code})[1] == {"error": "invalid_grant"}


def test_over_http_from_the_form_to_the_tokens():
    with SampleIssuer() as issuer, httpx.Client(base_url=issuer.url, trust_env=False) as client:
        query = urlencode(ASKED)
        assert client.get(f"/authorize?{query}").status_code == 200
        back = client.post(f"/authorize?{query}", data={"person": "kai.holm"})
        again = client.get(f"/authorize?{query}")
        assert (back.status_code, again.status_code) == (303, 303)
        code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
        given = client.post("/token", data=FORM | {"code": code}).json()
        keys = {"keys": issuer.published}
    access = jwt.decode(given["access_token"], keys, algorithms=["RS256"], audience="phigate")
    identity = jwt.decode(given["id_token"], keys, algorithms=["RS256"], audience=CLIENT)
    assert (access["sub"], access["groups"], "nonce" in access) == ("kai.holm", ["privacy"], False)
    assert (identity["sub"], identity["nonce"]) == ("kai.holm", "n")


def test_what_is_too_long_or_unknown_is_not_here():
    with SampleIssuer() as issuer, httpx.Client(base_url=issuer.url, trust_env=False) as client:
        assert client.post("/token", data=FORM | {"code": "x" * 20_000}).status_code == 400
        assert client.post("/mint", data={"person": "kai.holm"}).status_code == 404
        assert client.post("/token", headers={"host": "evil.example"}).status_code == 403
