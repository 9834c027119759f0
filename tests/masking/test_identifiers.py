from __future__ import annotations

import re

import pytest

from phigate.masking import Secrets, identifier
from phigate.masking.identifiers import identifiers, normal

SECRETS = Secrets(b"k" * 32, "e1")


@pytest.mark.parametrize(
    ("entity", "one", "other"),
    [
        ("MRN", "61-83-49", "MRN-618349"),
        ("MRN", "rvhx-56413", "RVHX 56413"),
        ("US_SSN", "219-09-9999", "219 09 9999"),
        ("PERSON", "Okafor, Chidi", "CHIDI  OKAFOR"),
        ("PERSON", "O'Neil", "O\u2019Neil"),
        ("PHONE_NUMBER", "+1 (318) 555-0147", "318.555.0147"),
        ("EMAIL_ADDRESS", "Petra@Example.org", "petra@example.org"),
        ("DATE_TIME", "March 6th, 1987", "1987-03-06"),
        ("IP_ADDRESS", "2001:DB8:0::1", "2001:db8::1"),
        ("NPI", "\uff11234567893", "1234567893"),
    ],
)
def test_one_value_however_it_is_written_has_one_identifier(entity: str, one: str, other: str) -> None:
    assert identifier(entity, one, SECRETS) == identifier(entity, other, SECRETS)


def test_an_identifier_names_its_entity_and_nothing_else() -> None:
    made = identifier("MRN", "61-83-49", SECRETS)
    assert re.fullmatch(r"MRN:[0-9a-f]{32}", made)
    assert made != identifier("MRN", "61-83-50", SECRETS)
    assert made[4:] != identifier("UNIQUE_ID", "61-83-49", SECRETS)[10:]
    assert made != identifier("MRN", "61-83-49", Secrets(b"j" * 32, "e1"))


def test_what_does_not_parse_stays_a_value() -> None:
    assert normal("IP_ADDRESS", "300.1") == "300.1"
    assert normal("DATE_TIME", "July 10-15, 2023") == "july 10 15 2023"


def test_a_value_is_sought_under_every_key() -> None:
    old = Secrets(b"o" * 32, "e0")
    both = Secrets(b"k" * 32, "e1", (old,))
    assert identifiers("MRN", "61-83-49", both) == (
        identifier("MRN", "618349", SECRETS),
        identifier("MRN", "618349", old),
    )


@pytest.mark.parametrize(
    ("entity", "one", "other"),
    [
        ("MRN", "MRN \u0660\u0660\u0661\u0662\u0663\u0664\u0665\u0666", "00123456"),
        ("PHONE_NUMBER", "\u09eb\u09eb\u09eb-123-4567", "555-123-4567"),
        ("PERSON", "Ja\u00adne D\u200doe", "Jane Doe"),
        ("PERSON", "Jane\u200bDoe", "Jane Doe"),
        ("EMAIL_ADDRESS", "a\u2060@b.org", "a@b.org"),
    ],
)
def test_digits_of_another_script_and_signs_that_nobody_sees_hide_nobody(entity, one, other):
    assert normal(entity, one) == normal(entity, other)
