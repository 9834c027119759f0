"""Jobs of pipelines: what is signed for them, and who may fetch it."""

import httpx
import pytest
from jose import jwt  # type: ignore[import-untyped]  # python-jose ships no types

from issuer import SampleIssuer
from pipeline import COMMIT, GitHubJob, github, gitlab, minted


@pytest.fixture
def issuer():
    with SampleIssuer() as running:
        yield running


@pytest.mark.parametrize("claims", [github(), gitlab()], ids=["github", "gitlab"])
def test_a_jobs_bearer_says_which_commit_it_runs_and_no_groups(issuer, claims):
    said = minted(issuer, claims)
    read = jwt.get_unverified_claims(said)
    assert (read["sha"], read["iss"], read["sub"]) == (COMMIT, issuer.url, claims["sub"])
    assert "groups" not in read
    assert jwt.get_unverified_header(said)["typ"] == "JWT"


def test_a_job_fetches_its_bearer_by_its_secret_and_for_one_audience(issuer):
    with GitHubJob(issuer, lifetime=60) as job:
        url, secret = job.environment.values()
        mine = {"authorization": f"Bearer {secret}"}
        found = httpx.get(f"{url}&audience=phigate", headers=mine, trust_env=False).json()["value"]
        claims = jwt.get_unverified_claims(found)
        assert claims["exp"] - claims["iat"] == 60
        assert httpx.get(f"{url}&audience=phigate", trust_env=False).status_code == 403
        assert httpx.get(f"{url}&audience=other", headers=mine, trust_env=False).status_code == 403
        assert job.fetched == 1
