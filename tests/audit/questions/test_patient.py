import pytest

from phigate.audit.questions import patient
from phigate.masking.identifiers import identifier
from phigate.masking.secrets import Secrets
from phigate.serving import read_policy
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
    named = {
        identifier("MRN", "00123456", KEYS): 1,
        identifier("MRN", "00123456", OLD): 1,
        identifier("PERSON", "marguerite ashdown", KEYS): 2,
        identifier("PERSON", "Ashdown, Marguerite", OLD): 2,
    }
    assert found.named == frozenset(named)
    assert found.silent == ()
    assert {value: found.identifiers[value] for value in found.named} == named
    assert found.kinds() == ["MRN (text 1)", "name (text 2)"]


@pytest.mark.parametrize(
    ("text", "kind", "recorded"),
    [
        ("Marguerite Ashdown", "PERSON", "Marguerite Ashdown"),
        ("MRN 4471902", "UNIQUE_ID", "4471902"),
        ("536-22-8145", "MRN", "536228145"),
        ("Ashdown, Marguerite", "PERSON", "Marguerite Ashdown"),
    ],
)
def test_a_value_is_asked_for_as_every_kind_that_it_might_be(policy, sources, text, kind, recorded):
    found = patient.read([text], sources, policy.capture.mask, KEYS)
    assert {identifier(kind, recorded, KEYS), identifier(kind, recorded, OLD)} <= found.identifiers.keys()
    assert len(found.kinds()) == 1


def test_what_shows_by_its_form_is_no_other_kind():
    assert patient.alike("EMAIL_ADDRESS") == {"EMAIL_ADDRESS"}
    assert "PERSON" not in patient.alike("MRN")
    assert "MRN" not in patient.alike("PERSON")


def test_a_text_without_an_identifier_is_told(policy, sources):
    found = patient.read(["MRN 00123456", "how are you"], sources, policy.capture.mask, KEYS)
    assert found.silent == (2,)


def test_a_kind_that_is_given_takes_the_text_as_it_is():
    found = patient.given(["00123456", "how are you"], "MRN", KEYS)
    assert found.identifiers[identifier("MRN", "mrn 00123456", OLD)] == 1
    assert found.identifiers[identifier("MRN", "how are you", KEYS)] == 2
    assert len(found.identifiers) == 4
    assert patient.entity_of(next(iter(found.identifiers))) == "MRN"
