"""A real issuer, a real model server and a real mitmdump with the whole chain, started once for the live tests."""

import pytest

from issuer import SampleIssuer
from model_server import ModelServer
from people import policy_for
from processes import Gateway
from tests.traffic import as_person


@pytest.fixture(scope="session")
def issuer():
    with SampleIssuer() as running:
        yield running


@pytest.fixture(scope="session")
def _model():
    with ModelServer() as running:
        yield running


@pytest.fixture
def model(_model):
    _model.forget()
    yield _model
    _model.forget()


WAITS = "    wait: PT2M\n"


@pytest.fixture(scope="session")
def policy(issuer, tmp_path_factory):
    """The policy that ships, but nobody waits for people with a connection open."""
    made = policy_for(issuer.url, tmp_path_factory.mktemp("policy"))
    text = made.read_text()
    assert text.count(WAITS) == 1
    made.write_text(text.replace(WAITS, ""))
    return made


@pytest.fixture(scope="session")
def gateway(_model, policy, tmp_path_factory):
    with Gateway(_model.url, policy, tmp_path_factory.mktemp("gateway")) as running:
        yield running


class Bearers(dict[str, str]):
    """What pytest prints of a failed test's arguments must hold no credential."""

    def __repr__(self):
        return f"<{len(self)} bearers>"


@pytest.fixture(scope="session")
def bearers(issuer):
    """A bearer of each sample person, by login."""
    logins = ("dr.okafor", "sam.lindqvist", "priya.raman", "lee.castellano")
    return Bearers({login: issuer.mint_for(login) for login in logins})


@pytest.fixture
def client(gateway, bearers):
    """An HTTP client of the clinician's, in front of the shared gateway."""
    with as_person(gateway, bearers["dr.okafor"]) as made:
        yield made


@pytest.fixture(scope="session")
def wide(_model, issuer, tmp_path_factory):
    """A gateway in front of the same server, whose clinicians may also rank and predict."""
    policy = policy_for(issuer.url, tmp_path_factory.mktemp("wide-policy"))
    text = policy.read_text()
    narrow = "to: [chat, complete, embed]\n"
    assert narrow in text
    policy.write_text(text.replace(narrow, "to: [chat, complete, embed, rank, predict]\n"))
    with Gateway(_model.url, policy, tmp_path_factory.mktemp("wide")) as running:
        yield running
