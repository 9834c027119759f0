"""The benchmark of the identity room measures what it says; no figure is judged here."""

import json
import os
import re
import subprocess
import sys

import pytest

from bench import identity
from bench.identity import ALGORITHMS, WAYS, Remembered, Signer, bearer_of, believes, cold, measure, rate_of, ratio
from phigate.identity.jwks import parse_jwks
from phigate.policy.load import parse_policy
from processes import ROOT

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")


@pytest.fixture(scope="module")
def signers():
    return {alg: Signer(alg) for alg in ALGORITHMS}


@pytest.fixture(scope="module")
def jwks(signers):
    return {"keys": [signer.jwk() for signer in signers.values()]}


def ways(bearer, alg, jwks, folder):
    policy = parse_policy(identity.POLICY.encode(), "policy.yaml", folder)
    keys = parse_jwks(json.dumps(jwks).encode())
    made = {name: way(bearer, alg, jwks) for name, way in WAYS.items()} | {"ours": cold(bearer, policy, keys)}
    return {name: way for name, way in made.items() if way}


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_every_way_believes_the_honest_and_refuses_the_others(signers, jwks, tmp_path, alg):
    signer = signers[alg]
    honest, foreign = ways(bearer_of(signer), alg, jwks, tmp_path), bearer_of(signer, aud="billing")
    other = bearer_of(signer, sub="somebody-else")
    mixed = ".".join([*other.split(".")[:2], bearer_of(signer).split(".")[2]])
    assert len(honest) == (2 if alg in {"PS256", "EdDSA"} else 3) + 1
    assert all(map(believes, honest.values()))
    for bearer in (foreign, mixed, bearer_of(signer, exp=1)):
        assert not any(map(believes, ways(bearer, alg, jwks, tmp_path).values()))


def test_the_libraries_check_less_than_we_do(signers, jwks, tmp_path):
    signer = signers["RS256"]
    passed = {}
    for sentence, claims in {"an ID token": {"token_use": "id"}, "for anybody": {"aud": None}}.items():
        bearer = bearer_of(signer, **claims)
        passed[sentence] = {name for name, way in ways(bearer, "RS256", jwks, tmp_path).items() if believes(way)}
    assert passed == {"an ID token": {"python-jose", "joserfc", "PyJWT"}, "for anybody": {"python-jose"}}


async def test_a_remembered_bearer_is_one_that_was_believed(signers, jwks, tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps(jwks))
    made = Remembered(parse_policy(identity.POLICY.encode(), "policy.yaml", tmp_path))
    bearer = bearer_of(signers["ES256"])
    assert await made.believe(bearer)
    assert len(made._follow.revoked) == identity.REVOKED
    assert len(made._verifier._cache) == 1
    assert not await made.believe(bearer_of(signers["ES256"], aud="billing"))
    assert 0 < await made.work(bearer, 10) < 1
    await made.close()


def test_a_rate_is_what_fits_into_a_second():
    asked = []

    def work(times):
        asked.append(times)
        return times * 0.001

    assert rate_of(work, 0.1) == pytest.approx(1000)
    assert asked[:4] == [1, 2, 4, 8]


def test_who_begins_a_round_alternates():
    begun = []

    def way(name):
        def work(times):
            begun.append(name)
            return 1.0

        return work

    assert measure([way("a"), None, way("b")], identity.Plan(2, 0.5)) == [[1.0, 1.0], [], [1.0, 1.0]]
    assert begun == ["a", "b", "b", "a"]


def test_a_ratio_is_the_median_of_the_rounds_own():
    assert ratio([200.0, 50.0, 40.0], [100.0, 50.0, 10.0]) == "2.00 (1.00-4.00)"
    assert ratio([1.0], []) == "-"


def test_a_smoke_run():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "samples"), "COLUMNS": "200"}
    command = [sys.executable, "-m", "bench", "identity", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    for alg in ALGORITHMS:
        assert re.search(rf"{alg} .*\d,\d\d\d .*\d\.\d\d", done.stdout)
    assert re.search(r"a remembered bearer costs up to \d+\.\d\d us, (not )?within the target of 5 us", done.stdout)
