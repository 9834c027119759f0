"""Names of columns and members."""

from __future__ import annotations

import pytest

from phigate.masking.structure.keys import LIKELY, SURE, about_a_person, entity_of, words
from phigate.policy.words import ENTITIES


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("homePhone_2", "home phone"),
        ("DOB", "dob"),
        ("Address Line 1", "address line 1"),
        ("patient-name", "patient name"),
        ("MRN#", "mrn"),
        ("", ""),
    ],
)
def test_a_name_in_words(name, said):
    assert words(name) == said


@pytest.mark.parametrize(
    ("name", "likely", "entity"),
    [
        ("next_of_kin_phone", False, "PHONE_NUMBER"),
        ("mother's maiden name", False, "PERSON"),
        ("attending physician", True, "PERSON"),
        ("id", False, None),
        ("id", True, "MRN"),
        ("patient_state", True, None),
        ("contact_method", True, None),
        ("emergency", True, None),
        ("x" * 500, True, None),
        ("mrns", False, "MRN"),
        ("mrnList", False, "MRN"),
        ("ssn1", False, "US_SSN"),
        ("values", True, None),
    ],
)
def test_what_a_name_says(name, likely, entity):
    assert entity_of(name, likely=likely) == entity


def test_whether_names_are_about_a_person():
    assert about_a_person(["x", "DOB"])
    assert about_a_person(["physician_name"])
    assert not about_a_person(["name", "url", "id"])


def test_the_tables_hold_entities_and_names_as_they_are_looked_up():
    assert {*SURE.values(), *LIKELY.values()} <= ENTITIES
    assert not SURE.keys() & LIKELY.keys()
    assert all(name == name.lower().strip() for name in (*SURE, *LIKELY))
