"""Kinds of identifiers, and codes that say nothing about anybody."""

from __future__ import annotations

import pytest

from phigate.masking.structure.codes import IDENTIFIER_SYSTEMS, IDENTIFIER_TYPES, is_code, of_system
from phigate.policy.words import ENTITIES


@pytest.mark.parametrize(
    ("system", "entity"),
    [
        ("http://hl7.org/fhir/sid/us-ssn", "US_SSN"),
        ("http://mercy.example/mrn", "MRN"),
        ("urn:oid:2.16.840.1.113883.4.3.17", "LICENSE_NUMBER"),
        ("https://plan.example/member-id", "HEALTH_PLAN_ID"),
        ("https://x.example/billing/account", "ACCOUNT_NUMBER"),
        ("https://x.example/visit", "ENCOUNTER_ID"),
        ("urn:oid:1.2.3", None),
    ],
)
def test_what_a_system_says(system, entity):
    assert of_system(system) == entity


@pytest.mark.parametrize(
    ("system", "code", "known"),
    [
        ("http://loinc.org", "718-7", True),
        ("http://loinc.org", "219-09-9999", False),
        ("http://snomed.info/sct", "49049000", True),
        ("http://snomed.info/sct", "Anna", False),
        ("http://hl7.org/fhir/sid/icd-10-cm", "G20", True),
        ("http://hl7.org/fhir/sid/icd-10-cm", "E11.65", True),
        ("http://www.nlm.nih.gov/research/umls/rxnorm", "219099999", False),
        ("http://unitsofmeasure.org", "mg/dL", True),
        ("http://terminology.hl7.org/CodeSystem/v2-0203", "MR", True),
        ("http://terminology.hl7.org/CodeSystem/v2-0203", "Anna Stone", False),
        ("urn:local", "x", False),
        (None, "x", False),
        ("http://loinc.org", 7, False),
    ],
)
def test_whether_a_code_is_one(system, code, known):
    assert is_code(system, code) is known


def test_the_tables_hold_entities():
    assert {*IDENTIFIER_TYPES.values(), *IDENTIFIER_SYSTEMS.values()} <= ENTITIES
