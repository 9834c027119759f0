from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from jose import jwt  # type: ignore[import-untyped]  # python-jose ships no types

from issuer import PEOPLE, SampleIssuer

SCRIPT = Path(__file__).parents[2] / "samples" / "issuer.py"


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False, timeout=5)


def test_discovery_names_the_issuer_and_its_keys() -> None:
    with SampleIssuer() as issuer:
        document = get(f"{issuer.url}/.well-known/openid-configuration").json()
        assert document["issuer"] == issuer.url
        keys = get(document["jwks_uri"]).json()["keys"]
    assert [(key["kty"], key["alg"], key["use"]) for key in keys] == [("RSA", "RS256", "sig"), ("EC", "ES256", "sig")]
    assert not any({"d", "p", "q", "k"} & key.keys() for key in keys)


@pytest.mark.parametrize("person", PEOPLE)
def test_each_of_the_people_gets_a_bearer(person: str) -> None:
    with SampleIssuer() as issuer:
        bearer = get(f"{issuer.url}/mint?person={person}").text
        said = jwt.decode(bearer, {"keys": issuer.published}, algorithms=["RS256"], audience="phigate")
    assert (said["sub"], tuple(said["groups"])) == (person, PEOPLE[person])


@pytest.mark.parametrize("query", ["", "?person=", "?person=root", "?who=dr.okafor"])
def test_nobody_else_gets_one(query: str) -> None:
    with SampleIssuer() as issuer:
        assert get(f"{issuer.url}/mint{query}").status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1.evil.example:9000"])
def test_a_page_that_points_its_own_name_here_gets_nothing(host: str) -> None:
    with SampleIssuer() as issuer:
        assert get(f"{issuer.url}/mint?person=dr.okafor", host=host).status_code == 403


def test_claims_and_algorithm_are_the_callers_choice() -> None:
    with SampleIssuer(audience="other", lifetime=60) as issuer:
        bearer = issuer.mint("x", ["a"], alg="ES256", jti=None, scope="chat")
    said = jwt.get_unverified_claims(bearer)
    assert (said["aud"], said["scope"], said["exp"] - said["iat"]) == ("other", "chat", 60)
    assert "jti" not in said


def test_rotation_retires_the_old_keys_unless_they_are_kept() -> None:
    issuer = SampleIssuer()
    first = {key["kid"] for key in issuer.published}
    issuer.rotate(keep=True)
    assert first < {key["kid"] for key in issuer.published}
    issuer.rotate()
    assert len(issuer.published) == 2
    issuer.close()


def test_an_outage_is_one() -> None:
    with SampleIssuer() as issuer:
        issuer.down = True
        assert get(f"{issuer.url}/jwks").status_code == 503
        assert issuer.asked["/jwks"] == 1


def test_as_a_command_it_prints_its_address_and_serves() -> None:
    command = [sys.executable, str(SCRIPT), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert get(f"{url}/mint?person=dr.okafor").status_code == 200
        finally:
            process.terminate()
