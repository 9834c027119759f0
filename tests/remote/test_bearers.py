"""Whose bearer a command shows that runs for longer than a bearer lives."""

import time

import pytest

from issuer import SampleIssuer
from phigate.remote import bearers
from phigate.remote.bearers import REQUEST_TOKEN, REQUEST_URL, Bearers
from phigate.remote.client import TOKEN, UNREACHABLE, USAGE, Fault
from pipeline import GitHubJob


@pytest.fixture(scope="module")
def issuer():
    with SampleIssuer() as running:
        yield running


@pytest.fixture
def job(issuer, monkeypatch):
    with GitHubJob(issuer) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def test_a_job_of_github_fetches_one_and_shows_it_while_it_lives(job):
    mine = Bearers(None, "phigate")
    first = mine.now()
    assert mine.now() == first
    assert (job.fetched, mine.renews) == (1, True)
    mine.forget()
    assert mine.now() != first


def test_one_that_is_nearly_over_is_fetched_anew(job):
    job.lifetime = int(bearers.SPARE) + 1
    mine = Bearers(None, "phigate")
    first, soon = mine.now(), time.time() + 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: soon)
        assert mine.now() != first


def test_a_file_is_read_again_once_what_it_held_is_over(issuer, tmp_path):
    path = tmp_path / "bearer"
    path.write_text(issuer.mint("ada", exp=int(time.time()) + 30))
    mine = Bearers(path, None)
    assert mine.now() == path.read_text()
    path.write_text("opaque-one")
    assert mine.now() == "opaque-one"
    path.write_text("opaque-two")
    assert (mine.now(), mine.renews) == ("opaque-two", False)


def test_the_environment_is_read_where_there_is_no_file(monkeypatch):
    monkeypatch.setenv(TOKEN, "mine")
    assert Bearers(None, None).now() == "mine"


def fault(audience="phigate"):
    with pytest.raises(Fault) as found:
        Bearers(None, audience).now()
    return found.value


def test_without_the_permission_it_says_which(monkeypatch):
    for name in (REQUEST_URL, REQUEST_TOKEN):
        monkeypatch.delenv(name, raising=False)
    assert "id-token: write" in fault().sentence
    monkeypatch.setenv(REQUEST_URL, "http://ci.example/token")
    monkeypatch.setenv(REQUEST_TOKEN, "secret")
    assert (fault().exits, "https" in fault().sentence) == (USAGE, True)


@pytest.mark.parametrize("answer", [(403, {}), (200, {"value": 7}), (200, {"value": "a\nb"}), (200, b"x" * 70_000)])
def test_what_is_no_bearer_is_told_without_a_word_of_it(console, monkeypatch, answer):
    monkeypatch.setenv(REQUEST_URL, f"{console.url}/token")
    monkeypatch.setenv(REQUEST_TOKEN, "the-jobs-secret")
    console.answers["GET", "/token?audience=phigate"] = answer
    said = fault()
    assert (said.exits, "the-jobs-secret" in said.sentence) == (UNREACHABLE, False)


def test_an_issuer_that_is_not_there_may_be_there_again(monkeypatch):
    monkeypatch.setenv(REQUEST_URL, "http://127.0.0.1:1/token")
    monkeypatch.setenv(REQUEST_TOKEN, "secret")
    assert fault().exits == UNREACHABLE


def test_an_audience_is_one_value_whatever_stands_in_it(console, monkeypatch):
    monkeypatch.setenv(REQUEST_URL, f"{console.url}/token?v=2")
    monkeypatch.setenv(REQUEST_TOKEN, "secret")
    console.answers["GET", "/token?v=2&audience=https%3A%2F%2Fa.example%2F%3Fb%26c"] = (200, {"value": "found"})
    assert Bearers(None, "https://a.example/?b&c").now() == "found"
