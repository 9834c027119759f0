import pytest

from phigate.audit import patient
from phigate.house import read_policy
from phigate.masking.identifiers import identifier
from phigate.masking.secrets import Secrets
from phigate.sources import read_sources
from phigate.terminal import POLICY

OLD = Secrets(b"o" * 32, "1")
KEYS = Secrets(b"n" * 32, "2", (OLD,))


@pytest.fixture(scope="module")
def policy():
    return read_policy(POLICY)


@pytest.fixture(scope="module")
def sources(policy):
    return read_sources(policy)


def test_a_text_is_read_as_a_prompt_is_with_every_key(policy, sources):
    found = patient.read(["MRN 00123456", "Patient: Marguerite Ashdown"], sources, policy.capture.mask, KEYS)
    assert found == patient.Patient(
        {
            identifier("MRN", "00123456", KEYS): 1,
            identifier("MRN", "00123456", OLD): 1,
            identifier("PERSON", "marguerite ashdown", KEYS): 2,
            identifier("PERSON", "Ashdown, Marguerite", OLD): 2,
        }
    )
    assert found.kinds() == ["MRN (text 1)", "PERSON (text 2)"]


def test_a_text_without_an_identifier_is_told(policy, sources):
    found = patient.read(["MRN 00123456", "how are you"], sources, policy.capture.mask, KEYS)
    assert found.silent == (2,)


def test_a_kind_that_is_given_takes_the_text_as_it_is():
    found = patient.given(["00123456", "how are you"], "MRN", KEYS)
    assert found.identifiers[identifier("MRN", "mrn 00123456", OLD)] == 1
    assert found.identifiers[identifier("MRN", "how are you", KEYS)] == 2
    assert len(found.identifiers) == 4
    assert patient.entity_of(next(iter(found.identifiers))) == "MRN"
