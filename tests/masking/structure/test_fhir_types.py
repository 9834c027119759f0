"""The tables of FHIR: every rule is one that the walk knows."""

from __future__ import annotations

import pytest

from phigate.masking.structure import fhir, fhir_types
from phigate.masking.structure.fhir_types import TYPES
from phigate.policy.words import ENTITIES

RULES = ENTITIES | {"keep", "prose", "scan", "resource"} | TYPES.keys() | {way for way in fhir._WAYS if way}
TABLES = [
    "TEXT_OF",
    "ELEMENTS",
    "OF_RESOURCE",
    "EXTENSIONS",
    "SUFFIXES",
    "ID_OF",
    "IDENTIFIER_OF",
    "NAMED_AS",
    "NAMED_BY",
    "CONTACTS",
]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_holds_known_rules(name):
    assert set(getattr(fhir_types, name).values()) <= RULES


def test_data_types_hold_known_rules():
    assert {rule for members in TYPES.values() for rule in members.values()} <= RULES


@pytest.mark.parametrize(
    ("element", "rule"),
    [
        ("effectiveDateTime", "DATE_TIME"),
        ("birthDate", "DATE_TIME"),
        ("authoredOn", "DATE_TIME"),
        ("valueHumanName", "HumanName"),
        ("onsetAge", "Age"),
        ("valueString", "scan"),
        ("deceasedBoolean", "keep"),
        ("valueUrl", "URL"),
        ("locationReference", "Reference"),
        ("comment", "prose"),
        ("neverHeardOf", None),
    ],
)
def test_what_an_element_is(element, rule):
    assert fhir._rule(fhir.Place("Invented", element, {})) == rule
