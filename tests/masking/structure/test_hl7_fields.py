"""The tables of HL7 v2: every rule is one that the walk knows."""

from __future__ import annotations

import re

from phigate.masking.structure.hl7_fields import COMPONENTS, SEGMENTS, VALUES
from phigate.policy.words import ENTITIES

TREATMENTS = ENTITIES | {"keep", "prose", "scan"}


def test_segments_and_values_hold_known_rules():
    rules = {rule for fields in SEGMENTS.values() for rule in fields.values()} | set(VALUES.values())
    assert {rule.partition(":")[0] for rule in rules} <= TREATMENTS | COMPONENTS.keys() | {"value"}
    assert {entity for rule in rules if (entity := rule.partition(":")[2])} <= ENTITIES


def test_components_hold_known_rules():
    own = {"number", "staff", "contact", "data"}
    assert {rule for parts in COMPONENTS.values() for rule in parts.values()} <= TREATMENTS | own


def test_names_are_names_of_segments():
    assert all(re.fullmatch(r"[A-Z][A-Z0-9]{2}", name) for name in SEGMENTS)
    assert len(SEGMENTS) > 40
